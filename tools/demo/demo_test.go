package demo

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
)

// quiet is a Talk that nobody hears.
type quiet struct{}

func (quiet) Say(string, ...any) {}

func (quiet) Progress(string, int) (tick, done func()) { return func() {}, func() {} }

func TestEverybodyArrivesOrIsRefusedForAReason(t *testing.T) {
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "demo")
			r, err := Run(t.Context(), Options{Users: 100, Seed: 3, Shape: shape, Out: out, Now: time.Now}, quiet{})
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK() {
				t.Errorf("surprises %q, finds %v", r.Surprises, r.Finds)
			}
			s := r.SignIns
			sum := 0
			for _, n := range s.RefusedBy {
				sum += n
			}
			if s.Attempted != s.Migrated+s.Refused || s.Refused != sum {
				t.Errorf("counts do not add up: %+v", s)
			}
			// Of a hundred people ten stay away, and these do not move: 4 never
			// confirmed, 3 disabled, 3 without their authenticator code, 3 federated,
			// one of whom stays away besides.
			// Of those who stay away twelve can be imported, of whom some come
			// meanwhile; one has registered, and there is the probe.
			if r.Users != (Users{Source: 100, Target: 78 + 12 + 2}) || r.Returned != 78 {
				t.Errorf("users %+v, %d returned; want 100, 92 and 78", r.Users, r.Returned)
			}
			if !r.Complete || *r.Cutover != (Cutover{Done: true, RolledBack: true, SRPSignIn: true}) {
				t.Errorf("complete: %v, cut-over %+v", r.Complete, *r.Cutover)
			}
			if r.Tail.Imported+r.Tail.Skipped != 12 || r.Tail.Skipped == 0 || r.Tail.Failed != 0 {
				t.Errorf("tail %+v, want 12, some of whom came meanwhile", *r.Tail)
			}
			if r.SignUps.Refused == 0 || r.SignUps.Allowed != 1 {
				t.Errorf("registrations %+v", r.SignUps)
			}
			checkReconciliation(t, r.Reconciliation)
			for _, outcome := range []string{"RejectedCredentials", "NotInSource", "Disabled", "Unconfirmed", "NeedsReset", "MfaRefused", "Federated", "NoVerifiedContact"} {
				if s.RefusedBy[outcome] == 0 {
					t.Errorf("nobody was refused by %s", outcome)
				}
			}
			if r.Seeding == nil || r.Seeding.Profiles != 100 || r.Seeding.Executions < 1 || r.Seeding.Parts < 1 {
				t.Errorf("seeding %+v", r.Seeding)
			}
			checkFiles(t, out, r)
		})
	}
}

// checkReconciliation wants a run before anybody has come, one after each wave, one
// after the import, and two that find nobody left.
func checkReconciliation(t *testing.T, runs []Reconciliation) {
	t.Helper()
	if len(runs) != 6 {
		t.Fatalf("reconciliation %+v, want six runs", runs)
	}
	for i, run := range runs {
		if !run.Whole || i > 0 && run.Percent < runs[i-1].Percent || run.Complete != (i == 5) {
			t.Errorf("run %d: %+v", i, run)
		}
	}
	last := runs[2]
	if last.Migrated != 78 || last.Pending != 19 || last.Excluded != 3 || last.Imported != 0 || last.Percent != 80.4 {
		t.Errorf("%+v, want 78 of 97 moved (80.4 %%) and 3 excluded", last)
	}
	if end := runs[5]; end.Migrated+end.Imported != 90 || end.Pending != 0 || end.Excluded != 10 {
		t.Errorf("in the end %+v, want 90 at the target and 10 excluded", end)
	}
	if diff := cmp.Diff(map[string]int{"not_signed_in": 10, "disabled": 3, "unconfirmed": 4, "reset_required": 1, "temporary_password": 1}, last.PendingBy); diff != "" {
		t.Errorf("pending by reason (-want +got):\n%s", diff)
	}
}

func checkFiles(t *testing.T, out string, r Result) {
	t.Helper()
	files, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		if info, err := f.Info(); err != nil || info.Size() == 0 {
			t.Errorf("%s is empty (%v)", f.Name(), err)
		}
	}
	want := []string{"function.log", "poolferry.yaml", "report.html", "requests.log", "result.json", "s3", "users-source.jsonl", "users-target.jsonl"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	var kept Result
	data, err := os.ReadFile(filepath.Join(out, "result.json"))
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if err != nil || kept.Users != r.Users {
		t.Errorf("result.json: %+v (%v)", kept, err)
	}
}

// TestJSONContract holds the members of the object of demo --json.
func TestJSONContract(t *testing.T) {
	data, err := json.Marshal(Result{
		Version: 1, Seeding: &Seeding{Executions: 1, Profiles: 2, Parts: 3}, SignIns: SignIns{RefusedBy: map[string]int{}},
		Reconciliation: []Reconciliation{{Percent: 50, Migrated: 1, Pending: 1, PendingBy: map[string]int{"not_signed_in": 1}, Whole: true}},
		Tail:           &Tail{Imported: 1}, Cutover: &Cutover{Done: true}, Surprises: []string{"x"}, Returned: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"users":{"source":0,"target":0},"seeding":{"executions":1,"profiles":2,"parts":3},"sign_ins":{"attempted":0,"migrated":0,"refused":0,"refused_by":{},"errors":0,"p50_ms":0,"p95_ms":0,"p99_ms":0},"reconciliation":[{"percent":50,"migrated":1,"pending":1,"pending_by":{"not_signed_in":1},"imported":0,"excluded":0,"findings":0,"whole":true,"complete":false}],"sign_ups":{"refused":0,"allowed":0},"tail":{"imported":1,"skipped":0,"failed":0},"cutover":{"done":true,"rolled_back":false,"srp_sign_in":false},"secrets_found":0,"complete":false}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsAreCountedNotErrors(t *testing.T) {
	t.Parallel()
	const faults = "source.AdminInitiateAuth=throttle:60%,target.InitiateAuth=throttle:30%,lambda.migrate-user=crash:60%"
	r, err := Run(t.Context(), Options{Users: 60, Seed: 5, Faults: faults, Now: time.Now}, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() {
		t.Errorf("surprises %q, finds %v", r.Surprises, r.Finds)
	}
	if r.SignIns.RefusedBy["Throttled"] == 0 || r.SignIns.RefusedBy["Unavailable"] == 0 {
		t.Errorf("refused by %v, want some Throttled and Unavailable", r.SignIns.RefusedBy)
	}
}

// TestSeedingIsWholeWhateverHappens: executions twice, functions that die before
// and after their work, a bucket and a source that fail.
func TestSeedingIsWholeWhateverHappens(t *testing.T) {
	t.Parallel()
	const faults = "states=duplicate:100%,source.ListUsers=throttle:5%,source.ListUsers=error:5%,s3.PutObject=error:10%,s3.GetObject=error:5%," +
		"lambda.seed-batch=crash:10%,lambda.close-seeding=crash:10%,lambda.plan-seeding=crash:10%"
	d, err := begin(t.Context(), Options{Users: 150, Seed: 6, Faults: faults, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.world.Close() })
	staged, err := d.seed(quiet{})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := d.reconcile(quiet{}, d.byHand)
	if err != nil {
		t.Fatal(err)
	}
	if r := d.tally.result(); !r.OK() || staged.Profiles != 150 || !runs[len(runs)-1].Whole {
		t.Errorf("seeding %+v, reconciliations %+v, surprises %q", staged, runs, r.Surprises)
	}
}

// TestNoticesWhatIsWrong spoils one thing at a time. A demo that cannot fail
// shows nothing.
func TestNoticesWhatIsWrong(t *testing.T) {
	tests := []struct {
		name     string
		spoil    func(*demo)
		surprise string // part of one of the surprises
		found    bool   // a secret
	}{
		{"a right password is refused", func(d *demo) { d.world.People[0].Password = userpool.NewSecret("Not-the-password-1!") }, "plain 0: right password", false},
		{"a wrong password is accepted", func(d *demo) { d.world.People[3].Wrong = d.world.People[3].Password }, "wrong password", false},
		{"somebody moves who must not", func(d *demo) { d.world.People[0].Outcome = crowd.MfaRefused }, "plain 0: right password (want MfaRefused", false},
		{"an attribute gets lost", func(d *demo) { d.world.People[0].User.Attributes["nickname"] = "lost" }, "attributes differ at the target: nickname", false},
		{"another person's sub arrives", func(d *demo) { d.world.People[0].User.Sub = "0" }, "custom:legacy_sub", false},
		{"a password is logged", func(d *demo) {
			_, _ = d.functionLog.Write([]byte(`{"event":"` + d.world.People[7].Password.Reveal() + `"}` + "\n"))
		}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := begin(t.Context(), Options{Users: 20, Seed: 1, Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.world.Close() })
			tt.spoil(d)
			r, err := d.run(quiet{})
			if err != nil {
				t.Fatal(err)
			}
			if r.OK() {
				t.Fatal("the demo is content")
			}
			if found := r.SecretsFound > 0; found != tt.found {
				t.Errorf("secrets found: %v", r.Finds)
			}
			if !strings.Contains(strings.Join(r.Surprises, "\n"), tt.surprise) {
				t.Errorf("surprises %q, want one with %q", r.Surprises, tt.surprise)
			}
			for _, p := range d.world.People {
				if strings.Contains(strings.Join(r.Surprises, "\n"), p.Name) {
					t.Error("a surprise names a person")
				}
			}
		})
	}
}

// TestNoticesASquatter: whatever fails meanwhile, a stranger gets no address of
// somebody who is still to come.
func TestNoticesASquatter(t *testing.T) {
	for _, faults := range []string{"", "states=duplicate:1%"} {
		d, err := begin(t.Context(), Options{Users: 60, Seed: 1, Faults: faults, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.world.Close() })
		if err := d.world.Cognito.SetTriggers(d.world.Target.PoolID, cognitoidp.Triggers{}); err != nil {
			t.Fatal(err)
		}
		d.register()
		if got := strings.Join(d.tally.result().Surprises, "\n"); !strings.Contains(got, "a stranger has the address") {
			t.Errorf("with faults %q: surprises %q", faults, got)
		}
	}
}

// TestRolesAreNoWiderThanNeeded: what the login role may and nobody needed for
// any kind of user, it should not have.
func TestRolesAreNoWiderThanNeeded(t *testing.T) {
	d, err := begin(t.Context(), Options{Users: 40, Seed: 1, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.world.Close() })
	if _, err := d.run(quiet{}); err != nil {
		t.Fatal(err)
	}
	unused, err := d.world.Sandbox.IAM.Unused(d.world.Config.Source.LoginRoleARN)
	if err != nil {
		t.Fatal(err)
	}
	if len(unused) > 0 {
		t.Errorf("the login role never used %v", unused)
	}
}

// TestStops cancels the demo while people sign in.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d, err := begin(ctx, Options{Users: 50, Seed: 1, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.world.Close() })
	r, err := d.run(stopAt{5, cancel, new(int)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if r.Version != 0 {
		t.Errorf("a stopped demo has a result: %+v", r)
	}
}

// stopAt cancels at the nth tick.
type stopAt struct {
	n      int
	cancel func()
	seen   *int
}

func (stopAt) Say(string, ...any) {}

func (s stopAt) Progress(string, int) (tick, done func()) {
	ticks := make(chan struct{}, 1)
	return func() {
		ticks <- struct{}{}
		if *s.seen++; *s.seen == s.n {
			s.cancel()
		}
		<-ticks
	}, func() {}
}

func TestText(t *testing.T) {
	r := Result{Version: 1, Users: Users{10, 8}, Surprises: []string{"plain 3: right password"}, SignIns: SignIns{
		Attempted: 5, Migrated: 2, Refused: 3, RefusedBy: map[string]int{"Disabled": 1, "NotInSource": 2}, Errors: 1,
	}}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"error: plain 3: right password", "disabled by an administrator", "the source knows nobody"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, text.String())
		}
	}
	if a, b := strings.Index(text.String(), "NotInSource"), strings.Index(text.String(), "Disabled"); a > b {
		t.Error("reasons are not sorted by frequency")
	}
}

func TestPercentile(t *testing.T) {
	var waits []time.Duration
	for i := range 100 {
		waits = append(waits, time.Duration(i+1)*time.Millisecond)
	}
	got := map[float64]float64{}
	for _, p := range []float64{50, 95, 99, 100} {
		got[p] = ms(Percentile(waits, p))
	}
	if want := (map[float64]float64{50: 50, 95: 95, 99: 99, 100: 100}); !maps.Equal(got, want) {
		t.Errorf("percentiles %v, want %v", got, want)
	}
	if got := ms(Percentile(nil, 50)); got != 0 {
		t.Errorf("percentile of nothing is %v", got)
	}
	if got := ms(Percentile(slices.Repeat([]time.Duration{1500 * time.Microsecond}, 3), 99)); got != 1.5 {
		t.Errorf("percentile %v, want 1.5", got)
	}
}
