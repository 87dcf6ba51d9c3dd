package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/seeding/census"
	"poolferry/internal/store"
	"poolferry/tools/inspect"
)

func newManifest(io streams) *cobra.Command {
	return group("manifest", "Check, look at and compare what is staged",
		`Check, look at and compare what is staged of the source pool: the manifest of
the run, in its bucket. Nothing is changed. Where it is and how to read it with
nothing but jq and zcat is in docs/manifest.md.`,
		`  poolferry manifest verify
  poolferry manifest inspect
  poolferry manifest diff 1 2`,
		newManifestVerify(io), newManifestInspect(io), newManifestDiff(io))
}

// loadManifest is loadRun with the manifest of the run. There is a plan.
func loadManifest(ctx context.Context, file string) (run, *store.Run, error) {
	r, err := loadRun(ctx, file)
	if err != nil {
		return r, nil, err
	}
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: r.Staging.Bucket, Region: r.Target.Region, Env: os.LookupEnv})
	if err != nil {
		return r, nil, err
	}
	staged := store.NewRun(bucket, r.Run)
	if _, _, err := staged.ReadPlan(ctx); fault.KindOf(err) == fault.NotFound {
		return r, nil, r.missing(err, 0)
	}
	return r, staged, nil // what else is wrong with a plan, the commands say
}

// latest is the generation that is asked for, or the last there is.
func (r run) latest(ctx context.Context, staged *store.Run, asked int) (int, error) {
	if asked > 0 {
		return asked, nil
	}
	g, err := staged.LatestGeneration(ctx)
	if fault.KindOf(err) == fault.NotFound {
		return 0, r.open(fmt.Errorf("run %s is planned, and no generation is open yet", r.Run))
	}
	return g.Generation, err
}

// open is the end of commands that need a closed generation.
func (r run) open(err error) error {
	return &exitError{code: ExitRunning, cause: &adviceError{err, fmt.Sprintf("See %s; %s goes on with it.", r.command("seed status"), r.command("seed start"))}}
}

// closed turns the absence of a generation, and of its end, into exit codes.
func (r run) closed(err error, generation int) error {
	if fault.KindOf(err) == fault.Conflict {
		return r.open(fmt.Errorf("generation %d of run %s is not closed yet", generation, r.Run))
	}
	return r.missing(err, generation)
}

func newManifestVerify(io streams) *cobra.Command {
	var (
		file       string
		generation int
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that a closed manifest is whole and unchanged",
		Long: `Read every object of a closed generation again, and prove its digest, the counts,
that each user is there once and in the right shard, and that no field sounds
like a secret. What is damaged is named on stderr, object by object.` + exitStatus(map[int]string{
			ExitDone:    "the manifest is sound",
			ExitFailed:  "objects are damaged, missing or foreign; or failed",
			ExitRunning: "the generation is not closed yet",
			ExitNoRun:   "no such run, or no such generation",
		}, ExitDone, ExitFailed, ExitRunning, ExitNoRun),
		Example: `  poolferry manifest verify
  poolferry manifest verify --generation 1 --json | jq -r '.problems[].object'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGeneration(cmd, generation); err != nil {
				return err
			}
			r, staged, err := loadManifest(cmd.Context(), file)
			if err != nil {
				return err
			}
			n, err := r.latest(cmd.Context(), staged, generation)
			if err != nil {
				return err
			}
			return r.verify(cmd.Context(), io, staged, n, asJSON)
		},
	}
	configFlag(cmd, &file)
	generationFlag(cmd, &generation)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

func (r run) verify(ctx context.Context, io streams, staged *store.Run, generation int, asJSON bool) error {
	report, err := census.Verify(ctx, staged, generation)
	if err != nil {
		return r.closed(err, generation)
	}
	verdict := inspect.NewVerdict(r.Run, report)
	if asJSON {
		err = writeJSON(io.out, verdict)
	} else {
		err = verdict.WriteText(io.out)
	}
	if err != nil || verdict.Sound {
		return err
	}
	talk := newTalk(io.err)
	for _, p := range verdict.Problems {
		talk.Say("%s: %s", p.Object, p.Why)
	}
	return &adviceError{
		fmt.Errorf("the manifest of run %s, generation %d, is not sound: %d problems", r.Run, generation, len(verdict.Problems)),
		fmt.Sprintf("Do not go on with this generation: stage the pool once more with %s.", r.command("seed start --generation new")),
	}
}
