package standing

import (
	"time"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
)

// Look is what is known of one reconciliation, or of the latest. As JSON it is
// the contract of reconcile status and reconcile run.
type Look struct {
	Version   int      `json:"version"` // 1
	Run       string   `json:"run"`
	ID        string   `json:"id"`
	Execution string   `json:"execution,omitempty"` // ARN, where this command has started it
	Outcome   *Outcome `json:"reconciliation,omitempty"`
	Running   *Running `json:"running,omitempty"`
}

// Outcome is what a reconciliation has found.
type Outcome struct {
	ID          string                      `json:"id"`
	State       State                       `json:"state"`
	Started     time.Time                   `json:"started"`
	Ended       time.Time                   `json:"ended"`
	Generation  int                         `json:"generation"`
	Closed      bool                        `json:"closed"` // the generation was
	Stale       bool                        `json:"stale"`
	Missing     []string                    `json:"missing,omitempty"` // its shards that were not committed
	Profiles    int                         `json:"profiles"`
	TargetUsers int                         `json:"target_users"`
	Percent     float64                     `json:"percent"`
	Moved       int                         `json:"moved"`
	ToMove      int                         `json:"to_move"`
	Verdicts    map[verdict.Verdict]int     `json:"verdicts"`
	Reasons     reconcile.Counts            `json:"reasons"`
	Findings    map[verdict.FindingKind]int `json:"findings"`
	Critical    int                         `json:"critical"`
	Joins       int                         `json:"joins"` // users whom the trigger did not write, joined by a name
	Partial     []string                    `json:"partial,omitempty"`
	Failure     string                      `json:"failure,omitempty"`
	Complete    bool                        `json:"complete"`
	Buckets     int                         `json:"buckets"`
	Bytes       reconcile.Bytes             `json:"bytes"`
	Stages      map[string]float64          `json:"stages"` // seconds by step
	Rows        Rows                        `json:"rows"`
}

// Rows are how many lines there are to stream.
type Rows struct {
	IDMap    int `json:"idmap"`
	Pending  int `json:"pending"` // excluded and missing users too
	Findings int `json:"findings"`
}

// OutcomeOf returns what a reconciliation has found.
func OutcomeOf(s reconcile.Summary) *Outcome {
	return &Outcome{
		ID: s.ID, State: stateOf(s.Partial, s.Failure), Started: s.Started, Ended: s.Ended,
		Generation: s.Generation, Closed: s.Closed, Stale: s.Stale, Missing: s.Missing, Profiles: s.Profiles, TargetUsers: s.TargetUsers,
		Percent: s.Percent, Moved: moved(s.Verdicts), ToMove: moved(s.Verdicts) + s.Verdicts[verdict.Pending],
		Verdicts: s.Verdicts, Reasons: s.Reasons, Findings: s.Findings, Critical: s.Critical, Joins: s.Joins,
		Partial: s.Partial, Failure: s.Failure, Complete: s.Complete, Buckets: s.Buckets, Bytes: s.Bytes, Stages: s.Stages,
		Rows: Rows{IDMap: rows(s.IDMap), Pending: rows(s.Pending), Findings: rows(s.FindingRows)},
	}
}

// rows counts lines, those of the JSONL objects: the others say the same.
func rows(refs []reconcile.RowsRef) (n int) {
	for _, ref := range refs {
		if ref.Format == reconcile.FormatJSONL {
			n += ref.Count
		}
	}
	return n
}

// Troubled reports whether somebody ought to look: it was not whole, or has
// found something critical.
func (o Outcome) Troubled() bool { return o.State != Whole || o.Critical > 0 }
