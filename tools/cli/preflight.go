package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/preflight"
	"poolferry/internal/store"
	"poolferry/tools/readiness"
)

func newPreflight(io streams) *cobra.Command {
	var (
		file        string
		asJSON, fix bool
		confirm     confirmation
	)
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Find what would go wrong before users do",
		Long: `Read both pools, their app clients, the migration trigger, roles, quotas, the
staging bucket and the configuration, and tell what would go wrong in the
migration: blockers, warnings and what is good to know, each with what to do.
Once profiles are staged, each of them is held against the target's schema, too.

Roles are tried harmlessly: the export role by listing, the trigger's by asking
the function itself, which tries a name that nobody has. Nothing is changed, but
for what is verified, which is kept in the bucket.

With --fix what can be repaired is shown, asked about and repaired: the attribute
custom:legacy_sub is added to the target's schema, for good.` + exitStatus(map[int]string{
			ExitDone:     "nothing to do: at most information was found",
			ExitFailed:   "it could not be done; or the fix was not confirmed",
			ExitFindings: "there are blockers or warnings",
		}, ExitDone, ExitFailed, ExitFindings),
		Example: `  poolferry preflight
  poolferry preflight --fix
  poolferry preflight --json | jq -r '.findings[] | select(.severity == "blocker") | .code'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if confirm.yes && !fix {
				return seeHelp(cmd, "--yes: goes with --fix, nothing else is asked")
			}
			if fix {
				if err := confirm.possible(cmd, io); err != nil {
					return err
				}
			}
			r, err := loadRun(cmd.Context(), file)
			if err != nil {
				return err
			}
			report, err := r.preflight(cmd.Context(), io, fix, &confirm)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(io.out, report)
			} else {
				err = readiness.Report{Report: report}.WriteText(io.out)
			}
			if err == nil && report.Blockers+report.Warnings > 0 {
				err = &exitError{code: ExitFindings}
			}
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	cmd.Flags().BoolVar(&fix, "fix", false, "repair what can be repaired, after asking")
	confirm.add(cmd)
	return cmd
}

// preflight looks, repairs where it is told to, and keeps what was verified.
func (r run) preflight(ctx context.Context, io streams, fix bool, confirm *confirmation) (preflight.Report, error) {
	talk := newTalk(io.err)
	p, err := readiness.New(ctx, r.Config, r.account, readiness.Options{Lookup: os.LookupEnv, Now: time.Now, Say: talk.Say})
	if err != nil {
		return preflight.Report{}, err
	}
	report, err := p.Look(ctx)
	if err != nil {
		return report, err
	}
	steps := p.Plan(report)
	switch {
	case fix && len(steps) == 0:
		talk.Say("There is nothing that --fix can repair.")
	case fix:
		for _, step := range steps {
			talk.Say("%s", step)
		}
		if err := confirm.ask(ctx, io, "Do it?"); err != nil {
			return report, err
		}
		if err := p.Fix(ctx, report); err != nil {
			return report, err
		}
		talk.Say("Done. Looking once more.")
		if report, err = p.Look(ctx); err != nil {
			return report, err
		}
	case len(steps) > 0:
		talk.Say("%s repairs what is marked so.", r.command("preflight --fix"))
	}
	switch err := p.Keep(ctx, report); {
	case err == nil:
		talk.Say("What was verified is kept in s3://%s, with the run.", r.Staging.Bucket)
	case errors.Is(err, preflight.ErrUnread):
		talk.Say("%s.", capital(err.Error()))
	case fault.KindOf(err) == fault.Denied:
		talk.Say("What was verified could not be kept: your credentials may not write to the staging bucket.")
	default:
		return report, err
	}
	return report, nil
}

func capital(text string) string {
	if text == "" {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}

// warnUnchecked tells where no preflight speaks for a run, or where it spoke
// against it.
func (r run) warnUnchecked(ctx context.Context, talk *talk) {
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: r.Staging.Bucket, Region: r.Target.Region, Env: os.LookupEnv})
	if err != nil {
		return // whatever is to be done next says so
	}
	source, target := readiness.Pools(r.Config)
	v, err := store.NewRun(bucket, r.Run).ReadPreflight(ctx)
	if err == nil {
		err = v.For(r.Run, source, target, r.Mapping)
	}
	again := r.command("preflight")
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		talk.Say("Nobody has checked this migration yet: see %s.", again)
	case err != nil && fault.KindOf(err) == fault.Invalid:
		talk.Say("%s. See %s.", capital(fmt.Sprint(err)), again)
	case err == nil && v.Blockers > 0:
		talk.Say("The preflight of %s has found %d blockers: see %s.", v.At.Format(time.RFC3339), v.Blockers, again)
	}
}
