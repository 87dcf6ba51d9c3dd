package telemetry

import (
	"bytes"
	"testing"

	"poolferry/internal/tail"
)

func TestTailRecorder(t *testing.T) {
	var got bytes.Buffer
	r := NewTailRecorder(&got, "2026-11-prod")
	r.RecordFile(invocation(), tail.FileRecord{At: at(), File: 0, Imported: 240_000, Skipped: 120, Failed: 7, Left: 100_000})
	r.RecordFile(t.Context(), tail.FileRecord{At: at(), File: 1, Imported: 100_000})
	for line := range bytes.Lines(got.Bytes()) {
		if err := checkMetricLine(bytes.TrimSpace(line)); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
	golden(t, "tail.jsonl", got.Bytes())
}
