package lambdas

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/telemetry"
)

// PlanSeeding builds the function that plans a seeding.
func PlanSeeding(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedSeeding, (*seeding.Seeding).Plan)
}

// SeedBatch builds the function that reads one batch of a shard, or records that
// the state machine has given one up.
func SeedBatch(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedSeeding, func(s *seeding.Seeding, ctx context.Context, in batchEvent) (seeding.BatchOutput, error) {
		if in.Failed != "" {
			return s.Fail(ctx, in.BatchInput, in.Failed)
		}
		return s.Batch(ctx, in.BatchInput)
	})
}

// batchEvent is what the state machine sends.
type batchEvent struct {
	seeding.BatchInput
	Failed string `json:"failed"` // the error name it caught; empty for a batch
}

// CloseSeeding builds the function that closes a generation.
func CloseSeeding(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedSeeding, (*seeding.Seeding).Close)
}

func recordedSeeding(ctx context.Context, cfg *config.Config, env Environment) (*seeding.Seeding, error) {
	return NewSeeding(ctx, cfg, env, telemetry.NewSeedingRecorder(env.Stdout, cfg.Run))
}

// NewSeeding builds the seeding of a configuration's run, for these functions
// and for the command line tool, which may go without a recorder. No call is
// made. The error is of kind fault.Invalid where the configuration has no export
// role.
func NewSeeding(ctx context.Context, cfg *config.Config, env Environment, recorder seeding.Recorder) (*seeding.Seeding, error) {
	if cfg.Source.ExportRoleARN == "" {
		return nil, fault.New(fault.Invalid, "source.export_role_arn is missing: seeding lists the source pool through the export role")
	}
	account, run, err := open(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	session := "poolferry-" + cfg.Run
	return seeding.New(seeding.Options{
		Run:         cfg.Run,
		Source:      sourcePool(cfg),
		Target:      targetPool(cfg),
		Mapping:     cfg.Mapping,
		CreatedBy:   session,
		PerSecond:   cfg.Pace.UserList,
		Shards:      cfg.Seeding.Shards,
		Concurrency: cfg.Seeding.Concurrency,
		Directory: cognito.NewListing(account, cfg.Source.Region, cfg.Source.PoolID, cognito.Role{
			ARN: cfg.Source.ExportRoleARN, ExternalID: cfg.Source.ExternalID, SessionName: session,
		}),
		Store:    run,
		Recorder: recorder,
		Now:      env.Now,
	}), nil
}

// open returns the target's account and the objects of the run. No call is made.
func open(ctx context.Context, cfg *config.Config, env Environment) (*cognito.Account, *store.Run, error) {
	account, err := cognito.NewAccount(ctx, cfg.Target.Region, env.Lookup)
	if err != nil {
		return nil, nil, err
	}
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: cfg.Staging.Bucket, Region: cfg.Target.Region, Env: env.Lookup})
	if err != nil {
		return nil, nil, err
	}
	return account, store.NewRun(bucket, cfg.Run), nil
}
