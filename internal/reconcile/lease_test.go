package reconcile_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
)

const leaseTime = 15 * time.Minute

func (p *place) lease() reconcile.Lease {
	p.t.Helper()
	lease, _, err := p.store().ReadLease(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return lease
}

// TestLease: held by one, taken over when it expires or is released, and lost to
// whoever had it.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(), newPool())
		r := p.reconciliation()
		if err := r.Hold(t.Context(), "r1"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("held before it was taken: %v", err)
		}
		first, _ := p.open("r1")
		time.Sleep(leaseTime - time.Second)
		held, err := r.Open(t.Context(), input("r2"))
		if err != nil || !held.Held || held.Holder != first.Holder || held.Index.Count+held.Scan.Count+held.Compare.Count > 0 || held.StartSeeding {
			t.Errorf("%+v, %v", held, err)
		}
		if _, err := p.store().ReadBasis(t.Context(), "r2"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("who does not have the lease has a basis: %v", err)
		}
		time.Sleep(time.Second)
		p.open("r2")
		if lease := p.lease(); lease.ID != "r2" || lease.Before != "r1" || lease.Until != time.Now().UTC().Add(leaseTime) {
			t.Errorf("%+v", lease)
		}
		if err := r.Hold(t.Context(), "r1"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("the lease is another's: %v", err)
		}
		if out, err := r.Open(t.Context(), input("r1")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("opened again after its lease was lost: %+v, %v", out, err)
		}
		if _, err := r.Scan(t.Context(), reconcile.ScanInput{Run: runID, ID: "r1", Shard: "all"}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("scanned without the lease: %v", err)
		}
		for _, id := range []string{"r1", "r2", "r2"} { // of which the second is the only one to have it
			if err := r.Release(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		for _, id := range []string{"r1", "r2"} {
			if err := r.Hold(t.Context(), id); fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s holds what was released: %v", id, err)
			}
		}
		p.open("r3") // at once
	})
}

// TestLeaseIsRenewed: a run that works keeps its lease, and one whose lease has
// expired while nobody wanted it has it still.
func TestLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(), newPool())
		r := p.reconciliation()
		p.open("r1")
		for _, c := range []struct {
			after   time.Duration
			renewed bool
		}{{0, false}, {4 * time.Minute, false}, {2 * time.Minute, true}, {time.Minute, false}, {10 * time.Minute, true}, {3 * time.Hour, true}} {
			time.Sleep(c.after)
			before := p.lease().Until
			if err := r.Hold(t.Context(), "r1"); err != nil {
				t.Fatal(err)
			}
			left := time.Until(p.lease().Until)
			if (p.lease().Until != before) != c.renewed || left < leaseTime*2/3 {
				t.Errorf("after %s: %s are left", c.after, left)
			}
		}
		time.Sleep(leaseTime / 2)
		out, _ := p.open("r1") // renews, too
		if out.Holder.Until != time.Now().UTC().Add(leaseTime) {
			t.Errorf("%+v", out.Holder)
		}
	})
}

// TestLeaseRivals: of many who open at once one holds; of many steps of one run
// that renew at once none loses.
func TestLeaseRivals(t *testing.T) {
	for round := range 20 {
		synctest.Test(t, func(t *testing.T) {
			p := newPlace(t, newPool(), newPool())
			if round%2 == 0 { // there is one to take over
				p.open("old")
				time.Sleep(time.Hour)
			}
			outs := make([]reconcile.OpenOutput, 6)
			var group errgroup.Group
			for i := range outs {
				group.Go(func() (err error) {
					outs[i], err = p.reconciliation().Open(t.Context(), input(fmt.Sprint("r", i/2))) // each twice
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			holder := p.lease().ID
			for i, out := range outs {
				if mine := fmt.Sprint("r", i/2) == holder; out.Held == mine || out.Holder.ID != holder {
					t.Errorf("the holder is %s, %s got %+v", holder, fmt.Sprint("r", i/2), out)
				}
			}
			time.Sleep(leaseTime / 2)
			for range 40 {
				group.Go(func() error { return p.reconciliation().Hold(t.Context(), holder) })
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
