package rehearsal

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/lambda"
	"poolferry/lambdas"
)

// functionName is the migration trigger's name in faults: lambda.migrate-user.
const functionName = "migrate-user"

// addFunction adds the migration trigger and attaches it to the target pool.
func (w *World) addFunction() error {
	arn, err := w.Sandbox.Lambda.Add(lambda.Function{
		Account: w.Target.Account, Region: w.Target.Region, Name: functionName, Timeout: 5 * time.Second,
		RoleARN: roleARN(w.Target.Account, lambdaRole),
		Permissions: []lambda.Permission{{
			Service: "cognito-idp.amazonaws.com", SourceARN: poolARN(w.Target), SourceAccount: w.Target.Account,
		}},
		Runner: &function{world: w},
	})
	if err != nil {
		return err
	}
	return w.Cognito.SetTriggers(w.Target.PoolID, cognitoidp.Triggers{UserMigration: arn})
}

// function runs the migration trigger, in process or as the built binary. It is
// built when it is first needed, as Lambda starts a process: by then the sandbox
// has an endpoint and the role has credentials.
type function struct {
	world *World

	mu      sync.Mutex
	runner  lambda.Runner
	builtBy string // access key of the credentials
}

var _ lambda.Runner = (*function)(nil)

// Invoke implements lambda.Runner.
func (f *function) Invoke(ctx context.Context, in lambda.Invocation) ([]byte, error) {
	runner, err := f.built(ctx, in.Credentials)
	if err != nil {
		return nil, &lambda.FunctionError{Type: "Runtime.ExitError", Message: err.Error()}
	}
	return runner.Invoke(ctx, in)
}

// built returns the running function: a binary takes new credentials by itself,
// in process the function is built anew when they were renewed.
func (f *function) built(ctx context.Context, credentials iam.Credentials) (lambda.Runner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.world.options
	switch {
	case f.runner != nil && (o.Binary != "" || f.builtBy == credentials.AccessKeyID):
		return f.runner, nil
	case o.Binary != "":
		var env []string
		for name, value := range f.world.deployed() {
			env = append(env, name+"="+value)
		}
		f.runner = lambda.NewBinary(o.Binary, env, o.FunctionLog)
		return f.runner, nil
	}
	// The function outlives the sign-in that happens to start it.
	handler, err := lambdas.MigrateUser(context.WithoutCancel(ctx), lambdas.Environment{
		Lookup: f.world.env(credentials), Stdout: o.FunctionLog, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	f.runner, f.builtBy = lambda.InProcess(raw(handler)), credentials.AccessKeyID
	return f.runner, nil
}

// Close ends the binary's processes.
func (f *function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if closer, ok := f.runner.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// raw is a handler of bytes as one of JSON.
func raw(h awslambda.Handler) func(context.Context, json.RawMessage) (json.RawMessage, error) {
	return func(ctx context.Context, in json.RawMessage) (json.RawMessage, error) { return h.Invoke(ctx, in) }
}
