package e2e_test

import (
	"strings"
	"testing"

	"poolferry/internal/cutover"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// TestPasswordOfTodaySurvives: somebody has changed the password at the target
// after moving. It is theirs before and after a cut-over and a roll-back, and the
// old one is nobody's. Who has not moved can still do so after the roll-back.
func TestPasswordOfTodaySurvives(t *testing.T) {
	t.Parallel()
	m := staged(t, rehearsal.Options{}, persons("ann", "late")...)
	m.moves("ann")
	m.resets("ann")
	for range 2 {
		m.reconciles()
	}
	if err := m.AddProbe(); err != nil {
		t.Fatal(err)
	}
	c, err := m.Cutover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cutOver := func() {
		t.Helper()
		plan, err := c.Plan(t.Context(), cutover.Choice{Accept: []verdict.Reason{verdict.NotSignedIn}})
		if err != nil || !plan.Passed {
			t.Fatalf("%v, %v", plan.Blocked(), err)
		}
		if err := c.Begin(t.Context(), plan, "test"); err != nil {
			t.Fatal(err)
		}
		if j, err := c.GoOn(t.Context()); err != nil || j.State != cutover.CutOver {
			t.Fatalf("%+v, %v", j, err)
		}
	}
	ways := map[string]func(string, userpool.Secret) (userpool.Secret, error){"password": m.signIn, "SRP": m.signInSRP}
	ann := func(when, open string) {
		t.Helper()
		for way, signIn := range ways {
			if _, err := signIn("ann", anotherOf("ann")); (err == nil) != (way == open) {
				t.Errorf("%s, by %s with the new password: %v", when, way, err)
			}
			if _, err := signIn("ann", passwordOf("ann")); err == nil {
				t.Errorf("%s, by %s: the old password opens", when, way)
			}
		}
	}
	asked := m.SourceSignIns()
	ann("before", "password")
	cutOver()
	ann("cut over", "SRP")
	if token, err := m.signInSRP("ann", anotherOf("ann")); err != nil || claims(t, token)["legacy_sub"] != string(subOf("ann")) {
		t.Errorf("the claim stays: %v, %v", claims(t, token), err)
	}
	if _, err := m.signInSRP("late", passwordOf("late")); err == nil || len(m.here()) != 1 {
		t.Errorf("somebody moved after the cut-over: %v, %d here", err, len(m.here()))
	}
	back, err := c.PlanRollBack(t.Context())
	if err == nil {
		err = c.BeginRollBack(t.Context(), back, "test", false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if j, err := c.GoOn(t.Context()); err != nil || j.State != cutover.RolledBack {
		t.Fatalf("%+v, %v", j, err)
	}
	ann("rolled back", "password")
	if n := m.SourceSignIns() - asked; n != 0 {
		t.Errorf("the source was asked %d times about ann", n)
	}
	m.moves("late")
	for range 2 {
		m.reconciles()
	}
	cutOver()
	ann("cut over again", "SRP")
	if _, err := m.signInSRP("late", passwordOf("late")); err != nil {
		t.Errorf("late: %v", err)
	}
}

// TestPurgeAfterCutover: what docs/privacy.md names stays, and nothing that speaks
// of anybody.
func TestPurgeAfterCutover(t *testing.T) {
	t.Parallel()
	m := staged(t, rehearsal.Options{}, append(persons("ann", "ben"), left(3)...)...)
	m.moves("ann", "ben")
	m.plans()
	if sum := m.imported(); sum.Imported != 3 {
		t.Errorf("%+v", sum)
	}
	m.reconciles()
	m.deletes("ben")
	m.types("forget --yes "+string(subOf("ben")), cli.ExitDone)
	for range 2 {
		m.reconciles()
	}
	if err := m.AddProbe(); err != nil {
		t.Fatal(err)
	}
	m.types("purge --yes --run rehearsal", cli.ExitFailed, "was not cut over")
	m.types("cutover --yes", cli.ExitDone)
	m.types("purge --yes --run rehearsal", cli.ExitDone)
	kept := map[string]int{"progress.json": 0, "cutover/": 0, "forgotten/": 0, "purged/": 0}
	old, latest := m.versions()
	for _, key := range append(old, latest...) {
		name, _ := strings.CutPrefix(key, "runs/rehearsal/")
		folder, _, isFolder := strings.Cut(name, "/")
		if isFolder {
			folder += "/"
		}
		if _, ok := kept[folder]; !ok {
			t.Errorf("left: %s", key)
			continue
		}
		kept[folder]++
	}
	for folder, n := range kept {
		if n == 0 {
			t.Errorf("%s is gone", folder)
		}
	}
	m.searched("ann", "ben", "left-00")
	m.types("status", cli.ExitDone)
	m.types("rollback --yes", cli.ExitDone, "is rolled back")
	m.moves("ann")
}
