package rehearsal_test

import (
	"strings"
	"testing"
	"time"

	"poolferry/internal/sandbox/crowd"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// TestScheduledReconciliation fires the schedule of a world in which nobody has
// moved, and again after everything is staged.
func TestScheduledReconciliation(t *testing.T) {
	var functionLog log
	w := open(t, rehearsal.Options{Users: 3 * len(crowd.Kinds()), Seed: 2, Speed: 20, FunctionLog: &functionLog})
	workflows, err := w.Workflows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workflows.Start(t.Context(), statemachines.Preseed, map[string]string{"run": w.Config.Run}); err != nil {
		t.Fatal(err)
	}
	wait(t, w)
	began := time.Now()
	if err := w.FireSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait(t, w)
	t.Logf("took %s\n%s", time.Since(began), functionLog.String())
	if !strings.Contains(functionLog.String(), "PercentMigrated") {
		t.Error("no metrics")
	}
}

func wait(t *testing.T, w *rehearsal.World) {
	t.Helper()
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}
