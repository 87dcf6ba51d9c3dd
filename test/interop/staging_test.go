package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"poolferry/infra"
	"poolferry/internal/sandbox/lambda"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// batch is what the state machine sends to seed-batch.
type batch struct {
	Shard  string
	Failed string // the error name of a batch that is given up
}

// mishap is what happens to a batch in place of its work; call counts those of
// its shard from 1. Two zero values leave it alone.
type mishap func(call int, in batch) (answer string, failed *lambda.FunctionError)

// staging is a world with preseed deployed a second time, around a seed-batch
// that meets mishaps.
type staging struct {
	*rehearsal.World
	client     *sfn.Client
	machine    string // ARN
	definition []byte
	log        *syncBuffer // of functions and state machines
	mishap     mishap

	mu    sync.Mutex
	calls map[string]int // of seed-batch by shard; those that record a failure end in "!"
}

// Names of what staging adds.
const (
	batchInterop   = "seed-batch-interop"
	preseedInterop = "poolferry-rehearsal-interop"
)

func newStaging(t *testing.T, m mishap) *staging {
	t.Helper()
	s := &staging{log: &syncBuffer{}, mishap: m, calls: map[string]int{}}
	var err error
	s.World, err = rehearsal.New(t.Context(), rehearsal.Options{Users: 60, Seed: 1, Now: time.Now, Speed: 10_000, FunctionLog: s.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	// What functions read when they start: a shard per prefix, so that there are
	// more than work at a time.
	s.YAML = append(s.YAML, "seeding:\n  shards: prefix\n"...)
	if _, err := s.Sandbox.Lambda.Add(lambda.Function{
		Account: s.Target.Account, Region: s.Target.Region, Name: batchInterop, Timeout: 70 * time.Second, Runner: mishaps{s},
	}); err != nil {
		t.Fatal(err)
	}
	s.deploy(t)
	return s
}

func (s *staging) functionARN(name string) string {
	return "arn:aws:lambda:" + s.Target.Region + ":" + s.Target.Account + ":function:" + name
}

// deploy creates the state machine, with a log of all that happens.
func (s *staging) deploy(t *testing.T) {
	t.Helper()
	s.machine = "arn:aws:states:" + s.Target.Region + ":" + s.Target.Account + ":stateMachine:" + preseedInterop
	functions := map[string]string{
		"plan_seeding_function": s.functionARN("plan-seeding"), "seed_batch_function": s.functionARN(batchInterop),
		"close_seeding_function": s.functionARN("close-seeding"),
	}
	var err error
	if s.definition, err = statemachines.Render(statemachines.Preseed, functions); err != nil {
		t.Fatal(err)
	}
	trust, err := infra.Render(infra.StatesTrust, map[string]string{"target_account": s.Target.Account})
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{"state_machine_arn": s.machine}
	for name, arn := range functions {
		allowed[name+"_arn"] = arn
	}
	policy, err := infra.Render(infra.Preseed, allowed)
	if err != nil {
		t.Fatal(err)
	}
	role, err := s.Sandbox.IAM.AddRole(s.Target.Account, preseedInterop, trust, policy)
	if err != nil {
		t.Fatal(err)
	}
	s.client = sfn.New(sfn.Options{
		Region: s.Target.Region, BaseEndpoint: &s.Endpoint, RetryMaxAttempts: 1,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(
			s.Target.Operator.AccessKeyID, s.Target.Operator.SecretAccessKey.Reveal(), "")),
	})
	logs := "arn:aws:logs:" + s.Target.Region + ":" + s.Target.Account + ":log-group:/aws/vendedlogs/states/" + preseedInterop + ":*"
	_, err = s.client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String(preseedInterop), Type: types.StateMachineTypeExpress, RoleArn: &role, Definition: aws.String(string(s.definition)),
		LoggingConfiguration: &types.LoggingConfiguration{
			Level: types.LogLevelAll, IncludeExecutionData: true,
			Destinations: []types.LogDestination{{CloudWatchLogsLogGroup: &types.CloudWatchLogsLogGroup{LogGroupArn: &logs}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mishaps is the seed-batch that meets them.
type mishaps struct{ s *staging }

// Invoke implements lambda.Runner.
func (m mishaps) Invoke(ctx context.Context, in lambda.Invocation) ([]byte, error) {
	s := m.s
	var b batch
	if err := json.Unmarshal(in.Payload, &b); err != nil {
		return nil, err
	}
	counter := b.Shard
	if b.Failed != "" {
		counter += "!"
	}
	s.mu.Lock()
	s.calls[counter]++
	call := s.calls[counter]
	s.mu.Unlock()
	if s.mishap != nil {
		answer, failed := s.mishap(call, b)
		switch {
		case failed != nil:
			return nil, failed
		case answer != "":
			return []byte(answer), nil
		}
	}
	return s.Sandbox.Lambda.Invoke(ctx, s.functionARN("seed-batch"), in.Payload)
}

// execution is what one execution came to.
type execution struct {
	Input        any
	Status       string // SUCCEEDED or FAILED
	Output       any
	Error, Cause string
}

// inSandbox runs executions, each with its successors, by the sandbox's Step
// Functions.
func (s *staging) inSandbox(t *testing.T, inputs []string) []execution {
	t.Helper()
	for _, input := range inputs {
		before := len(s.logged(t))
		out, err := s.client.StartSyncExecution(t.Context(),
			&sfn.StartSyncExecutionInput{StateMachineArn: &s.machine, Input: &input}, sfn.WithAPIOptions(plainHost))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.States.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		answer := execution{
			Input: parsed(t, input), Status: string(out.Status), Error: aws.ToString(out.Error), Cause: aws.ToString(out.Cause),
		}
		if out.Output != nil {
			answer.Output = parsed(t, *out.Output)
		}
		if diff := cmp.Diff(answer, s.logged(t)[before]); diff != "" {
			t.Errorf("StartSyncExecution and the log disagree (-answer +log)\n%s", diff)
		}
	}
	return s.logged(t)
}

// plainHost keeps the SDK from putting "sync-" before the endpoint's host, which
// a loopback address does not take.
func plainHost(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PlainHost",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
}

// logged are the executions of the state machine in the order of their starts.
func (s *staging) logged(t *testing.T) []execution {
	t.Helper()
	var order []string
	byARN := map[string]*execution{}
	for line := range bytes.Lines(s.log.Bytes()) {
		var event struct {
			Type    string
			ARN     string `json:"execution_arn"`
			Details struct{ Input, Output, Error, Cause string }
		}
		if json.Unmarshal(line, &event) != nil || !strings.Contains(event.ARN, ":"+preseedInterop+":") {
			continue // of a function
		}
		d := event.Details
		switch event.Type {
		case "ExecutionStarted":
			order = append(order, event.ARN)
			byARN[event.ARN] = &execution{Input: parsed(t, d.Input)}
		case "ExecutionSucceeded":
			e := byARN[event.ARN]
			e.Status, e.Output = "SUCCEEDED", parsed(t, d.Output)
		case "ExecutionFailed":
			e := byARN[event.ARN]
			e.Status, e.Error, e.Cause = "FAILED", d.Error, d.Cause
		}
	}
	var chain []execution
	for _, arn := range order {
		chain = append(chain, *byARN[arn])
	}
	return chain
}

// maxChain is how many executions may follow one another.
const maxChain = 10

// byInterpreter runs executions, each with its successors, by
// aws-local-stepfunctions.
func (s *staging) byInterpreter(t *testing.T, inputs []string) []execution {
	t.Helper()
	var all []execution
	var queue []any
	for _, input := range inputs {
		for queue = append(queue, parsed(t, input)); len(queue) > 0; {
			e, successors := interpret(t, s.request(queue[0]))
			all, queue = append(all, e), queue[1:]
			for _, successor := range successors {
				if successor.Machine != s.machine {
					t.Fatalf("it starts %s, want %s", successor.Machine, s.machine)
				}
				queue = append(queue, successor.Input)
			}
			if len(all) > maxChain {
				t.Fatal("the chain does not come to an end")
			}
		}
	}
	return all
}

// request is what states.mjs needs to run an execution.
func (s *staging) request(input any) map[string]any {
	return map[string]any{
		"definition": json.RawMessage(s.definition), "input": input,
		"context": map[string]any{
			"StateMachine": map[string]string{"Id": s.machine},
			"Execution":    map[string]string{"Id": strings.Replace(s.machine, ":stateMachine:", ":express:", 1) + ":by:interpreter"},
		},
		"endpoint": s.Endpoint, "region": s.Target.Region,
		"credentials": map[string]string{
			"accessKeyId": s.Target.Operator.AccessKeyID, "secretAccessKey": s.Target.Operator.SecretAccessKey.Reveal(),
		},
	}
}

type started struct {
	Machine string
	Input   any
}

// interpret has states.mjs run one execution.
func interpret(t *testing.T, request map[string]any, env ...string) (execution, []started) {
	t.Helper()
	input, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), nodeWith(t, "aws-local-stepfunctions", "@aws-sdk/client-lambda"), "states.mjs")
	script.Stdin = bytes.NewReader(input)
	script.Env = append(script.Environ(), env...)
	var stderr bytes.Buffer
	script.Stderr = &stderr
	data, err := script.Output()
	if err != nil {
		t.Fatalf("states.mjs: %v\n%s", err, stderr.Bytes())
	}
	var outcome struct {
		execution
		Started []started
	}
	if err := json.Unmarshal(data, &outcome); err != nil {
		t.Fatal(err)
	}
	outcome.Input = request["input"]
	return outcome.execution, outcome.Started
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	return value
}
