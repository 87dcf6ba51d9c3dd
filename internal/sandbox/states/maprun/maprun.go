// Package maprun runs the children of a Distributed Map.
//
// Words: a Map Run is one attempt of a Distributed Map state; a child is one of
// the executions that it starts, for one item or for a batch of them; a child is
// pending until it is started. A record is what result files say of a child.
package maprun

import (
	"context"
	"errors"
	"sync"
	"time"

	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/states/items"
	"poolferry/internal/sandbox/states/run"
	"poolferry/internal/sandbox/wire"
)

// Names of errors that a Map Run reports (Amazon States Language, error names).
const (
	readerFailed = "States.ItemReaderFailed"
	writerFailed = "States.ResultWriterFailed"
	exceeded     = "States.ExceedToleratedFailureThreshold"
	limitError   = "States.DataLimitExceeded"
	permissions  = "States.Permissions"
)

// maxRunning is how many children can run at once, and do where MaxConcurrency
// is 0 (Step Functions quotas).
const maxRunning = 10000

// Objects is S3 as the state machine's role may use it.
type Objects interface {
	items.Objects
	Put(ctx context.Context, bucket, key string, body []byte) error
}

// Child is how one child ended.
type Child struct {
	ARN, Name      string
	Outcome        run.Outcome
	Started, Ended time.Time
}

// Options are what a Map Run needs.
type Options struct {
	ID, ARN    string
	MachineARN string // of the children
	Plan       *run.Distribution
	Now        func() time.Time
	// May asks whether the role may start children. The error is a *wire.Error.
	May func() error
	// Source and Target are S3 for the plan's reader and writer.
	Source, Target Objects
	// Start runs a child to its end, or stops it with ctx.
	Start func(ctx context.Context, input any, items int64) Child
}

// Run is a Map Run. It is safe for concurrent use.
type Run struct {
	o       Options
	started time.Time
	wake    chan struct{} // holds one when a child may have become possible

	mu          sync.Mutex
	concurrency int64
	tolerance   run.Tolerance
	status      run.Status
	ended       time.Time
	executions  Counts
	items       Counts
}

// child is one child with its input. It is only looked at when none is running.
type child struct {
	items.Batch
	begun bool
	Child // zero until it has ended
}

// Counts are how many children, or items in them, are in which state.
type Counts struct{ Pending, Running, Succeeded, Failed, TimedOut, Aborted, ResultsWritten int64 }

// Total is how many there are.
func (c Counts) Total() int64 {
	return c.Pending + c.Running + c.Succeeded + c.Failed + c.TimedOut + c.Aborted
}

// of is the count of a status.
func (c *Counts) of(status run.Status) *int64 {
	switch status {
	case run.Running:
		return &c.Running
	case run.Succeeded:
		return &c.Succeeded
	case run.Failed:
		return &c.Failed
	case run.TimedOut:
		return &c.TimedOut
	case run.Aborted:
		return &c.Aborted
	}
	return &c.Pending
}

// New returns a Map Run that has not done anything.
func New(o Options) *Run {
	return &Run{
		o: o, started: o.Now(), wake: make(chan struct{}, 1), status: run.Running,
		concurrency: o.Plan.Concurrency, tolerance: o.Plan.Tolerance,
	}
}

// Do runs all children and returns what the state returns. The error is one of
// the plan's Select, that of ctx, or an *integration.Error.
func (r *Run) Do(ctx context.Context) (any, error) {
	output, err := r.do(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = r.o.Now()
	switch {
	case err == nil:
		r.status = run.Succeeded
	case ctx.Err() != nil:
		r.status = run.Aborted
	default:
		r.status = run.Failed
	}
	return output, err
}

func (r *Run) do(ctx context.Context) (any, error) {
	if err := r.o.May(); err != nil {
		return nil, &integration.Error{Name: permissions, Cause: wire.AsError(err).Message}
	}
	batches, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	children := r.expect(batches)
	failed := r.runAll(ctx, children)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case failed == nil:
		return r.results(ctx, children)
	case r.o.Plan.Writer.Bucket != "":
		_, _ = r.results(ctx, children) // what failed first is what is reported
	}
	return nil, failed
}

// expect counts the children before the first is started.
func (r *Run) expect(batches []items.Batch) []child {
	r.mu.Lock()
	defer r.mu.Unlock()
	children := make([]child, len(batches))
	for i, b := range batches {
		children[i].Batch = b
		r.executions.Pending++
		r.items.Pending += b.Items
	}
	return children
}

// read makes the children's inputs.
func (r *Run) read(ctx context.Context) ([]items.Batch, error) {
	p := r.o.Plan
	all := p.Items
	if p.Source != nil {
		read, err := p.Source.Read(ctx, r.o.Source)
		if err != nil {
			return nil, refused(readerFailed, err)
		}
		all = read
	}
	if p.Select != nil {
		selected := make([]any, len(all))
		for i, item := range all {
			one, err := p.Select(i, item)
			if err != nil {
				return nil, err
			}
			selected[i] = one
		}
		all = selected
	}
	cut := items.Single
	if p.Batcher != nil {
		cut = p.Batcher.Cut
	}
	out, err := cut(all)
	if err != nil {
		return nil, &integration.Error{Name: limitError, Cause: err.Error()}
	}
	return out, nil
}

// refused is why something about S3 failed.
func refused(name string, err error) error {
	cause := err.Error()
	if wrong, ok := errors.AsType[*wire.Error](err); ok {
		cause = integration.Optimized("S3", "Amazon S3", wrong).Cause
	}
	return &integration.Error{Name: name, Cause: cause}
}

// errExceeded is the cause of the children's context that ends since too many
// of them failed.
var errExceeded = &integration.Error{Name: exceeded, Cause: "The specified tolerated failure threshold was exceeded"}

// runAll runs the children and returns when none is running any more.
func (r *Run) runAll(ctx context.Context, children []child) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for i := range children {
		if !r.slot(ctx, children[i].Items) {
			break
		}
		running.Go(func() { r.one(ctx, cancel, &children[i]) })
	}
	running.Wait()
	if failed, ok := errors.AsType[*integration.Error](context.Cause(ctx)); ok {
		return failed
	}
	return nil
}

// slot waits until another child may run, and counts it; false where none may
// any more.
func (r *Run) slot(ctx context.Context, items int64) bool {
	for ctx.Err() == nil {
		r.mu.Lock()
		limit := r.concurrency
		if limit == 0 || limit > maxRunning {
			limit = maxRunning
		}
		free := r.executions.Running < limit
		if free {
			r.executions.Running, r.executions.Pending = r.executions.Running+1, r.executions.Pending-1
			r.items.Running, r.items.Pending = r.items.Running+items, r.items.Pending-items
		}
		r.mu.Unlock()
		if free {
			return true
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
		}
	}
	return false
}

func (r *Run) one(ctx context.Context, cancel context.CancelCauseFunc, c *child) {
	ended := r.o.Start(ctx, c.Input, c.Items)
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Child, c.begun = ended, true
	r.executions.Running--
	r.items.Running -= c.Items
	*r.executions.of(ended.Outcome.Status)++
	*r.items.of(ended.Outcome.Status) += c.Items
	if r.tolerance.Exceeded(r.items.Failed+r.items.TimedOut, r.items.Total()) {
		cancel(errExceeded)
	}
	r.nudge()
}

// nudge has the next child looked at.
func (r *Run) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Update changes what is given, as long as the Map Run is running.
func (r *Run) Update(concurrency, count *int64, percentage *float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status != run.Running {
		return
	}
	if concurrency != nil {
		r.concurrency = *concurrency
	}
	if count != nil {
		r.tolerance.Count, r.tolerance.CountGiven = *count, true
	}
	if percentage != nil {
		r.tolerance.Percentage, r.tolerance.PercentageGiven = *percentage, true
	}
	r.nudge()
}

// State is what there is to know about a Map Run.
type State struct {
	Status            run.Status
	Started, Ended    time.Time
	Concurrency       int64
	Tolerance         run.Tolerance
	Executions, Items Counts
}

// State returns it.
func (r *Run) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return State{
		Status: r.status, Started: r.started, Ended: r.ended,
		Concurrency: r.concurrency, Tolerance: r.tolerance, Executions: r.executions, Items: r.items,
	}
}
