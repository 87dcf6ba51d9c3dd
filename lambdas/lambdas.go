// Package lambdas builds the project's Lambda functions, one constructor each.
// The folders beside this file hold the binaries: each main calls its
// constructor with the real environment and starts it. The sandbox calls the
// same constructors in process, so that both run the same wiring.
package lambdas

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/telemetry"
	"poolferry/internal/trigger"
)

// Environment is what a function sees of the world.
type Environment struct {
	Lookup func(name string) (string, bool) // environment variables
	Stdout io.Writer                        // log lines; safe for concurrent use
	Now    func() time.Time
}

// Process is the environment of this process.
func Process() Environment {
	return Environment{Lookup: os.LookupEnv, Stdout: os.Stdout, Now: time.Now}
}

// prefetchLimit bounds the calls that a function makes before its first event:
// Cognito's five seconds include a cold start.
const prefetchLimit = 2 * time.Second

// MigrateUser builds the migration trigger. Credentials, the target's description
// and the secrets are fetched ahead of the first event; if that fails, the first
// event tries again and reports what is wrong, with its audit line. Asked for a
// trial, the function tells what its roles let it do.
func MigrateUser(ctx context.Context, env Environment) (lambda.Handler, error) {
	cfg, err := config.FromEnv(env.Lookup)
	if err != nil {
		return nil, err
	}
	account, err := cognito.NewAccount(ctx, cfg.Target.Region, env.Lookup)
	if err != nil {
		return nil, err
	}
	vault := newVault(cfg, env)
	source := cognito.NewSource(account, cognito.SourceOptions{
		Region:       cfg.Source.Region,
		PoolID:       cfg.Source.PoolID,
		ClientID:     cfg.Source.ClientID,
		ClientSecret: vault.client,
		Login: cognito.Role{
			ARN: cfg.Source.LoginRoleARN, ExternalID: cfg.Source.ExternalID, SessionName: "poolferry-" + cfg.Run,
		},
	})
	target := cognito.NewTarget(account, cognito.TargetOptions{
		Region: cfg.Target.Region, PoolID: cfg.Target.PoolID, SMSMFA: cfg.Target.SMSMFA,
	})
	if err := prefetch(ctx, telemetry.NewLogger(env.Stdout, nil), source, target, vault); err != nil {
		return nil, err
	}
	handler := trigger.New(trigger.Options{
		PoolID:   cfg.Target.PoolID,
		Mapping:  cfg.Mapping,
		MFA:      cfg.MFAPolicy,
		Profile:  cfg.Source.Profile,
		Source:   locked{source, vault},
		Target:   target,
		Recorder: telemetry.NewRecorder(env.Stdout, cfg.Run, vault.nameKey, env.Now),
		Now:      env.Now,
	})
	return withTrial(handler, cfg, source, target), nil
}
