package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/tail"
	"poolferry/internal/workflow"
	"poolferry/statemachines"
	"poolferry/tools/standing"
	"poolferry/tools/stragglers"
)

// importing is what tail start did, as JSON.
type importing struct {
	Version   int              `json:"version"`
	Run       string           `json:"run"`
	ID        string           `json:"id"`
	Execution string           `json:"execution,omitempty"` // ARN
	Done      bool             `json:"done,omitempty"`      // nothing was started: there is nobody to import
	Plan      *stragglers.View `json:"plan,omitempty"`
}

func newTailStart(io streams) *cobra.Command {
	var (
		file    string
		chosen  choice
		confirm confirmation
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "start [ID]",
		Short: "Import who is chosen, and exclude who is chosen",
		Long: `Plan, show the plan, ask, and begin: reasons are excluded from the next
reconciliation on, and a state machine imports, file by file. The command ends
when that has begun; printed is the id of the import.

With an ID the import of that id goes on where it was: after a failure or a
crash, or when its execution was stopped. Nobody is imported twice.` + exitStatus(map[int]string{
			ExitDone:      "the import has begun, or nobody is to be imported",
			ExitFailed:    "failed, or not confirmed: nothing was started",
			ExitNoRun:     "no whole reconciliation yet, or no import of this id",
			ExitLeaseHeld: "another import, or a reconciliation, is at work: nothing was started",
		}, ExitDone, ExitFailed, ExitNoRun, ExitLeaseHeld),
		Example: `  poolferry tail start --import not_signed_in,reset_required --exclude unconfirmed
  id=$(poolferry tail start --import all --yes); poolferry tail watch "$id"
  poolferry tail start tail-20261121T060000Z-4f1c`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneTail(cmd, args)
			if err != nil {
				return err
			}
			c, err := chosen.read(cmd)
			if err != nil {
				return err
			}
			some := len(c.Import)+len(c.Exclude)+len(c.Wait) > 0
			switch {
			case id != "" && some:
				return seeHelp(cmd, "an import that goes on has its plan: choose nothing beside its id")
			case id == "" && !some:
				return seeHelp(cmd, "nothing is chosen, so everybody waits: choose with --import and --exclude")
			}
			if err := confirm.possible(cmd, io); err != nil {
				return err
			}
			r, err := loadTail(cmd.Context(), file)
			if err != nil {
				return err
			}
			out, err := r.start(cmd.Context(), io, id, c, &confirm)
			switch {
			case err != nil:
				return err
			case asJSON:
				return writeJSON(io.out, out)
			}
			_, err = fmt.Fprintln(io.out, out.ID)
			return err
		},
	}
	configFlag(cmd, &file)
	chosen.add(cmd)
	confirm.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// start shows, asks and begins.
func (r imported) start(ctx context.Context, io streams, id string, c tail.Choice, confirm *confirmation) (importing, error) {
	if err := r.free(ctx, id); err != nil {
		return importing{}, err
	}
	if id != "" {
		return r.goOn(ctx, io, id, confirm)
	}
	talk := newTalk(io.err)
	p, err := r.plan(ctx, io, c)
	if err != nil {
		return importing{}, err
	}
	if p.Rows > 0 && r.Config.Tail.ImportLogRoleARN == "" {
		return importing{}, &adviceError{
			fmt.Errorf("%s has no tail.import_log_role_arn: Cognito starts no import job without a role for its log", r.file),
			"Add the role that infra/ creates for it.",
		}
	}
	view := stragglers.ViewOf(p, time.Now())
	if err := view.WriteText(io.err); err != nil {
		return importing{}, err
	}
	question := "Begin?"
	if p.Rows > 0 {
		question = "Their passwords do not come along. Import them?"
	}
	if err := confirm.ask(ctx, io, question); err != nil {
		return importing{}, err
	}
	id = document.NewID("tail", time.Now())
	if p, err = r.Create(ctx, id, p); err != nil {
		return importing{}, err
	}
	out := importing{Version: 1, Run: r.Run, ID: p.ID, Plan: &view, Done: p.Rows == 0}
	if out.Done {
		talk.Say("Nobody is to be imported. Who is excluded is from the next reconciliation on.")
		return out, nil
	}
	out.Execution, err = r.execute(ctx, id, id)
	if err == nil {
		talk.Say("The import has begun. Watch it with %s.", r.command("tail watch "+id))
	}
	return out, err
}

// goOn takes up an import that has a plan.
func (r imported) goOn(ctx context.Context, io streams, id string, confirm *confirmation) (importing, error) {
	s, err := r.Status(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return importing{}, r.noTail(id)
	}
	if err != nil {
		return importing{}, err
	}
	now := time.Now()
	p := stragglers.ProgressOf(s, now)
	if err := p.WriteText(io.err, now); err != nil {
		return importing{}, err
	}
	out := importing{Version: 1, Run: r.Run, ID: id}
	if p.Standing == stragglers.Done || p.Planned == 0 {
		newTalk(io.err).Say("Everybody has an outcome: nothing was started.")
		out.Done = true
		return out, nil
	}
	if err := confirm.ask(ctx, io, "Go on with it?"); err != nil {
		return importing{}, err
	}
	// The name of an execution that has ended is not given again for ninety days.
	out.Execution, err = r.execute(ctx, id, document.NewID(id, time.Now()))
	if err == nil {
		newTalk(io.err).Say("The import goes on. Watch it with %s.", r.command("tail watch "+id))
	}
	return out, err
}

// free is an error where somebody is at work whom an import would not wait for.
func (r imported) free(ctx context.Context, id string) error {
	now := time.Now()
	known, err := r.reconciled.Status(ctx)
	if err != nil {
		return err
	}
	if other := standing.RunningOf(known.Lease, now); other != nil && !other.Expired {
		return r.held(*other)
	}
	lease, held, err := r.Lease(ctx)
	if err != nil || !held {
		return err
	}
	text := fmt.Errorf("import %s of run %s is at work since %s and holds the lease until %s, unless it renews it",
		lease.ID, r.Run, lease.Taken.Format(time.RFC3339), lease.Until.Format(time.RFC3339))
	if lease.ID == id {
		running, err := r.alive(ctx, lease.Execution)
		if err != nil || !running {
			return err // it was killed, and its lease is its own
		}
	}
	return &exitError{code: ExitLeaseHeld, cause: &adviceError{text, fmt.Sprintf("See how it goes with %s.", r.command("tail status "+lease.ID))}}
}

// alive reports whether an execution is at work. Of one that Step Functions does
// not know, or does not tell this operator of, the lease has to be believed.
func (r imported) alive(ctx context.Context, execution string) (bool, error) {
	workflows, err := workflow.New(ctx, r.Target.Region, r.Run, os.LookupEnv)
	if err != nil {
		return false, err
	}
	e, err := workflows.Describe(ctx, execution)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Denied, fault.Invalid:
		return true, nil
	}
	return err == nil && !e.Status.Ended(), err
}

func (r imported) execute(ctx context.Context, id, name string) (string, error) {
	workflows, err := workflow.New(ctx, r.Target.Region, r.Run, os.LookupEnv)
	if err != nil {
		return "", err
	}
	execution, err := workflows.Begin(ctx, statemachines.Tail, name, map[string]string{"run": r.Run, "id": id})
	if fault.KindOf(err) == fault.NotFound {
		err = r.notDeployed(err, statemachines.Tail)
	}
	return execution, err
}
