// Package reconcile compares what was staged of a source pool with what has
// arrived in the target pool: who has moved, who has not, and what somebody
// ought to look at. It knows neither AWS nor Step Functions; a state machine
// calls Open, Index, Scan, Match, Compare and Close, each as often as it likes.
//
// Vocabulary: a reconciliation is one comparison of a run's staged profiles with
// its target pool, and has an id of its own; the staged side is what the
// manifest has, the arrived side what the target pool has; the basis is what a
// reconciliation compares, fixed when it is opened; an index item is a piece of
// the manifest that one Lambda shuffles; a bucket is a part of both sides by a
// hash of the identity, small enough to be compared in memory, a name bucket one
// by a hash of a name; a commit is the final word of a step on its piece; a
// reconciliation is whole when nothing was missing on either side, and partial
// otherwise, with a word for each reason.
//
// One reconciliation of a run works at a time: it holds the run's lease, which
// every step renews and which expires where nobody does. What a step leaves is
// written once, or moved by compare-and-swap, so that a step that is killed,
// repeated or run twice at once changes nothing.
//
// Nothing that is returned, recorded as a failure or sent as a metric holds
// personal data, but for subs. What is written for the comparison does; it is
// deleted when the reconciliation is closed.
package reconcile

import (
	"context"
	"math/rand/v2"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// Describer returns the target pool's settings.
type Describer interface {
	Describe(ctx context.Context) (userpool.Pool, error)
}

// Store keeps the objects of one run; store.Run says what its methods do.
type Store interface {
	OpenStore
	ResultStore
	DecisionStore
}

// Recorder takes what is to be known of a reconciliation's steps.
type Recorder interface {
	RecordStep(ctx context.Context, s StepRecord)
	// RecordSummary takes a reconciliation that has come to its end, as a rule
	// once.
	RecordSummary(ctx context.Context, s Summary)
}

// Steps of a reconciliation.
const (
	StepOpen    = "open"
	StepIndex   = "index"
	StepScan    = "scan"
	StepMatch   = "match"
	StepCompare = "compare"
	StepClose   = "close"
)

// StepRecord is what one call of a step did.
type StepRecord struct {
	At        time.Time
	Step      string // one of Step…
	Piece     string // item, shard or bucket; empty for the others
	Lines     int    // users that were read
	Pages     int    // of the directory
	Throttled int    // requests that were turned away because of their rate
	Took      time.Duration
}

// Options are what a Reconciliation needs. What is marked optional has a
// default.
type Options struct {
	Run     string
	Source  manifest.Pool
	Target  manifest.Pool
	Mapping userpool.Mapping

	// MFA is the policy of the trigger for users who have MFA at the source:
	// verify, reset or accept.
	MFA string
	// Exclude are the reasons for which a pending user is not to be moved; people
	// may decide on more.
	Exclude []verdict.Reason
	// SettleAll writes a SettleRow of everybody who has arrived, also where the
	// source has nothing to settle: for whoever takes away what the source lacks.
	SettleAll bool

	PerSecond   float64       // requests to list users, all shards together
	Shards      scan.Sharding // optional: scan.ShardsAuto
	Concurrency int           // optional: scan.DefaultConcurrency shards at a time
	Workers     int           // optional: DefaultWorkers items, and buckets, at a time
	Limits      scan.Limits   // optional: DefaultLimits
	StaleAfter  time.Duration // optional: DefaultStaleAfter
	LeaseTime   time.Duration // optional: DefaultLeaseTime

	Bucket    string         // name of the staging bucket, for the state machine's readers
	Directory scan.Directory // the target pool
	Pool      Describer
	Store     Store
	Recorder  Recorder  // optional
	Publisher Publisher // optional: makes the report
	Now       func() time.Time
	Random    func() float64 // optional: rand.Float64
}

// Defaults of Options.
const (
	DefaultStaleAfter = 24 * time.Hour   // of a scan of the source pool
	DefaultLeaseTime  = 15 * time.Minute // longer than any Lambda of a step
	DefaultWorkers    = 40
)

// DefaultLimits keep a batch within a Lambda of 512 MB. The more users are in
// one segment object, the fewer requests a bucket takes to read.
func DefaultLimits() scan.Limits {
	return scan.Limits{Time: 4 * time.Minute, Lines: 100_000, Bytes: 64 << 20}
}

// Reconciliation is the work on the reconciliations of one run. It is safe for
// concurrent use.
type Reconciliation struct {
	o Options
}

// New returns the reconciliations of a run. No call is made.
func New(o Options) *Reconciliation {
	if o.Shards == "" {
		o.Shards = scan.ShardsAuto
	}
	if o.Concurrency == 0 {
		o.Concurrency = scan.DefaultConcurrency
	}
	if o.Workers == 0 {
		o.Workers = DefaultWorkers
	}
	if o.Limits == (scan.Limits{}) {
		o.Limits = DefaultLimits()
	}
	if o.StaleAfter == 0 {
		o.StaleAfter = DefaultStaleAfter
	}
	if o.LeaseTime == 0 {
		o.LeaseTime = DefaultLeaseTime
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Recorder == nil {
		o.Recorder = silent{}
	}
	return &Reconciliation{o: o}
}

type silent struct{}

func (silent) RecordStep(context.Context, StepRecord) {}
func (silent) RecordSummary(context.Context, Summary) {}

// checkRun refuses what is meant for another run.
func (r *Reconciliation) checkRun(run string) error {
	if run != r.o.Run {
		return fault.New(fault.Invalid, "run %q is not the run %q of this configuration", run, r.o.Run)
	}
	return nil
}

func is(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }
