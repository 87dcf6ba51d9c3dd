package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

// Summary is the final word on a reconciliation.
type Summary struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	ID      string      `json:"id"`
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended"`

	Generation int      `json:"generation"`
	Closed     bool     `json:"closed"`  // the generation was
	Stale      bool     `json:"stale"`   // it was opened too long ago
	Missing    []string `json:"missing"` // its shards without a commit
	Profiles   int      `json:"profiles"`

	Verdicts    map[verdict.Verdict]int     `json:"verdicts"`
	Reasons     Counts                      `json:"reasons"`
	Findings    map[verdict.FindingKind]int `json:"findings"`
	Critical    int                         `json:"critical"`     // findings of that severity
	Sample      []verdict.Finding           `json:"sample"`       // the first of each kind
	Joins       int                         `json:"joins"`        // users whom the trigger did not write, joined by a name
	TargetUsers int                         `json:"target_users"` // that were compared
	Percent     float64                     `json:"percent"`

	Partial  []string `json:"partial"` // why it is not whole, in words; empty where it is
	Complete bool     `json:"complete"`
	Failure  string   `json:"failure,omitempty"` // the error name of the step that failed: nothing was counted

	Buckets int                `json:"buckets"`
	Bytes   Bytes              `json:"bytes"`
	Stages  map[string]float64 `json:"stages"` // seconds by step

	IDMap       []RowsRef `json:"idmap"`
	Pending     []RowsRef `json:"pending"`
	FindingRows []RowsRef `json:"finding_rows"`
	// Settle are rows of who has arrived since the last whole reconciliation; nil
	// where nobody can say which groups users have.
	Settle []RowsRef `json:"settle,omitzero"`
}

// Bytes is what a reconciliation cost in bytes, as they are stored.
type Bytes struct {
	Manifest int64 `json:"manifest"` // parts of the profiles that were compared
	Read     int64 `json:"read"`
	Written  int64 `json:"written"`
}

// Point is the summary as a point of the history.
func (s Summary) Point() progress.Point {
	return progress.Point{
		ID: s.ID, Started: s.Started, Ended: s.Ended, Generation: s.Generation, Profiles: s.Profiles,
		Verdicts: s.Verdicts, Reasons: s.Reasons[verdict.Pending], Findings: s.Findings, Critical: s.Critical,
		Partial: s.Partial, Failure: s.Failure,
	}
}

// Of returns an error of kind fault.Invalid unless s is of a reconciliation.
func (s Summary) Of(run, id string) error {
	if s.Run != run || s.ID != id {
		return fault.New(fault.Invalid, "summary is of reconciliation %q of run %q, not of %q of %q", s.ID, s.Run, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (s Summary) Encode() ([]byte, error) { return document.Encode("summary", s, s.check) }

// DecodeSummary reads the final word on a reconciliation.
func DecodeSummary(data []byte) (s Summary, err error) {
	err = document.Decode("summary", data, &s, Summary.check)
	return s, err
}

func (s Summary) check() error {
	switch {
	case s.Run == "" || s.Missing == nil || s.Verdicts == nil || s.Reasons == nil || s.Findings == nil || s.Sample == nil || s.Partial == nil ||
		s.Stages == nil || s.IDMap == nil || s.Pending == nil || s.FindingRows == nil:
		return errors.New("a member is missing")
	case min(s.Generation, s.Profiles, s.Critical, s.Joins, s.TargetUsers, s.Buckets) < 0 || min(s.Bytes.Manifest, s.Bytes.Read, s.Bytes.Written) < 0:
		return errors.New("a count is below 0")
	case s.Complete && (len(s.Partial) > 0 || s.Failure != "" || s.Verdicts[verdict.Pending] > 0):
		return errors.New("it is complete, and is not whole or has pending users")
	case s.Failure != "" && len(s.Partial) == 0:
		return errors.New("it has failed and is whole")
	}
	sums := s.Reasons.Verdicts()
	for _, v := range verdict.Verdicts() {
		if s.Verdicts[v] != sums[v] {
			return fmt.Errorf("%d users are %s, with reasons there are %d", s.Verdicts[v], v, sums[v])
		}
	}
	return errors.Join(
		document.CheckID(s.ID), document.CheckTime("started", s.Started), document.CheckTime("ended", s.Ended), s.Reasons.check(),
		checkRows(s.IDMap), checkRows(s.Pending), checkRows(s.FindingRows), checkRows(s.Settle),
	)
}

// Standing is what is known of the reconciliations of a run.
type Standing struct {
	Last    *Summary // of the last that ended; nil where none has
	History progress.History
	Lease   *Lease // nil where there is none
}

// Status returns what is known of the reconciliations of the run.
func (r *Reconciliation) Status(ctx context.Context) (s Standing, err error) {
	s.History, _, err = r.o.Store.LoadProgress(ctx)
	switch {
	case is(err, fault.NotFound):
		s.History = progress.New(r.o.Run)
	case err != nil:
		return s, err
	}
	if last, ok := s.History.Last(); ok {
		summary, err := r.o.Store.ReadSummary(ctx, last.ID)
		if err != nil && !is(err, fault.NotFound) { // the history outlives the summaries
			return s, err
		}
		if err == nil {
			s.Last = &summary
		}
	}
	lease, _, err := r.o.Store.ReadLease(ctx)
	switch {
	case is(err, fault.NotFound):
		return s, nil
	case err != nil:
		return s, err
	}
	s.Lease = &lease
	return s, nil
}

// Summary returns the final word on a reconciliation; an empty id is the last
// that was whole. The error is of kind fault.NotFound where there is none.
func (r *Reconciliation) Summary(ctx context.Context, id string) (Summary, error) {
	if id == "" {
		history, _, err := r.o.Store.LoadProgress(ctx)
		if err != nil {
			return Summary{}, err
		}
		last, ok := history.LastWhole()
		if !ok {
			return Summary{}, fault.New(fault.NotFound, "run %s has no reconciliation that was whole", r.o.Run)
		}
		id = last.ID
	}
	if err := document.CheckID(id); err != nil {
		return Summary{}, fault.New(fault.Invalid, "reconciliation of run %s: %w", r.o.Run, err)
	}
	return r.o.Store.ReadSummary(ctx, id)
}

// IDMap yields who source users are at the target; id as in Summary. An object
// of rows that is damaged is an error before any of its rows.
func (r *Reconciliation) IDMap(ctx context.Context, id string) iter.Seq2[IDRow, error] {
	return rowsBy[IDRow](ctx, r, id, func(s Summary) []RowsRef { return s.IDMap })
}

// Pending yields who is not in the target pool, with the reason; otherwise as
// IDMap.
func (r *Reconciliation) Pending(ctx context.Context, id string) iter.Seq2[PendingRow, error] {
	return rowsBy[PendingRow](ctx, r, id, func(s Summary) []RowsRef { return s.Pending })
}

// Findings yields what somebody ought to look at; otherwise as IDMap.
func (r *Reconciliation) Findings(ctx context.Context, id string) iter.Seq2[verdict.Finding, error] {
	return rowsBy[verdict.Finding](ctx, r, id, func(s Summary) []RowsRef { return s.FindingRows })
}

// ReadSettleRows returns the rows of one object of Summary.Settle. The error is of
// kind fault.Invalid where it is damaged or gone.
func (r *Reconciliation) ReadSettleRows(ctx context.Context, ref RowsRef) ([]SettleRow, error) {
	data, err := r.o.Store.ReadRows(ctx, ref)
	if err != nil {
		return nil, err
	}
	return DecodeRows[SettleRow](data, ref)
}

func rowsBy[Row any](ctx context.Context, r *Reconciliation, id string, refs func(Summary) []RowsRef) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s, err := r.Summary(ctx, id)
		if err != nil {
			var none Row
			yield(none, err)
			return
		}
		readRows[Row](ctx, r.o.Store, refs(s))(yield)
	}
}
