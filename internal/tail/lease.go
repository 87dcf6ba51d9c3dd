package tail

import (
	"context"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
)

// leaseAttempts is how often somebody else may be first before a call gives up.
const leaseAttempts = 8

// take takes the lease of the run's imports, where it is free or that of the same
// import: whoever starts an import again need not wait for the execution that was
// killed, for two at once do no harm. Otherwise held is true, and the lease is that
// of the holder.
//
// Whoever changes what a reconciliation has left, as forgetting somebody does,
// takes the lease of reconciliations, and then looks at this one. So nothing is
// begun while that is held: first taken, then looked, on both sides.
func (t *Tail) take(ctx context.Context, id, execution string) (lease reconcile.Lease, held bool, err error) {
	for range leaseAttempts {
		old, tag, err := t.o.Store.ReadTailLease(ctx)
		if err != nil && !is(err, fault.NotFound) {
			return old, false, err
		}
		now := t.o.Now().UTC()
		if tag != "" && old.ID != id && old.Held(now) {
			return old, true, nil
		}
		lease = reconcile.Lease{Run: t.o.Run, ID: id, Execution: execution, Taken: now, Until: now.Add(t.o.LeaseTime)}
		if _, err = t.o.Store.SwapTailLease(ctx, lease, tag); is(err, fault.Conflict) {
			continue
		}
		if err != nil {
			return lease, false, err
		}
		other, _, err := t.o.Store.ReadLease(ctx)
		if is(err, fault.NotFound) || err == nil && !other.Held(now) {
			return lease, false, nil
		}
		if err != nil {
			return lease, false, err
		}
		return other, true, t.release(ctx, id)
	}
	return lease, false, fault.New(fault.Conflict, "take the lease: others were first %d times", leaseAttempts)
}

// hold makes sure that an import has the lease, and renews it: for every step,
// before it does anything. At least two thirds of it are left afterwards.
func (t *Tail) hold(ctx context.Context, id string) error {
	for range leaseAttempts {
		lease, tag, err := t.o.Store.ReadTailLease(ctx)
		switch {
		case is(err, fault.NotFound):
			return fault.New(fault.Invalid, "it was not opened")
		case err != nil:
			return err
		case lease.ID != id:
			return fault.New(fault.Invalid, "lease lost: import %s has it since %s", lease.ID, lease.Taken.Format(time.RFC3339))
		case !lease.Released.IsZero():
			return fault.New(fault.Invalid, "lease lost: it was released at %s", lease.Released.Format(time.RFC3339))
		}
		next, due := lease.Renewed(t.o.Now(), t.o.LeaseTime)
		if !due {
			return nil
		}
		if _, err = t.o.Store.SwapTailLease(ctx, next, tag); !is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Conflict, "renew the lease: others were first %d times", leaseAttempts)
}

// release gives the lease back. An import that does not have it releases nothing.
func (t *Tail) release(ctx context.Context, id string) error {
	for range leaseAttempts {
		lease, tag, err := t.o.Store.ReadTailLease(ctx)
		if is(err, fault.NotFound) {
			return nil
		}
		if err != nil || lease.ID != id || !lease.Released.IsZero() {
			return err
		}
		lease.Released = t.o.Now().UTC()
		if _, err = t.o.Store.SwapTailLease(ctx, lease, tag); !is(err, fault.Conflict) {
			return err
		}
	}
	return fault.New(fault.Conflict, "release the lease: others were first %d times", leaseAttempts)
}
