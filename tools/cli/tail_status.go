package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/tail"
	"poolferry/tools/stragglers"
)

func newTailStatus(io streams) *cobra.Command {
	var (
		file   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "status [ID]",
		Short: "Tell how far an import is, and what became of everybody",
		Long: `Tell how far the latest import is, or that of an id: its files, their jobs, and how
many users were imported, were there already, have failed, or have no outcome yet.
It comes from the bucket, so it is true whatever became of the execution.` + tailStatus(),
		Example: `  poolferry tail status
  poolferry tail status --json | jq '{imported, skipped, failed, left}'`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneTail(cmd, args)
			if err != nil {
				return err
			}
			r, err := loadTail(cmd.Context(), file)
			if err != nil {
				return err
			}
			p, err := r.progress(cmd.Context(), id)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(io.out, p)
			} else {
				err = p.WriteText(io.out, time.Now())
			}
			if err != nil {
				return err
			}
			return r.end(io, p)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

func tailStatus() string {
	return exitStatus(map[int]string{
		ExitDone:     "everybody has an outcome, and nobody has failed",
		ExitFindings: "it has ended, and somebody has failed; or it was stopped half-way",
		ExitRunning:  "it is at work, or nobody has begun",
		ExitNoRun:    "no import yet, or none of this id",
	}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitNoRun)
}

func (r imported) progress(ctx context.Context, id string) (stragglers.Progress, error) {
	s, err := r.Status(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return stragglers.Progress{}, r.noTail(id)
	}
	return stragglers.ProgressOf(s, time.Now()), err
}

// end is the advice at the end, and the exit code.
func (r imported) end(io streams, p stragglers.Progress) error {
	talk := newTalk(io.err)
	switch {
	case p.Standing == stragglers.Planned && p.Planned == 0: // a plan that only excludes
		return nil
	case !p.Ended():
		return &exitError{code: ExitRunning}
	case p.Standing != stragglers.Done:
		talk.Say("Nobody works on it any more. When the cause is gone, %s goes on with it.", r.command("tail start "+p.ID))
		return &exitError{code: ExitFindings}
	case p.Failed+p.Refused > 0:
		talk.Say("See who has failed, and why, with %s.", r.command("tail failures "+p.ID))
		return &exitError{code: ExitFindings}
	}
	talk.Say("The next reconciliation counts who was imported: %s.", r.command("reconcile run"))
	return nil
}

func newTailWatch(io streams) *cobra.Command {
	var (
		file     string
		interval time.Duration
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "watch [ID]",
		Short: "Watch an import until it ends",
		Long: `Watch the latest import, or that of an id, until everybody has an outcome or nobody
works on it any more. An import that was started this moment is waited for.

Ctrl-C ends the watching; the import goes on without it.` + tailStatus(),
		Example: `  poolferry tail watch
  poolferry tail watch --interval 1m 2>>tail.log
  poolferry tail watch --json | jq .left`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneTail(cmd, args)
			if err == nil {
				err = checkInterval(cmd, interval)
			}
			if err != nil {
				return err
			}
			r, err := loadTail(cmd.Context(), file)
			if err != nil {
				return err
			}
			if _, err := r.progress(cmd.Context(), id); err != nil {
				return err
			}
			return r.watch(cmd.Context(), io, id, interval, asJSON)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().DurationVar(&interval, "interval", 5*time.Second, "`TIME` between two looks")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout for each change")
	return cmd
}

func (r imported) watch(ctx context.Context, io streams, id string, interval time.Duration, asJSON bool) error {
	talk := newTalk(io.err)
	p, err := stragglers.Watch(ctx, stragglers.Watching{
		Look: func(ctx context.Context) (tail.Standing, error) { return r.Status(ctx, id) }, Interval: interval, Now: time.Now,
		Show: func(p stragglers.Progress) error {
			if asJSON {
				return writeJSON(io.out, p)
			}
			talk.Say("%s  %s: %s", time.Now().UTC().Format(time.TimeOnly), p.Standing, p.Line())
			return nil
		},
	})
	switch {
	case err != nil && errors.Is(err, ctx.Err()):
		talk.Say("poolferry: interrupted. The import goes on without this command; %s watches it again.", r.command("tail watch "+id))
		return &exitError{code: ExitInterrupted}
	case fault.KindOf(err) == fault.NotFound:
		return &exitError{code: ExitNoRun, cause: &adviceError{err, fmt.Sprintf("Start it with %s.", r.command("tail start "+id))}}
	case err != nil:
		return err
	}
	return r.end(io, p)
}

func newTailFailures(io streams) *cobra.Command {
	var (
		file   string
		retry  string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "failures [ID]",
		Short: "List who was not imported, and why",
		Long: `List the users whom the latest import, or that of an id, has not imported: sub at
the source, reason, and what Cognito says of the row. Who was in the target pool
already is none of them.

With --retry FILE those rows that Cognito has refused are also written into a CSV
file with the header of the pool, for whoever corrects it and imports it by hand.
It holds personal data: keep it as you keep the pools.` + exitStatus(map[int]string{
			ExitDone:   "listed, if there are any",
			ExitFailed: "failed; an object is damaged",
			ExitNoRun:  "no import yet, or none of this id",
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry tail failures
  poolferry tail failures --retry retry.csv
  poolferry tail failures --json | jq -r 'select(.reason == "no_verified_contact") | .sub'`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneTail(cmd, args)
			if err != nil {
				return err
			}
			r, err := loadTail(cmd.Context(), file)
			if err != nil {
				return err
			}
			p, err := r.progress(cmd.Context(), id)
			if err != nil {
				return err
			}
			if p.Standing == stragglers.Planned {
				newTalk(io.err).Say("Nobody has begun it.")
				return nil
			}
			if retry != "" {
				if _, err := os.Lstat(retry); !errors.Is(err, os.ErrNotExist) {
					return &usageError{text: "--retry: " + retry + " exists already", next: "Choose another file."}
				}
			}
			failures := r.Failures(cmd.Context(), p.ID)
			if asJSON {
				for f, err := range failures {
					if err == nil {
						err = writeJSON(io.out, stragglers.Failure{Version: 1, Failure: f})
					}
					if err != nil {
						return err
					}
				}
			} else if _, err := stragglers.WriteFailures(io.out, failures); err != nil {
				return err
			}
			if retry == "" {
				return nil
			}
			return r.retry(cmd.Context(), io, p.ID, retry)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&retry, "retry", "", "write refused rows into `FILE`, which must not exist")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON object per user to stdout")
	return cmd
}

// retry writes the rows that were refused.
func (r imported) retry(ctx context.Context, io streams, id, name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	n, err := r.Retry(ctx, id, file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return &adviceError{err, fmt.Sprintf("What %s holds is not all: do not use it.", name)}
	case n == 0:
		newTalk(io.err).Say("No row was refused: %s was not written.", name)
		return os.Remove(name)
	}
	newTalk(io.err).Say("Rows in %s: %d. They hold personal data.", name, n)
	return nil
}
