package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"poolferry/infra"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/seeding"
	"poolferry/internal/workflow"
	"poolferry/lambdas"
	"poolferry/statemachines"
)

// statesRole is the role of the preseed state machine.
const statesRole = "poolferry-preseed"

// addMachines deploys the state machines: the very files, with their role and
// with logging of failures, without which nothing is seen of an EXPRESS
// execution.
func (w *World) addMachines(ctx context.Context) error {
	name := workflow.Name(runID, statemachines.Preseed)
	trust, err := infra.Render(infra.StatesTrust, nil)
	if err != nil {
		return err
	}
	policy, err := infra.Render(infra.Preseed, map[string]string{
		"plan_seeding_function_arn": w.functionARN(planSeeding), "seed_batch_function_arn": w.functionARN(seedBatch),
		"close_seeding_function_arn": w.functionARN(closeSeeding),
		"state_machine_arn":          fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", w.Target.Region, w.Target.Account, name),
	})
	if err != nil {
		return err
	}
	role, err := w.Sandbox.IAM.AddRole(w.Target.Account, statesRole, trust, policy)
	if err != nil {
		return err
	}
	definition, err := statemachines.Render(statemachines.Preseed, map[string]string{
		"plan_seeding_function": w.functionARN(planSeeding), "seed_batch_function": w.functionARN(seedBatch),
		"close_seeding_function": w.functionARN(closeSeeding),
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"name": name, "type": "EXPRESS", "roleArn": role, "definition": string(definition),
		"loggingConfiguration": map[string]any{"level": "ERROR", "includeExecutionData": false, "destinations": []any{
			map[string]any{"cloudWatchLogsLogGroup": map[string]string{
				"logGroupArn": fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/vendedlogs/states/%s:*", w.Target.Region, w.Target.Account, name),
			}},
		}},
	})
	if err != nil {
		return err
	}
	_, err = w.States.Serve(ctx, &wire.Call{
		Operation: "CreateStateMachine", Account: w.Target.Account, Region: w.Target.Region, RequestID: wire.NewID(),
		Header: http.Header{}, Body: body, Authorize: func(string, string) error { return nil }, // as whoever deploys
	})
	return err
}

// Seeding is the run's seeding as the operator sees it.
func (w *World) Seeding(ctx context.Context) (*seeding.Seeding, error) {
	return lambdas.NewSeeding(ctx, w.Config, lambdas.Environment{Lookup: w.env(w.Target.Operator), Now: w.options.Now}, nil)
}

// Workflows are the run's state machines as the operator starts them.
func (w *World) Workflows(ctx context.Context) (*workflow.Workflows, error) {
	return workflow.New(ctx, w.Target.Region, runID, w.env(w.Target.Operator))
}
