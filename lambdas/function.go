package lambdas

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/config"
	"poolferry/internal/fault"
)

// Main runs a function as a Lambda process does: build, then answer events
// until the process is ended.
func Main(name string, build func(context.Context, Environment) (lambda.Handler, error)) {
	env := Process()
	if memory := memoryOf(env); memory > 0 {
		// Rather collect sooner than be killed: a trigger that is fails a sign-in.
		debug.SetMemoryLimit(memory * 7 / 8)
	}
	handler, err := build(context.Background(), env)
	if err != nil {
		fmt.Fprintf(os.Stderr, "start %s: %v\n", name, err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

// function is a handler of JSON whose errors Step Functions can tell apart.
// lambda.NewHandler is none for us: it returns bytes of a buffer that the next
// call uses again, and the sandbox calls one function concurrently.
type function[In, Out any] func(context.Context, In) (Out, error)

// Invoke implements lambda.Handler.
func (f function[In, Out]) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return fault.Boundary(func(ctx context.Context, payload []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(payload, &in); err != nil {
			return nil, fault.New(fault.Invalid, "read event: %w", err)
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	})(ctx, payload)
}

// stepOf builds the function of a step of a work, such as a seeding: work makes it
// from the configuration in the environment.
func stepOf[Work, In, Out any](
	ctx context.Context, env Environment,
	work func(context.Context, *config.Config, Environment) (Work, error),
	step func(Work, context.Context, In) (Out, error),
) (lambda.Handler, error) {
	cfg, err := config.FromEnv(env.Lookup)
	if err != nil {
		return nil, err
	}
	w, err := work(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	return function[In, Out](func(ctx context.Context, in In) (Out, error) { return step(w, ctx, in) }), nil
}
