package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/pace"
	"poolferry/internal/reconcile"
	"poolferry/internal/userpool"
)

// rowsAWorker is how many rows a worker has before it is noted how far that got.
// They are few: who holds the queue has to say in time that it is alive.
const rowsAWorker = 2

// work works the queue off until it is empty or the time is up.
func (w *worker) work(ctx context.Context) error {
	for len(w.state.Queue) > 0 && !w.late() {
		e, err := w.open(ctx, w.state.Queue[0])
		if err != nil {
			return err
		}
		done, err := e.work(ctx)
		if err != nil {
			return err
		}
		if !done {
			return nil
		}
		if again := w.state.Queue[0].Again; again != nil {
			w.obsolete = append(w.obsolete, *again)
		}
		w.state.Queue = w.state.Queue[1:]
		if err := w.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) late() bool { return w.o.Now().Sub(w.began) >= w.o.Time }

// entry is the head of the queue, with what has to be known to work it off.
type entry struct {
	*worker
	head    *Entry
	refs    []reconcile.RowsRef
	groups  map[string]manifest.Group // by name at the target: those that came along from the source
	canText bool                      // the target asks for codes by SMS
}

func (w *worker) open(ctx context.Context, head Entry) (entry, error) {
	e := entry{worker: w, head: &w.state.Queue[0]}
	if head.Again != nil {
		e.refs = []reconcile.RowsRef{*head.Again}
	} else {
		summary, err := w.o.Store.ReadSummary(ctx, head.ID)
		if err != nil && !is(err, fault.NotFound) { // without it, the rows cannot be found
			return e, err
		}
		e.refs = rowsOf(summary)
	}
	basis, err := w.o.Store.ReadBasis(ctx, head.ID)
	if is(err, fault.NotFound) {
		return e, nil // groups are made without description then, and nobody is taken out of any
	}
	if err != nil {
		return e, err
	}
	e.canText = basis.Target.Pool.SMSMFA
	if basis.Staged == nil {
		return e, nil
	}
	source, _, err := w.o.Store.ReadGroups(ctx, basis.Origin(basis.Staged.Generation))
	if err != nil && !is(err, fault.NotFound) {
		return e, err
	}
	e.groups = source.AtTarget(w.o.Groups)
	return e, nil
}

// work works off objects of rows; done is false where the time was up before.
func (e entry) work(ctx context.Context) (done bool, err error) {
	for e.head.Object < len(e.refs) {
		ref := e.refs[e.head.Object]
		rows, err := e.read(ctx, ref)
		if is(err, fault.Invalid) {
			if moved, err := e.moved(ctx); err != nil {
				return false, err
			} else if moved {
				continue
			}
			left := ref.Count - e.head.Row
			e.count(func(t *Totals) { t.Unreadable += left })
			e.head.Done, rows = e.head.Done+left, nil
		} else if err != nil {
			return false, err
		}
		for e.head.Row < len(rows) {
			if e.late() {
				return false, nil
			}
			if err := e.some(ctx, rows[e.head.Row:min(e.head.Row+rowsAWorker*e.o.Workers, len(rows))]); err != nil {
				return false, err
			}
			if e.o.Now().Sub(e.saved) >= e.o.HoldTime/4 {
				if err := e.save(ctx); err != nil {
					return false, err
				}
			}
		}
		e.head.Object, e.head.Row = e.head.Object+1, 0
	}
	// What the summary spoke of and is not there any more.
	left := e.head.Rows - e.head.Done
	e.count(func(t *Totals) { t.Unreadable += left })
	return true, nil
}

// moved reports whether the next object of rows lies under another key by now,
// where it is to be read. Forgetting somebody writes it anew, line by line.
func (e entry) moved(ctx context.Context) (bool, error) {
	if e.head.Again != nil {
		return false, nil // the state says where those are, and it has changed as well
	}
	summary, err := e.o.Store.ReadSummary(ctx, e.head.ID)
	if is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	refs, n := rowsOf(summary), e.head.Object
	if len(refs) != len(e.refs) || refs[n] == e.refs[n] || refs[n].Count != e.refs[n].Count {
		return false, nil
	}
	copy(e.refs, refs)
	return true, nil
}

func (e entry) read(ctx context.Context, ref reconcile.RowsRef) ([]Unsettled, error) {
	if e.head.Again != nil {
		return e.unsettled(ctx, ref)
	}
	data, err := e.o.Store.ReadRows(ctx, ref)
	if err != nil {
		return nil, err
	}
	settle, err := reconcile.DecodeRows[reconcile.SettleRow](data, ref)
	rows := make([]Unsettled, len(settle))
	for i, row := range settle {
		rows[i].SettleRow = row
	}
	return rows, err
}

// stopError is a reason for which a step does not go on. The rows that it was
// met with stay in the queue.
type stopError struct{ error }

func (e stopError) Unwrap() error { return e.error }

// result is what became of a row; the zero value is that nothing did.
type result struct {
	over bool // it is settled, or has failed
	err  error
	gone bool // the target does not have the user any more
	lost bool // no second factor could be carried
}

// some works on rows, some at a time, and notes how far that got without a gap.
func (e entry) some(ctx context.Context, rows []Unsettled) error {
	results := make([]result, len(rows))
	var stopped atomic.Bool
	// Not a group that cancels: a change whose answer nobody waits for is one that is
	// recorded nowhere.
	var group errgroup.Group
	group.SetLimit(e.o.Workers)
	for i, row := range rows {
		group.Go(func() error {
			if stopped.Load() {
				return nil
			}
			results[i] = e.settle(ctx, row.SettleRow)
			if errors.As(results[i].err, new(stopError)) {
				stopped.Store(true)
				results[i].over = false
				return results[i].err
			}
			return nil
		})
	}
	stop := group.Wait()
	for i, r := range results {
		if !r.over {
			break
		}
		if err := e.note(ctx, rows[i], r); err != nil {
			return err
		}
		e.head.Row++
		e.head.Done++
	}
	return stop
}

// streak is how many rows in a row have failed in the same way.
type streak struct {
	kind fault.Kind
	code string
	n    int
}

// When failing rows are no matter of rows any more, but of the pool or of the
// configuration.
const (
	outage    = 5  // in a row were not answered
	wholesale = 20 // in a row were refused, and none before
)

// note counts a row and keeps it where it has failed. The error is a reason to
// stop, and then it did neither.
func (e entry) note(ctx context.Context, row Unsettled, r result) error {
	if r.err == nil {
		e.count(func(t *Totals) {
			t.Settled++
			t.Gone += one(r.gone)
			t.MFALost += one(r.lost)
		})
		e.settled, e.streak = true, streak{}
		return e.forget(ctx, row.Sub)
	}
	kind, code := fault.KindOf(r.err), codeOf(r.err)
	if s := &e.streak; s.kind != kind || s.code != code {
		*s = streak{kind, code, 1}
	} else {
		s.n++
	}
	n := e.streak.n
	if kind == fault.Unavailable && n >= outage || kind != fault.Unavailable && n >= wholesale && !e.settled && e.head.Again == nil {
		return fmt.Errorf("%d users in a row: %w", n, r.err)
	}
	row.Attempts++
	row.Kind, row.Code, row.Last = kind, code, e.o.Now().UTC()
	e.failed++
	return e.keep(ctx, row)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// codeOf is the code that AWS gave, or "".
func codeOf(err error) string {
	if coded, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		return coded.ErrorCode()
	}
	return ""
}

// change is what the parts of settle call after each change.
type change func(Change, func(*Totals))

// settle brings one user what the trigger could not. What can be done is done also
// where something else fails. A user whom the target does not have any more is
// settled.
func (e entry) settle(ctx context.Context, row reconcile.SettleRow) (r result) {
	changed := false
	note := func(c Change, add func(*Totals)) {
		changed = true
		e.changed(ctx, row, c)
		e.count(add)
	}
	defer func() {
		if changed {
			e.count(func(t *Totals) { t.Changed++ })
		}
	}()
	r.over = true
	parts := []func() error{ // first what takes away: whoever is disabled must not sign in meanwhile
		func() error { return e.disable(ctx, row, note) },
		func() (err error) { r.lost, err = e.factor(ctx, row, note); return err },
		func() error { return e.membership(ctx, row, note) },
	}
	for _, part := range parts {
		err := part()
		switch {
		case is(err, fault.NotFound):
			return result{over: true, gone: true}
		case errors.As(err, new(stopError)):
			r.err = err
			return r
		case r.err == nil:
			r.err = err
		}
	}
	return r
}

func (w *worker) changed(ctx context.Context, row reconcile.SettleRow, c Change) {
	c.At, c.LegacySub, c.Sub = w.o.Now().UTC(), row.LegacySub, row.Sub
	w.o.Recorder.RecordChange(ctx, c)
}

func (e entry) disable(ctx context.Context, row reconcile.SettleRow, note change) error {
	if !e.o.Disabled || !row.Disabled {
		return nil
	}
	err := e.call(ctx, e.budgets.userUpdate, func(ctx context.Context) error { return e.o.Directory.Disable(ctx, row.Username) })
	if err == nil {
		note(Change{Action: Disabled}, func(t *Totals) { t.Disabled++ })
	}
	return err
}

// smsMFA is what Cognito calls the factor.
const smsMFA = "SMS_MFA"

// factor makes SMS the second factor of somebody who is asked for one at the
// source, has none at the target, and can get one. No other factor can be carried:
// its secret never leaves the source. lost says that none was.
func (e entry) factor(ctx context.Context, row reconcile.SettleRow, note change) (lost bool, err error) {
	if !e.o.MFA || len(row.MFA) == 0 {
		return false, nil
	}
	if !slices.Contains(row.MFA, smsMFA) || !e.canText {
		return true, nil
	}
	var factors Factors
	err = e.call(ctx, e.budgets.userRead, func(ctx context.Context) (err error) {
		factors, err = e.o.Directory.Factors(ctx, row.Username)
		return err
	})
	if err != nil || len(factors.Set) > 0 {
		return false, err
	}
	if !factors.PhoneVerified {
		return true, nil
	}
	err = e.call(ctx, e.budgets.resourceUpdate, func(ctx context.Context) error { return e.o.Directory.PreferSMS(ctx, row.Username) })
	if err == nil {
		note(Change{Action: SMSPreferred}, func(t *Totals) { t.SMSPreferred++ })
	}
	return false, err
}

// membership puts a user into groups, and takes them out of some in mirror mode:
// of groups that came along from the source, and of no others.
func (e entry) membership(ctx context.Context, row reconcile.SettleRow, note change) error {
	want, mirror := e.o.Groups.Apply(row.Groups), e.o.Groups.Mode == userpool.GroupsMirror
	if len(want) == 0 && (!mirror || len(e.groups) == 0) {
		return nil
	}
	have, err := e.groupsOf(ctx, row.Username)
	if err != nil {
		return err
	}
	for _, name := range have {
		if _, came := e.groups[name]; !mirror || !came || slices.Contains(want, name) {
			continue
		}
		err := e.call(ctx, e.budgets.userUpdate, func(ctx context.Context) error { return e.o.Directory.RemoveFromGroup(ctx, row.Username, name) })
		if err != nil {
			return err
		}
		note(Change{Action: GroupRemoved, Group: name}, func(t *Totals) { t.GroupsRemoved++ })
	}
	var failed error // one group that cannot be made keeps nobody from the others
	for _, name := range want {
		if slices.Contains(have, name) {
			continue
		}
		switch err := e.add(ctx, row.Username, name); {
		case err == nil:
			note(Change{Action: GroupAdded, Group: name}, func(t *Totals) { t.GroupsAdded++ })
		case is(err, fault.NotFound), errors.As(err, new(stopError)):
			return err
		case failed == nil:
			failed = err
		}
	}
	return failed
}

func (e entry) groupsOf(ctx context.Context, username string) (names []string, err error) {
	for cursor := manifest.Cursor(""); ; {
		err := e.call(ctx, e.budgets.resourceRead, func(ctx context.Context) error {
			page, err := e.o.Directory.GroupsOf(ctx, username, cursor)
			if err == nil {
				names, cursor = append(names, page.Items...), page.Next
			}
			return err
		})
		if err != nil || cursor == "" {
			return names, err
		}
	}
}

// addAttempts is how often somebody is put into a group that was just made.
const addAttempts = 3

// add puts a user into a group, and makes it first where it is missing.
func (e entry) add(ctx context.Context, username, name string) error {
	for attempt := 1; ; attempt++ {
		err := e.call(ctx, e.budgets.userUpdate, func(ctx context.Context) error { return e.o.Directory.AddToGroup(ctx, username, name) })
		if !errors.Is(err, userpool.ErrNoGroup) || attempt == addAttempts {
			return err
		}
		if err := e.make(ctx, name); err != nil {
			return err
		}
	}
}

// make makes a group, once.
func (e entry) make(ctx context.Context, name string) error {
	e.making <- struct{}{}
	defer func() { <-e.making }()
	if e.made[name] {
		return nil
	}
	g, ok := e.groups[name]
	if !ok {
		g = manifest.Groups{}.TargetGroup(name, e.o.Groups)
	}
	err := e.call(ctx, e.budgets.poolUpdate, func(ctx context.Context) error { return e.o.Directory.CreateGroup(ctx, g) })
	if err != nil && !is(err, fault.AlreadyExists) {
		return err
	}
	e.made[name] = true
	if err == nil {
		e.changed(ctx, reconcile.SettleRow{}, Change{Action: GroupCreated, Group: name})
		e.count(func(t *Totals) { t.GroupsCreated++ })
	}
	return nil
}

// How often one request is sent.
const (
	throttleAttempts = 6 // with the pauses of the pace between them, some 10 s
	answerAttempts   = 3
)

// call sends a request at its pace, again where it was turned away or not
// answered. The error is a stopError where no row can go on: its rate is refused
// for long, a role refuses it, or the context is done.
func (w *worker) call(ctx context.Context, budget *pace.Budget, do func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		if err := budget.Wait(ctx); err != nil {
			return stopError{err}
		}
		err := do(ctx)
		switch {
		case err == nil:
			budget.Answered()
			return nil
		case ctx.Err() != nil, is(err, fault.Denied):
			return stopError{err}
		case is(err, fault.Throttled):
			budget.Throttled()
			w.mu.Lock()
			w.throttled++
			w.mu.Unlock()
			if attempt >= throttleAttempts {
				return stopError{err}
			}
		case is(err, fault.Unavailable):
			budget.Failed()
			if attempt >= answerAttempts {
				return err
			}
		default:
			budget.Answered()
			return err
		}
	}
}
