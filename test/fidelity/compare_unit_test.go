package fidelity

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDiffers(t *testing.T) {
	tests := []struct{ want, got, difference string }{
		{`{"a":[1,"x"]}`, `{ "a": [1.0, "x"] }`, ""},
		{`"«any»"`, `{"a":1}`, ""},
		{`{"id":"arn:«any»:f","n":"«any»"}`, `{"id":"arn:aws\n:f","n":null}`, ""},
		{`"a«any»b"`, `"ab"`, ""},
		{`"a«any»b"`, `"abc"`, `output: want "a«any»b", got "abc"`},
		{`{"a":1}`, `{"a":2}`, "output.a: want 1, got 2"},
		{`{"a":1}`, `{}`, "output.a is missing"},
		{`{}`, `{"a":1}`, "output.a is too much"},
		{`[1]`, `[1,2]`, "output: want [1], got [1,2]"},
		{`null`, `false`, "output: want null, got false"},
		{`1`, `"1"`, `output: want 1, got "1"`},
		{`1`, `nope`, "output: want 1, got no JSON"},
		{`{"SdkHttpMetadata":{"h":{"Content-Length":"9"}},"Arn":"«any»"}`, `{"SdkHttpMetadata":{"h":{"Content-Length":"7"}},"Arn":"x"}`, ""},
		{`{"SdkHttpMetadata":{"h":{"Content-Length":"9"}},"Payload":1}`, `{"SdkHttpMetadata":{"h":{"Content-Length":"7"}},"Payload":1}`, `output.SdkHttpMetadata.h.Content-Length: want "9", got "7"`},
	}
	for _, tt := range tests {
		if got := differs("output", json.RawMessage(tt.want), tt.got); !strings.HasPrefix(got, tt.difference) || (got == "") != (tt.difference == "") {
			t.Errorf("%s and %s: %q, want %q", tt.want, tt.got, got, tt.difference)
		}
	}
}

func events(text string) []event {
	var out []event
	for _, one := range strings.Split(text, ",") {
		kind, name, _ := strings.Cut(strings.TrimSpace(one), " ")
		out = append(out, event{Type: kind, Name: name})
	}
	return out
}

func TestEventsDiffer(t *testing.T) {
	const (
		forward  = "ParallelStateEntered P, ParallelStateStarted, PassStateEntered A, PassStateEntered B, ParallelStateSucceeded, ParallelStateExited P, ExecutionSucceeded"
		backward = "ParallelStateEntered P, ParallelStateStarted, PassStateEntered B, PassStateEntered A, ParallelStateSucceeded, ParallelStateExited P, ExecutionSucceeded"
		less     = "ParallelStateEntered P, ParallelStateStarted, PassStateEntered B, ParallelStateSucceeded, ParallelStateExited P, ExecutionSucceeded"
		lost     = "ParallelStateEntered P, ParallelStateStarted, PassStateEntered A, PassStateEntered B, ParallelStateExited P, ExecutionSucceeded"
		failed   = "MapStateEntered M, MapStateStarted, TaskTimedOut, TaskTimedOut, MapIterationAborted, MapStateFailed, ExecutionFailed"
		failed2  = "MapStateEntered M, MapStateStarted, TaskTimedOut, MapIterationAborted, MapStateFailed, ExecutionFailed"
	)
	tests := []struct {
		want, got          string
		sorted, concurrent bool
		same               bool
	}{
		{forward, forward, false, false, true},
		{forward, backward, false, true, true},
		{forward, backward, false, false, false},
		{forward, less, false, true, false},
		{lost, backward, true, true, true},
		{lost, backward, false, true, false},
		{failed, failed2, false, true, true},
		{failed, failed2, false, false, false},
		{failed, failed2 + ", ExecutionFailed", false, true, false},
	}
	for _, tt := range tests {
		if got := eventsDiffer(events(tt.want), events(tt.got), tt.sorted, tt.concurrent); (got == "") != tt.same {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// TestPlay plays cases of our own: one that holds, and the same with each thing
// that is expected made wrong.
func TestPlay(t *testing.T) {
	const good = `{"kind":"execution","definition":{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
		"Parameters":{"FunctionName":"f","Payload.$":"$"},"TimeoutSeconds":30,"Catch":[{"ErrorEquals":["E"],"Next":"B"}],"End":true},
		"B":{"Type":"Fail","ErrorPath":"$.Error","CausePath":"$.Cause"}}},
		"input":{"at":"«now+1d»"},"lambdas":{"f":{"kind":"raise","errorType":"E","errorMessage":"m","stackTrace":["l"]}},
		"expect":{"status":"FAILED","error":"E","causeJSON":{"errorMessage":"m","errorType":"E","requestId":"«any»","stackTrace":["l"]},
		"events":[{"type":"ExecutionStarted"},{"type":"TaskStateEntered","name":"A"},{"type":"TaskScheduled"},{"type":"TaskStarted"},{"type":"TaskFailed"},{"type":"TaskStateExited","name":"A"},{"type":"FailStateEntered","name":"B"},{"type":"ExecutionFailed"}]}}`
	tests := map[string]struct{ old, new, want string }{
		"as it is":          {``, ``, ``},
		"status":            {`"FAILED"`, `"SUCCEEDED"`, "want SUCCEEDED, got FAILED"},
		"error":             {`"error":"E"`, `"error":"F"`, `want error "F"`},
		"cause":             {`"m","errorType":"E","requestId"`, `"n","errorType":"E","requestId"`, `cause.errorMessage: want "n"`},
		"events":            {`{"type":"TaskStarted"},`, ``, "event 4: want TaskFailed"},
		"refusal":           {`"execution","def`, `"create","def`, "want , got <nil>"},
		"unsupported field": {`"End":true}`, `"Credentials":{},"End":true}`, "refused"},
		"refused by AWS":    {`"End":true}`, `"Nonsense":{},"End":true}`, "CreateStateMachine: "},
		"unexpected output": {`"status":"FAILED","error":"E","causeJSON":{"errorMessage":"m","errorType":"E","requestId":"«any»","stackTrace":["l"]}`, `"status":"FAILED","error":"E"`, "want cause"},
	}
	for name, tt := range tests {
		playChanged(t, name, good, tt.old, tt.new, tt.want)
	}
}

// TestPlayMapRun does so with a case that reads S3 and has a Map Run.
func TestPlayMapRun(t *testing.T) {
	const good = `{"kind":"execution","definition":{"StartAt":"A","States":{"A":{"Type":"Map","MaxConcurrency":1,
		"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"bucket","Key.$":"$.key"},"ReaderConfig":{"InputType":"JSON"}},
		"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},"End":true}}},
		"input":{"key":"k"},"buckets":["bucket"],"s3":[{"bucket":"bucket","key":"k","body":"[1]"},{"bucket":"bucket","key":"l","bodyBase64":"WzJd"}],
		"expect":{"status":"SUCCEEDED","output":[1],"mapRun":{"executionArn":"arn:«any»:fidelity:«any»","mapRunArn":"arn:«any»:mapRun:fidelity/«any»:«any»",
		"executionCounts":{"aborted":0,"failed":0,"pending":0,"resultsWritten":1,"running":0,"succeeded":1,"timedOut":0,"total":1},
		"itemCounts":{"aborted":0,"failed":0,"pending":0,"resultsWritten":1,"running":0,"succeeded":1,"timedOut":0,"total":1},
		"maxConcurrency":1,"startDate":"«any»","status":"SUCCEEDED","stopDate":"«any»","toleratedFailureCount":0,"toleratedFailurePercentage":0.0},
		"events":[{"type":"ExecutionStarted"},{"type":"MapStateEntered","name":"A"},{"type":"MapStateStarted"},{"type":"MapRunStarted"},{"type":"MapRunSucceeded"},{"type":"MapStateSucceeded"},{"type":"MapStateExited","name":"A"},{"type":"ExecutionSucceeded"}]}}`
	for name, tt := range map[string]struct{ old, new, want string }{
		"as it is":      {``, ``, ``},
		"other object":  {`{"key":"k"}`, `{"key":"l"}`, "output[0]: want 1, got 2"},
		"missing":       {`{"key":"k"}`, `{"key":"m"}`, "want SUCCEEDED, got FAILED: States.ItemReaderFailed"},
		"executions":    {`"succeeded":1`, `"succeeded":2`, "mapRun.executionCounts.succeeded: want 2"},
		"Map Run":       {`"maxConcurrency":1`, `"maxConcurrency":2`, "mapRun.maxConcurrency: want 2"},
		"events":        {`{"type":"MapRunStarted"},`, ``, "event 4: want MapRunSucceeded"},
		"no Map Run":    {`"DISTRIBUTED","ExecutionType":"STANDARD"`, `"INLINE"`, "CreateStateMachine: "},
		"bucket of all": {`"buckets":["bucket"],`, `"buckets":["bucket","other-bucket"],`, ""},
	} {
		playChanged(t, name, good, tt.old, tt.new, tt.want)
	}
}

// playChanged plays a case in which one thing was replaced, and wants a
// difference that begins so, or none.
func playChanged(t *testing.T, name, text, old, by, want string) {
	t.Helper()
	if old != "" {
		text = strings.Replace(text, old, by, 1)
	}
	var c recorded
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(name, err)
	}
	if name == "refusal" {
		c.Expect.Status = "CREATE_REFUSED"
		c.Expect.Error = ""
	}
	var (
		got string
		err error
	)
	synctest.Test(t, func(t *testing.T) { got, err = play(t, c, time.Now().AddDate(1, 0, 0)) })
	if _, refused := err.(*refusedError); refused { //nolint:errorlint // play returns it as it is
		got = "refused"
	} else if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}
