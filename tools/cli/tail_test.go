package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"poolferry/internal/sandbox/crowd"
	"poolferry/tools/cli"
)

// plan is as much of tail plan --json as the tests look at.
type plan struct {
	Version        int
	Reconciliation string
	Reasons        []struct {
		Reason, Choice                string
		Pending, Excluded, Importable int
		Refused                       map[string]int
	}
	Exclude []string
	Import  struct {
		Users, Files, Emails, SMS int
		ActiveUsers               int `json:"active_users"`
	}
	Warnings []struct {
		Warning string
		Users   int
	}
}

// progress is as much of tail status --json as the tests look at.
type progress struct {
	Version                                                 int
	ID, Standing                                            string
	Planned, Rows, Imported, Skipped, Failed, Refused, Left int
	Files                                                   []struct{ Job string }
}

func TestTail(t *testing.T) {
	o, w := newMigration(t, 3*len(crowd.Kinds()))
	for _, early := range []string{"tail plan", "tail start --yes --import all"} {
		o.types(early, cli.ExitNoRun, "has no reconciliation", "poolferry reconcile run")
	}
	for _, early := range []string{"tail status", "tail watch", "tail failures", "tail status tail-none", "tail start tail-none --yes"} {
		o.types(early, cli.ExitNoRun, "has no import", "poolferry tail plan")
	}
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	signsIn(t, w, crowd.Plain)
	o.types("reconcile run --interval 100ms", cli.ExitDone)

	o.types("tail plan", cli.ExitDone, "not_signed_in", "wait", "nobody", "Nothing is chosen", "no_verified_contact", "never")
	p := object[plan](t, o.types("tail plan --import all,disabled --exclude unconfirmed --json", cli.ExitDone))
	if all := object[plan](t, o.types("tail plan --import all --exclude unconfirmed --json", cli.ExitDone)); all.Import.Users >= p.Import.Users {
		t.Errorf("all without those who are disabled: %d of %d users", all.Import.Users, p.Import.Users)
	}
	if p.Version != 1 || p.Import.Users == 0 || p.Import.Files != 1 || p.Import.ActiveUsers != 0 || p.Import.Emails+p.Import.SMS != p.Import.Users ||
		len(p.Exclude) != 1 || p.Exclude[0] != "unconfirmed" || len(p.Warnings) == 0 {
		t.Errorf("%+v", p)
	}
	for command, word := range map[string]string{
		"tail plan --import federated":                `--import: "federated" is not known`,
		"tail plan --import disabled --wait disabled": "there is a choice for disabled already, --wait",
		"tail plan --exclude nobody":                  `--exclude: "nobody" is not known`,
		"tail start --yes":                            "nothing is chosen",
		"tail start --yes tail-1 --import all":        "an import that goes on has its plan",
		"tail start --import all":                     "there is no terminal to ask at",
		"tail status a/b":                             "is no id of an import",
		"tail status " + strings.Repeat("x", 41):      "is no id of an import",
		"tail watch --interval 1ms":                   "is shorter than",
	} {
		o.types(command, cli.ExitUsage, word)
	}

	begun := object[struct {
		Version       int
		ID, Execution string
		Plan          plan
	}](t, o.types("tail start --import all,disabled --exclude unconfirmed --yes --json", cli.ExitDone, "about", "no active users, no messages", "settling disables them", "poolferry tail watch"))
	if begun.Version != 1 || !strings.HasSuffix(begun.Execution, ":"+begun.ID) || begun.Plan.Import.Users != p.Import.Users {
		t.Errorf("%+v", begun)
	}
	o.types("tail watch --interval 100ms", cli.ExitFindings, "done", "imported", "poolferry tail failures "+begun.ID)
	s := object[progress](t, o.types("tail status --json", cli.ExitFindings))
	if s.Version != 1 || s.ID != begun.ID || s.Standing != "done" || s.Imported != p.Import.Users || s.Failed != 0 || s.Refused == 0 || s.Left != 0 || len(s.Files) != 1 || s.Files[0].Job == "" {
		t.Errorf("%+v", s)
	}
	o.types("tail status "+begun.ID, cli.ExitFindings, "done", "Succeeded", begun.ID)
	again := rowsOf[progress](t, o.types("tail watch --interval 100ms --json "+begun.ID, cli.ExitFindings))
	if len(again) != 1 || again[0].ID != begun.ID {
		t.Errorf("%+v", again)
	}
	o.types("tail start --yes "+begun.ID, cli.ExitDone, "Everybody has an outcome: nothing was started")

	retry := filepath.Join(t.TempDir(), "retry.csv")
	failures := rowsOf[struct {
		Version     int
		Sub, Reason string
	}](t, o.types("tail failures --json --retry "+retry, cli.ExitDone, "No row was refused: "+retry+" was not written"))
	if len(failures) != s.Refused || failures[0].Reason != "no_verified_contact" || len(failures[0].Sub) != 36 {
		t.Errorf("%d refused: %+v", s.Refused, failures)
	}
	o.types("tail failures", cli.ExitDone, "no_verified_contact", failures[0].Sub)
	if _, err := os.Stat(retry); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file of nobody: %v", err)
	}
	if err := os.WriteFile(retry, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if listed := o.types("tail failures --retry "+retry, cli.ExitUsage, "exists already"); listed != "" {
		t.Errorf("listed before the file was looked at: %s", listed)
	}

	// The next reconciliation knows, and what was excluded stays so.
	o.types("reconcile run --interval 100ms", cli.ExitDone)
	after := object[status](t, o.types("status --json", cli.ExitRunning))
	if after.Verdicts["imported"] != s.Imported || after.Reasons["excluded"]["unconfirmed"] == 0 {
		t.Errorf("%+v", after.Verdicts)
	}
	kept := object[plan](t, o.types("tail plan --json", cli.ExitDone))
	if len(kept.Exclude) != 1 || kept.Import.Users != 0 {
		t.Errorf("%+v", kept)
	}
	waits := object[plan](t, o.types("tail plan --json --wait unconfirmed", cli.ExitDone))
	if len(waits.Exclude) != 0 {
		t.Errorf("%+v", waits)
	}
	only := object[struct{ Done bool }](t, o.types("tail start --yes --json --exclude unconfirmed,not_signed_in,disabled", cli.ExitDone, "Nobody is to be imported"))
	if !only.Done {
		t.Errorf("%+v", only)
	}
	o.types("tail status", cli.ExitDone, "planned")
	o.types("reconcile run --interval 100ms", cli.ExitDone)
	o.types("reconcile run --interval 100ms", cli.ExitDone)
	o.types("status", cli.ExitDone, "100")
}
