package cutover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/fault"
)

// ErrTaken is behind the error of a process that finds that another one has gone
// on with its work.
var ErrTaken = errors.New("another process is at work on this cut-over")

// work is one process at work on a journal.
type work struct {
	*Cutover
	j   Journal
	tag string
}

// save moves the journal. Whoever has moved it meanwhile does the work from then
// on.
func (w *work) save(ctx context.Context, change func(*Journal)) error {
	next := w.j
	next.Steps, next.Kept = slices.Clone(w.j.Steps), slices.Clone(w.j.Kept)
	if next.Steps == nil {
		next.Steps = []Step{}
	}
	change(&next)
	next.Updated = w.o.Now().UTC()
	tag, err := w.o.Store.SwapCutoverJournal(ctx, next, w.tag)
	if is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "cut-over %s of run %s: %w", w.j.ID, w.o.Run, ErrTaken)
	}
	if err != nil {
		return err
	}
	w.j, w.tag = next, tag
	return nil
}

func (w *work) done(ctx context.Context, name, of string) error {
	return w.save(ctx, func(j *Journal) { j.Steps = append(j.Steps, Step{name, of, w.o.Now().UTC()}) })
}

// open reads the journal; that there is none is no error.
func (c *Cutover) open(ctx context.Context) (*work, error) {
	j, tag, err := c.o.Store.ReadCutoverJournal(ctx)
	if err != nil && !is(err, fault.NotFound) {
		return nil, err
	}
	return &work{c, j, tag}, nil
}

// MaxPlanAge is how long a plan may wait for a yes: the gates are not judged again.
const MaxPlanAge = 15 * time.Minute

// Begin keeps what there is and opens the journal of a cut-over. Nothing of the
// pool is changed before GoOn. The error is of kind fault.Conflict where the plan
// is older than MaxPlanAge, and has ErrTaken behind it where somebody else has
// begun.
func (c *Cutover) Begin(ctx context.Context, p Plan, by string) error {
	switch {
	case p.ManagedBy != "":
		return fault.New(fault.Invalid, "pool %s is managed by %s, which would take every change back", p.PoolID, p.ManagedBy)
	case !p.Passed:
		return fault.New(fault.Conflict, "run %s is not ready for cut-over: %v", p.Run, p.Blocked())
	case p.snapshot.ID == "":
		return fault.New(fault.Internal, "the plan was not made by Plan")
	case c.o.Now().Sub(p.At) > MaxPlanAge:
		return fault.New(fault.Conflict, "the gates of run %s were judged at %s, more than %v ago: look at them again", p.Run, p.At.Format(time.RFC3339), MaxPlanAge)
	}
	w, err := c.open(ctx)
	if err != nil {
		return err
	}
	if w.tag != "" && w.j.State != RolledBack {
		return fault.New(fault.AlreadyExists, "cut-over %s of run %s is %s: %w", w.j.ID, c.o.Run, w.j.State, ErrTaken)
	}
	s, err := c.o.Store.WriteCutoverSnapshot(ctx, p.snapshot)
	if err != nil {
		return err
	}
	now := c.o.Now().UTC()
	w.j = Journal{Run: c.o.Run, ID: s.ID}
	return w.save(ctx, func(j *Journal) {
		*j = Journal{
			Run: c.o.Run, ID: s.ID, PoolID: c.o.PoolID, State: CuttingOver, Began: now, By: by, Attempts: 1,
			Reconciliation: s.Reconciliation, Accepted: p.accepted, Unproven: p.unproven, Steps: []Step{{StepSnapshot, ofPool, now}},
		}
	})
}

// GoOn does what the journal says is to be done, from where it is, until the run
// is cut over or rolled back. What fails on the way to a cut-over is rolled back;
// the error says what it was.
func (c *Cutover) GoOn(ctx context.Context) (Journal, error) {
	w, err := c.open(ctx)
	if err != nil {
		return Journal{}, err
	}
	if w.tag == "" {
		return w.j, fault.New(fault.NotFound, "run %s has no cut-over", c.o.Run)
	}
	if w.j.State == CutOver || w.j.State == RolledBack {
		return w.j, nil
	}
	if err := w.save(ctx, func(j *Journal) { j.Attempts++ }); err != nil {
		return w.j, err
	}
	s, err := c.o.Store.ReadCutoverSnapshot(ctx, w.j.ID)
	if err != nil {
		return w.j, err
	}
	if w.j.State == CuttingOver {
		cause := w.forward(ctx, s)
		if cause == nil || ctx.Err() != nil {
			return w.j, cause
		}
		if !errors.Is(cause, ErrTaken) {
			c.o.Say("It has failed: %v. Rolling back.", cause)
			if err := w.turn(ctx, w.j.By, cause.Error(), true); err != nil {
				cause = errors.Join(cause, err)
			}
		}
		if errors.Is(cause, ErrTaken) {
			cause = errors.Join(cause, w.yield(ctx, s))
		}
		if w.j.State == CuttingOver {
			return w.j, cause
		}
	}
	if err := w.backward(ctx, s); err != nil {
		return w.j, err
	}
	if w.j.Why != "" {
		return w.j, fault.New(fault.Conflict, "cut-over %s has failed and was rolled back: %s", w.j.ID, w.j.Why)
	}
	return w.j, nil
}

// forward cuts over.
func (w *work) forward(ctx context.Context, s Snapshot) error {
	subjects := w.subjects(s)
	for _, subject := range subjects {
		if slices.ContainsFunc(w.j.Steps, func(step Step) bool { return step.Name == StepChange && step.Of == subject.of }) {
			continue
		}
		if err := w.change(ctx, subject, s); err != nil {
			return err
		}
		if err := w.done(ctx, StepChange, subject.of); err != nil {
			return err
		}
	}
	w.o.Say("Proving it by signing in.")
	proof, err := w.verify(ctx, switchedClients(subjects), w.j.Unproven)
	if err != nil {
		return err
	}
	for _, subject := range subjects { // once more: nobody has come in between
		now, err := subject.read(ctx)
		if err != nil {
			return err
		}
		if !same(now, subject.after) {
			return foreign(subject, subject.after, now)
		}
	}
	return w.save(ctx, func(j *Journal) {
		j.Steps = append(j.Steps, Step{StepVerify, ofPool, proof.At})
		j.State, j.Verified = CutOver, &proof
	})
}

// yield leaves the work to whoever has taken it over. Where that is a roll-back, it
// may have passed a subject before the last write here arrived: what was written
// too late is taken back.
func (w *work) yield(ctx context.Context, s Snapshot) error {
	now, err := w.open(ctx)
	if err != nil || now.j.ID != w.j.ID || now.j.State != RollingBack && now.j.State != RolledBack {
		return err
	}
	for _, subject := range backwards(w.subjects(s)) {
		if _, err := now.restore(ctx, subject); err != nil {
			return err
		}
	}
	return nil
}

// switchedClients are the ids of the clients that a cut-over changes.
func switchedClients(all []subject) (ids []string) {
	for _, s := range all {
		if s.of != ofPool && s.of != ofFactors && !same(s.before, s.after) {
			ids = append(ids, s.of[len(ofClient("")):])
		}
	}
	return ids
}

// change makes a subject what it is to be after the cut-over. It is repeated
// after a kill, and then finds its own work.
func (w *work) change(ctx context.Context, s subject, snapshot Snapshot) error {
	now, err := s.read(ctx)
	if err != nil {
		return err
	}
	switch {
	case same(now, s.after):
		return nil
	case s.of == ofFactors:
		// The pool was as it should be, with its factors, just before it was changed:
		// the change has reset them.
	case !same(now, s.before):
		return foreign(s, s.before, now)
	}
	if s.of == ofPool {
		factors, err := w.o.Pool.ReadFactors(ctx)
		if err != nil {
			return err
		}
		if !same(factors, snapshot.Factors) {
			return foreign(subject{of: ofFactors}, snapshot.Factors, factors)
		}
	}
	w.o.Say("Changing %s: %d fields.", s.of, len(Diff(now, s.after)))
	return w.put(ctx, s, s.after)
}

// foreign is the error of a subject that somebody else has changed.
func foreign(s subject, left, now Settings) error {
	var fields []string
	for _, change := range Diff(left, now) {
		fields = append(fields, change.Field)
	}
	return fault.New(fault.Conflict, "somebody else has changed %s: %v", s.of, fields)
}

// put writes settings and waits until they are read.
func (w *work) put(ctx context.Context, s subject, want Settings) error {
	wrote := s.write(ctx, want)
	if ctx.Err() != nil {
		return wrote
	}
	for try := 0; ; try++ {
		now, err := s.read(ctx)
		switch {
		case err == nil && same(now, want): // also where only the answer was lost
			return nil
		case wrote != nil:
			return wrote
		case err == nil:
			err = fault.New(fault.Conflict, "%s was written and is something else: %v", s.of, fieldsOf(Diff(want, now)))
		}
		if w.o.Sleep(ctx, pause) != nil || try >= w.tries() {
			return err
		}
	}
}

func fieldsOf(changes []Change) (fields []string) {
	for _, c := range changes {
		fields = append(fields, c.Field)
	}
	return fields
}

func (c *Cutover) tries() int { return int(c.o.Patience / pause) }

// verify proves that the probe signs in by SRP, and that clients refuse
// passwords. AWS needs a moment until every server knows of a change.
func (c *Cutover) verify(ctx context.Context, clients []string, unproven bool) (Verified, error) {
	for try := 0; ; try++ {
		v, err := c.prove(ctx, clients, unproven)
		// A password that is refused is refused the next time too, until Cognito
		// locks the probe out.
		if err == nil || is(err, fault.Denied) || ctx.Err() != nil || try >= c.tries() {
			return v, err
		}
		if c.o.Sleep(ctx, pause) != nil {
			return v, err
		}
	}
}

func (c *Cutover) prove(ctx context.Context, clients []string, unproven bool) (Verified, error) {
	v := Verified{At: c.o.Now().UTC()}
	for _, id := range clients {
		takes, err := c.o.Prober.TakesPasswords(ctx, id)
		if err != nil {
			return v, err
		}
		if takes {
			return v, fault.New(fault.Unavailable, "client %s still takes passwords by USER_PASSWORD_AUTH", id)
		}
		v.Refusing++
	}
	if unproven {
		return v, nil
	}
	if c.o.Probe == nil {
		return v, fault.New(fault.Invalid, "no probe is configured, to prove the cut-over by signing in")
	}
	challenge, err := c.o.Prober.SignInSRP(ctx, c.o.Probe.ClientID, c.o.Probe.Username, c.o.Probe.Password)
	if err != nil {
		return v, fmt.Errorf("prove the cut-over: %w", err)
	}
	v.SRP, v.Challenge = true, challenge
	return v, nil
}
