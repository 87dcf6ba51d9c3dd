package telemetry

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"poolferry/internal/settle"
)

func TestSettleRecorder(t *testing.T) {
	var got bytes.Buffer
	r := NewSettleRecorder(&got, "2026-11-prod")
	r.RecordStep(invocation(), settle.StepRecord{
		At: at(), Reconciliation: "reconcile-1", Failed: 2, Left: 70, Throttled: 3, Took: 8*time.Minute + 1500*time.Microsecond,
		Totals: settle.Totals{Settled: 1500, Gone: 1, Changed: 1400, GroupsCreated: 2, GroupsAdded: 1390, GroupsRemoved: 4, Disabled: 5, SMSPreferred: 6, MFALost: 7},
	})
	for line := range bytes.Lines(got.Bytes()) {
		if err := checkMetricLine(bytes.TrimSpace(line)); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
	r.RecordChange(invocation(), settle.Change{At: at(), Action: settle.GroupCreated, Group: "operators"})
	r.RecordChange(invocation(), settle.Change{
		At: at(), Action: settle.GroupAdded, Group: "operators",
		LegacySub: "6f1c2d3e-0000-4000-8000-000000000001", Sub: "6f1c2d3e-0000-4000-8000-000000000002",
	})
	r.RecordChange(t.Context(), settle.Change{At: at(), Action: settle.Disabled, LegacySub: "old", Sub: "new"})
	golden(t, "settle.jsonl", got.Bytes())
}

// TestSettleSaysNoName: what should hold an id may hold a name.
func TestSettleSaysNoName(t *testing.T) {
	const canary = "ann@example.com"
	var got bytes.Buffer
	r := NewSettleRecorder(&got, "r")
	r.RecordStep(t.Context(), settle.StepRecord{At: at(), Reconciliation: canary})
	r.RecordChange(t.Context(), settle.Change{At: at(), Action: canary, LegacySub: canary, Sub: canary, Group: canary})
	if strings.Contains(got.String(), "ann") || strings.Count(got.String(), unrecognised) != 5 {
		t.Error(got.String())
	}
}
