package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/seeding"
	"poolferry/internal/workflow"
	"poolferry/statemachines"
	"poolferry/tools/staging"
)

// newGeneration is the only value of --generation of seed start.
const newGeneration = "new"

// started is what seed start did, as JSON.
type started struct {
	Version    int    `json:"version"`
	Run        string `json:"run"`
	Generation int    `json:"generation"`
	Execution  string `json:"execution,omitempty"` // ARN
	Done       bool   `json:"done,omitempty"`      // nothing was started: the generation is closed
}

func newSeedStart(io streams) *cobra.Command {
	var (
		file       string
		generation string
		confirm    confirmation
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start the seeding, or go on with it",
		Long: `Start the seeding of the run, or go on with it where it was: after a stop, a
failure or a crash. What is going to happen is shown first.

The stop switch is cleared, and shards that have failed are taken up again. The
source pool is read through the export role, at the pace of the configuration;
nothing is written to the target pool. The command ends when the seeding has
begun; printed is the ARN of the execution.

A generation that is closed stays as it is: --generation new stages the source
pool once more, beside it.` + exitStatus(map[int]string{
			ExitDone:   "the seeding has begun, or there is nothing to do",
			ExitFailed: "failed, or not confirmed: nothing was started",
		}, ExitDone, ExitFailed),
		Example: `  poolferry seed start
  poolferry seed start --yes --json
  poolferry seed start --generation new`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if generation != "" && generation != newGeneration {
				return seeHelp(cmd, fmt.Sprintf("--generation: %q, want %s or nothing", generation, newGeneration))
			}
			if err := confirm.possible(cmd, io); err != nil {
				return err
			}
			r, s, err := loadSeeding(cmd.Context(), file)
			if err != nil {
				return err
			}
			out, err := r.start(cmd.Context(), io, s, generation == newGeneration, &confirm)
			switch {
			case err != nil:
				return err
			case asJSON:
				return writeJSON(io.out, out)
			case out.Execution != "":
				_, err = fmt.Fprintln(io.out, out.Execution)
			}
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&generation, "generation", "", "new: stage once more, where the latest generation is closed")
	confirm.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// start shows, asks and starts.
func (r run) start(ctx context.Context, io streams, s *seeding.Seeding, another bool, confirm *confirmation) (started, error) {
	talk := newTalk(io.err)
	status, err := s.Status(ctx, 0)
	first := fault.KindOf(err) == fault.NotFound
	if err != nil && !first {
		return started{}, err
	}
	input := seeding.PlanInput{Run: r.Run}
	pace := staging.Pace{PerSecond: r.Pace.UserList, Concurrency: r.Seeding.Concurrency}
	var preview staging.Preview
	switch {
	case first:
		talk.Say("Looking at the source pool.")
		proposal, err := s.Propose(ctx)
		if err != nil {
			return started{}, err
		}
		preview = staging.First(proposal, pace)
	case status.Done && !another:
		talk.Say("Generation %d of run %s is closed: nothing was started. %s stages the source pool once more.",
			status.Generation, r.Run, r.command("seed start --generation new"))
		return started{Version: 1, Run: r.Run, Generation: status.Generation, Done: true}, nil
	case another && !status.Done:
		return started{}, &adviceError{
			fmt.Errorf("generation %d of run %s is not closed, so no new one can be opened", status.Generation, r.Run),
			fmt.Sprintf("Finish it with %s.", r.command("seed start")),
		}
	case another:
		preview = staging.Next(status, pace)
		input.Generation = preview.Generation
	default:
		preview = staging.GoOn(status, pace, time.Now())
	}
	if err := preview.WriteText(io.err, r.Staging.Bucket); err != nil {
		return started{}, err
	}
	r.warnUnchecked(ctx, talk)
	if err := confirm.ask(ctx, io, "Start it?"); err != nil {
		return started{}, err
	}
	execution, err := r.execute(ctx, s, input)
	if err != nil {
		return started{}, err
	}
	words := "seed watch"
	if another {
		words = fmt.Sprintf("seed watch --generation %d", preview.Generation)
	}
	talk.Say("The seeding has begun. Watch it with %s, stop it with %s.", r.command(words), r.command("seed stop"))
	return started{Version: 1, Run: r.Run, Generation: preview.Generation, Execution: execution}, nil
}

// execute clears the stop switch, then starts: the other way round the first
// link could still find it set.
func (r run) execute(ctx context.Context, s *seeding.Seeding, input seeding.PlanInput) (string, error) {
	workflows, err := workflow.New(ctx, r.Target.Region, r.Run, os.LookupEnv)
	if err != nil {
		return "", err
	}
	if err := s.Start(ctx); err != nil {
		return "", err
	}
	execution, err := workflows.Start(ctx, statemachines.Preseed, input)
	if fault.KindOf(err) == fault.NotFound {
		err = r.notDeployed(err, statemachines.Preseed)
	}
	return execution, err
}
