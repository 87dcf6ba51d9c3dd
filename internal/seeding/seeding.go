package seeding

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// Directory is the source pool as the export role may read it. Errors have the
// kinds of package fault; each call is one request, tried once.
type Directory interface {
	scan.Directory

	// ListGroups returns a page of the pool's groups; pages as in ListUsers.
	ListGroups(ctx context.Context, cursor manifest.Cursor) (Page[manifest.Group], error)

	// ListUsersInGroup returns a page of the users of a group; pages and cursors
	// as in ListUsers. The error is of kind fault.NotFound where there is no such
	// group.
	ListUsersInGroup(ctx context.Context, group string, cursor manifest.Cursor) (Page[userpool.Sub], error)
}

// Page is a page of a list.
type Page[T any] = scan.Page[T]

// Description is what a plan needs to know of a pool.
type Description = scan.Description

// ErrCursor means that a cursor is no longer taken.
var ErrCursor = scan.ErrCursor

// Store keeps the manifest of one run; store.Run says what its methods do.
type Store interface {
	ReadPlan(ctx context.Context) (manifest.Plan, manifest.Digest, error)
	WritePlan(ctx context.Context, p manifest.Plan) (manifest.Digest, error)
	OpenGeneration(ctx context.Context, g manifest.Generation) (manifest.Generation, error)
	ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error)
	LatestGeneration(ctx context.Context) (manifest.Generation, error)
	WriteGroups(ctx context.Context, g manifest.Groups) (manifest.DocumentRef, error)
	ReadGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, manifest.DocumentRef, error)

	LoadCheckpoint(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Checkpoint, string, error)
	SwapCheckpoint(ctx context.Context, next manifest.Checkpoint, tag string) (string, error)
	WritePart(ctx context.Context, h manifest.Header, stored []byte, ref manifest.PartRef) (manifest.PartRef, error)
	DeletePart(ctx context.Context, ref manifest.PartRef) error
	ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error]
	ReadMembers(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[manifest.Member, error]
	CommitShard(ctx context.Context, c manifest.Commit) (manifest.Commit, manifest.DocumentRef, error)
	ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error)
	SweepShard(ctx context.Context, c manifest.Commit) (deleted int, err error)
	WriteManifest(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error)
	ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error)

	WriteStop(ctx context.Context, s manifest.Stop) error
	ReadStop(ctx context.Context) (manifest.Stop, error)
	ClearStop(ctx context.Context) error
}

// Recorder takes what is to be known of a batch.
type Recorder interface {
	RecordBatch(ctx context.Context, b BatchRecord)
}

// BatchRecord is what one batch did.
type BatchRecord struct {
	At        time.Time
	Shard     string
	Lines     int // that count: 0 for a batch that came second
	Pages     int
	Throttled int // requests that were turned away because of their rate
	Took      time.Duration
}

// Sharding says how a plan slices the source pool.
type Sharding = scan.Sharding

// The shardings.
const (
	ShardsAuto   = scan.ShardsAuto
	ShardsSerial = scan.ShardsSerial
	ShardsPrefix = scan.ShardsPrefix
)

// DefaultConcurrency is how many batches run at a time.
const DefaultConcurrency = scan.DefaultConcurrency

// Limits of a batch.
type Limits = scan.Limits

// DefaultLimits keep a batch within a Lambda of 128 MB and a minute.
func DefaultLimits() Limits { return Limits{Time: 40 * time.Second, Lines: 20_000, Bytes: 8 << 20} }

// Options are what a Seeding needs. What is marked optional has a default.
type Options struct {
	Run       string
	Source    manifest.Pool
	Target    manifest.Pool
	Mapping   userpool.Mapping
	CreatedBy string // optional: who makes a plan, such as the ARN of a role session

	PerSecond   float64  // requests to list users, all batches together
	Shards      Sharding // optional: ShardsAuto
	Concurrency int      // optional: DefaultConcurrency
	Limits      Limits   // optional: DefaultLimits

	Directory Directory
	Store     Store
	Recorder  Recorder // optional
	Now       func() time.Time
	Random    func() float64 // optional: rand.Float64
}

// Seeding is the work on one run's manifest. It is safe for concurrent use.
type Seeding struct {
	o Options
}

// New returns the seeding of a run. No call is made.
func New(o Options) *Seeding {
	if o.Shards == "" {
		o.Shards = ShardsAuto
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Recorder == nil {
		o.Recorder = silent{}
	}
	return &Seeding{o: o}
}

type silent struct{}

func (silent) RecordBatch(context.Context, BatchRecord) {}

// checkRun refuses what is meant for another run.
func (s *Seeding) checkRun(run string) error {
	if run != s.o.Run {
		return fault.New(fault.Invalid, "run %q is not the run %q of this configuration", run, s.o.Run)
	}
	return nil
}

func is(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }
