package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"poolferry/infra"
	"poolferry/internal/reconcile"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/seeding"
	"poolferry/internal/tail"
	"poolferry/internal/workflow"
	"poolferry/lambdas"
	"poolferry/statemachines"
)

// machine is a state machine as infra deploys it.
type machine struct {
	definition string // in package statemachines
	kind       string // EXPRESS or STANDARD
	policy     string // of its role, in package infra
	functions  []string
	values     map[string]string // beside the functions: of the definition
	resources  map[string]string // beside the functions: of the policy
}

// machines are all state machines.
func (w *World) machines() []machine {
	return []machine{
		{
			definition: statemachines.Preseed, kind: "EXPRESS", policy: infra.Preseed,
			functions: []string{planSeeding, seedBatch, closeSeeding},
			resources: map[string]string{"state_machine_arn": w.machineARN(statemachines.Preseed)},
		},
		{
			definition: statemachines.Reconcile, kind: "STANDARD", policy: infra.Reconcile,
			functions: []string{openReconciliation, indexManifest, scanTarget, matchNames, compareBucket, closeReconciliation, settleUsers},
			values: map[string]string{
				"preseed_state_machine": w.machineARN(statemachines.Preseed), "staging_bucket": stagingBucket,
				"topic": w.topicARN(), "schedule_name": scheduleName,
			},
			resources: map[string]string{
				"state_machine_arn":         w.machineARN(statemachines.Reconcile),
				"execution_arn":             strings.Replace(w.machineARN(statemachines.Reconcile), ":stateMachine:", ":execution:", 1),
				"preseed_state_machine_arn": w.machineARN(statemachines.Preseed), "staging_bucket_arn": bucketARN, "run": runID,
				"topic_arn": w.topicARN(), "schedule_arn": w.scheduleARN(), "schedule_role_arn": roleARN(w.Target.Account, scheduleRole),
			},
		},
		{
			definition: statemachines.Tail, kind: "STANDARD", policy: infra.Tail,
			functions: []string{openTail, writeTail, importTail, closeTail},
			values:    map[string]string{"topic": w.topicARN()}, resources: map[string]string{"topic_arn": w.topicARN()},
		},
	}
}

// addMachines deploys the state machines: the very files, each with its role and
// with logging of failures, without which nothing is seen of an EXPRESS
// execution.
func (w *World) addMachines(ctx context.Context) error {
	for _, m := range w.machines() {
		if err := w.addMachine(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) addMachine(ctx context.Context, m machine) error {
	name := workflow.Name(runID, m.definition)
	values, resources := map[string]string{}, map[string]string{}
	for _, f := range m.functions {
		placeholder := strings.ReplaceAll(f, "-", "_") + "_function"
		values[placeholder], resources[placeholder+"_arn"] = w.functionARN(f), w.functionARN(f)
	}
	maps.Copy(values, m.values)
	maps.Copy(resources, m.resources)
	role, err := w.addRole(role{w.Target.Account, "poolferry-" + m.definition, policy{infra.StatesTrust, w.ownAccount()}, []policy{{m.policy, resources}}})
	if err != nil {
		return err
	}
	definition, err := statemachines.Render(m.definition, values)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"name": name, "type": m.kind, "roleArn": role, "definition": string(definition),
		"loggingConfiguration": map[string]any{"level": "ERROR", "includeExecutionData": false, "destinations": []any{
			map[string]any{"cloudWatchLogsLogGroup": map[string]string{
				"logGroupArn": fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/vendedlogs/states/%s:*", w.Target.Region, w.Target.Account, name),
			}},
		}},
	})
	if err != nil {
		return err
	}
	return w.deploy(ctx, w.States, "CreateStateMachine", "/", body)
}

// deploy makes a call as whoever deploys, who may do everything.
func (w *World) deploy(ctx context.Context, service wire.Service, operation, path string, body []byte) error {
	_, err := service.Serve(ctx, &wire.Call{
		Operation: operation, Account: w.Target.Account, Region: w.Target.Region, RequestID: wire.NewID(),
		Header: http.Header{}, Path: path, Body: body, Authorize: func(string, string) error { return nil },
	})
	return err
}

func (w *World) machineARN(definition string) string {
	return fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", w.Target.Region, w.Target.Account, workflow.Name(runID, definition))
}

// Seeding is the run's seeding as the operator sees it.
func (w *World) Seeding(ctx context.Context) (*seeding.Seeding, error) {
	return lambdas.NewSeeding(ctx, w.Config, lambdas.Environment{Lookup: w.env(w.Target.Operator), Now: w.options.Now}, nil)
}

// Reconciliation is the run's reconciliation as the operator sees it.
func (w *World) Reconciliation(ctx context.Context) (*reconcile.Reconciliation, error) {
	return lambdas.NewReconciliation(ctx, w.Config, lambdas.Environment{Lookup: w.env(w.Target.Operator), Now: w.options.Now}, nil)
}

// Tail is the run's imports of the tail as the operator sees them.
func (w *World) Tail(ctx context.Context) (*tail.Tail, error) {
	return lambdas.NewTail(ctx, w.Config, lambdas.Environment{Lookup: w.env(w.Target.Operator), Now: w.options.Now}, nil)
}

// Workflows are the run's state machines as the operator starts them.
func (w *World) Workflows(ctx context.Context) (*workflow.Workflows, error) {
	return workflow.New(ctx, w.Target.Region, runID, w.env(w.Target.Operator))
}
