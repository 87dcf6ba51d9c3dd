package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/scheduler"
	"poolferry/internal/sandbox/states"
	"poolferry/internal/sandbox/wire"
)

const (
	account     = "444455556666"
	region      = "eu-central-1"
	scheduleARN = "arn:aws:scheduler:" + region + ":" + account + ":schedule/default/"
	machineARN  = "arn:aws:states:" + region + ":" + account + ":stateMachine:"
	queue       = "arn:aws:sqs:" + region + ":" + account + ":letters"
)

func allow(actions, resources string) []byte {
	return fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[%s],"Resource":[%s]}}`, actions, resources)
}

func trust(service string) []byte {
	return fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}}`, service)
}

// world is a sandbox with Scheduler and Step Functions, the real SDKs' clients
// of both, and a state machine that does nothing. The clients' requests go
// straight to the handler, so that all of it can run in a synctest bubble.
type world struct {
	t         *testing.T
	sandbox   *sandbox.Sandbox
	scheduler *scheduler.Service
	states    *states.Service
	client    *sdk.Client
	machines  *sfn.Client
	role      string // may start the machine "work" and write to the queue
	begun     time.Time
}

// direct answers requests without a network.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.Host = r.URL.Host
	r.RequestURI = r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// bubble runs a test in a world with virtual time. The test must use the
// world's t.
func bubble(t *testing.T, test func(w *world), changes ...func(*scheduler.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, sandbox.Options{}, changes...)) })
}

func newWorld(t *testing.T, o sandbox.Options, changes ...func(*scheduler.Options)) *world {
	t.Helper()
	w := &world{t: t, sandbox: sandbox.New(o), begun: time.Now()}
	options := scheduler.Options{
		Now: time.Now, Roles: w.sandbox.IAM,
		StepFunctions: func(ctx context.Context, call *wire.Call) (*wire.Reply, error) { return w.states.Serve(ctx, call) },
		Inject:        func() knobs.Injection { return w.sandbox.Inject("scheduler") },
	}
	for _, change := range changes {
		change(&options)
	}
	w.scheduler = scheduler.New(options)
	w.states = states.New(states.Options{Now: time.Now, Roles: w.sandbox.IAM, Integrations: w.scheduler.Integrations()})
	w.must(w.sandbox.Register(w.scheduler))
	w.must(w.sandbox.Register(w.states))
	t.Cleanup(func() { w.must(w.sandbox.Close()) })
	var err error
	w.role, err = w.sandbox.IAM.AddRole(account, "schedule", trust("scheduler.amazonaws.com"),
		allow(`"states:StartExecution"`, `"`+machineARN+`work"`), allow(`"sqs:SendMessage"`, `"`+queue+`"`))
	w.must(err)
	admin, err := w.sandbox.IAM.AddUser(account, "admin", allow(`"*"`, `"*"`))
	w.must(err)
	w.client, w.machines = w.as(admin)
	_, err = w.sandbox.IAM.AddRole(account, "machine", trust("states.amazonaws.com"), allow(`"scheduler:*"`, `"*"`), allow(`"iam:PassRole"`, `"`+w.role+`"`))
	w.must(err)
	w.machine("work", `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`)
	return w
}

func (w *world) as(c iam.Credentials) (*sdk.Client, *sfn.Client) {
	keys := credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())
	endpoint := aws.String("http://sandbox.test")
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: endpoint, RetryMaxAttempts: 1, HTTPClient: direct{w.sandbox}, Credentials: keys}),
		sfn.New(sfn.Options{Region: region, BaseEndpoint: endpoint, RetryMaxAttempts: 1, HTTPClient: direct{w.sandbox}, Credentials: keys})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) machine(name, definition string) {
	w.t.Helper()
	_, err := w.machines.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Definition: &definition, RoleArn: aws.String("arn:aws:iam::" + account + ":role/machine"),
	})
	w.must(err)
}

// input is a schedule of the machine "work".
func (w *world) input(name, expression string) *sdk.CreateScheduleInput {
	return &sdk.CreateScheduleInput{
		Name: &name, ScheduleExpression: &expression, FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{Arn: aws.String(machineARN + "work"), RoleArn: &w.role, Input: aws.String(`{"at":"<aws.scheduler.scheduled-time>"}`)},
	}
}

// create creates a schedule and returns its ARN.
func (w *world) create(in *sdk.CreateScheduleInput) string {
	w.t.Helper()
	out, err := w.client.CreateSchedule(w.t.Context(), in)
	w.must(err)
	return *out.ScheduleArn
}

func (w *world) get(name string) *sdk.GetScheduleOutput {
	w.t.Helper()
	out, err := w.client.GetSchedule(w.t.Context(), &sdk.GetScheduleInput{Name: &name})
	w.must(err)
	return out
}

// update writes a schedule as it was read, with a change.
func (w *world) update(name string, change func(*sdk.UpdateScheduleInput)) {
	w.t.Helper()
	was := w.get(name)
	in := &sdk.UpdateScheduleInput{
		Name: was.Name, GroupName: was.GroupName, Description: was.Description, ActionAfterCompletion: was.ActionAfterCompletion,
		StartDate: was.StartDate, EndDate: was.EndDate, FlexibleTimeWindow: was.FlexibleTimeWindow, State: was.State, Target: was.Target,
		ScheduleExpression: was.ScheduleExpression, ScheduleExpressionTimezone: was.ScheduleExpressionTimezone,
	}
	change(in)
	_, err := w.client.UpdateSchedule(w.t.Context(), in)
	w.must(err)
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	w.t.Helper()
	time.Sleep(d)
	synctest.Wait()
}

// started lists when the executions of the machine "work" began, since the
// world did.
func (w *world) started() []string {
	w.t.Helper()
	var out []string
	pages := sfn.NewListExecutionsPaginator(w.machines, &sfn.ListExecutionsInput{StateMachineArn: aws.String(machineARN + "work")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		w.must(err)
		for _, e := range page.Executions {
			out = append(out, e.StartDate.Sub(w.begun).String())
		}
	}
	slices.Reverse(out) // the latest are listed first
	return out
}

// inputs lists what the executions of the machine "work" were started with,
// sorted.
func (w *world) inputs() []string {
	w.t.Helper()
	page, err := w.machines.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(machineARN + "work")})
	w.must(err)
	var out []string
	for _, e := range page.Executions {
		one, err := w.machines.DescribeExecution(w.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
		w.must(err)
		out = append(out, *one.Input)
	}
	slices.Sort(out)
	return out
}

// refused checks the code of an error, and that the message has a text in it.
func refused(t *testing.T, err error, want, text string) {
	t.Helper()
	if !isRefused(err, want, text) {
		t.Errorf("got %v, want %s: %s", err, want, text)
	}
}

func isRefused(err error, want, text string) bool {
	failure, ok := errors.AsType[smithy.APIError](err)
	return ok && failure.ErrorCode() == want && strings.Contains(failure.ErrorMessage(), text)
}
