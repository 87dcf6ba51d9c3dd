package cutover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
)

func TestSwitched(t *testing.T) {
	for _, c := range []struct {
		flows, want string
		notes       int
	}{
		{"", "", 0}, // SRP, custom and refresh, as Cognito has it by default
		{"ALLOW_USER_SRP_AUTH", "ALLOW_USER_SRP_AUTH", 0},
		{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", 0},
		{"ALLOW_USER_PASSWORD_AUTH ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH", 0},
		{"ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_PASSWORD_AUTH ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_SRP_AUTH ALLOW_ADMIN_USER_PASSWORD_AUTH", 1},
		{"ALLOW_USER_AUTH", "ALLOW_USER_AUTH", 1},
		{"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", 1},
		{"USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH", 1},
		{"USER_PASSWORD_AUTH ADMIN_NO_SRP_AUTH CUSTOM_AUTH_FLOW_ONLY", "ALLOW_USER_SRP_AUTH ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_CUSTOM_AUTH ALLOW_REFRESH_TOKEN_AUTH", 2},
		{"ADMIN_NO_SRP_AUTH", "ADMIN_NO_SRP_AUTH", 1},
	} {
		var flows []any
		for _, flow := range strings.Fields(c.flows) {
			flows = append(flows, flow)
		}
		before := Settings{"ClientName": "app", "ExplicitAuthFlows": flows}
		after, notes := switched(before)
		if got := strings.Join(after.texts("ExplicitAuthFlows"), " "); got != c.want || len(notes) != c.notes || after.text("ClientName") != "app" {
			t.Errorf("%s becomes %s, want %s; notes %v", c.flows, got, c.want, notes)
		}
		if takesPasswords(after) {
			t.Errorf("%s still takes passwords", c.flows)
		}
	}
}

func TestDetached(t *testing.T) {
	o := Ours{[]string{"x", "m"}, []string{"g"}, []string{"w"}}
	arn := func(name string) string { return "arn:aws:lambda:eu-central-1:222222222222:function:" + name + ":live" }
	for _, c := range []struct {
		before, after map[string]any
		notes         int
	}{
		{nil, nil, 0},
		{map[string]any{"UserMigration": arn("m")}, nil, 0},
		{map[string]any{"UserMigration": arn("m"), "PreSignUp": arn("g"), "PostAuthentication": arn("w"), "PreTokenGeneration": arn("c")}, map[string]any{"PreTokenGeneration": arn("c")}, 0},
		{map[string]any{"UserMigration": arn("theirs"), "PreSignUp": arn("theirs"), "PostAuthentication": arn("g")}, map[string]any{"PreSignUp": arn("theirs"), "PostAuthentication": arn("g")}, 3},
		{map[string]any{"UserMigration": "no-arn"}, nil, 1},
	} {
		pool := Settings{"PoolName": "p"}
		if c.before != nil {
			pool["LambdaConfig"] = c.before
		}
		after, notes := o.detached(pool)
		got, _ := after["LambdaConfig"].(map[string]any)
		if diff := cmp.Diff(c.after, got); diff != "" || len(notes) != c.notes || after.text("PoolName") != "p" {
			t.Errorf("%v: %s; notes %q", c.before, diff, notes)
		}
	}
}

func settings(t *testing.T, text string) (s Settings) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDiff(t *testing.T) {
	from := settings(t, `{"A":1,"B":{"C":"x","D":[1,2]},"E":["b","a"],"F":{"G":true},"H":{"I":"gone"}}`)
	to := settings(t, `{"A":2,"B":{"C":"x","D":[2]},"E":["a","b"],"J":{"K":"new"},"F":{"G":false}}`)
	var got []string
	for _, c := range Diff(from, to) {
		got = append(got, c.String())
	}
	want := []string{"A: 1 → 2", "B.D: [1,2] → [2]", "F.G: true → false", "H.I: gone → (not set)", "J.K: (not set) → new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := Diff(settings(t, `{"A":{},"B":{"C":{}}}`), Settings{}); len(d) > 0 {
		t.Errorf("an empty object is as good as none: %v", d)
	}
}

// TestMerge: with nothing foreign a merge is what there was before; and whatever
// others change, all else is as before, and theirs is kept and listed.
func TestMerge(t *testing.T) {
	for seed := range uint64(3000) {
		dice := rand.New(rand.NewPCG(seed, 7))
		before := object(dice, 3)
		after := altered(dice, before)
		if merged, foreign := merge(before, after, after); !same(merged, before) || len(foreign) > 0 {
			t.Fatalf("seed %d: %v, not %v; %v", seed, merged, before, foreign)
		}
		if merged, foreign := merge(before, after, before); !same(merged, before) || len(foreign) > 0 {
			t.Fatalf("seed %d: was back already: %v; %v", seed, merged, foreign)
		}
		now := altered(dice, after)
		merged, foreign := merge(before, after, now)
		listed := map[string]bool{}
		for _, c := range foreign {
			listed[c.Field] = true
		}
		for _, c := range Diff(before, merged) { // only what is theirs differs, and it is as they have it
			mine := false
			for field := range listed {
				mine = mine || c.Field == field || strings.HasPrefix(c.Field, field+".") || strings.HasPrefix(field, c.Field+".")
			}
			if !mine {
				t.Fatalf("seed %d: %v is not foreign: %v\nbefore %v\nafter %v\nnow %v", seed, c, foreign, before, after, now)
			}
		}
	}
}

// object is a random one.
func object(dice *rand.Rand, depth int) Settings {
	s := Settings{}
	for i := range 1 + dice.IntN(4) {
		name := string(rune('A' + i))
		switch kind := dice.IntN(4); {
		case kind == 0 && depth > 0:
			s[name] = map[string]any(object(dice, depth-1))
		case kind == 1:
			s[name] = []any{fmt.Sprint(dice.IntN(3)), "x"}
		default:
			s[name] = json.Number(fmt.Sprint(dice.IntN(5)))
		}
	}
	return s
}

func altered(dice *rand.Rand, s Settings) Settings {
	out := Settings{}
	for name, value := range s {
		switch dice.IntN(6) {
		case 0: // gone
		case 1:
			out[name] = "changed " + fmt.Sprint(dice.IntN(3))
		case 2:
			if inner, ok := value.(map[string]any); ok {
				if below := altered(dice, inner); len(below) > 0 {
					out[name] = map[string]any(below)
				}
				continue
			}
			out[name] = value
		default:
			out[name] = value
		}
	}
	if dice.IntN(3) == 0 {
		out["Z"] = "new"
	}
	return out
}

var at = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func point(id string, age time.Duration, reasons map[verdict.Reason]int) progress.Point {
	p := progress.Point{ID: id, Started: at.Add(-age), Ended: at.Add(-age), Profiles: 10, Reasons: reasons, Verdicts: map[verdict.Verdict]int{verdict.Migrated: 5}}
	p.Verdicts[verdict.Pending] = total(reasons)
	return p
}

func points(all ...progress.Point) progress.History {
	h := progress.New("r")
	for _, p := range all {
		h = h.Append(p)
	}
	return h
}

func TestJudge(t *testing.T) {
	federated := func(n int) map[verdict.Reason]int { return map[verdict.Reason]int{verdict.Federated: n} }
	partial := point("b", time.Hour, nil)
	partial.Partial = []string{"stale"}
	critical := point("b", time.Hour, nil)
	critical.Critical = 2
	two := points(point("a", 2*time.Hour, nil), point("b", time.Hour, nil))
	for _, c := range []struct {
		name   string
		change func(*Facts)
		states string // of gates that are not passed
		found  string
	}{
		{"ready", func(*Facts) {}, "", ""},
		{"nothing reconciled", func(f *Facts) { f.History = points() }, "complete=blocked agree=blocked fresh=blocked findings=blocked", "no whole reconciliation"},
		{"one", func(f *Facts) { f.History = points(point("b", time.Hour, nil)) }, "agree=blocked", "not two"},
		{"partial", func(f *Facts) { f.History = points(point("a", 2*time.Hour, nil), partial) }, "agree=blocked", "b is not whole: stale"},
		{"pending", func(f *Facts) { f.History = points(point("a", 2*time.Hour, nil), point("b", time.Hour, federated(3))) }, "complete=blocked agree=blocked", "3 users are pending in b: federated 3"},
		{"accepted", func(f *Facts) {
			f.History, f.Accept = points(point("a", 2*time.Hour, federated(4)), point("b", time.Hour, federated(3))), []verdict.Reason{verdict.Federated}
		}, "complete=warning", "all for reasons that were accepted: federated 3"},
		{"accepted, and more of them", func(f *Facts) {
			f.History, f.Accept = points(point("a", 2*time.Hour, federated(3)), point("b", time.Hour, federated(4))), []verdict.Reason{verdict.Federated}
		}, "complete=warning agree=blocked", "pending because of federated: 3 in a, 4 in b"},
		{"another reason", func(f *Facts) {
			f.History, f.Accept = points(point("a", 2*time.Hour, nil), point("b", time.Hour, federated(3))), []verdict.Reason{verdict.Disabled}
		}, "complete=blocked agree=blocked", "federated 3"},
		{"old", func(f *Facts) { f.History = points(point("a", 50*time.Hour, nil), point("b", 30*time.Hour, nil)) }, "fresh=blocked", "30h0m0s ago"},
		{"critical", func(f *Facts) { f.History = points(point("a", 2*time.Hour, nil), critical) }, "findings=blocked", "2 critical findings"},
		{"errors", func(f *Facts) { f.Failures = 11 }, "error_rate=blocked", "11 of 1000"},
		{"just so", func(f *Facts) { f.Failures = 10 }, "", ""},
		{"no sign-ins", func(f *Facts) { f.Failures, f.Decisions = 0, 0 }, "error_rate=warning", "was not called"},
		{"no metrics", func(f *Facts) { f.MetricsErr = errors.New("no right") }, "error_rate=blocked", "no right"},
		{"seeding", func(f *Facts) { f.Seeding = &seeding.Status{Generation: 2} }, "quiet=blocked", "generation 2 is being seeded"},
		{"seeding that was stopped", func(f *Facts) { f.Seeding = &seeding.Status{Generation: 2, Stopped: true} }, "", ""},
		{"seeding that has failed", func(f *Facts) { f.Seeding = &seeding.Status{Generation: 2, Failed: []seeding.FailedShard{{}}} }, "", ""},
		{"reconciliation", func(f *Facts) { f.Lease = &reconcile.Lease{ID: "c", Until: at.Add(time.Minute)} }, "quiet=blocked", "reconciliation c is at work"},
		{"killed reconciliation", func(f *Facts) { f.Lease = &reconcile.Lease{ID: "c", Until: at.Add(-time.Minute)} }, "", ""},
		{"ended reconciliation", func(f *Facts) { f.Lease = &reconcile.Lease{ID: "c", Until: at.Add(time.Minute), Released: at} }, "", ""},
		{"tail and settling", func(f *Facts) { f.Tail, f.Settle = Activity{Active: true, What: "t1"}, Activity{Active: true} }, "quiet=blocked", "users are being settled, the tail is being imported t1"},
		{"unsettled", func(f *Facts) { f.Settle = Activity{Left: 7} }, "settled=warning", "7 users wait"},
		{"no probe", func(f *Facts) { f.Probe = nil }, "probe=blocked", "no probe is configured"},
		{"probe cannot", func(f *Facts) { f.ProbeErr = errors.New("refused") }, "probe=blocked", "cannot sign in at client app: refused"},
		{"no proof wanted", func(f *Facts) { f.Probe, f.Unproven = nil, true }, "probe=warning", "as was asked for"},
	} {
		f := Facts{Now: at, History: two, Seeding: &seeding.Status{Generation: 1, Done: true}, Decisions: 1000, Failures: 1, StaleAfter: 24 * time.Hour, Probe: &Probe{ClientID: "app"}, ProbeFlow: "USER_PASSWORD_AUTH"}
		c.change(&f)
		var states, found []string
		gates := Judge(f)
		for i, g := range gates {
			if g.Name != Gates()[i] || g.Found == "" || (g.State == Passed) != (g.Advice == "") {
				t.Errorf("%s: gate %+v", c.name, g)
			}
			if g.State != Passed {
				states, found = append(states, g.Name+"="+string(g.State)), append(found, g.Found)
			}
		}
		if strings.Join(states, " ") != c.states || !strings.Contains(strings.Join(found, "\n"), c.found) {
			t.Errorf("%s: %v %q, want %s %q", c.name, states, found, c.states, c.found)
		}
	}
}

func journal() Journal {
	return Journal{Run: "r", ID: "c", PoolID: "p", State: CutOver, Began: at, Updated: at, By: "ann@host", Attempts: 1,
		Accepted: map[verdict.Reason]int{verdict.Federated: 3}, Steps: []Step{{StepSnapshot, ofPool, at}}, Verified: &Verified{At: at, SRP: true, Refusing: 2},
		Factors: Settings{"MfaConfiguration": "OFF"}}
}

func snapshot() Snapshot {
	return Snapshot{Run: "r", ID: "c", PoolID: "p", Taken: at, Pool: Settings{"PoolName": "<p>", "Policies": map[string]any{"N": json.Number("17")}},
		Factors: Settings{}, Clients: []ClientSnapshot{{"a", Settings{"ClientName": "x"}}, {"b", Settings{"RefreshTokenValidity": json.Number("30")}}}}
}

func TestDocuments(t *testing.T) {
	for name, change := range map[string]func(*Journal){
		"state": func(j *Journal) { j.State = "lost" }, "run": func(j *Journal) { j.Run = "" }, "id": func(j *Journal) { j.ID = "a/b" },
		"attempts": func(j *Journal) { j.Attempts = 0 }, "steps": func(j *Journal) { j.Steps = nil }, "step": func(j *Journal) { j.Steps[0].Name = "" },
		"step time": func(j *Journal) { j.Steps[0].At = time.Time{} }, "accepted": func(j *Journal) { j.Accepted["own"] = 1 }, "began": func(j *Journal) { j.Began = time.Time{} },
		"verified": func(j *Journal) { j.Verified.At = time.Time{} },
	} {
		j := journal()
		change(&j)
		if _, err := j.Encode(); err == nil {
			t.Errorf("journal: %s", name)
		}
	}
	for name, change := range map[string]func(*Snapshot){
		"run": func(s *Snapshot) { s.Run = "" }, "id": func(s *Snapshot) { s.ID = "" }, "pool": func(s *Snapshot) { s.Pool = nil }, "taken": func(s *Snapshot) { s.Taken = time.Time{} },
		"order": func(s *Snapshot) { s.Clients[0].ID = "z" }, "client": func(s *Snapshot) { s.Clients[0].Settings = nil },
		"secret": func(s *Snapshot) { s.Clients[0].Settings["ClientSecret"] = "x" },
	} {
		s := snapshot()
		change(&s)
		if _, err := s.Encode(); err == nil {
			t.Errorf("snapshot: %s", name)
		}
	}
	if err := snapshot().Of("r", "d"); err == nil {
		t.Error("snapshot of another")
	}
	if err := journal().Of("s"); err == nil {
		t.Error("journal of another")
	}
}

func FuzzDecode(f *testing.F) {
	j, err := journal().Encode()
	if err != nil {
		f.Fatal(err)
	}
	s, err := snapshot().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(j)
	f.Add(s)
	f.Add([]byte(`{"version":1,"run":"r","id":"c","pool_id":"p","taken":"2026-11-21T12:00:00Z","pool":{"A":1e400},"factors":{},"clients":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, again := range []func() ([]byte, error){
			func() ([]byte, error) {
				d, err := DecodeJournal(data)
				if err != nil {
					return nil, err
				}
				return d.Encode()
			},
			func() ([]byte, error) {
				d, err := DecodeSnapshot(data)
				if err != nil {
					return nil, err
				}
				_, _ = merge(d.Pool, d.Factors, d.Pool)
				_ = Diff(d.Pool, d.Factors)
				return d.Encode()
			},
		} {
			out, err := again()
			if err == nil && !bytes.Equal(out, data) {
				t.Errorf("%s became %s", data, out)
			}
		}
	})
}
