package reconcile

import (
	"context"
	"errors"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// Lease says which reconciliation of a run is at work. There is one per run, and
// it moves by compare-and-swap only.
type Lease struct {
	Version   document.V1 `json:"version"`
	Run       string      `json:"run"`
	ID        string      `json:"id"`
	Execution string      `json:"execution"`
	Taken     time.Time   `json:"taken"`
	Until     time.Time   `json:"until"`
	Released  time.Time   `json:"released,omitzero"` // zero while it is held
	// Before is the last reconciliation before this one that had a basis, however
	// it ended; empty where there is none.
	Before string `json:"before,omitempty"`
}

// leaseAttempts is how often somebody else may be first before a call gives up.
const leaseAttempts = 8

// Held reports whether somebody has the lease, so that nobody else may take it.
func (l Lease) Held(now time.Time) bool { return l.Released.IsZero() && now.Before(l.Until) }

// Renewed is the lease as it is to be written for its holder to go on; due is
// false while that is not necessary, before a third of it has passed. One that has
// expired and that nobody took is as good as any.
func (l Lease) Renewed(now time.Time, leaseTime time.Duration) (next Lease, due bool) {
	if l.Until.Sub(now) >= leaseTime*2/3 {
		return l, false
	}
	l.Until = now.UTC().Add(leaseTime)
	return l, true
}

// take takes the lease for a reconciliation, where it is free. The one that has
// it already, called again because its answer was lost, has it. Otherwise held is
// true, and the lease is that of the holder.
func (r *Reconciliation) take(ctx context.Context, id, execution string) (lease Lease, held bool, err error) {
	for range leaseAttempts {
		old, tag, err := r.o.Store.ReadLease(ctx)
		if err != nil && !is(err, fault.NotFound) {
			return old, false, err
		}
		now := r.o.Now().UTC()
		mine := tag != "" && old.ID == id && old.Execution == execution && old.Released.IsZero()
		if tag != "" && !mine && old.Held(now) {
			return old, true, nil
		}
		if mine {
			lease, err = r.renew(ctx, old, tag)
		} else {
			next := Lease{Run: r.o.Run, ID: id, Execution: execution, Taken: now, Until: now.Add(r.o.LeaseTime)}
			if tag != "" {
				if next.Before, err = r.before(ctx, old, id); err != nil {
					return old, false, err
				}
			}
			lease = next
			_, err = r.o.Store.SwapLease(ctx, next, tag)
		}
		if !is(err, fault.Conflict) {
			return lease, false, err
		}
	}
	return lease, false, fault.New(fault.Conflict, "take the lease of run %s: others were first %d times", r.o.Run, leaseAttempts)
}

// before is the last reconciliation that had a basis, given the lease that is
// taken over.
func (r *Reconciliation) before(ctx context.Context, old Lease, id string) (string, error) {
	if old.ID == id {
		return old.Before, nil
	}
	_, err := r.o.Store.ReadBasis(ctx, old.ID)
	if is(err, fault.NotFound) {
		return old.Before, nil
	}
	return old.ID, err
}

// hold makes sure that a reconciliation has the lease, and renews it: for every
// step, before it does anything. At least two thirds of the lease are left
// afterwards. Where another one has taken it, or it was released, the error is of
// kind fault.Conflict.
func (r *Reconciliation) hold(ctx context.Context, id string) error {
	for range leaseAttempts {
		lease, tag, err := r.o.Store.ReadLease(ctx)
		switch {
		case is(err, fault.NotFound):
			return fault.New(fault.Conflict, "lease lost: run %s has none, and reconciliation %s did not release it", r.o.Run, id)
		case err != nil:
			return err
		case lease.ID != id:
			return fault.New(fault.Conflict, "lease lost: reconciliation %s of run %s has it since %s, not %s", lease.ID, r.o.Run, lease.Taken.Format(time.RFC3339), id)
		case !lease.Released.IsZero():
			return fault.New(fault.Conflict, "lease lost: reconciliation %s of run %s released it at %s", id, r.o.Run, lease.Released.Format(time.RFC3339))
		}
		if _, err = r.renew(ctx, lease, tag); !is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Conflict, "renew the lease of run %s: others were first %d times", r.o.Run, leaseAttempts)
}

// renew prolongs a lease where it is time to.
func (r *Reconciliation) renew(ctx context.Context, lease Lease, tag string) (Lease, error) {
	next, due := lease.Renewed(r.o.Now(), r.o.LeaseTime)
	if !due {
		return lease, nil
	}
	_, err := r.o.Store.SwapLease(ctx, next, tag)
	return next, err
}

// release gives the lease back. A reconciliation that does not have it, any more
// or again, releases nothing.
func (r *Reconciliation) release(ctx context.Context, id string) error {
	for range leaseAttempts {
		lease, tag, err := r.o.Store.ReadLease(ctx)
		if is(err, fault.NotFound) {
			return nil
		}
		if err != nil || lease.ID != id || !lease.Released.IsZero() {
			return err
		}
		lease.Released = r.o.Now().UTC()
		if _, err = r.o.Store.SwapLease(ctx, lease, tag); !is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Conflict, "release the lease of run %s: others were first %d times", r.o.Run, leaseAttempts)
}

// Of returns an error of kind fault.Invalid unless l is the lease of a run.
func (l Lease) Of(run string) error {
	if l.Run != run {
		return fault.New(fault.Invalid, "lease is of run %q, not of %q", l.Run, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (l Lease) Encode() ([]byte, error) { return document.Encode("lease", l, l.check) }

// DecodeLease reads a lease.
func DecodeLease(data []byte) (l Lease, err error) {
	err = document.Decode("lease", data, &l, Lease.check)
	return l, err
}

func (l Lease) check() error {
	err := errors.Join(document.CheckID(l.ID), document.CheckTime("taken", l.Taken), document.CheckTime("until", l.Until))
	if err == nil && !l.Released.IsZero() {
		err = document.CheckTime("released", l.Released)
	}
	switch {
	case err != nil:
		return err
	case l.Run == "" || l.Execution == "":
		return errors.New("run or execution are missing")
	case l.Before != "":
		return document.CheckID(l.Before)
	}
	return nil
}
