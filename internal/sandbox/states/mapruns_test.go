package states_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/sandbox"
)

// ignoreRedrive leaves out what is about redrives, which the sandbox has none of.
var ignoreRedrive = []cmp.Option{
	cmpopts.IgnoreUnexported(types.MapRunItemCounts{}, types.MapRunExecutionCounts{}),
	cmpopts.IgnoreFields(types.MapRunItemCounts{}, "FailuresNotRedrivable", "PendingRedrive"),
	cmpopts.IgnoreFields(types.MapRunExecutionCounts{}, "FailuresNotRedrivable", "PendingRedrive"),
}

// mapRun describes the latest Map Run of an execution.
func (w *world) mapRun(execution string) *sfn.DescribeMapRunOutput {
	w.t.Helper()
	list, err := w.client.ListMapRuns(w.t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
	w.must(err)
	if len(list.MapRuns) == 0 {
		w.t.Fatal("no Map Run")
	}
	out, err := w.client.DescribeMapRun(w.t.Context(), &sfn.DescribeMapRunInput{MapRunArn: list.MapRuns[0].MapRunArn})
	w.must(err)
	return out
}

// begin starts a STANDARD execution and lets it go as far as it can without time.
func (w *world) begin(definition, input string) string {
	w.t.Helper()
	machine := w.create("machine", types.StateMachineTypeStandard, definition)
	out, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Input: &input})
	w.must(err)
	synctest.Wait()
	return *out.ExecutionArn
}

func TestMapRunThroughTheAPI(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		ctx := w.t.Context()
		arn := w.begin(spread("STANDARD", `"MaxConcurrency":2,"ToleratedFailureCount":1,"ToleratedFailurePercentage":60,`, `"I":{"Type":"Wait","Seconds":10,"End":true}`), `[1,2,3,4,5]`)
		time.Sleep(15 * time.Second)
		run := w.mapRun(arn)
		name := strings.TrimPrefix(*run.MapRunArn, "arn:aws:states:"+region+":"+account+":mapRun:machine/L:")
		if len(name) != 36 || *run.ExecutionArn != arn || run.Status != types.MapRunStatusRunning || run.StopDate != nil ||
			run.MaxConcurrency != 2 || run.ToleratedFailureCount != 1 || run.ToleratedFailurePercentage != 60 {
			w.t.Errorf("described %+v", run)
		}
		want := types.MapRunExecutionCounts{Pending: 1, Running: 2, Succeeded: 2, Total: 5}
		if diff := cmp.Diff(want, *run.ExecutionCounts, ignoreRedrive...); diff != "" {
			w.t.Error(diff)
		}
		var listed []string
		pages := sfn.NewListExecutionsPaginator(w.client, &sfn.ListExecutionsInput{MapRunArn: run.MapRunArn, StatusFilter: types.ExecutionStatusRunning, MaxResults: 1})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			w.must(err)
			for _, e := range page.Executions {
				listed = append(listed, *e.ExecutionArn)
				if *e.MapRunArn != *run.MapRunArn || *e.ItemCount != 1 || *e.StateMachineArn != "arn:aws:states:"+region+":"+account+":stateMachine:machine/L" {
					w.t.Errorf("listed %+v", e)
				}
			}
		}
		if len(listed) != 2 || !strings.HasPrefix(listed[0], "arn:aws:states:"+region+":"+account+":execution:machine/L:") {
			w.t.Fatalf("listed %q", listed)
		}
		child := w.describe(listed[0])
		if *child.MapRunArn != *run.MapRunArn || child.Status != types.ExecutionStatusRunning || !strings.Contains("345", *child.Input) {
			w.t.Errorf("described %+v", child)
		}
		if diff := cmp.Diff([]string{"ExecutionStarted", "WaitStateEntered I"}, w.events(listed[0])); diff != "" {
			w.t.Error(diff)
		}
		own, err := w.client.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: aws.String("arn:aws:states:" + region + ":" + account + ":stateMachine:machine")})
		w.must(err)
		if len(own.Executions) != 1 || own.Executions[0].MapRunArn != nil {
			w.t.Errorf("the machine's executions are %+v", own.Executions)
		}

		_, err = w.client.UpdateMapRun(ctx, &sfn.UpdateMapRunInput{MapRunArn: run.MapRunArn, MaxConcurrency: aws.Int32(3), ToleratedFailurePercentage: aws.Float32(70)})
		w.must(err)
		synctest.Wait()
		if run = w.mapRun(arn); run.ExecutionCounts.Running != 3 || run.ExecutionCounts.Pending != 0 || run.MaxConcurrency != 3 || run.ToleratedFailurePercentage != 70 {
			w.t.Errorf("updated to %+v, %+v", run, run.ExecutionCounts)
		}
		w.must(w.states.Wait(ctx))
		if run = w.mapRun(arn); run.Status != types.MapRunStatusSucceeded || run.StopDate.Sub(*run.StartDate) != 25*time.Second {
			w.t.Errorf("ended as %+v", run)
		}
		_, err = w.client.UpdateMapRun(ctx, &sfn.UpdateMapRunInput{MapRunArn: run.MapRunArn, MaxConcurrency: aws.Int32(9)})
		w.must(err)
		if run = w.mapRun(arn); run.MaxConcurrency != 3 {
			w.t.Errorf("changed after its end: %+v", run)
		}
	})
}

// TestUpdateBeforeItIsTooLate: a threshold that was raised holds for failures to
// come.
func TestUpdateBeforeItIsTooLate(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		arn := w.begin(spread("STANDARD", ``, `"I":{"Type":"Wait","Seconds":10,"Next":"F"},"F":{"Type":"Fail"}`), `[1,2]`)
		_, err := w.client.UpdateMapRun(w.t.Context(), &sfn.UpdateMapRunInput{MapRunArn: w.mapRun(arn).MapRunArn, ToleratedFailureCount: aws.Int64(2)})
		w.must(err)
		w.must(w.states.Wait(w.t.Context()))
		if out := w.describe(arn); out.Status != types.ExecutionStatusSucceeded {
			w.t.Error(outcome(out))
		}
	})
}

func TestMapRunRefusals(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		ctx := w.t.Context()
		out := w.finish(spread("STANDARD", ``, echo), `[1]`)
		run := w.mapRun(*out.ExecutionArn)
		_, err := w.client.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: out.ExecutionArn})
		refused(w.t, err, "InvalidArn", "Invalid ARN")
		_, err = w.client.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: aws.String(*run.MapRunArn + "0")})
		refused(w.t, err, "ResourceNotFound", "Map Run Does Not Exist: '")
		_, err = w.client.ListMapRuns(ctx, &sfn.ListMapRunsInput{ExecutionArn: aws.String(*out.ExecutionArn + "0")})
		refused(w.t, err, "ExecutionDoesNotExist", "Execution Does Not Exist: '")
		for _, in := range []sfn.UpdateMapRunInput{
			{}, {MaxConcurrency: aws.Int32(-1)}, {ToleratedFailureCount: aws.Int64(-1)},
			{ToleratedFailurePercentage: aws.Float32(-1)}, {ToleratedFailurePercentage: aws.Float32(101)},
		} {
			in.MapRunArn = run.MapRunArn
			_, err = w.client.UpdateMapRun(ctx, &in)
			refused(w.t, err, "ValidationException", "")
		}
		_, err = w.client.ListExecutions(ctx, &sfn.ListExecutionsInput{})
		refused(w.t, err, "ValidationException", "Exactly one of")
		nobody, err := w.sandbox.IAM.AddUser(account, "nobody", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"states:DescribeExecution","Resource":"*"}}`))
		w.must(err)
		client := w.as(nobody)
		_, err = client.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: run.MapRunArn})
		refused(w.t, err, "AccessDeniedException", "states:DescribeMapRun on resource: "+*run.MapRunArn)
		_, err = client.UpdateMapRun(ctx, &sfn.UpdateMapRunInput{MapRunArn: run.MapRunArn, MaxConcurrency: aws.Int32(1)})
		refused(w.t, err, "AccessDeniedException", "states:UpdateMapRun")
		_, err = client.ListMapRuns(ctx, &sfn.ListMapRunsInput{ExecutionArn: out.ExecutionArn})
		refused(w.t, err, "AccessDeniedException", "states:ListMapRuns")
		_, err = client.ListExecutions(ctx, &sfn.ListExecutionsInput{MapRunArn: run.MapRunArn})
		refused(w.t, err, "AccessDeniedException", "states:ListExecutions")
	})
}

// TestMapAbort: an execution that is stopped, or that runs out of time, takes
// its children with it.
func TestMapAbort(t *testing.T) {
	const slow = `"I":{"Type":"Wait","Seconds":1000,"End":true}`
	tests := map[string]struct {
		definition string
		stop       bool
		want       string
	}{
		"stopped":     {spread("STANDARD", `"MaxConcurrency":2,`, slow), true, "ABORTED E c"},
		"out of time": {strings.Replace(spread("STANDARD", `"MaxConcurrency":2,`, slow), `{`, `{"TimeoutSeconds":30,`, 1), false, "TIMED_OUT"},
		"nested": {spread("STANDARD", `"MaxConcurrency":2,`, `"I":{"Type":"Map","ItemsPath":"$.a","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"J","States":{"J":{"Type":"Wait","Seconds":200,"End":true}}},"End":true}`),
			true, "ABORTED E c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, sandbox.Options{}, func(w *world) {
				arn := w.begin(tt.definition, `[{"a":[1]},{"a":[1]},{"a":[1]}]`)
				if tt.stop {
					_, err := w.client.StopExecution(w.t.Context(), &sfn.StopExecutionInput{ExecutionArn: &arn, Error: aws.String("E"), Cause: aws.String("c")})
					w.must(err)
				}
				w.must(w.states.Wait(w.t.Context()))
				if got := outcome(w.describe(arn)); got != tt.want {
					w.t.Errorf("ended as %s", got)
				}
				run := w.mapRun(arn)
				want := types.MapRunExecutionCounts{Pending: 1, Aborted: 2, Total: 3}
				if diff := cmp.Diff(want, *run.ExecutionCounts, ignoreRedrive...); diff != "" || run.Status != types.MapRunStatusAborted {
					w.t.Errorf("%s: %s", run.Status, diff)
				}
				list, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{MapRunArn: run.MapRunArn, StatusFilter: types.ExecutionStatusAborted})
				w.must(err)
				if len(list.Executions) != 2 {
					w.t.Errorf("aborted are %+v", list.Executions)
				}
				events := w.events(arn)
				if last := events[len(events)-2:]; last[0] != "MapRunAborted" || !strings.HasPrefix(last[1], "Execution") {
					w.t.Errorf("the history ends with %q", last)
				}
			})
		})
	}
}

// TestMapAtTheEnd: a sandbox that is closed waits for the children too.
func TestMapAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sandbox.Options{}, everything)
		arn := w.begin(spread("EXPRESS", ``, `"I":{"Type":"Wait","Seconds":200,"End":true}`), `[1,2,3]`)
		w.must(w.states.Close())
		if run := w.mapRun(arn); run.Status != types.MapRunStatusAborted || run.ExecutionCounts.Aborted != 3 {
			t.Errorf("%s: %+v", run.Status, run.ExecutionCounts)
		}
		if got := w.states.Counts().Transitions; got != 4 {
			t.Errorf("%d transitions, want 4", got)
		}
	})
}

// TestStopOneChild: what a person stops has not failed.
func TestStopOneChild(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		arn := w.begin(spread("STANDARD", `"ItemSelector":{"v.$":"$$.Map.Item.Value"},`, `"I":{"Type":"Wait","Seconds":10,"End":true}`), `[1]`)
		list, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{MapRunArn: w.mapRun(arn).MapRunArn})
		w.must(err)
		_, err = w.client.StopExecution(w.t.Context(), &sfn.StopExecutionInput{ExecutionArn: list.Executions[0].ExecutionArn})
		w.must(err)
		w.must(w.states.Wait(w.t.Context()))
		out := w.describe(arn)
		if out.Status != types.ExecutionStatusSucceeded {
			w.t.Error(outcome(out))
		}
		contains(w.t, *out.Output, `"Status":"ABORTED"`)
	})
}

func TestMapRoles(t *testing.T) {
	const (
		machine = `{"Effect":"Allow","Action":"states:StartExecution","Resource":"arn:aws:states:` + region + ":" + account + `:stateMachine:machine"}`
		read    = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/in/*"}`
		list    = `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket"}`
		write   = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/out/*"}`
		writer  = `"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"bucket","Prefix":"out"}},`
		nested  = `"I":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"J","States":{"J":{"Type":"Succeed"}}},"End":true}`
	)
	get := reader(`"Bucket":"bucket","Key":"in/a"`, `"InputType":"JSON"`)
	load := reader(`"Bucket":"bucket","Prefix":"in/"`, `"InputType":"JSON","Transformation":"LOAD_AND_FLATTEN"`)
	tests := map[string]struct{ may, definition, want, cause string }{
		"children":         {machine, spread("EXPRESS", ``, echo), "", ""},
		"no children":      {read, spread("EXPRESS", ``, echo), "States.Permissions", "states:StartExecution on resource: arn:aws:states:" + region + ":" + account + ":stateMachine:machine"},
		"nested":           {machine, spread("STANDARD", ``, nested), "", ""},
		"object":           {machine + "," + read, spread("EXPRESS", get, echo), "", ""},
		"no object":        {machine + "," + list, spread("EXPRESS", get, echo), "States.ItemReaderFailed", "s3:GetObject on resource: arn:aws:s3:::bucket/in/a"},
		"list":             {machine + "," + list, spread("EXPRESS", reader(`"Bucket":"bucket"`, ``), echo), "", ""},
		"no list":          {machine + "," + read, spread("EXPRESS", reader(`"Bucket":"bucket"`, ``), echo), "States.ItemReaderFailed", "s3:ListBucket on resource: arn:aws:s3:::bucket"},
		"load":             {machine + "," + list + "," + read, spread("EXPRESS", load, echo), "", ""},
		"load, only list":  {machine + "," + list, spread("EXPRESS", load, echo), "States.ItemReaderFailed", "s3:GetObject on resource: arn:aws:s3:::bucket/in/a"},
		"write":            {machine + "," + write, spread("EXPRESS", writer, echo), "", ""},
		"no write":         {machine, spread("EXPRESS", writer, echo), "States.ResultWriterFailed", "s3:PutObject on resource: arn:aws:s3:::bucket/out/"},
		"a child's calls":  {machine, spread("EXPRESS", `"ToleratedFailureCount":9,`, `"I":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"End":true}`), "", ""},
		"one child's call": {machine, spread("EXPRESS", ``, `"I":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f"},"End":true}`), "States.ExceedToleratedFailureThreshold", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sandbox.Options{}, []byte(`{"Version":"2012-10-17","Statement":[`+tt.may+`]}`))
				w.function("f", func(context.Context, any) (any, error) { return nil, nil })
				w.put("in/a", `[[1]]`)
				out := w.finish(tt.definition, `[[1]]`)
				if got := aws.ToString(out.Error); got != tt.want {
					t.Errorf("got %s", outcome(out))
				}
				contains(t, aws.ToString(out.Cause), tt.cause)
			})
		})
	}
}

// written is what a ResultWriter wrote, by the name below its folder.
func (w *world) written(folder string) map[string]string {
	found := map[string]string{}
	for name, body := range w.s3.Objects() {
		if name, ok := strings.CutPrefix(name, folder); ok {
			found[name] = string(body)
		}
	}
	return found
}

// records reads a result file.
func records(t *testing.T, text string) (out []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func TestResultFiles(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		out := w.finish(spread("STANDARD", `"MaxConcurrency":1,"ToleratedFailureCount":1,"ItemSelector":{"n.$":"$$.Map.Item.Value"},"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"bucket","Prefix":"results/of"}},`,
			`"I":{"Type":"Wait","Seconds":1,"Next":"C"},"C":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":1,"Next":"Bad"}],"Default":"Good"},"Good":{"Type":"Pass","Result":[true,"x"],"End":true},"Bad":{"Type":"Fail","Error":"E","Cause":"c"}`), `[1,2,3,4,5]`)
		run := w.mapRun(*out.ExecutionArn)
		if out.Status != types.ExecutionStatusFailed || run.Status != types.MapRunStatusFailed || run.ExecutionCounts.ResultsWritten != 3 {
			w.t.Errorf("%s; %+v", outcome(out), run.ExecutionCounts)
		}
		arn := *run.MapRunArn
		folder := "results/of/" + arn[strings.LastIndexByte(arn, ':')+1:] + "/"
		files := w.written("bucket/" + folder)
		if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, []string{"FAILED_0.json", "PENDING_0.json", "SUCCEEDED_0.json", "manifest.json"}) {
			w.t.Fatalf("wrote %q", got)
		}
		file := func(name string) []any {
			return []any{map[string]any{"Key": folder + name, "Size": float64(len(files[name]))}}
		}
		var manifest map[string]any
		w.must(json.Unmarshal([]byte(files["manifest.json"]), &manifest))
		if diff := cmp.Diff(map[string]any{
			"DestinationBucket": "bucket", "MapRunArn": arn,
			"ResultFiles": map[string]any{"FAILED": file("FAILED_0.json"), "PENDING": file("PENDING_0.json"), "SUCCEEDED": file("SUCCEEDED_0.json")},
		}, manifest); diff != "" {
			w.t.Error(diff)
		}
		list, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{MapRunArn: &arn})
		w.must(err)
		slices.Reverse(list.Executions) // the first is now the first
		record := func(n int, input string, more map[string]any) map[string]any {
			e := list.Executions[n]
			const layout = "2006-01-02T15:04:05.000Z"
			record := map[string]any{
				"ExecutionArn": *e.ExecutionArn, "Name": *e.Name, "StateMachineArn": *e.StateMachineArn, "Status": string(e.Status),
				"Input": input, "InputDetails": map[string]any{"Included": true}, "RedriveCount": 0.0,
				"StartDate": e.StartDate.UTC().Format(layout), "StopDate": e.StopDate.UTC().Format(layout),
			}
			maps.Copy(record, more)
			return record
		}
		failed := map[string]any{"Error": "E", "Cause": "c", "RedriveStatus": "REDRIVABLE_BY_MAP_RUN"}
		pending := func(input string) map[string]any {
			return map[string]any{
				"StateMachineArn": *list.Executions[0].StateMachineArn, "Status": "PENDING",
				"Input": input, "InputDetails": map[string]any{"Included": true},
			}
		}
		for name, want := range map[string][]map[string]any{
			"SUCCEEDED_0.json": {record(0, `{"n":1}`, map[string]any{
				"Output": `[true,"x"]`, "OutputDetails": map[string]any{"Included": true},
				"RedriveStatus": "NOT_REDRIVABLE", "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
			})},
			"FAILED_0.json":  {record(1, `{"n":2}`, failed), record(2, `{"n":3}`, failed)},
			"PENDING_0.json": {pending(`{"n":4}`), pending(`{"n":5}`)},
		} {
			if diff := cmp.Diff(want, records(w.t, files[name])); diff != "" {
				w.t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// TestResultFormats: what succeeded is as asked for; what failed is always a
// record.
func TestResultFormats(t *testing.T) {
	tests := map[string]struct{ config, name, succeeded string }{
		"compact":          {`"Transformation":"COMPACT"`, "SUCCEEDED_0.json", `[[1,2],"<3>",[]]`},
		"flat":             {`"Transformation":"FLATTEN","OutputType":"JSON"`, "SUCCEEDED_0.json", `[1,2,"<3>"]`},
		"compact in lines": {`"Transformation":"COMPACT","OutputType":"JSONL"`, "SUCCEEDED_0.jsonl", "[1,2]\n\"<3>\"\n[]\n"},
		"flat in lines":    {`"Transformation":"FLATTEN","OutputType":"JSONL"`, "SUCCEEDED_0.jsonl", "1\n2\n\"<3>\"\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, sandbox.Options{}, func(w *world) {
				out := w.finish(spread("EXPRESS", `"ToleratedFailurePercentage":50,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"bucket"},"WriterConfig":{`+tt.config+`}},`, picky), `[[1,2],false,"<3>",[]]`)
				arn := *w.mapRun(*out.ExecutionArn).MapRunArn
				id := arn[strings.LastIndexByte(arn, ':')+1:]
				if got, want := outcome(out), `SUCCEEDED {"MapRunArn":"`+arn+`","ResultWriterDetails":{"Bucket":"bucket","Key":"`+id+`/manifest.json"}}`; got != want {
					w.t.Errorf("got  %s\nwant %s", got, want)
				}
				files := w.written("bucket/" + id + "/")
				if got := files[tt.name]; got != tt.succeeded {
					w.t.Errorf("wrote %q", got)
				}
				failed := files[strings.Replace(tt.name, "SUCCEEDED", "FAILED", 1)]
				if strings.HasSuffix(tt.name, "l") {
					failed = "[" + failed + "]"
				}
				if list := records(w.t, failed); len(list) != 1 || list[0]["Status"] != "FAILED" || list[0]["Input"] != "false" {
					w.t.Errorf("failed are %s", failed)
				}
				contains(w.t, files["manifest.json"], `"PENDING":[]`)
			})
		})
	}
}
