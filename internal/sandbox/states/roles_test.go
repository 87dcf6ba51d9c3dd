package states_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/states"
	"poolferry/internal/sandbox/states/integration"
)

// TestRole: a Task may do what the machine's role may, and no more.
func TestRole(t *testing.T) {
	const (
		machineARN  = "arn:aws:states:" + region + ":" + account + ":stateMachine:"
		functionARN = "arn:aws:lambda:" + region + ":" + account + ":function:"
		session     = "User: arn:aws:sts::" + account + ":assumed-role/machine/"
	)
	policy := []byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"` + functionARN + `allowed"},
		{"Effect":"Allow","Action":["states:StartExecution","states:StartSyncExecution"],"Resource":"` + machineARN + `allowed"}]}`)
	start := func(resource, machine string) string {
		return one(`{"Type":"Task","Resource":"arn:aws:states:::` + resource + `","Parameters":{"StateMachineArn":"` + machineARN + machine + `","Input":{"a":1},"Name":"n"},"ResultSelector":{"arn.$":"$.ExecutionArn"},"End":true}`)
	}
	call := func(function string) string {
		return one(`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"` + function + `"},"ResultSelector":{"p.$":"$.Payload","v.$":"$.ExecutedVersion"},"End":true}`)
	}
	tests := map[string]struct{ definition, want, cause string }{
		"function":                   {call("allowed"), `{"p":"hi","v":"$LATEST"}`, ""},
		"function by ARN":            {call(functionARN + "allowed"), `{"p":"hi","v":"$LATEST"}`, ""},
		"function by partial ARN":    {call(account + ":function:allowed"), `{"p":"hi","v":"$LATEST"}`, ""},
		"function as resource":       {one(`{"Type":"Task","Resource":"` + functionARN + `allowed","End":true}`), `"hi"`, ""},
		"denied function":            {call("denied"), "Lambda.AWSLambdaException", "is not authorized to perform: lambda:InvokeFunction on resource: " + functionARN + "denied"},
		"denied function resource":   {one(`{"Type":"Task","Resource":"` + functionARN + `denied","End":true}`), "Lambda.AWSLambdaException", session},
		"execution":                  {start("states:startExecution", "allowed"), `{"arn":"arn:aws:states:` + region + ":" + account + `:execution:allowed:n"}`, ""},
		"execution by SDK":           {start("aws-sdk:sfn:startExecution", "allowed"), `{"arn":"arn:aws:states:` + region + ":" + account + `:execution:allowed:n"}`, ""},
		"denied execution":           {start("states:startExecution", "denied"), "StepFunctions.AWSStepFunctionsException", "states:StartExecution"},
		"denied execution by SDK":    {start("aws-sdk:sfn:startExecution", "denied"), "Sfn.SfnException", "states:StartExecution"},
		"sync execution, wrong type": {start("aws-sdk:sfn:startSyncExecution", "allowed"), "Sfn.StateMachineTypeNotSupportedException", "(Service: Sfn, Status Code: 400, Request ID: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sandbox.Options{}, policy)
				for _, name := range []string{"allowed", "denied"} {
					w.function(name, func(context.Context, any) (any, error) { return "hi", nil })
					w.create(name, types.StateMachineTypeStandard, one(`{"Type":"Succeed"}`))
				}
				out := w.finish(tt.definition, `{}`)
				if tt.cause == "" && aws.ToString(out.Output) != tt.want || tt.cause != "" && aws.ToString(out.Error) != tt.want {
					t.Errorf("got %s, want %s", outcome(out), tt.want)
				}
				if tt.cause != "" {
					contains(t, aws.ToString(out.Cause), tt.cause)
				}
			})
		})
	}
}

func TestSyncFromATask(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		inner := w.create("inner", types.StateMachineTypeExpress, one(`{"Type":"Wait","Seconds":2,"Next":"F"},"F":{"Type":"Fail","Error":"E","Cause":"c"}`))
		out := w.finish(one(`{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:startSyncExecution","Parameters":{"StateMachineArn":"`+inner+`","Input":{"a":1},"Name":"n"},
			"ResultSelector":{"status.$":"$.Status","error.$":"$.Error","input.$":"$.Input","ms.$":"$.BillingDetails.BilledDurationInMilliseconds","stop.$":"$.StopDate"},"End":true}`), `{}`)
		stop := w.describe(*out.ExecutionArn).StopDate.UTC().Format("2006-01-02T15:04:05.000Z")
		if got, want := outcome(out), `SUCCEEDED {"error":"E","input":"{\"a\":1}","ms":2000,"status":"FAILED","stop":"`+stop+`"}`; got != want {
			w.t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestMissingFunctionAndMachine(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		out := w.finish(one(`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"none"},"End":true}`), `{}`)
		contains(w.t, outcome(out), "Lambda.ResourceNotFoundException Function not found: arn:aws:lambda:"+region+":"+account+":function:none:$LATEST (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; ")
	})
	bubble(t, sandbox.Options{}, func(w *world) {
		out := w.finish(one(`{"Type":"Task","Resource":"arn:aws:states:::states:startExecution","Parameters":{"StateMachineArn":"arn:aws:states:`+region+":"+account+`:stateMachine:none"},"End":true}`), `{}`)
		contains(w.t, outcome(out), "StepFunctions.StateMachineDoesNotExistException State Machine Does Not Exist: ")
	})
}

// TestCallers: what a caller may not do is refused before anything is told.
func TestCallers(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		ctx, machine := w.t.Context(), w.create("m", types.StateMachineTypeStandard, wait)
		nobody, err := w.sandbox.IAM.AddUser(account, "nobody", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"states:CreateStateMachine","Resource":"*"}}`))
		w.must(err)
		client := w.as(nobody)
		_, err = client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine})
		refused(w.t, err, "AccessDeniedException", "states:StartExecution on resource: "+machine)
		_, err = client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &machine})
		refused(w.t, err, "AccessDeniedException", "states:DescribeStateMachine")
		_, err = client.ListStateMachines(ctx, &sfn.ListStateMachinesInput{})
		refused(w.t, err, "AccessDeniedException", "states:ListStateMachines")
		_, err = client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: aws.String("n"), Definition: aws.String(wait), RoleArn: &w.role})
		refused(w.t, err, "AccessDeniedException", "iam:PassRole on resource: "+w.role)
	})
}

// TestIntegrations: what is added can be called, with its own parameters alone.
func TestIntegrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got integration.Request
		w := newWorld(t, sandbox.Options{}, everything, func(o *states.Options) {
			o.Speed, o.Lambda, o.Inject, o.Logs = 60, nil, nil, nil
			o.Integrations = map[string]integration.Integration{"sns:publish": {
				Required: []string{"TopicArn"}, Optional: []string{"Message"},
				Call: func(_ context.Context, r integration.Request) (any, error) {
					got = r
					return map[string]any{"MessageId": "1"}, r.Authorize("sns:Publish", r.Parameters["TopicArn"].(string))
				},
			}}
		})
		publish := func(parameters string) string {
			return one(`{"Type":"Task","Resource":"arn:aws:states:::sns:publish","Parameters":{` + parameters + `},"Next":"W"},"W":{"Type":"Wait","Seconds":60,"End":true}`)
		}
		out := w.finish(publish(`"TopicArn":"arn:aws:sns:`+region+":"+account+`:t","Message.$":"$.m"`), `{"m":"hello"}`)
		if o := outcome(out); o != `SUCCEEDED {"MessageId":"1"}` || got.Region != region || got.Parameters["Message"] != "hello" {
			t.Errorf("%s, called with %+v", o, got)
		}
		if took := out.StopDate.Sub(*out.StartDate); took.Round(100*time.Millisecond) != time.Second {
			t.Errorf("a minute at 60 times the speed took %s", took)
		}
		_, err := w.client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("n"), RoleArn: &w.role, Definition: aws.String(publish(`"TopicArn":"t","Subject":"s"`))})
		refused(t, err, "SandboxUnsupported", "parameter Subject of sns:publish")
		_, err = w.client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("n"), RoleArn: &w.role, Definition: aws.String(one(invoke))})
		refused(t, err, "SandboxUnsupported", "lambda:invoke")
	})
}
