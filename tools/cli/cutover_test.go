package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cloudwatch"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// probing gives the world a probe and CloudWatch.
func probing(t *testing.T, o *operator, w *rehearsal.World) {
	t.Helper()
	// A world that has it already needs none.
	_ = w.Sandbox.Register(cloudwatch.New(cloudwatch.Options{Account: w.Target.Account, Region: w.Target.Region, Now: time.Now}))
	if _, err := w.Cognito.PutUser(w.Target.PoolID, cognitoidp.UserSpec{Username: "poolferry-probe", Password: userpool.NewSecret("Probe-passw0rd")}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POOLFERRY_PROBE_PASSWORD", "Probe-passw0rd")
	text, err := os.ReadFile(o.config)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("\ncutover:")) {
		return
	}
	text = append(text, "cutover:\n  probe_username: poolferry-probe\n  probe_password: env:POOLFERRY_PROBE_PASSWORD\n  probe_client_id: "+w.Target.Client.ID+"\n"...)
	if err := os.WriteFile(o.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// outcome is as much of cutover --json as the test looks at.
type outcome struct {
	Version    int
	ID, State  string
	Done       bool
	RolledBack bool `json:"rolled_back"`
	SRPSignIn  bool `json:"srp_sign_in"`
	Plan       *struct {
		Passed bool
		Gates  []struct{ Name, State, Found string }
	}
}

func acceptAll() string {
	var all []string
	for _, reason := range verdict.PendingReasons() {
		all = append(all, string(reason))
	}
	return " --accept " + strings.Join(all, ",")
}

func TestCutover(t *testing.T) {
	o, w := newMigration(t, 2*len(crowd.Kinds()))
	probing(t, o, w)
	o.types("rollback --yes", cli.ExitNoRun, "was never cut over", "poolferry status")
	o.types("cutover plan", cli.ExitFindings, "there is no whole reconciliation", "blocked  complete", "Not ready for cut-over: complete, agree, fresh, findings")
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	signsIn(t, w, crowd.Plain)
	for range 2 {
		o.types("reconcile run --interval 100ms", cli.ExitDone)
	}
	o.types("cutover plan --accept reasons-of-my-own", cli.ExitUsage, "is not known")
	o.types("cutover", cli.ExitUsage, "there is no terminal to ask at")
	blocked := object[outcome](t, o.types("cutover --yes --json", cli.ExitFindings, "users are pending"))
	if blocked.Done || blocked.Plan == nil || blocked.Plan.Passed || blocked.ID != "" {
		t.Errorf("blocked: %+v", blocked)
	}

	accept := acceptAll() // everybody else stays behind
	plan := o.types("cutover plan"+accept, cli.ExitDone, "warning  complete", "all for reasons that were accepted", "passed   probe",
		"LambdaConfig.UserMigration: arn:aws:lambda:", " → (not set)", `ExplicitAuthFlows: ["ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"] → ["ALLOW_USER_SRP_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`, "(people's app)")
	if strings.Contains(plan, "Probe-passw0rd") || strings.Contains(plan, "@") {
		t.Errorf("the plan shows a secret, or somebody: %s", plan)
	}
	o.types("cutover check", cli.ExitFindings, "not cut over", "LambdaConfig.UserMigration")

	// Ctrl-C, half-way.
	ctx, stop := context.WithCancel(t.Context())
	talk := &until{word: "Changing pool", then: stop}
	if code := cli.Main(ctx, strings.Fields("cutover --yes --config "+o.config+accept), strings.NewReader(""), io.Discard, talk); code != cli.ExitInterrupted ||
		!strings.Contains(talk.text.String(), "Interrupted: it is cutting-over.") || !strings.Contains(talk.text.String(), "poolferry rollback") {
		t.Errorf("interrupted: exit %d, %s", code, talk.text.String())
	}
	o.types("rollback --yes", cli.ExitDone, "is rolled back")

	done := object[outcome](t, o.types("cutover --yes --json"+accept, cli.ExitDone, "Changing pool", "Proving it by signing in", "is cut over", "poolferry rollback"))
	if !done.Done || done.RolledBack || !done.SRPSignIn || done.State != "cut-over" || done.Plan == nil {
		t.Errorf("done: %+v", done)
	}
	o.types("cutover --yes", cli.ExitDone, "is cut over already", "run rehearsal: cut over", "the probe has signed in by SRP; 1 clients refuse passwords")
	o.types("cutover check --json", cli.ExitDone, `"done":true`, `"left":[]`)
	app, err := w.App(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who := w.People[slices.IndexFunc(w.People, func(p crowd.Person) bool { return p.Kind == crowd.Plain })]
	if _, err := app.SignIn(t.Context(), who.Name, who.Password, nil); err == nil || !strings.Contains(err.Error(), "flow not enabled") {
		t.Errorf("the password flow: %v", err)
	}
	if s, err := app.SignInSRP(t.Context(), w.Target.PoolID, who.Name, who.Password); err != nil || !s.Done {
		t.Errorf("by SRP: %+v, %v", s, err)
	}

	// A roll-back that was killed: who goes on with a cut-over ends without one.
	c, err := w.Cutover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.PlanRollBack(t.Context())
	if err == nil {
		err = c.BeginRollBack(t.Context(), back, "ann@host", false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if ended := object[outcome](t, o.types("cutover --yes --json", cli.ExitFailed, "is rolling-back: going on", "is not cut over", "begin again")); ended.Done || !ended.RolledBack {
		t.Errorf("ended: %+v", ended)
	}
	o.types("cutover --yes"+accept, cli.ExitDone, "is cut over")

	// Others change something; it is named, and kept. To take a cut-over back nobody
	// signs in.
	t.Setenv("POOLFERRY_PROBE_PASSWORD", "")
	if err := w.Cognito.ChangeClient(w.Target.PoolID, w.Target.Client.ID, func(s *cognitoidp.ClientSettings) { s.AuthSessionValidity = 7 }); err != nil {
		t.Fatal(err)
	}
	o.types("rollback --yes", cli.ExitFindings, "CHANGED BY OTHERS SINCE", "AuthSessionValidity: 3 → 7", "--keep-changed")
	o.types("rollback --yes --keep-changed", cli.ExitDone, "is rolled back", "kept      client "+w.Target.Client.ID+": AuthSessionValidity")
	o.types("rollback --yes --json", cli.ExitDone, "is rolled back already", `"rolled_back":true`)
	if s, err := app.SignIn(t.Context(), who.Name, who.Password, nil); err != nil || !s.Done {
		t.Errorf("after the roll-back: %+v, %v", s, err)
	}
	signsIn(t, w, crowd.Unicode) // who had not moved yet
}

// TestCutoverOfTerraform: what to change is shown, and nothing else happens.
func TestCutoverOfTerraform(t *testing.T) {
	o, w := newMigration(t, len(crowd.Kinds()))
	probing(t, o, w)
	text, err := os.ReadFile(o.config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("\ncutover:\n"), []byte("\ncutover:\n  managed_by: terraform\n"), 1)
	if err := os.WriteFile(o.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	for range 2 {
		o.types("reconcile run --interval 100ms", cli.ExitDone)
	}
	o.types("cutover --yes"+acceptAll(), cli.ExitFindings, "Terraform owns pool "+w.Target.PoolID, `phase = "cut-over"`, "poolferry cutover check")
	o.types("cutover check", cli.ExitFindings, "LambdaConfig.UserMigration")
	if err := w.Cognito.SetTriggers(w.Target.PoolID, cognitoidp.Triggers{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Cognito.ChangeClient(w.Target.PoolID, w.Target.Client.ID, func(s *cognitoidp.ClientSettings) { s.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH"} }); err != nil {
		t.Fatal(err)
	}
	o.types("cutover check", cli.ExitDone, "run rehearsal: cut over, the probe has signed in by SRP")
	o.types("cutover --yes", cli.ExitDone, "is cut over already")
	o.types("rollback --yes", cli.ExitFindings, `phase = "migrating"`)
}
