package states

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/maprun"
	"poolferry/internal/sandbox/states/run"
	"poolferry/internal/sandbox/wire"
)

// mapRun is a Map Run and whose it is.
type mapRun struct {
	*maprun.Run
	arn      string
	parent   *execution
	children *machine // what its children are executions of
}

// distribute makes a Map Run and runs it to its end.
func (s *Service) distribute(ctx context.Context, e *execution, d *run.Distribution, started func(arn string)) (any, error) {
	m := &mapRun{parent: e, children: s.childMachine(e, d)}
	id := wire.NewID()
	root := rootOf(e.machine)
	m.arn = fmt.Sprintf("arn:aws:states:%s:%s:mapRun:%s:%s", m.children.region, m.children.account, m.children.name, id)
	may := func(action, on string) error { return s.o.Roles.Authorize(e.revision.caller, action, on) }
	m.Run = maprun.New(maprun.Options{
		ID: id, ARN: m.arn, MachineARN: m.children.arn, Plan: d, Now: s.o.Now,
		May: func() error {
			return may("states:StartExecution", machineARN(e.machine.account, e.machine.region, root))
		},
		Source: objects{s.o.Objects, e.machine.account, e.machine.region, d.Owner, may},
		Target: objects{s.o.Objects, e.machine.account, e.machine.region, d.Writer.Owner, may},
		Start: func(ctx context.Context, input any, items int64) maprun.Child {
			return s.runChild(ctx, m, input, items)
		},
	})
	s.mu.Lock()
	s.mapRuns[m.arn] = m
	s.mu.Unlock()
	started(m.arn)
	return m.Do(ctx)
}

// rootOf is the name of the machine that was created, where m can be that of the
// children of a Map Run.
func rootOf(m *machine) string {
	name, _, _ := strings.Cut(m.name, "/")
	return name
}

// childMachine is the machine that the children of a Map Run are executions of.
// It has no place in the API: it goes by the name of the created one and the
// label of the state. A state without a label has one that was made for it.
func (s *Service) childMachine(e *execution, d *run.Distribution) *machine {
	label := d.Label
	if label == "" {
		sum := sha256.Sum256([]byte(d.State))
		label = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	}
	m := &machine{account: e.machine.account, region: e.machine.region, name: rootOf(e.machine) + "/" + label, kind: standard, created: e.machine.created}
	m.arn = machineARN(m.account, m.region, m.name)
	if d.Express {
		m.kind = express
	}
	m.revision = e.revision
	m.parsed = d.Processor
	return m
}

// runChild runs a child to its end. It is delivered once, whatever its type: a
// Map Run counts every child once.
func (s *Service) runChild(ctx context.Context, m *mapRun, input any, items int64) maprun.Child {
	c := &execution{
		machine: m.children, revision: m.children.revision, name: wire.NewID(), input: input, inputText: string(data.Encode(input)),
		started: s.o.Now(), mapRun: m, items: items, done: make(chan struct{}), outcome: run.Outcome{Status: run.Running},
	}
	c.arn = executionARN(m.children, c.name)
	child := maprun.Child{ARN: c.arn, Name: c.name, Started: c.started, Ended: c.started, Outcome: run.Outcome{Status: run.Aborted}}
	if _, err := s.begin(ctx, c, 1); err != nil {
		return child // the service is closing
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.stop(&run.Stop{})
		<-c.done
	}
	child.Outcome, child.Ended = s.outcomeOf(c)
	return child
}

// objects is S3 for the role of one machine.
type objects struct {
	s3              Objects
	account, region string
	owner           string // that the bucket must have; empty: any
	may             func(action, on string) error
}

func (o objects) authorize(action, on string) error {
	if o.owner != "" && o.owner != o.account {
		return wire.Errorf(http.StatusForbidden, "AccessDenied", "Access Denied")
	}
	return o.may(action, on)
}

func (o objects) Get(_ context.Context, bucket, key string) ([]byte, error) {
	if err := o.authorize("s3:GetObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return nil, err
	}
	return o.s3.GetObject(o.account, o.region, bucket, key)
}

func (o objects) List(_ context.Context, bucket, prefix string) ([]s3.Object, error) {
	if err := o.authorize("s3:ListBucket", "arn:aws:s3:::"+bucket); err != nil {
		return nil, err
	}
	return o.s3.ListObjects(o.account, o.region, bucket, prefix)
}

func (o objects) Put(ctx context.Context, bucket, key string, body []byte) error {
	if err := o.authorize("s3:PutObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return err
	}
	return o.s3.PutObject(ctx, o.account, o.region, bucket, key, body)
}

// mapRun checks that the caller may and finds a Map Run.
func (s *Service) mapRun(call *wire.Call, action, arn string) (*mapRun, error) {
	if parts := strings.Split(arn, ":"); len(parts) != 8 || parts[0] != "arn" || parts[2] != signingName || parts[5] != "mapRun" {
		return nil, refuse("InvalidArn", "Invalid Arn: 'Invalid ARN: %s'", arn)
	}
	if err := call.Authorize(action, arn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mapRuns[arn]
	if m == nil || m.children.region != call.Region {
		return nil, refuse("ResourceNotFound", "Map Run Does Not Exist: '%s'", arn)
	}
	return m, nil
}

type listMapRunsInput struct {
	ExecutionARN string `json:"executionArn"`
	MaxResults   int    `json:"maxResults"`
	NextToken    string `json:"nextToken"`
}

// listMapRuns lists the latest first.
func (s *Service) listMapRuns(_ context.Context, call *wire.Call, in listMapRunsInput) (any, error) {
	e, err := s.execution(call, "states:ListMapRuns", in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	found := slices.DeleteFunc(slices.Collect(maps.Values(s.mapRuns)), func(m *mapRun) bool { return m.parent != e })
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b *mapRun) int {
		if order := b.State().Started.Compare(a.State().Started); order != 0 {
			return order
		}
		return strings.Compare(a.arn, b.arn)
	})
	return page("mapRuns", found, func(m *mapRun) any {
		state := m.State()
		one := map[string]any{
			"executionArn": e.arn, "mapRunArn": m.arn, "stateMachineArn": m.children.arn, "startDate": history.Seconds(state.Started),
		}
		if state.Status != run.Running {
			one["stopDate"] = history.Seconds(state.Ended)
		}
		return one
	}, in.MaxResults, in.NextToken)
}

type mapRunInput struct {
	MapRunARN string `json:"mapRunArn"`
}

func (s *Service) describeMapRun(_ context.Context, call *wire.Call, in mapRunInput) (any, error) {
	m, err := s.mapRun(call, "states:DescribeMapRun", in.MapRunARN)
	if err != nil {
		return nil, err
	}
	state := m.State()
	out := map[string]any{
		"mapRunArn": m.arn, "executionArn": m.parent.arn, "status": state.Status, "startDate": history.Seconds(state.Started),
		"maxConcurrency": state.Concurrency, "toleratedFailureCount": state.Tolerance.Count,
		"toleratedFailurePercentage": state.Tolerance.Percentage, "redriveCount": 0,
		"executionCounts": counted(state.Executions), "itemCounts": counted(state.Items),
	}
	if state.Status != run.Running {
		out["stopDate"] = history.Seconds(state.Ended)
	}
	return out, nil
}

func counted(c maprun.Counts) map[string]any {
	return map[string]any{
		"pending": c.Pending, "running": c.Running, "succeeded": c.Succeeded, "failed": c.Failed, "timedOut": c.TimedOut,
		"aborted": c.Aborted, "total": c.Total(), "resultsWritten": c.ResultsWritten, "failuresNotRedrivable": 0, "pendingRedrive": 0,
	}
}

type updateMapRunInput struct {
	MapRunARN                  string   `json:"mapRunArn"`
	MaxConcurrency             *int64   `json:"maxConcurrency"`
	ToleratedFailureCount      *int64   `json:"toleratedFailureCount"`
	ToleratedFailurePercentage *float64 `json:"toleratedFailurePercentage"`
}

// updateMapRun changes a Map Run that is running. One that has ended stays as it
// is.
func (s *Service) updateMapRun(_ context.Context, call *wire.Call, in updateMapRunInput) (any, error) {
	m, err := s.mapRun(call, "states:UpdateMapRun", in.MapRunARN)
	if err != nil {
		return nil, err
	}
	switch {
	case in.MaxConcurrency == nil && in.ToleratedFailureCount == nil && in.ToleratedFailurePercentage == nil:
		return nil, refuse("ValidationException", "At least one of maxConcurrency, toleratedFailureCount and toleratedFailurePercentage must be specified")
	case in.MaxConcurrency != nil && *in.MaxConcurrency < 0:
		return nil, outOfRange(*in.MaxConcurrency, "maxConcurrency", "greater than or equal to 0")
	case in.ToleratedFailureCount != nil && *in.ToleratedFailureCount < 0:
		return nil, outOfRange(*in.ToleratedFailureCount, "toleratedFailureCount", "greater than or equal to 0")
	case in.ToleratedFailurePercentage != nil && (*in.ToleratedFailurePercentage < 0 || *in.ToleratedFailurePercentage > 100):
		return nil, outOfRange(*in.ToleratedFailurePercentage, "toleratedFailurePercentage", "between 0 and 100")
	}
	m.Update(in.MaxConcurrency, in.ToleratedFailureCount, in.ToleratedFailurePercentage)
	return map[string]any{}, nil
}

func outOfRange(value any, field, want string) error {
	return refuse("ValidationException", "1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: Member must have value %s", value, field, want)
}
