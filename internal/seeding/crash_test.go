package seeding_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

type mortalDirectory struct {
	*storetest.Mortal
	seeding.Directory
}

func (d mortalDirectory) ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (page seeding.Page[userpool.User], err error) {
	err = d.Step(func() (err error) { page, err = d.Directory.ListUsers(ctx, filter, cursor); return err })
	return page, err
}

func (d mortalDirectory) ListUsersInGroup(ctx context.Context, group string, cursor manifest.Cursor) (page seeding.Page[userpool.Sub], err error) {
	err = d.Step(func() (err error) { page, err = d.Directory.ListUsersInGroup(ctx, group, cursor); return err })
	return page, err
}

// die runs a chain in a process that dies at its n-th step. It reports whether
// the chain ended before.
func (w *world) die(n int, after bool) (survived bool) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	m := storetest.NewMortal(n, after, cancel)
	dying := *w
	dying.ctx = ctx
	o := w.o
	o.Directory, o.Store = mortalDirectory{m, w.pool}, store.NewRun(m.Bucket(w.bucket), runID)
	out, err := dying.chain(seeding.New(o), 0)
	switch {
	case m.Dead():
		return false
	case err != nil || !out.Done:
		w.t.Fatalf("undisturbed, the chain ended with %+v, %v", out, err)
	}
	return true
}

// crowd is a pool with groups that takes several batches of several pages, and
// in which somebody comes up twice.
func (w *world) crowd(n int) {
	for _, u := range people(n) {
		w.pool.users[u.Sub] = u
	}
	for i := range n {
		group := []string{"a", "b", "c"}[i%3]
		w.pool.groups[group] = append(w.pool.groups[group], person(i).Sub)
	}
	w.o.Limits = seeding.Limits{Time: 40 * time.Second, Lines: 7, Bytes: 1 << 20}
	w.pool.pageSize = 3
}

// TestDiesAnywhere kills the process at every single step, restarts it, and
// wants everything, once. Prefixes make many steps of few kinds: there it takes
// one in twenty-three.
func TestDiesAnywhere(t *testing.T) {
	for name, c := range map[string]struct {
		shards seeding.Sharding
		users  int
		later  time.Duration // of the restart
		stride int
	}{
		"serial":                    {seeding.ShardsSerial, 16, 0, 1},
		"serial, cursors too old":   {seeding.ShardsSerial, 16, 2 * time.Hour, 1},
		"prefixes":                  {seeding.ShardsPrefix, 32, 0, 23},
		"prefixes, cursors too old": {seeding.ShardsPrefix, 32, 2 * time.Hour, 23},
	} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []bool{false, true} {
				for n, survived := 1, false; !survived; n += max(c.stride, storetest.Stride()) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t)
						w.o.Shards = c.shards
						w.crowd(c.users)
						if survived = w.die(n, after); survived {
							return
						}
						time.Sleep(c.later)
						w.wantAll(w.seed())
						w.wantNothingElse()
						if t.Failed() {
							t.Fatalf("killed at step %d, after %v", n, after)
						}
					})
				}
			}
		})
	}
}

// TestDiesAgainAndAgain lets no process live for more than a few steps.
func TestDiesAgainAndAgain(t *testing.T) {
	for steps := 45; steps < 60; steps++ { // fewer do not even read the checkpoints
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.o.Shards = seeding.ShardsSerial
			w.crowd(25)
			for life := 0; !w.die(steps, life%2 == 0); life++ {
				if life > 100 {
					t.Fatalf("%d steps at a time come to no end", steps)
				}
			}
			w.wantAll(w.seed())
		})
	}
}

// TestReadsNothingTwice: what a checkpoint speaks of is not read again.
func TestReadsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.o.Shards = seeding.ShardsSerial
		w.crowd(60)
		if w.die(60, false) {
			t.Fatal("it was not killed")
		}
		w.wantAll(w.seed())
		const sampled, pages, batch = 2, 20, 4 // of which the last is on its way when the third fills it
		if calls := w.pool.calls[listUsers]; calls > sampled+pages+batch {
			t.Errorf("%d pages were read, there are %d, and a batch has %d", calls, pages, batch)
		}
	})
}

// wantNothingElse checks that no part is left that the manifest does not speak
// of.
func (w *world) wantNothingElse() {
	w.t.Helper()
	s := w.seeding()
	status, err := s.Status(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := s.Sweep(w.t.Context(), status.Generation); err != nil {
		w.t.Fatal(err)
	}
	referred := 0
	for _, shard := range status.Shards {
		referred += shard.Parts
	}
	parts := slices.DeleteFunc(w.memory.Keys(), func(key string) bool { return !strings.Contains(key, "/part-") })
	if len(parts) != referred {
		w.t.Errorf("%d parts are stored, the checkpoints refer to %d", len(parts), referred)
	}
}

// TestRivals runs several chains at once, as an execution that is delivered more
// than once does: one truth.
func TestRivals(t *testing.T) {
	for _, shards := range []seeding.Sharding{seeding.ShardsSerial, seeding.ShardsPrefix} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.o.Shards = shards
			w.pool.latency = 10 * time.Millisecond
			w.crowd(100)
			var group errgroup.Group
			for range 4 {
				group.Go(func() error {
					rival := *w
					out, err := rival.chain(w.seeding(), 0)
					if err == nil && !out.Done {
						err = fault.New(fault.Internal, "ended with %+v", out)
					}
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			out := w.seed()
			w.wantAll(out)
			w.wantNothingElse()
			if out.Generation != 1 {
				t.Errorf("generation %d", out.Generation)
			}
		})
	}
}

// TestRivalsDie runs two chains of which one is killed at every step.
func TestRivalsDie(t *testing.T) {
	for n, survived := 1, false; !survived; n += storetest.Stride() {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.o.Shards = seeding.ShardsSerial
			w.pool.latency = 10 * time.Millisecond
			w.crowd(25)
			var group errgroup.Group
			group.Go(func() error {
				survived = w.die(n, n%2 == 0)
				return nil
			})
			group.Go(func() error {
				rival := *w
				_, err := rival.chain(w.seeding(), 0)
				return err
			})
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			w.wantAll(w.seed())
			w.wantNothingElse()
		})
	}
}
