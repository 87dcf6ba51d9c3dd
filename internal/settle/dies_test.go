package settle_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/scan"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

// mortal is a target pool as a process has it that dies: each request is a step.
type mortal struct {
	*storetest.Mortal
	of settle.Directory
}

func (m mortal) GroupsOf(ctx context.Context, username string, cursor manifest.Cursor) (page scan.Page[string], err error) {
	err = m.Step(func() (err error) { page, err = m.of.GroupsOf(ctx, username, cursor); return err })
	return page, err
}

func (m mortal) AddToGroup(ctx context.Context, username, group string) error {
	return m.Step(func() error { return m.of.AddToGroup(ctx, username, group) })
}

func (m mortal) RemoveFromGroup(ctx context.Context, username, group string) error {
	return m.Step(func() error { return m.of.RemoveFromGroup(ctx, username, group) })
}

func (m mortal) CreateGroup(ctx context.Context, g manifest.Group) error {
	return m.Step(func() error { return m.of.CreateGroup(ctx, g) })
}

func (m mortal) Disable(ctx context.Context, username string) error {
	return m.Step(func() error { return m.of.Disable(ctx, username) })
}

func (m mortal) Factors(ctx context.Context, username string) (f settle.Factors, err error) {
	err = m.Step(func() (err error) { f, err = m.of.Factors(ctx, username); return err })
	return f, err
}

func (m mortal) PreferSMS(ctx context.Context, username string) error {
	return m.Step(func() error { return m.of.PreferSMS(ctx, username) })
}

// busy is a place with a bit of everything to settle after r2, where somebody
// could not be settled after r1.
func busy(t *testing.T, workers int) *place {
	p := newPlace(t)
	p.o.Workers, p.o.HoldTime = workers, 20*time.Second
	p.o.Groups = userpool.GroupRules{Mode: userpool.GroupsMirror, Rename: []userpool.GroupRename{{From: "admins", To: "operators"}}}
	p.people.groups["operators"] = manifest.Group{Name: "operators"}
	p.people.fails = func(operation, username, group string) error {
		if username == "u0000" && operation == "AddToGroup" || group == "beta" && operation == "CreateGroup" {
			return fault.New(fault.Invalid, "no")
		}
		return nil
	}
	p.reconciled("r1", p.arrive(2, "root"))
	p.step("r1")
	time.Sleep(time.Hour)
	odd := p.arrive(4, "gold", "admins")
	p.people.users["u0002"].Groups = []string{"own", "root"}
	odd[1].Disabled = true
	odd[2].MFA, p.people.users["u0004"].Verified = []string{"SMS_MFA"}, true
	odd[3].Groups = []string{"beta", "gold"}
	p.reconciled("r2", odd, []reconcile.SettleRow{row("gone", "gold")}, p.arrive(2, "gold"))
	return p
}

// truth is what busy comes to.
func truth() map[string]person {
	both := []string{"gold", "operators"}
	return map[string]person{
		"u0000": {}, "u0001": {Groups: []string{"root"}}, "u0002": {Groups: []string{"gold", "operators", "own"}},
		"u0003": {Groups: both, Disabled: true}, "u0004": {Groups: both, Verified: true, Factors: []string{"SMS_MFA"}},
		"u0005": {Groups: []string{"gold"}}, "u0006": {Groups: []string{"gold"}}, "u0007": {Groups: []string{"gold"}},
	}
}

// settles runs steps until there is no more, and compares with the truth.
func (p *place) settles() {
	p.t.Helper()
	for p.step("r2").More {
		continue
	}
	p.wants(truth())
	s := p.status()
	if s.Settled != 7 || s.Failed != 2 || s.GivenUp != 0 || s.Left != 0 || s.Holder != nil || s.Totals.Gone != 1 || s.Totals.Unreadable != 0 {
		p.t.Errorf("%+v", s)
	}
	kept := p.unsettled()
	if kept["failed u0000"].Attempts != 2 || kept["failed u0005"].Attempts != 1 || len(kept) != 2 {
		p.t.Errorf("kept %+v", kept)
	}
}

// TestStepDies kills a step at every call of the bucket and of the pool, before it
// and after it, and runs it again.
func TestStepDies(t *testing.T) {
	calls := 0
	for _, workers := range []int{1, 4} {
		for _, after := range []bool{false, true} {
			for n, survived := 1, false; !survived; n += storetest.Stride() {
				synctest.Test(t, func(t *testing.T) {
					p := busy(t, workers)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					m := storetest.NewMortal(n, after, cancel)
					o := p.o
					o.Directory, o.Store = mortal{m, p.people}, store.NewRun(m.Bucket(p.memory), runID)
					_, err := settle.New(o).Step(ctx, settle.StepInput{Run: runID, ID: "r2"})
					if survived = !m.Dead(); survived && err != nil {
						t.Fatal(err)
					}
					added := p.people.asked["AddToGroup"]
					p.settles()
					if t.Failed() {
						t.Fatalf("killed at call %d, after %v, %d workers", n, after, workers)
					}
					if survived {
						calls = n
						if p.people.asked["AddToGroup"] != added {
							t.Errorf("a step after the end asks for something")
						}
					}
					// Each change is recorded once, but for what is not read first and changes
					// nothing the second time; only what the dead step did last may be missing.
					said := slices.DeleteFunc(p.log.said(), func(s string) bool { return strings.HasPrefix(s, "disabled ") })
					if once := slices.Compact(slices.Clone(said)); len(once) != len(said) || len(said) < 14-workers || len(said) > 14 {
						t.Errorf("%d changes are recorded:\n%s", len(said), strings.Join(said, "\n"))
					}
				})
			}
		}
	}
	t.Logf("killed at each of %d calls", calls-1)
}

// TestAnswersAreLost: writes whose answer does not arrive happen once.
func TestAnswersAreLost(t *testing.T) {
	for n := range 12 {
		synctest.Test(t, func(t *testing.T) {
			p := busy(t, 1)
			p.memory.FailNext("get", fault.Unavailable, n%3)
			p.memory.LoseNext("put", fault.Unavailable, n)
			for range 20 {
				if _, err := settle.New(p.o).Step(t.Context(), settle.StepInput{Run: runID, ID: "r2"}); err == nil {
					break
				} else if fault.KindOf(err) != fault.Unavailable {
					t.Fatal(err)
				}
			}
			p.settles()
			if t.Failed() {
				t.Fatalf("%d answers were lost", n)
			}
		})
	}
}

// TestTwoAtOnce: one step holds the queue and the other says so.
func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.people.waits = time.Second
		p.o.Workers = 2
		p.reconciled("r1", p.arrive(100, "gold"))
		p.people.groups["gold"] = manifest.Group{Name: "gold"}
		outs := make([]settle.StepOutput, 5)
		var group errgroup.Group
		for i := range outs {
			group.Go(func() (err error) {
				time.Sleep(time.Duration(i) * 13 * time.Second)
				began := time.Now()
				outs[i], err = settle.New(p.o).Step(t.Context(), settle.StepInput{Run: runID, ID: "r1"})
				if outs[i].Held && time.Since(began) > settle.DefaultHoldTime/3 {
					t.Errorf("the one that holds showed that it is alive after %s", time.Since(began))
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, out := range outs {
			if !out.Held {
				continue
			}
			held++
			if out.More || out.Settled+out.Changed+out.Failed > 0 || !strings.HasPrefix(out.Why, "a step after reconciliation r1 is at work since ") {
				t.Errorf("%+v", out)
			}
		}
		if s := p.status(); held != 4 || s.Settled != 100 || p.people.asked["AddToGroup"] != 100 || len(p.log.changes) != 100 {
			t.Errorf("%d held, %+v, %v", held, s, p.people.asked)
		}
	})
}

// TestTakesOver: a step that is dead holds the queue until it could have shown that
// it is alive, and no longer; one that only seemed dead notices.
func TestTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.o.Workers = 1
		p.reconciled("r1", p.arrive(100, "gold"))
		hang := true
		p.people.fails = func(operation, username, _ string) error {
			if hang && operation == "AddToGroup" && username == "u0050" {
				hang = false
				p.people.mu.Unlock()
				time.Sleep(3 * time.Minute)
				p.people.mu.Lock()
			}
			return nil
		}
		var group errgroup.Group
		var first settle.StepOutput
		group.Go(func() (err error) {
			first, err = settle.New(p.o).Step(t.Context(), settle.StepInput{Run: runID, ID: "r1"})
			return err
		})
		time.Sleep(10 * time.Second)
		began := time.Now()
		out := p.step("r1")
		if took := time.Since(began); out.Held || out.Left != 0 || took > settle.DefaultHoldTime+10*time.Second {
			t.Errorf("%+v after %s", out, took)
		}
		if err := group.Wait(); err != nil || !first.Held || first.More || first.Why != "another step has taken over" {
			t.Errorf("%+v, %v", first, err)
		}
		if s := p.status(); s.Settled != 100 || s.Left != 0 || len(slices.Compact(p.log.said())) != 101 {
			t.Errorf("%+v, %d changes", s, len(p.log.changes))
		}
		for name, u := range p.people.users {
			if !slices.Equal(u.Groups, []string{"gold"}) {
				t.Errorf("%s is in %v", name, u.Groups)
			}
		}
	})
}

// TestMany is what a step costs: reads, writes and requests for so many users.
func TestMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.people.groups["gold"] = manifest.Group{Name: "gold"}
		p.people.waits = 20 * time.Millisecond
		p.o.Pace = settle.Pace{UserRead: 40, UserUpdate: 8, UserResourceRead: 16, UserResourceUpdate: 8}
		rows := p.arrive(5000, "gold")
		p.reconciled("r1", rows)
		began, steps := time.Now(), 0
		puts := p.memory.Calls("put")
		for more := true; more; steps++ {
			more = p.step("r1").More
		}
		t.Logf("5,000 users with one group each: %s in %d steps, %.2f a second, %d writes of state, %v",
			time.Since(began).Round(time.Second), steps, 5000/time.Since(began).Seconds(), p.memory.Calls("put")-puts, fmt.Sprint(p.people.asked))
		if diff := cmp.Diff(map[string]int{"GroupsOf": 5000, "AddToGroup": 5000}, p.people.asked); diff != "" {
			t.Error(diff)
		}
		if n := p.memory.Calls("put") - puts; n > 60 {
			t.Errorf("%d writes", n)
		}
	})
}
