package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
)

func one(state string) string { return `{"StartAt":"A","States":{"A":` + state + `}}` }

// outcome is what an execution came to, in one line.
func outcome(out *sfn.DescribeExecutionOutput) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s%s %s", out.Status, aws.ToString(out.Output), aws.ToString(out.Error), aws.ToString(out.Cause)))
}

func TestOutcomes(t *testing.T) {
	const item = `{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}`
	tests := map[string]struct{ definition, input, want string }{
		"data flow": {
			one(`{"Type":"Pass","InputPath":"$.a","Parameters":{"x.$":"$.b"},"ResultPath":"$.r.s","OutputPath":"$.r","End":true}`),
			`{"a":{"b":1}}`, `SUCCEEDED {"s":{"x":1}}`,
		},
		"discarded result":     {one(`{"Type":"Pass","Result":1,"ResultPath":null,"End":true}`), `{"a":1}`, `SUCCEEDED {"a":1}`},
		"numbers are kept":     {one(`{"Type":"Pass","Parameters":{"n.$":"$"},"End":true}`), `12345678901234567890.0`, `SUCCEEDED {"n":12345678901234567890.0}`},
		"succeed filters":      {one(`{"Type":"Succeed","InputPath":"$.a","OutputPath":"$.b"}`), `{"a":{"b":2}}`, `SUCCEEDED 2`},
		"fail by path":         {one(`{"Type":"Fail","ErrorPath":"$.e","Cause":"why"}`), `{"e":"Mine"}`, `FAILED Mine why`},
		"fail without a word":  {one(`{"Type":"Fail"}`), `{}`, `FAILED`},
		"fail by number":       {one(`{"Type":"Fail","ErrorPath":"$.e"}`), `{"e":1}`, `FAILED States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). The ErrorPath parameter does not reference a string`},
		"result path in text":  {one(`{"Type":"Pass","Result":1,"ResultPath":"$.a","End":true}`), `"text"`, `FAILED States.ResultPathMatchFailure An error occurred while executing the state 'A' (entered at the event id #2). Unable to apply ReferencePath $.a to input`},
		"no choice":            {one(`{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"B"}]},"B":{"Type":"Succeed"}`), `{"a":1}`, `FAILED States.NoChoiceMatched An error occurred while executing the state 'A' (entered at the event id #2). Failed to transition out of the state 'A'. The state does not point to a next state.`},
		"choice without value": {one(`{"Type":"Choice","Choices":[{"Variable":"$.b","IsNull":true,"Next":"B"}]},"B":{"Type":"Succeed"}`), `{}`, `FAILED States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). Invalid path '$.b': The choice state's condition path references an invalid value.`},
		"intrinsic fails":      {one(`{"Type":"Pass","Parameters":{"a.$":"States.ArrayLength($.a)"},"End":true}`), `{"a":1}`, `FAILED States.IntrinsicFailure An error occurred while executing the state 'A' (entered at the event id #2). The function 'States.ArrayLength($.a)' had the following error: the first argument is not an array`},
		"items are no array":   {one(`{"Type":"Map","ItemsPath":"$.a","End":true,"ItemProcessor":` + item + `}`), `{"a":1}`, `FAILED States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). Reference path "$.a" must point to array.`},
		"no items":             {one(`{"Type":"Map","End":true,"ItemProcessor":` + item + `}`), `[]`, `SUCCEEDED []`},
		"order of items":       {one(`{"Type":"Map","End":true,"ItemSelector":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value"},"ItemProcessor":` + item + `}`), `["a","b"]`, `SUCCEEDED [{"i":0,"v":"a"},{"i":1,"v":"b"}]`},
		"branches":             {one(`{"Type":"Parallel","Parameters":{"p.$":"$.a"},"ResultSelector":{"first.$":"$[0].p"},"End":true,"Branches":[{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}},{"StartAt":"J","States":{"J":{"Type":"Succeed"}}}]}`), `{"a":7}`, `SUCCEEDED {"first":7}`},
		"too large":            {one(`{"Type":"Pass","Parameters":{"a.$":"$","b.$":"$"},"End":true}`), `"` + strings.Repeat("a", 140000) + `"`, `FAILED States.DataLimitExceeded The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit.`},
		"variables": {
			one(`{"Type":"Pass","Assign":{"n":1,"of.$":"$.list"},"Next":"M"},
				"M":{"Type":"Map","ItemsPath":"$of","ItemProcessor":{"StartAt":"I","States":{
					"I":{"Type":"Pass","Assign":{"inner.$":"States.MathAdd($n, $)"},"Next":"J"},"J":{"Type":"Pass","Parameters":{"sum.$":"$inner"},"End":true}}},
					"Assign":{"n.$":"$[0].sum"},"ResultPath":null,"Next":"E"},
				"E":{"Type":"Pass","Parameters":{"n.$":"$n"},"End":true}`),
			`{"list":[10,20]}`, `SUCCEEDED {"n":11}`,
		},
		"old values while a state runs": {
			one(`{"Type":"Pass","Assign":{"a":1,"b":2},"Next":"S"},"S":{"Type":"Pass","Assign":{"a.$":"$b","b.$":"$a"},"Next":"E"},"E":{"Type":"Pass","Parameters":{"a.$":"$a","b.$":"$b"},"End":true}`),
			`{}`, `SUCCEEDED {"a":2,"b":1}`,
		},
		"unassigned": {one(`{"Type":"Pass","Parameters":{"a.$":"$nobody"},"End":true}`), `{}`, `FAILED States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). The JSONPath '$nobody' specified for the field 'a.$' could not be found in the input '{}'`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, sandbox.Options{}, func(w *world) {
				if got := outcome(w.finish(tt.definition, tt.input)); got != tt.want {
					w.t.Errorf("got  %.300s\nwant %.300s", got, tt.want)
				}
			})
		})
	}
}

// failing is a function that fails so often, then answers.
func failing(w *world, name string, times int32, err error) *[]time.Duration {
	var calls atomic.Int32
	var at []time.Duration
	began := time.Now()
	w.function(name, func(context.Context, any) (any, error) {
		at = append(at, time.Since(began))
		if calls.Add(1) <= times {
			return nil, err
		}
		return "done", nil
	})
	return &at
}

func throttled() error {
	return messages.InvokeResponse_Error{Type: "Throttled", Message: "slow down"}
}

func TestRetryWaitsLonger(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		at := failing(w, "f", 5, throttled())
		out := w.finish(one(`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},
			"Retry":[{"ErrorEquals":["Other"]},{"ErrorEquals":["Throttled"],"IntervalSeconds":2,"MaxAttempts":5,"BackoffRate":3,"MaxDelaySeconds":20}],
			"ResultSelector":{"retries.$":"$$.State.RetryCount","payload.$":"$.Payload"},"End":true}`), `{}`)
		if got := outcome(out); got != `SUCCEEDED {"payload":"done","retries":5}` {
			w.t.Error(got)
		}
		var seconds []float64
		for _, d := range *at {
			seconds = append(seconds, d.Seconds())
		}
		if diff := cmp.Diff([]float64{0, 2, 8, 26, 46, 66}, seconds); diff != "" {
			w.t.Error(diff)
		}
	})
}

func TestJitterShortensDelays(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		at := failing(w, "f", 3, throttled())
		w.finish(one(`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},
			"Retry":[{"ErrorEquals":["States.TaskFailed"],"IntervalSeconds":60,"BackoffRate":1,"JitterStrategy":"FULL"}],"End":true}`), `{}`)
		if n := len(*at); n != 4 {
			w.t.Fatalf("%d calls, want 4", n)
		}
		if last := (*at)[3]; last <= 0 || last >= 180*time.Second {
			w.t.Errorf("three delays of up to a minute took %s", last)
		}
	})
}

func TestCatch(t *testing.T) {
	const task = `{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"TimeoutSeconds":5,
		"Catch":[{"ErrorEquals":["Throttled"],"ResultPath":"$.error","Assign":{"name.$":"$.Error"},"Next":"C"},{"ErrorEquals":["States.ALL"],"Next":"D"}],"Next":"D"},
		"C":{"Type":"Pass","Parameters":{"name.$":"$name","input.$":"$"},"End":true},"D":{"Type":"Succeed"}`
	tests := map[string]struct {
		answer func(context.Context, any) (any, error)
		want   string
	}{
		"by name": {
			func(context.Context, any) (any, error) { return nil, throttled() },
			`SUCCEEDED {"input":{"error":{"Cause":"{\"errorMessage\":\"slow down\",\"errorType\":\"Throttled\"}","Error":"Throttled"},"i":1},"name":"Throttled"}`,
		},
		"by States.ALL": {
			func(context.Context, any) (any, error) { return nil, errors.New("boom") },
			`SUCCEEDED {"Cause":"{\"errorMessage\":\"boom\",\"errorType\":\"errorString\"}","Error":"errorString"}`,
		},
		"timeout": {
			func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
			`SUCCEEDED {"Cause":"","Error":"States.Timeout"}`,
		},
		"too large": {
			func(context.Context, any) (any, error) { return strings.Repeat("a", 1<<18), nil },
			`SUCCEEDED {"Cause":"The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.","Error":"States.DataLimitExceeded"}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, sandbox.Options{}, func(w *world) {
				w.function("f", tt.answer)
				if got := outcome(w.finish(one(task), `{"i":1}`)); got != tt.want {
					w.t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

func TestTimeouts(t *testing.T) {
	hang := func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return "late", ctx.Err() }
	const task = `{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"End":true,`
	tests := map[string]struct {
		definition, want string
		after            time.Duration
	}{
		"of a task":      {one(task + `"TimeoutSeconds":7}`), "FAILED States.Timeout", 7 * time.Second},
		"by path":        {one(task + `"TimeoutSecondsPath":"$.t"}`), "FAILED States.Timeout", 9 * time.Second},
		"heartbeat":      {one(task + `"TimeoutSeconds":70,"HeartbeatSeconds":3}`), "FAILED States.HeartbeatTimeout", 3 * time.Second},
		"of the machine": {`{"TimeoutSeconds":11,` + one(task + `"Comment":"c"}`)[1:], "TIMED_OUT", 11 * time.Second},
		"in a wait":      {`{"TimeoutSeconds":11,` + one(`{"Type":"Wait","Seconds":60,"End":true}`)[1:], "TIMED_OUT", 11 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, sandbox.Options{}, func(w *world) {
				w.function("f", hang)
				out := w.finish(tt.definition, `{"t":"9"}`)
				if got := outcome(out); got != tt.want {
					w.t.Errorf("got %s, want %s", got, tt.want)
				}
				if took := out.StopDate.Sub(*out.StartDate).Round(time.Second); took != tt.after {
					w.t.Errorf("took %s, want %s", took, tt.after)
				}
			})
		})
	}
}

func TestMapKeepsItsConcurrency(t *testing.T) {
	for limit, want := range map[int]int32{1: 1, 3: 3, 0: 40, 100: 50} {
		bubble(t, sandbox.Options{}, func(w *world) {
			var now, most atomic.Int32
			w.function("f", func(context.Context, any) (any, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return nil, nil
			})
			input, err := json.Marshal(make([]int, 50))
			w.must(err)
			out := w.finish(one(fmt.Sprintf(`{"Type":"Map","MaxConcurrency":%d,"End":true,"ItemProcessor":{"StartAt":"I","States":{
				"I":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"End":true}}}}`, limit)), string(input))
			if out.Status != types.ExecutionStatusSucceeded || most.Load() != want {
				w.t.Errorf("limit %d: %s with up to %d at once, want %d", limit, out.Status, most.Load(), want)
			}
		})
	}
}

// A failed iteration stops the others; what they were doing is in the history.
func TestFailureStopsSiblings(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		out := w.finish(one(`{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"I","States":{
			"I":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":1,"Next":"Bad"}],"Default":"Slow"},
			"Bad":{"Type":"Fail","Error":"Bad","Cause":"one"},"Slow":{"Type":"Wait","Seconds":3600,"End":true}}},
			"Catch":[{"ErrorEquals":["Bad"],"Next":"C"}]},"C":{"Type":"Succeed"}`), `[0,1,2]`)
		if got := outcome(out); got != `SUCCEEDED {"Cause":"one","Error":"Bad"}` {
			w.t.Error(got)
		}
		if took := out.StopDate.Sub(*out.StartDate); took > time.Second {
			w.t.Errorf("took %s", took)
		}
		counts := map[string]int{}
		for _, e := range w.events(*out.ExecutionArn) {
			counts[e]++
		}
		for event, want := range map[string]int{"MapIterationStarted": 3, "MapIterationFailed": 1, "MapIterationAborted": 2, "MapStateFailed": 1, "MapStateExited A": 1, "MapIterationSucceeded": 0} {
			if counts[event] != want {
				w.t.Errorf("%d events %s, want %d", counts[event], event, want)
			}
		}
	})
}

func TestHistory(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		failing(w, "f", 1, throttled())
		out := w.finish(one(`{"Type":"Task","Resource":"`+"arn:aws:lambda:"+region+":"+account+":function:f"+`","Retry":[{"ErrorEquals":["States.ALL"]}],"Next":"W"},
			"W":{"Type":"Wait","Seconds":1,"Next":"P"},"P":{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}],"End":true}`), `{}`)
		want := []string{
			"ExecutionStarted", "TaskStateEntered A", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited A",
			"WaitStateEntered W", "WaitStateExited W", "ParallelStateEntered P", "ParallelStateStarted", "SucceedStateEntered B", "SucceedStateExited B", "ParallelStateSucceeded", "ParallelStateExited P", "ExecutionSucceeded",
		}
		for _, w.pages = range []int32{7, 0, 1000} {
			if diff := cmp.Diff(want, w.events(*out.ExecutionArn)); diff != "" {
				w.t.Errorf("in pages of %d: %s", w.pages, diff)
			}
		}
		reversed, err := w.client.GetExecutionHistory(w.t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: out.ExecutionArn, ReverseOrder: true, IncludeExecutionData: aws.Bool(false)})
		w.must(err)
		if len(reversed.Events) != len(want) || reversed.Events[0].Type != types.HistoryEventTypeExecutionSucceeded {
			w.t.Errorf("%d events, the last first: %s", len(reversed.Events), reversed.Events[0].Type)
		}
		for _, e := range reversed.Events {
			if d := e.StateEnteredEventDetails; d != nil && (d.Input != nil || d.Name == nil) {
				w.t.Errorf("without data an event says %+v", d)
			}
		}
	})
}

func TestHistoryIsLimited(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		out := w.finish(one(`{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":1,"Next":"B"}],"Default":"A"},"B":{"Type":"Succeed"}`), `0`)
		if got := outcome(out); got != "FAILED States.Runtime The execution reached the maximum number of history events (25000)." {
			w.t.Error(got)
		}
		if n := len(w.events(*out.ExecutionArn)); n > 25000 || n < 24990 {
			w.t.Errorf("%d events", n)
		}
	})
}

func TestWaitUntil(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		until := time.Now().Add(90 * time.Second).UTC().Format(time.RFC3339)
		out := w.finish(one(`{"Type":"Wait","TimestampPath":"$.t","End":true}`), `{"t":"`+until+`"}`)
		if took := out.StopDate.Sub(*out.StartDate).Round(time.Second); took != 90*time.Second {
			w.t.Errorf("waited %s", took)
		}
	})
}
