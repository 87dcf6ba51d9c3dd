// Package run executes state machines.
//
// Words: an execution runs a machine; a branch is one thread of it: the main
// one, a Parallel's branch or a Map's iteration; a visit is one stay of a branch
// in a state, with all retries; a failure is how a state, branch or execution
// ends that did not succeed; a fatal failure no Retry or Catch sees.
package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
)

// Status is how an execution ended, or that it has not.
type Status string

// The statuses.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)

// maxEvents is the longest history of a STANDARD execution (Step Functions
// quotas).
const maxEvents = 25000

// Execution is what to run. All fields are needed.
type Execution struct {
	Machine *asl.Machine
	Express bool
	Input   any
	// Identity are the members Execution and StateMachine of the context object.
	Identity map[string]any
	Region   string
	// Call makes the call of a Task. Its error is an *integration.Error for what
	// Retry and Catch can match.
	Call func(ctx context.Context, resource asl.Resource, input any) (any, error)
	// Distribute makes a Map Run and returns what the state returns. started is
	// called with its ARN once it is there. The error is one of Distribution's
	// Select, that of ctx, or an *integration.Error.
	Distribute func(ctx context.Context, d *Distribution, started func(arn string)) (any, error)
	// Sleep waits for Wait states and before retries.
	Sleep   func(ctx context.Context, d time.Duration) error
	Now     func() time.Time
	Random  func() float64 // for jitter, in [0, 1)
	History *history.Log
}

// Outcome is how an execution ended.
type Outcome struct {
	Status       Status
	Output       any    // of one that succeeded
	Error, Cause string // of one that did not; empty where AWS reports none
	Transitions  int64  // states entered
}

// Stop ends an execution as aborted when it is the cause of its context's end.
type Stop struct{ Name, Cause string }

func (s *Stop) Error() string { return "execution stopped: " + s.Name }

// errLimit is the cause of a context that ends with the execution's time.
var errLimit = errors.New("the execution took too long")

// expressLimit is the longest that an EXPRESS execution may take (Step
// Functions quotas).
const expressLimit = 5 * time.Minute

// Run executes a machine to its end, or until ctx ends.
func Run(ctx context.Context, e *Execution) Outcome {
	limit := time.Duration(e.Machine.Timeout) * time.Second
	if e.Express && (limit == 0 || limit > expressLimit) {
		limit = expressLimit
	}
	if limit > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
		defer cancel()
		ctx = limited
	}
	r := &runner{Execution: e}
	identity := e.Identity["Execution"].(map[string]any)
	b := &branch{runner: r, variables: &variables{}}
	b.previous = e.History.Add(0, "ExecutionStarted", history.Details{
		"input": text(e.Input), "inputDetails": whole(), "roleArn": identity["RoleArn"],
	})
	output, f := b.machine(ctx, e.Machine, e.Input)
	out := r.outcome(ctx, output, f)
	out.Transitions = r.transitions.Load()
	b.close(out)
	return out
}

func (r *runner) outcome(ctx context.Context, output any, f *failure) Outcome {
	cause := context.Cause(ctx)
	stopped, isStop := errors.AsType[*Stop](cause)
	switch {
	case f == nil:
		return Outcome{Status: Succeeded, Output: output}
	case !f.aborted:
		return Outcome{Status: Failed, Error: f.name, Cause: f.cause}
	case errors.Is(cause, errLimit):
		return Outcome{Status: TimedOut}
	case isStop:
		return Outcome{Status: Aborted, Error: stopped.Name, Cause: stopped.Cause}
	}
	return Outcome{Status: Aborted}
}

// close records the end.
func (b *branch) close(out Outcome) {
	switch out.Status {
	case Succeeded:
		b.add("ExecutionSucceeded", history.Details{"output": text(out.Output), "outputDetails": whole()})
	case TimedOut:
		b.add("ExecutionTimedOut", nil)
	case Aborted:
		b.add("ExecutionAborted", (&failure{name: out.Error, cause: out.Cause}).details())
	default:
		b.add("ExecutionFailed", (&failure{name: out.Error, cause: out.Cause}).details())
	}
}

// machine runs a machine from its start to one of its ends.
func (b *branch) machine(ctx context.Context, m *asl.Machine, input any) (any, *failure) {
	for name := m.StartAt; ; {
		if ctx.Err() != nil {
			return nil, aborted()
		}
		v := b.enter(m.States[name], input)
		output, next, f := v.run(ctx)
		if f != nil {
			return nil, f
		}
		if data.TooLarge(output) {
			return nil, v.tooLarge()
		}
		v.exit(output)
		if !b.Express && b.History.Len() >= maxEvents-2 {
			return nil, &failure{name: runtimeError, cause: fmt.Sprintf("The execution reached the maximum number of history events (%d).", maxEvents), fatal: true}
		}
		if next == "" {
			return output, nil
		}
		name, input = next, output
	}
}

// text is a value as history shows it.
func text(v any) string { return string(data.Encode(v)) }

// whole says that history shows a value as a whole: Step Functions cuts off
// what is longer than the limit of data, which nothing is.
func whole() map[string]any { return map[string]any{"truncated": false} }

// clock writes a time as the context object does.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Identity makes the members Execution and StateMachine of a context object.
func Identity(executionARN, name, roleARN, machineARN, machine string, input any, started time.Time) map[string]any {
	return map[string]any{
		"Execution": map[string]any{
			"Id": executionARN, "Input": input, "Name": name, "RoleArn": roleARN,
			"StartTime": clock(started), "RedriveCount": json.Number("0"),
		},
		"StateMachine": map[string]any{"Id": machineARN, "Name": machine},
	}
}
