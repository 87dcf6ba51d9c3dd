package run

import (
	"context"
	"errors"
	"sync"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
)

// inlineConcurrency is how many iterations of an inline Map run at once where
// it sets no limit (Step Functions Developer Guide, Map state).
const inlineConcurrency = 40

// errSibling is the cause of a branch's context that ends since another branch
// failed.
var errSibling = errors.New("another branch failed")

// fan runs branches beside each other. The first failure ends the others.
type fan struct {
	visit  *visit
	ctx    context.Context
	cancel context.CancelCauseFunc
	slots  chan struct{} // nil means no limit

	wait    sync.WaitGroup
	mu      sync.Mutex
	results []any
	first   *failure
}

func (v *visit) fan(ctx context.Context, branches, limit int) *fan {
	f := &fan{visit: v, results: make([]any, branches)}
	if limit > 0 {
		f.slots = make(chan struct{}, limit)
	}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	return f
}

// slot waits until another branch may start; false where none may any more.
func (f *fan) slot() bool {
	if f.slots != nil {
		select {
		case f.slots <- struct{}{}:
		case <-f.ctx.Done():
		}
	}
	return f.ctx.Err() == nil
}

// start runs a branch. ended is told how, before the other branches are.
func (f *fan) start(i int, b *branch, m *asl.Machine, input any, ended func(b *branch, wrong *failure)) {
	f.wait.Go(func() {
		output, wrong := b.machine(f.ctx, m, input)
		f.end(i, b, output, wrong, ended)
		if f.slots != nil {
			<-f.slots
		}
	})
}

func (f *fan) end(i int, b *branch, output any, wrong *failure, ended func(*branch, *failure)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if wrong != nil && f.first != nil {
		wrong = aborted() // one failure ends all, whoever fails too
	}
	if wrong != nil && wrong.aborted && errors.Is(context.Cause(f.ctx), errSibling) {
		b.leave()
	}
	ended(b, wrong)
	switch {
	case wrong == nil:
		f.results[i] = output
	case !wrong.aborted:
		f.first = wrong
		f.cancel(errSibling)
	}
}

// join waits for all branches and returns their outputs.
func (f *fan) join() (any, *failure) {
	f.wait.Wait()
	outside := f.ctx.Err() != nil && f.first == nil
	f.cancel(nil)
	f.visit.previous = f.visit.History.Len()
	switch {
	case f.first != nil:
		return nil, f.first
	case outside:
		return nil, aborted()
	}
	return f.results, nil
}

func (v *visit) parallel(ctx context.Context) (any, *failure) {
	input, wrong := v.fill(v.state.Template, v.data)
	if wrong != nil {
		return nil, wrong
	}
	v.add("ParallelStateStarted", nil)
	f := v.fan(ctx, len(v.state.Branches), 0)
	for i, m := range v.state.Branches {
		f.start(i, v.fork(nil), m, input, func(*branch, *failure) {})
	}
	results, wrong := f.join()
	if wrong == nil {
		v.add("ParallelStateSucceeded", nil)
	}
	return results, wrong
}

func (v *visit) mapItems(ctx context.Context) (any, *failure) {
	items, wrong := v.items()
	if wrong != nil {
		return nil, wrong
	}
	limit, wrong := v.amount(v.state.Concurrency, "MaxConcurrency", 0)
	if wrong != nil {
		return nil, wrong
	}
	if limit == 0 {
		limit = inlineConcurrency
	}
	v.add("MapStateStarted", history.Details{"length": len(items)})
	f := v.fan(ctx, len(items), int(min(limit, int64(len(items))+1)))
	for i, item := range items {
		if !f.slot() {
			break
		}
		v.iterate(f, i, item)
	}
	results, wrong := f.join()
	if wrong == nil {
		v.add("MapStateSucceeded", nil)
	}
	return results, wrong
}

// iterate starts one iteration.
func (v *visit) iterate(f *fan, i int, item any) {
	about := history.Details{"name": v.state.Name, "index": i}
	b := v.fork(map[string]any{"Item": map[string]any{"Index": data.Number(int64(i)), "Value": item}})
	b.add("MapIterationStarted", about)
	ended := func(b *branch, wrong *failure) {
		switch {
		case wrong == nil:
			b.add("MapIterationSucceeded", about)
		case !wrong.aborted:
			b.add("MapIterationFailed", about)
		case errors.Is(context.Cause(f.ctx), errSibling):
			b.add("MapIterationAborted", about)
		}
	}
	input := item
	if v.state.Template != nil {
		of := *v
		of.context = map[string]any{"Map": b.item}
		for name, value := range v.context {
			if name != "Map" {
				of.context[name] = value
			}
		}
		selected, wrong := of.fill(v.state.Template, v.data)
		if wrong != nil {
			f.end(i, b, nil, wrong, ended)
			if f.slots != nil {
				<-f.slots
			}
			return
		}
		input = selected
	}
	f.start(i, b, v.state.Branches[0], input, ended)
}
