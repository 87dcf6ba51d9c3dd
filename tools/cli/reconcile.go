package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/store"
	"poolferry/lambdas"
	"poolferry/tools/standing"
)

func newReconcile(io streams) *cobra.Command {
	return group("reconcile", "Compare what is staged with the target pool",
		`Compare what is staged of the source pool with the users of the target pool: who
has moved, who has not and why, and what somebody ought to look at. A state
machine does the work, by schedule or when it is told to, one reconciliation of a
run at a time; these commands start it and show what it has found. Nothing is
written to a pool.

A reconciliation has an id, which is the name of its execution. Commands that
take one take the latest without it.`,
		`  poolferry reconcile run
  poolferry reconcile findings --severity critical
  poolferry reconcile idmap --format csv > idmap.csv`,
		newReconcileRun(io), newReconcileStatus(io), newReconcileFindings(io), newReconcilePending(io), newReconcileIDMap(io))
}

// reconciled is a configured run with its reconciliations.
type reconciled struct {
	run
	*reconcile.Reconciliation
	bucket *store.Run
}

func loadReconciled(ctx context.Context, file string) (reconciled, error) {
	r, err := loadRun(ctx, file)
	if err != nil {
		return reconciled{run: r}, err
	}
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: r.Staging.Bucket, Region: r.Target.Region, Env: os.LookupEnv})
	if err != nil {
		return reconciled{run: r}, err
	}
	all, err := lambdas.NewReconciliation(ctx, r.Config, lambdas.Process(), nil)
	return reconciled{r, all, store.NewRun(bucket, r.Run)}, err
}

// oneID takes the id of a reconciliation, or none.
func oneID(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if document.CheckID(args[0]) != nil {
		return "", seeHelp(cmd, fmt.Sprintf("%q is no id of a reconciliation: those have 1 to 80 letters, digits, hyphens and underscores", args[0]))
	}
	return args[0], nil
}

// oneOf refuses a flag's value that is not known. An empty value is that of a
// flag that was not given.
func oneOf[V ~string](cmd *cobra.Command, flag, value string, known []V) error {
	if value == "" && !cmd.Flags().Changed(flag) || slices.Contains(known, V(value)) {
		return nil
	}
	var similar, all []string
	for _, k := range known {
		all = append(all, string(k))
		if levenshtein.ComputeDistance(string(k), value) <= 3 {
			similar = append(similar, string(k))
		}
	}
	hint := didYouMean(similar)
	if hint == "" {
		hint = "; want " + strings.Join(all, ", ")
	}
	return seeHelp(cmd, fmt.Sprintf("--%s: %q is not known%s", flag, value, hint))
}

// never is the end of commands that need a reconciliation that has counted
// something, or one of an id.
func (r run) never(id string) error {
	text := fmt.Errorf("run %s has no reconciliation in bucket %s that has counted anything", r.Run, r.Staging.Bucket)
	next := fmt.Sprintf("Begin with %s, or name another configuration with --config FILE.", r.command("reconcile run"))
	if id != "" {
		text = fmt.Errorf("run %s has no reconciliation %s in bucket %s that has ended", r.Run, id, r.Staging.Bucket)
		next = fmt.Sprintf("See %s for the last ones.", r.command("status"))
	}
	return &exitError{code: ExitNoRun, cause: &adviceError{text, next}}
}

// summary returns the final word on the reconciliation of an id; without one, on
// the latest whole one, or, before there is one, the latest that counted
// anything.
func (r reconciled) summary(ctx context.Context, id string) (reconcile.Summary, error) {
	asked := id
	if asked == "" {
		known, err := r.Status(ctx)
		if err != nil {
			return reconcile.Summary{}, err
		}
		figures, ok := known.History.Figures()
		if !ok {
			return reconcile.Summary{}, r.never("")
		}
		id = figures.ID
	}
	s, err := r.Summary(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return s, r.never(id)
	}
	return s, err
}

// counted is summary for those who want rows: a reconciliation that has counted
// something. It says so where that is not all.
func (r reconciled) counted(ctx context.Context, io streams, id string) (reconcile.Summary, error) {
	s, err := r.summary(ctx, id)
	if err != nil {
		return s, err
	}
	if s.Failure != "" {
		return s, &adviceError{
			fmt.Errorf("reconciliation %s of run %s has failed (%s): it has counted nothing", s.ID, r.Run, s.Failure),
			fmt.Sprintf("When the cause is gone, begin another with %s.", r.command("reconcile run")),
		}
	}
	talk := newTalk(io.err)
	talk.Say("Reconciliation %s of run %s, ended %s.", s.ID, r.Run, s.Ended.UTC().Format(time.RFC3339))
	if len(s.Partial) > 0 {
		talk.Say("It is partial, so this is not about all users: %s.", standing.Because(s.Partial))
	}
	return s, nil
}

// outcomeError carries the exit code of what a reconciliation has found; the
// output has said it all.
func outcomeError(o standing.Outcome) error {
	switch {
	case o.State == standing.Failed:
		return &exitError{code: ExitFailed}
	case o.Troubled():
		return &exitError{code: ExitFindings}
	}
	return nil
}
