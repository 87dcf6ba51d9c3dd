package changeover

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"poolferry/internal/cutover"
)

// Outcome is what cutover or rollback has done: its JSON object. Members are only
// ever added.
type Outcome struct {
	Version    int              `json:"version"` // 1
	Run        string           `json:"run"`
	PoolID     string           `json:"pool_id"`
	ID         string           `json:"id,omitempty"` // of the cut-over
	State      cutover.State    `json:"state,omitempty"`
	Done       bool             `json:"done"`        // the run is cut over
	RolledBack bool             `json:"rolled_back"` // it was cut over, or was going to be, and all is as before
	SRPSignIn  bool             `json:"srp_sign_in"` // the probe has signed in by SRP, and nobody by password
	Why        string           `json:"why,omitempty"`
	Kept       []string         `json:"kept,omitempty"` // what others have changed, and stayed so
	ManagedBy  string           `json:"managed_by,omitempty"`
	Plan       *cutover.Plan    `json:"plan,omitempty"`
	Journal    *cutover.Journal `json:"journal,omitempty"`
}

// NewOutcome makes an outcome of a journal.
func NewOutcome(run, poolID string, j *cutover.Journal) Outcome {
	o := Outcome{Version: 1, Run: run, PoolID: poolID, Journal: j}
	if j == nil {
		return o
	}
	o.ID, o.State, o.Why, o.Kept, o.ManagedBy = j.ID, j.State, j.Why, j.Kept, j.ManagedBy
	o.Done, o.RolledBack = j.State == cutover.CutOver, j.State == cutover.RolledBack
	o.SRPSignIn = o.Done && j.Verified != nil && j.Verified.SRP
	return o
}

// WriteText writes the outcome for a person.
func (o Outcome) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s: %s\n", o.Run, o.headline())
	j := o.Journal
	if j == nil {
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "  %-9s %s\n", "cut-over", o.ID)
	fmt.Fprintf(&b, "  %-9s %s by %s, last step %s\n", "began", j.Began.Format(time.RFC3339), j.By, j.Updated.Format(time.RFC3339))
	if v := j.Verified; v != nil && o.Done {
		fmt.Fprintf(&b, "  %-9s %s\n", "proof", proof(*v))
	}
	if o.Why != "" {
		fmt.Fprintf(&b, "  %-9s %s\n", "failed", o.Why)
	}
	for _, field := range o.Kept {
		fmt.Fprintf(&b, "  %-9s %s\n", "kept", field)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o Outcome) headline() string {
	switch o.State {
	case cutover.CutOver:
		return "cut over"
	case cutover.RolledBack:
		return "rolled back, as it was before the cut-over"
	case cutover.CuttingOver:
		return "half-way to the cut-over"
	case cutover.RollingBack:
		return "half-way back"
	}
	return "not cut over"
}

func proof(v cutover.Verified) string {
	switch {
	case !v.SRP:
		return fmt.Sprintf("%d clients refuse passwords; nobody has signed in by SRP, as was asked for", v.Refusing)
	case v.Challenge != "":
		return fmt.Sprintf("the probe's password was proven by SRP, then came %s; %d clients refuse passwords", v.Challenge, v.Refusing)
	}
	return fmt.Sprintf("the probe has signed in by SRP; %d clients refuse passwords", v.Refusing)
}

// WritePlan writes a plan for a person: gates first, then the fields that change.
func WritePlan(w io.Writer, p cutover.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Cut-over of run %s, target pool %s\n\nGATES\n", p.Run, p.PoolID)
	for _, g := range p.Gates {
		fmt.Fprintf(&b, "  %-8s %-11s %s\n", g.State, g.Name, g.Found)
		if g.Advice != "" {
			fmt.Fprintf(&b, "  %-8s %-11s > %s\n", "", "", g.Advice)
		}
	}
	b.WriteString("\nCHANGES\n")
	if p.Changes() == 0 {
		b.WriteString("  none: everything is as a cut-over leaves it\n")
	}
	writeSubjects(&b, p.Subjects)
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteRollBack writes what a roll-back would change.
func WriteRollBack(w io.Writer, p cutover.RollBackPlan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Roll-back of %s, run %s, target pool %s\n\nCHANGES\n", p.ID, p.Run, p.PoolID)
	if len(p.Subjects) == 0 {
		b.WriteString("  none: everything is as before\n")
	}
	writeSubjects(&b, p.Subjects)
	if len(p.Foreign)+len(p.Gone) > 0 {
		b.WriteString("\nCHANGED BY OTHERS SINCE\n")
		writeSubjects(&b, p.Foreign)
		for _, of := range p.Gone {
			fmt.Fprintf(&b, "  %s\n    deleted\n", of)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteCheck writes a check for a person.
func WriteCheck(w io.Writer, c cutover.Check) error {
	var b strings.Builder
	switch {
	case c.Done:
		fmt.Fprintf(&b, "run %s: cut over, %s\n", c.Run, proof(*c.Verified))
	case len(c.Left) > 0:
		fmt.Fprintf(&b, "run %s: not cut over\n\nLEFT\n", c.Run)
		writeSubjects(&b, c.Left)
	default:
		fmt.Fprintf(&b, "run %s: the settings are those of a cut-over, and it could not be proven: %s\n", c.Run, c.Failure)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeSubjects(b *strings.Builder, subjects []cutover.SubjectChange) {
	for _, s := range subjects {
		name := s.Of
		if s.Name != "" {
			name += " (" + s.Name + ")"
		}
		fmt.Fprintf(b, "  %s\n", name)
		for _, change := range slices.SortedFunc(slices.Values(s.Changes), func(a, b cutover.Change) int { return strings.Compare(a.Field, b.Field) }) {
			fmt.Fprintf(b, "    %s\n", change)
		}
		for _, note := range s.Notes {
			fmt.Fprintf(b, "    > %s\n", note)
		}
	}
}
