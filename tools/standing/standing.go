// Package standing tells an operator where a migration stands: how many have
// moved, who has not and why, what somebody ought to look at, and when it will
// end.
//
// Vocabulary: the status is all of it on one screen; the figures are those of
// the latest whole reconciliation, or, before there is one, of the latest that
// counted anything; an outcome is what one reconciliation has found; running is
// the reconciliation that holds the run's lease; the trail is what a
// reconciliation tells while it is followed. Nothing here names a user: there
// are counts, and in findings and rows there are subs.
package standing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"poolferry/internal/cutover"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
	"poolferry/internal/settle"
	"poolferry/tools/staging"
)

// Status is where a migration stands. As JSON it is the contract of status.
type Status struct {
	Version  int               `json:"version"` // 1
	Run      string            `json:"run"`
	Complete bool              `json:"complete"` // the last two reconciliations were whole and found nobody pending
	*Figures                   // nil while nothing was counted: its members are absent then
	Forecast forecast.Forecast `json:"forecast"`
	LastRuns []Past            `json:"last_runs"` // the latest first; never null
	Seeding  *Seeding          `json:"seeding,omitempty"`
	Settle   *Settle           `json:"settle,omitempty"`
	Cutover  *Cutover          `json:"cutover,omitempty"`
	Running  *Running          `json:"running,omitempty"`

	now time.Time
}

// Figures are what one reconciliation has counted.
type Figures struct {
	ID         string                      `json:"reconciliation"` // whose they are
	AsOf       time.Time                   `json:"as_of"`
	Whole      bool                        `json:"whole"` // nothing was missing when it counted
	Generation int                         `json:"generation"`
	Profiles   int                         `json:"profiles"` // users in it
	Percent    float64                     `json:"percent"`
	Moved      int                         `json:"moved"`   // migrated and imported
	ToMove     int                         `json:"to_move"` // those, and the pending ones
	Verdicts   map[verdict.Verdict]int     `json:"verdicts"`
	Reasons    reconcile.Counts            `json:"reasons"`
	Findings   map[verdict.FindingKind]int `json:"findings"`
	Critical   int                         `json:"critical"` // findings of that severity
}

// Past is a reconciliation that has ended.
type Past struct {
	ID         string    `json:"id"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Generation int       `json:"generation"`
	State      State     `json:"state"`
	Percent    float64   `json:"percent"`
	Moved      int       `json:"moved"`
	Pending    int       `json:"pending"`
	Findings   int       `json:"findings"`
	Critical   int       `json:"critical"`
	Complete   bool      `json:"complete"`
	Partial    []string  `json:"partial,omitempty"`
	Failure    string    `json:"failure,omitempty"`

	counted bool // anybody at all
}

// Cutover is how far the end of the migration is.
type Cutover struct {
	ID      string        `json:"id"`
	State   cutover.State `json:"state"`
	Updated time.Time     `json:"updated"`
}

// State is what became of a reconciliation.
type State string

// The states.
const (
	Whole   State = "whole"   // nothing was missing
	Partial State = "partial" // something was, and so the figures are not of all users
	Failed  State = "failed"  // a step failed, and nothing was counted
)

// Seeding is how the staging of the profiles stands.
type Seeding struct {
	Standing   staging.Standing      `json:"standing"`
	Generation int                   `json:"generation"` // 0: none is open yet
	Opened     time.Time             `json:"opened,omitzero"`
	Updated    time.Time             `json:"updated,omitzero"`
	Profiles   int                   `json:"profiles"`
	Estimate   int                   `json:"estimate"`
	Shards     int                   `json:"shards"`
	Committed  int                   `json:"committed"`
	Failed     []seeding.FailedShard `json:"failed,omitempty"`
}

// Settle is how far users who have moved have their groups, flags and factors.
type Settle struct {
	Settled int `json:"settled"`
	Failed  int `json:"failed"`   // users, to be tried again or given up
	GivenUp int `json:"given_up"` // of those
	Left    int `json:"left"`     // to be settled yet
}

// Running is the reconciliation that holds the lease.
type Running struct {
	ID        string    `json:"id"`
	Execution string    `json:"execution"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until"`             // unless the lease is renewed, which every step does
	Expired   bool      `json:"expired,omitempty"` // it has ended without giving the lease back; the next takes over
	// Stage is what the execution does, and Ended its status where it has ended;
	// empty where Step Functions was not asked, or does not know it any more.
	Stage string `json:"stage,omitempty"`
	Ended string `json:"ended,omitempty"`
}

// Known is what a status is made of.
type Known struct {
	Run        string
	Now        time.Time
	Reconciled reconcile.Standing
	// Summary is that of the reconciliation whose figures are shown; nil where it
	// is gone, and then there are the reasons of pending users alone.
	Summary *reconcile.Summary
	Seeding *seeding.Status  // nil where nothing was seeded
	Settle  *settle.Status   // nil where nothing was settled
	Cutover *cutover.Journal // nil where nobody has begun one
}

// pastRuns is how many reconciliations a status lists.
const pastRuns = 20

// New returns the status.
func New(k Known) Status {
	h := k.Reconciled.History
	s := Status{
		Version: 1, Run: k.Run, Complete: h.Complete(), LastRuns: []Past{},
		Forecast: forecast.From(h.Points, k.Now), Running: RunningOf(k.Reconciled.Lease, k.Now), now: k.Now,
	}
	if p, ok := h.Figures(); ok {
		s.Figures = figures(p, k.Summary)
	}
	for _, p := range slices.Backward(h.Points) {
		if len(s.LastRuns) == pastRuns {
			break
		}
		s.LastRuns = append(s.LastRuns, past(p))
	}
	if k.Seeding != nil {
		s.Seeding = seedingOf(*k.Seeding)
	}
	if k.Settle != nil {
		s.Settle = &Settle{Settled: k.Settle.Settled, Failed: k.Settle.Failed + k.Settle.GivenUp, GivenUp: k.Settle.GivenUp, Left: k.Settle.Left}
	}
	if j := k.Cutover; j != nil {
		s.Cutover = &Cutover{ID: j.ID, State: j.State, Updated: j.Updated}
	}
	return s
}

func figures(p progress.Point, summary *reconcile.Summary) *Figures {
	f := &Figures{
		ID: p.ID, AsOf: p.Ended, Whole: p.Whole(), Generation: p.Generation, Profiles: p.Profiles, Percent: p.Percent,
		Moved: moved(p.Verdicts), ToMove: moved(p.Verdicts) + p.Verdicts[verdict.Pending],
		Verdicts: p.Verdicts, Findings: filled(p.Findings), Critical: p.Critical, Reasons: reconcile.Counts{},
	}
	switch {
	case summary != nil && summary.ID == p.ID:
		f.Reasons = summary.Reasons
	case len(p.Reasons) > 0:
		f.Reasons[verdict.Pending] = p.Reasons
	}
	return f
}

// moved counts who no longer depends on the source pool.
func moved(counts map[verdict.Verdict]int) int {
	return counts[verdict.Migrated] + counts[verdict.Imported]
}

// filled is never null in JSON.
func filled[K comparable](counts map[K]int) map[K]int {
	if counts == nil {
		return map[K]int{}
	}
	return counts
}

func past(p progress.Point) Past {
	return Past{
		ID: p.ID, Started: p.Started, Ended: p.Ended, Generation: p.Generation, State: stateOf(p.Partial, p.Failure), Percent: p.Percent,
		Moved: moved(p.Verdicts), Pending: p.Verdicts[verdict.Pending], Findings: sum(p.Findings), Critical: p.Critical,
		Complete: p.Complete, Partial: p.Partial, Failure: p.Failure, counted: len(p.Verdicts) > 0,
	}
}

func stateOf(partial []string, failure string) State {
	switch {
	case failure != "":
		return Failed
	case len(partial) > 0:
		return Partial
	}
	return Whole
}

func sum[K comparable](counts map[K]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func seedingOf(s seeding.Status) *Seeding {
	return &Seeding{
		Standing: staging.StandingOf(s), Generation: s.Generation, Opened: s.Opened, Updated: s.Updated, Profiles: s.Profiles, Estimate: s.Estimate,
		Shards: len(s.Shards), Committed: s.Committed, Failed: s.Failed,
	}
}

// RunningOf returns who holds a lease; nil where nobody does.
func RunningOf(l *reconcile.Lease, now time.Time) *Running {
	if l == nil || !l.Released.IsZero() {
		return nil
	}
	return &Running{ID: l.ID, Execution: l.Execution, Since: l.Taken, Until: l.Until, Expired: !now.Before(l.Until)}
}

// Last returns the reconciliation that ended last, false where none has.
func (s Status) Last() (Past, bool) {
	if len(s.LastRuns) == 0 {
		return Past{}, false
	}
	return s.LastRuns[0], true
}

// Troubled reports whether somebody ought to look: the last reconciliation was
// not whole, or there are critical findings.
func (s Status) Troubled() bool {
	last, ok := s.Last()
	return ok && last.State != Whole || s.Figures != nil && s.Critical > 0
}

// Step is what an operator can do next.
type Step string

// The steps.
const (
	Seed       Step = "seed"        // nothing is staged
	Stage      Step = "stage"       // the seeding is not done
	Reconcile  Step = "reconcile"   // nothing was counted yet
	TakeOver   Step = "take_over"   // a reconciliation has ended without giving its lease back
	Again      Step = "again"       // the last one failed, or is partial
	LookAt     Step = "look_at"     // there are critical findings
	CutOver    Step = "cut_over"    // everybody is accounted for
	Confirm    Step = "confirm"     // everybody has moved, and one more reconciliation has to say so
	Remind     Step = "remind"      // it will not end by waiting
	Wait       Step = "wait"        // it goes on by itself
	WaitForRun Step = "wait_for_it" // the first reconciliation is at work
	Finish     Step = "finish"      // a cut-over, or a roll-back, has not come to its end
	Afterwards Step = "afterwards"  // the run is cut over
)

// Next returns what an operator can do, the most urgent first.
func (s Status) Next() []Step {
	var steps []Step
	add := func(step Step, when bool) {
		if when {
			steps = append(steps, step)
		}
	}
	switch {
	case s.Cutover == nil || s.Cutover.State == cutover.RolledBack:
	case s.Cutover.State == cutover.CutOver:
		return append(steps, Afterwards)
	default:
		return append(steps, Finish)
	}
	last, ran := s.Last()
	working := s.Running != nil && !s.Running.Expired
	add(TakeOver, s.Running != nil && s.Running.Expired)
	add(Again, ran && last.State != Whole && !working)
	add(LookAt, s.Figures != nil && s.Critical > 0)
	switch {
	case s.Figures == nil && s.Seeding == nil && !working:
		return append(steps, Seed)
	case s.Figures == nil && working:
		return append(steps, WaitForRun)
	case s.Figures == nil:
		staged := s.Seeding != nil && s.Seeding.Standing == staging.Done
		add(Stage, len(steps) == 0 && !staged)
		add(Reconcile, len(steps) == 0)
		return steps
	case s.Complete:
		return append(steps, CutOver)
	case s.Verdicts[verdict.Pending] == 0:
		add(Confirm, !slices.Contains(steps, Again))
		return steps
	case s.Forecast.State == forecast.Stalled || s.Forecast.Remaining > 0:
		return append(steps, Remind)
	}
	add(Wait, len(steps) == 0)
	return steps
}

// byCount lists the keys of counts, the largest count first.
func byCount[K ~string](counts map[K]int) []K {
	return slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}
