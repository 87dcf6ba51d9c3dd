package progress

import (
	"strings"
	"testing"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/reconcile/verdict"
)

// TestSize: the estimate is never under what a point takes, and not far over it.
func TestSize(t *testing.T) {
	ended := time.Date(2026, 1, 5, 3, 0, 0, 123456789, time.UTC)
	full := Point{ID: "reconcile-2026", Started: ended, Ended: ended, Verdicts: map[verdict.Verdict]int{}, Reasons: map[verdict.Reason]int{}, Profiles: 12}
	for _, v := range verdict.Verdicts() {
		full.Verdicts[v] = 1 << 40
	}
	for _, r := range verdict.PendingReasons() {
		full.Reasons[r] = 7
	}
	wild := full
	wild.Failure = strings.Repeat("\x01<\u2028\"\\é", 30)
	wild.Partial = []string{"a", strings.Repeat("\n", 200)}
	for name, p := range map[string]Point{"empty": {Verdicts: map[verdict.Verdict]int{}}, "full": full, "wild": wild} {
		data, err := document.JSON(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.size(); got < len(data) || name == "full" && got > len(data)*5/4 {
			t.Errorf("%s: %d bytes, estimated as %d", name, len(data), got)
		}
	}
}
