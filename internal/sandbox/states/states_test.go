package states_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
)

// loop is a machine of the kind that the project deploys: a bounded Map of
// loops around a function, then a start of the machine itself.
const loop = `{
  "StartAt": "Plan",
  "States": {
    "Plan": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
      "Parameters": {"FunctionName": "plan", "Payload": {"run.$": "$.run", "generation.$": "$.generation"}},
      "OutputPath": "$.Payload", "Next": "Shards"},
    "Shards": {"Type": "Map", "ItemsPath": "$.shards", "MaxConcurrency": 2,
      "ItemSelector": {"shard.$": "$$.Map.Item.Value", "run.$": "$$.Execution.Input.run"},
      "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Batch", "States": {
        "Batch": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 30,
          "Parameters": {"FunctionName": "batch", "Payload.$": "$"}, "ResultSelector": {"more.$": "$.Payload.more"},
          "ResultPath": "$.batch", "Next": "More"},
        "More": {"Type": "Choice", "Choices": [{"Variable": "$.batch.more", "BooleanEquals": true, "Next": "Batch"}], "Default": "Done"},
        "Done": {"Type": "Succeed"}}},
      "ResultPath": "$.done", "Next": "Again"},
    "Again": {"Type": "Choice", "Choices": [{"Variable": "$.generation", "NumericLessThan": 3, "Next": "Continue"}], "Default": "End"},
    "Continue": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution",
      "Parameters": {"StateMachineArn.$": "$$.StateMachine.Id", "Input": {"run.$": "$$.Execution.Input.run", "generation.$": "States.MathAdd($.generation, 1)"}},
      "End": true},
    "End": {"Type": "Succeed"}
  }
}`

func TestChainOfExecutions(t *testing.T) {
	bubble(t, sandbox.Options{}, func(w *world) {
		calls := map[string]int{}
		w.function("plan", func(_ context.Context, in any) (any, error) {
			return map[string]any{"generation": in.(map[string]any)["generation"], "shards": []string{"a"}}, nil
		})
		w.function("batch", func(_ context.Context, in any) (any, error) {
			calls[in.(map[string]any)["run"].(string)]++
			return map[string]any{"more": calls["r"]%3 != 0}, nil
		})
		machine, input := w.create("seed", types.StateMachineTypeExpress, loop), `{"run":"r","generation":1}`
		_, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Input: &input})
		w.must(err)
		w.must(w.states.Wait(w.t.Context()))
		if diff := cmp.Diff(map[string]int{"r": 9}, calls); diff != "" {
			t.Errorf("%s\n%s", diff, w.logs)
		}
		if got := w.states.Counts().Executions; got != 3 {
			t.Errorf("%d executions, want 3", got)
		}
	})
}
