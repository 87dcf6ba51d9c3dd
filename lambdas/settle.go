package lambdas

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/settle"
	"poolferry/internal/telemetry"
)

// SettleUsers builds the function that gives users who have arrived what the
// trigger cannot carry.
func SettleUsers(ctx context.Context, env Environment) (lambda.Handler, error) {
	return stepOf(ctx, env, newSettle, (*settle.Settle).Step)
}

func newSettle(ctx context.Context, cfg *config.Config, env Environment) (*settle.Settle, error) {
	account, run, err := open(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	return settle.New(settle.Options{
		Run:      cfg.Run,
		Groups:   cfg.Settle.Groups,
		Disabled: cfg.Settle.Disabled,
		MFA:      cfg.Settle.MFA,
		Pace: settle.Pace{
			UserRead: cfg.Pace.UserRead, UserUpdate: cfg.Pace.UserUpdate,
			UserResourceRead: cfg.Pace.UserResourceRead, UserResourceUpdate: cfg.Pace.UserResourceUpdate,
		},
		Directory: cognito.NewSettler(account, cfg.Target.Region, cfg.Target.PoolID),
		Store:     run,
		Recorder:  telemetry.NewSettleRecorder(env.Stdout, cfg.Run),
		Now:       env.Now,
	}), nil
}
