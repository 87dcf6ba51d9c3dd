package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/tools/changeover"
)

func newRollback(io streams) *cobra.Command {
	var (
		file    string
		keep    bool
		confirm confirmation
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Take the cut-over back: put the recorded settings in place again",
		Long: `Put the settings of the target pool and its app clients back that a cut-over has
changed, from what it has kept. Every field that is going to change is shown
first, and the target pool's id has to be typed. No user is touched: whoever has
moved, or has changed the password since, signs in as before.

Where others have changed a setting since the cut-over, nothing is done and the
fields are named; with --keep-changed theirs stay and all others go back. Killed or
interrupted anywhere, the same command goes on.` + exitStatus(map[int]string{
			ExitDone:      "rolled back",
			ExitFailed:    "failed, or not confirmed",
			ExitFindings:  "nothing was changed: others have changed settings since, or Terraform has to do it",
			ExitNoRun:     "the run was never cut over",
			ExitLeaseHeld: "another process has gone on with it",
		}, ExitDone, ExitFailed, ExitFindings, ExitNoRun, ExitLeaseHeld),
		Example: `  poolferry rollback
  poolferry rollback --keep-changed --yes --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := confirm.possible(cmd, io); err != nil {
				return err
			}
			r, c, err := loadCutover(cmd.Context(), io, file, true)
			if err != nil {
				return err
			}
			out, err := r.rollBack(cmd.Context(), io, c, keep, &confirm)
			return show(io, out, asJSON, err)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&keep, "keep-changed", false, "what others have changed since stays as it is")
	confirm.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// rollBack goes on with what there is, or shows, asks and begins.
func (r run) rollBack(ctx context.Context, io streams, c *cutover.Cutover, keep bool, confirm *confirmation) (changeover.Outcome, error) {
	talk := newTalk(io.err)
	j, err := c.Journal(ctx)
	out := changeover.NewOutcome(r.Run, r.Target.PoolID, j)
	switch {
	case err != nil:
		return out, err
	case j == nil:
		return out, &exitError{code: ExitNoRun, cause: &adviceError{
			fmt.Errorf("run %s was never cut over: there is nothing to take back", r.Run),
			fmt.Sprintf("See %s for where it stands.", r.command("status")),
		}}
	case j.State == cutover.RolledBack:
		talk.Say("Run %s is rolled back already.", r.Run)
		return out, nil
	case j.ManagedBy != "":
		talk.Say("%s", r.terraform("migrating"))
		return out, &exitError{code: ExitFindings}
	}
	p, err := c.PlanRollBack(ctx)
	if err != nil {
		return out, err
	}
	if err := changeover.WriteRollBack(io.err, p); err != nil {
		return out, err
	}
	if p.Refused() && !keep {
		talk.Say("Others have changed settings since the cut-over, so nothing was changed. With --keep-changed theirs stay, and all others go back.")
		return out, &exitError{code: ExitFindings}
	}
	if err := confirm.typed(ctx, io, "Roll back?", r.Target.PoolID); err != nil {
		return out, err
	}
	if err := c.BeginRollBack(ctx, p, operator(), keep); err != nil {
		return out, r.taken(err)
	}
	out, err = r.goOn(ctx, io, c)
	if out.RolledBack && err != nil && fault.KindOf(err) == fault.Conflict && j.State == cutover.RollingBack {
		// The failure that began the roll-back. This call was to finish it, and has.
		err = nil
	}
	if err == nil {
		talk.Say("Run %s is rolled back: the trigger is attached, and people who have not moved yet move when they sign in.", r.Run)
	}
	return out, err
}
