package erasure

import (
	"context"
	"fmt"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
)

const (
	leaseTime = 15 * time.Minute
	// attempts is how often somebody else may be first.
	attempts = 8
	// restless is how long a seeding that is not closed may stand still before it
	// counts as one that nobody works on.
	restless = 5 * time.Minute
	// releaseTime is how long giving the lease back may take.
	releaseTime = 10 * time.Second
)

// HeldError says that a reconciliation, or another erasure, is at work.
type HeldError struct {
	ID    string
	Since time.Time
	Until time.Time
}

func (h *HeldError) Error() string {
	return fmt.Sprintf("%s is at work since %s and holds the run's lease until %s at most", h.ID, h.Since.Format(time.RFC3339), h.Until.Format(time.RFC3339))
}

// BusyError says what else of the run is not done.
type BusyError struct {
	Work []string // in words
}

func (b *BusyError) Error() string { return "work of the run is not done: " + b.Work[0] }

// hold is the run's lease while an erasure has it.
type hold struct {
	e     *Erasure
	lease reconcile.Lease
	tag   string
}

// take takes the lease for an erasure of an id, where it is free. An erasure that
// was killed, called again, has it already. The error is a *HeldError where somebody
// else has it, and a *BusyError where other work would be disturbed.
func (e *Erasure) take(ctx context.Context, id string) (*hold, error) {
	for range attempts {
		old, tag, err := e.o.Store.ReadLease(ctx)
		if err != nil && !is(err, fault.NotFound) {
			return nil, err
		}
		now := e.o.Now().UTC()
		next := reconcile.Lease{Run: e.o.Run, ID: id, Execution: "poolferry by " + e.o.By, Taken: now, Until: now.Add(leaseTime)}
		if tag != "" {
			if old.ID != id && old.Held(now) {
				return nil, &HeldError{old.ID, old.Taken, old.Until}
			}
			// What a reconciliation finds out others after it go by.
			next.Before = old.Before
			if _, err := e.o.Store.ReadBasis(ctx, old.ID); err == nil {
				next.Before = old.ID
			} else if !is(err, fault.NotFound) {
				return nil, err
			}
		}
		tag, err = e.o.Store.SwapLease(ctx, next, tag)
		if is(err, fault.Conflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		h := &hold{e, next, tag}
		if err := e.idle(ctx); err != nil {
			h.release(ctx)
			return nil, err
		}
		return h, nil
	}
	return nil, fault.New(fault.Conflict, "take the lease of run %s: others were first %d times", e.o.Run, attempts)
}

// renew prolongs the lease when a third of it has passed.
func (h *hold) renew(ctx context.Context) (err error) {
	next, due := h.lease.Renewed(h.e.o.Now(), leaseTime)
	if !due {
		return nil
	}
	h.lease = next
	if h.tag, err = h.e.o.Store.SwapLease(ctx, h.lease, h.tag); err != nil {
		return fmt.Errorf("renew the lease of run %s: %w", h.e.o.Run, err)
	}
	return nil
}

// release gives the lease back, also when ctx has ended. That it fails is no
// reason to fail: the lease expires.
func (h *hold) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	h.lease.Released = h.e.o.Now().UTC()
	_, _ = h.e.o.Store.SwapLease(ctx, h.lease, h.tag)
}

// idle refuses while a seeding or anything else is at work.
func (e *Erasure) idle(ctx context.Context) error {
	now := e.o.Now()
	work, err := e.o.Store.Working(ctx, now)
	if err != nil {
		return err
	}
	seeding, err := e.seeding(ctx, now)
	if err != nil {
		return err
	}
	if work = append(seeding, work...); len(work) > 0 {
		return &BusyError{work}
	}
	return nil
}

// seeding says whether the latest generation is not closed, and moves.
func (e *Erasure) seeding(ctx context.Context, now time.Time) ([]string, error) {
	all, err := e.generations(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	latest := all[len(all)-1]
	if _, err := e.o.Store.ReadManifest(ctx, latest.Origin); !is(err, fault.NotFound) {
		return nil, err
	}
	moved := latest.Opened
	for _, shard := range latest.Shards {
		c, _, err := e.o.Store.LoadCheckpoint(ctx, latest.Origin, shard)
		if err != nil && !is(err, fault.NotFound) {
			return nil, err
		}
		if err == nil && c.Updated.After(moved) {
			moved = c.Updated
		}
	}
	if now.Sub(moved) < restless {
		return []string{fmt.Sprintf("the seeding of generation %d, which moved at %s", latest.Generation, moved.Format(time.RFC3339))}, nil
	}
	return nil, nil
}

// generations are the openings of all generations, oldest first.
func (e *Erasure) generations(ctx context.Context) (all []manifest.Generation, err error) {
	for n := 1; ; n++ {
		g, err := e.o.Store.ReadGeneration(ctx, n)
		if is(err, fault.NotFound) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
}
