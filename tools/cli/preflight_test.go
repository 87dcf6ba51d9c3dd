package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/tools/cli"
)

// edit changes the configuration file.
func (o *operator) edit(old, changed string) {
	o.t.Helper()
	text, err := os.ReadFile(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		o.t.Fatalf("%q is not in the configuration", old)
	}
	if err := os.WriteFile(o.config, bytes.Replace(text, []byte(old), []byte(changed), 1), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// unhurried gives the configuration the pace that AWS's default quotas allow: that
// of a sandbox is of one who is in a hurry.
func (o *operator) unhurried() {
	o.t.Helper()
	text, err := os.ReadFile(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), "\npace:\n")
	_, after, ok := strings.Cut(rest, "\naudit:\n")
	if !ok {
		o.t.Fatalf("the configuration has no pace before its audit: %s", text)
	}
	pace := "\npace:\n  user_list: 30\n  user_read: 40\n  user_update: 8\n"
	if err := os.WriteFile(o.config, []byte(before+pace+"\naudit:\n"+after), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// codesOf are the codes of the findings of a report in JSON.
func codesOf(t *testing.T, report string) (codes []string) {
	t.Helper()
	var r struct{ Findings []struct{ Code string } }
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatalf("%v: %s", err, report)
	}
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestPreflight(t *testing.T) {
	o := newOperator(t, "61")
	o.unhurried()
	o.types("seed start --yes", cli.ExitDone, "Nobody has checked this migration yet: see 'poolferry preflight --config")
	o.types("seed watch --interval 100ms", cli.ExitDone)

	text := o.types("preflight", cli.ExitDone, "run rehearsal: ready", "generation 1, 61 users", "id_token is configured, id_token is right",
		"Looking at the source pool.", "What was verified is kept in s3://poolferry-rehearsal")
	if strings.Contains(text, "@") {
		t.Errorf("somebody is named: %s", text)
	}
	if o.key("preflight.json") == "" {
		t.Error("nothing was kept")
	}
	var report struct {
		Version  int
		Ready    bool
		Findings []struct{ Code, Severity, Meaning, Advice string }
		Profile  struct{ Safe string }
		Staged   struct{ Users int }
	}
	out := o.types("preflight --json", cli.ExitDone)
	if err := json.Unmarshal([]byte(out), &report); err != nil || !strings.HasPrefix(out, `{"version":1,"run":"rehearsal",`) || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if !report.Ready || report.Profile.Safe != "id_token" || report.Staged.Users != 61 {
		t.Errorf("report %+v", report)
	}
	// The functions have the pace that the file had; they settle by it.
	if diff := cmp.Diff([]string{"guard_unsure", "deployed_differently", "pace_takes_most"}, codesOf(t, out)); diff != "" {
		t.Errorf("findings (-want +got)\n%s", diff)
	}
	// Now the guard can look names up.
	o.types("reconcile run --interval 100ms", cli.ExitDone)
	if diff := cmp.Diff([]string{"deployed_differently", "pace_takes_most"}, codesOf(t, o.types("preflight --json", cli.ExitDone))); diff != "" {
		t.Errorf("findings, reconciled (-want +got)\n%s", diff)
	}
	o.types("preflight --fix --yes", cli.ExitDone, "There is nothing that --fix can repair")
	// The second seeding says nothing, until the mapping is another.
	if code := o.talk("seed start --yes --generation new"); strings.Contains(code, "checked this migration") {
		t.Errorf("checked, and it says %s", code)
	}

	o.edit("mfa_policy: verify", "mfa_policy: accept")
	o.types("preflight", cli.ExitFindings, "can start, decide first: 0 blockers, 1 warning", "trigger_configured_differently", "= mfa_policy (UserMigration,")
	o.edit("sms_mfa: true", "sms_mfa: false")
	o.types("preflight", cli.ExitFindings, "sms_mfa_unused", "      target:\n        sms_mfa: true")
	o.edit("pool_id: eu-central-1_", "pool_id: eu-central-1_X")
	o.types("preflight", cli.ExitFindings, "not ready: ", "target_pool_missing", "Source or target pool could not be read, so nothing was kept.")
	o.edit("bucket: poolferry-rehearsal", "bucket: poolferry-elsewhere")
	o.types("preflight --json", cli.ExitFindings, `"ready":false`, `"code":"bucket_missing"`)
}

// talk types a command and returns what it says.
func (o *operator) talk(command string) string {
	o.t.Helper()
	var talk bytes.Buffer
	cli.Main(o.t.Context(), append(strings.Fields(command), "--config", o.config), strings.NewReader(""), new(bytes.Buffer), &talk)
	return talk.String()
}

// TestPreflightAgainst: a preflight that has found blockers is remembered.
func TestPreflightAgainst(t *testing.T) {
	o := newOperator(t, "5")
	o.edit("  client_secret: env:POOLFERRY_CLIENT_SECRET\n", "")
	o.types("preflight", cli.ExitFindings, "source_secret_mismatch")
	o.types("seed start --yes", cli.ExitDone, "has found 1 blockers: see 'poolferry preflight")
	o.types("seed watch --interval 100ms", cli.ExitDone)
	o.edit("    - lower: email\n", "")
	if said := o.talk("seed start --yes"); strings.Contains(said, "has found") {
		t.Errorf("of another mapping: %s", said)
	}
	o.types("preflight", cli.ExitFindings, "run_plan_differs", "begin a new run")
}
