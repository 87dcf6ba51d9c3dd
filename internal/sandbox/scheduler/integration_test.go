package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/states/data"
)

// task runs a state machine of one Task and returns its output, or its error
// and cause.
func (w *world) task(resource, parameters string) (output, name, cause string) {
	w.t.Helper()
	return w.run(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:scheduler:` + resource + `","Parameters":` + parameters + `,"End":true}}}`)
}

func (w *world) run(definition string) (output, name, cause string) {
	w.t.Helper()
	w.machine("task", definition)
	started, err := w.machines.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(machineARN + "task")})
	w.must(err)
	w.must(w.states.Wait(w.t.Context()))
	out, err := w.machines.DescribeExecution(w.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
	w.must(err)
	_, err = w.machines.DeleteStateMachine(w.t.Context(), &sfn.DeleteStateMachineInput{StateMachineArn: aws.String(machineARN + "task")})
	w.must(err)
	return aws.ToString(out.Output), aws.ToString(out.Error), aws.ToString(out.Cause)
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	v, err := data.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(data.Encode(v))
}

func TestGetTask(t *testing.T) {
	bubble(t, func(w *world) {
		w.create(w.full())
		w.create(w.input("least", "rate(1 day)"))
		for name, want := range map[string]string{
			"full": `{"ActionAfterCompletion":"DELETE","Arn":"` + scheduleARN + `full","CreationDate":"2000-01-01T00:00:00.000Z","Description":"every night","EndDate":"2000-01-05T00:00:00.000Z",
				"FlexibleTimeWindow":{"MaximumWindowInMinutes":30,"Mode":"FLEXIBLE"},"GroupName":"default","LastModificationDate":"2000-01-01T00:00:00.000Z","Name":"full",
				"ScheduleExpression":"cron(0 3 * * ? *)","ScheduleExpressionTimezone":"Europe/Berlin","StartDate":"2000-01-03T00:00:00.250Z","State":"DISABLED",
				"Target":{"Arn":"` + machineARN + `work","DeadLetterConfig":{"Arn":"` + queue + `"},"Input":"{\"at\":\"<aws.scheduler.scheduled-time>\"}","RetryPolicy":{"MaximumEventAgeInSeconds":3600,"MaximumRetryAttempts":0},"RoleArn":"` + w.role + `"}}`,
			"least": `{"ActionAfterCompletion":"NONE","Arn":"` + scheduleARN + `least","CreationDate":"2000-01-01T00:00:00.000Z",
				"FlexibleTimeWindow":{"Mode":"OFF"},"GroupName":"default","LastModificationDate":"2000-01-01T00:00:00.000Z","Name":"least",
				"ScheduleExpression":"rate(1 day)","ScheduleExpressionTimezone":"UTC","State":"ENABLED",
				"Target":{"Arn":"` + machineARN + `work","Input":"{\"at\":\"<aws.scheduler.scheduled-time>\"}","RetryPolicy":{"MaximumEventAgeInSeconds":86400,"MaximumRetryAttempts":185},"RoleArn":"` + w.role + `"}}`,
		} {
			output, failed, cause := w.task("getSchedule", `{"Name":"`+name+`"}`)
			if failed != "" {
				w.t.Fatalf("%s: %s", failed, cause)
			}
			if diff := cmp.Diff(canonical(w.t, want), canonical(w.t, output)); diff != "" {
				w.t.Error(diff)
			}
		}
	})
}

// What getSchedule returns can be given to updateSchedule with one member
// changed, without those that only describe the schedule.
func TestDisableFromAStateMachine(t *testing.T) {
	const begin = `{"StartAt":"Read","States":{
		"Read":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:scheduler:getSchedule","Parameters":{"Name":"s"},"ResultPath":"$.found","Next":"Defaults"},
		"Defaults":{"Type":"Pass","Result":{"Description":"","StartDate":null,"EndDate":null},"ResultPath":"$.defaults","Next":"Merge"},
		"Merge":{"Type":"Pass","Parameters":{"s.$":"States.JsonMerge($.defaults, $.found, false)"},"Next":"Write"},
		"Write":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:scheduler:updateSchedule","Parameters":{"State":"DISABLED"`
	for _, full := range []bool{true, false} {
		bubble(t, func(w *world) {
			in := w.input("s", "rate(1 day)")
			if full {
				in = w.full()
				in.Name, in.State = aws.String("s"), types.ScheduleStateEnabled
			}
			w.create(in)
			before := w.get("s")
			w.after(time.Minute)
			definition := begin
			for _, member := range []string{"Name", "GroupName", "Description", "StartDate", "EndDate", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "ActionAfterCompletion", "Target"} {
				definition += `,"` + member + `.$":"$.s.` + member + `"`
			}
			output, failed, cause := w.run(definition + `},"End":true}}}`)
			if output != `{"ScheduleArn":"`+scheduleARN+`s"}` {
				w.t.Fatalf("%s %s: %s", output, failed, cause)
			}
			before.State, before.LastModificationDate = types.ScheduleStateDisabled, aws.Time(w.begun.Add(time.Minute))
			if diff := cmp.Diff(before, w.get("s"), sameSchedule); diff != "" {
				w.t.Error(diff)
			}
		})
	}
}

func TestTasksFail(t *testing.T) {
	bubble(t, func(w *world) {
		w.create(w.input("s", "cron(0 9 * * ? *)"))
		update := func(name, expression, window, target string) string {
			return `{"Name":"` + name + `","ScheduleExpression":"` + expression + `","FlexibleTimeWindow":` + window + `,"Target":` + target + `}`
		}
		const off, cron = `{"Mode":"OFF"}`, "cron(0 9 * * ? *)"
		target := `{"Arn":"` + machineARN + `work","RoleArn":"` + w.role + `"}`
		other := `{"Arn":"` + machineARN + `work","RoleArn":"arn:aws:iam::` + account + `:role/machine"}`
		tests := map[string]struct{ resource, parameters, name, cause string }{
			"unknown":         {"getSchedule", `{"Name":"none"}`, "Scheduler.ResourceNotFoundException", "Schedule none does not exist. (Service: Scheduler, Status Code: 404, Request ID: "},
			"group":           {"getSchedule", `{"Name":"s","GroupName":"g"}`, "Scheduler.ResourceNotFoundException", "Schedule group g does not exist."},
			"name":            {"getSchedule", `{"Name":7}`, "States.Runtime", "'Name'"},
			"group's type":    {"getSchedule", `{"Name":"s","GroupName":7}`, "States.Runtime", "'GroupName'"},
			"update unknown":  {"updateSchedule", update("none", cron, off, target), "Scheduler.ResourceNotFoundException", "none"},
			"update name":     {"updateSchedule", strings.Replace(update("s", cron, off, target), `"s"`, `7`, 1), "States.Runtime", "'Name'"},
			"expression":      {"updateSchedule", update("s", "cron(0 9)", off, target), "Scheduler.ValidationException", "Invalid Schedule Expression"},
			"not passed on":   {"updateSchedule", update("s", cron, off, other), "Scheduler.SchedulerException", "iam:PassRole on resource: arn:aws:iam::" + account + ":role/machine"},
			"unknown below":   {"updateSchedule", update("s", cron, `{"Mode":"OFF","Minutes":1}`, target), "States.Runtime", "The field 'FlexibleTimeWindow.Minutes' is not supported by Step Functions"},
			"spelling":        {"updateSchedule", update("s", cron, `{"mode":"OFF"}`, target), "States.Runtime", "The field 'FlexibleTimeWindow.mode' is not supported by Step Functions"},
			"deep spelling":   {"updateSchedule", update("s", cron, off, strings.Replace(target, "{", `{"RetryPolicy":{"Attempts":1},`, 1)), "States.Runtime", "The field 'Target.RetryPolicy.Attempts'"},
			"type of a value": {"updateSchedule", update("s", cron, `"OFF"`, target), "States.Runtime", "type"},
			"date":            {"updateSchedule", strings.Replace(update("s", cron, off, target), "{", `{"StartDate":"tomorrow",`, 1), "States.Runtime", "'StartDate' must be a valid TIMESTAMP"},
			"date as number":  {"updateSchedule", strings.Replace(update("s", cron, off, target), "{", `{"EndDate":946684800,`, 1), "States.Runtime", "'EndDate' must be a valid TIMESTAMP"},
		}
		before := w.get("s")
		for name, tt := range tests {
			output, failed, cause := w.task(tt.resource, tt.parameters)
			if failed != tt.name || !strings.Contains(cause, tt.cause) {
				w.t.Errorf("%s: got %s%s: %s, want %s: %s", name, output, failed, cause, tt.name, tt.cause)
			}
		}
		if diff := cmp.Diff(before, w.get("s"), sameSchedule); diff != "" {
			w.t.Error(diff)
		}
		_, err := w.machines.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{
			Name: aws.String("m"), RoleArn: aws.String("arn:aws:iam::" + account + ":role/machine"),
			Definition: aws.String(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:scheduler:updateSchedule","Parameters":{"Arn":"x",` + update("s", cron, off, target)[1:] + `,"End":true}}}`),
		})
		refused(w.t, err, "SandboxUnsupported", "parameter Arn of aws-sdk:scheduler:updateSchedule")
	})
}

// A schedule starts a state machine, which turns the schedule off.
func TestScheduleThatEndsItself(t *testing.T) {
	bubble(t, func(w *world) {
		in := w.input("s", "rate(1 hour)")
		_, err := w.machines.DeleteStateMachine(w.t.Context(), &sfn.DeleteStateMachineInput{StateMachineArn: in.Target.Arn})
		w.must(err)
		w.machine("work", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:scheduler:updateSchedule","Parameters":{
			"Name":"s","ScheduleExpression":"rate(1 hour)","FlexibleTimeWindow":{"Mode":"OFF"},"Target":{"Arn":"`+*in.Target.Arn+`","RoleArn":"`+w.role+`"},"State":"DISABLED"},"End":true}}}`)
		in.StartDate = aws.Time(w.begun.Add(time.Hour))
		w.create(in)
		w.after(24 * time.Hour)
		if diff := cmp.Diff([]string{"1h0m0s"}, w.started()); diff != "" {
			w.t.Error(diff)
		}
		if got := w.get("s"); got.State != types.ScheduleStateDisabled || got.StartDate != nil || got.Target.Input != nil {
			w.t.Errorf("%+v", got)
		}
		_, err = w.client.DeleteSchedule(w.t.Context(), &sdk.DeleteScheduleInput{Name: in.Name})
		w.must(err)
	})
}
