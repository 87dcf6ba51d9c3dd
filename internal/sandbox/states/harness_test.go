package states_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/states"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
)

var (
	everything  = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	statesTrust = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"states.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
)

// world is a sandbox with Step Functions and the real SDK's client of it. The
// client's requests go straight to the handler, so that all of it can run in a
// synctest bubble.
type world struct {
	t       *testing.T
	sandbox *sandbox.Sandbox
	states  *states.Service
	s3      *s3.Service // with the empty bucket "bucket"
	client  *sfn.Client
	role    string
	logs    *logs
	pages   int32 // size of the pages of histories
}

type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// direct answers requests without a network.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.Host = r.URL.Host
	r.RequestURI = r.URL.RequestURI()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// bubble runs a test in a world with virtual time.
func bubble(t *testing.T, o sandbox.Options, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(newWorld(t, o, everything))
		time.Sleep(16 * time.Minute) // functions are not stopped with their callers: let them time out
	})
}

func newWorld(t *testing.T, o sandbox.Options, rolePolicy []byte, changes ...func(*states.Options)) *world {
	t.Helper()
	w := &world{t: t, logs: &logs{}, pages: 1000}
	w.sandbox = sandbox.New(o)
	w.s3 = s3.New(time.Now)
	w.must(w.s3.CreateBucket(account, region, "bucket"))
	options := states.Options{
		Now: time.Now, Roles: w.sandbox.IAM, Lambda: w.sandbox.Lambda, Objects: w.s3, Logs: w.logs,
		Inject: func() knobs.Injection { return w.sandbox.Inject("states") },
	}
	for _, change := range changes {
		change(&options)
	}
	w.states = states.New(options)
	w.must(w.sandbox.Register(w.states))
	w.must(w.sandbox.AddAccount("target", account))
	var err error
	w.role, err = w.sandbox.IAM.AddRole(account, "machine", statesTrust, rolePolicy)
	w.must(err)
	admin, err := w.sandbox.IAM.AddUser(account, "admin", everything)
	w.must(err)
	w.client = w.as(admin)
	t.Cleanup(func() { w.must(w.sandbox.Close()) })
	return w
}

func (w *world) as(c iam.Credentials) *sfn.Client {
	return sfn.New(sfn.Options{
		Region: region, BaseEndpoint: aws.String("http://sandbox.test"), RetryMaxAttempts: 1, HTTPClient: direct{w.sandbox},
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()),
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// function adds a Lambda function.
func (w *world) function(name string, handler func(context.Context, any) (any, error)) {
	w.t.Helper()
	_, err := w.sandbox.Lambda.Add(lambda.Function{Account: account, Region: region, Name: name, Timeout: 15 * time.Minute, Runner: lambda.InProcess(handler)})
	w.must(err)
}

func (w *world) create(name string, kind types.StateMachineType, definition string) string {
	w.t.Helper()
	out, err := w.client.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Type: kind, Definition: &definition, RoleArn: &w.role,
		LoggingConfiguration: &types.LoggingConfiguration{Level: types.LogLevelAll, IncludeExecutionData: true},
	})
	w.must(err)
	return *out.StateMachineArn
}

// finish runs a STANDARD execution to its end.
func (w *world) finish(definition, input string) *sfn.DescribeExecutionOutput {
	w.t.Helper()
	machine := w.create("machine", types.StateMachineTypeStandard, definition)
	started, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Input: &input})
	w.must(err)
	w.must(w.states.Wait(w.t.Context()))
	return w.describe(*started.ExecutionArn)
}

// put writes an object into the bucket.
func (w *world) put(key, body string) {
	w.t.Helper()
	w.must(w.s3.PutObject(w.t.Context(), account, region, "bucket", key, []byte(body)))
}

func (w *world) describe(arn string) *sfn.DescribeExecutionOutput {
	w.t.Helper()
	out, err := w.client.DescribeExecution(w.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	w.must(err)
	return out
}

// events are the types of a history's events, with the names of states.
func (w *world) events(arn string) []string {
	w.t.Helper()
	var out []string
	pages := sfn.NewGetExecutionHistoryPaginator(w.client, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, MaxResults: w.pages})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		w.must(err)
		for _, e := range page.Events {
			text := string(e.Type)
			switch {
			case e.StateEnteredEventDetails != nil:
				text += " " + *e.StateEnteredEventDetails.Name
			case e.StateExitedEventDetails != nil:
				text += " " + *e.StateExitedEventDetails.Name
			}
			out = append(out, text)
		}
	}
	return out
}

// code is the API error code that a client sees, empty without error.
func code(t *testing.T, err error) (name, message string) {
	t.Helper()
	if err == nil {
		return "", ""
	}
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("no API error: %v", err)
	}
	return failure.ErrorCode(), failure.ErrorMessage()
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q is not in %s", part, text)
	}
}
