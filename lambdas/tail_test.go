package lambdas_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
	"poolferry/lambdas"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// TestTailMeetsPeople imports a pool while its people sign in through the real
// trigger: before their file is imported, while it is, and after. Whoever comes
// first, there is one user for each of them, and it works.
func TestTailMeetsPeople(t *testing.T) {
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		t.Run(string(shape), func(t *testing.T) { meet(t, shape) })
	}
}

const tailID = "tail-20261121T060000Z-4f1c"

func meet(t *testing.T, shape crowd.Shape) {
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Users: 4 * len(crowd.Kinds()), Seed: 5, Speed: 100, Shape: shape, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	begin := func(definition, name string) {
		t.Helper()
		workflows, err := w.Workflows(t.Context())
		if err == nil {
			if name == "" {
				_, err = workflows.Start(t.Context(), definition, map[string]string{"run": w.Config.Run})
			} else {
				_, err = workflows.Begin(t.Context(), definition, name, map[string]string{"run": w.Config.Run})
			}
		}
		if err == nil {
			err = w.States.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	begin(statemachines.Preseed, "")
	begin(statemachines.Reconcile, "before")

	of, err := lambdas.NewTail(t.Context(), w.Config, lambdas.Environment{Lookup: w.OperatorEnv(), Stdout: io.Discard, Now: time.Now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := of.Plan(t.Context(), tail.Choice{Import: tail.Importable()})
	if err == nil {
		p, err = of.Create(t.Context(), tailID, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := of.Plan(t.Context(), tail.Choice{Import: tail.Importable()})
	again.ID, again.Created = p.ID, p.Created
	if diff := cmp.Diff(p, again); err != nil || diff != "" {
		t.Errorf("the same plan is another: %v %s", err, diff)
	}
	if opened, err := of.Open(t.Context(), tail.OpenInput{Run: p.Run, ID: p.ID, Execution: "arn"}); err != nil || opened.Held {
		t.Fatalf("%+v, %v", opened, err)
	}
	for more := true; more; {
		written, err := of.Write(t.Context(), tail.WriteInput{Run: p.Run, ID: p.ID})
		if err != nil {
			t.Fatal(err)
		}
		more = written.More
	}
	app, err := w.App(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	can := slices.DeleteFunc(slices.Clone(w.People), func(p crowd.Person) bool {
		return !p.Migrates() || !p.ResetMoves || p.User.Status != userpool.StatusConfirmed
	})
	third := len(can) / 3
	reset := map[string]int{}
	come := func(when string, people []crowd.Person) {
		t.Helper()
		for _, person := range people {
			if comes(t, w, app, person) {
				reset[when]++
			}
		}
	}
	come("before", can[:third])
	if reset["before"] != 0 {
		t.Errorf("%d had to choose a password before anybody was imported", reset["before"])
	}
	met := false
	for {
		step, err := of.Import(t.Context(), tail.ImportInput{Run: p.Run, ID: p.ID})
		if err != nil {
			t.Fatal(err)
		}
		if !step.More {
			break
		}
		if step.State == tail.StepRunning {
			if !met {
				come("meanwhile", can[third:2*third])
				met = true
			}
			w.Cognito.WaitImports()
		}
	}
	come("after", can[2*third:])
	if reset["after"] != len(can)-2*third || !met {
		t.Errorf("%d of %d had to choose a password after they were imported", reset["after"], len(can)-2*third)
	}
	out, err := of.Close(t.Context(), tail.CloseInput{Run: p.Run, ID: p.ID})
	if err != nil || !out.Complete || out.Imported+out.Skipped != p.Rows || out.Skipped < third || out.Imported < reset["after"] {
		t.Errorf("%+v of %d rows, %v", out, p.Rows, err)
	}
	for f, err := range of.Failures(t.Context(), p.ID) {
		if err != nil || f.Reason != string(tail.RefusedNoContact) {
			t.Errorf("%+v, %v", f, err)
		}
	}
	once := map[string]int{}
	for u := range w.Cognito.Users(w.Target.PoolID) {
		once[u.Attributes[userpool.AttrLegacySub]]++
	}
	for sub, n := range once {
		if n != 1 || sub == "" {
			t.Errorf("%q is %d users of the target", sub, n)
		}
	}
	if len(once) != p.Rows {
		t.Errorf("%d users at the target, %d rows", len(once), p.Rows)
	}

	begin(statemachines.Reconcile, "afterwards")
	r, err := w.Reconciliation(t.Context())
	var s reconcile.Summary
	if err == nil {
		s, err = r.Summary(t.Context(), "afterwards")
	}
	if err != nil {
		t.Fatal(err)
	}
	// Who was imported and has chosen a password since has moved like anybody.
	if s.Verdicts[verdict.Migrated] != len(can) || s.Verdicts[verdict.Imported] != p.Rows-len(can) {
		t.Errorf("%v: %d came, %d were in files", s.Verdicts, len(can), p.Rows)
	}
}

// comes signs a person in at the target, who chooses a new password where that is
// what it takes.
func comes(t *testing.T, w *rehearsal.World, app *cognito.App, p crowd.Person) (reset bool) {
	t.Helper()
	var metadata map[string]string
	if p.SendsCode {
		metadata = map[string]string{"mfa_code": w.TOTP(p).Reveal()}
	}
	s, err := app.SignIn(t.Context(), p.Name, p.Password, metadata)
	if err == nil && (s.Done || strings.HasPrefix(s.Challenge, "SMS")) {
		return false
	}
	if err := app.ForgotPassword(t.Context(), p.Name, nil); err != nil {
		t.Fatalf("%s %d: %v", p.Kind, p.Index, err)
	}
	code, ok := w.LastCode(p)
	if !ok {
		t.Fatalf("%s %d was sent no code", p.Kind, p.Index)
	}
	if err := app.ConfirmForgotPassword(t.Context(), p.Name, code, p.Fresh); err != nil {
		t.Fatalf("%s %d: %v", p.Kind, p.Index, err)
	}
	if s, err := app.SignIn(t.Context(), p.Name, p.Fresh, nil); err != nil || !s.Done && !strings.HasPrefix(s.Challenge, "SMS") {
		t.Fatalf("%s %d: %+v, %v", p.Kind, p.Index, s, err)
	}
	return true
}
