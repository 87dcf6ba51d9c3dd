package workflow_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/states"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/workflow"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
	run     = "2026-11-prod"
)

var (
	everything  = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	onlyStart   = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"states:StartExecution","Resource":"*"}}`)
	statesTrust = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"states.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
)

// cloud is a sandbox with Step Functions.
type cloud struct {
	*sandbox.Sandbox
	t        *testing.T
	states   *states.Service
	endpoint string
	role     string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{Sandbox: sandbox.New(sandbox.Options{}), t: t}
	c.states = states.New(states.Options{Now: time.Now, Roles: c.IAM, Lambda: c.Lambda, Speed: 1000})
	c.must(c.Register(c.states))
	c.must(c.AddAccount("target", account))
	var err error
	c.role, err = c.IAM.AddRole(account, "machine", statesTrust, everything)
	c.must(err)
	c.endpoint, err = c.Start("127.0.0.1:0")
	c.must(err)
	t.Cleanup(func() { c.must(c.Close()) })
	return c
}

func (c *cloud) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// as returns the run's workflows as a user of the policy sees them.
func (c *cloud) as(name string, policy []byte) *workflow.Workflows {
	c.t.Helper()
	user, err := c.IAM.AddUser(account, name, policy)
	c.must(err)
	w, err := workflow.New(c.t.Context(), region, run, c.env(user))
	c.must(err)
	return w
}

func (c *cloud) env(user iam.Credentials) func(string) (string, bool) {
	values := map[string]string{
		"AWS_ENDPOINT_URL": c.endpoint, "AWS_ACCESS_KEY_ID": user.AccessKeyID, "AWS_SECRET_ACCESS_KEY": user.SecretAccessKey.Reveal(),
	}
	return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
}

// deploy creates a state machine as infra would.
func (c *cloud) deploy(definition, kind string, states map[string]any, first string) {
	c.t.Helper()
	text, err := json.Marshal(map[string]any{"StartAt": first, "States": states})
	c.must(err)
	body, err := json.Marshal(map[string]any{
		"name": workflow.Name(run, definition), "type": kind, "roleArn": c.role, "definition": string(text),
	})
	c.must(err)
	_, err = c.states.Serve(c.t.Context(), &wire.Call{
		Operation: "CreateStateMachine", Account: account, Region: region, RequestID: wire.NewID(), Header: http.Header{},
		Path: "/", Body: body, Authorize: func(string, string) error { return nil },
	})
	c.must(err)
}

// gate is a function that answers when it is told to.
func (c *cloud) gate(name string) chan<- struct{} {
	c.t.Helper()
	open := make(chan struct{})
	_, err := c.Lambda.Add(lambda.Function{Account: account, Region: region, Name: name, Timeout: time.Minute, Runner: lambda.InProcess(
		func(ctx context.Context, in any) (any, error) {
			select {
			case <-open:
			case <-ctx.Done():
			}
			return in, ctx.Err()
		})})
	c.must(err)
	return open
}

func TestFollowsWhatItBegins(t *testing.T) {
	c := newCloud(t)
	open := c.gate("gate")
	c.deploy("work", "STANDARD", map[string]any{
		"First": map[string]any{"Type": "Pass", "Next": "Wait"},
		"Wait": map[string]any{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload",
			"Parameters": map[string]any{"FunctionName": "gate", "Payload.$": "$"}, "Next": "Last"},
		"Last": map[string]any{"Type": "Succeed"},
	}, "First")
	w := c.as("operator", everything)
	input := map[string]string{"run": run}
	arn, err := w.Begin(t.Context(), "work", "work-1", input)
	c.must(err)
	if again, err := w.Begin(t.Context(), "work", "work-1", input); err != nil || again != arn {
		t.Errorf("begun once more: %s, %v, want %s", again, err, arn)
	}
	if _, err := w.Begin(t.Context(), "work", "work-1", map[string]string{"run": "another"}); fault.KindOf(err) != fault.AlreadyExists {
		t.Errorf("another input under the same name: %v", err)
	}
	if _, err := w.Begin(t.Context(), "work", "", input); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a name: %v", err)
	}
	if named, err := w.ExecutionOf(t.Context(), "work", "work-1"); err != nil || named != arn {
		t.Errorf("execution of the name: %s, %v, want %s", named, err, arn)
	}
	var states []string
	ended, err := w.Follow(t.Context(), arn, time.Millisecond, func(e workflow.Execution, arrivals []workflow.Arrival) error {
		for _, a := range arrivals {
			states = append(states, a.State)
			if a.State == "Wait" {
				if e.Status != workflow.Running || !e.Ended.IsZero() {
					t.Errorf("while it waits: %+v", e)
				}
				close(open)
			}
		}
		return nil
	})
	c.must(err)
	if got := strings.Join(states, " "); got != "First Wait Last" {
		t.Errorf("states: %s", got)
	}
	if ended.Status != workflow.Succeeded || ended.Name != "work-1" || ended.Output != `{"run":"`+run+`"}` || ended.Ended.Before(ended.Started) {
		t.Errorf("ended: %+v", ended)
	}
	if _, err := w.Begin(t.Context(), "work", "work-1", input); fault.KindOf(err) != fault.AlreadyExists {
		t.Errorf("the name of one that has ended: %v", err)
	}
	if late, err := w.Arrivals(t.Context(), arn, 1<<40); err != nil || late != nil {
		t.Errorf("after the end of the history: %v, %v", late, err)
	}
}

func TestFailureHasErrorAndCause(t *testing.T) {
	c := newCloud(t)
	c.deploy("work", "STANDARD", map[string]any{"Fails": map[string]any{"Type": "Fail", "Error": "Denied", "Cause": "the bucket is not ours"}}, "Fails")
	w := c.as("operator", everything)
	arn, err := w.Begin(t.Context(), "work", "work-1", nil)
	c.must(err)
	ended, err := w.Follow(t.Context(), arn, time.Millisecond, func(workflow.Execution, []workflow.Arrival) error { return nil })
	if err != nil || ended.Status != workflow.Failed || ended.Error != "Denied" || ended.Cause != "the bucket is not ours" || ended.Output != "" {
		t.Errorf("%+v, %v", ended, err)
	}
}

func TestArrivalsOfManyPages(t *testing.T) {
	c := newCloud(t)
	c.deploy("work", "STANDARD", map[string]any{
		"Count": map[string]any{"Type": "Pass", "Parameters": map[string]any{"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
		"Enough": map[string]any{"Type": "Choice", "Default": "Count", "Choices": []any{
			map[string]any{"Variable": "$.n", "NumericEquals": 60, "Next": "Last"},
		}},
		"Last": map[string]any{"Type": "Succeed"},
	}, "Count")
	w := c.as("operator", everything)
	arn, err := w.Begin(t.Context(), "work", "work-1", map[string]int{"n": 0})
	c.must(err)
	_, err = w.Follow(t.Context(), arn, time.Millisecond, func(workflow.Execution, []workflow.Arrival) error { return nil })
	c.must(err)
	all, err := w.Arrivals(t.Context(), arn, 0)
	if err != nil || len(all) != 121 || all[0].State != "Count" || all[120].State != "Last" {
		t.Fatalf("%d arrivals, %v", len(all), err)
	}
	rest, err := w.Arrivals(t.Context(), arn, all[100].Event)
	if err != nil || len(rest) != 20 || rest[0] != all[101] {
		t.Errorf("the last twenty: %d, %v", len(rest), err)
	}
}

func TestLatestMapRun(t *testing.T) {
	c := newCloud(t)
	spread := func(label, next string, items string) map[string]any {
		return map[string]any{
			"Type": "Map", "Next": next, "Label": label, "MaxConcurrency": 2, "ItemsPath": "$." + items, "ResultPath": nil, "ToleratedFailurePercentage": 100,
			"ItemProcessor": map[string]any{
				"ProcessorConfig": map[string]any{"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": label + "IsOdd",
				"States": map[string]any{
					label + "IsOdd": map[string]any{"Type": "Choice", "Default": label + "Even", "Choices": []any{
						map[string]any{"Variable": "$", "NumericEquals": 3, "Next": label + "Odd"},
					}},
					label + "Odd":  map[string]any{"Type": "Fail", "Error": "Odd"},
					label + "Even": map[string]any{"Type": "Succeed"},
				},
			},
		}
	}
	c.deploy("work", "STANDARD", map[string]any{
		"First": spread("First", "Pause", "few"), "Pause": map[string]any{"Type": "Wait", "Seconds": 2, "Next": "Second"},
		"Second": spread("Second", "Last", "more"), "Last": map[string]any{"Type": "Succeed"},
	}, "First")
	c.deploy("none", "STANDARD", map[string]any{"Last": map[string]any{"Type": "Succeed"}}, "Last")
	w := c.as("operator", everything)
	for _, definition := range []string{"work", "none"} {
		arn, err := w.Begin(t.Context(), definition, definition+"-1", map[string][]int{"few": {2}, "more": {1, 2, 3}})
		c.must(err)
		ended, err := w.Follow(t.Context(), arn, time.Millisecond, func(workflow.Execution, []workflow.Arrival) error { return nil })
		if err != nil || ended.Status != workflow.Succeeded {
			t.Fatalf("%s: %+v, %v", definition, ended, err)
		}
		latest, err := w.LatestMapRun(t.Context(), arn)
		latest.Started = time.Time{}
		switch want := (workflow.MapRun{Label: "Second", Items: 3, Done: 2, Failed: 1}); {
		case definition == "none" && fault.KindOf(err) != fault.NotFound:
			t.Errorf("without a Map Run: %+v, %v", latest, err)
		case definition == "work" && (err != nil || latest != want):
			t.Errorf("%+v, %v, want %+v", latest, err, want)
		}
	}
}

func TestKinds(t *testing.T) {
	c := newCloud(t)
	c.deploy("swift", "EXPRESS", map[string]any{"Last": map[string]any{"Type": "Succeed"}}, "Last")
	c.deploy("work", "STANDARD", map[string]any{"Last": map[string]any{"Type": "Succeed"}}, "Last")
	w, starter := c.as("operator", everything), c.as("starter", onlyStart)
	if _, err := w.Start(t.Context(), "nowhere", nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("not deployed: %v", err)
	}
	if _, err := w.Start(t.Context(), "swift", nil); err != nil {
		t.Error(err)
	}
	nobody, err := w.ExecutionOf(t.Context(), "work", "nobody")
	c.must(err)
	if _, err := w.Describe(t.Context(), nobody); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such execution: %v", err)
	}
	if _, err := w.Arrivals(t.Context(), nobody, 0); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such execution: %v", err)
	}
	arn, err := starter.Begin(t.Context(), "work", "work-1", nil)
	c.must(err)
	if _, err := starter.Describe(t.Context(), arn); fault.KindOf(err) != fault.Denied {
		t.Errorf("not allowed: %v", err)
	}
	if _, err := starter.Follow(t.Context(), arn, time.Millisecond, nil); fault.KindOf(err) != fault.Denied {
		t.Errorf("not allowed: %v", err)
	}
}
