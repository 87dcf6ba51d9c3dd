package states

import (
	"context"
	"fmt"
	"time"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/states/run"
	"poolferry/internal/sandbox/wire"
)

// execution is one execution. Only the fields below the line change after it
// has begun.
type execution struct {
	machine   *machine
	revision  revision
	arn, name string
	input     any
	inputText string
	started   time.Time
	mapRun    *mapRun // that started it, else nil
	items     int64   // that it is for, of a Map Run's child
	history   *history.Log
	stop      context.CancelCauseFunc
	done      chan struct{} // closed at the end

	outcome run.Outcome // guarded by Service.mu; Running until the end
	ended   time.Time
}

// prepare makes an execution that has not begun. The name is checked and the
// input read; the error is a *wire.Error.
func (s *Service) prepare(m *machine, name, input string) (*execution, error) {
	if name == "" {
		name = wire.NewID()
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if input == "" {
		input = "{}"
	}
	value, err := data.Parse([]byte(input))
	if err != nil {
		return nil, refuse("InvalidExecutionInput", "Invalid State Machine Execution Input: '%s'", err)
	}
	if len(input) > data.Limit {
		return nil, refuse("ValidationException", "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to %d", data.Limit)
	}
	e := &execution{
		machine: m, name: name, input: value, inputText: input, started: s.o.Now(),
		done: make(chan struct{}), outcome: run.Outcome{Status: run.Running},
	}
	s.mu.Lock()
	e.revision = m.revision
	s.mu.Unlock()
	e.arn = executionARN(m, name)
	return e, nil
}

// executionARN is the ARN of a new execution. Those of EXPRESS machines may
// share a name.
func executionARN(m *machine, name string) string {
	if m.kind == express {
		return fmt.Sprintf("arn:aws:states:%s:%s:express:%s:%s:%s", m.region, m.account, m.name, name, wire.NewID())
	}
	return fmt.Sprintf("arn:aws:states:%s:%s:execution:%s:%s", m.region, m.account, m.name, name)
}

// begin runs an execution in the background; ctx gives values alone. A STANDARD
// execution of the same name and input that is still running is returned in its
// place.
func (s *Service) begin(ctx context.Context, e *execution, copies int) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if e.machine.kind == standard {
		switch old := s.executions[e.arn]; {
		case old == nil:
			s.executions[e.arn] = e
		case old.outcome.Status == run.Running && old.inputText == e.inputText:
			return old, nil
		default:
			return nil, refuse("ExecutionAlreadyExists", "Execution Already Exists: '%s'", e.arn)
		}
	}
	life, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	e.stop, e.history = stop, s.newLog(e)
	s.counts.Executions++
	s.counts.Copies += int64(copies - 1)
	if e.mapRun != nil {
		s.counts.Children++
	}
	s.spawn(life, e, e.history, func(outcome run.Outcome) {
		e.outcome, e.ended = outcome, s.o.Now()
		close(e.done)
	})
	for range copies - 1 {
		s.spawn(life, e, s.newLog(e), func(run.Outcome) {})
	}
	return e, nil
}

// spawn runs one copy; s.mu is held, and held again when ended is called.
func (s *Service) spawn(ctx context.Context, e *execution, log *history.Log, ended func(run.Outcome)) {
	s.enter()
	release := context.AfterFunc(s.life, func() { e.stop(&run.Stop{}) })
	go func() {
		defer release()
		outcome := s.execute(ctx, e, log)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.counts.Transitions += outcome.Transitions
		ended(outcome)
		s.leave()
	}()
}

// newLog is where an execution's history goes: STANDARD keeps it, EXPRESS only
// ever shows it in logs.
func (s *Service) newLog(e *execution) *history.Log {
	if e.machine.kind == standard {
		return history.New(s.o.Now, true, nil)
	}
	return history.New(s.o.Now, false, func(event history.Event) {
		if l := e.revision.logging; s.o.Logs != nil && l.wants(event) {
			s.logs.Lock()
			defer s.logs.Unlock()
			_, _ = s.o.Logs.Write(event.Line(e.arn, l.IncludeExecutionData)) // a log that cannot be written stops nothing
		}
	})
}

func (s *Service) execute(ctx context.Context, e *execution, log *history.Log) run.Outcome {
	m := e.machine
	return run.Run(ctx, &run.Execution{
		Machine:  e.revision.parsed,
		Express:  m.kind == express,
		Input:    e.input,
		Identity: run.Identity(e.arn, e.name, e.revision.role, m.arn, m.name, e.input, e.started),
		Region:   m.region,
		Call: func(ctx context.Context, resource asl.Resource, input any) (any, error) {
			return s.call(ctx, e, resource, input)
		},
		Distribute: func(ctx context.Context, d *run.Distribution, started func(string)) (any, error) {
			return s.distribute(ctx, e, d, started)
		},
		Sleep:   s.sleep,
		Now:     s.o.Now,
		Random:  random,
		History: log,
	})
}

// call makes the call of a Task, in a session of the machine's role.
func (s *Service) call(ctx context.Context, e *execution, resource asl.Resource, input any) (any, error) {
	r := integration.Request{
		Account: e.machine.account, Region: e.machine.region,
		Authorize: func(action, on string) error { return s.o.Roles.Authorize(e.revision.caller, action, on) },
	}
	if resource.Name == "" {
		return integration.Function(ctx, s.o.Lambda, r, resource.ARN, input)
	}
	r.Parameters, _ = input.(map[string]any)
	return s.resources.all[resource.Name].Call(ctx, r)
}

// outcomeOf is how an execution stands.
func (s *Service) outcomeOf(e *execution) (run.Outcome, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.outcome, e.ended
}

// start starts an execution, whoever asked for it.
func (s *Service) start(ctx context.Context, m *machine, name, input string) (*execution, error) {
	e, err := s.prepare(m, name, input)
	if err != nil {
		return nil, err
	}
	copies := 1
	if m.kind == express && s.o.Inject().Duplicate {
		copies = 2
	}
	return s.begin(ctx, e, copies)
}
