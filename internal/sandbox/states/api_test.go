package states_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
)

const wait = `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":60,"End":true}}}`

// refused checks the code of an error, and that the message has a text in it.
func refused(t *testing.T, err error, want, text string) {
	t.Helper()
	if name, message := code(t, err); name != want || !strings.Contains(message, text) {
		t.Errorf("got %s: %s, want %s: %s", name, message, want, text)
	}
}

func TestMachines(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		ctx := w.t.Context()
		arn := w.create("m", types.StateMachineTypeStandard, wait)
		if want := "arn:aws:states:" + region + ":" + account + ":stateMachine:m"; arn != want || w.create("m", types.StateMachineTypeStandard, wait) != want {
			w.t.Errorf("created %s", arn)
		}
		create := func(change func(*sfn.CreateStateMachineInput)) error {
			in := &sfn.CreateStateMachineInput{Name: aws.String("n"), Definition: aws.String(wait), RoleArn: &w.role}
			change(in)
			_, err := w.client.CreateStateMachine(ctx, in)
			return err
		}
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) { in.Name = aws.String("m") }), "StateMachineAlreadyExists", arn) // other logging
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) { in.Name = aws.String("a b") }), "InvalidName", "'a b'")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) { in.Type = "SOME" }), "ValidationException", "'SOME'")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) { in.RoleArn = aws.String("role") }), "InvalidArn", "role")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) {
			in.RoleArn = aws.String("arn:aws:iam::" + account + ":role/nobody")
		}), "AccessDeniedException", "authorized to assume")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) { in.Definition = aws.String("{}") }), "InvalidDefinition", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: ")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) {
			in.Definition = aws.String(`{"QueryLanguage":"JSONata",` + wait[1:])
		}), "SandboxUnsupported", "QueryLanguage JSONata at /QueryLanguage")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) { in.Tags = []types.Tag{{Key: aws.String("a")}} }), "SandboxUnsupported", "tags")
		refused(w.t, create(func(in *sfn.CreateStateMachineInput) {
			in.LoggingConfiguration = &types.LoggingConfiguration{Level: "LOUD"}
		}), "InvalidLoggingConfiguration", "LOUD")

		described, err := w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
		w.must(err)
		if *described.Definition != wait || described.Type != types.StateMachineTypeStandard || described.LoggingConfiguration.Level != types.LogLevelAll || *described.RoleArn != w.role {
			w.t.Errorf("described as %+v", described)
		}
		succeed := `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"v.$":"$x"},"End":true}}}`
		_, err = w.client.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn})
		refused(w.t, err, "MissingRequiredParameter", "")
		_, err = w.client.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: aws.String("{}")})
		refused(w.t, err, "InvalidDefinition", "")
		updated, err := w.client.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: &succeed, RoleArn: &w.role, LoggingConfiguration: &types.LoggingConfiguration{Level: types.LogLevelOff}})
		w.must(err)
		described, err = w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
		w.must(err)
		if *described.RevisionId != *updated.RevisionId || *described.Definition != succeed || !cmp.Equal(described.VariableReferences, map[string][]string{"A": {"x"}}) {
			w.t.Errorf("described as %+v", described)
		}
		w.create("k", types.StateMachineTypeExpress, wait)
		listed, err := w.client.ListStateMachines(ctx, &sfn.ListStateMachinesInput{MaxResults: 1})
		w.must(err)
		if len(listed.StateMachines) != 1 || *listed.StateMachines[0].Name != "k" || listed.NextToken == nil {
			w.t.Errorf("listed %+v", listed)
		}
		_, err = w.client.ListStateMachines(ctx, &sfn.ListStateMachinesInput{NextToken: aws.String("9")})
		refused(w.t, err, "InvalidToken", "9")
		for range 2 {
			_, err = w.client.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: &arn})
			w.must(err)
		}
		_, err = w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
		refused(w.t, err, "StateMachineDoesNotExist", arn)
		_, err = w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: aws.String("m")})
		refused(w.t, err, "InvalidArn", "m")
	})
}

func TestValidate(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		validate := func(definition string, kind types.StateMachineType, most int32) (*sfn.ValidateStateMachineDefinitionOutput, error) {
			return w.client.ValidateStateMachineDefinition(w.t.Context(), &sfn.ValidateStateMachineDefinitionInput{Definition: &definition, Type: kind, MaxResults: most})
		}
		out, err := validate(wait, "", 0)
		w.must(err)
		if out.Result != types.ValidateStateMachineDefinitionResultCodeOk || len(out.Diagnostics) != 0 {
			w.t.Errorf("%+v", out)
		}
		out, err = validate(`{"StartAt":"B","States":{"A":{"Type":"Pass","Next":"B"}}}`, types.StateMachineTypeExpress, 2)
		w.must(err)
		if out.Result != types.ValidateStateMachineDefinitionResultCodeFail || len(out.Diagnostics) != 2 || !aws.ToBool(out.Truncated) {
			w.t.Errorf("%+v", out)
		}
		if d := out.Diagnostics[1]; *d.Code != "MISSING_TRANSITION_TARGET" || *d.Location != "/States/A/Next" || d.Severity != types.ValidateStateMachineDefinitionSeverityError {
			w.t.Errorf("%+v", d)
		}
		_, err = validate(`{"QueryLanguage":"JSONata",`+wait[1:], "", 0)
		refused(w.t, err, "SandboxUnsupported", "JSONata")
	})
}

func TestStandardNamesAreIdempotent(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		machine := w.create("m", types.StateMachineTypeStandard, wait)
		start := func(name, input string) (string, error) {
			out, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Name: &name, Input: &input})
			if err != nil {
				return "", err
			}
			return *out.ExecutionArn, nil
		}
		first, err := start("e", `{"a":1}`)
		w.must(err)
		if again, err := start("e", `{"a":1}`); again != first || err != nil {
			w.t.Errorf("the same again is %s, %v", again, err)
		}
		_, err = start("e", `{"a":2}`)
		refused(w.t, err, "ExecutionAlreadyExists", first)
		w.must(w.states.Wait(w.t.Context()))
		_, err = start("e", `{"a":1}`)
		refused(w.t, err, "ExecutionAlreadyExists", first)
		_, err = start("a:b", `{}`)
		refused(w.t, err, "InvalidName", "a:b")
		_, err = start("f", `{a}`)
		refused(w.t, err, "InvalidExecutionInput", "Invalid State Machine Execution Input: 'Unexpected character ('a' (code 97))")
		_, err = start("g", `"`+strings.Repeat("a", 1<<18)+`"`)
		refused(w.t, err, "ValidationException", "262144")

		time.Sleep(time.Second)
		second, err := start("h", `{}`)
		w.must(err)
		listed, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine})
		w.must(err)
		var arns []string
		for _, e := range listed.Executions {
			arns = append(arns, *e.ExecutionArn+" "+string(e.Status))
		}
		if diff := cmp.Diff([]string{second + " RUNNING", first + " SUCCEEDED"}, arns); diff != "" {
			w.t.Error(diff)
		}
		running, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine, StatusFilter: types.ExecutionStatusRunning})
		w.must(err)
		if len(running.Executions) != 1 {
			w.t.Errorf("%d run", len(running.Executions))
		}
	})
}

func TestStop(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		ctx, machine := w.t.Context(), w.create("m", types.StateMachineTypeStandard, wait)
		started, err := w.client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &machine})
		w.must(err)
		arn := *started.ExecutionArn
		if got := w.describe(arn); got.Status != types.ExecutionStatusRunning || got.StopDate != nil {
			w.t.Errorf("described as %+v", got)
		}
		time.Sleep(time.Second)
		for range 2 {
			_, err = w.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &arn, Error: aws.String("Mine"), Cause: aws.String("enough")})
			w.must(err)
		}
		if got := outcome(w.describe(arn)); got != "ABORTED Mine enough" {
			w.t.Error(got)
		}
		if diff := cmp.Diff([]string{"ExecutionStarted", "WaitStateEntered A", "ExecutionAborted"}, w.events(arn)); diff != "" {
			w.t.Error(diff)
		}
		_, err = w.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: aws.String(arn + "x")})
		refused(w.t, err, "ExecutionDoesNotExist", arn)
		_, err = w.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: aws.String("x")})
		refused(w.t, err, "InvalidArn", "x")
	})
}

func TestCloseStopsExecutions(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		began, machine := time.Now(), w.create("m", types.StateMachineTypeStandard, wait)
		started, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine})
		w.must(err)
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		if err := w.states.Wait(ctx); err == nil {
			w.t.Error("nothing runs")
		}
		w.must(w.states.Close())
		if got := outcome(w.describe(*started.ExecutionArn)); got != "ABORTED" || time.Since(began) > 2*time.Second {
			w.t.Errorf("%s after %s", got, time.Since(began))
		}
		_, err = w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine})
		refused(w.t, err, "InternalFailure", "closing")
	})
}
