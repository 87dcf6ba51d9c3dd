package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/cognito"
	"poolferry/internal/cutover"
	"poolferry/internal/erasure"
	"poolferry/internal/fault"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
)

// forgotten is what forget has done or found, as JSON. It names nobody: a sub is
// there as its SHA-256.
type forgotten struct {
	Version   int               `json:"version"`
	Run       string            `json:"run"`
	SubSHA256 string            `json:"sub_sha256"`
	Begun     *time.Time        `json:"begun,omitempty"` // as the receipt says
	Ended     *time.Time        `json:"ended,omitempty"`
	Lines     *int              `json:"lines,omitempty"` // of the manifest
	Rewritten *int              `json:"rewritten,omitempty"`
	Edited    *int              `json:"edited,omitempty"`
	Deleted   *int              `json:"deleted,omitempty"`
	Searched  *erasure.Searched `json:"searched,omitempty"`
	Traces    []erasure.Trace   `json:"traces"`

	nobody  bool               // nothing was about the sub, now or before
	receipt *erasure.Receipt   // nil where there is none
	done    *erasure.Forgotten // nil for a check
}

func newForget(io streams) *cobra.Command {
	var (
		file               string
		check, asJSON      bool
		targets, usernames []string
		confirm            confirmation
	)
	cmd := &cobra.Command{
		Use:   "forget SUB",
		Short: "Take one person out of everything that the run has, for good",
		Long: `Take one person, by their sub at the source, out of everything that the run has:
all generations of the manifest, id map, pending users, findings and samples of
all reconciliations, what is to be settled, and files of imports. What the bucket
keeps of older versions is deleted as a whole, of everybody: nobody could say who
is in it. Then every version of every object is searched for the person, and a
receipt is written that holds no personal data.

The person must be gone from both pools first; otherwise the next seeding would
bring them back. Nothing else may be at work on the run. Killed anywhere, the same
command goes on.

Afterwards the index of the manifest is gone, and with it what the guard of
registrations goes by: run a reconciliation, which makes it anew.

With --check nothing is changed: every version of every object is unpacked and
searched for the sub, for what the receipt knows of the subs at the target, and
for what else is given.` + exitStatus(map[int]string{
			ExitDone:      "forgotten; with --check, nothing of the person is left",
			ExitFailed:    "failed, not confirmed, or the person is still in a pool",
			ExitFindings:  "something of the person is there, in the objects that are named",
			ExitRunning:   "a seeding, a settling or an import is not done",
			ExitLeaseHeld: "a reconciliation, or another erasure, is at work",
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitLeaseHeld),
		Example: `  poolferry forget 5d3c6a1e-0000-4000-8000-000000000001
  poolferry forget --check 5d3c6a1e-0000-4000-8000-000000000001 --username ada`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := erasure.Person{Sub: userpool.Sub(args[0]), Usernames: usernames}
			for _, sub := range targets {
				p.Targets = append(p.Targets, userpool.Sub(sub))
			}
			for _, sub := range append([]userpool.Sub{p.Sub}, p.Targets...) {
				if err := erasure.CheckSub(sub); err != nil {
					return seeHelp(cmd, err.Error())
				}
			}
			if !check && len(targets)+len(usernames) > 0 {
				return seeHelp(cmd, "--target-sub and --username are for --check: what is to be forgotten, forget finds out itself")
			}
			if !check {
				if err := confirm.possible(cmd, io); err != nil {
					return err
				}
			}
			r, err := loadRun(cmd.Context(), file)
			if err != nil {
				return err
			}
			var out forgotten
			if check {
				out, err = r.checkForgotten(cmd.Context(), io, p)
			} else {
				out, err = r.forget(cmd.Context(), io, p.Sub, &confirm)
			}
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(io.out, out)
			} else {
				err = out.writeText(io)
			}
			if err == nil && len(out.Traces) > 0 {
				err = &exitError{code: ExitFindings}
			}
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&check, "check", false, "change nothing, search for what is left")
	cmd.Flags().StringSliceVar(&targets, "target-sub", nil, "with --check: a `SUB` of the person in the target pool")
	cmd.Flags().StringSliceVar(&usernames, "username", nil, "with --check: a `NAME` of the person in either pool")
	confirm.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// pool is a pool that a person must be gone from.
type pool struct{ *cognito.Directory }

// Find implements erasure.Pool. A pool that was deleted has nobody.
func (p pool) Find(ctx context.Context, name string) ([]userpool.User, error) {
	users, err := p.Directory.Find(ctx, name)
	if cognito.Code(err) == "ResourceNotFoundException" {
		return nil, nil
	}
	return users, err
}

// erasing is the erasing in the run.
func (r run) erasing(ctx context.Context, io streams) (*erasure.Erasure, *store.Erasure, error) {
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: r.Staging.Bucket, Region: r.Target.Region, Env: os.LookupEnv})
	if err != nil {
		return nil, nil, err
	}
	objects, talk := store.NewErasure(bucket, r.Run), newTalk(io.err)
	source := cognito.NewDirectory(r.account, r.Source.Region, r.Source.PoolID, cognito.Role{
		ARN: r.Source.ExportRoleARN, ExternalID: r.Source.ExternalID, SessionName: "poolferry-forget",
	})
	return erasure.New(erasure.Options{
		Run: r.Run, By: operator(), Store: objects, Now: time.Now,
		Source: pool{source}, Target: pool{cognito.NewDirectory(r.account, r.Target.Region, r.Target.PoolID, cognito.Role{})},
		CutOver: func(ctx context.Context) (bool, error) { return isCutOver(ctx, objects) },
		Tell:    func(stage string) { talk.Say("%s…", strings.ToUpper(stage[:1])+stage[1:]) },
	}), objects, nil
}

// isCutOver reports whether the run is cut over, as far as it has done so itself or
// has looked.
func isCutOver(ctx context.Context, objects *store.Erasure) (bool, error) {
	j, _, err := objects.ReadCutoverJournal(ctx)
	if fault.KindOf(err) == fault.NotFound {
		return false, nil
	}
	return j.State == cutover.CutOver, err
}

// forget shows, asks and forgets.
func (r run) forget(ctx context.Context, io streams, sub userpool.Sub, confirm *confirmation) (forgotten, error) {
	out := forgotten{Version: 1, Run: r.Run, SubSHA256: string(erasure.DigestOf(sub)), Traces: []erasure.Trace{}}
	if r.Source.ExportRoleARN == "" {
		return out, &usageError{
			text: r.file + " has no source.export_role_arn: the login role may not list users",
			next: "Add the export role that infra/ creates in the source account.",
		}
	}
	e, objects, err := r.erasing(ctx, io)
	if err != nil {
		return out, err
	}
	_, err = objects.ReadReceipt(ctx, erasure.DigestOf(sub))
	before := err == nil
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return out, err
	}
	talk := newTalk(io.err)
	talk.Say("User %s of source pool %s is taken out of everything that run %s has in bucket %s,\nand all older versions of its objects are deleted. There is no way back.", sub, r.Source.PoolID, r.Run, r.Staging.Bucket)
	if err := confirm.ask(ctx, io, "Forget this person?"); err != nil {
		return out, err
	}
	done, err := e.Forget(ctx, sub)
	if left, ok := errors.AsType[*erasure.FoundError](err); ok {
		out.Traces = left.Traces
		talk.Say("%s. What other users' attributes say of the person is theirs: change it at the source, stage anew with %s,\nand purge what was staged before.", left, r.command("seed start --generation new"))
		return out, nil
	}
	if err != nil {
		return out, r.notErased(err)
	}
	out.of(&done.Receipt, done.Receipt.Searched)
	out.nobody = !before && done.Lines+done.Rewritten+done.Edited == 0
	out.done, out.Lines, out.Rewritten, out.Edited, out.Deleted = &done, &done.Lines, &done.Rewritten, &done.Edited, &done.Deleted
	talk.Say("Make the index anew with %s: until then the guard of registrations cannot say whose a name is.", r.command("reconcile run"))
	return out, nil
}

// notErased gives errors of an erasure their exit codes, with the next step.
func (r run) notErased(err error) error {
	held, isHeld := errors.AsType[*erasure.HeldError](err)
	_, isBusy := errors.AsType[*erasure.BusyError](err)
	there, isThere := errors.AsType[*erasure.ThereError](err)
	switch {
	case isHeld:
		return &exitError{code: ExitLeaseHeld, cause: &adviceError{err, fmt.Sprintf("Wait until it has ended, or until %s.", held.Until.Format(time.RFC3339))}}
	case isBusy:
		return &exitError{code: ExitRunning, cause: &adviceError{err, fmt.Sprintf("Wait until it is done; %s stops a seeding, %s shows the imports, and %s goes on with one.", r.command("seed stop"), r.command("tail status"), r.command("tail start ID"))}}
	case isThere:
		return &adviceError{err, fmt.Sprintf("Nothing was changed. Delete the user of the %s pool first, else the next seeding or sign-in brings them back.", there.Where)}
	case errors.Is(err, erasure.ErrNotCutOver):
		return &adviceError{err, fmt.Sprintf("See %s. If the migration is given up, add --before-cutover.", r.command("cutover plan"))}
	}
	return err
}

// checkForgotten searches.
func (r run) checkForgotten(ctx context.Context, io streams, p erasure.Person) (forgotten, error) {
	out := forgotten{Version: 1, Run: r.Run, SubSHA256: string(erasure.DigestOf(p.Sub)), Traces: []erasure.Trace{}}
	e, _, err := r.erasing(ctx, io)
	if err != nil {
		return out, err
	}
	checked, err := e.Check(ctx, p)
	if err != nil {
		return out, err
	}
	out.Traces = append(out.Traces, checked.Traces...)
	out.of(checked.Receipt, checked.Searched)
	return out, nil
}

// of fills in what a receipt says, and what was searched.
func (f *forgotten) of(r *erasure.Receipt, searched erasure.Searched) {
	f.Searched = &searched
	if f.receipt = r; r != nil {
		f.Begun, f.Ended = &r.Begun, &r.Ended
	}
}

// mostTraces is how many traces a person is shown.
const mostTraces = 20

func (f forgotten) writeText(io streams) error {
	var b strings.Builder
	if f.done != nil {
		fmt.Fprintf(&b, "forgotten     %d lines of the manifest, %d objects of rows, %d documents; %d old versions deleted\n", *f.Lines, *f.Rewritten, *f.Edited, *f.Deleted)
	}
	if f.nobody {
		b.WriteString("              Nothing of the run was about this sub: see that it is not mistyped.\n")
	}
	if f.Searched != nil {
		fmt.Fprintf(&b, "searched      %d versions of %d objects, %d bytes\n", f.Searched.Versions, f.Searched.Objects, f.Searched.Bytes)
	}
	switch {
	case f.receipt != nil:
		fmt.Fprintf(&b, "receipt       %s, forgotten %s\n", f.SubSHA256, f.Ended.Format(time.RFC3339))
	case len(f.Traces) == 0:
		fmt.Fprintf(&b, "receipt       none: run %s was never told to forget this sub\n", f.Run)
	}
	if len(f.Traces) == 0 {
		b.WriteString("left          none found\n")
	} else {
		fmt.Fprintf(&b, "left          %d traces\n", len(f.Traces))
	}
	for _, trace := range f.Traces[:min(len(f.Traces), mostTraces)] {
		fmt.Fprintf(&b, "  %-10s  %s", trace.What, trace.Key)
		if !trace.Latest {
			fmt.Fprintf(&b, "  (old version %s)", trace.Version)
		}
		b.WriteString("\n")
	}
	if more := len(f.Traces) - mostTraces; more > 0 {
		fmt.Fprintf(&b, "  and %d more: --json lists all\n", more)
	}
	_, err := io.out.Write([]byte(b.String()))
	return err
}
