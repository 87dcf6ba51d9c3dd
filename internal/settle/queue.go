package settle

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/userpool"
)

// worker is one step, with the queue as it holds it.
type worker struct {
	*Settle
	id    string
	token string
	began time.Time
	state State
	tag   string
	saved time.Time

	// kept are the rows of state.Failed and state.GivenUp by target sub, once they are
	// loaded, with what came after; dirty says which are to be written.
	kept     map[Kept]map[userpool.Sub]Unsettled
	dirty    map[Kept]bool
	obsolete []reconcile.RowsRef // to be deleted once the state is written

	mu        sync.Mutex
	step      Totals // since the step began
	delta     Totals // of that, what state.Totals does not have
	failed    int
	throttled int
	streak    streak
	settled   bool // any row, in this step

	making chan struct{}   // holds one while somebody makes a group
	made   map[string]bool // groups that are known to be there
}

// heldError says who holds the queue.
type heldError struct{ why string }

func (e heldError) Error() string { return e.why }

// Waiting for a holder that may be dead.
const (
	lookEvery    = 2 * time.Second
	takeAttempts = 16 // how often others may be first
)

// take holds the queue. The error is a heldError where another step does.
func (s *Settle) take(ctx context.Context, id string) (*worker, error) {
	w := &worker{
		Settle: s, id: id, token: rand.Text(), began: s.o.Now().UTC(),
		kept: map[Kept]map[userpool.Sub]Unsettled{}, dirty: map[Kept]bool{}, making: make(chan struct{}, 1), made: map[string]bool{},
	}
	var seen *Holder
	for range takeAttempts {
		var err error
		if seen, err = w.await(ctx, seen); err != nil {
			return w, err
		}
		now := s.o.Now().UTC()
		w.state.Holder = &Holder{ID: id, Token: w.token, Since: now, Until: now.Add(s.o.HoldTime)}
		if err = w.save(ctx); !errors.As(err, new(heldError)) {
			return w, err
		}
	}
	return w, fault.New(fault.Conflict, "hold the queue: others were first %d times", takeAttempts)
}

// await reads the state until nobody holds the queue. A holder that says again
// that it is alive, or that came after the one that was seen first, is at work.
func (w *worker) await(ctx context.Context, seen *Holder) (*Holder, error) {
	for {
		var err error
		w.state, w.tag, err = w.o.Store.ReadSettle(ctx)
		if is(err, fault.NotFound) {
			w.state, w.tag, err = State{Run: w.o.Run, Queue: []Entry{}}, "", nil
		}
		if err != nil {
			return seen, err
		}
		h, now := w.state.Holder, w.o.Now()
		if h == nil || !now.Before(h.Until) {
			return seen, nil
		}
		if seen != nil && *seen != *h {
			return seen, heldError{fmt.Sprintf("a step after reconciliation %s is at work since %s", h.ID, h.Since.Format(time.RFC3339))}
		}
		seen = h
		if err := sleep(ctx, min(lookEvery, h.Until.Sub(now))); err != nil {
			return seen, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the step that holds the queue: %w", ctx.Err())
	}
}

// release gives the queue back, whatever the step came to.
func (w *worker) release(ctx context.Context, err error) error {
	if errors.As(err, new(heldError)) {
		return err
	}
	w.state.Holder = nil
	if saved := w.save(ctx); err == nil {
		err = saved
	}
	return err
}

// save writes the state, and rows that failed before it. The error is a heldError
// where somebody else has taken over.
func (w *worker) save(ctx context.Context) error {
	if err := w.writeKept(ctx); err != nil {
		return err
	}
	now := w.o.Now().UTC()
	w.state.Updated = now
	if w.state.Holder != nil {
		holder := *w.state.Holder
		holder.Until = now.Add(w.o.HoldTime)
		w.state.Holder = &holder
	}
	w.state.Totals.add(w.delta)
	w.delta = Totals{}
	tag, err := w.o.Store.SwapSettle(ctx, w.state, w.tag)
	switch {
	case is(err, fault.Conflict):
		return heldError{"another step has taken over"}
	case err != nil:
		return err
	}
	w.tag, w.saved = tag, now
	for _, ref := range w.obsolete {
		// What is left of them expires with the bucket's objects.
		_ = w.o.Store.DeleteUnsettled(ctx, ref)
	}
	w.obsolete = nil
	return nil
}

// keep notes a row that failed.
func (w *worker) keep(ctx context.Context, row Unsettled) error {
	of := ToTryAgain
	if row.Attempts >= MaxAttempts {
		of = Abandoned
	}
	if err := w.loadKept(ctx, of); err != nil {
		return err
	}
	w.kept[of][row.Sub] = row
	w.dirty[of] = true
	return nil
}

// forget strikes somebody off the rows that were given up, who is settled after
// all.
func (w *worker) forget(ctx context.Context, sub userpool.Sub) error {
	if err := w.loadKept(ctx, Abandoned); err != nil {
		return err
	}
	if _, ok := w.kept[Abandoned][sub]; ok {
		delete(w.kept[Abandoned], sub)
		w.dirty[Abandoned] = true
	}
	return nil
}

// ref is where the state refers to kept rows.
func (w *worker) ref(of Kept) *reconcile.RowsRef {
	if of == Abandoned {
		return &w.state.GivenUp
	}
	return &w.state.Failed
}

// loadKept reads kept rows before they change. Rows that are gone or damaged are
// counted, and not missed again.
func (w *worker) loadKept(ctx context.Context, of Kept) error {
	if w.kept[of] != nil {
		return nil
	}
	kept, ref := map[userpool.Sub]Unsettled{}, *w.ref(of)
	if ref != (reconcile.RowsRef{}) {
		rows, err := w.unsettled(ctx, ref)
		if is(err, fault.Invalid) {
			w.count(func(t *Totals) { t.Unreadable += ref.Count })
			w.replace(w.ref(of), reconcile.RowsRef{})
		} else if err != nil {
			return err
		}
		for _, row := range rows {
			kept[row.Sub] = row
		}
	}
	w.kept[of] = kept
	return nil
}

func (w *worker) unsettled(ctx context.Context, ref reconcile.RowsRef) ([]Unsettled, error) {
	data, err := w.o.Store.ReadRows(ctx, ref)
	if err != nil {
		return nil, err
	}
	rows, err := reconcile.DecodeRows[Unsettled](data, ref)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// writeKept writes kept rows that have changed to new objects. They count once the
// state refers to them.
func (w *worker) writeKept(ctx context.Context) error {
	for _, of := range []Kept{ToTryAgain, Abandoned} {
		if !w.dirty[of] {
			continue
		}
		ref := reconcile.RowsRef{}
		if n := len(w.kept[of]); n > 0 {
			rows := slices.SortedFunc(maps.Values(w.kept[of]), func(a, b Unsettled) int { return cmp.Compare(a.Sub, b.Sub) })
			data, err := reconcile.EncodeRows(rows)
			if err != nil {
				return err
			}
			if ref, err = w.o.Store.WriteUnsettled(ctx, of, data, reconcile.RowsRef{Count: n, Format: reconcile.FormatJSONL, Of: 1}); err != nil {
				return err
			}
		}
		w.replace(w.ref(of), ref)
		delete(w.dirty, of)
	}
	return nil
}

func (w *worker) replace(old *reconcile.RowsRef, by reconcile.RowsRef) {
	if *old != (reconcile.RowsRef{}) && old.Key != by.Key {
		w.obsolete = append(w.obsolete, *old)
	}
	*old = by
}

// fetches is how many summaries are read at a time.
const fetches = 16

// enqueue adds the rows of the reconciliations since the last that was added. All
// of them: one whose own step never ran has found people whom the next does not
// look at again.
func (w *worker) enqueue(ctx context.Context) error {
	history, _, err := w.o.Store.LoadProgress(ctx)
	if is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	points := w.state.Through.after(history)
	if len(points) == 0 {
		return nil
	}
	entries := make([]Entry, len(points))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for i, p := range points {
		group.Go(func() (err error) {
			entries[i], err = w.entry(inner, p.ID)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	last := points[len(points)-1]
	w.state.Queue = append(w.state.Queue, slices.DeleteFunc(entries, func(e Entry) bool { return e.Rows == 0 })...)
	w.state.Through = Mark{ID: last.ID, Ended: last.Ended}
	if again := w.state.Failed; again != (reconcile.RowsRef{}) {
		w.state.Queue = append(w.state.Queue, Entry{ID: last.ID, Again: &again, Rows: again.Count})
		w.state.Failed = reconcile.RowsRef{}
		delete(w.kept, ToTryAgain)
	}
	return w.save(ctx)
}

// after are the points behind the mark that have counted anybody.
func (m Mark) after(h progress.History) []progress.Point {
	points := h.Points
	if at := slices.IndexFunc(points, func(p progress.Point) bool { return p.ID == m.ID }); at >= 0 {
		points = points[at+1:]
	} else { // it was thinned out
		points = slices.DeleteFunc(slices.Clone(points), func(p progress.Point) bool { return !p.Ended.After(m.Ended) })
	}
	return slices.DeleteFunc(slices.Clone(points), func(p progress.Point) bool { return p.Failure != "" })
}

// entry is a reconciliation's; it has no rows where there is nothing to settle, or
// the summary is gone: the history outlives the summaries.
func (w *worker) entry(ctx context.Context, id string) (Entry, error) {
	e := Entry{ID: id}
	summary, err := w.o.Store.ReadSummary(ctx, id)
	if is(err, fault.NotFound) {
		return e, nil
	}
	for _, ref := range rowsOf(summary) {
		e.Rows += ref.Count
	}
	return e, err
}

// rowsOf are the objects of a reconciliation's rows that have any.
func rowsOf(s reconcile.Summary) []reconcile.RowsRef {
	return slices.DeleteFunc(slices.Clone(s.Settle), func(ref reconcile.RowsRef) bool {
		return ref.Count == 0 || ref.Format != reconcile.FormatJSONL
	})
}

// count counts something that has happened.
func (w *worker) count(add func(*Totals)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add(&w.step)
	add(&w.delta)
}
