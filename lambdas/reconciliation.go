package lambdas

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/scan"
	"poolferry/internal/telemetry"
	"poolferry/internal/userpool"
)

// OpenReconciliation builds the function that begins a reconciliation.
func OpenReconciliation(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedReconciliation, (*reconcile.Reconciliation).Open)
}

// IndexManifest builds the function that sorts parts of the manifest into
// buckets.
func IndexManifest(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedReconciliation, (*reconcile.Reconciliation).Index)
}

// ScanTarget builds the function that lists a batch of the target pool.
func ScanTarget(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedReconciliation, (*reconcile.Reconciliation).Scan)
}

// MatchNames builds the function that finds the names of several users.
func MatchNames(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedReconciliation, (*reconcile.Reconciliation).Match)
}

// CompareBucket builds the function that compares one bucket.
func CompareBucket(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedReconciliation, (*reconcile.Reconciliation).Compare)
}

// CloseReconciliation builds the function that ends a reconciliation.
func CloseReconciliation(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedReconciliation, (*reconcile.Reconciliation).Close)
}

func recordedReconciliation(ctx context.Context, cfg *config.Config, env Environment) (*reconcile.Reconciliation, error) {
	return NewReconciliation(ctx, cfg, env, telemetry.NewReconciliationRecorder(env.Stdout, cfg.Run))
}

// NewReconciliation builds the reconciliations of a configuration's run, for
// these functions and for the command line tool, which may go without a
// recorder. No call is made.
func NewReconciliation(ctx context.Context, cfg *config.Config, env Environment, recorder reconcile.Recorder) (*reconcile.Reconciliation, error) {
	account, run, err := open(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	return reconcile.New(reconcile.Options{
		Run:         cfg.Run,
		Source:      sourcePool(cfg),
		Target:      targetPool(cfg),
		Mapping:     cfg.Mapping,
		MFA:         string(cfg.MFAPolicy),
		Exclude:     cfg.Reconcile.Exclude,
		SettleAll:   cfg.Settle.Groups.Mode == userpool.GroupsMirror,
		PerSecond:   cfg.Pace.UserList,
		Shards:      cfg.Seeding.Shards,
		Concurrency: cfg.Seeding.Concurrency,
		Workers:     cfg.Reconcile.Concurrency,
		StaleAfter:  time.Duration(cfg.Reconcile.StaleAfterHours) * time.Hour,
		Bucket:      cfg.Staging.Bucket,
		Directory:   cognito.NewListing(account, cfg.Target.Region, cfg.Target.PoolID, cognito.Role{}),
		Pool:        target{cognito.NewTarget(account, cognito.TargetOptions{Region: cfg.Target.Region, PoolID: cfg.Target.PoolID, SMSMFA: cfg.Target.SMSMFA})},
		Store:       run,
		Recorder:    recorder,
		Publisher:   newReporter(cfg, run, env.Now),
		Now:         env.Now,
	}), nil
}

var _ scan.Directory = (*cognito.Listing)(nil)

// target describes the target pool.
type target struct{ pool *cognito.Target }

// Describe implements reconcile.Describer.
func (t target) Describe(ctx context.Context) (userpool.Pool, error) { return t.pool.Pool(ctx) }

func sourcePool(cfg *config.Config) manifest.Pool {
	return manifest.Pool{Account: cfg.Source.Account, Region: cfg.Source.Region, ID: cfg.Source.PoolID}
}

func targetPool(cfg *config.Config) manifest.Pool {
	return manifest.Pool{Region: cfg.Target.Region, ID: cfg.Target.PoolID}
}
