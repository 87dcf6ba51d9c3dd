package erasure_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/erasure"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/store/storetest"
)

// ended is a run that was cut over, with somebody who was forgotten.
func ended(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.fill()
	w.leave()
	_, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub)
	w.check(err)
	w.put("cutover/c1/snapshot.json", "{}")
	w.put("cutover/journal.json", "{}")
	w.put("what/is/this", "person-1@example.com")
	_, err = w.memory.Put(t.Context(), "runs/"+runID+"-2/plan.json", []byte("another run"), store.Condition{})
	w.check(err)
	return w
}

// wantPurged makes sure that nothing is left but what outlives a purge.
func (w *world) wantPurged() {
	t := w.t
	t.Helper()
	var kept []string
	for v, err := range w.memory.ListVersions(t.Context(), "") {
		w.check(err)
		key := strings.TrimPrefix(v.Key, "runs/"+runID+"/")
		if of := erasure.KindsOf(key); key != "runs/"+runID+"-2/plan.json" && (len(of) == 0 || !of[0].Kept) {
			t.Errorf("left: %+v", v)
		}
		if v.Latest {
			kept = append(kept, strings.SplitN(key, "/", 2)[0])
		}
	}
	slices.Sort(kept)
	if want := []string{"cutover", "cutover", "forgotten", "progress.json", "purged", "runs"}; !slices.Equal(kept, want) {
		t.Errorf("kept: %q, want %q", kept, want)
	}
	for name, body := range w.everything() {
		for n := range 9 {
			for _, word := range []string{string(person(n).Sub), person(n).Username, string(moved(n, time.Now()).Sub)} {
				if strings.Contains(string(body), word) {
					t.Errorf("%s has %s", name, word)
				}
			}
		}
	}
}

func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ended(t)
		e := w.erasure(w.memory)
		inventory, err := e.Inventory(t.Context())
		w.check(err)
		versions, size := 0, int64(0)
		for v, err := range w.memory.ListVersions(t.Context(), "runs/"+runID+"/") {
			w.check(err)
			if of := erasure.KindsOf(strings.TrimPrefix(v.Key, "runs/"+runID+"/")); len(of) == 0 || !of[0].Kept {
				versions++
				size += v.Bytes
			}
		}
		if inventory.Total.Versions != versions || inventory.Total.Bytes != size || len(inventory.Kept) != 4 {
			t.Errorf("%+v, want %d versions of %d bytes", inventory.Total, versions, size)
		}
		r, err := e.Purge(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		w.wantPurged()
		// The lease of the purge itself is one version more.
		if r.Total.Versions != versions+1 || r.Ended.IsZero() || !r.CutOver || r.By != "somebody" || !slices.Equal(r.Kept, inventory.Kept) {
			t.Errorf("%+v", r)
		}
		foreign := r.Purged[len(r.Purged)-1]
		if foreign.Pattern != "…" || foreign.Objects != 1 {
			t.Errorf("%+v", foreign)
		}
		again, err := w.erasure(w.memory).Purge(t.Context(), false)
		if diff := gocmp.Diff(r, again); err != nil || diff != "" {
			t.Errorf("again: %v\n%s", err, diff)
		}
		// Somebody stages something after all: that has a receipt of its own.
		time.Sleep(time.Hour)
		w.seed(1, true)
		time.Sleep(time.Hour)
		another, err := w.erasure(w.memory).Purge(t.Context(), false)
		if err != nil || !another.Begun.After(r.Begun) || another.Total.Objects == 0 {
			t.Errorf("%+v, %v", another, err)
		}
	})
}

// TestPurgeDies kills the purge at many calls of the bucket, begins it again, and
// wants the same end and one receipt about all.
func TestPurgeDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ended(t)
		whole := w.filled()
		want, err := whole.erasure(whole.memory).Purge(t.Context(), false)
		w.check(err)
		state := whole.state()
		for _, after := range []bool{false, true} {
			for n, survived := 1, false; !survived; n += storetest.Stride() {
				c := w.filled()
				ctx, cancel := context.WithCancel(t.Context())
				m := storetest.NewMortal(n, after, cancel)
				_, err := c.erasure(m.Versioned(c.memory)).Purge(ctx, false)
				if survived = !m.Dead(); survived && err != nil {
					t.Fatal(err)
				}
				cancel()
				r, err := c.erasure(c.memory).Purge(t.Context(), false)
				if err != nil {
					t.Fatalf("killed at call %d, after %v: %v", n, after, err)
				}
				if r.Total.Versions != want.Total.Versions && r.Total.Versions != want.Total.Versions+1 { // of the lease
					t.Errorf("killed at call %d, after %v: %+v, want %+v", n, after, r.Total, want.Total)
				}
				got := c.state()
				delete(got, "lease.json")
				for key := range got {
					if strings.HasPrefix(key, "purged/") {
						got[key] = state[key]
					}
				}
				if diff := gocmp.Diff(state, got); diff != "" {
					t.Fatalf("killed at call %d, after %v (-want +got):\n%s", n, after, diff)
				}
				if n%50 == 0 {
					c.wantPurged()
				}
			}
		}
	})
}

func TestPurgeRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ended(t)
		early := func(cutOver bool) *erasure.Erasure {
			return erasure.New(erasure.Options{
				Run: runID, By: "somebody", Store: store.NewErasure(w.memory, runID), Now: time.Now,
				CutOver: func(context.Context) (bool, error) { return cutOver, nil },
			})
		}
		before := w.state()
		if _, err := early(false).Purge(t.Context(), false); !errors.Is(err, erasure.ErrNotCutOver) {
			t.Errorf("got %v", err)
		}
		if _, err := w.reconciliation().Open(t.Context(), reconcile.OpenInput{Run: runID, ID: "fourth", Execution: "arn"}); err != nil {
			t.Fatal(err)
		}
		if _, err := early(true).Purge(t.Context(), false); err == nil {
			t.Error("purged while a reconciliation is at work")
		} else if _, ok := errors.AsType[*erasure.HeldError](err); !ok {
			t.Errorf("got %v", err)
		}
		for key := range before {
			if _, there := w.state()[key]; !there {
				t.Errorf("%s is gone", key)
			}
		}
		time.Sleep(time.Hour)
		w.memory.FailNext(memory.DeleteVersion, fault.Denied, 1)
		if _, err := early(false).Purge(t.Context(), true); fault.KindOf(err) != fault.Denied {
			t.Errorf("got %v", err)
		}
		r, err := early(false).Purge(t.Context(), true)
		if err != nil || r.CutOver {
			t.Errorf("%+v, %v", r, err)
		}
		w.wantPurged()
	})
}
