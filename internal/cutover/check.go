package cutover

import (
	"context"
	"time"

	"poolferry/internal/fault"
)

// Check is whether a run is cut over, whoever has done it: the JSON object of
// cutover check --json. Members are only ever added.
type Check struct {
	Version   int             `json:"version"` // 1
	Run       string          `json:"run"`
	PoolID    string          `json:"pool_id"`
	At        time.Time       `json:"at"`
	Done      bool            `json:"done"`
	ManagedBy string          `json:"managed_by,omitempty"`
	Left      []SubjectChange `json:"left"` // what a cut-over would still change; never null
	Verified  *Verified       `json:"verified,omitempty"`
	Failure   string          `json:"failure,omitempty"` // why it could not be proven
}

// Check looks whether the run is cut over, and proves it. Of a pool that
// Terraform manages it records the answer, for those who ask whether the run is
// over; settings of a cut-over that cannot be proven now are no answer.
func (c *Cutover) Check(ctx context.Context, by string, unproven bool) (Check, error) {
	now := c.o.Now().UTC()
	out := Check{Version: 1, Run: c.o.Run, PoolID: c.o.PoolID, At: now, Left: []SubjectChange{}}
	s, names, err := c.look(ctx, now)
	if err != nil {
		return out, err
	}
	out.ManagedBy = c.managedBy(s.Pool)
	var clients []string
	for _, subject := range c.subjects(s) {
		if changes := Diff(subject.before, subject.after); len(changes) > 0 {
			out.Left = append(out.Left, SubjectChange{Of: subject.of, Name: names[subject.of], Changes: changes})
		}
	}
	for _, client := range s.Clients {
		clients = append(clients, client.ID)
	}
	if len(out.Left) == 0 {
		v, err := c.verify(ctx, clients, unproven)
		switch {
		case ctx.Err() != nil:
			return out, err
		case err != nil:
			out.Failure = err.Error()
		default:
			out.Done, out.Verified = true, &v
		}
	}
	if out.ManagedBy == "" || out.Failure != "" {
		return out, nil
	}
	return out, c.record(ctx, out, by, unproven)
}

// record keeps what Terraform has done.
func (c *Cutover) record(ctx context.Context, out Check, by string, unproven bool) error {
	w, err := c.open(ctx)
	if err != nil {
		return err
	}
	state := RolledBack
	if out.Done {
		state = CutOver
	}
	first := w.tag == ""
	switch {
	case first && !out.Done, !first && w.j.State == state, !first && w.j.ManagedBy == "" && w.j.State != RolledBack:
		return nil
	}
	w.j.ID = c.o.NewID()
	err = w.save(ctx, func(j *Journal) {
		*j = Journal{
			Run: c.o.Run, ID: w.j.ID, PoolID: c.o.PoolID, State: state, Began: out.At, By: by, Attempts: 1,
			ManagedBy: out.ManagedBy, Unproven: unproven, Steps: []Step{}, Verified: out.Verified,
		}
	})
	if is(err, fault.Conflict) {
		return nil // somebody else has recorded it at the same time
	}
	return err
}
