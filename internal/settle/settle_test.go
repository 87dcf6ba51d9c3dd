package settle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
)

// TestSettles is what becomes of one user.
func TestSettles(t *testing.T) {
	const sms, app = "SMS_MFA", "SOFTWARE_TOKEN_MFA"
	rules := userpool.GroupRules{Ignore: []string{"beta"}, Rename: []userpool.GroupRename{{From: "admins", To: "operators"}, {From: "root", To: "operators"}}}
	mirror, none := rules, rules
	mirror.Mode, none.Mode = userpool.GroupsMirror, userpool.GroupsNone
	tests := map[string]struct {
		rules   userpool.GroupRules
		before  person
		row     reconcile.SettleRow
		change  func(*place)
		after   person
		changes []string
		totals  settle.Totals // less Settled
		asked   map[string]int
	}{
		"nothing to do": {before: person{Groups: []string{"own"}}, after: person{Groups: []string{"own"}}},
		"groups are added": {
			row: row("", "admins", "gold"), after: person{Groups: []string{"admins", "gold"}}, totals: settle.Totals{Changed: 1, GroupsAdded: 2, GroupsCreated: 2},
			changes: []string{"group_added gold", "group_added admins", "group_created gold", "group_created admins"},
			asked:   map[string]int{"GroupsOf": 1, "AddToGroup": 4, "CreateGroup": 2},
		},
		"by the rules": {
			rules: rules, row: row("", "admins", "beta", "root", "us-east-1_AbCdEf123_Google"), after: person{Groups: []string{"operators"}},
			totals: settle.Totals{Changed: 1, GroupsAdded: 1, GroupsCreated: 1}, changes: []string{"group_added operators", "group_created operators"},
		},
		"those who are in them stay": {
			row: row("", "gold"), before: person{Groups: []string{"gold", "own"}}, after: person{Groups: []string{"gold", "own"}}, asked: map[string]int{"GroupsOf": 1},
		},
		"add takes nobody out": {
			rules: rules, row: row("", "gold"), before: person{Groups: []string{"gold", "operators"}}, after: person{Groups: []string{"gold", "operators"}},
		},
		"mirror does, of what came from the source": {
			rules: mirror, row: row("", "gold"), before: person{Groups: []string{"beta", "operators", "own", "us-east-1_AbCdEf123_Google"}},
			after:  person{Groups: []string{"beta", "gold", "own", "us-east-1_AbCdEf123_Google"}},
			totals: settle.Totals{Changed: 1, GroupsAdded: 1, GroupsRemoved: 1, GroupsCreated: 1}, changes: []string{"group_added gold", "group_created gold", "group_removed operators"},
		},
		"mirror of nobody's groups": {
			rules: mirror, before: person{Groups: []string{"gold", "own"}}, after: person{Groups: []string{"own"}},
			totals: settle.Totals{Changed: 1, GroupsRemoved: 1}, changes: []string{"group_removed gold"},
		},
		"mirror without the source's groups": {
			rules: mirror, change: func(p *place) { p.source = []manifest.Group{} }, before: person{Groups: []string{"gold", "own"}}, after: person{Groups: []string{"gold", "own"}},
		},
		"none": {rules: none, row: row("", "gold"), before: person{Groups: []string{"operators"}}, after: person{Groups: []string{"operators"}}, asked: map[string]int{}},
		"a group of many pages": {
			change: func(p *place) { p.people.pages = 2 }, row: row("", "e"), before: person{Groups: []string{"a", "b", "c", "d", "e"}},
			after: person{Groups: []string{"a", "b", "c", "d", "e"}}, asked: map[string]int{"GroupsOf": 3},
		},
		"disabled": {
			row: reconcile.SettleRow{Disabled: true}, after: person{Disabled: true}, totals: settle.Totals{Changed: 1, Disabled: 1}, changes: []string{"disabled"},
		},
		"disabled, which is not wanted": {
			change: func(p *place) { p.o.Disabled = false }, row: reconcile.SettleRow{Disabled: true}, asked: map[string]int{},
		},
		"a code by SMS": {
			row: reconcile.SettleRow{MFA: []string{sms}}, before: person{Verified: true}, after: person{Verified: true, Factors: []string{sms}},
			totals: settle.Totals{Changed: 1, SMSPreferred: 1}, changes: []string{"sms_preferred"}, asked: map[string]int{"Factors": 1, "PreferSMS": 1},
		},
		"the other factor stays behind": {
			row: reconcile.SettleRow{MFA: []string{sms, app}}, before: person{Verified: true}, after: person{Verified: true, Factors: []string{sms}},
			totals: settle.Totals{Changed: 1, SMSPreferred: 1}, changes: []string{"sms_preferred"},
		},
		"who has a second factor keeps it": {
			row: reconcile.SettleRow{MFA: []string{sms}}, before: person{Verified: true, Factors: []string{app}}, after: person{Verified: true, Factors: []string{app}},
		},
		"a number that is not verified": {row: reconcile.SettleRow{MFA: []string{sms}}, totals: settle.Totals{MFALost: 1}, asked: map[string]int{"Factors": 1}},
		"a target that sends no codes": {
			change: func(p *place) { p.noSMS = true }, row: reconcile.SettleRow{MFA: []string{sms}}, before: person{Verified: true}, after: person{Verified: true},
			totals: settle.Totals{MFALost: 1}, asked: map[string]int{},
		},
		"an authenticator app": {row: reconcile.SettleRow{MFA: []string{app}}, totals: settle.Totals{MFALost: 1}, asked: map[string]int{}},
		"second factors are not wanted": {
			change: func(p *place) { p.o.MFA = false }, row: reconcile.SettleRow{MFA: []string{sms, app}}, asked: map[string]int{},
		},
		"all of it": {
			row: reconcile.SettleRow{MFA: []string{sms}, Disabled: true, Groups: []string{"gold"}}, before: person{Verified: true},
			after:   person{Verified: true, Disabled: true, Factors: []string{sms}, Groups: []string{"gold"}},
			totals:  settle.Totals{Changed: 1, Disabled: 1, SMSPreferred: 1, GroupsAdded: 1, GroupsCreated: 1},
			changes: []string{"disabled", "group_added gold", "group_created gold", "sms_preferred"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				p.o.Groups = tt.rules
				if tt.change != nil {
					tt.change(p)
				}
				p.people.users["ann"] = &tt.before
				r := tt.row
				r.LegacySub, r.Sub, r.Username = "old-ann", "new-ann", "ann"
				p.reconciled("r1", []reconcile.SettleRow{r})
				out := p.step("r1")
				want := settle.StepOutput{Run: runID, ID: "r1", Settled: 1, Changed: tt.totals.Changed}
				if diff := cmp.Diff(want, out); diff != "" {
					t.Error(diff)
				}
				p.wants(map[string]person{"ann": tt.after})
				for i, c := range tt.changes {
					action, group, _ := strings.Cut(c, " ")
					subs := "old-ann new-ann"
					if action == string(settle.GroupCreated) {
						subs = " "
					}
					tt.changes[i] = fmt.Sprintf("%s %s %s", action, subs, group)
				}
				slices.Sort(tt.changes)
				if diff := cmp.Diff(tt.changes, p.log.said()); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
				tt.totals.Settled = 1
				if diff := cmp.Diff(tt.totals, p.status().Totals); diff != "" {
					t.Errorf("totals (-want +got):\n%s", diff)
				}
				if tt.asked != nil {
					if diff := cmp.Diff(tt.asked, p.people.asked); diff != "" {
						t.Errorf("requests (-want +got):\n%s", diff)
					}
				}
				// The same once more changes nothing that matters.
				time.Sleep(time.Hour)
				p.reconciled("r2", []reconcile.SettleRow{r})
				p.step("r2")
				p.wants(map[string]person{"ann": tt.after})
			})
		})
	}
}

// TestGroupsAreMade as the source has them, with the role that the rules give.
func TestGroupsAreMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const arn = "arn:aws:iam::444455556666:role/operators"
		p := newPlace(t)
		p.o.Groups = userpool.GroupRules{
			Rename: []userpool.GroupRename{{From: "admins", To: "operators"}, {From: "root", To: "gold"}},
			Roles:  []userpool.GroupRole{{Group: "operators", RoleARN: arn}, {Group: "new", RoleARN: arn}},
		}
		p.reconciled("r1", p.arrive(30, "admins", "gold", "beta", "new", "root"))
		if out := p.step("r1"); out.Settled != 30 || out.Failed > 0 {
			t.Errorf("%+v", out)
		}
		want := map[string]manifest.Group{
			"operators": {Name: "operators", Description: "may do anything", Precedence: p.source[0].Precedence, RoleARN: arn},
			"gold":      {Name: "gold", Precedence: p.source[2].Precedence}, // of its own name, not of the one that goes by it
			"beta":      {Name: "beta"},
			"new":       {Name: "new", RoleARN: arn}, // made at the source after its groups were listed
		}
		if diff := cmp.Diff(want, p.people.groups); diff != "" {
			t.Error(diff)
		}
		if n := p.people.asked["CreateGroup"]; n != 4 {
			t.Errorf("groups were made %d times", n)
		}
	})
}

// TestGroupAppears: somebody else makes the group at the same time.
func TestGroupAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.reconciled("r1", p.arrive(3, "gold"))
		p.people.fails = func(operation, _, group string) error {
			if operation == "CreateGroup" {
				p.people.groups[group] = manifest.Group{Name: group}
			}
			return nil
		}
		if out := p.step("r1"); out.Settled != 3 || p.status().Totals.GroupsCreated != 0 {
			t.Errorf("%+v", out)
		}
	})
}

// TestGone: whom the target does not have any more nothing is owed.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		gone := row("gone", "gold")
		gone.Disabled, gone.MFA = true, []string{"SMS_MFA"}
		p.reconciled("r1", []reconcile.SettleRow{gone, row("gone too", "gold")}, p.arrive(1, "gold"))
		if out := p.step("r1"); out.Settled != 3 || out.Failed != 0 || out.Changed != 1 || out.More {
			t.Errorf("%+v", out)
		}
		if got := p.status().Totals; got.Gone != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// TestEveryReconciliation is added once, also one whose own step never ran; what
// failed as a whole is not.
func TestEveryReconciliation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		all := 0
		for i, n := range []int{3, 2, 0, 4} {
			time.Sleep(time.Hour)
			p.reconciled(fmt.Sprintf("r%d", i), p.arrive(n, "gold"))
			all += n
		}
		p.point(progress.Point{ID: "broken", Started: time.Now(), Ended: time.Now(), Failure: "Denied"})
		p.point(progress.Point{ID: "forgotten", Started: time.Now(), Ended: time.Now()})
		if out := p.step("r3"); out.Settled != all {
			t.Errorf("%+v", out)
		}
		if out := p.step("r3"); out.Settled != 0 || out.Left != 0 {
			t.Errorf("once more: %+v", out)
		}
		time.Sleep(time.Hour)
		p.reconciled("r4", p.arrive(5, "gold"))
		if out := p.step("broken"); out.Settled != 5 || out.Changed != 5 {
			t.Errorf("the next one: %+v", out)
		}
		if s := p.status(); s.Through != "r4" || s.Settled != all+5 {
			t.Errorf("%+v", s)
		}
		// The mark was thinned out of the history: what is newer counts.
		h, tag, err := p.run.LoadProgress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h.Points = slices.DeleteFunc(h.Points, func(p progress.Point) bool { return p.ID == "r4" })
		must(p.run.SwapProgress(t.Context(), h, tag))
		if out := p.step("r4"); out.Settled != 0 {
			t.Errorf("thinned out: %+v", out)
		}
		time.Sleep(time.Hour)
		p.reconciled("r5", p.arrive(1, "gold"))
		if out := p.step("r5"); out.Settled != 1 {
			t.Errorf("after a mark that was thinned out: %+v", out)
		}
	})
}

// TestNothingYet: no history is nothing to do.
func TestNothingYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		if _, err := settle.New(p.o).Status(t.Context()); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
		if out := p.step("r1"); out != (settle.StepOutput{Run: runID, ID: "r1"}) {
			t.Errorf("%+v", out)
		}
		for _, in := range []settle.StepInput{{Run: "other", ID: "r1"}, {Run: runID, ID: "a/b"}, {Run: runID}} {
			if _, err := settle.New(p.o).Step(t.Context(), in); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", in, err)
			}
		}
	})
}

// refused is an error of AWS.
type refused struct{}

func (refused) Error() string     { return "InvalidParameterException: somebody@example.com" }
func (refused) ErrorCode() string { return "InvalidParameterException" }

// TestFailedRows are tried again with each reconciliation, five times, then given
// up.
func TestFailedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		rows := p.arrive(5, "gold")
		bad := true
		p.people.fails = func(operation, username, group string) error {
			if operation == "AddToGroup" && (username == "u0001" || username == "u0003" && bad) {
				return fault.New(fault.Invalid, "add: %w", refused{})
			}
			return nil
		}
		for attempt := 1; attempt <= settle.MaxAttempts; attempt++ {
			time.Sleep(time.Hour)
			if attempt == 1 {
				p.reconciled("r1", rows)
			} else {
				p.reconciled(fmt.Sprintf("r%d", attempt))
			}
			bad = attempt < 3
			out := p.step(fmt.Sprintf("r%d", attempt))
			want := settle.StepOutput{Run: runID, ID: fmt.Sprintf("r%d", attempt), Failed: 1, Open: attempt < settle.MaxAttempts}
			switch attempt {
			case 1:
				want.Settled, want.Changed, want.Failed = 3, 3, 2
			case 2:
				want.Failed = 2
			case 3:
				want.Settled, want.Changed = 1, 1
			}
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("attempt %d: %s", attempt, diff)
			}
			kept := p.unsettled()
			list := "failed "
			if attempt == settle.MaxAttempts {
				list = "given up "
			}
			got := kept[list+"u0001"]
			if len(kept) != want.Failed || got.Attempts != attempt || got.Kind != fault.Invalid || got.Code != "InvalidParameterException" || !got.Last.Equal(time.Now()) {
				t.Errorf("attempt %d: kept %+v", attempt, kept)
			}
			again := p.step(want.ID) // not within the same reconciliation
			if again.Settled != 0 || again.Failed != 0 || again.More {
				t.Errorf("attempt %d, again: %+v", attempt, again)
			}
		}
		time.Sleep(time.Hour)
		p.reconciled("r6")
		asked := p.people.asked["AddToGroup"]
		if out := p.step("r6"); out.Failed != 0 || p.people.asked["AddToGroup"] != asked {
			t.Errorf("given up, and tried again: %+v", out)
		}
		if s := p.status(); s.GivenUp != 1 || s.Failed != 0 || s.Settled != 4 {
			t.Errorf("%+v", s)
		}
		kept := 0
		for _, key := range p.memory.Keys() {
			if strings.Contains(key, "/settle/failed") || strings.Contains(key, "/settle/given-up") {
				kept++
			}
		}
		if kept != 1 {
			t.Errorf("%d objects of rows that failed: %v", kept, p.memory.Keys())
		}
		// A row of a later reconciliation that goes through is the end of it.
		p.people.fails = func(string, string, string) error { return nil }
		time.Sleep(time.Hour)
		p.reconciled("r7", rows[1:2])
		if out := p.step("r7"); out.Settled != 1 || p.status().GivenUp != 0 {
			t.Errorf("%+v, %+v", out, p.status())
		}
	})
}

// TestOneThingFails: what can be done is done all the same.
func TestOneThingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		rows := p.arrive(1, "beta", "gold", "root")
		rows[0].Disabled, rows[0].MFA = true, []string{"SMS_MFA"}
		p.people.users["u0000"].Verified = true
		p.people.fails = func(operation, _, group string) error {
			if operation == "PreferSMS" || group == "gold" && operation == "CreateGroup" {
				return fault.New(fault.Invalid, "no")
			}
			return nil
		}
		p.reconciled("r1", rows)
		if out := p.step("r1"); out.Failed != 1 || out.Settled != 0 || out.Changed != 1 {
			t.Errorf("%+v", out)
		}
		p.wants(map[string]person{"u0000": {Groups: []string{"beta", "root"}, Disabled: true, Verified: true}})
	})
}

// TestThrottled: a short throttling slows a step down, a long one ends it; either
// way nothing is lost.
func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.o.Workers = 1
		p.reconciled("r1", p.arrive(10, "gold"))
		turned := 0
		p.people.fails = func(operation, _, _ string) error {
			if operation == "GroupsOf" && p.people.asked["GroupsOf"] > 3 && turned < 3 {
				turned++
				return fault.New(fault.Throttled, "slow down")
			}
			return nil
		}
		if out := p.step("r1"); out.Settled != 10 || out.Why != "" || p.log.steps[0].Throttled != 3 {
			t.Errorf("%+v, %+v", out, p.log.steps)
		}
		time.Sleep(time.Hour)
		p.reconciled("r2", p.arrive(100, "gold"))
		p.people.fails = func(operation, username, _ string) error {
			if operation == "AddToGroup" && username >= "u0060" {
				return fault.New(fault.Throttled, "slow down")
			}
			return nil
		}
		began := time.Now()
		out := p.step("r2")
		want := settle.StepOutput{Run: runID, ID: "r2", More: true, Settled: 50, Changed: 50, Left: 50, Open: true, Why: "throttled"}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(began); took < 3*time.Second || took > 20*time.Second {
			t.Errorf("it gave up after %s", took)
		}
		p.people.fails = func(string, string, string) error { return nil }
		if out := p.step("r2"); out.Settled != 50 || out.More || p.status().Settled != 110 {
			t.Errorf("%+v", out)
		}
	})
}

// TestStops: what is no matter of one user ends the step and costs no row a try.
func TestStops(t *testing.T) {
	tests := map[string]struct {
		kind    fault.Kind
		from    string // the first user who meets it
		kept    int    // rows that are tried again later
		settled int
	}{
		"a role refuses":               {fault.Denied, "u0050", 0, 50},
		"the pool does not answer":     {fault.Unavailable, "u0050", 4, 50},
		"the configuration is refused": {fault.Invalid, "u0000", 19, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				p.o.Workers = 1
				p.reconciled("r1", p.arrive(100, "gold"))
				broken := true
				p.people.fails = func(operation, username, _ string) error {
					if broken && operation == "GroupsOf" && username >= tt.from {
						return fault.New(tt.kind, "no")
					}
					return nil
				}
				_, err := settle.New(p.o).Step(t.Context(), settle.StepInput{Run: runID, ID: "r1"})
				if fault.KindOf(err) != tt.kind || !strings.HasPrefix(err.Error(), "settle run 2026-11-prod after reconciliation r1: ") {
					t.Errorf("%v", err)
				}
				if got := len(p.unsettled()); got != tt.kept {
					t.Errorf("%d rows were kept", got)
				}
				if s := p.status(); s.Holder != nil || s.Settled != tt.settled || s.Left != 100-tt.settled-tt.kept {
					t.Errorf("%+v", s)
				}
				broken = false
				time.Sleep(time.Minute)
				p.step("r1")
				time.Sleep(time.Minute)
				p.reconciled("r2")
				p.step("r2")
				if s := p.status(); s.Settled != 100 || s.Left != 0 || s.Failed != 0 {
					t.Errorf("in the end: %+v", s)
				}
			})
		})
	}
}

// TestSomeFail: users who are refused among users who are not stop nothing.
func TestSomeFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.reconciled("r1", append(p.arrive(3, "gold"), p.arrive(60, "broken")...))
		p.people.fails = func(operation, _, group string) error {
			if operation == "CreateGroup" && group == "broken" {
				return fault.New(fault.Invalid, "no such role")
			}
			return nil
		}
		if out := p.step("r1"); out.Settled != 3 || out.Failed != 60 {
			t.Errorf("%+v", out)
		}
		time.Sleep(time.Hour)
		p.reconciled("r2")
		if out := p.step("r2"); out.Failed != 60 {
			t.Errorf("all of those that are tried again: %+v", out)
		}
	})
}

// TestTime: a step ends when its time is up, and the next goes on.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.people.waits = 50 * time.Millisecond
		p.o.Pace.UserUpdate, p.o.Time = 8, time.Minute
		p.people.groups["gold"] = manifest.Group{Name: "gold"}
		var objects [][]reconcile.SettleRow
		for range 20 {
			objects = append(objects, p.arrive(75, "gold"))
		}
		p.reconciled("r1", objects...)
		began, steps, settled := time.Now(), 0, 0
		for more := true; more; steps++ {
			step := time.Now()
			out := p.step("r1")
			if took := time.Since(step); took > 70*time.Second {
				t.Errorf("step %d took %s", steps, took)
			}
			more, settled = out.More, settled+out.Settled
			if out.Left != 1500-settled {
				t.Errorf("%+v after %d", out, settled)
			}
		}
		if n := p.people.asked["AddToGroup"]; settled != 1500 || n != 1500 || p.people.asked["GroupsOf"] != 1500 {
			t.Errorf("%d settled, %v", settled, p.people.asked)
		}
		rate := 1500 / time.Since(began).Seconds()
		if rate > 8.1 || rate < 7.5 {
			t.Errorf("%.2f changes per second in %d steps", rate, steps)
		}
		t.Logf("%.2f changes per second in %d steps", rate, steps)
	})
}

// TestPace: each category of requests keeps to its own.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.o.Pace = settle.Pace{UserRead: 40, UserUpdate: 8, UserResourceRead: 16, UserResourceUpdate: 4}
		rows := p.arrive(400)
		for i := range rows {
			rows[i].Groups, rows[i].MFA = []string{"gold"}, []string{"SMS_MFA"}
			p.people.users[rows[i].Username].Verified = true
		}
		p.reconciled("r1", rows)
		began := time.Now()
		for p.step("r1").More {
			continue
		}
		seconds := time.Since(began).Seconds()
		for operation, most := range map[string]float64{"Factors": 40, "AddToGroup": 8, "GroupsOf": 16, "PreferSMS": 4, "CreateGroup": 5.0 / 3} {
			if rate := float64(p.people.asked[operation]) / seconds; rate > most*1.02 {
				t.Errorf("%s: %.2f a second", operation, rate)
			}
		}
		if rate := 400 / seconds; rate < 3.8 {
			t.Errorf("the slowest category is used at %.2f a second", rate)
		}
	})
}

// TestUnreadable: rows that are gone or damaged are counted and hold nobody up.
func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.reconciled("r1", p.arrive(3, "gold"), p.arrive(2, "gold"), p.arrive(1, "gold"))
		for _, key := range p.memory.Keys() {
			if strings.Contains(key, "r1/settle/00001") {
				if err := p.memory.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
		if out := p.step("r1"); out.Settled != 4 || out.More {
			t.Errorf("%+v", out)
		}
		time.Sleep(time.Hour)
		p.people.fails = func(operation, username, _ string) error { return fault.New(fault.Invalid, "no") }
		p.reconciled("r2", p.arrive(2, "gold"))
		p.step("r2")
		for _, key := range p.memory.Keys() {
			if strings.Contains(key, "settle/failed") {
				if err := p.memory.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Hour)
		p.reconciled("r3")
		if out := p.step("r3"); out.More || out.Failed != 0 {
			t.Errorf("%+v", out)
		}
		if s := p.status(); s.Totals.Unreadable != 4 || s.Left != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestCancelled: a step that is told to end ends, and says that it did not finish.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.people.waits = time.Second
		p.o.Workers = 2
		p.reconciled("r1", p.arrive(100, "gold"))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := settle.New(p.o).Step(ctx, settle.StepInput{Run: runID, ID: "r1"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		for p.step("r1").More {
			continue
		}
		if s := p.status(); s.Settled != 100 || s.Left != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestRowsMove: when somebody is forgotten in the middle of a step, rows lie under
// another key from then on; nobody is missed.
func TestRowsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		second := p.arrive(3, "gold")
		p.reconciled("r1", p.arrive(2, "gold"), second)
		moved := false
		p.people.fails = func(string, string, string) error {
			if moved {
				return nil
			}
			moved = true
			ctx := t.Context()
			s := must(p.run.ReadSummary(ctx, "r1"))
			old := s.Settle[1]
			second[1] = reconcile.SettleRow{LegacySub: "x", Sub: "x", Username: "x"} // as forgetting leaves it
			ref := must(p.run.WriteRows(ctx, "r1", reconcile.SettleRows, 1, must(reconcile.EncodeRows(second)), reconcile.RowsRef{Count: 3, Format: reconcile.FormatJSONL, Bucket: 1, Of: 64}))
			s.Settle[1] = ref
			for _, key := range p.memory.Keys() {
				if strings.HasSuffix(key, "r1/summary.json") {
					_ = must(p.memory.Put(ctx, key, must(s.Encode()), store.Condition{}))
				}
				if strings.HasSuffix(key, old.Key) {
					if err := p.memory.Delete(ctx, key); err != nil {
						t.Error(err)
					}
				}
			}
			return nil
		}
		out := p.step("r1")
		if s := p.status(); out.More || s.Settled != 5 || s.Totals.GroupsAdded != 4 || s.Totals.Unreadable != 0 {
			t.Errorf("%+v, %+v", out, s)
		}
	})
}
