package tail

import (
	"context"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/userpool"
)

// CloseInput says which import to close.
type CloseInput struct {
	Run string `json:"run"`
	ID  string `json:"id"`
	// Failure is the error name that the state machine caught: the import is not
	// over, and whoever starts it again goes on with it.
	Failure string `json:"failure,omitempty"`
}

// CloseOutput says what became of everybody. It has all members always.
type CloseOutput struct {
	Run      string `json:"run"`
	ID       string `json:"id"`
	Complete bool   `json:"complete"` // nobody is left without an outcome
	Files    int    `json:"files"`
	Imported int    `json:"imported"`
	Skipped  int    `json:"skipped"` // there is such a user: moved meanwhile, as a rule
	Failed   int    `json:"failed"`  // refused ones included
	Left     int    `json:"left"`
}

var failureShape = regexp.MustCompile(`^[A-Za-z0-9._]{1,64}$`)

// Close adds up what became of everybody, and gives the lease back. With a failure
// it only writes that down, and the import can be taken up again. Called again it
// says the same. The error is of kind fault.Invalid where somebody has no outcome
// and nothing has failed.
func (t *Tail) Close(ctx context.Context, in CloseInput) (CloseOutput, error) {
	if err := t.ofRun("close", in.Run, in.ID); err != nil {
		return CloseOutput{}, err
	}
	out, err := t.close(ctx, in)
	return out, t.about("close", in.ID, err)
}

func (t *Tail) close(ctx context.Context, in CloseInput) (CloseOutput, error) {
	failure := in.Failure
	if failure != "" && !failureShape.MatchString(failure) {
		failure = "unknown" // no text from outside is kept
	}
	var end State
	var open bool
	err := t.change(ctx, in.ID, func(s *State) (changed bool) {
		open = s.Opened.IsZero()
		switch {
		case open || !s.Closed.IsZero():
		case failure != "":
			changed = s.Failure != failure
			s.Failure = failure
		case s.Written && s.current() < 0:
			s.Closed, s.Failure, changed = t.o.Now().UTC(), "", true
		}
		end = *s
		return changed
	})
	if err != nil {
		return CloseOutput{}, err
	}
	if failure == "" && end.Closed.IsZero() {
		return CloseOutput{}, fault.New(fault.Invalid, "%d users have no outcome yet", max(1, end.Totals().Left))
	}
	if err := t.release(ctx, in.ID); err != nil {
		return CloseOutput{}, err
	}
	sum := end.Totals()
	return CloseOutput{
		Run: in.Run, ID: in.ID, Complete: !end.Closed.IsZero(), Files: len(end.Files),
		Imported: sum.Imported, Skipped: sum.Skipped, Failed: sum.Failed + sum.Refused, Left: sum.Left,
	}, nil
}

// Standing is what is known of an import.
type Standing struct {
	Plan  Plan
	State *State           // nil while it was not opened
	Lease *reconcile.Lease // of the run's imports; nil where there was never one
}

// Status returns what is known of an import; an empty id is the last that has a
// plan. The error is of kind fault.NotFound where there is none.
func (t *Tail) Status(ctx context.Context, id string) (s Standing, err error) {
	if id == "" {
		if id, err = t.last(ctx); err != nil {
			return s, err
		}
	}
	if err := t.ofRun("ask about", t.o.Run, id); err != nil {
		return s, err
	}
	if s.Plan, err = t.o.Store.ReadTailPlan(ctx, id); err != nil {
		return s, t.about("ask about", id, err)
	}
	state, _, err := t.o.Store.LoadTail(ctx, id)
	switch {
	case err == nil:
		s.State = &state
	case !is(err, fault.NotFound):
		return s, t.about("ask about", id, err)
	}
	lease, _, err := t.o.Store.ReadTailLease(ctx)
	switch {
	case err == nil:
		s.Lease = &lease
	case !is(err, fault.NotFound):
		return s, t.about("ask about", id, err)
	}
	return s, nil
}

// Lease returns who has the lease of the run's imports, and whether it is held
// now: nobody else may change what they go by then.
func (t *Tail) Lease(ctx context.Context) (lease reconcile.Lease, held bool, err error) {
	lease, _, err = t.o.Store.ReadTailLease(ctx)
	if is(err, fault.NotFound) {
		return lease, false, nil
	}
	return lease, err == nil && lease.Held(t.o.Now()), err
}

// last is the import whose plan was made last.
func (t *Tail) last(ctx context.Context) (last string, err error) {
	ids, err := t.o.Store.ListTails(ctx)
	if err != nil {
		return "", err
	}
	var newest Plan
	for _, id := range ids {
		p, err := t.o.Store.ReadTailPlan(ctx, id)
		if err != nil {
			return "", err
		}
		if last == "" || p.Created.After(newest.Created) {
			last, newest = id, p
		}
	}
	if last == "" {
		return "", fault.New(fault.NotFound, "run %s has no import", t.o.Run)
	}
	return last, nil
}

// Failure is a user who was not imported, and why.
type Failure struct {
	Sub    userpool.Sub `json:"sub"`
	Reason string       `json:"reason"` // a Refusal, RefusedByCognito or NoOutcome
	Detail string       `json:"detail,omitempty"`
	File   int          `json:"file"`
	Line   int          `json:"line,omitempty"` // 0 for who is in no file
}

// RefusedByCognito is why users have failed of whom the log of a job says so.
const RefusedByCognito = "refused_by_cognito"

// Failures yields those who were not imported, file by file. An object that is
// damaged is an error before any of its rows; it is the last that is yielded.
func (t *Tail) Failures(ctx context.Context, id string) iter.Seq2[Failure, error] {
	return func(yield func(Failure, error) bool) {
		err := t.failures(ctx, id, func(f Failure) error {
			if !yield(f, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop { //nolint:errorlint // returned bare
			yield(Failure{}, t.about("list failures of", id, err))
		}
	}
}

var errStop = fault.New(fault.Internal, "nobody reads on")

func (t *Tail) failures(ctx context.Context, id string, each func(Failure) error) error {
	s, _, err := t.o.Store.LoadTail(ctx, id)
	if err != nil {
		return err
	}
	for _, f := range s.Files {
		if f.Refused > 0 {
			if err := t.refusals(ctx, id, f.File, each); err != nil {
				return err
			}
		}
		if f.Failed == 0 {
			continue
		}
		err := t.failed(ctx, id, f.File, func(row OutcomeRow) error {
			failure := Failure{Sub: userpool.Sub(row.Sub), Reason: RefusedByCognito, Detail: row.Why, File: f.File, Line: row.Line}
			if row.Why == NoOutcome {
				failure.Reason, failure.Detail = NoOutcome, ""
			}
			return each(failure)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Tail) refusals(ctx context.Context, id string, file int, each func(Failure) error) error {
	f, err := t.o.Store.ReadTailFile(ctx, id, file)
	if err != nil {
		return err
	}
	data, err := t.o.Store.ReadTailObject(ctx, *f.Refused)
	if err != nil {
		return err
	}
	return unpack(data, *f.Refused, func(row Refused) error {
		return each(Failure{Sub: userpool.Sub(row.Sub), Reason: string(row.Reason), File: file})
	})
}

// failed goes through the lines of a file that have failed.
func (t *Tail) failed(ctx context.Context, id string, file int, each func(OutcomeRow) error) error {
	r, err := t.o.Store.ReadTailResults(ctx, id, file)
	if err != nil {
		return err
	}
	rows, err := t.outcomes(ctx, r)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Outcome == Failed {
			if err := each(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// Retry writes a file of those who are in a file and have failed, as Cognito wants
// it, for whoever corrects it and imports it by hand. It holds personal data. It
// returns how many there are; where there are none, nothing is written.
func (t *Tail) Retry(ctx context.Context, id string, w io.Writer) (rows int, err error) {
	p, err := t.o.Store.ReadTailPlan(ctx, id)
	var s State
	if err == nil {
		s, _, err = t.o.Store.LoadTail(ctx, id)
	}
	for i := 0; err == nil && i < len(s.Files); i++ {
		if s.Files[i].Failed == 0 {
			continue
		}
		var lines []int
		err = t.failed(ctx, id, i, func(row OutcomeRow) error { lines = append(lines, row.Line); return nil })
		if err == nil {
			err = t.csvRows(ctx, id, i, func(line int, text string) error {
				if _, failed := slices.BinarySearch(lines, line); !failed {
					return nil
				}
				if rows == 0 {
					text = p.rules().head() + "\n" + text
				}
				rows++
				_, err := fmt.Fprintln(w, text)
				return err
			})
		}
	}
	return rows, t.about("write a file of the failures of", id, err)
}
