package cli_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"poolferry/internal/reconcile"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// newMigration is an operator of a world that the test can act in, too.
func newMigration(t *testing.T, users int, faults ...string) (*operator, *rehearsal.World) {
	t.Helper()
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Users: users, Seed: 3, Speed: 100, Now: time.Now, Faults: strings.Join(faults, ","), LeastOperator: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	o := &operator{t: t, config: filepath.Join(t.TempDir(), "poolferry.yaml")}
	if err := os.WriteFile(o.config, w.YAML, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", w.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", w.Target.Operator.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", w.Target.Operator.SecretAccessKey.Reveal())
	o.bucket, err = store.OpenS3(t.Context(), store.S3Options{Bucket: w.Config.Staging.Bucket, Region: w.Target.Region, Env: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	return o, w
}

// signsIn signs the people of a kind in at the target, so that they move.
func signsIn(t *testing.T, w *rehearsal.World, kinds ...crowd.Kind) (moved map[string]bool) {
	t.Helper()
	app, err := w.App(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moved = map[string]bool{}
	for _, p := range w.People {
		for _, kind := range kinds {
			if p.Kind == kind {
				if s, err := app.SignIn(t.Context(), p.Name, p.Password, nil); err != nil || s.Challenge != "" {
					t.Fatalf("%s %d: %+v, %v", p.Kind, p.Index, s, err)
				}
				moved[string(p.User.Sub)] = true
			}
		}
	}
	return moved
}

// object is the only JSON object in a text.
func object[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// rowsOf are the JSON objects of a text, one on a line.
func rowsOf[T any](t *testing.T, text string) (all []T) {
	t.Helper()
	for line := range strings.Lines(text) {
		all = append(all, object[T](t, line))
	}
	return all
}

// status is as much of status --json as the tests look at.
type status struct {
	Version  int
	Complete bool
	Percent  *float64
	Verdicts map[string]int
	Reasons  map[string]map[string]int
	Forecast struct{ State, Why string }
	LastRuns []struct{ ID, State string } `json:"last_runs"`
	Seeding  *struct{ Standing string }
	Running  *struct{ ID string }
}

func TestReconcile(t *testing.T) {
	o, w := newMigration(t, 3*len(crowd.Kinds()))
	for _, early := range []string{"status", "status --watch", "report"} {
		o.types(early, cli.ExitNoRun, "it was never seeded", "poolferry seed start")
	}
	for _, early := range []string{"reconcile status", "reconcile findings", "reconcile pending", "reconcile idmap"} {
		o.types(early, cli.ExitNoRun, "has no reconciliation", "poolferry reconcile run")
	}
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	s := object[status](t, o.types("status --json", cli.ExitRunning, "Nothing was compared yet", "poolferry reconcile run"))
	if s.Percent != nil || s.Seeding == nil || s.Seeding.Standing != "done" || len(s.LastRuns) != 0 || s.Forecast.State != "too_early" {
		t.Errorf("before anything was compared: %+v", s)
	}
	o.types("status", cli.ExitRunning, "nothing was counted yet", "seeding      done, generation 1")

	moved := signsIn(t, w, crowd.Plain, crowd.Unicode, crowd.EmailName)
	ran := object[struct {
		Version        int
		ID, Execution  string
		Reconciliation struct {
			State                string
			Moved                int
			ToMove               int `json:"to_move"`
			Verdicts             map[string]int
			Stages               map[string]float64
			Rows                 struct{ IDMap, Pending int }
			TargetUsers, Buckets int
		}
	}](t, o.types("reconcile run --interval 100ms --json", cli.ExitDone,
		"nothing is written to a pool", "has begun", "Listing the target pool", "Closing: adding up", "It has ended after"))
	r := ran.Reconciliation
	if ran.Version != 1 || !strings.HasSuffix(ran.Execution, ":"+ran.ID) || r.State != "whole" || r.Moved != len(moved) || r.Rows.IDMap != len(moved) ||
		r.Verdicts["migrated"] != len(moved) || r.Verdicts["pending"] != r.ToMove-r.Moved || len(r.Stages) == 0 {
		t.Errorf("%d have moved: %+v", len(moved), ran)
	}
	o.types("reconcile status", cli.ExitDone, ran.ID, "whole", "signed_in", "not_signed_in", "stages", "of manifest")
	o.types("reconcile status "+ran.ID+" --json", cli.ExitDone, `"id":"`+ran.ID+`"`, `"bytes":{"manifest":`)
	o.types("reconcile status reconcile-nobody", cli.ExitNoRun, "has no reconciliation reconcile-nobody", "poolferry status")
	o.types("reconcile findings reconcile-nobody", cli.ExitNoRun)

	s = object[status](t, o.types("status --json", cli.ExitRunning, "goes on by itself"))
	pending := 0
	for _, n := range s.Reasons["pending"] {
		pending += n
	}
	if s.Version != 1 || s.Complete || s.Percent == nil || *s.Percent <= 0 || *s.Percent >= 100 || s.Verdicts["migrated"] != len(moved) ||
		pending != s.Verdicts["pending"] || len(s.Reasons["pending"]) < 4 || s.Forecast.Why == "" || len(s.LastRuns) != 1 || s.LastRuns[0].ID != ran.ID || s.Running != nil {
		t.Errorf("half done: %+v", s)
	}
	o.types("status", cli.ExitRunning, "have moved", "█", "░", "not_signed_in", "too early to say", ran.ID)
	o.interrupts("status --watch --interval 100ms --json", "The migration goes on without this command")
	o.testRows(ran.ID, moved, pending)
	o.testDamage(ran.ID)
	o.testFindings(w)
	o.testReport(w)
}

// testRows looks at what is listed line by line.
func (o *operator) testRows(id string, moved map[string]bool, pending int) {
	t := o.t
	t.Helper()
	type row struct {
		Version              int
		LegacySub            string `json:"legacy_sub"`
		Sub, Verdict, Reason string
	}
	rows := rowsOf[row](t, o.types("reconcile idmap", cli.ExitDone, "this is personal data", id))
	for _, r := range rows {
		if !moved[r.LegacySub] || r.Sub == "" || r.Verdict != "migrated" {
			t.Errorf("the id map has %+v", r)
		}
	}
	table, err := csv.NewReader(strings.NewReader(o.types("reconcile idmap --format csv "+id, cli.ExitDone))).ReadAll()
	if err != nil || len(rows) != len(moved) || len(table) != len(moved)+1 || strings.Join(table[0], ",") != "legacy_sub,sub,legacy_username,username,verdict,reason,joined_by" {
		t.Errorf("%d rows, %d of CSV: %v", len(rows), len(table), err)
	}
	left := rowsOf[row](t, o.types("reconcile pending --json", cli.ExitDone))
	for _, r := range left {
		if r.Version != 1 || r.Verdict != "pending" || r.Reason == "" || moved[r.Sub] {
			t.Errorf("pending has %+v", r)
		}
	}
	every := rowsOf[row](t, o.types("reconcile pending --all --json", cli.ExitDone))
	if len(left) != pending || len(every) <= pending {
		t.Errorf("%d and %d are left, want %d and more", len(left), len(every), pending)
	}
	o.types("reconcile pending --reason disabled", cli.ExitDone, "  pending            disabled\n", "the trigger refuses the user", "Enable the user at the source")
	if out := o.types("reconcile pending --reason federated", cli.ExitDone); out != "" {
		t.Errorf("federated users are excluded, not pending: %s", out)
	}
	o.types("reconcile findings", cli.ExitDone, "there are no findings")
}

// testFindings has somebody take the name of a user who has not moved.
func (o *operator) testFindings(w *rehearsal.World) {
	t := o.t
	t.Helper()
	var victim crowd.Person
	for _, p := range w.People {
		if p.Kind == crowd.PlusAddress {
			victim = p
		}
	}
	_, err := w.Cognito.PutUser(w.Target.PoolID, cognitoidp.UserSpec{
		Username: victim.User.Username, Attributes: userpool.Attributes{"email": "squatter@example.net"},
		Password: victim.Password, Status: userpool.StatusConfirmed,
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := object[struct{ ID string }](t, o.types("reconcile run --interval 100ms --json", cli.ExitFindings))
	o.types("reconcile status", cli.ExitFindings, "identity_taken", "critical")
	o.types("status", cli.ExitFindings, "identity_taken", "There are critical findings", "poolferry reconcile findings --severity critical")
	type finding struct {
		Version        int
		Kind, Severity string
		Source         string `json:"source_sub"`
	}
	for _, words := range []string{"--severity critical", "--kind identity_taken", "--kind identity_taken " + ran.ID} {
		found := rowsOf[finding](t, o.types("reconcile findings --json "+words, cli.ExitDone))
		if len(found) != 1 || found[0].Version != 1 || found[0].Kind != "identity_taken" || found[0].Severity != "critical" || found[0].Source != string(victim.User.Sub) {
			t.Errorf("findings %s: %+v", words, found)
		}
	}
	if out := o.types("reconcile findings --severity warning --json", cli.ExitDone); out != "" {
		t.Errorf("warnings: %s", out)
	}
	o.types("reconcile findings", cli.ExitDone, "identity_taken, 1 of them (critical)", string(victim.User.Sub), "Find out who created the target user")
}

// testReport writes pages.
func (o *operator) testReport(w *rehearsal.World) {
	t := o.t
	t.Helper()
	t.Chdir(t.TempDir())
	if out := o.types("report", cli.ExitDone); out != "poolferry-rehearsal-report.html\n" {
		t.Errorf("stdout of report is %q", out)
	}
	o.types("report", cli.ExitDone) // it replaces its own
	page, err := os.ReadFile("poolferry-rehearsal-report.html")
	if err != nil || !strings.HasPrefix(string(page), "<!doctype html>") {
		t.Fatal(err)
	}
	subs := func(page string) (n int) {
		for _, p := range w.People {
			n += strings.Count(page, string(p.User.Sub))
		}
		return n
	}
	if n := subs(string(page)); n > 0 {
		t.Errorf("the report has %d subs", n)
	}
	if named := o.types("report --with-identities --out -", cli.ExitDone, "for your own eyes"); subs(named) == 0 {
		t.Error("a report with identities has none")
	}
	if err := os.WriteFile("diary.html", []byte("<!doctype html><p>Dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.types("report --out diary.html", cli.ExitFailed, "is no report of poolferry", "--force")
	o.types("report --out diary.html --force", cli.ExitDone)
	if left, err := filepath.Glob(".poolferry-*"); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}

// testDamage changes a byte of an id map.
func (o *operator) testDamage(id string) {
	o.t.Helper()
	key := ""
	for entry, err := range o.bucket.List(o.t.Context(), "runs/rehearsal/reconcile/"+id+"/idmap/") {
		if err != nil {
			o.t.Fatal(err)
		}
		if strings.HasSuffix(entry.Key, ".jsonl.gz") {
			key = entry.Key
		}
	}
	sound, err := o.bucket.Get(o.t.Context(), key)
	if err != nil {
		o.t.Fatal(err)
	}
	damaged := bytes.Clone(sound.Body)
	damaged[len(damaged)/2] ^= 1
	o.put(key, damaged)
	if out := o.types("reconcile idmap", cli.ExitFailed, key, "is not all: do not use it"); strings.Count(out, "\n") > 0 {
		o.t.Errorf("rows of a damaged object: %s", out)
	}
	o.put(key, sound.Body)
	o.types("reconcile idmap", cli.ExitDone)
}

func TestCompletes(t *testing.T) {
	o, w := newMigration(t, 3)
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	signsIn(t, w, crowd.Plain, crowd.Unicode, crowd.PlusAddress)
	id := strings.TrimSpace(o.types("reconcile run --wait=false", cli.ExitDone, "See how it goes with"))
	if !regexp.MustCompile(`^reconcile-\d{8}T\d{6}Z-[0-9a-f]{4}$`).MatchString(id) {
		t.Errorf("id %q", id)
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.types("reconcile status "+id, cli.ExitDone, "whole", "100 %")
	o.types("status", cli.ExitRunning, "100 %", "Nobody is pending. One more whole reconciliation has to confirm it")
	o.types("reconcile run --interval 100ms", cli.ExitDone, "complete")
	o.types("status", cli.ExitDone, "complete, everybody of 3 users is accounted for", "The cut-over can begin")
	o.types("status --watch", cli.ExitDone, "100 %: 3 of 3 users have moved, 0 pending, complete")
	if s := object[status](t, o.types("status --watch --json", cli.ExitDone)); !s.Complete || *s.Percent != 100 || s.Forecast.State != "complete" {
		t.Errorf("%+v", s)
	}
}

func TestOneAtATime(t *testing.T) {
	o, w := newMigration(t, 3)
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	codes := make(chan int)
	var talks [2]bytes.Buffer
	for i := range talks {
		go func() {
			codes <- cli.Main(t.Context(), []string{"reconcile", "run", "--interval", "100ms", "--config", o.config}, strings.NewReader(""), new(bytes.Buffer), &talks[i])
		}()
	}
	if one, other := <-codes, <-codes; min(one, other) != cli.ExitDone || max(one, other) != cli.ExitLeaseHeld {
		t.Errorf("two at once end with %d and %d:\n%s\n%s", one, other, talks[0].String(), talks[1].String())
	}
	o.types("reconcile status", cli.ExitDone)

	// Somebody is at work, then was killed.
	began := time.Now().UTC()
	lease := func(until time.Time) {
		data, err := reconcile.Lease{
			Run: "rehearsal", ID: "other", Execution: "arn:aws:states:eu-central-1:222222222222:execution:poolferry-rehearsal-reconcile:other",
			Taken: began, Until: until,
		}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		o.put("runs/rehearsal/lease.json", data)
	}
	lease(began.Add(time.Hour))
	o.types("reconcile run", cli.ExitLeaseHeld, "reconciliation other", "since "+began.Format("2006-01-02T15:04:05Z"), "until ", "poolferry reconcile status other")
	o.types("reconcile status other", cli.ExitRunning, "its lease runs for")
	if s := object[status](t, o.types("status --json", cli.ExitRunning)); s.Running == nil || s.Running.ID != "other" {
		t.Errorf("%+v", s)
	}
	o.types("reconcile status --json", cli.ExitRunning, `"id":"other"`, `"running":{"id":"other"`, `"reconciliation":{"id":"reconcile-`)
	lease(began.Add(-time.Second))
	o.types("status", cli.ExitRunning, "its lease ran out", "Reconciliation other was killed. The next one takes over")
	o.types("reconcile status other", cli.ExitFailed, "It was killed")

	// Interrupted while it follows: the reconciliation goes on, and takes over.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	talk := &until{word: "has begun.", then: stop}
	if code := cli.Main(ctx, []string{"reconcile", "run", "--config", o.config}, strings.NewReader(""), new(bytes.Buffer), talk); code != cli.ExitInterrupted ||
		!strings.Contains(talk.text.String(), "The reconciliation goes on without this command; 'poolferry reconcile status reconcile-") {
		t.Errorf("interrupted: exit %d, %s", code, talk.text.String())
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.types("reconcile status", cli.ExitDone)
}

// until calls a function when a word is written.
type until struct {
	word string
	then func()
	text strings.Builder
}

func (u *until) Write(p []byte) (int, error) {
	if strings.Contains(string(p), u.word) {
		u.then()
	}
	return u.text.Write(p)
}

func TestFailedAndPartial(t *testing.T) {
	o, w := newMigration(t, 3, "lambda.match-names=crash:100%")
	o.types("reconcile run --interval 100ms --json", cli.ExitFailed, "A step has failed: recording it", "has ended as FAILED: ", `"state":"failed"`, "poolferry reconcile run")
	o.types("status", cli.ExitFindings, "nothing was counted yet", "failed: ", "The last reconciliation has failed")
	o.types("reconcile status", cli.ExitFailed, "nothing was counted")
	id := object[struct{ ID string }](t, o.types("reconcile status --json", cli.ExitFailed)).ID
	for _, rows := range []string{"findings ", "pending ", "idmap "} {
		o.types("reconcile "+rows+id, cli.ExitFailed, "it has counted nothing", "begin another")
		o.types("reconcile "+rows, cli.ExitNoRun, "has no reconciliation")
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}

	o, w = newMigration(t, 3)
	o.types("reconcile run --interval 100ms", cli.ExitFindings, "nothing_staged: nothing is staged to compare with")
	o.types("status", cli.ExitFindings, "nothing was counted yet", "partial: nothing_staged", "The last reconciliation is partial: nothing is staged to compare with")
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	if err := o.bucket.Delete(t.Context(), o.key("gen-1/manifest.json")); err != nil {
		t.Fatal(err)
	}
	signsIn(t, w, crowd.Plain)
	o.types("reconcile run --interval 100ms", cli.ExitFindings, "not_closed: the seeding is not done", "33.3 %: 1 of 3 users")
	o.types("status", cli.ExitFindings, "1 of 3 users have moved", "partial: not_closed", "these are not all users", "The last reconciliation is partial")
	o.types("reconcile idmap", cli.ExitDone, "It is partial, so this is not about all users", "Rows: 1.")
	o.types("report --out -", cli.ExitDone, "<!doctype html>")
}
