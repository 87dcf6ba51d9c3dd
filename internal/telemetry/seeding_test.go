package telemetry

import (
	"bytes"
	"testing"
	"time"

	"poolferry/internal/seeding"
)

func TestSeedingRecorder(t *testing.T) {
	var got bytes.Buffer
	r := NewSeedingRecorder(&got, "2026-11-prod")
	r.RecordBatch(invocation(), seeding.BatchRecord{
		At: at(), Shard: "0", Lines: 1500, Pages: 25, Throttled: 3, Took: 40*time.Second + 1500*time.Microsecond,
	})
	r.RecordBatch(t.Context(), seeding.BatchRecord{At: at(), Shard: "ann@example.com"})
	for line := range bytes.Lines(got.Bytes()) {
		if err := checkMetricLine(bytes.TrimSpace(line)); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
	golden(t, "seeding.jsonl", got.Bytes())
}
