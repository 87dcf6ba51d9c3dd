package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"poolferry/tools/staging"
)

func newSeedStop(io streams) *cobra.Command {
	var (
		file    string
		confirm confirmation
	)
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the seeding, for now",
		Long: `Set the stop switch of the run. Batches that are under way end within their time
limit, of a minute at most; no other begins, whichever execution it belongs to.
Nothing that is staged is lost: seed start goes on from the checkpoints.` + exitStatus(map[int]string{
			ExitDone:   "the stop switch is set, or there is nothing to stop",
			ExitFailed: "failed, or not confirmed",
			ExitNoRun:  meanings[ExitNoRun],
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry seed stop
  poolferry seed stop --yes && poolferry seed status`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := confirm.possible(cmd, io); err != nil {
				return err
			}
			r, s, err := loadSeeding(cmd.Context(), file)
			if err != nil {
				return err
			}
			talk := newTalk(io.err)
			status, err := s.Status(cmd.Context(), 0)
			if err != nil {
				return r.missing(err, 0)
			}
			p := staging.NewProgress(status)
			switch p.Standing {
			case staging.Done:
				talk.Say("Generation %d of run %s is closed: there is nothing to stop.", status.Generation, r.Run)
				return nil
			case staging.Stopped:
				talk.Say("The seeding of run %s is stopped already. %s goes on from the checkpoints.", r.Run, r.command("seed start"))
				return nil
			case staging.Running, staging.Failed:
			}
			talk.Say("Run %s, generation %d: %s.", r.Run, status.Generation, p.Summary())
			if err := confirm.ask(cmd.Context(), io, fmt.Sprintf("Stop the seeding of run %s?", r.Run)); err != nil {
				return err
			}
			if err := s.Stop(cmd.Context(), operator()); err != nil {
				return err
			}
			talk.Say("The stop switch is set. Batches that are under way end within a minute, no other begins.\n%s goes on from the checkpoints.", r.command("seed start"))
			return nil
		},
	}
	configFlag(cmd, &file)
	confirm.add(cmd)
	return cmd
}
