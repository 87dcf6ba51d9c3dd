package lambdas

import (
	"bytes"
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/preflight/trial"
	"poolferry/internal/trigger"
)

// tried is the migration trigger, which besides tells preflight what its roles
// let it do. Only whoever may invoke the function can ask: Cognito's events are
// no requests for a trial.
type tried struct {
	lambda.Handler
	run     string
	roles   func() trial.Roles
	respond bool
}

func withTrial(h lambda.Handler, cfg *config.Config, source *cognito.Source, target *cognito.Target) lambda.Handler {
	return tried{h, cfg.Run, func() trial.Roles { return cognito.NewTrial(source, target) }, cfg.MFAPolicy == trigger.MFAVerify}
}

// Invoke implements lambda.Handler.
func (t tried) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if !trial.IsRequest(payload) {
		return t.Handler.Invoke(ctx, payload)
	}
	return fault.Boundary(func(ctx context.Context, _ []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, trigger.Budget) // the function has five seconds
		defer cancel()
		answer, err := trial.Run(ctx, t.run, t.roles(), t.respond, cognito.Code).Encode()
		return bytes.TrimSuffix(answer, []byte("\n")), err
	})(ctx, payload)
}
