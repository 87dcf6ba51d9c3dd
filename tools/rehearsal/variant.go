package rehearsal

import (
	"context"
	"io"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/config"
	"poolferry/lambdas"
)

// Variant says how a migration trigger differs from the one that the target
// pool calls.
type Variant struct {
	Change   func(*config.Config) // applied to a copy of the world's configuration; nil changes nothing
	Endpoint string               // in place of the world's own
	Stdout   io.Writer            // nil discards
}

// Function builds the migration trigger as a new Lambda process would, with
// fresh credentials of its role. It is attached to no pool.
func (w *World) Function(ctx context.Context, v Variant) (awslambda.Handler, error) {
	lookup, err := w.functionEnv(v)
	if err != nil {
		return nil, err
	}
	if v.Stdout == nil {
		v.Stdout = io.Discard
	}
	return lambdas.MigrateUser(ctx, lambdas.Environment{Lookup: lookup, Stdout: v.Stdout, Now: w.options.Now})
}

func (w *World) functionEnv(v Variant) (func(string) (string, bool), error) {
	changed := *w.Config
	if v.Change != nil {
		v.Change(&changed)
	}
	document, err := changed.Marshal()
	if err != nil {
		return nil, err
	}
	credentials, err := w.Sandbox.IAM.Session(roleARN(w.Target.Account, roleOf(migrateUser)), migrateUser, time.Hour)
	if err != nil {
		return nil, err
	}
	env := w.env(credentials)
	return func(name string) (string, bool) {
		switch {
		case name == config.EnvName:
			return string(document), true
		case name == "AWS_ENDPOINT_URL" && v.Endpoint != "":
			return v.Endpoint, true
		}
		return env(name)
	}, nil
}
