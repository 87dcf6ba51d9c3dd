package settle

import (
	"errors"
	"fmt"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
)

// State is how far the settling of a run has come. It moves by compare-and-swap
// only.
type State struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	Updated time.Time   `json:"updated"`
	Holder  *Holder     `json:"holder,omitempty"` // nil while no step is at work
	Through Mark        `json:"through,omitzero"` // zero while nothing was added
	Queue   []Entry     `json:"queue"`
	// Failed are rows to be tried again with the next reconciliation, GivenUp those
	// that are not; zero where there are none. The lines are Unsettled.
	Failed  reconcile.RowsRef `json:"failed,omitzero"`
	GivenUp reconcile.RowsRef `json:"given_up,omitzero"`
	Totals  Totals            `json:"totals"`
}

// Holder is the step that holds the queue.
type Holder struct {
	ID    string    `json:"id"`    // of the reconciliation that it was called after
	Token string    `json:"token"` // of this step and no other
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // unless it says again that it is alive
}

// Mark is a reconciliation in the history.
type Mark struct {
	ID    string    `json:"id"`
	Ended time.Time `json:"ended"`
}

// Entry is a reconciliation in the queue.
type Entry struct {
	ID string `json:"id"`
	// Again are rows that failed before; nil stands for the rows of the
	// reconciliation.
	Again  *reconcile.RowsRef `json:"again,omitempty"`
	Rows   int                `json:"rows"`
	Done   int                `json:"done"`   // rows
	Object int                `json:"object"` // the next row is in this one of the rows' objects, from 0
	Row    int                `json:"row"`    // and is this row of it, from 0
}

// Totals count since the first step, or of one step. Rows that are worked on
// twice are counted once; changes whose step was killed before it could count
// them are not.
type Totals struct {
	Settled       int `json:"settled"`        // rows of which nothing is left to do
	Gone          int `json:"gone"`           // of those, of users whom the target does not have any more
	Changed       int `json:"changed"`        // users about whom anything was changed
	GroupsCreated int `json:"groups_created"` // groups
	GroupsAdded   int `json:"groups_added"`   // memberships
	GroupsRemoved int `json:"groups_removed"`
	Disabled      int `json:"disabled"` // users
	SMSPreferred  int `json:"sms_preferred"`
	MFALost       int `json:"mfa_lost"`   // users who are asked for a second factor at the source and not at the target
	Unreadable    int `json:"unreadable"` // rows whose object is gone or damaged
}

func (t *Totals) add(o Totals) {
	t.Settled += o.Settled
	t.Gone += o.Gone
	t.Changed += o.Changed
	t.GroupsCreated += o.GroupsCreated
	t.GroupsAdded += o.GroupsAdded
	t.GroupsRemoved += o.GroupsRemoved
	t.Disabled += o.Disabled
	t.SMSPreferred += o.SMSPreferred
	t.MFALost += o.MFALost
	t.Unreadable += o.Unreadable
}

// Kept says what becomes of rows that failed.
type Kept string

// What becomes of them.
const (
	ToTryAgain Kept = "failed"
	Abandoned  Kept = "given-up"
)

// Unsettled is a row that failed.
type Unsettled struct {
	reconcile.SettleRow
	Attempts int        `json:"attempts"`
	Kind     fault.Kind `json:"kind"`           // of the last error
	Code     string     `json:"code,omitempty"` // of AWS
	Last     time.Time  `json:"last"`
}

// Left is how many rows are in the queue.
func (s State) Left() (n int) {
	for _, e := range s.Queue {
		n += e.Rows - e.Done
	}
	return n
}

// Of returns an error of kind fault.Invalid unless s is of a run.
func (s State) Of(run string) error {
	if s.Run != run {
		return fault.New(fault.Invalid, "settle is of run %q, not of %q", s.Run, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (s State) Encode() ([]byte, error) { return document.Encode("settle", s, s.check) }

// DecodeState reads how far the settling of a run has come.
func DecodeState(data []byte) (s State, err error) {
	err = document.Decode("settle", data, &s, State.check)
	return s, err
}

func (s State) check() error {
	if s.Run == "" || s.Queue == nil {
		return errors.New("run or queue are missing")
	}
	if err := document.CheckTime("updated", s.Updated); err != nil {
		return err
	}
	if h := s.Holder; h != nil {
		if err := errors.Join(document.CheckID(h.ID), document.CheckTime("since", h.Since), document.CheckTime("until", h.Until)); err != nil {
			return fmt.Errorf("holder: %w", err)
		}
		if h.Token == "" {
			return errors.New("the holder's token is missing")
		}
	}
	if s.Through != (Mark{}) {
		if err := errors.Join(document.CheckID(s.Through.ID), document.CheckTime("ended", s.Through.Ended)); err != nil {
			return fmt.Errorf("through: %w", err)
		}
	}
	for _, e := range s.Queue {
		if err := e.check(); err != nil {
			return fmt.Errorf("queue: %s: %w", e.ID, err)
		}
	}
	for name, ref := range map[string]reconcile.RowsRef{"failed": s.Failed, "given_up": s.GivenUp} {
		if ref != (reconcile.RowsRef{}) {
			if err := checkRef(ref); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	t := s.Totals
	if min(t.Settled, t.Gone, t.Changed, t.GroupsCreated, t.GroupsAdded, t.GroupsRemoved, t.Disabled, t.SMSPreferred, t.MFALost, t.Unreadable) < 0 {
		return errors.New("a count is below 0")
	}
	return nil
}

func (e Entry) check() error {
	if err := document.CheckID(e.ID); err != nil {
		return err
	}
	if e.Rows < 1 || e.Done < 0 || e.Done > e.Rows || e.Object < 0 || e.Row < 0 || e.Row > e.Done {
		return fmt.Errorf("row %d of object %d, %d of %d done: impossible", e.Row, e.Object, e.Done, e.Rows)
	}
	if e.Again == nil {
		return nil
	}
	if e.Again.Count != e.Rows {
		return fmt.Errorf("%d rows, and %d to be tried again", e.Rows, e.Again.Count)
	}
	return checkRef(*e.Again)
}

func checkRef(ref reconcile.RowsRef) error {
	if ref.Key == "" || ref.Count < 1 || ref.Bytes < 1 || ref.Format != reconcile.FormatJSONL {
		return errors.New("refers to no rows")
	}
	return ref.SHA256.Check("sha256")
}
