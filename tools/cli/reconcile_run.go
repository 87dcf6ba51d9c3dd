package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/workflow"
	"poolferry/statemachines"
	"poolferry/tools/staging"
	"poolferry/tools/standing"
	"poolferry/tools/standing/screen"
)

func newReconcileRun(io streams) *cobra.Command {
	var (
		file     string
		wait     bool
		interval time.Duration
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Compare once, now, and show what was found",
		Long: `Start a reconciliation and follow it to its end: what it does is told stage by
stage, then what it has found is shown. It lists the target pool, at the pace of
the configuration, and writes its results into the bucket; nothing is written to
a pool. A manifest that has grown old is staged anew beside it.

Ctrl-C ends the following; the reconciliation goes on without it. With
--wait=false the command ends when it has begun, and prints its id.` + exitStatus(map[int]string{
			ExitDone:        "whole, and nothing critical was found; with --wait=false, begun",
			ExitFailed:      "failed",
			ExitFindings:    "something critical was found, or it is partial",
			ExitLeaseHeld:   "another reconciliation of the run is at work: nothing was compared",
			ExitInterrupted: "interrupted; the reconciliation goes on",
		}, ExitDone, ExitFailed, ExitFindings, ExitLeaseHeld),
		Example: `  poolferry reconcile run
  poolferry reconcile run --json | jq .reconciliation.percent
  id=$(poolferry reconcile run --wait=false); poolferry reconcile status "$id"`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkInterval(cmd, interval); err != nil {
				return err
			}
			r, err := loadReconciled(cmd.Context(), file)
			if err != nil {
				return err
			}
			b, err := r.begin(cmd.Context(), io)
			if err != nil {
				return err
			}
			if wait {
				return b.follow(cmd.Context(), io, interval, asJSON)
			}
			newTalk(io.err).Say("The reconciliation has begun. See how it goes with %s.", r.command("reconcile status "+b.id))
			if asJSON {
				return writeJSON(io.out, standing.Look{Version: 1, Run: r.Run, ID: b.id, Execution: b.execution})
			}
			_, err = fmt.Fprintln(io.out, b.id)
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&wait, "wait", true, "follow the reconciliation to its end")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "`TIME` between two looks")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// begun is a reconciliation that this command has started.
type begun struct {
	reconciled
	workflows *workflow.Workflows
	id        string
	execution string // ARN
}

// begin says what is going to happen, and starts.
func (r reconciled) begin(ctx context.Context, io streams) (begun, error) {
	known, err := r.Status(ctx)
	if err != nil {
		return begun{}, err
	}
	if other := standing.RunningOf(known.Lease, time.Now()); other != nil && !other.Expired {
		return begun{}, r.held(*other)
	}
	talk := newTalk(io.err)
	talk.Say("Reconciliation of run %s", r.Run)
	talk.Say("  %-12s target pool %s in %s, at most %g requests/s to list users", "reads", r.Target.PoolID, r.Target.Region, r.Pace.UserList)
	talk.Say("  %-12s the manifest, runs/%s in bucket %s", "compares to", r.Run, r.Staging.Bucket)
	talk.Say("  %-12s its results, into that bucket: nothing is written to a pool", "writes")
	b := begun{reconciled: r, id: document.NewID("reconcile", time.Now())}
	if b.workflows, err = workflow.New(ctx, r.Target.Region, r.Run, os.LookupEnv); err != nil {
		return b, err
	}
	b.execution, err = b.workflows.Begin(ctx, statemachines.Reconcile, b.id, map[string]string{"run": r.Run})
	if fault.KindOf(err) == fault.NotFound {
		err = r.notDeployed(err, statemachines.Reconcile)
	}
	return b, err
}

// notDeployed is the advice where a state machine is not there.
func (r run) notDeployed(err error, definition string) error {
	return &adviceError{err, fmt.Sprintf("The state machine %s is not deployed in %s: apply infra/ for run %s first.",
		workflow.Name(r.Run, definition), r.Target.Region, r.Run)}
}

// held is the end where another reconciliation is at work.
func (r run) held(other standing.Running) error {
	return &exitError{code: ExitLeaseHeld, cause: &adviceError{
		fmt.Errorf("reconciliation %s of run %s is at work since %s and holds the lease until %s, unless it renews it",
			other.ID, r.Run, other.Since.Format(time.RFC3339), other.Until.Format(time.RFC3339)),
		fmt.Sprintf("See how it goes with %s.", r.command("reconcile status "+other.ID)),
	}}
}

// follow tells how the reconciliation goes, and then what it has found.
func (b begun) follow(ctx context.Context, io streams, interval time.Duration, asJSON bool) error {
	talk := newTalk(io.err)
	trail := standing.Trail{
		ID: b.id, Scans: b.bucket, Screen: newScreen(io),
		MapRun: func(ctx context.Context) (workflow.MapRun, error) { return b.workflows.LatestMapRun(ctx, b.execution) },
	}
	talk.Say("Reconciliation %s has begun.", b.id)
	ended, err := b.workflows.Follow(ctx, b.execution, interval, func(_ workflow.Execution, arrivals []workflow.Arrival) error {
		return trail.See(ctx, arrivals)
	})
	if err != nil && errors.Is(err, ctx.Err()) {
		talk.Say("poolferry: interrupted. The reconciliation goes on without this command; %s looks at it again.", b.command("reconcile status "+b.id))
		return &exitError{code: ExitInterrupted}
	}
	if err != nil {
		return &adviceError{err, fmt.Sprintf("The reconciliation goes on; look at it with %s.", b.command("reconcile status "+b.id))}
	}
	if ended.Status == workflow.Succeeded {
		other, err := standing.HeldBy(ended.Output)
		if err != nil {
			return err
		}
		if other != nil {
			return b.held(*other)
		}
	}
	talk.Say("It has ended after %s.", staging.Span(ended.Ended.Sub(ended.Started)))
	look := standing.Look{Version: 1, Run: b.Run, ID: b.id, Execution: b.execution}
	summary, err := b.Summary(ctx, b.id)
	switch {
	case err == nil:
		look.Outcome = standing.OutcomeOf(summary)
		if asJSON {
			err = writeJSON(io.out, look)
		} else {
			err = look.WriteText(io.out, time.Now())
		}
		if err != nil {
			return err
		}
	case ended.Status == workflow.Succeeded || fault.KindOf(err) != fault.NotFound:
		return err
	}
	if ended.Status != workflow.Succeeded {
		return b.failed(ended)
	}
	return outcomeError(*look.Outcome)
}

// failed is the end where the execution has not succeeded.
func (b begun) failed(ended workflow.Execution) error {
	text := fmt.Sprintf("the execution of reconciliation %s has ended as %s", b.id, ended.Status)
	for _, more := range []string{ended.Error, ended.Cause} {
		if more != "" {
			text += ": " + more
		}
	}
	return &adviceError{errors.New(text), fmt.Sprintf("When the cause is gone, begin another with %s.", b.command("reconcile run"))}
}

// newScreen is where frames are shown: over each other on a terminal.
func newScreen(io streams) standing.Screen {
	if isTerminal(io.err) {
		return screen.NewLive(io.err)
	}
	return screen.NewLines(io.err, time.Now)
}
