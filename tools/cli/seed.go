package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/seeding"
	"poolferry/lambdas"
	"poolferry/tools/staging"
)

func newSeed(io streams) *cobra.Command {
	return group("seed", "Stage the profiles of the source pool into the manifest",
		`Stage the profiles of the source pool, attributes only, into the manifest of the
run. A state machine does the work, in executions that follow each other; these
commands start it, stop it, and tell from the manifest how far it is. It can be
started, stopped or killed at any time, and goes on where it was.`,
		`  poolferry seed start
  poolferry seed watch
  poolferry seed status --json`,
		newSeedStart(io), newSeedStatus(io), newSeedWatch(io), newSeedStop(io))
}

// group is a command that only has others.
func group(name, short, long, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Example: example, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// run is a configured run, for the commands that work on it.
type run struct {
	file string
	*config.Config
	account *cognito.Account // as the operator's credentials see it
}

// configFlag adds the flag that names the configuration.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", configFile, "configuration `FILE` of the migration")
}

// loadRun reads the configuration and makes sure that there are credentials.
func loadRun(ctx context.Context, file string) (run, error) {
	cfg, err := config.Load(file)
	if errors.Is(err, os.ErrNotExist) {
		return run{}, &usageError{
			text: "there is no configuration file " + file,
			next: "Name it with --config FILE, or start from docs/poolferry.sample.yaml.",
		}
	}
	if err != nil {
		return run{}, err
	}
	account, err := cognito.NewAccount(ctx, cfg.Target.Region, os.LookupEnv)
	if err != nil {
		return run{}, err
	}
	return run{file, cfg, account}, account.Ready(ctx)
}

// loadSeeding is loadRun with the seeding of the run.
func loadSeeding(ctx context.Context, file string) (run, *seeding.Seeding, error) {
	r, err := loadRun(ctx, file)
	if err != nil {
		return r, nil, err
	}
	if r.Source.ExportRoleARN == "" {
		return r, nil, &usageError{
			text: file + " has no source.export_role_arn: the login role may not list users",
			next: "Add the export role that infra/ creates in the source account.",
		}
	}
	s, err := lambdas.NewSeeding(ctx, r.Config, lambdas.Process(), nil)
	return r, s, err
}

// command is what an operator types to run another command on the same run.
func (r run) command(words string) string {
	if r.file != configFile {
		words += " --config " + r.file
	}
	return "'poolferry " + words + "'"
}

// adviceError is an error with the next step.
type adviceError struct {
	error
	next string
}

func (e *adviceError) Error() string { return e.error.Error() + "\n" + e.next }

func (e *adviceError) Unwrap() error { return e.error }

// missing turns the absence of a plan into its exit code, and of a generation,
// where one was asked for.
func (r run) missing(err error, generation int) error {
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return err
	}
	text := fmt.Errorf("run %s has no plan in bucket %s: it was never seeded", r.Run, r.Staging.Bucket)
	next := fmt.Sprintf("Begin with %s, or name another configuration with --config FILE.", r.command("seed start"))
	if generation > 0 {
		text = fmt.Errorf("run %s has no generation %d in bucket %s", r.Run, generation, r.Staging.Bucket)
		next = fmt.Sprintf("See %s for what there is.", r.command("manifest inspect"))
	}
	return &exitError{code: ExitNoRun, cause: &adviceError{text, next}}
}

// advice is what an operator can do next, empty for nothing.
func (r run) advice(p staging.Progress) string {
	switch p.Standing {
	case staging.Done:
		return fmt.Sprintf("Everything is staged. Check it with %s.", r.command("manifest verify"))
	case staging.Failed:
		return fmt.Sprintf("Shards have failed. When their cause is gone, %s takes them up again.", r.command("seed start"))
	case staging.Stopped:
		return fmt.Sprintf("The seeding was stopped. %s goes on from the checkpoints.", r.command("seed start"))
	case staging.Running:
	}
	return ""
}

// standingError carries the exit code of a standing; the output has said it all.
func standingError(s staging.Standing) error {
	switch s {
	case staging.Failed, staging.Stopped:
		return &exitError{code: ExitFindings}
	case staging.Running:
		return &exitError{code: ExitRunning}
	case staging.Done:
	}
	return nil
}

// operator is who types, as far as this computer knows.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
