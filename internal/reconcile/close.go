package reconcile

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

// CloseInput says which reconciliation to close.
type CloseInput struct {
	Run string `json:"run"`
	ID  string `json:"id"`
	// Failure is the error name that the state machine caught: nothing is counted,
	// but that there was a reconciliation which failed.
	Failure string `json:"failure,omitempty"`
}

// CloseOutput says how the migration stands.
type CloseOutput struct {
	Run           string  `json:"run"`
	ID            string  `json:"id"`
	Whole         bool    `json:"whole"`
	Complete      bool    `json:"complete"`       // everybody has moved, was imported or is excluded, in two reconciliations in a row
	NewlyComplete bool    `json:"newly_complete"` // and the one before did not say so
	Percent       float64 `json:"percent"`
	Pending       int     `json:"pending"`
	Findings      int     `json:"findings"`
	Critical      int     `json:"critical"`
	Why           string  `json:"why"` // it is not whole, in words
	// ReportFailure is why there is no new report, in a word; the reconciliation is
	// none the worse for it.
	ReportFailure string `json:"report_failure,omitempty"`
}

// Publisher makes the report for people.
type Publisher interface {
	Publish(ctx context.Context, s Summary, h progress.History) ([]byte, error)
}

// Close decides about those who were deferred, adds up what the buckets have,
// and says how the migration stands: in a summary, as a point of the history, in
// a report. Then it gives the lease back and deletes what was needed on the way.
// Whatever is missing, be it a bucket, a shard or an item, makes the
// reconciliation partial, and one that is partial is never complete. Killed
// anywhere and called again it goes on; the summary that stands counts, and it
// counts once.
func (r *Reconciliation) Close(ctx context.Context, in CloseInput) (CloseOutput, error) {
	if err := r.checkRun(in.Run); err != nil {
		return CloseOutput{}, err
	}
	if err := document.CheckID(in.ID); err != nil {
		return CloseOutput{}, fault.New(fault.Invalid, "reconciliation of run %s: %w", in.Run, err)
	}
	out, err := r.close(ctx, in)
	if err != nil {
		return CloseOutput{}, fmt.Errorf("close reconciliation %s of run %s: %w", in.ID, in.Run, err)
	}
	return out, nil
}

func (r *Reconciliation) close(ctx context.Context, in CloseInput) (CloseOutput, error) {
	s, err := r.o.Store.ReadSummary(ctx, in.ID)
	if is(err, fault.NotFound) {
		if s, err = r.conclude(ctx, in); err != nil {
			// Another call may have come to the end meanwhile, and have swept.
			if standing, late := r.o.Store.ReadSummary(ctx, in.ID); late == nil {
				s, err = standing, nil
			}
		}
	}
	if err != nil {
		return CloseOutput{}, err
	}
	history, added, err := r.append(ctx, s)
	if err != nil {
		return CloseOutput{}, err
	}
	at := slices.IndexFunc(history.Points, func(p progress.Point) bool { return p.ID == s.ID })
	point := history.Points[at]
	out := CloseOutput{
		Run: s.Run, ID: s.ID, Whole: point.Whole(), Complete: point.Complete, Percent: point.Percent,
		Pending: s.Verdicts[verdict.Pending], Critical: s.Critical, Why: strings.Join(s.Partial, ", "),
	}
	out.NewlyComplete = point.Complete && (at == 0 || !history.Points[at-1].Complete)
	for _, n := range s.Findings {
		out.Findings += n
	}
	if added {
		r.o.Recorder.RecordSummary(ctx, s)
	}
	out.ReportFailure = r.publish(ctx, s, history)
	if err := r.release(ctx, s.ID); err != nil {
		return CloseOutput{}, err
	}
	// What is not deleted now expires with the bucket's objects. Nobody waits for it.
	_, _ = r.o.Store.SweepReconciliation(ctx, s.ID)
	return out, nil
}

// publish makes and stores the report. What goes wrong is no reason to fail: all
// that is in it is in the summary.
func (r *Reconciliation) publish(ctx context.Context, s Summary, h progress.History) (failure string) {
	if r.o.Publisher == nil {
		return ""
	}
	page, err := r.o.Publisher.Publish(ctx, s, h)
	if err == nil {
		err = r.o.Store.WriteReport(ctx, s.ID, page)
	}
	if err != nil {
		return string(fault.KindOf(err))
	}
	return ""
}

// appendAttempts is how often somebody else may be first.
const appendAttempts = 8

// append adds the summary to the history, once, and returns the history with it.
func (r *Reconciliation) append(ctx context.Context, s Summary) (h progress.History, added bool, err error) {
	for range appendAttempts {
		h, tag, err := r.history(ctx)
		if err != nil {
			return h, false, err
		}
		if slices.ContainsFunc(h.Points, func(p progress.Point) bool { return p.ID == s.ID }) {
			return h, added, nil
		}
		// The answer may be lost, so the point is looked for before it counts.
		_, err = r.o.Store.SwapProgress(ctx, h.Append(s.Point()), tag)
		if added = err == nil || added; err != nil && !is(err, fault.Conflict) {
			return h, false, err
		}
	}
	return h, false, fault.New(fault.Conflict, "add to the history: others were first %d times", appendAttempts)
}

func (r *Reconciliation) history(ctx context.Context) (progress.History, string, error) {
	h, tag, err := r.o.Store.LoadProgress(ctx)
	if is(err, fault.NotFound) {
		return progress.New(r.o.Run), "", nil
	}
	return h, tag, err
}

// conclude makes the summary and writes it.
func (r *Reconciliation) conclude(ctx context.Context, in CloseInput) (Summary, error) {
	s := Summary{
		Run: in.Run, ID: in.ID, Started: r.o.Now().UTC(), Missing: []string{}, Verdicts: map[verdict.Verdict]int{}, Reasons: Counts{},
		Findings: map[verdict.FindingKind]int{}, Sample: []verdict.Finding{}, Partial: []string{}, Stages: map[string]float64{},
		IDMap: []RowsRef{}, Pending: []RowsRef{}, FindingRows: []RowsRef{},
	}
	if in.Failure != "" {
		return r.concludeFailed(ctx, s, in.Failure)
	}
	began := s.Started
	basis, err := r.step(ctx, in.Run, in.ID)
	if err != nil {
		return s, err
	}
	s.about(basis)
	c := closing{reconciliation: r, basis: basis, summary: &s}
	if err := c.gather(ctx); err != nil {
		return s, err
	}
	s.Ended = r.o.Now().UTC()
	s.Stages[StepClose] = seconds(s.Ended.Sub(began))
	// What is said in the summary is what the history will say: nobody else adds to
	// it while the lease is held.
	history, _, err := r.history(ctx)
	if err != nil {
		return s, err
	}
	after := history.Append(s.Point())
	for _, p := range after.Points {
		if p.ID == s.ID {
			s.Percent, s.Complete = p.Percent, p.Complete
		}
	}
	lines := 0
	for _, n := range s.Verdicts {
		lines += n
	}
	r.o.Recorder.RecordStep(ctx, StepRecord{At: began, Step: StepClose, Lines: lines, Took: s.Ended.Sub(began)})
	return r.o.Store.WriteSummary(ctx, s)
}

// failureShape is that of error names.
var failureShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,80}$`)

func (r *Reconciliation) concludeFailed(ctx context.Context, s Summary, failure string) (Summary, error) {
	if !failureShape.MatchString(failure) {
		failure = "unknown"
	}
	basis, err := r.o.Store.ReadBasis(ctx, s.ID)
	switch {
	case err == nil:
		s.about(basis)
	case !is(err, fault.NotFound): // it may have failed before there was any
		return s, err
	}
	s.Failure, s.Partial, s.Ended = failure, append(s.Partial, PartialFailed), r.o.Now().UTC()
	return r.o.Store.WriteSummary(ctx, s)
}

// about fills in what is known from the basis.
func (s *Summary) about(b Basis) {
	s.Started, s.Buckets = b.Opened, b.Buckets
	s.partial(b.Partial...)
	s.Stale = slices.Contains(b.Partial, PartialStale)
	if b.Staged != nil {
		s.Generation, s.Profiles, s.Closed = b.Staged.Generation, b.Staged.Profiles, !b.Staged.Closed.IsZero()
		s.Missing = append(s.Missing, b.Staged.Missing...)
	}
}

// partial adds words, each once.
func (s *Summary) partial(words ...string) {
	for _, word := range words {
		if !slices.Contains(s.Partial, word) {
			s.Partial = append(s.Partial, word)
		}
	}
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// closing is a reconciliation that is being closed.
type closing struct {
	reconciliation *Reconciliation
	basis          Basis
	summary        *Summary
	match          Matched
	results        []*Compared // by bucket; nil where there is none
}

// gather fills in what was counted, and what is missing.
func (c *closing) gather(ctx context.Context) error {
	r, s := c.reconciliation, c.summary
	sides, err := r.sides(ctx, c.basis)
	if err != nil {
		return err
	}
	s.partial(sides.words()...)
	c.match, err = r.o.Store.ReadMatch(ctx, c.basis.ID)
	if is(err, fault.NotFound) {
		s.partial(PartialUnmatched)
		c.bytes(sides)
		return nil
	}
	if err != nil {
		return err
	}
	s.partial(c.match.Partial...)
	if err := c.read(ctx); err != nil {
		return err
	}
	c.bytes(sides)
	c.stages(sides)
	if c.basis.Staged != nil && c.basis.Staged.Grouped {
		s.Settle = []RowsRef{}
	}
	staged, deferred, missing := 0, 0, 0
	for _, result := range c.results {
		if result == nil {
			missing++
			continue
		}
		c.add(*result)
		staged += result.Staged
		deferred += result.Deferred
	}
	if missing > 0 {
		s.partial(PartialBuckets)
	}
	if err := c.decide(ctx, deferred, missing > 0); err != nil {
		return err
	}
	s.Verdicts = s.Reasons.Verdicts()
	if missing == 0 && c.basis.Staged != nil && staged != c.basis.Staged.Profiles {
		s.partial(PartialCounts)
	}
	if missing == 0 && c.basis.Target.Lacks(s.TargetUsers) {
		s.partial(PartialTargetCount)
	}
	return nil
}

// read reads the results of all buckets.
func (c *closing) read(ctx context.Context) error {
	c.results = make([]*Compared, c.basis.Buckets)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for bucket := range c.results {
		group.Go(func() error {
			result, err := c.reconciliation.o.Store.ReadCompared(ctx, c.basis.ID, bucket)
			if is(err, fault.NotFound) {
				return nil
			}
			if err == nil && result.PlanSHA256 != c.match.Plans[bucket] {
				err = fault.New(fault.Invalid, "the result of bucket %d is by another plan", bucket)
			}
			c.results[bucket] = &result
			return err
		})
	}
	return group.Wait()
}

// add adds what one bucket has.
func (c *closing) add(result Compared) {
	s := c.summary
	s.Reasons.addAll(result.Verdicts)
	s.TargetUsers += result.Arrived
	s.Critical += result.Critical
	for kind, n := range result.Findings {
		s.Findings[kind] += n
	}
	for _, f := range result.Sample {
		s.Sample = sample(s.Sample, sampleOfAll, f)
	}
	s.IDMap = append(s.IDMap, result.IDMap...)
	s.Pending = append(s.Pending, result.Pending...)
	s.FindingRows = append(s.FindingRows, result.FindingRows...)
	s.Settle = append(s.Settle, result.Settle...)
}

// bytes adds up what was read and written.
func (c *closing) bytes(sides sides) {
	bytes := &c.summary.Bytes
	for _, i := range sides.indexed {
		if i.Version != c.basis.Version || i.Buckets == 0 {
			continue // there is none
		}
		if c.basis.Staged != nil && i.Generation == c.basis.Staged.Generation {
			bytes.Manifest += i.Read
		}
		if i.By == c.basis.ID {
			bytes.Read += i.Read
			bytes.Written += i.Segments.Bytes
		}
	}
	for _, at := range sides.scans {
		for _, part := range at.Parts {
			bytes.Written += part.Bytes
		}
	}
	bytes.Read += c.match.Read
	bytes.Written += c.match.Written
	for _, result := range c.results {
		if result != nil {
			bytes.Read += result.Read
			bytes.Written += result.Written
		}
	}
}

// stages says how long each took: from the end of the one before to its own.
func (c *closing) stages(sides sides) {
	last := c.basis.Opened
	until := func(stage string, end time.Time) {
		if end.After(last) {
			c.summary.Stages[stage], last = seconds(end.Sub(last)), end
		}
	}
	var indexed, scanned, compared time.Time
	for _, i := range sides.indexed {
		if i.By == c.basis.ID && i.Ended.After(indexed) {
			indexed = i.Ended
		}
	}
	for _, at := range sides.scans {
		if at.Updated.After(scanned) {
			scanned = at.Updated
		}
	}
	for _, result := range c.results {
		if result != nil && result.Ended.After(compared) {
			compared = result.Ended
		}
	}
	until(StepIndex, indexed)
	until(StepScan, scanned)
	until(StepMatch, c.match.Ended)
	until(StepCompare, compared)
}
