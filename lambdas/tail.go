package lambdas

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/tail"
	"poolferry/internal/telemetry"
)

// OpenTail builds the function that begins an import of the tail.
func OpenTail(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedTail, (*tail.Tail).Open)
}

// WriteTail builds the function that writes a file of an import.
func WriteTail(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedTail, (*tail.Tail).Write)
}

// ImportTail builds the function that takes an import one step further.
func ImportTail(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedTail, (*tail.Tail).Import)
}

// CloseTail builds the function that ends an import.
func CloseTail(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, recordedTail, (*tail.Tail).Close)
}

func recordedTail(ctx context.Context, cfg *config.Config, env Environment) (*tail.Tail, error) {
	return NewTail(ctx, cfg, env, telemetry.NewTailRecorder(env.Stdout, cfg.Run))
}

// NewTail builds the imports of a configuration's run, for these functions and for
// the command line tool, which may go without a recorder. No call is made.
func NewTail(ctx context.Context, cfg *config.Config, env Environment, recorder tail.Recorder) (*tail.Tail, error) {
	account, run, err := open(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	reconciliations, err := NewReconciliation(ctx, cfg, env, nil)
	if err != nil {
		return nil, err
	}
	return tail.New(tail.Options{
		Run:        cfg.Run,
		LogRoleARN: cfg.Tail.ImportLogRoleARN,
		MaxAge:     time.Duration(cfg.Reconcile.StaleAfterHours) * time.Hour,
		Users: func(reconciliation string) tail.Users {
			return lookup.New(lookup.Options{Run: cfg.Run, Store: run, ID: reconciliation, MFA: string(cfg.MFAPolicy), Now: env.Now})
		},
		Reconciliations: reconciliations,
		Pool:            cognito.NewImporter(account, cfg.Target.Region, cfg.Target.PoolID),
		Store:           run,
		Recorder:        recorder,
		Now:             env.Now,
	}), nil
}
