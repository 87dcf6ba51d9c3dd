package states_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/states"
)

const (
	echo = `"I":{"Type":"Pass","End":true}`
	// picky fails for items that are false.
	picky = `"I":{"Type":"Choice","Choices":[{"Variable":"$","BooleanEquals":false,"Next":"Bad"}],"Default":"Good"},
		"Good":{"Type":"Succeed"},"Bad":{"Type":"Fail","Error":"Bad","Cause":"it is"}`
)

// spread is a machine of one Distributed Map with further fields, each with a
// comma behind it, and children of a type that begin at the state I.
func spread(kind, fields, states string) string {
	return one(`{"Type":"Map","Label":"L",` + fields + `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"` + kind + `"},"StartAt":"I","States":{` + states + `}},"End":true}`)
}

// reader is an ItemReader for an object, or a list where config is of one.
func reader(parameters, config string) string {
	resource := "getObject"
	if !strings.Contains(parameters, "Key") {
		resource = "listObjectsV2"
	}
	return `"ItemReader":{"Resource":"arn:aws:states:::s3:` + resource + `","Parameters":{` + parameters + `},"ReaderConfig":{` + config + `}},`
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text)) // memory
	_ = w.Close()
	return out.String()
}

const object = `"Bucket":"bucket","Key.$":"$.key"`

func TestDistributed(t *testing.T) {
	const (
		where  = "An error occurred while executing the state 'A' (entered at the event id #2). "
		large  = " The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit."
		listed = `"Bucket":"bucket","Prefix":"parts/"`
	)
	tests := map[string]struct{ fields, states, input, want string }{
		"items of the input":   {``, echo, `[1,{"a":2},"b"]`, `SUCCEEDED [1,{"a":2},"b"]`},
		"items by path":        {`"ItemsPath":"$.a",`, echo, `{"a":[1]}`, `SUCCEEDED [1]`},
		"no items":             {``, echo, `[]`, `SUCCEEDED []`},
		"items are no array":   {``, echo, `{}`, `FAILED States.Runtime ` + where + `Reference path "$" must point to array.`},
		"item selector":        {`"ItemsPath":"$.a","ItemSelector":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value","all.$":"$.b"},`, echo, `{"a":["x","y"],"b":0}`, `SUCCEEDED [{"all":0,"i":0,"v":"x"},{"all":0,"i":1,"v":"y"}]`},
		"item selector fails":  {`"ItemSelector":{"v.$":"$$.Map.Item.Value.a"},`, echo, `[{"a":1},{}]`, `FAILED States.Runtime ` + where},
		"batches":              {`"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{"r.$":"$[0]"}},`, echo, `[1,2,3]`, `SUCCEEDED [{"BatchInput":{"r":1},"Items":[1,2]},{"BatchInput":{"r":1},"Items":[3]}]`},
		"batches by path":      {`"ItemsPath":"$.a","ItemBatcher":{"MaxItemsPerBatchPath":"$.n"},`, echo, `{"a":[1,2],"n":1}`, `SUCCEEDED [{"Items":[1]},{"Items":[2]}]`},
		"batches by size":      {`"ItemBatcher":{"MaxInputBytesPerBatch":17},`, echo, `[11,22,33,444,5]`, `SUCCEEDED [{"Items":[11,22]},{"Items":[33]},{"Items":[444,5]}]`},
		"batch size of 0":      {`"ItemsPath":"$.a","ItemBatcher":{"MaxItemsPerBatchPath":"$.n"},`, echo, `{"a":[1,2],"n":0}`, `FAILED States.Runtime ` + where + `The MaxItemsPerBatchPath field refers to value "0" which is less than 1: $.n`},
		"item beyond a batch":  {`"ItemBatcher":{"MaxInputBytesPerBatch":14},`, echo, `[1,222]`, `FAILED States.DataLimitExceeded The item at index 1 makes an input that is larger than 14 bytes.`},
		"selected and batched": {`"ItemSelector":{"v.$":"$$.Map.Item.Value"},"ItemBatcher":{"MaxItemsPerBatch":9},`, echo, `[1,2]`, `SUCCEEDED [{"Items":[{"v":1},{"v":2}]}]`},
		"selected beyond":      {`"ItemsPath":"$.n","ItemSelector":{"a.$":"$.a","b.$":"$.a"},`, echo, `{"a":"` + strings.Repeat("a", 140000) + `","n":[1]}`, `FAILED States.DataLimitExceeded The item at index 0 makes an input that is larger than 262144 bytes.`},
		"output too large":     {`"ItemsPath":"$.n","ItemSelector":{"a.$":"$.a"},"ResultPath":null,`, echo, `{"a":"` + strings.Repeat("a", 140000) + `","n":[1,2]}`, `FAILED States.DataLimitExceeded` + large},
		"flattened":            {`"ResultWriter":{"WriterConfig":{"Transformation":"FLATTEN"}},`, echo, `[[1,2],3,[]]`, `SUCCEEDED [1,2,3]`},
		"compact":              {`"ResultWriter":{"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}},`, echo, `[[1,2],3]`, `SUCCEEDED [[1,2],3]`},
		"results placed":       {`"ItemsPath":"$.a","ResultSelector":{"n.$":"States.ArrayLength($)"},"ResultPath":"$.r","OutputPath":"$.r",`, echo, `{"a":[1,2]}`, `SUCCEEDED {"n":2}`},
		"context object":       {``, `"I":{"Type":"Pass","Parameters":{"m.$":"$$.StateMachine.Name","in.$":"$$.Execution.Input","r.$":"$$.Execution.RoleArn"},"End":true}`, `[7]`, `SUCCEEDED [{"in":7,"m":"machine/L","r":"arn:aws:iam::` + account + `:role/machine"}]`},
		"no item in children":  {``, `"I":{"Type":"Pass","Parameters":{"v.$":"$$.Map.Item.Value"},"End":true}`, `[7]`, `FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded`},
		"inline in children":   {``, `"I":{"Type":"Map","ItemProcessor":{"StartAt":"J","States":{"J":{"Type":"Pass","End":true}}},"End":true}`, `[[1],[2]]`, `SUCCEEDED [[1],[2]]`},
		"bad concurrency":      {`"ItemsPath":"$.a","MaxConcurrencyPath":"$.n",`, echo, `{"a":[1],"n":-1}`, `FAILED States.Runtime ` + where + `The MaxConcurrencyPath field refers to value "-1" which is less than 0: $.n`},

		"JSON":               {reader(object, `"InputType":"JSON"`), echo, `{"key":"a.json"}`, `SUCCEEDED [1,{"b":2}]`},
		"JSON, not all":      {reader(object, `"InputType":"JSON","MaxItems":1`), echo, `{"key":"a.json"}`, `SUCCEEDED [1]`},
		"JSON, gzip":         {reader(object, `"InputType":"JSON"`), echo, `{"key":"a.json.gz"}`, `SUCCEEDED [3]`},
		"JSON lines":         {reader(object, `"InputType":"JSONL"`), echo, `{"key":"a.jsonl"}`, `SUCCEEDED [{"n":1},{"n":2},3]`},
		"JSON lines by path": {reader(object, `"InputType":"JSONL","MaxItemsPath":"$.n"`), echo, `{"key":"a.jsonl","n":"2"}`, `SUCCEEDED [{"n":1},{"n":2}]`},
		"CSV":                {reader(object, `"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["h"],"CSVDelimiter":"PIPE"`), echo, `{"key":"a.csv"}`, `SUCCEEDED [{"h":"x"},{"h":"z"}]`},
		"selected":           {reader(object, `"InputType":"JSONL"`) + `"ItemSelector":{"k.$":"$.key","n.$":"$$.Map.Item.Value.n"},`, echo, `{"key":"a.jsonl"}`, `FAILED States.Runtime ` + where},
		"list":               {reader(listed, ``) + `"ItemSelector":{"k.$":"$$.Map.Item.Value.Key","s.$":"$$.Map.Item.Value.Size"},`, echo, `{}`, `SUCCEEDED [{"k":"parts/1.jsonl","s":4},{"k":"parts/2.jsonl","s":6}]`},
		"list, whole item":   {reader(listed, `"MaxItems":1`), echo, `{}`, `SUCCEEDED [{"Etag":"\"6ddb4095eb719e2a9f0a3f95677d24e0\"","Key":"parts/1.jsonl","LastModified":946684800,"Size":4,"StorageClass":"STANDARD"}]`},
		"list of none":       {reader(`"Bucket":"bucket","Prefix":"none/"`, ``), echo, `{}`, `SUCCEEDED []`},
		"loaded":             {reader(listed, `"InputType":"JSONL","Transformation":"LOAD_AND_FLATTEN","MaxItems":4`), echo, `{}`, `SUCCEEDED [1,2,3,4]`},
		"bucket's owner":     {reader(object+`,"ExpectedBucketOwner":"`+account+`"`, `"InputType":"JSON"`), echo, `{"key":"a.json"}`, `SUCCEEDED [1,{"b":2}]`},

		"no object":          {reader(object, `"InputType":"JSON"`), echo, `{"key":"none"}`, `FAILED States.ItemReaderFailed The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey; `},
		"no bucket":          {reader(`"Bucket":"nobody"`, ``), echo, `{}`, `FAILED States.ItemReaderFailed The specified bucket does not exist (Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket; `},
		"somebody else's":    {reader(object+`,"ExpectedBucketOwner":"111122223333"`, `"InputType":"JSON"`), echo, `{"key":"a.json"}`, `FAILED States.ItemReaderFailed Access Denied (Service: Amazon S3; Status Code: 403; `},
		"elsewhere":          {reader(`"Bucket":"elsewhere"`, ``), echo, `{}`, `FAILED States.ItemReaderFailed The authorization header is malformed`},
		"no JSON":            {reader(object, `"InputType":"JSON"`), echo, `{"key":"a.csv"}`, `FAILED States.ItemReaderFailed Unable to parse JSON data: Unexpected character ('x'`},
		"no array":           {reader(object, `"InputType":"JSON"`), echo, `{"key":"object.json"}`, `FAILED States.ItemReaderFailed Attempting to map over non-iterable node.`},
		"a line is no JSON":  {reader(object, `"InputType":"JSONL"`), echo, `{"key":"broken.jsonl"}`, `FAILED States.ItemReaderFailed Unable to parse JSON data at line 3: `},
		"broken gzip":        {reader(object, `"InputType":"JSON"`), echo, `{"key":"broken.gz"}`, `FAILED States.ItemReaderFailed Unable to read GZIP data: `},
		"key is no text":     {reader(object, `"InputType":"JSON"`), echo, `{"key":1}`, `FAILED States.Runtime ` + where + `The parameter 'Key' of ItemReader must be a string`},
		"key is empty":       {reader(object, `"InputType":"JSON"`), echo, `{"key":""}`, `FAILED States.Runtime ` + where + `The parameter 'Key' of ItemReader must be a string that is not empty`},
		"bucket is empty":    {reader(`"Bucket.$":"$.b"`, ``), echo, `{"b":""}`, `FAILED States.Runtime ` + where + `The parameter 'Bucket' of ItemReader must be a string that is not empty`},
		"writer's bucket":    {`"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"nobody"}},`, echo, `[1]`, `FAILED States.ResultWriterFailed The specified bucket does not exist (Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket; `},
		"writer's owner":     {`"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"bucket","ExpectedBucketOwner":"111122223333"}},`, echo, `[1]`, `FAILED States.ResultWriterFailed Access Denied (`},
		"writer's parameter": {`"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket.$":"$[0]"}},`, echo, `[1]`, `FAILED States.Runtime ` + where + `The parameter 'Bucket' of ResultWriter must be a string`},
	}
	for name, tt := range tests {
		for _, kind := range []string{"STANDARD", "EXPRESS"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, sandbox.Options{}, func(w *world) {
					w.must(w.s3.CreateBucket(account, "eu-west-1", "elsewhere"))
					for key, body := range map[string]string{
						"a.json": `[1, {"b": 2}]`, "a.json.gz": zipped(`[3]`), "a.jsonl": "{\"n\":1}\n\n{\"n\":2}\r\n3", "a.csv": "x|y\nz\n",
						"object.json": `{"a":[1]}`, "broken.jsonl": "1\n2\n{\n", "broken.gz": zipped(`[1]`)[:20],
						"parts/1.jsonl": "1\n2\n", "parts/2.jsonl": "3\n4\n5\n", "partly": "6",
					} {
						w.put(key, body)
					}
					got := outcome(w.finish(spread(kind, tt.fields, tt.states), tt.input))
					if strings.HasPrefix(tt.want, "FAILED") { // causes end with what is different each time
						got = got[:min(len(got), len(tt.want))]
					}
					if got != tt.want {
						w.t.Errorf("got  %.300s\nwant %.300s", got, tt.want)
					}
				})
			})
		}
	}
}

// TestTolerance: the edges of what a Map Run bears.
func TestTolerance(t *testing.T) {
	const exceeded = "States.ExceedToleratedFailureThreshold"
	tests := []struct {
		fields      string
		failed, all int
		want        string
	}{
		{``, 0, 3, ""},
		{``, 1, 3, exceeded},
		{`"ToleratedFailureCount":0,`, 1, 3, exceeded},
		{`"ToleratedFailureCount":2,`, 2, 3, ""},
		{`"ToleratedFailureCount":2,`, 3, 3, exceeded},
		{`"ToleratedFailurePercentage":0,`, 1, 100, exceeded},
		{`"ToleratedFailurePercentage":33.4,`, 1, 3, ""},
		{`"ToleratedFailurePercentage":33.3,`, 1, 3, exceeded},
		{`"ToleratedFailurePercentage":50,`, 2, 4, ""},
		{`"ToleratedFailurePercentage":50,`, 3, 4, exceeded},
		{`"ToleratedFailurePercentage":100,`, 4, 4, ""},
		{`"ToleratedFailureCount":1,"ToleratedFailurePercentage":100,`, 2, 4, exceeded},
		{`"ToleratedFailureCount":4,"ToleratedFailurePercentage":25,`, 2, 4, exceeded},
		{`"ToleratedFailureCountPath":"$.count","ToleratedFailurePercentagePath":"$.percentage",`, 2, 4, ""},
		{`"ToleratedFailureCount":1,"MaxConcurrency":1,`, 3, 5, exceeded},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s%d of %d", tt.fields, tt.failed, tt.all), func(t *testing.T) {
			bubble(t, sandbox.Options{}, func(w *world) {
				list := strings.TrimSuffix(strings.Repeat("false,", tt.failed)+strings.Repeat("true,", tt.all-tt.failed), ",")
				out := w.finish(spread("EXPRESS", `"ItemsPath":"$.items",`+tt.fields, picky), `{"items":[`+list+`],"count":2,"percentage":"50"}`)
				if got := aws.ToString(out.Error); got != tt.want {
					w.t.Errorf("got %s", outcome(out))
				}
			})
		})
	}
}

// TestBatchesAreCountedByItems: of a batch that fails every item has failed.
func TestBatchesAreCountedByItems(t *testing.T) {
	for tolerated, want := range map[string]types.ExecutionStatus{"2": types.ExecutionStatusFailed, "3": types.ExecutionStatusSucceeded} {
		bubble(t, sandbox.Options{}, func(w *world) {
			out := w.finish(spread("STANDARD", `"ItemBatcher":{"MaxItemsPerBatch":3},"ToleratedFailureCount":`+tolerated+`,`,
				`"I":{"Type":"Choice","Choices":[{"Variable":"$.Items[0]","NumericEquals":4,"Next":"Bad"}],"Default":"Good"},"Good":{"Type":"Succeed"},"Bad":{"Type":"Fail"}`), `[1,2,3,4,5,6,7]`)
			if out.Status != want {
				w.t.Errorf("tolerating %s: %s", tolerated, outcome(out))
			}
			run := w.mapRun(*out.ExecutionArn)
			if got, want := *run.ItemCounts, (types.MapRunItemCounts{Failed: 3, Succeeded: 4, Total: 7, ResultsWritten: 7}); out.Status == types.ExecutionStatusSucceeded && cmp.Diff(want, got, ignoreRedrive...) != "" {
				w.t.Error(cmp.Diff(want, got, ignoreRedrive...))
			}
		})
	}
}

// TestMapRetry: a retry runs every child again, in a Map Run of its own.
func TestMapRetry(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		var calls atomic.Int32
		w.function("f", func(_ context.Context, in any) (any, error) {
			if calls.Add(1) == 1 {
				return nil, fmt.Errorf("not yet")
			}
			return in, nil
		})
		began := time.Now()
		out := w.finish(spread("EXPRESS", `"MaxConcurrency":1,"Retry":[{"ErrorEquals":["States.ExceedToleratedFailureThreshold"],"IntervalSeconds":60,"MaxAttempts":2}],`,
			`"I":{"Type":"Task","Resource":"arn:aws:lambda:`+region+":"+account+`:function:f","End":true}`), `[1,2]`)
		if got := outcome(out); got != `SUCCEEDED [1,2]` || calls.Load() != 3 || time.Since(began) < time.Minute {
			w.t.Errorf("%s after %d calls and %s", got, calls.Load(), time.Since(began))
		}
		want := []string{
			"ExecutionStarted", "MapStateEntered A", "MapStateStarted", "MapRunStarted", "MapRunFailed",
			"MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited A", "ExecutionSucceeded",
		}
		if diff := cmp.Diff(want, w.events(*out.ExecutionArn)); diff != "" {
			w.t.Error(diff)
		}
		runs, err := w.client.ListMapRuns(w.t.Context(), &sfn.ListMapRunsInput{ExecutionArn: out.ExecutionArn})
		w.must(err)
		if len(runs.MapRuns) != 2 || !runs.MapRuns[0].StartDate.After(*runs.MapRuns[1].StartDate) {
			w.t.Errorf("listed %+v", runs.MapRuns)
		}
	})
}

func TestMapCatch(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		out := w.finish(strings.Replace(spread("STANDARD", `"Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}],`, picky), `"End":true}}}`, `"Next":"S"},"S":{"Type":"Succeed"},"C":{"Type":"Pass","End":true}}}`, 1), `[true,false]`)
		if got, want := outcome(out), `SUCCEEDED {"Cause":"The specified tolerated failure threshold was exceeded","Error":"States.ExceedToleratedFailureThreshold"}`; got != want {
			w.t.Errorf("got  %s\nwant %s", got, want)
		}
		want := []string{"ExecutionStarted", "MapStateEntered A", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "MapStateExited A", "PassStateEntered C", "PassStateExited C", "ExecutionSucceeded"}
		if diff := cmp.Diff(want, w.events(*out.ExecutionArn)); diff != "" {
			w.t.Error(diff)
		}
	})
}

// TestMapConcurrency: as many children as are allowed run at once, and no more.
func TestMapConcurrency(t *testing.T) {
	const wait = `"I":{"Type":"Wait","Seconds":10,"End":true}`
	for fields, want := range map[string]time.Duration{`"MaxConcurrency":1,`: 60, `"MaxConcurrency":4,`: 20, ``: 10, `"MaxConcurrency":99999,`: 10} {
		bubble(t, sandbox.Options{}, func(w *world) {
			out := w.finish(spread("EXPRESS", fields, wait), `[1,2,3,4,5,6]`)
			if took := out.StopDate.Sub(*out.StartDate); took != want*time.Second {
				w.t.Errorf("%s took %s, want %ds", fields, took, want)
			}
			if got := w.states.Counts(); got.Executions != 7 || got.Children != 6 || got.Transitions != 7 {
				w.t.Errorf("counted %+v", got)
			}
		})
	}
}

// TestExpressChildren: they last five minutes, go into the log, and are
// delivered once even where EXPRESS executions are not.
func TestExpressChildren(t *testing.T) {
	faults, err := knobs.ParseFaults("states=duplicate:100%")
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, sandbox.Options{Faults: faults}, func(w *world) {
		out := w.finish(spread("EXPRESS", `"ToleratedFailureCount":1,"ResultWriter":{"WriterConfig":{"Transformation":"NONE"}},`, `"I":{"Type":"Wait","SecondsPath":"$","End":true}`), `[299,301]`)
		if took := out.StopDate.Sub(*out.StartDate); out.Status != types.ExecutionStatusSucceeded || took != 5*time.Minute {
			w.t.Errorf("%s after %s", outcome(out), took)
		}
		contains(w.t, aws.ToString(out.Output), `"Status":"TIMED_OUT"`)
		contains(w.t, w.logs.String(), `"execution_arn":"arn:aws:states:`+region+":"+account+`:express:machine/L:`)
		if n := strings.Count(w.logs.String(), `"type":"ExecutionStarted"`); n != 2 {
			w.t.Errorf("%d children began", n)
		}
		run := w.mapRun(*out.ExecutionArn)
		if run.ExecutionCounts.TimedOut != 1 || run.ExecutionCounts.Succeeded != 1 {
			w.t.Errorf("counted %+v", run.ExecutionCounts)
		}
		_, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{MapRunArn: run.MapRunArn})
		refused(w.t, err, "StateMachineTypeNotSupported", "not supported by this type")
	})
}

// TestMapAtSpeed: the waits and retries of children are shortened too.
func TestMapAtSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sandbox.Options{}, everything, func(o *states.Options) { o.Speed = 60 })
		out := w.finish(spread("EXPRESS", ``, `"I":{"Type":"Wait","Seconds":120,"End":true}`), `[1,2]`)
		if took := out.StopDate.Sub(*out.StartDate); took != 2*time.Second {
			t.Errorf("%s after %s", outcome(out), took)
		}
	})
}

func TestDistributedIsRefused(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		create := func(kind types.StateMachineType, definition string) error {
			_, err := w.client.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("n"), Type: kind, RoleArn: &w.role, Definition: &definition})
			return err
		}
		refused(w.t, create(types.StateMachineTypeExpress, spread("EXPRESS", ``, echo)), "InvalidDefinition", "Express state machine does not support 'DISTRIBUTED' mode at /States/A/ItemProcessor/ProcessorConfig/Mode")
		refused(w.t, create(types.StateMachineTypeStandard, spread("EXPRESS", ``, strings.Replace(strings.TrimSuffix(strings.TrimPrefix(spread("EXPRESS", ``, echo), `{"StartAt":"A","States":{`), `}}`), `"A":{"Type":"Map","Label":"L"`, `"I":{"Type":"Map","Label":"M"`, 1))),
			"InvalidDefinition", "Express state machine does not support 'DISTRIBUTED' mode at /States/A/ItemProcessor/States/I/ItemProcessor/ProcessorConfig/Mode")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sandbox.Options{}, everything, func(o *states.Options) { o.Objects = nil })
		for field, definition := range map[string]string{
			"ItemReader":   spread("EXPRESS", reader(`"Bucket":"bucket"`, ``), echo),
			"ResultWriter": spread("EXPRESS", `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"bucket"}},`, echo),
		} {
			_, err := w.client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("n"), RoleArn: &w.role, Definition: &definition})
			refused(t, err, "SandboxUnsupported", field+" at /States/A/"+field)
		}
	})
}
