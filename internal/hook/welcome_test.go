package hook_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// pending says that ann is still to come, with groups.
func pending(groups ...string) map[userpool.Sub]reconcile.PendingRow {
	return map[userpool.Sub]reconcile.PendingRow{"5e1f-ann": {Sub: "5e1f-ann", Verdict: verdict.Pending, Reason: verdict.NotSignedIn, Groups: groups}}
}

func welcomer(d *directory, g *groups, r *recorder, rules userpool.GroupRules) *hook.Welcomer {
	return hook.NewWelcomer(hook.WelcomeOptions{PoolID: poolID, Rules: rules, Staged: d, Directory: g, Recorder: r, Now: time.Now})
}

func TestWelcome(t *testing.T) {
	boom, bad := fault.New(fault.Throttled, "busy"), fault.New(fault.Invalid, "full")
	tests := []struct {
		name  string
		rows  map[userpool.Sub]reconcile.PendingRow
		err   error
		rules userpool.GroupRules
		fail  map[string]error
		calls string
		want  string // outcome, groups, missed, code; empty: nothing is recorded
		again string // what the next sign-in calls
	}{
		{"into the groups", pending("staff", "vip"), nil, userpool.GroupRules{}, nil, "add staff, add vip", "Welcomed [staff vip] [] ", ""},
		{"into groups that are not there", pending("new"), nil, userpool.GroupRules{}, nil, "add new, create new, add new", "Welcomed [new] [] ", ""},
		{"as the rules have it", pending("staff", "beta", "eu-west-1_Abc_Corporate"), nil,
			userpool.GroupRules{Mode: userpool.GroupsMirror, Ignore: []string{"beta"}, Rename: []userpool.GroupRename{{From: "staff", To: "vip"}}}, nil, "add vip", "Welcomed [vip] [] ", ""},
		{"no rules", pending("staff"), nil, userpool.GroupRules{Mode: userpool.GroupsNone}, nil, "", "", ""},
		{"no groups", pending(), nil, userpool.GroupRules{}, nil, "", "", ""},
		{"groups that stay behind", pending("beta"), nil, userpool.GroupRules{Ignore: []string{"beta"}}, nil, "", "", ""},
		{"moved long ago", nil, nil, userpool.GroupRules{}, nil, "", "", ""},
		{"nothing reconciled", nil, fault.New(fault.NotFound, "none"), userpool.GroupRules{}, nil, "", "", ""},
		{"the bucket fails", pending("staff"), errors.New("no"), userpool.GroupRules{}, nil, "", "WelcomeFailed [] [] Internal", ""},
		{"the pool is busy: one request is turned away, not one for each group", pending("a", "staff", "vip"), nil, userpool.GroupRules{}, map[string]error{"add a": boom},
			"add a", "WelcomeFailed [] [a staff vip] Throttled", ""},
		{"a group fails, the others do not", pending("a", "staff", "vip"), nil, userpool.GroupRules{}, map[string]error{"add staff": bad, "create a": bad},
			"add a, create a, add staff, add vip", "WelcomeFailed [vip] [a staff] Invalid", "add a, create a, add staff, add vip"},
		{"the user is gone again", pending("staff"), nil, userpool.GroupRules{}, map[string]error{"add staff": fault.New(fault.NotFound, "no user")},
			"add staff", "WelcomeFailed [] [staff] NotFound", "add staff"},
		{"somebody else makes the group", pending("staff"), nil, userpool.GroupRules{}, map[string]error{"add staff": userpool.ErrNoGroup, "create staff": fault.New(fault.AlreadyExists, "there")},
			"add staff, create staff, add staff", "WelcomeFailed [] [staff] Internal", "add staff, create staff, add staff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			event := recorded(t)["post-authentication.json"]
			d, r := &directory{rows: tt.rows, err: tt.err}, &recorder{}
			g := &groups{has: map[string][]string{"staff": nil, "vip": nil}, fail: tt.fail}
			w := welcomer(d, g, r, tt.rules)
			for n, calls := range []string{tt.calls, tt.again} {
				g.calls = nil
				answer, err := w.Handle(t.Context(), event)
				if err != nil || string(answer) != string(event) {
					t.Fatalf("%s, %v", answer, err)
				}
				if got := strings.Join(g.calls, ", "); got != calls {
					t.Errorf("sign-in %d calls %q, want %q", n, got, calls)
				}
			}
			var got string
			if len(r.welcomes) > 0 {
				first := r.welcomes[0]
				got = fmt.Sprint(first.Outcome, " ", first.Groups, " ", first.Missed, " ", first.Code)
				if first.LegacySub != "5e1f-ann" || first.Sub != "9a9a-ann" {
					t.Errorf("%+v", first)
				}
			}
			if got != tt.want {
				t.Errorf("recorded %q, want %q", got, tt.want)
			}
			for _, made := range g.made {
				if made.Description != "as at the source" {
					t.Errorf("made %+v", made)
				}
			}
			for _, members := range g.has {
				if len(members) > 2 || slices.ContainsFunc(members, func(name string) bool { return name != "ann" }) {
					t.Errorf("members %v", members)
				}
			}
		})
	}
}

// TestWelcomeOfOthers: whoever did not move, and events of other pools, cost
// nothing.
func TestWelcomeOfOthers(t *testing.T) {
	event := string(recorded(t)["post-authentication.json"])
	d, g, r := &directory{rows: pending("staff")}, &groups{}, &recorder{}
	w := welcomer(d, g, r, userpool.GroupRules{})
	for _, other := range []string{
		strings.ReplaceAll(event, poolID, "eu-central-1_Foreign"), strings.ReplaceAll(event, "custom:legacy_sub", "custom:else"),
		strings.ReplaceAll(event, `"custom:legacy_sub": "5e1f-ann"`, `"custom:legacy_sub": ""`), strings.ReplaceAll(event, `"userName": "ann"`, `"userName": ""`), "", "null", "[]", "\xff",
	} {
		answer, err := w.Handle(t.Context(), []byte(other))
		if err != nil || string(answer) != other {
			t.Errorf("%s: %s, %v", other, answer, err)
		}
	}
	if d.calls > 0 || len(g.calls) > 0 || len(r.welcomes) > 0 {
		t.Errorf("%d look-ups, calls %v", d.calls, g.calls)
	}
}

// TestWelcomeIsInTime: a bucket that does not answer costs one sign-in two
// seconds, and the others nothing for a while.
func TestWelcomeIsInTime(t *testing.T) {
	event := recorded(t)["post-authentication.json"]
	synctest.Test(t, func(t *testing.T) {
		d, g, r := &directory{rows: pending("staff"), late: true}, &groups{has: map[string][]string{"staff": nil}}, &recorder{}
		w := welcomer(d, g, r, userpool.GroupRules{})
		start := time.Now()
		for range 3 {
			if _, err := w.Handle(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(start) != hook.WelcomeBudget || len(r.welcomes) != 1 || d.calls != 1 {
			t.Errorf("%d records after %s", len(r.welcomes), time.Since(start))
		}
		d.late = false
		time.Sleep(time.Minute)
		if _, err := w.Handle(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string][]string{"staff": {"ann"}}, g.has); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWelcomeInAStorm: more sign in than may be changed. Whoever is turned away is
// left to settling, and the others have the quota for a second.
func TestWelcomeInAStorm(t *testing.T) {
	event := recorded(t)["post-authentication.json"]
	synctest.Test(t, func(t *testing.T) {
		d, r := &directory{rows: pending("staff")}, &recorder{}
		g := &groups{has: map[string][]string{"staff": nil}, fail: map[string]error{"add staff": fault.New(fault.Throttled, "busy")}}
		w := welcomer(d, g, r, userpool.GroupRules{})
		for range 40 {
			if _, err := w.Handle(t.Context(), event); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if len(g.calls) > 5 || len(g.calls) < 3 || len(r.welcomes) != len(g.calls) {
			t.Errorf("%d requests in 4 s, %d records", len(g.calls), len(r.welcomes))
		}
	})
}

// TestPanic: whatever is wrong with the function, nobody's sign-in fails for it.
func TestPanic(t *testing.T) {
	event := recorded(t)["post-authentication.json"]
	r := &recorder{}
	w := hook.NewWelcomer(hook.WelcomeOptions{PoolID: poolID, Staged: nil, Directory: &groups{}, Recorder: r, Now: time.Now})
	for range 2 {
		answer, err := w.Handle(t.Context(), event)
		if err != nil || string(answer) != string(event) {
			t.Fatalf("%s, %v", answer, err)
		}
	}
	if len(r.welcomes) == 0 || r.welcomes[0].Outcome != hook.WelcomeFailed || r.welcomes[0].Code != string(fault.Internal) || r.welcomes[0].LegacySub != "5e1f-ann" {
		t.Errorf("%+v", r.welcomes)
	}
}

// FuzzWelcome feeds anything: what was received goes back.
func FuzzWelcome(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(recorded(f))) {
		f.Add(recorded(f)[name])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &groups{has: map[string][]string{}}
		answer, err := welcomer(&directory{rows: pending("staff")}, g, &recorder{}, userpool.GroupRules{}).Handle(t.Context(), data)
		if err != nil || string(answer) != string(data) {
			t.Errorf("%q, %v", answer, err)
		}
	})
}

// BenchmarkWelcome is what a hook costs the sign-ins that it has nothing to do
// with, and those after the first.
func BenchmarkWelcome(b *testing.B) {
	event := recorded(b)["post-authentication.json"]
	for name, sent := range map[string][]byte{
		"nobody of ours": []byte(strings.ReplaceAll(string(event), "custom:legacy_sub", "custom:else")), "welcomed before": event,
	} {
		b.Run(name, func(b *testing.B) {
			w := welcomer(&directory{rows: pending("staff")}, &groups{has: map[string][]string{"staff": nil}}, &recorder{}, userpool.GroupRules{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Handle(b.Context(), sent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
