package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

// busy is a place with a bit of everything, in which a first reconciliation was
// whole.
func busy(t *testing.T, seed uint64) *chronicle {
	random := rand.New(rand.NewPCG(seed, 5)) //nolint:gosec // repeatable on purpose
	c := newChronicle(t, newPool(), newPool())
	c.o.Shards, c.o.StaleAfter = scan.ShardsSerial, 1000*time.Hour
	c.o.Limits = scan.Limits{Time: time.Minute, Lines: 20, Bytes: 1 << 20}
	next := 0
	for n := range 2 {
		populate(random, c.source, c.target, &next, "")
		populate(random, c.source, c.target, &next, "")
		time.Sleep(time.Hour)
		c.stage()
		if n == 0 {
			c.check("first", 2)
		}
	}
	c.people(random, &next)
	return c
}

// TestStepsDie kills each step at every call of the bucket, repeats it, and wants
// the truth.
func TestStepsDie(t *testing.T) {
	for _, step := range []string{"index", "match", "compare", "close"} {
		for _, after := range []bool{false, true} {
			for n, survived := 1, false; !survived; n += storetest.Stride() {
				synctest.Test(t, func(t *testing.T) {
					c := busy(t, 1)
					c.target.estimate = func(int) int { return 2 * (24 << 20) / 600 }
					e := c.execution("second")
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					m := storetest.NewMortal(n, after, cancel)
					o := c.o
					o.Directory, o.Store = c.target, store.NewRun(m.Bucket(c.memory), runID)
					dying := reconcile.New(o)
					e.before = func(s, piece string) {
						if s != step {
							return
						}
						var err error
						switch s {
						case "index":
							_, err = dying.Index(ctx, reconcile.IndexInput{Run: runID, ID: "second", Item: piece})
						case "match":
							_, err = dying.Match(ctx, reconcile.MatchInput{Run: runID, ID: "second"})
						case "compare":
							bucket := 0
							if _, scanErr := fmt.Sscan(piece, &bucket); scanErr != nil {
								t.Fatal(scanErr)
							}
							_, err = dying.Compare(ctx, reconcile.CompareInput{Run: runID, ID: "second", Bucket: bucket})
						case "close":
							_, err = dying.Close(ctx, reconcile.CloseInput{Run: runID, ID: "second"})
						}
						if !m.Dead() && err != nil {
							t.Fatal(err)
						}
					}
					run(c, e)
					survived = !m.Dead()
					if t.Failed() {
						t.Fatalf("%s was killed at call %d, after %v", step, n, after)
					}
				})
			}
		}
	}
}

// run runs the second reconciliation of a busy place and checks what it says.
func run(c *chronicle, e *execution) {
	c.t.Helper()
	out, err := e.run()
	if err != nil || !out.Whole {
		c.t.Fatalf("%+v, %v", out, err)
	}
	c.wantTruth(e.id)
	status, err := c.reconciliation().Status(c.t.Context())
	if err != nil || len(status.History.Points) != 2 || status.Lease.Released.IsZero() {
		c.t.Errorf("%+v, %v", status, err)
	}
}

// wantTruth compares what a reconciliation after the first says with the truth.
func (c *chronicle) wantTruth(id string) {
	c.t.Helper()
	_, got := c.said(id)
	basis := must(c.store().ReadBasis(c.t.Context(), id))
	if diff := gocmp.Diff(c.truth(basis), got); diff != "" {
		c.t.Errorf("it says otherwise:\n%s", diff)
	}
}

// TestExecutionDies kills a whole execution at many of its calls. The next one
// takes over when the lease has expired, and is whole.
func TestExecutionDies(t *testing.T) {
	for n, survived := 1, false; !survived; n += max(3, storetest.Stride()) {
		synctest.Test(t, func(t *testing.T) {
			c := busy(t, 2)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			m := storetest.NewMortal(n, n%2 == 0, cancel)
			o := c.o
			o.Directory, o.Store = c.target, store.NewRun(m.Bucket(c.memory), runID)
			dying := &execution{reconcile.New(o), ctx, c.place, "dying", func(string, string) {}}
			_, err := dying.run()
			if survived = !m.Dead(); survived {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			time.Sleep(reconcile.DefaultLeaseTime)
			e := c.execution("second")
			out, err := e.run()
			if err != nil || !out.Whole {
				t.Fatalf("killed at call %d: %+v, %v", n, out, err)
			}
			if status := must(c.reconciliation().Status(t.Context())); len(status.History.Points) == 2 {
				c.wantTruth("second") // the killed one said nothing
			} else if out.Whole && len(status.History.Points) != 3 {
				t.Errorf("killed at call %d: %d points", n, len(status.History.Points))
			}
		})
	}
}

// TestDoubled runs every step twice at once.
func TestDoubled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 3)
		c.target.estimate = func(int) int { return 2 * (24 << 20) / 600 }
		e := c.execution("second")
		e.before = func(step, piece string) {
			var group errgroup.Group
			for range 2 {
				group.Go(func() error {
					var err error
					r := c.reconciliation()
					switch step {
					case "index":
						_, err = r.Index(t.Context(), reconcile.IndexInput{Run: runID, ID: "second", Item: piece})
					case "match":
						_, err = r.Match(t.Context(), reconcile.MatchInput{Run: runID, ID: "second"})
					case "compare":
						_, err = r.Compare(t.Context(), reconcile.CompareInput{Run: runID, ID: "second", Bucket: int(piece[0] - '0')})
					case "close":
						_, err = r.Close(t.Context(), reconcile.CloseInput{Run: runID, ID: "second"})
					}
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Errorf("%s %s: %v", step, piece, err)
			}
		}
		run(c, e)
	})
}

// TestCloseAgain: what stands is not changed by a call that comes late, nor by
// one that says that something failed.
func TestCloseAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 4)
		c.o.Publisher = &publisher{}
		first, err := c.execution("second").run()
		if err != nil {
			t.Fatal(err)
		}
		before := must(c.store().ReadSummary(t.Context(), "second"))
		for _, failure := range []string{"", "States.Timeout"} {
			time.Sleep(time.Hour)
			out, err := c.reconciliation().Close(t.Context(), reconcile.CloseInput{Run: runID, ID: "second", Failure: failure})
			if diff := gocmp.Diff(first, out); diff != "" || err != nil {
				t.Errorf("%v, %s", err, diff)
			}
		}
		if diff := gocmp.Diff(before, must(c.store().ReadSummary(t.Context(), "second"))); diff != "" {
			t.Errorf("the summary is another: %s", diff)
		}
		for _, key := range c.memory.Keys() {
			if strings.Contains(key, "reconcile/second/plans") || strings.Contains(key, "reconcile/second/claims") ||
				strings.Contains(key, "second/target") && strings.HasSuffix(key, ".seg") || strings.HasSuffix(key, "contested.bin") {
				t.Errorf("%s is left", key)
			}
		}
		for _, key := range []string{"reconcile/second/report.html", "report.html"} {
			if o, err := c.memory.Get(t.Context(), "runs/"+runID+"/"+key); err != nil || !strings.HasPrefix(string(o.Body), "second, 2 points") {
				t.Errorf("%s: %q, %v", key, o.Body, err)
			}
		}
		// A comparison that comes late does nothing, and what was swept is not missed.
		if _, err := c.reconciliation().Compare(t.Context(), reconcile.CompareInput{Run: runID, ID: "second"}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a late comparison: %v", err)
		}
	})
}

// publisher makes reports that say what they are about.
type publisher struct{ err error }

func (p *publisher) Publish(_ context.Context, s reconcile.Summary, h progress.History) ([]byte, error) {
	return fmt.Appendf(nil, "%s, %d points, %d findings", s.ID, len(h.Points), len(s.Sample)), p.err
}

// recorder remembers what it is told.
type recorder struct {
	steps     []reconcile.StepRecord
	summaries []reconcile.Summary
}

func (r *recorder) RecordStep(_ context.Context, s reconcile.StepRecord) {
	r.steps = append(r.steps, s)
}
func (r *recorder) RecordSummary(_ context.Context, s reconcile.Summary) {
	r.summaries = append(r.summaries, s)
}

// TestRecords: the report may fail, records are made once.
func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 5)
		seen := &recorder{}
		c.o.Recorder, c.o.Publisher = seen, &publisher{errors.New("no font")}
		out, err := c.execution("second").run()
		if err != nil || out.ReportFailure != string(fault.Internal) || !out.Whole {
			t.Fatalf("%+v, %v", out, err)
		}
		if _, err := c.reconciliation().Close(t.Context(), reconcile.CloseInput{Run: runID, ID: "second"}); err != nil {
			t.Fatal(err)
		}
		var steps []string
		for _, s := range seen.steps {
			steps = append(steps, s.Step)
		}
		slices.Sort(steps)
		want := []string{"close", "compare", "index", "match", "open", "scan"}
		if got := slices.Compact(steps); !slices.Equal(got, want) || len(seen.summaries) != 1 || seen.summaries[0].ID != "second" {
			t.Errorf("recorded %v, %d summaries", got, len(seen.summaries))
		}
	})
}

// TestFailed: that a reconciliation failed is a point of the history, with or
// without a basis, and the lease is free afterwards.
func TestFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 6)
		c.open("broken")
		for _, failure := range []struct{ id, name, want string }{
			{"broken", "States.Timeout", "States.Timeout"},
			{"never-opened", "Invalid", "Invalid"},
			{"loud", "somebody@example.com said so", "unknown"},
		} {
			time.Sleep(time.Minute)
			out, err := c.reconciliation().Close(t.Context(), reconcile.CloseInput{Run: runID, ID: failure.id, Failure: failure.name})
			if err != nil || out.Whole || out.Complete || out.Why != reconcile.PartialFailed && failure.id == "never-opened" {
				t.Errorf("%+v, %v", out, err)
			}
			status := must(c.reconciliation().Status(t.Context()))
			if last, _ := status.History.Last(); last.ID != failure.id || last.Failure != failure.want || status.Last.Failure != failure.want {
				t.Errorf("%+v", last)
			}
		}
		if status := must(c.reconciliation().Status(t.Context())); status.Lease.ID != "broken" || status.Lease.Released.IsZero() {
			t.Errorf("%+v", status.Lease)
		}
		if s, err := c.reconciliation().Summary(t.Context(), ""); err != nil || s.ID != "first" {
			t.Errorf("the last whole one is %s, %v", s.ID, err)
		}
		run := c.execution("second")
		if out, err := run.run(); err != nil || !out.Whole {
			t.Errorf("%+v, %v", out, err)
		}
		c.wantTruth("second")
	})
}

// TestLeaseLost: who has lost the lease to another changes nothing any more.
func TestLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 7)
		e := c.execution("slow")
		e.before = func(step, _ string) {
			if step == "close" {
				time.Sleep(2 * reconcile.DefaultLeaseTime)
				if out, err := c.execution("second").run(); err != nil || !out.Whole {
					t.Fatalf("%+v, %v", out, err)
				}
			}
		}
		out, err := e.run()
		if err != nil || out.Whole || out.Complete {
			t.Errorf("%+v, %v", out, err) // it failed with Conflict, and that was recorded
		}
		status := must(c.reconciliation().Status(t.Context()))
		if last, _ := status.History.Last(); len(status.History.Points) != 3 || last.ID != "slow" || last.Failure != string(fault.Conflict) {
			t.Errorf("%+v", status.History.Points)
		}
		c.wantTruth("second")
	})
}

// rivalBucket lets somebody else change the history before it is swapped.
type rivalBucket struct {
	store.Bucket
	left int
}

func (b *rivalBucket) Put(ctx context.Context, key string, body []byte, when store.Condition) (string, error) {
	if _, swap := when.Tag(); swap && strings.HasSuffix(key, "/progress.json") && b.left > 0 {
		b.left--
		rival := store.NewRun(b.Bucket, runID)
		h, tag, err := rival.LoadProgress(ctx)
		if err == nil {
			now := time.Now().UTC().Add(-time.Minute)
			_, err = rival.SwapProgress(ctx, h.Append(progress.Point{ID: fmt.Sprintf("rival-%d", b.left), Started: now, Ended: now, Failure: "killed"}), tag)
		}
		if err != nil {
			return "", err
		}
	}
	return b.Bucket.Put(ctx, key, body, when)
}

// TestHistoryIsSwapped: others may add to the history at the same time.
func TestHistoryIsSwapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 8)
		c.bucket = &rivalBucket{c.memory, 3}
		out, err := c.execution("second").run()
		if err != nil || !out.Whole {
			t.Fatalf("%+v, %v", out, err)
		}
		var ids []string
		for _, point := range must(c.reconciliation().Status(t.Context())).History.Points {
			ids = append(ids, point.ID)
		}
		slices.Sort(ids)
		if !slices.Equal(ids, []string{"first", "rival-0", "rival-1", "rival-2", "second"}) {
			t.Errorf("the history has %v", ids)
		}
		c.bucket = &rivalBucket{c.memory, 100}
		if _, err := c.execution("third").run(); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%v", err)
		}
	})
}

// TestReads: what is read for people is checked against its digest.
func TestReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 9)
		r := c.reconciliation()
		for _, id := range []string{"first", ""} {
			n := 0
			for _, err := range r.IDMap(t.Context(), id) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n == 0 {
				t.Errorf("%q has no id map", id)
			}
		}
		for _, err := range r.IDMap(t.Context(), "") {
			if err != nil {
				t.Error(err)
			}
			break // a reader may leave
		}
		for _, id := range []string{"nobody", "../etc"} {
			for _, err := range r.Pending(t.Context(), id) {
				if kind := fault.KindOf(err); kind != fault.NotFound && kind != fault.Invalid {
					t.Errorf("%q: %v", id, err)
				}
			}
		}
		s := must(r.Summary(t.Context(), ""))
		c.damage(s.Pending[0].Key, 30)
		var last error
		for row, err := range r.Pending(t.Context(), "") {
			if err == nil {
				t.Errorf("%+v is of rows that are damaged", row)
			}
			last = err
		}
		if fault.KindOf(last) != fault.Invalid || !strings.Contains(last.Error(), s.Pending[0].Key) {
			t.Errorf("%v", last)
		}
		empty := reconcile.New(reconcile.Options{Run: "other", Store: store.NewRun(memory.New(), "other"), Now: time.Now})
		if status, err := empty.Status(t.Context()); err != nil || status.Last != nil || status.Lease != nil || len(status.History.Points) != 0 {
			t.Errorf("%+v, %v", status, err)
		}
		if _, err := empty.Summary(t.Context(), ""); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
	})
}

// TestRefusesOthers: other runs, ids that are no ids, pieces that there are not.
func TestRefusesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 10)
		c.open("second")
		r := c.reconciliation()
		calls := map[string]error{}
		_, calls["index of another run"] = r.Index(t.Context(), reconcile.IndexInput{Run: "other", ID: "second", Item: "x"})
		_, calls["index of a bad id"] = r.Index(t.Context(), reconcile.IndexInput{Run: runID, ID: "../second", Item: "x"})
		_, calls["index of no item"] = r.Index(t.Context(), reconcile.IndexInput{Run: runID, ID: "second", Item: "x"})
		_, calls["match of another run"] = r.Match(t.Context(), reconcile.MatchInput{Run: "other", ID: "second"})
		_, calls["compare of no bucket"] = r.Compare(t.Context(), reconcile.CompareInput{Run: runID, ID: "second", Bucket: 99})
		_, calls["close of another run"] = r.Close(t.Context(), reconcile.CloseInput{Run: "other", ID: "second"})
		_, calls["close of a bad id"] = r.Close(t.Context(), reconcile.CloseInput{Run: runID, ID: "a b"})
		for name, err := range calls {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestOtherMapping: an index that was made under other rules is not taken.
func TestOtherMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := busy(t, 11)
		e := c.execution("second")
		e.before = func(step, _ string) {
			if step == "match" {
				c.o.Mapping = userpool.Mapping{Rules: []userpool.Rule{{Drop: "name"}}}
				_, err := c.reconciliation().Match(t.Context(), reconcile.MatchInput{Run: runID, ID: "second"})
				if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "mapping") {
					t.Errorf("%v", err)
				}
				c.o.Mapping = userpool.Mapping{}
			}
		}
		run(c, e)
	})
}
