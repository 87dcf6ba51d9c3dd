package cutover

import (
	"context"
	"slices"
	"time"

	"poolferry/internal/fault"
)

// RollBackPlan is what a roll-back would change: the JSON object of rollback
// --json before it has begun. Members are only ever added.
type RollBackPlan struct {
	Version  int             `json:"version"` // 1
	Run      string          `json:"run"`
	PoolID   string          `json:"pool_id"`
	ID       string          `json:"id"` // of the cut-over
	State    State           `json:"state"`
	At       time.Time       `json:"at"`
	Subjects []SubjectChange `json:"subjects"` // that change; never null
	// Foreign is what others have changed since the cut-over, from what it left to
	// what there is now; never null. Where it is not empty a roll-back has to be
	// told that this stays.
	Foreign []SubjectChange `json:"foreign"`
	Gone    []string        `json:"gone,omitempty"` // clients that were deleted since
}

// Refused reports whether the roll-back needs to be told to keep what others have
// changed. One that has begun goes on.
func (p RollBackPlan) Refused() bool {
	return len(p.Foreign)+len(p.Gone) > 0 && p.State != RollingBack
}

// PlanRollBack looks at what a roll-back would change. The error is of kind
// fault.NotFound where there is no cut-over.
func (c *Cutover) PlanRollBack(ctx context.Context) (RollBackPlan, error) {
	p := RollBackPlan{Version: 1, Run: c.o.Run, PoolID: c.o.PoolID, At: c.o.Now().UTC(), Subjects: []SubjectChange{}, Foreign: []SubjectChange{}}
	w, err := c.open(ctx)
	switch {
	case err != nil:
		return p, err
	case w.tag == "":
		return p, fault.New(fault.NotFound, "run %s was never cut over", c.o.Run)
	}
	p.ID, p.State = w.j.ID, w.j.State
	switch {
	case w.j.ManagedBy != "":
		return p, fault.New(fault.Invalid, "cut-over %s was made by %s: nothing was recorded that could be restored", w.j.ID, w.j.ManagedBy)
	case w.j.State == RolledBack:
		return p, nil
	}
	s, err := c.o.Store.ReadCutoverSnapshot(ctx, w.j.ID)
	if err != nil {
		return p, err
	}
	for _, subject := range backwards(c.subjects(s)) {
		now, err := subject.read(ctx)
		if is(err, fault.NotFound) {
			p.Gone = append(p.Gone, subject.of)
			continue
		}
		if err != nil {
			return p, err
		}
		merged, foreign := merge(subject.before, subject.after, now)
		if w.j.State == RollingBack && subject.of == ofFactors {
			merged, foreign = w.j.Factors, nil // the roll-back itself may have reset them
		}
		if changes := Diff(now, merged); len(changes) > 0 {
			p.Subjects = append(p.Subjects, SubjectChange{Of: subject.of, Changes: changes})
		}
		if len(foreign) > 0 {
			p.Foreign = append(p.Foreign, SubjectChange{Of: subject.of, Changes: foreign})
		}
	}
	return p, nil
}

// backwards is the order of a roll-back: the clients, last first, then the pool,
// and the factors once more behind it, which its update may have reset.
func backwards(all []subject) []subject {
	back := slices.Clone(all)
	slices.Reverse(back)
	n := len(back)
	back[n-1], back[n-2] = back[n-2], back[n-1]
	return back
}

// BeginRollBack turns a cut-over, done or under way, round. Nothing of the pool
// is changed before GoOn. Without keep it refuses where others have changed
// something since; with it, that stays.
func (c *Cutover) BeginRollBack(ctx context.Context, p RollBackPlan, by string, keep bool) error {
	if p.Refused() && !keep {
		return fault.New(fault.Conflict, "others have changed something since cut-over %s", p.ID)
	}
	w, err := c.open(ctx)
	if err != nil {
		return err
	}
	switch {
	case w.tag == "" || w.j.ID != p.ID || w.j.ManagedBy != "":
		return fault.New(fault.Conflict, "cut-over %s of run %s is not there any more", p.ID, c.o.Run)
	case w.j.State == RollingBack || w.j.State == RolledBack:
		return nil
	}
	return w.turn(ctx, by, "", keep)
}

// turn begins to roll back.
func (w *work) turn(ctx context.Context, by, why string, keep bool) error {
	// An update of the pool may reset the factors, and they are not to be found
	// then.
	factors, err := w.o.Pool.ReadFactors(ctx)
	if err != nil {
		return err
	}
	return w.save(ctx, func(j *Journal) {
		j.State, j.Began, j.By, j.Why, j.Keep, j.Factors = RollingBack, w.o.Now().UTC(), by, why, keep, factors
	})
}

// backward rolls back. What others have changed since stays, and is listed: by
// now stopping half-way would be worse.
func (w *work) backward(ctx context.Context, s Snapshot) error {
	for _, subject := range backwards(w.subjects(s)) {
		if slices.ContainsFunc(w.j.Steps, func(step Step) bool { return step.Name == StepRestore && step.Of == subject.of }) {
			continue
		}
		kept, err := w.restore(ctx, subject)
		if err != nil {
			return err
		}
		err = w.save(ctx, func(j *Journal) {
			j.Steps = append(j.Steps, Step{StepRestore, subject.of, w.o.Now().UTC()})
			j.Kept = append(j.Kept, kept...)
		})
		if err != nil {
			return err
		}
	}
	return w.save(ctx, func(j *Journal) { j.State = RolledBack })
}

func (w *work) restore(ctx context.Context, s subject) (kept []string, err error) {
	now, err := s.read(ctx)
	if is(err, fault.NotFound) {
		return []string{s.of + " (deleted)"}, nil
	}
	if err != nil {
		return nil, err
	}
	want := w.j.Factors
	if s.of != ofFactors {
		var foreign []Change
		want, foreign = merge(s.before, s.after, now)
		for _, change := range foreign {
			kept = append(kept, s.of+": "+change.Field)
		}
	}
	if same(now, want) {
		return kept, nil
	}
	w.o.Say("Restoring %s: %d fields.", s.of, len(Diff(now, want)))
	return kept, w.put(ctx, s, want)
}
