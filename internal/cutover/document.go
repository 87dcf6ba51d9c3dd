package cutover

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
)

// Snapshot is what the pool and its app clients were like before a cut-over. It
// holds no secret and no personal data.
type Snapshot struct {
	Version        document.V1      `json:"version"`
	Run            string           `json:"run"`
	ID             string           `json:"id"`
	PoolID         string           `json:"pool_id"`
	Taken          time.Time        `json:"taken"`
	Reconciliation string           `json:"reconciliation,omitempty"` // the last whole one
	Pool           Settings         `json:"pool"`                     // as UpdateUserPool takes them
	Factors        Settings         `json:"factors"`                  // as SetUserPoolMfaConfig takes them
	Clients        []ClientSnapshot `json:"clients"`                  // by id
}

// ClientSnapshot is an app client as UpdateUserPoolClient takes it.
type ClientSnapshot struct {
	ID       string   `json:"id"`
	Settings Settings `json:"settings"`
}

// State is where a run stands.
type State string

// The states.
const (
	CuttingOver State = "cutting-over"
	CutOver     State = "cut-over"
	RollingBack State = "rolling-back"
	RolledBack  State = "rolled-back"
)

// States lists all states.
func States() []State { return []State{CuttingOver, CutOver, RollingBack, RolledBack} }

// Journal says how far the cut-over of a run is, or its roll-back.
type Journal struct {
	Version        document.V1            `json:"version"`
	Run            string                 `json:"run"`
	ID             string                 `json:"id"` // of the snapshot
	PoolID         string                 `json:"pool_id"`
	State          State                  `json:"state"`
	Began          time.Time              `json:"began"`
	Updated        time.Time              `json:"updated"`
	By             string                 `json:"by"`       // who began the state
	Attempts       int                    `json:"attempts"` // processes that have worked on it
	Reconciliation string                 `json:"reconciliation,omitempty"`
	Accepted       map[verdict.Reason]int `json:"accepted,omitempty"`   // users who stay behind, by reason
	Unproven       bool                   `json:"unproven,omitempty"`   // without a probe, as was asked for
	ManagedBy      string                 `json:"managed_by,omitempty"` // who has changed the pool, where that was not poolferry: there is no snapshot then
	Steps          []Step                 `json:"steps"`                // done, in their order
	Verified       *Verified              `json:"verified,omitempty"`
	Why            string                 `json:"why,omitempty"`     // it is rolled back
	Factors        Settings               `json:"factors,omitempty"` // as they were when the roll-back began
	Keep           bool                   `json:"keep,omitempty"`    // what others have changed stays
	Kept           []string               `json:"kept,omitempty"`    // fields that others have changed since, and that stayed
}

// Step is something that is done.
type Step struct {
	Name string    `json:"name"` // one of Step…
	Of   string    `json:"of"`   // pool, factors, or client ID
	At   time.Time `json:"at"`
}

// Steps.
const (
	StepSnapshot = "snapshot"
	StepChange   = "change"
	StepVerify   = "verify"
	StepRestore  = "restore"
)

// Verified is what proves that people can sign in, and only by SRP.
type Verified struct {
	At        time.Time `json:"at"`
	SRP       bool      `json:"srp"`                 // the probe has signed in
	Challenge string    `json:"challenge,omitempty"` // that came once its password was proven
	Refusing  int       `json:"refusing"`            // clients that were tried and refuse passwords
}

// Of returns an error of kind fault.Invalid unless s is that of a cut-over.
func (s Snapshot) Of(run, id string) error {
	if s.Run != run || s.ID != id {
		return fault.New(fault.Invalid, "snapshot is of cut-over %q of run %q, not of %q of %q", s.ID, s.Run, id, run)
	}
	return nil
}

// Of returns an error of kind fault.Invalid unless j is the journal of a run.
func (j Journal) Of(run string) error {
	if j.Run != run {
		return fault.New(fault.Invalid, "journal is of run %q, not of %q", j.Run, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (s Snapshot) Encode() ([]byte, error) { return document.Encode("snapshot", s, s.check) }

// DecodeSnapshot reads a snapshot.
func DecodeSnapshot(data []byte) (s Snapshot, err error) {
	err = document.Decode("snapshot", data, &s, Snapshot.check)
	return s, err
}

// Encode returns the bytes of the document.
func (j Journal) Encode() ([]byte, error) { return document.Encode("journal", j, j.check) }

// DecodeJournal reads a journal.
func DecodeJournal(data []byte) (j Journal, err error) {
	err = document.Decode("journal", data, &j, Journal.check)
	return j, err
}

func (s Snapshot) check() error {
	switch {
	case s.Run == "" || s.PoolID == "" || s.Pool == nil || s.Factors == nil || s.Clients == nil:
		return errors.New("a member is missing")
	}
	for i, c := range s.Clients {
		if c.ID == "" || c.Settings == nil || i > 0 && s.Clients[i-1].ID >= c.ID {
			return fmt.Errorf("clients[%d]: has no id or settings, or is out of order", i)
		}
		if c.Settings.at("ClientSecret") != nil {
			return fmt.Errorf("clients[%d]: has a secret", i)
		}
	}
	return errors.Join(document.CheckID(s.ID), document.CheckTime("taken", s.Taken))
}

func (j Journal) check() error {
	switch {
	case j.Run == "" || j.PoolID == "" || j.Steps == nil:
		return errors.New("run, pool_id or steps are missing")
	case !slices.Contains(States(), j.State):
		return fmt.Errorf("state %q is not known", j.State)
	case j.Attempts < 1:
		return fmt.Errorf("%d attempts", j.Attempts)
	}
	for reason, n := range j.Accepted {
		if n < 0 || !slices.Contains(verdict.PendingReasons(), reason) {
			return fmt.Errorf("accepted: %q is not known, or negative", reason)
		}
	}
	for i, step := range j.Steps {
		if step.Name == "" || step.Of == "" {
			return fmt.Errorf("steps[%d] has no name", i)
		}
		if err := document.CheckTime("at", step.At); err != nil {
			return err
		}
	}
	if j.Verified != nil {
		if err := document.CheckTime("verified.at", j.Verified.At); err != nil {
			return err
		}
	}
	return errors.Join(document.CheckID(j.ID), document.CheckTime("began", j.Began), document.CheckTime("updated", j.Updated))
}
