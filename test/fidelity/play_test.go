package fidelity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/states"
)

// Names in recordings.
const (
	account = "111111111111"
	region  = "us-east-1"
	role    = "snf-role"
)

var (
	everything = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	trust      = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"states.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
)

// refusedError is a case that the sandbox does not support.
type refusedError struct{ what string }

func (e *refusedError) Error() string { return e.what }

// direct answers the SDK's requests without a network, so that the sandbox and
// its client can live in virtual time.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.Host, r.RequestURI = r.URL.Host, r.URL.RequestURI()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// Invoke makes a behaviour a lambda.Runner.
func (b behaviour) Invoke(ctx context.Context, in lambda.Invocation) ([]byte, error) {
	switch b.Kind {
	case "echo":
		return in.Payload, nil
	case "sleep":
		select {
		case <-time.After(time.Duration(b.Seconds) * time.Second):
			return in.Payload, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "return":
		return b.Value, nil
	case "rawResponse":
		if b.BodyRepeat != nil {
			return []byte(strings.Repeat(b.BodyRepeat.Text, b.BodyRepeat.Count)), nil
		}
		return []byte(b.Body), nil
	case "raise":
		return nil, &raised{FunctionError: &lambda.FunctionError{Type: b.ErrorType, Message: b.ErrorMessage}, document: b.pythonError(in.RequestID)}
	}
	return nil, fmt.Errorf("behaviour %q is not known", b.Kind)
}

// raised is an error with the document that Python's runtime wrote.
type raised struct {
	*lambda.FunctionError
	document []byte
}

func (r *raised) Unwrap() error         { return r.FunctionError }
func (r *raised) ErrorDocument() []byte { return r.document }

// stage is a sandbox with what a case needs.
type stage struct {
	t       *testing.T
	service *states.Service
	client  *sfn.Client
	machine string
}

func newStage(t *testing.T, c recorded) (*stage, error) {
	box := sandbox.New(sandbox.Options{})
	t.Cleanup(func() { _ = box.Close() })
	objects := s3.New(time.Now)
	service := states.New(states.Options{Now: time.Now, Roles: box.IAM, Lambda: box.Lambda, Objects: objects})
	_, err := box.IAM.AddRole(account, role, trust, everything)
	user, userErr := box.IAM.AddUser(account, "recorder", everything)
	if err := errors.Join(box.Register(service), err, userErr); err != nil {
		return nil, err
	}
	if err := fill(t, objects, c); err != nil {
		return nil, err
	}
	for name, b := range c.Lambdas {
		if _, err := box.Lambda.Add(lambda.Function{Account: account, Region: region, Name: name, Timeout: 15 * time.Minute, Runner: b}); err != nil {
			return nil, err
		}
	}
	s := &stage{t: t, service: service}
	s.client = sfn.New(sfn.Options{
		Region: region, BaseEndpoint: aws.String("http://sandbox.test"), RetryMaxAttempts: 1, HTTPClient: direct{box},
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey.Reveal(), ""),
	})
	for arn, raw := range c.StateMachines {
		definition, kind, err := nested(raw)
		if err == nil {
			_, err = s.create(arn[strings.LastIndexByte(arn, ':')+1:], definition, kind)
		}
		if err != nil {
			return nil, fmt.Errorf("machine %s: %w", arn, err)
		}
	}
	return s, nil
}

// fill puts a case's objects into S3.
func fill(t *testing.T, objects *s3.Service, c recorded) error {
	for _, bucket := range c.Buckets {
		if err := objects.CreateBucket(account, region, bucket); err != nil {
			return err
		}
	}
	for _, o := range c.Objects {
		if err := objects.PutObject(t.Context(), account, region, o.Bucket, o.Key, o.body()); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) create(name, definition, kind string) (string, error) {
	out, err := s.client.CreateStateMachine(s.t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Definition: &definition, Type: types.StateMachineType(kind), RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + role),
	})
	if err != nil {
		return "", err
	}
	return *out.StateMachineArn, nil
}

// play plays a case and returns what is wrong, "" for nothing, or a
// *refusedError. It must be called in a synctest bubble.
func play(t *testing.T, c recorded, now time.Time) (string, error) {
	time.Sleep(time.Until(now)) // a bubble begins in the year 2000, and recordings name later times
	s, err := newStage(t, c)
	if err != nil {
		return "", err
	}
	if c.Kind == "validate" {
		return s.validate(c)
	}
	s.machine, err = s.create("fidelity", c.definition(), c.Type)
	if failure, ok := errors.AsType[smithy.APIError](err); ok && failure.ErrorCode() == "SandboxUnsupported" {
		return "", &refusedError{failure.ErrorMessage()}
	}
	if c.Kind == "create" {
		return refusal(c, err)
	}
	if err != nil {
		return "CreateStateMachine: " + err.Error(), nil
	}
	switch c.Kind {
	case "execution":
		return s.execute(c)
	case "syncExecution":
		return s.executeSync(c)
	case "start":
		_, err := s.start(c)
		return refusal(c, err)
	case "startSync":
		_, err := s.client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &s.machine, Input: c.input(time.Now())})
		return refusal(c, err)
	case "describe":
		return s.describe(c)
	}
	return "", fmt.Errorf("kind %q is not known", c.Kind)
}

// refusal compares the answer of a call that was recorded as refused or taken.
func refusal(c recorded, err error) (string, error) {
	if !strings.HasSuffix(c.Expect.Status, "_REFUSED") {
		if err != nil {
			return "want success, got " + err.Error(), nil
		}
		return "", nil
	}
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fmt.Sprintf("want %s, got %v", c.Expect.Error, err), nil
	}
	if failure.ErrorCode() != c.Expect.Error || !fits(c.Expect.Message, failure.ErrorMessage()) {
		return fmt.Sprintf("want %s: %s, got %s: %s", c.Expect.Error, c.Expect.Message, failure.ErrorCode(), failure.ErrorMessage()), nil
	}
	return "", nil
}

func (s *stage) start(c recorded) (string, error) {
	out, err := s.client.StartExecution(s.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &s.machine, Input: c.input(time.Now())})
	if err != nil {
		return "", err
	}
	return *out.ExecutionArn, nil
}

func (s *stage) execute(c recorded) (string, error) {
	arn, err := s.start(c)
	if err != nil {
		return "StartExecution: " + err.Error(), nil
	}
	if c.Stop != nil {
		if _, err := s.client.StopExecution(s.t.Context(), &sfn.StopExecutionInput{ExecutionArn: &arn, Error: &c.Stop.Error, Cause: &c.Stop.Cause}); err != nil {
			return "StopExecution: " + err.Error(), nil
		}
	}
	if err := s.service.Wait(s.t.Context()); err != nil {
		return "", err
	}
	out, err := s.client.DescribeExecution(s.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return "", err
	}
	events, err := s.history(arn)
	if err != nil {
		return "", err
	}
	if c.Expect.Status == "RUNNING" {
		// AWS had not got further when the recording ended.
		events = events[:min(len(events), len(c.Expect.Events))]
	} else if d := outcomeDiffers(c.Expect, string(out.Status), out.Output, out.Error, out.Cause); d != "" {
		return d, nil
	}
	if c.Expect.MapRun != nil {
		if d, err := s.mapRun(arn, c.Expect.MapRun); d != "" || err != nil {
			return d, err
		}
	}
	if c.Expect.Events == nil {
		return "", nil
	}
	return eventsDiffer(c.Expect.Events, events, c.Expect.Sorted, concurrent(c.definition())), nil
}

var (
	mapOrParallel = regexp.MustCompile(`"Type":\s*"(Map|Parallel)"`)
	oneAtATime    = regexp.MustCompile(`"MaxConcurrency":\s*1\b`)
)

// concurrent reports whether a definition has branches beside each other.
func concurrent(definition string) bool {
	return len(mapOrParallel.FindAllString(definition, -1)) > len(oneAtATime.FindAllString(definition, -1))
}

func (s *stage) executeSync(c recorded) (string, error) {
	out, err := s.client.StartSyncExecution(s.t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &s.machine, Input: c.input(time.Now())})
	if err != nil {
		return "StartSyncExecution: " + err.Error(), nil
	}
	return outcomeDiffers(c.Expect, string(out.Status), out.Output, out.Error, out.Cause), nil
}

func outcomeDiffers(want expected, status string, output, failure, cause *string) string {
	got := fmt.Sprintf("got %s: %s: %.400s", status, aws.ToString(failure), aws.ToString(cause))
	switch {
	case status != want.Status:
		return "want " + want.Status + ", " + got
	case aws.ToString(failure) != want.Error:
		return fmt.Sprintf("want error %q, %s", want.Error, got)
	case want.CauseJSON != nil:
		if d := differs("cause", want.CauseJSON, aws.ToString(cause)); d != "" {
			return d
		}
	case (want.Cause == nil) != (cause == nil) || cause != nil && !fits(*want.Cause, *cause):
		return fmt.Sprintf("want cause %.400q, %s", aws.ToString(want.Cause), got)
	}
	if want.Output == nil {
		return ""
	}
	return differs("output", want.Output, aws.ToString(output))
}

func (s *stage) history(arn string) ([]event, error) {
	var out []event
	pages := sfn.NewGetExecutionHistoryPaginator(s.client, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			out = append(out, newEvent(e))
		}
	}
	return out, nil
}

func newEvent(e types.HistoryEvent) event {
	out := event{Type: string(e.Type)}
	for _, d := range []*types.MapIterationEventDetails{
		e.MapIterationStartedEventDetails, e.MapIterationSucceededEventDetails, e.MapIterationFailedEventDetails, e.MapIterationAbortedEventDetails,
	} {
		if d != nil {
			index := int(d.Index)
			out.Name, out.Index = aws.ToString(d.Name), &index
		}
	}
	switch {
	case e.StateEnteredEventDetails != nil:
		out.Name = aws.ToString(e.StateEnteredEventDetails.Name)
	case e.StateExitedEventDetails != nil:
		out.Name = aws.ToString(e.StateExitedEventDetails.Name)
	}
	return out
}

// mapRun compares the one Map Run of an execution.
func (s *stage) mapRun(arn string, want json.RawMessage) (string, error) {
	list, err := s.client.ListMapRuns(s.t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &arn})
	if err != nil {
		return "", err
	}
	if len(list.MapRuns) != 1 {
		return fmt.Sprintf("want one Map Run, got %d", len(list.MapRuns)), nil
	}
	got, err := s.client.DescribeMapRun(s.t.Context(), &sfn.DescribeMapRunInput{MapRunArn: list.MapRuns[0].MapRunArn})
	if err != nil {
		return "", err
	}
	counts := func(n types.MapRunExecutionCounts) map[string]any {
		return map[string]any{
			"aborted": n.Aborted, "failed": n.Failed, "pending": n.Pending, "resultsWritten": n.ResultsWritten,
			"running": n.Running, "succeeded": n.Succeeded, "timedOut": n.TimedOut, "total": n.Total,
		}
	}
	// Members for redrives, which are younger than the recordings, are left out.
	text, err := json.Marshal(map[string]any{
		"executionArn": got.ExecutionArn, "mapRunArn": got.MapRunArn, "maxConcurrency": got.MaxConcurrency, "startDate": got.StartDate,
		"status": got.Status, "stopDate": got.StopDate, "toleratedFailureCount": got.ToleratedFailureCount,
		"toleratedFailurePercentage": got.ToleratedFailurePercentage,
		"executionCounts":            counts(*got.ExecutionCounts), "itemCounts": counts(types.MapRunExecutionCounts(*got.ItemCounts)),
	})
	if err != nil {
		return "", err
	}
	return differs("mapRun", want, string(text)), nil
}

func (s *stage) describe(c recorded) (string, error) {
	out, err := s.client.DescribeStateMachine(s.t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: &s.machine})
	if err != nil {
		return "", err
	}
	for _, names := range out.VariableReferences {
		slices.Sort(names)
	}
	want, err := json.Marshal(c.Expect.VariableReferences)
	if err != nil {
		return "", err
	}
	got, err := json.Marshal(out.VariableReferences)
	if err != nil {
		return "", err
	}
	return differs("variableReferences", want, string(got)), nil
}

func (s *stage) validate(c recorded) (string, error) {
	definition := c.definition()
	out, err := s.client.ValidateStateMachineDefinition(s.t.Context(), &sfn.ValidateStateMachineDefinitionInput{Definition: &definition, Type: types.StateMachineType(c.Type)})
	if err != nil {
		return "ValidateStateMachineDefinition: " + err.Error(), nil
	}
	if result := "VALIDATION_" + string(out.Result); result != c.Expect.Status {
		return fmt.Sprintf("want %s, got %s", c.Expect.Status, result), nil
	}
	var got []map[string]any
	for _, d := range out.Diagnostics {
		one := map[string]any{"code": d.Code, "message": d.Message, "severity": d.Severity}
		if d.Location != nil {
			one["location"] = d.Location
		}
		got = append(got, one)
	}
	text, err := json.Marshal(got)
	if err != nil || c.Expect.Diagnostics == nil {
		return "", err
	}
	return differs("diagnostics", c.Expect.Diagnostics, string(text)), nil
}
