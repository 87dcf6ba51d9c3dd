package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"poolferry/infra"
	"poolferry/internal/sandbox/sns"
	"poolferry/statemachines"
)

// What the reconciliation has beside its state machine, as infra deploys it.
const (
	scheduleRole = "poolferry-schedule"
	scheduleName = "poolferry-" + runID + "-" + statemachines.Reconcile
	topicName    = "poolferry-" + runID
)

// seldom is a schedule for worlds that are to reconcile when they are told to:
// once a year.
const seldom = "cron(0 0 1 1 ? *)"

func (w *World) topicARN() string {
	return fmt.Sprintf("arn:aws:sns:%s:%s:%s", w.Target.Region, w.Target.Account, topicName)
}

func (w *World) scheduleARN() string {
	return fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/default/%s", w.Target.Region, w.Target.Account, scheduleName)
}

// addTopic makes the topic that the end of the migration is announced to.
func (w *World) addTopic() error {
	_, err := w.SNS.CreateTopic(w.Target.Account, w.Target.Region, topicName)
	return err
}

// addSchedule makes the schedule of the reconciliation and its role.
func (w *World) addSchedule(ctx context.Context) error {
	roleARN, err := w.addRole(role{
		w.Target.Account, scheduleRole, policy{infra.SchedulerTrust, w.ownAccount()},
		[]policy{{infra.ReconcileSchedule, map[string]string{"reconcile_state_machine_arn": w.machineARN(statemachines.Reconcile)}}},
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"ScheduleExpression": cmp.Or(w.options.Schedule, seldom), "FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "State": "ENABLED",
		"Target": map[string]any{
			"Arn": w.machineARN(statemachines.Reconcile), "RoleArn": roleARN, "Input": `{"run":"` + runID + `"}`,
		},
	})
	if err != nil {
		return err
	}
	return w.deploy(ctx, w.Scheduler, "CreateSchedule", "/schedules/"+scheduleName, body)
}

// FireSchedule starts a reconciliation as the schedule does when it is due.
func (w *World) FireSchedule(ctx context.Context) error {
	return w.Scheduler.Fire(ctx, w.scheduleARN())
}

// Announcements are the messages that were published to the run's topic.
func (w *World) Announcements() []sns.Message { return w.SNS.Messages(w.topicARN()) }
