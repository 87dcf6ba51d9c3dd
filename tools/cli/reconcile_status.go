package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/workflow"
	"poolferry/tools/standing"
)

func newReconcileStatus(io streams) *cobra.Command {
	var (
		file   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "status [ID]",
		Short: "Tell what a reconciliation has found, or where it is",
		Long: `Tell what the latest reconciliation has found, or that of an id: users by verdict
and reason, findings by kind, what was read and how long each stage took, and why
it is partial where it is. One that is still at work is shown too, with its
stage. poolferry status is about the migration as a whole.` + exitStatus(map[int]string{
			ExitDone:     "whole, and nothing critical was found",
			ExitFailed:   "failed, as the reconciliation has, or this command",
			ExitFindings: "something critical was found, or it is partial",
			ExitRunning:  "it, or with no id another one, is at work",
			ExitNoRun:    "no reconciliation yet, or none of this id",
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitNoRun),
		Example: `  poolferry reconcile status
  poolferry reconcile status reconcile-20261121T130500Z-4f1c --json | jq .reconciliation.reasons.pending`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneID(cmd, args)
			if err != nil {
				return err
			}
			r, err := loadReconciled(cmd.Context(), file)
			if err != nil {
				return err
			}
			look, err := r.look(cmd.Context(), id)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(io.out, look)
			} else {
				err = look.WriteText(io.out, time.Now())
			}
			switch {
			case err != nil:
				return err
			case look.Running != nil && !look.Running.Expired:
				return &exitError{code: ExitRunning}
			case look.Outcome == nil: // it has ended without a word
				newTalk(io.err).Say("It was killed. The next one takes its lease over: %s.", r.command("reconcile run"))
				return &exitError{code: ExitFailed}
			}
			return outcomeError(*look.Outcome)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// look finds the reconciliation of an id; without one, that which is at work and
// the last that has ended.
func (r reconciled) look(ctx context.Context, id string) (standing.Look, error) {
	look := standing.Look{Version: 1, Run: r.Run, ID: id}
	known, err := r.Status(ctx)
	if err != nil {
		return look, err
	}
	running := standing.RunningOf(known.Lease, time.Now())
	if running != nil && (id == "" || id == running.ID) {
		if err := r.ask(ctx, running); err != nil {
			return look, err
		}
		look.Running, look.ID = running, running.ID
	}
	last := id
	if id == "" && known.Last != nil {
		last = known.Last.ID
	}
	if last == "" {
		if look.Running == nil {
			return look, r.never("")
		}
		return look, nil
	}
	s, err := r.Summary(ctx, last)
	switch {
	case err == nil:
		look.Outcome = standing.OutcomeOf(s)
		if look.Running == nil {
			look.ID = s.ID
		}
		return look, nil
	case fault.KindOf(err) != fault.NotFound:
		return look, err
	case look.Running == nil:
		return look, r.never(last)
	}
	return look, nil
}

// ask finds out what the execution of a reconciliation is doing. That Step
// Functions does not know, or does not tell this operator, is no error: the
// bucket has said what counts.
func (r reconciled) ask(ctx context.Context, running *standing.Running) error {
	workflows, err := workflow.New(ctx, r.Target.Region, r.Run, os.LookupEnv)
	if err != nil {
		return err
	}
	execution, err := workflows.Describe(ctx, running.Execution)
	if err == nil && execution.Status.Ended() {
		running.Ended = string(execution.Status)
		return nil
	}
	var arrivals []workflow.Arrival
	if err == nil {
		arrivals, err = workflows.Arrivals(ctx, running.Execution, 0)
	}
	running.Stage = standing.StageOf(arrivals)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Denied, fault.Invalid:
		return nil
	default:
		return err
	}
}
