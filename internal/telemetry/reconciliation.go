package telemetry

import (
	"context"
	"io"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
)

// Metrics of every step of a reconciliation.
var (
	reconciledUsers    = metric{"ReconciledUsers", count} // users that the step read
	reconcilePages     = metric{"ReconcilePages", count}  // of the target pool
	reconcileThrottled = metric{"ReconcileThrottled", count}
	reconcileStepTime  = metric{"ReconcileStepTime", milliseconds}
)

// Metrics of every reconciliation.
var (
	reconciliationTime    = metric{"ReconciliationTime", milliseconds}
	reconciliationFailed  = metric{"ReconciliationFailed", count}  // 1 where a step failed and nothing was counted
	reconciliationPartial = metric{"ReconciliationPartial", count} // 1 where something was missing
	migrationComplete     = metric{"MigrationComplete", count}     // 1 where it is
	percentMigrated       = metric{"PercentMigrated", percent}
	usersMigrated         = metric{"UsersMigrated", count}
	usersPending          = metric{"UsersPending", count}
	usersImported         = metric{"UsersImported", count}
	usersExcluded         = metric{"UsersExcluded", count}
	openFindings          = metric{"OpenFindings", count}
	criticalFindings      = metric{"CriticalFindings", count}
)

// ReconciliationRecorder writes every step of a reconciliation, and what it came
// to, as metric lines. It is safe for concurrent use.
type ReconciliationRecorder struct {
	lines lines
	run   string
}

var _ reconcile.Recorder = (*ReconciliationRecorder)(nil)

// NewReconciliationRecorder returns a ReconciliationRecorder for a run; w as in
// NewRecorder.
func NewReconciliationRecorder(w io.Writer, run string) *ReconciliationRecorder {
	return &ReconciliationRecorder{lines: lines{w: w}, run: run}
}

// RecordStep writes the line of a step.
func (r *ReconciliationRecorder) RecordStep(ctx context.Context, s reconcile.StepRecord) {
	line := metricLine(s.At, map[string]string{dimensionRun: r.run}, r.of(
		datum{reconciledUsers, float64(s.Lines)}, datum{reconcilePages, float64(s.Pages)},
		datum{reconcileThrottled, float64(s.Throttled)}, datum{reconcileStepTime, ms(s.Took)},
	))
	line[KeyStep], line[KeyPiece] = codeWord(s.Step), codeWord(s.Piece)
	r.write(ctx, line)
}

// RecordSummary writes the line of a reconciliation. Where nothing was counted,
// or not everything, the numbers of users are left out: they would look like a
// migration that goes backwards.
func (r *ReconciliationRecorder) RecordSummary(ctx context.Context, s reconcile.Summary) {
	data := []datum{
		{reconciliationTime, ms(s.Ended.Sub(s.Started))},
		{reconciliationFailed, indicator(s.Failure != "")},
		{reconciliationPartial, indicator(s.Failure == "" && len(s.Partial) > 0)},
		{migrationComplete, indicator(s.Complete)},
	}
	if s.Failure == "" && len(s.Partial) == 0 {
		findings := 0
		for _, n := range s.Findings {
			findings += n
		}
		data = append(data,
			datum{percentMigrated, s.Percent},
			datum{usersMigrated, float64(s.Verdicts[verdict.Migrated])}, datum{usersPending, float64(s.Verdicts[verdict.Pending])},
			datum{usersImported, float64(s.Verdicts[verdict.Imported])}, datum{usersExcluded, float64(s.Verdicts[verdict.Excluded])},
			datum{openFindings, float64(findings)}, datum{criticalFindings, float64(s.Critical)},
		)
	}
	line := metricLine(s.Ended, map[string]string{dimensionRun: r.run}, r.of(data...))
	line[KeyReconciliation] = codeWord(s.ID)
	r.write(ctx, line)
}

func (r *ReconciliationRecorder) of(data ...datum) group {
	return group{[][]string{{dimensionRun}}, data}
}

func (r *ReconciliationRecorder) write(ctx context.Context, line map[string]any) {
	if id := requestID(ctx); id != "" {
		line[KeyRequestID] = codeWord(id)
	}
	r.lines.write(line)
}

// indicator is 1 for true.
func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
