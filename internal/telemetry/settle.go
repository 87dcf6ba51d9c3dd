package telemetry

import (
	"context"
	"io"
	"time"

	"poolferry/internal/settle"
)

// Metrics of every step of settling.
var (
	settled       = metric{"Settled", count}      // users of whom nothing is left to do
	settleFailed  = metric{"SettleFailed", count} // users to be tried again, or given up
	settleLeft    = metric{"SettleLeft", count}   // users in the queue
	groupsAdded   = metric{"GroupsAdded", count}  // memberships
	groupsRemoved = metric{"GroupsRemoved", count}
)

// SettleRecorder writes every step of settling as a metric line, and every change
// as an audit line. It is safe for concurrent use.
type SettleRecorder struct {
	lines lines
	run   string
}

var _ settle.Recorder = (*SettleRecorder)(nil)

// NewSettleRecorder returns a SettleRecorder for a run; w as in NewRecorder.
func NewSettleRecorder(w io.Writer, run string) *SettleRecorder {
	return &SettleRecorder{lines: lines{w: w}, run: run}
}

// RecordStep writes the line of a step.
func (r *SettleRecorder) RecordStep(ctx context.Context, s settle.StepRecord) {
	line := metricLine(s.At, map[string]string{dimensionRun: r.run}, group{[][]string{{dimensionRun}}, []datum{
		{settled, float64(s.Settled)}, {settleFailed, float64(s.Failed)}, {settleLeft, float64(s.Left)},
		{groupsAdded, float64(s.GroupsAdded)}, {groupsRemoved, float64(s.GroupsRemoved)},
	}})
	line[KeyReconciliation], line[KeyTook] = codeWord(s.Reconciliation), ms(s.Took)
	line[KeyThrottled], line[KeyMFALost] = s.Throttled, s.MFALost
	if id := requestID(ctx); id != "" {
		line[KeyRequestID] = codeWord(id)
	}
	r.lines.write(line)
}

// settleLine is one line of the audit trail.
type settleLine struct {
	Audit     string    `json:"audit"` // "settle"
	Time      time.Time `json:"time"`
	Run       string    `json:"run"`
	Action    string    `json:"action"`
	SourceSub string    `json:"source_sub,omitempty"`
	Sub       string    `json:"sub,omitempty"` // at the target
	Group     string    `json:"group,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
}

// RecordChange writes the line of a change. The name of a group that does not have
// the form of a code word is not written.
func (r *SettleRecorder) RecordChange(ctx context.Context, c settle.Change) {
	action := unrecognised
	switch c.Action {
	case settle.GroupCreated, settle.GroupAdded, settle.GroupRemoved, settle.Disabled, settle.SMSPreferred:
		action = string(c.Action)
	}
	r.lines.write(settleLine{
		Audit: "settle", Time: c.At.UTC(), Run: r.run, Action: action, SourceSub: codeWord(string(c.LegacySub)), Sub: codeWord(string(c.Sub)),
		Group: codeWord(c.Group), RequestID: codeWord(requestID(ctx)),
	})
}
