package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/seeding"
	"poolferry/tools/staging"
	"poolferry/tools/staging/screen"
)

func newSeedStatus(io streams) *cobra.Command {
	var (
		file       string
		generation int
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell where the seeding stands",
		Long: `Tell where the seeding of the run stands: in all, and shard by shard. It comes
from the manifest, so it is true whatever became of the executions.` + exitStatus(map[int]string{
			ExitDone:     "everything is staged: the generation is closed",
			ExitFindings: "the seeding was stopped, or what is left are shards that have failed",
			ExitRunning:  "there is work left",
			ExitNoRun:    "no such run, or no such generation",
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitNoRun),
		Example: `  poolferry seed status
  poolferry seed status --json | jq '.shards[] | select(.state == "failed")'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGeneration(cmd, generation); err != nil {
				return err
			}
			r, s, err := loadSeeding(cmd.Context(), file)
			if err != nil {
				return err
			}
			status, err := s.Status(cmd.Context(), 0)
			if err != nil {
				return r.missing(err, 0)
			}
			if generation > 0 {
				if status, err = s.Status(cmd.Context(), generation); err != nil {
					return r.missing(err, generation)
				}
			}
			p, now := staging.NewProgress(status), time.Now()
			if asJSON {
				err = writeJSON(io.out, p)
			} else {
				err = p.WriteText(io.out, now)
			}
			if err != nil {
				return err
			}
			talk := newTalk(io.err)
			if still := p.Stalled(now); still > 0 {
				talk.Say("Nothing has moved for %s. If its execution was ended, %s goes on from the checkpoints.", staging.Span(still), r.command("seed start"))
			}
			if advice := r.advice(p); advice != "" {
				talk.Say("%s", advice)
			}
			return standingError(p.Standing)
		},
	}
	configFlag(cmd, &file)
	generationFlag(cmd, &generation)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// generationFlag adds the flag that chooses a generation.
func generationFlag(cmd *cobra.Command, generation *int) {
	cmd.Flags().IntVar(generation, "generation", 0, "`N`: another generation than the latest")
}

func checkGeneration(cmd *cobra.Command, generation int) error {
	if generation < 0 || generation == 0 && cmd.Flags().Changed("generation") {
		return seeHelp(cmd, "--generation: generations count from 1")
	}
	return nil
}

// shortestInterval keeps a watcher from asking S3 all the time.
const shortestInterval = 100 * time.Millisecond

func checkInterval(cmd *cobra.Command, interval time.Duration) error {
	if interval < shortestInterval {
		return seeHelp(cmd, "--interval: "+interval.String()+" is shorter than "+shortestInterval.String())
	}
	return nil
}

func newSeedWatch(io streams) *cobra.Command {
	var (
		file       string
		generation int
		interval   time.Duration
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch the seeding until it ends",
		Long: `Watch the seeding of the run until it is done, failed or stopped: on a terminal
with a bar for each shard, elsewhere in plain lines, with the rate and the time
that is left. A seeding that was started this moment is waited for.

Ctrl-C ends the watching; the seeding goes on without it.` + exitStatus(map[int]string{
			ExitDone:        "everything is staged: the generation is closed",
			ExitFindings:    "the seeding was stopped, or what is left are shards that have failed",
			ExitNoRun:       "no such run, or generation, appeared within two minutes",
			ExitInterrupted: "interrupted; the seeding goes on",
		}, ExitDone, ExitFailed, ExitFindings, ExitNoRun),
		Example: `  poolferry seed watch
  poolferry seed watch --interval 30s 2>>seeding.log
  poolferry seed watch --json | jq .seconds_left`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGeneration(cmd, generation); err != nil {
				return err
			}
			if err := checkInterval(cmd, interval); err != nil {
				return err
			}
			r, s, err := loadSeeding(cmd.Context(), file)
			if err != nil {
				return err
			}
			return r.watch(cmd.Context(), io, asJSON, staging.Watching{
				Look:       func(ctx context.Context) (seeding.Status, error) { return s.Status(ctx, 0) },
				Generation: generation, Interval: interval, Now: time.Now,
			})
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().IntVar(&generation, "generation", 0, "`N`: wait for this generation, or a later one")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "`TIME` between two looks")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout for each change")
	return cmd
}

func (r run) watch(ctx context.Context, io streams, asJSON bool, w staging.Watching) error {
	talk := newTalk(io.err)
	end := func() error { return nil }
	switch {
	case asJSON:
		records := screen.NewRecords(io.out, io.err)
		w.Screen, end = records, records.Err
	case talk.terminal:
		bars := screen.NewBars(io.err)
		w.Screen, end = bars, func() error { bars.Close(); return nil }
	default:
		w.Screen = screen.NewLines(io.err, w.Now)
	}
	p, err := staging.Watch(ctx, w)
	if broken := end(); broken != nil {
		return broken
	}
	if err != nil && errors.Is(err, ctx.Err()) {
		talk.Say("poolferry: interrupted. The seeding goes on without this command; %s watches it again.", r.command("seed watch"))
		return &exitError{code: ExitInterrupted}
	}
	if fault.KindOf(err) == fault.NotFound {
		return &exitError{code: ExitNoRun, cause: &adviceError{err, fmt.Sprintf("See %s, and start it with %s.", r.command("seed status"), r.command("seed start"))}}
	}
	if err != nil {
		return err
	}
	talk.Say("%s", r.advice(p))
	return standingError(p.Standing)
}
