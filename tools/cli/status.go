package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/seeding"
	"poolferry/internal/settle"
	"poolferry/tools/standing"
	"poolferry/tools/standing/screen"
)

func newStatus(io streams) *cobra.Command {
	var (
		file     string
		watch    bool
		interval time.Duration
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell where the migration stands",
		Long: `Tell on one screen where the migration of the run stands: how many users have
moved, who has not and why, how fast it goes and when it will end, what somebody
ought to look at, the last reconciliations, the seeding, and what to do next. The
figures are those of the latest whole reconciliation.

With --watch the screen is drawn again until the migration is complete, off a
terminal in plain lines. Ctrl-C ends the watching.` + exitStatus(map[int]string{
			ExitDone:     "complete: everybody is accounted for",
			ExitFindings: "there are critical findings, or the last reconciliation failed or is partial",
			ExitRunning:  "the migration is going on",
			ExitNoRun:    meanings[ExitNoRun],
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitNoRun),
		Example: `  poolferry status
  poolferry status --watch --interval 1m
  poolferry status --json | jq '{percent, end: .forecast.expected, pending: .reasons.pending}'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkInterval(cmd, interval); err != nil {
				return err
			}
			r, err := loadReconciled(cmd.Context(), file)
			if err != nil {
				return err
			}
			s, err := r.show(cmd.Context(), io, watch, interval, asJSON)
			if err != nil {
				return err
			}
			talk := newTalk(io.err)
			for _, step := range s.Next() {
				talk.Say("%s", r.words(step, s))
			}
			switch {
			case s.Troubled():
				return &exitError{code: ExitFindings}
			case !s.Complete:
				return &exitError{code: ExitRunning}
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again and again, until the migration is complete")
	cmd.Flags().DurationVar(&interval, "interval", 15*time.Second, "`TIME` between two looks, with --watch")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout; with --watch one for each change")
	return cmd
}

// show writes the status once, or for as long as somebody watches.
func (r reconciled) show(ctx context.Context, io streams, watch bool, interval time.Duration, asJSON bool) (standing.Status, error) {
	if !watch {
		s, err := r.standing(ctx)
		switch {
		case err != nil:
			return s, err
		case asJSON:
			return s, writeJSON(io.out, s)
		}
		return s, s.WriteText(io.out)
	}
	talk := newTalk(io.err)
	w := standing.Watching{Look: r.standing, Interval: interval, Say: talk.Say}
	frames := newScreen(io)
	records := screen.NewRecords(io.out)
	w.Show = func(s standing.Status) error {
		var text strings.Builder
		err := s.WriteText(&text)
		if err == nil {
			frames.Show(text.String(), s.Line())
		}
		return err
	}
	if asJSON {
		w.Show = func(s standing.Status) error { return records.Record(s) }
	} else {
		w.Say = frames.Say
	}
	s, err := standing.Watch(ctx, w)
	if err != nil && errors.Is(err, ctx.Err()) {
		talk.Say("poolferry: interrupted. The migration goes on without this command; %s shows it again.", r.command("status"))
		return s, &exitError{code: ExitInterrupted}
	}
	return s, err
}

// standing looks at everything that there is.
func (r reconciled) standing(ctx context.Context) (standing.Status, error) {
	known, err := r.known(ctx)
	if err != nil {
		return standing.Status{}, err
	}
	return standing.New(known), nil
}

func (r reconciled) known(ctx context.Context) (k standing.Known, err error) {
	k.Run, k.Now = r.Run, time.Now()
	if k.Reconciled, err = r.Status(ctx); err != nil {
		return k, err
	}
	if figures, ok := k.Reconciled.History.Figures(); ok {
		if k.Summary, err = r.stillThere(ctx, k.Reconciled.Last, figures.ID); err != nil {
			return k, err
		}
	}
	if k.Settle, err = r.settled(ctx); err != nil {
		return k, err
	}
	if k.Cutover, err = r.cutOverJournal(ctx); err != nil {
		return k, err
	}
	// Asking where a seeding stands reaches no pool, so it takes no export role.
	status, err := seeding.New(seeding.Options{Run: r.Run, Store: r.bucket, Now: time.Now}).Status(ctx, 0)
	switch {
	case err == nil:
		k.Seeding = &status
	case fault.KindOf(err) != fault.NotFound:
		return k, err
	case len(k.Reconciled.History.Points) == 0 && k.Reconciled.Lease == nil:
		return k, r.missing(err, 0)
	}
	return k, nil
}

// cutOverJournal returns how far the cut-over is; nil where nobody has begun one.
func (r reconciled) cutOverJournal(ctx context.Context) (*cutover.Journal, error) {
	j, _, err := r.bucket.ReadCutoverJournal(ctx)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return &j, err
}

// settled returns how the settling stands; nil where nothing was settled. Asking
// reaches no pool.
func (r reconciled) settled(ctx context.Context) (*settle.Status, error) {
	s, err := settle.New(settle.Options{Run: r.Run, Store: r.bucket, Now: time.Now}).Status(ctx)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return &s, err
}

// stillThere reads a summary; nil where it is gone: the history outlives the
// summaries.
func (r reconciled) stillThere(ctx context.Context, last *reconcile.Summary, id string) (*reconcile.Summary, error) {
	if last != nil && last.ID == id {
		return last, nil
	}
	s, err := r.Summary(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return &s, err
}

// words tells an operator what to do next.
func (r run) words(step standing.Step, s standing.Status) string {
	switch step {
	case standing.Seed:
		return fmt.Sprintf("Nothing is staged. Begin with %s.", r.command("seed start"))
	case standing.Stage:
		return fmt.Sprintf("The seeding is not done, so nothing was compared yet. See %s.", r.command("seed status"))
	case standing.Reconcile:
		return fmt.Sprintf("Nothing was compared yet. Do it with %s, or wait for the schedule.", r.command("reconcile run"))
	case standing.TakeOver:
		return fmt.Sprintf("Reconciliation %s was killed. The next one takes over: wait for the schedule, or begin it with %s.", s.Running.ID, r.command("reconcile run"))
	case standing.Again:
		last, _ := s.Last()
		if last.State == standing.Failed {
			return fmt.Sprintf("The last reconciliation has failed (%s). When the cause is gone, begin another with %s.", last.Failure, r.command("reconcile run"))
		}
		return fmt.Sprintf("The last reconciliation is partial: %s. %s shows more; the next one may be whole.", standing.Because(last.Partial), r.command("reconcile status "+last.ID))
	case standing.LookAt:
		return fmt.Sprintf("There are critical findings. See %s.", r.command("reconcile findings --severity critical"))
	case standing.CutOver:
		return fmt.Sprintf("Everybody is accounted for. The cut-over can begin: see %s.", r.command("cutover plan"))
	case standing.Confirm:
		return fmt.Sprintf("Nobody is pending. One more whole reconciliation has to confirm it: %s.", r.command("reconcile run"))
	case standing.Remind:
		return fmt.Sprintf("It will not end by waiting. See who is left, and why, with %s.", r.command("reconcile pending"))
	case standing.Wait:
		return fmt.Sprintf("It goes on by itself. %s shows it all the time, %s is for people without a terminal.", r.command("status --watch"), r.command("report"))
	case standing.Finish:
		return fmt.Sprintf("A cut-over or its roll-back is under way, or was killed: %s goes on with it, %s takes it back.", r.command("cutover"), r.command("rollback"))
	case standing.Afterwards:
		return fmt.Sprintf("The run is cut over. %s looks whether it still is, %s takes it back, and %s deletes what was staged when nobody needs it any more.",
			r.command("cutover check"), r.command("rollback"), r.command("purge"))
	case standing.WaitForRun:
		return fmt.Sprintf("The first reconciliation is at work. See %s.", r.command("reconcile status"))
	}
	return ""
}
