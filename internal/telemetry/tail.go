package telemetry

import (
	"context"
	"io"

	"poolferry/internal/tail"
)

// Metrics of every file of an import that has ended.
var (
	tailImported = metric{"TailImported", count}
	tailSkipped  = metric{"TailSkipped", count} // there already
	tailFailed   = metric{"TailFailed", count}
	tailLeft     = metric{"TailLeft", count} // of the whole import, without an outcome yet
)

// TailRecorder writes every file of an import that has ended as a metric line. It
// is safe for concurrent use.
type TailRecorder struct {
	lines lines
	run   string
}

var _ tail.Recorder = (*TailRecorder)(nil)

// NewTailRecorder returns a TailRecorder for a run; w as in NewRecorder.
func NewTailRecorder(w io.Writer, run string) *TailRecorder {
	return &TailRecorder{lines: lines{w: w}, run: run}
}

// RecordFile writes the line of a file.
func (r *TailRecorder) RecordFile(ctx context.Context, f tail.FileRecord) {
	line := metricLine(f.At, map[string]string{dimensionRun: r.run}, group{[][]string{{dimensionRun}}, []datum{
		{tailImported, float64(f.Imported)}, {tailSkipped, float64(f.Skipped)}, {tailFailed, float64(f.Failed)}, {tailLeft, float64(f.Left)},
	}})
	line[KeyFile] = f.File
	if id := requestID(ctx); id != "" {
		line[KeyRequestID] = codeWord(id)
	}
	r.lines.write(line)
}
