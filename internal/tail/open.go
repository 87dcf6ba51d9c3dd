package tail

import (
	"context"
	"slices"
	"time"

	"poolferry/internal/fault"
)

// attempts is how many files a user is in at most, one after the other.
const attempts = 3

// OpenInput says which import to begin, or to go on with.
type OpenInput struct {
	Run       string `json:"run"`
	ID        string `json:"id"`        // of the import, which has a plan
	Execution string `json:"execution"` // ARN
}

// OpenOutput says what there is to do. It has all members always.
type OpenOutput struct {
	Run    string `json:"run"`
	ID     string `json:"id"`
	Held   bool   `json:"held"` // another import, or a reconciliation, is at work: nothing was done
	Holder Holder `json:"holder"`
	Rows   int    `json:"rows"`  // of the plan
	Files  int    `json:"files"` // of the plan
}

// Holder is who has the lease: this import, or whoever is at work.
type Holder struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Open takes the lease. Killed anywhere and called again it goes on, also for
// another execution of the same import; that somebody else is at work is no error.
// The error is of kind fault.NotFound where the import has no plan, and
// fault.Invalid where no role is configured with which jobs can write their log.
func (t *Tail) Open(ctx context.Context, in OpenInput) (OpenOutput, error) {
	if err := t.ofRun("open", in.Run, in.ID); err != nil {
		return OpenOutput{}, err
	}
	out, err := t.open(ctx, in)
	return out, t.about("open", in.ID, err)
}

func (t *Tail) open(ctx context.Context, in OpenInput) (OpenOutput, error) {
	out := OpenOutput{Run: in.Run, ID: in.ID}
	p, err := t.o.Store.ReadTailPlan(ctx, in.ID)
	if err != nil {
		return out, err
	}
	if p.Rows > 0 && t.o.LogRoleARN == "" {
		return out, fault.New(fault.Invalid, "tail.import_log_role_arn is missing: Cognito starts no import job without a role for its log")
	}
	lease, held, err := t.take(ctx, in.ID, in.Execution)
	out.Held, out.Holder, out.Rows, out.Files = held, Holder{lease.ID, lease.Taken, lease.Until}, p.Rows, p.Files
	if err != nil || held {
		return out, err
	}
	// Whom people have excluded with the plan: whoever made it may have died before.
	// Later they may have decided otherwise.
	if _, _, err = t.o.Store.LoadTail(ctx, in.ID); is(err, fault.NotFound) {
		_, err = t.o.Reconciliations.Exclude(ctx, p.Exclude)
	}
	if err != nil {
		return out, err
	}
	return out, t.change(ctx, in.ID, func(s *State) (changed bool) {
		if s.Opened.IsZero() {
			*s = State{Run: in.Run, ID: in.ID, Opened: t.o.Now().UTC(), Files: []FileState{}}
			return true
		}
		changed = s.Failure != ""
		s.Failure = ""
		for i := range s.Files {
			changed = changed || s.Files[i].Worn > 0
			s.Files[i].Worn = 0 // somebody may have seen to the cause
		}
		return changed
	})
}

// changeAttempts is how often somebody else may be first.
const changeAttempts = 8

// change moves the state of an import, unless nothing changes. An import that
// has none is one that was not opened: s is empty then.
func (t *Tail) change(ctx context.Context, id string, how func(s *State) (changed bool)) error {
	for range changeAttempts {
		s, tag, err := t.o.Store.LoadTail(ctx, id)
		if err != nil && !is(err, fault.NotFound) {
			return err
		}
		if !how(&s) {
			return nil
		}
		s.Updated = t.o.Now().UTC()
		if _, err = t.o.Store.SwapTail(ctx, s, tag); !is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Conflict, "others were first %d times", changeAttempts)
}

// load reads plan and state for a step that has the lease.
func (t *Tail) load(ctx context.Context, id string) (p Plan, s State, err error) {
	if err = t.hold(ctx, id); err != nil {
		return p, s, err
	}
	if p, err = t.o.Store.ReadTailPlan(ctx, id); err != nil {
		return p, s, err
	}
	s, _, err = t.o.Store.LoadTail(ctx, id)
	if is(err, fault.NotFound) {
		err = fault.New(fault.Invalid, "it was not opened")
	}
	return p, s, err
}

// update changes one file of the state, unless somebody has changed it since it
// was read: then it does nothing, and the next step goes by what is there.
func (t *Tail) update(ctx context.Context, id string, was FileState, how func(s *State, f *FileState)) (done bool, err error) {
	err = t.change(ctx, id, func(s *State) (changed bool) {
		done = len(s.Files) > was.File && same(s.Files[was.File], was)
		if done {
			f := &s.Files[was.File]
			how(s, f)
		}
		return done
	})
	return done, err
}

func same(a, b FileState) bool {
	jobs := a.Job == nil && b.Job == nil ||
		a.Job != nil && b.Job != nil && a.Job.Ended.Equal(b.Job.Ended) && a.Job.ID == b.Job.ID && a.Job.State == b.Job.State && a.Job.Uploaded == b.Job.Uploaded
	a.Job, b.Job = nil, nil
	return jobs && a == b
}

// fileOf is the beginning of a file's state.
func fileOf(f File) FileState {
	refused := 0
	for _, n := range f.Why {
		refused += n
	}
	return FileState{File: f.File, Of: f.Of, Attempt: f.Attempt, Rows: f.Rows, Refused: refused, Try: 1}
}

// add appends a file, unless it is there.
func (s *State) add(f File) (added bool) {
	if slices.ContainsFunc(s.Files, func(known FileState) bool { return known.File == f.File }) {
		return false
	}
	s.Files = append(s.Files, fileOf(f))
	return true
}
