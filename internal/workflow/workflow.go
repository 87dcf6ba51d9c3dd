// Package workflow starts executions of the state machines of a run, and follows
// those that can be asked.
//
// Vocabulary: a state machine is named after its run and its definition,
// poolferry-RUN-DEFINITION, in the target account and region; an execution is
// one run of it, and an arrival one state that it has entered. A STANDARD
// execution has a name that is its own, and can be asked about; what an EXPRESS
// execution does is seen in the manifest: Step Functions keeps no record of it
// that could be asked for.
package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"poolferry/internal/account"
	"poolferry/internal/fault"
)

// limits: every call is quick, and repeating one does no harm.
var limits = account.Limits{Attempt: 10 * time.Second, Attempts: 4, Backoff: 2 * time.Second}

// Workflows are the state machines of a run.
type Workflows struct {
	cfg    aws.Config
	client *sfn.Client
	run    string
}

// New returns the state machines of a run in the region. No call is made.
func New(ctx context.Context, region, run string, env account.Environment) (*Workflows, error) {
	cfg, err := account.Load(ctx, region, env, limits)
	if err != nil {
		return nil, err
	}
	return &Workflows{cfg: cfg, client: sfn.NewFromConfig(cfg), run: run}, nil
}

// Name is the name under which infra deploys a definition for a run.
func Name(run, definition string) string { return "poolferry-" + run + "-" + definition }

// Start starts an execution of a definition and returns its ARN. The error is of
// kind NotFound where the state machine is not deployed.
func (w *Workflows) Start(ctx context.Context, definition string, input any) (string, error) {
	return w.start(ctx, definition, "", input)
}

// Begin is Start for a definition of type STANDARD: name is that of the
// execution, 1 to 80 letters, digits, hyphens and underscores. While one of the
// name runs with this input it is that one that is returned, so that an answer
// that was lost starts nothing twice; with another input, or after its end, the
// error is of kind AlreadyExists (Step Functions API reference, StartExecution).
func (w *Workflows) Begin(ctx context.Context, definition, name string, input any) (string, error) {
	if name == "" {
		return "", fault.New(fault.Invalid, "start %s: the execution has no name", definition)
	}
	return w.start(ctx, definition, name, input)
}

func (w *Workflows) start(ctx context.Context, definition, name string, input any) (string, error) {
	body, err := json.Marshal(input)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", definition, err)
	}
	machine, err := w.arn(ctx, "stateMachine", Name(w.run, definition))
	if err != nil {
		return "", err
	}
	in := &sfn.StartExecutionInput{StateMachineArn: &machine, Input: aws.String(string(body))}
	if name != "" {
		in.Name = &name
	}
	out, err := w.client.StartExecution(ctx, in)
	if err != nil {
		return "", fault.New(kindOf(err), "start %s: %w", machine, err)
	}
	return aws.ToString(out.ExecutionArn), nil
}

// arn is that of something of the target account.
func (w *Workflows) arn(ctx context.Context, resource, name string) (string, error) {
	id, partition, err := account.Identity(ctx, w.cfg)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("arn:%s:states:%s:%s:%s:%s", partition, w.cfg.Region, id, resource, name), nil
}

// kindOf maps errors of Step Functions (API reference, common errors and those of
// the operations that are called here).
func kindOf(err error) fault.Kind {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fault.Unavailable
	}
	switch api.ErrorCode() {
	case "StateMachineDoesNotExist", "StateMachineDeleting", "ExecutionDoesNotExist", "ResourceNotFound":
		return fault.NotFound
	case "ExecutionAlreadyExists":
		return fault.AlreadyExists
	case "ExecutionLimitExceeded", "ThrottlingException", "TooManyRequestsException":
		return fault.Throttled
	case "AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException", "InvalidSignatureException":
		return fault.Denied
	}
	if api.ErrorFault() == smithy.FaultServer {
		return fault.Unavailable
	}
	return fault.Invalid
}
