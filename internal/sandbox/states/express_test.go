package states_test

import (
	"bufio"
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/knobs"
)

const invoke = `{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"OutputPath":"$.Payload","End":true}`

// start starts an execution named "e".
func (w *world) start(machine string) (string, error) {
	out, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Name: aws.String("e")})
	if err != nil {
		return "", err
	}
	return *out.ExecutionArn, nil
}

func TestExpressCannotBeAskedAbout(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		ctx, machine := w.t.Context(), w.create("m", types.StateMachineTypeExpress, wait)
		arn, err := w.start(machine)
		w.must(err)
		if !strings.HasPrefix(arn, "arn:aws:states:"+region+":"+account+":express:m:e:") {
			w.t.Errorf("started %s", arn)
		}
		again, err := w.start(machine)
		if err != nil || again == arn {
			w.t.Errorf("the name is taken: %s, %v", again, err)
		}
		const words = "Invalid Arn: 'Resource type not valid in this context: express'"
		_, err = w.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		refused(w.t, err, "InvalidArn", words)
		_, err = w.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &arn})
		refused(w.t, err, "InvalidArn", words)
		_, err = w.client.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn})
		refused(w.t, err, "InvalidArn", words)
		_, err = w.client.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: &machine})
		refused(w.t, err, "StateMachineTypeNotSupported", "not supported by this type")
		_, err = w.client.StartSyncExecution(ctx, &sfn.StartSyncExecutionInput{StateMachineArn: aws.String(w.create("s", types.StateMachineTypeStandard, wait))})
		refused(w.t, err, "StateMachineTypeNotSupported", "not supported by this type")
	})
}

func TestExpressLastsFiveMinutes(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		machine := w.create("m", types.StateMachineTypeExpress, one(`{"Type":"Wait","Seconds":301,"End":true}`))
		out, err := w.client.StartSyncExecution(w.t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &machine})
		w.must(err)
		if out.Status != types.SyncExecutionStatusTimedOut || out.StopDate.Sub(*out.StartDate).Round(time.Second) != 5*time.Minute {
			w.t.Errorf("%s after %s", out.Status, out.StopDate.Sub(*out.StartDate))
		}
	})
}

func TestSync(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		w.function("f", func(context.Context, any) (any, error) {
			time.Sleep(250 * time.Millisecond)
			return map[string]int{"a": 1}, nil
		})
		machine := w.create("m", types.StateMachineTypeExpress, one(invoke))
		out, err := w.client.StartSyncExecution(w.t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &machine, Name: aws.String("e")})
		w.must(err)
		if out.Status != types.SyncExecutionStatusSucceeded || *out.Output != `{"a":1}` || *out.Name != "e" || *out.Input != "{}" || out.BillingDetails.BilledDurationInMilliseconds != 300 {
			w.t.Errorf("%+v, billed %+v", out, out.BillingDetails)
		}
		failing := w.create("f", types.StateMachineTypeExpress, one(`{"Type":"Fail","Error":"E","Cause":"c"}`))
		failed, err := w.client.StartSyncExecution(w.t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &failing})
		w.must(err)
		if failed.Status != types.SyncExecutionStatusFailed || *failed.Error != "E" || *failed.Cause != "c" {
			w.t.Errorf("%+v", failed)
		}
	})
}

// An EXPRESS execution is delivered at least once; STANDARD and sync ones once.
func TestDuplicates(t *testing.T) {
	faults, err := knobs.ParseFaults("states=duplicate:100%")
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, sandbox.Options{Faults: faults}, func(w *world) {
		var calls atomic.Int32
		w.function("f", func(context.Context, any) (any, error) { calls.Add(1); return nil, nil })
		express, standard := w.create("x", types.StateMachineTypeExpress, one(invoke)), w.create("s", types.StateMachineTypeStandard, one(invoke))
		ran := func(what string, want int32) {
			w.must(w.states.Wait(w.t.Context()))
			if got := calls.Swap(0); got != want {
				w.t.Errorf("%s: the task ran %d times, want %d", what, got, want)
			}
		}
		_, err := w.start(express)
		w.must(err)
		ran("EXPRESS", 2)
		_, err = w.start(standard)
		w.must(err)
		ran("STANDARD", 1)
		_, err = w.client.StartSyncExecution(w.t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &express})
		w.must(err)
		ran("sync", 1)
		if got := w.states.Counts(); got.Executions != 3 || got.Copies != 1 || got.Transitions != 4 {
			w.t.Errorf("counted %+v", got)
		}
	})
}

func TestFaultTargets(t *testing.T) {
	for spec, want := range map[string]string{
		"states=duplicate:20%,states.StartExecution=throttle:5%": "", "states=crash:1%": "can only have [duplicate]", "states.Nope=error:1%": "no such",
	} {
		faults, err := knobs.ParseFaults(spec)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, sandbox.Options{Faults: faults}, everything)
		if _, err := w.sandbox.Start("127.0.0.1:0"); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
}

func TestLogs(t *testing.T) {
	for _, tt := range []struct {
		level types.LogLevel
		data  bool
		want  []string
	}{
		{types.LogLevelAll, true, []string{"ExecutionStarted", "FailStateEntered", "ExecutionFailed"}},
		{types.LogLevelAll, false, []string{"ExecutionStarted", "FailStateEntered", "ExecutionFailed"}},
		{types.LogLevelError, true, []string{"ExecutionFailed"}},
		{types.LogLevelFatal, false, []string{"ExecutionFailed"}},
		{types.LogLevelOff, true, nil},
	} {
		bubble(t, sandbox.Options{}, func(w *world) {
			created, err := w.client.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{
				Name: aws.String("m"), Type: types.StateMachineTypeExpress, Definition: aws.String(one(`{"Type":"Fail","Error":"E"}`)), RoleArn: &w.role,
				LoggingConfiguration: &types.LoggingConfiguration{Level: tt.level, IncludeExecutionData: tt.data},
			})
			w.must(err)
			out, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: created.StateMachineArn, Input: aws.String(`{"canary":1}`)})
			w.must(err)
			w.must(w.states.Wait(w.t.Context()))
			var kinds []string
			for lines := bufio.NewScanner(strings.NewReader(w.logs.String())); lines.Scan(); {
				var line struct {
					Type         string `json:"type"`
					ExecutionARN string `json:"execution_arn"`
				}
				w.must(json.Unmarshal(lines.Bytes(), &line))
				kinds = append(kinds, line.Type)
				if line.ExecutionARN != *out.ExecutionArn {
					w.t.Errorf("a line of %s", line.ExecutionARN)
				}
			}
			if diff := cmp.Diff(tt.want, kinds); diff != "" {
				w.t.Errorf("%+v: %s", tt, diff)
			}
			if said := strings.Contains(w.logs.String(), "canary"); said != (tt.data && tt.level == types.LogLevelAll) {
				w.t.Errorf("%+v: the log says %s", tt, w.logs)
			}
		})
	}
}

// TestOverTheNetwork is the one test that does not run in virtual time.
func TestOverTheNetwork(t *testing.T) {
	w := newWorld(t, sandbox.Options{}, everything)
	endpoint, err := w.sandbox.Start("127.0.0.1:0")
	w.must(err)
	user, err := w.sandbox.IAM.AddUser(account, "operator", everything)
	w.must(err)
	o := w.as(user).Options()
	o.BaseEndpoint, o.HTTPClient = &endpoint, nil
	client := sfn.New(o)
	machine := w.create("m", types.StateMachineTypeExpress, one(`{"Type":"Pass","Result":{"a":1},"End":true}`))
	// The SDK puts "sync-" before the endpoint's host, which no loopback address
	// has a name for.
	plainHost := func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PlainHost", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
	}
	out, err := client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &machine}, sfn.WithAPIOptions(plainHost))
	w.must(err)
	if *out.Output != `{"a":1}` {
		t.Errorf("got %s", *out.Output)
	}
	if _, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine}); err != nil {
		t.Error(err)
	}
	w.must(w.states.Wait(t.Context()))
}
