package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/tail"
	"poolferry/lambdas"
	"poolferry/tools/stragglers"
)

func newTail(io streams) *cobra.Command {
	return group("tail", "Import who never signs in, or leave them behind",
		`Decide about the users who have not moved, reason by reason: wait for them,
which is the default; import them into the target pool, where each has to choose
a new password; or exclude them, so that the migration is complete without them.

An import creates users by Cognito's CSV import jobs, one after the other. Nobody
becomes an active user by it, and no message is sent. Who is imported no longer
reaches the migration trigger: their old password is gone. A state machine does
the work; these commands plan it, start it, and tell what became of everybody.`,
		`  poolferry tail plan --import not_signed_in
  poolferry tail start --import not_signed_in --exclude unconfirmed
  poolferry tail failures`,
		newTailPlan(io), newTailStart(io), newTailStatus(io), newTailWatch(io), newTailFailures(io))
}

// choice are the flags with which people choose.
type choice struct{ imports, exclude, wait []string }

func (c *choice) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.imports, "import", nil, "import users of these `REASONS`, or all: every one but disabled")
	cmd.Flags().StringSliceVar(&c.exclude, "exclude", nil, "exclude users of these `REASONS`")
	cmd.Flags().StringSliceVar(&c.wait, "wait", nil, "wait for users of these `REASONS` again, who were excluded")
}

// everyReason stands for all reasons that can be imported, but for being disabled.
const everyReason = "all"

// read turns the flags into a choice.
func (c *choice) read(cmd *cobra.Command) (tail.Choice, error) {
	out := tail.Choice{}
	seen := map[verdict.Reason]string{}
	for _, list := range []struct {
		flag   string
		values []string
		known  []verdict.Reason
		into   *[]verdict.Reason
	}{
		{"exclude", c.exclude, verdict.PendingReasons(), &out.Exclude},
		{"wait", c.wait, verdict.PendingReasons(), &out.Wait},
		{"import", c.imports, tail.Importable(), &out.Import},
	} {
		for _, value := range list.values {
			reasons := []verdict.Reason{verdict.Reason(value)}
			if list.flag == "import" && value == everyReason {
				reasons = slices.DeleteFunc(tail.All(), func(r verdict.Reason) bool { return seen[r] != "" })
			} else if err := oneOf(cmd, list.flag, value, list.known); err != nil {
				return out, err
			}
			for _, reason := range reasons {
				if other := seen[reason]; other != "" {
					return out, seeHelp(cmd, fmt.Sprintf("--%s: there is a choice for %s already, --%s", list.flag, reason, other))
				}
				seen[reason] = list.flag
				*list.into = append(*list.into, reason)
			}
		}
	}
	return out, nil
}

// imported is a configured run with its imports.
type imported struct {
	reconciled
	*tail.Tail
}

func loadTail(ctx context.Context, file string) (imported, error) {
	r, err := loadReconciled(ctx, file)
	if err != nil {
		return imported{reconciled: r}, err
	}
	t, err := lambdas.NewTail(ctx, r.Config, lambdas.Process(), nil)
	return imported{r, t}, err
}

// plan looks at everybody and says what a choice comes to.
func (r imported) plan(ctx context.Context, io streams, c tail.Choice) (tail.Plan, error) {
	newTalk(io.err).Say("Looking at everybody who is left, as staged in bucket %s.", r.Staging.Bucket)
	p, err := r.Plan(ctx, c)
	switch {
	case err == nil:
		return p, nil
	case fault.KindOf(err) == fault.NotFound:
		return p, r.never("")
	case fault.KindOf(err) == fault.Conflict:
		err = &adviceError{err, fmt.Sprintf("Compare once more with %s, then plan again.", r.command("reconcile run"))}
	}
	return p, err
}

func newTailPlan(io streams) *cobra.Command {
	var (
		file   string
		chosen choice
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show who is left, and what it would come to to import them",
		Long: `Show who is left by reason, as the last whole reconciliation found it, what is
chosen for each, and what that comes to: users and files, time, what it costs, how
many messages are sent when people come back, and who cannot be imported and why.
Nothing is written.

What is in no flag waits. What was excluded before stays excluded, unless it is
imported, or in --wait.

REASONS
  ` + reasonList() + exitStatus(map[int]string{
			ExitDone:   "shown",
			ExitFailed: "failed; the reconciliation is too old, or the target pool takes no import",
			ExitNoRun:  "no whole reconciliation yet",
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry tail plan
  poolferry tail plan --import all --exclude unconfirmed
  poolferry tail plan --import not_signed_in --json | jq .import`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := chosen.read(cmd)
			if err != nil {
				return err
			}
			r, err := loadTail(cmd.Context(), file)
			if err != nil {
				return err
			}
			p, err := r.plan(cmd.Context(), io, c)
			if err != nil {
				return err
			}
			view := stragglers.ViewOf(p, time.Now())
			if asJSON {
				return writeJSON(io.out, view)
			}
			if err := view.WriteText(io.out); err != nil {
				return err
			}
			if len(c.Import)+len(c.Exclude)+len(c.Wait) == 0 {
				newTalk(io.err).Say("Nothing is chosen: everybody waits. Choose with --import and --exclude.")
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	chosen.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// reasonList lists the reasons that can be chosen, wrapped.
func reasonList() string {
	var lines []string
	line := ""
	for _, reason := range verdict.PendingReasons() {
		if len(line)+len(reason) > 74 {
			lines, line = append(lines, strings.TrimSpace(line)), ""
		}
		line += string(reason) + " "
	}
	return strings.Join(append(lines, strings.TrimSpace(line)), "\n  ") + "\n  (" + string(verdict.Federated) + " cannot be imported)"
}

// noTail is the end of commands that need an import.
func (r run) noTail(id string) error {
	text := fmt.Errorf("run %s has no import in bucket %s", r.Run, r.Staging.Bucket)
	if id != "" {
		text = fmt.Errorf("run %s has no import %s in bucket %s", r.Run, id, r.Staging.Bucket)
	}
	return &exitError{code: ExitNoRun, cause: &adviceError{text, fmt.Sprintf("Plan one with %s.", r.command("tail plan"))}}
}

// oneTail takes the id of an import, or none.
func oneTail(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if document.CheckID(args[0]) != nil || len(args[0]) > 40 {
		return "", seeHelp(cmd, fmt.Sprintf("%q is no id of an import: those have 1 to 40 letters, digits, hyphens and underscores", args[0]))
	}
	return args[0], nil
}
