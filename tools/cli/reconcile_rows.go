package cli

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/tools/standing"
)

func newReconcileFindings(io streams) *cobra.Command {
	var (
		file, kind, severity string
		asJSON               bool
	)
	cmd := &cobra.Command{
		Use:   "findings [ID]",
		Short: "List what somebody ought to look at",
		Long: `List the findings of the latest reconciliation, or that of an id, with the subs of
the users whom they are about, and what to do about each kind. There are no names
and no attribute values; poolferry explain, or the pools, have them.

A table shows the worst of them. With --json all are streamed, one object on a
line.

KINDS
` + kindList() + exitStatus(map[int]string{
			ExitDone:   "listed, if there are any",
			ExitFailed: "failed; an object is damaged, or the reconciliation has counted nothing",
			ExitNoRun:  "no reconciliation yet, or none of this id",
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry reconcile findings --severity critical
  poolferry reconcile findings --kind drift --json | jq -r .source_sub`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneID(cmd, args)
			if err == nil {
				err = oneOf(cmd, "kind", kind, verdict.FindingKinds())
			}
			if err == nil {
				err = oneOf(cmd, "severity", severity, verdict.Severities())
			}
			if err != nil {
				return err
			}
			r, s, err := loadCounted(cmd.Context(), io, file, id)
			if err != nil {
				return err
			}
			findings := only(r.Findings(cmd.Context(), s.ID), func(f verdict.Finding) bool {
				return (kind == "" || f.Kind == verdict.FindingKind(kind)) && (severity == "" || f.Severity == verdict.Severity(severity))
			})
			if asJSON {
				return r.cut(standing.WriteFindings(io.out, findings), s.ID)
			}
			gathered := standing.NewFindings(standing.MostFindings)
			for f, err := range findings {
				if err != nil {
					return err
				}
				gathered.Add(f)
			}
			return gathered.WriteText(io.out)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&kind, "kind", "", "findings of this `KIND` alone")
	cmd.Flags().StringVar(&severity, "severity", "", "findings of this `SEVERITY` alone: critical, warning or info")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON object per finding to stdout")
	return cmd
}

func kindList() (list string) {
	for _, k := range verdict.FindingKinds() {
		list += fmt.Sprintf("  %-18s %s\n", k, k.Severity())
	}
	return list[:len(list)-1]
}

func newReconcilePending(io streams) *cobra.Command {
	var (
		file, reason string
		all, asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "pending [ID]",
		Short: "List who is left, and why",
		Long: `List the users who had not moved at the latest reconciliation, or at that of an
id: sub, verdict and reason, one on a line. With --all those are listed too who
are excluded, or are missing in the source pool.` + exitStatus(map[int]string{
			ExitDone:   "listed, if there are any",
			ExitFailed: "failed; an object is damaged, or the reconciliation has counted nothing",
			ExitNoRun:  "no reconciliation yet, or none of this id",
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry reconcile pending --reason disabled
  poolferry reconcile pending --json | jq -r .sub`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneID(cmd, args)
			if err == nil {
				err = oneOf(cmd, "reason", reason, append(verdict.PendingReasons(), verdict.Vanished))
			}
			if err != nil {
				return err
			}
			r, s, err := loadCounted(cmd.Context(), io, file, id)
			if err != nil {
				return err
			}
			rows := only(r.Pending(cmd.Context(), s.ID), func(p reconcile.PendingRow) bool {
				return (all || p.Verdict == verdict.Pending) && (reason == "" || p.Reason == verdict.Reason(reason))
			})
			if asJSON {
				return r.cut(standing.WritePending(io.out, rows), s.ID)
			}
			counts, err := standing.WritePendingText(io.out, rows)
			standing.Advise(io.err, counts)
			return r.cut(err, s.ID)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&reason, "reason", "", "users of this `REASON` alone, such as disabled")
	cmd.Flags().BoolVar(&all, "all", false, "also who is excluded, or missing in the source pool")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON object per user to stdout")
	return cmd
}

func newReconcileIDMap(io streams) *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "idmap [ID]",
		Short: "Stream who each source user is at the target",
		Long: `Stream the id map of the latest reconciliation, or of that of an id: the sub and
username of each user at the source, and those of the same user at the target.
Whoever has stored something under the old sub needs it to find the new one. It
holds usernames, which are personal data: keep it as you keep the pools.

Each object is checked against its digest before any of its rows is written.
Where one is damaged the command fails and names it; what was written until then
is not all.` + exitStatus(map[int]string{
			ExitDone:   "all rows were written",
			ExitFailed: "failed; an object is damaged, and what was written is not all",
			ExitNoRun:  "no reconciliation yet, or none of this id",
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry reconcile idmap > idmap.jsonl
  poolferry reconcile idmap --format csv > idmap.csv || rm idmap.csv`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := oneID(cmd, args)
			if err == nil {
				err = oneOf(cmd, "format", format, standing.Formats())
			}
			if err != nil {
				return err
			}
			r, s, err := loadCounted(cmd.Context(), io, file, id)
			if err != nil {
				return err
			}
			talk := newTalk(io.err)
			talk.Say("The id map holds usernames: this is personal data.")
			n, err := standing.WriteIDMap(io.out, format, r.IDMap(cmd.Context(), s.ID))
			if err == nil {
				talk.Say("Rows: %d.", n)
			}
			return r.cut(err, s.ID)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&format, "format", standing.JSONL, "jsonl or csv")
	return cmd
}

func loadCounted(ctx context.Context, io streams, file, id string) (reconciled, reconcile.Summary, error) {
	r, err := loadReconciled(ctx, file)
	if err != nil {
		return r, reconcile.Summary{}, err
	}
	s, err := r.counted(ctx, io, id)
	return r, s, err
}

// cut is the end of a stream that has broken: whoever reads it must not take it
// for all.
func (r reconciled) cut(err error, id string) error {
	if err == nil {
		return nil
	}
	return &adviceError{
		fmt.Errorf("reconciliation %s of run %s: %w", id, r.Run, err),
		"What was written until here is not all: do not use it.",
	}
}

// only leaves rows out.
func only[Row any](rows iter.Seq2[Row, error], wanted func(Row) bool) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for row, err := range rows {
			if (err != nil || wanted(row)) && !yield(row, err) {
				return
			}
		}
	}
}
