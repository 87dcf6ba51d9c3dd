package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

func TestScansEveryUserOnce(t *testing.T) {
	for _, shards := range []scan.Sharding{scan.ShardsSerial, scan.ShardsPrefix} {
		for _, n := range []int{0, 1, 59, 60, 61, 1000} {
			t.Run(fmt.Sprint(shards, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPlace(t, newPool(people(10, person)...), newPool(people(n, arrived)...))
					p.seed(0)
					p.o.Shards = shards
					_, basis := p.open("r1")
					outs, err := p.scanAll(t.Context(), p.reconciliation(), "r1", basis.Target.Shards)
					if err != nil {
						t.Fatal(err)
					}
					for shard, out := range outs {
						if out.Failed != "" || out.Attempt != 1 {
							t.Errorf("shard %s: %+v", shard, out)
						}
					}
					p.wantAll(basis)
				})
			})
		}
	}
}

// TestScansThroughTrouble: throttling, failures, users who come up again, cursors
// that are not taken, other executions of the same batches: everybody is found,
// once.
func TestScansThroughTrouble(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // repeatable on purpose
			p := newPlace(t, newPool(), newPool(people(dice.IntN(900), arrived)...))
			p.o.Shards = []scan.Sharding{scan.ShardsSerial, scan.ShardsPrefix}[dice.IntN(2)]
			p.o.Limits = scan.Limits{Time: time.Duration(1+dice.IntN(30)) * time.Second, Lines: 1 + dice.IntN(100), Bytes: 1 << 20}
			p.target.pageSize = 1 + dice.IntN(60)
			p.target.latency = time.Duration(dice.IntN(300)) * time.Millisecond
			p.target.repeat = dice.IntN(4)
			if dice.IntN(2) == 0 {
				p.target.perSec = float64(5 + dice.IntN(50))
			}
			_, basis := p.open("r1")
			refused := 0
			p.target.before = func(cursor manifest.Cursor) {
				switch dice.IntN(25) {
				case 0:
					p.target.failures = append(p.target.failures, fault.New(fault.Unavailable, "503"))
				case 1:
					p.target.failures = append(p.target.failures, fault.New(fault.Throttled, "Rate exceeded"))
				case 2:
					if refused++; cursor != "" && refused < 5 { // as many as end a shard
						p.target.failures = append(p.target.failures, fault.New(fault.Invalid, "marker: %w", scan.ErrCursor))
					}
				}
			}
			var group errgroup.Group
			for range 1 + dice.IntN(2) {
				group.Go(func() error {
					_, err := p.scanAll(t.Context(), p.reconciliation(), "r1", basis.Target.Shards)
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			p.wantAll(basis)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// TestCursorTooOld: the shard begins again.
func TestCursorTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(), newPool(people(300, arrived)...))
		p.o.Limits = scan.Limits{Time: time.Minute, Lines: 60, Bytes: 1 << 20}
		_, basis := p.open("r1")
		in := reconcile.ScanInput{Run: runID, ID: "r1", Shard: "all"}
		out, err := p.reconciliation().Scan(t.Context(), in)
		if err != nil || !out.More || out.Count == 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		time.Sleep(2 * time.Hour)
		if out, err = p.reconciliation().Scan(t.Context(), in); err != nil || !out.More || out.Count > 0 || out.Attempt != 2 {
			t.Fatalf("%+v, %v", out, err)
		}
		if _, err := p.scanAll(t.Context(), p.reconciliation(), "r1", basis.Target.Shards); err != nil {
			t.Fatal(err)
		}
		p.wantAll(basis)
	})
}

// TestPrefixesAreNoUse: what the probe did not see shows in the scan; the next
// reconciliation scans serially, and so do those after it.
func TestPrefixesAreNoUse(t *testing.T) {
	for name, c := range map[string]struct {
		filter filters
		failed string
		why    string
	}{
		"not honoured":   {fickle, scan.WhyNotHonoured, scan.WhyNotHonoured},
		"refused":        {refused, scan.WhyRefused, scan.WhyRefused},
		"somebody lacks": {forgetful, "", scan.WhyDisagree},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, newPool(), newPool(people(2000, arrived)...))
				p.o.Shards = scan.ShardsPrefix
				_, basis := p.open("r1")
				if len(basis.Target.Shards) != 16 {
					t.Fatalf("%+v", basis.Target)
				}
				p.target.filter = c.filter // which the probe has not met
				outs, err := p.scanAll(t.Context(), p.reconciliation(), "r1", basis.Target.Shards)
				if err != nil || outs["3"].Failed != c.failed {
					t.Fatalf("%+v, %v", outs, err)
				}
				found := 0
				for _, out := range outs {
					found += out.Count
				}
				if c.failed == "" && !basis.Target.Lacks(found) {
					t.Errorf("%d of %d users are all there are", found, basis.Target.Estimate)
				}
				time.Sleep(time.Hour)
				// One that dies before it has a basis is no reason to forget.
				dead, cancel := context.WithCancel(t.Context())
				m := storetest.NewMortal(4, true, cancel)
				o := p.o
				o.Directory, o.Store = p.target, store.NewRun(m.Bucket(p.memory), runID)
				if _, err := reconcile.New(o).Open(dead, input("dead")); err == nil || p.lease().ID != "dead" {
					t.Fatalf("%+v, %v", p.lease(), err)
				}
				for _, id := range []string{"r2", "r3"} {
					time.Sleep(time.Hour)
					_, basis := p.open(id)
					if basis.Target.Why != c.why || len(basis.Target.Shards) != 1 {
						t.Fatalf("%s: %+v", id, basis.Target)
					}
					if _, err := p.scanAll(t.Context(), p.reconciliation(), id, basis.Target.Shards); err != nil {
						t.Fatal(err)
					}
					p.wantAll(basis)
				}
			})
		})
	}
}

// TestTargetLacks: a pool may lose users while it is scanned, and its estimate is
// not exact.
func TestTargetLacks(t *testing.T) {
	for _, c := range []struct {
		shards          []manifest.Shard
		estimate, found int
		want            bool
	}{
		{scan.Prefixes(), 1000, 1000, false}, {scan.Prefixes(), 1000, 2000, false}, {scan.Prefixes(), 1000, 990, false},
		{scan.Prefixes(), 1000, 989, true}, {scan.Prefixes(), 1000, 0, true}, {scan.Prefixes(), 0, 0, false}, {scan.Serial(), 1000, 0, false},
	} {
		if got := (reconcile.Target{Shards: c.shards, Estimate: c.estimate}).Lacks(c.found); got != c.want {
			t.Errorf("%d shards, %d of %d: %v", len(c.shards), c.found, c.estimate, got)
		}
	}
}

// TestScanGivesUp: what no repetition heals is recorded.
func TestScanGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(), newPool(people(100, arrived)...))
		p.open("r1")
		p.target.failures = []error{fault.New(fault.Denied, "User: ann@example.com is not authorized")}
		in := reconcile.ScanInput{Run: runID, ID: "r1", Shard: "all"}
		for range 2 { // the second finds it done
			out, err := p.reconciliation().Scan(t.Context(), in)
			if err != nil || out.More || out.Failed != "directory: Denied" {
				t.Errorf("%+v, %v", out, err)
			}
		}
		for _, key := range p.memory.Keys() {
			if o, err := p.memory.Get(t.Context(), key); err != nil || strings.Contains(string(o.Body), "ann@") {
				t.Errorf("%s: %v", key, err)
			}
		}
		in.Shard = "7"
		if _, err := p.reconciliation().Scan(t.Context(), in); fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
		in = reconcile.ScanInput{Run: "other", ID: "r1", Shard: "all"}
		if _, err := p.reconciliation().Scan(t.Context(), in); fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
	})
}

// TestScanKeepsThePace: shards share what belongs to all of them, and a pool that
// turns requests away is an error of that kind when nothing was read.
func TestScanKeepsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(), newPool(people(3000, arrived)...))
		p.o.Shards, p.o.PerSecond = scan.ShardsPrefix, 4
		_, basis := p.open("r1")
		began, lists := time.Now(), p.target.lists
		var group errgroup.Group
		for _, shard := range basis.Target.Shards {
			group.Go(func() error {
				_, err := p.scanAll(t.Context(), p.reconciliation(), "r1", []manifest.Shard{shard})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		p.wantAll(basis)
		pages, took := p.target.lists-lists, time.Since(began)
		if fastest := time.Duration(float64(pages-16) / 4 * float64(time.Second)); took < fastest || took > 2*fastest {
			t.Errorf("%d pages took %s", pages, took)
		}
		p.o.PerSecond = 1000
		if err := p.reconciliation().Release(t.Context(), "r1"); err != nil {
			t.Fatal(err)
		}
		p.open("r2")
		p.target.failures = slices.Repeat([]error{fault.New(fault.Throttled, "Rate exceeded")}, 1000)
		if out, err := p.reconciliation().Scan(t.Context(), reconcile.ScanInput{Run: runID, ID: "r2", Shard: "0"}); fault.KindOf(err) != fault.Throttled {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

type mortalPool struct {
	*storetest.Mortal
	scan.Directory
}

func (d mortalPool) ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	err = d.Step(func() (err error) { page, err = d.Directory.ListUsers(ctx, filter, cursor); return err })
	return page, err
}

// TestDiesAnywhere kills the process at every single step of Open and Scan,
// starts it again, and wants everything, once, and the same basis.
func TestDiesAnywhere(t *testing.T) {
	for name, later := range map[string]time.Duration{"at once": 0, "cursors too old": 2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []bool{false, true} {
				for n, survived := 1, false; !survived; n += storetest.Stride() {
					synctest.Test(t, func(t *testing.T) {
						p := newPlace(t, newPool(people(30, person)...), newPool(people(20, arrived)...))
						p.seed(0)
						p.target.pageSize = 3
						p.o.Shards = scan.ShardsSerial
						p.o.Limits = scan.Limits{Time: time.Minute, Lines: 6, Bytes: 1 << 20}
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						m := storetest.NewMortal(n, after, cancel)
						o := p.o
						o.Directory, o.Store = mortalPool{m, p.target}, store.NewRun(m.Bucket(p.memory), runID)
						r := reconcile.New(o)
						if _, err := r.Open(ctx, input("r1")); err == nil {
							_, err = p.scanAll(ctx, r, "r1", scan.Serial())
							if err != nil && !m.Dead() {
								t.Fatal(err)
							}
						}
						survived = !m.Dead()
						chosen, noBasis := p.store().ReadBasis(t.Context(), "r1")
						time.Sleep(later)
						out, basis := p.open("r1")
						if noBasis == nil && !chosen.Opened.Equal(basis.Opened) {
							t.Errorf("another basis")
						}
						if out.Index.Count != 1 || out.Compare.Count != 1 || out.Scan.Count != 1 {
							t.Errorf("%+v", out)
						}
						if _, err := p.scanAll(t.Context(), p.reconciliation(), "r1", basis.Target.Shards); err != nil {
							t.Fatal(err)
						}
						p.wantAll(basis)
						if t.Failed() {
							t.Fatalf("killed at step %d, after %v", n, after)
						}
					})
				}
			}
		})
	}
}

// TestFails: every call of the bucket fails once, or does its work and says
// otherwise; who repeats comes through.
func TestFails(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; n < 60; n++ {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, newPool(people(30, person)...), newPool(people(20, arrived)...))
				p.seed(0)
				p.target.pageSize = 3
				p.o.Limits = scan.Limits{Time: time.Minute, Lines: 6, Bytes: 1 << 20}
				p.bucket = &stumbling{Bucket: p.memory, at: n, after: after}
				_, err := retried(t.Context(), func() (reconcile.OpenOutput, error) { return p.reconciliation().Open(t.Context(), input("r1")) })
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.scanAll(t.Context(), p.reconciliation(), "r1", scan.Serial()); err != nil {
					t.Fatal(err)
				}
				p.bucket = p.memory
				_, basis := p.open("r1")
				p.wantAll(basis)
				if t.Failed() {
					t.Fatalf("failed at call %d, after %v", n, after)
				}
			})
		}
	}
}

// stumbling is a bucket of which one call fails.
type stumbling struct {
	store.Bucket
	calls, at int
	after     bool
}

func (b *stumbling) step(do func() error) error {
	b.calls++
	if b.calls != b.at {
		return do()
	}
	if b.after {
		if err := do(); err != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "no answer, as the test wants it")
}

func (b *stumbling) Get(ctx context.Context, key string) (o store.Object, err error) {
	err = b.step(func() (err error) { o, err = b.Bucket.Get(ctx, key); return err })
	return o, err
}

func (b *stumbling) Put(ctx context.Context, key string, body []byte, when store.Condition) (tag string, err error) {
	err = b.step(func() (err error) { tag, err = b.Bucket.Put(ctx, key, body, when); return err })
	return tag, err
}
