package readiness_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/preflight"
	"poolferry/internal/preflight/staged"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/store"
	policies "poolferry/internal/trigger"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// seeded is a world in which everything is staged.
func seeded(t *testing.T, o rehearsal.Options, people []cognitoidp.UserSpec) world {
	t.Helper()
	o.Speed = 50
	w := open(t, o)
	for _, spec := range people {
		if _, err := w.Cognito.PutUser(w.Source.PoolID, spec); err != nil {
			t.Fatal(err)
		}
	}
	w.execute(t, statemachines.Preseed)
	return w
}

func (w world) execute(t *testing.T, definition string) {
	t.Helper()
	workflows, err := w.Workflows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workflows.Start(t.Context(), definition, map[string]string{"run": w.Config.Run}); err != nil {
		t.Fatal(err)
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, r preflight.Report, code preflight.Code) preflight.Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f preflight.Finding) bool { return f.Code == code })
	if i < 0 {
		t.Fatalf("no %s among %s %s", code, serious(r), infos(r))
	}
	return r.Findings[i]
}

// target is the pool as the trigger knows it.
func (w world) target(t *testing.T) userpool.Pool {
	t.Helper()
	pool, err := cognito.NewTarget(w.account, cognito.TargetOptions{Region: w.Target.Region, PoolID: w.Target.PoolID, SMSMFA: true}).Pool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func bucketOf(t *testing.T, w world) *store.S3 {
	t.Helper()
	b, err := store.OpenS3(t.Context(), store.S3Options{Bucket: w.Config.Staging.Bucket, Region: w.Target.Region, Env: w.lookup})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStagedCrowd: the awkward people of a rehearsal all fit the target.
func TestStagedCrowd(t *testing.T) {
	t.Parallel()
	w := seeded(t, rehearsal.Options{Users: 200}, nil)
	r := w.look(t)
	if serious(r) != "" || infos(r) != usual {
		t.Errorf("found %q, %q", serious(r), infos(r))
	}
	if r.Staged == nil || r.Staged.Users != 200 || !r.Staged.Closed {
		t.Fatalf("staged %+v", r.Staged)
	}
	total := 0
	for _, n := range r.Staged.Outlook {
		total += n
	}
	if total != 200 || r.Staged.Outlook["federated"] == 0 || r.Staged.Outlook["not_signed_in"] < 100 {
		t.Errorf("outlook %v", r.Staged.Outlook)
	}
}

// TestStagedUnfit compares whom the check says to be refused, or to lose
// something, with what the trigger would do for each of them.
func TestStagedUnfit(t *testing.T) {
	t.Parallel()
	w := seeded(t, rehearsal.Options{
		Users: 200,
		Pool: func(target bool, spec *cognitoidp.PoolSpec) {
			if !target {
				return
			}
			for i := range spec.Schema {
				switch spec.Schema[i].Name {
				case "plan":
					spec.Schema[i].StringAttributeConstraints = length("0", "15")
				case "field_02":
					spec.Schema[i].StringAttributeConstraints, spec.Schema[i].Mutable = length("0", "50"), new(false)
				}
			}
		},
	}, nil)
	r := w.look(t)
	refused, trimmed := find(t, r, preflight.ProfilesRefused), find(t, r, preflight.ProfilesTrimmed)
	if got := serious(r); got != "attribute_bounds profiles_refused" {
		t.Errorf("found %q", got)
	}
	target := w.target(t)
	policy := policies.Policy{Mapping: w.Config.Mapping, MFA: policies.MFAAccept, Target: target}
	var wantRefused, wantTrimmed []userpool.Sub
	for u := range w.Cognito.Users(w.Source.PoolID) {
		u.Enabled, u.Status, u.MFA = true, userpool.StatusConfirmed, nil // what else refuses is not what this is about
		ruling := policy.Explain(u.Username, u).RightPassword
		if strings.HasPrefix(ruling.Reason, "schema:") {
			wantRefused = append(wantRefused, u.Sub)
		}
		if slices.ContainsFunc(ruling.Violations, func(v userpool.Violation) bool { return v.Attribute == "custom:plan" }) {
			wantTrimmed = append(wantTrimmed, u.Sub)
		}
	}
	if diff := cmp.Diff(wantRefused, refused.Subs); diff != "" || len(wantRefused) == 0 || refused.Users != len(wantRefused) {
		t.Errorf("refused %d (-trigger +preflight)\n%s", refused.Users, diff)
	}
	if diff := cmp.Diff(wantTrimmed, trimmed.Subs); diff != "" || len(wantTrimmed) == 0 {
		t.Errorf("trimmed (-trigger +preflight)\n%s", diff)
	}
	if diff := cmp.Diff([]staged.Count{{Attribute: "custom:field_02", Rule: "length", Users: len(wantRefused)}}, refused.Counts); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
}

// TestStagedNames: users who collide where the target takes upper and lower case
// for the same.
func TestStagedNames(t *testing.T) {
	t.Parallel()
	people := []cognitoidp.UserSpec{
		{Username: "Ada", Sub: "a0000000-0000-4000-8000-000000000001"},
		{Username: "ada", Sub: "a0000000-0000-4000-8000-000000000002"},
		{Username: "bob", Sub: "a0000000-0000-4000-8000-000000000003"},
		// Not verified, so no name.
		{Username: "eve", Sub: "a0000000-0000-4000-8000-000000000004", Attributes: userpool.Attributes{"email": "Bob@example.com", "email_verified": "false"}},
		{Username: "joe", Sub: "a0000000-0000-4000-8000-000000000005", Attributes: userpool.Attributes{"email": "bob@example.com", "email_verified": "true"}},
		// Never moves, and is in nobody's way.
		{Username: "BOB", Sub: "a0000000-0000-4000-8000-000000000006", Status: userpool.StatusExternalProvider},
	}
	w := seeded(t, rehearsal.Options{Users: 50, Pool: func(target bool, spec *cognitoidp.PoolSpec) {
		if !target {
			spec.Frozen.UsernameConfiguration = nil
		}
	}}, people)
	r := w.look(t)
	if got := serious(r); got != "case_differs names_shared" {
		t.Errorf("found %q", got)
	}
	shared := find(t, r, preflight.NamesShared)
	if diff := cmp.Diff([]userpool.Sub{people[0].Sub, people[1].Sub}, shared.Subs); diff != "" || shared.Users != 2 {
		t.Errorf("shared by %d (-want +got)\n%s", shared.Users, diff)
	}
	if strings.Contains(fmt.Sprintf("%+v", r), "ada") {
		t.Error("the report has a name")
	}
}

// TestStagedNameless: a target whose users sign in by address alone knows nobody
// who has none.
func TestStagedNameless(t *testing.T) {
	t.Parallel()
	w := seeded(t, rehearsal.Options{Pool: func(target bool, spec *cognitoidp.PoolSpec) {
		if target {
			spec.Frozen.AliasAttributes, spec.Frozen.UsernameAttributes = nil, []string{"email"}
		}
	}}, []cognitoidp.UserSpec{
		{Username: "with", Attributes: userpool.Attributes{"email": "with@example.com", "email_verified": "true"}}, {Username: "without"},
	})
	r := w.look(t)
	if got := serious(r); got != "names_differ profiles_nameless" {
		t.Errorf("found %q", got)
	}
	if f := find(t, r, preflight.ProfilesNameless); f.Users != 1 {
		t.Errorf("nameless %+v", f)
	}
}

// TestStagedTrouble: a manifest that is of something else, not whole, or damaged.
func TestStagedTrouble(t *testing.T) {
	t.Parallel()
	w := seeded(t, rehearsal.Options{Users: 30}, nil)
	changed := *w.Config
	changed.Mapping.Rules = append(slices.Clone(changed.Mapping.Rules), userpool.Rule{Drop: "nickname"})
	r, err := w.preflight(t, &changed).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := serious(r); got != "run_plan_differs trigger_configured_differently" || r.Staged != nil {
		t.Errorf("another mapping: found %q", got)
	}

	bucket := bucketOf(t, w)
	if err := bucket.Delete(t.Context(), "runs/rehearsal/gen-1/manifest.json"); err != nil {
		t.Fatal(err)
	}
	if got := serious(w.look(t)); got != "staged_partly" {
		t.Errorf("without its end: found %q", got)
	}
	for entry, err := range bucket.List(t.Context(), "runs/rehearsal/gen-1/shards/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(entry.Key, "/part-") && !strings.Contains(entry.Key, "/groups/") {
			if _, err := bucket.Put(t.Context(), entry.Key, []byte("damaged"), store.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := serious(w.look(t)); got != "staged_damaged" {
		t.Errorf("with broken parts: found %q", got)
	}
	if _, err := bucket.Put(t.Context(), "runs/rehearsal/plan.json", []byte("damaged"), store.Condition{}); err != nil {
		t.Fatal(err)
	}
	if got := serious(w.look(t)); got != "staged_damaged" {
		t.Errorf("with a broken plan: found %q", got)
	}
}

// TestStrangersOfAReconciliation: a whole reconciliation knows better than a
// sample.
func TestStrangersOfAReconciliation(t *testing.T) {
	t.Parallel()
	squatted := cognitoidp.UserSpec{Username: "ada", Attributes: userpool.Attributes{"email": "ada@example.com", "email_verified": "true"}}
	w := seeded(t, rehearsal.Options{Users: 40}, []cognitoidp.UserSpec{squatted})
	if _, err := w.Cognito.PutUser(w.Target.PoolID, squatted); err != nil {
		t.Fatal(err)
	}
	if f := find(t, w.look(t), preflight.AlreadyThere); !strings.Contains(f.Detail, "sample of 1") {
		t.Errorf("before: %+v", f)
	}
	w.execute(t, statemachines.Reconcile)
	r := w.look(t)
	if f := find(t, r, preflight.AlreadyThere); f.Users != 1 || !strings.Contains(f.Detail, "reconciliation") {
		t.Errorf("after: %+v", f)
	}
	if infos(r) != "pace_takes_most" {
		t.Errorf("the guard has what it needs, and %q", infos(r))
	}
	// Dropped, as forgetting somebody drops it.
	dropped := 0
	bucket := bucketOf(t, w)
	for entry, err := range bucket.List(t.Context(), "runs/rehearsal/gen-1/index-") {
		if err != nil {
			t.Fatal(err)
		}
		if err := bucket.Delete(t.Context(), entry.Key); err != nil {
			t.Fatal(err)
		}
		dropped++
	}
	if r := w.look(t); dropped == 0 || infos(r) != usual {
		t.Errorf("without the %d objects of the index: %q", dropped, infos(r))
	}
}

// TestFix adds what is missing, once, and looks again.
func TestFix(t *testing.T) {
	t.Parallel()
	o := rehearsal.Options{Users: 1}
	without("legacy_sub")(&o)
	w := open(t, o)
	p := w.preflight(t, nil)
	r := w.look(t)
	if steps := p.Plan(r); len(steps) != 1 || !strings.Contains(steps[0], w.Target.PoolID) || !r.Findings[0].Fix {
		t.Fatalf("plan %q", steps)
	}
	if err := p.Fix(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r = w.look(t)
	if serious(r) != "" || len(p.Plan(r)) != 0 {
		t.Errorf("after the fix: %q, plan %q", serious(r), p.Plan(r))
	}
	spec := w.target(t).Schema[userpool.AttrLegacySub]
	if !spec.Mutable || spec.Type != userpool.TypeString || spec.Max == nil || *spec.Max != 256 {
		t.Errorf("added %+v", spec)
	}
	if err := p.Fix(t.Context(), r); err == nil {
		t.Error("fixed what needs no fix")
	}
}

// TestBinary: the function as it is deployed answers, too.
func TestBinary(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", binary, "poolferry/lambdas/migrate-user")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o := rehearsal.Options{Binaries: map[string]string{"migrate-user": binary}}
	if got := serious(open(t, o).look(t)); got != "" {
		t.Errorf("found %q", got)
	}
	w := open(t, o)
	if err := login("cognito-idp:AdminGetUser", true)(w); err != nil {
		t.Fatal(err)
	}
	if got := serious(w.look(t)); got != "login_permission_missing" {
		t.Errorf("found %q", got)
	}
}

// TestKept: what was verified is kept, and speaks for this migration alone.
func TestKept(t *testing.T) {
	t.Parallel()
	w := open(t, rehearsal.Options{})
	p := w.preflight(t, nil)
	r := w.look(t)
	if err := p.Keep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	run := store.NewRun(bucketOf(t, w), w.Config.Run)
	v, err := run.ReadPreflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v.Profile != "id_token" || v.Blockers != 0 || v.Codes[preflight.PaceMost] != 1 || len(v.Read) != 8 {
		t.Errorf("kept %+v", v)
	}
	source, target := v.Source, v.Target
	if err := v.For(w.Config.Run, source, target, w.Config.Mapping); err != nil {
		t.Error(err)
	}
	if err := v.For(w.Config.Run, source, target, userpool.Mapping{}); err == nil {
		t.Error("speaks for another mapping")
	}
	if err := v.For("another", source, target, w.Config.Mapping); err == nil {
		t.Error("speaks for another run")
	}
	// Users come and go; settings are what it speaks of.
	if _, err := w.Cognito.PutUser(w.Source.PoolID, cognitoidp.UserSpec{Username: "new"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Read, w.look(t).Read); diff != "" {
		t.Errorf("digests differ after a user has come\n%s", diff)
	}
	cfg := *w.Config
	cfg.Source.ExportRoleARN = ""
	blind := w.preflight(t, &cfg)
	if r, err = blind.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := blind.Keep(t.Context(), r); err == nil {
		t.Error("kept what was not read")
	}
}
