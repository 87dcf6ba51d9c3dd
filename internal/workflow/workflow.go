// Package workflow starts executions of the state machines of a run.
//
// Vocabulary: a state machine is named after its run and its definition,
// poolferry-RUN-DEFINITION, in the target account and region; an execution is
// one run of it. What an EXPRESS execution does is seen in the manifest: Step
// Functions keeps no record of it that could be asked for.
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

// limits: starting is quick, and repeating a start does no harm.
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
	body, err := json.Marshal(input)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", definition, err)
	}
	id, partition, err := account.Identity(ctx, w.cfg)
	if err != nil {
		return "", err
	}
	machine := fmt.Sprintf("arn:%s:states:%s:%s:stateMachine:%s", partition, w.cfg.Region, id, Name(w.run, definition))
	out, err := w.client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Input: aws.String(string(body))})
	if err != nil {
		return "", fault.New(kindOf(err), "start %s: %w", machine, err)
	}
	return aws.ToString(out.ExecutionArn), nil
}

// kindOf maps the errors of StartExecution (Step Functions API reference).
func kindOf(err error) fault.Kind {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fault.Unavailable
	}
	switch api.ErrorCode() {
	case "StateMachineDoesNotExist", "StateMachineDeleting":
		return fault.NotFound
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
