package cli

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"poolferry/internal/cognito"
	"poolferry/internal/trigger"
	"poolferry/tools/explain"
)

// configFile is where commands look for their configuration.
const configFile = "poolferry.yaml"

func newExplain(io streams) *cobra.Command {
	var (
		file   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "explain NAME",
		Short: "Tell what the migration trigger would do for one user",
		Long: `Tell what the migration trigger would do for the user who types NAME at the
target: whether the user moves and keeps the password, what becomes of each
attribute, and why not where something is refused. Nothing is changed, nobody is
asked for a password, and nobody becomes an active user: the source pool is only
listed, through the export role.

NAME is matched exactly against username, e-mail, phone number,
preferred_username and sub.

Listing does not tell who uses an authenticator app. Such a user is refused
unless the app sends the code along, or mfa_policy says otherwise.` + exitStatus(map[int]string{
			ExitDone:     "the right password moves the user",
			ExitFailed:   "failed; also where the source pool knows nobody of this name",
			ExitFindings: "the right password does not move the user, or one of those who may be meant, or not whole",
		}, ExitDone, ExitFailed, ExitFindings),
		Example: `  poolferry explain ada@example.com
  poolferry explain --config prod.yaml --json +15550000042`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := lookAt(cmd.Context(), file, args[0])
			if err != nil {
				return err
			}
			if err := writeReport(io.out, report, asJSON); err != nil {
				return err
			}
			if report.Refused() || report.Loses() {
				return &exitError{code: ExitFindings}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", configFile, "configuration `FILE` of the migration")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object")
	return cmd
}

// lookAt connects the configuration's pools with package explain.
func lookAt(ctx context.Context, file, name string) (explain.Report, error) {
	cfg, err := loadRun(ctx, file)
	if err != nil {
		return explain.Report{}, err
	}
	if cfg.Source.ExportRoleARN == "" {
		return explain.Report{}, &usageError{
			text: file + " has no source.export_role_arn: the login role may not list users",
			next: "Add the export role that infra/ creates in the source account.",
		}
	}
	target, err := cognito.NewTarget(cfg.account, cognito.TargetOptions{
		Region: cfg.Target.Region, PoolID: cfg.Target.PoolID, SMSMFA: cfg.Target.SMSMFA,
	}).Pool(ctx)
	if err != nil {
		return explain.Report{}, err
	}
	source := cognito.NewDirectory(cfg.account, cfg.Source.Region, cfg.Source.PoolID, cognito.Role{
		ARN: cfg.Source.ExportRoleARN, ExternalID: cfg.Source.ExternalID, SessionName: "poolferry-explain",
	})
	return explain.Look(ctx, name, source, explain.Migration{
		Policy:   trigger.Policy{Mapping: cfg.Mapping, MFA: cfg.MFAPolicy, Target: target},
		ClientID: cfg.Source.ClientID, Profile: cfg.Source.Profile,
	})
}

func writeReport(w io.Writer, report explain.Report, asJSON bool) error {
	if asJSON {
		return writeJSON(w, report)
	}
	return report.WriteText(w)
}

// writeJSON writes one object on one line, as scripts read it best.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
