package telemetry

import (
	"context"
	"io"

	"poolferry/internal/seeding"
)

// Metrics of every batch of a seeding.
var (
	seededProfiles = metric{"SeededProfiles", count} // lines staged, memberships included
	seedPages      = metric{"SeedPages", count}
	seedThrottled  = metric{"SeedThrottled", count} // requests turned away because of their rate
	seedBatchTime  = metric{"SeedBatchTime", milliseconds}
)

// SeedingRecorder writes every batch of a seeding as a metric line. It is safe
// for concurrent use.
type SeedingRecorder struct {
	lines lines
	run   string
}

var _ seeding.Recorder = (*SeedingRecorder)(nil)

// NewSeedingRecorder returns a SeedingRecorder for a run; w as in NewRecorder.
func NewSeedingRecorder(w io.Writer, run string) *SeedingRecorder {
	return &SeedingRecorder{lines: lines{w: w}, run: run}
}

// RecordBatch writes the line of a batch. The shard is no dimension, for each
// would be metrics of its own.
func (r *SeedingRecorder) RecordBatch(ctx context.Context, b seeding.BatchRecord) {
	line := metricLine(b.At, map[string]string{dimensionRun: r.run}, group{[][]string{{dimensionRun}}, []datum{
		{seededProfiles, float64(b.Lines)}, {seedPages, float64(b.Pages)},
		{seedThrottled, float64(b.Throttled)}, {seedBatchTime, ms(b.Took)},
	}})
	line[KeyShard] = codeWord(b.Shard)
	if id := requestID(ctx); id != "" {
		line[KeyRequestID] = codeWord(id)
	}
	r.lines.write(line)
}
