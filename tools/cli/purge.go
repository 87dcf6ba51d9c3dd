package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/erasure"
	"poolferry/internal/fault"
)

// purged is what purge has done, as JSON: the receipt.
type purged struct {
	Version   int              `json:"version"`
	Run       string           `json:"run"`
	Begun     time.Time        `json:"begun"`
	Ended     time.Time        `json:"ended"`
	CutOver   bool             `json:"cut_over"`
	Total     erasure.Amount   `json:"total"`
	Purged    []erasure.Purged `json:"purged"`
	Inventory string           `json:"inventory_sha256"`
	Keys      []string         `json:"encryption_keys"`
	Kept      []string         `json:"kept"`
}

func newPurge(io streams) *cobra.Command {
	var (
		file, repeated string
		early, asJSON  bool
		confirm        confirmation
	)
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Delete all that was staged of the run, for good",
		Long: `Delete everything that the run has in its bucket, in every version: the manifest,
reconciliations with their id maps, files of imports, and what the commands have
noted. What is going to be deleted is shown first, and the run's id has to be
typed. What stays holds no personal data: the history of counts, the settings that
a cut-over has kept for rollback, and receipts.

A receipt is written before anything is deleted, and completed when a new list
shows that nothing is left: counts and bytes of each kind, a digest of the list of
all versions, the keys with which the bucket encrypts, when, and by whom.

The run must be cut over; --before-cutover is for a migration that is given up.
Take the id map along first, if an application still needs it, and switch the
schedule of reconciliations off. Killed anywhere, the same command goes on.` + exitStatus(map[int]string{
			ExitDone:      "purged, now or before",
			ExitFailed:    "failed, not confirmed, or not cut over",
			ExitRunning:   "a seeding, a settling or an import is not done",
			ExitNoRun:     "there is nothing of the run, and there never was",
			ExitLeaseHeld: "a reconciliation, or another erasure, is at work",
		}, ExitDone, ExitFailed, ExitRunning, ExitNoRun, ExitLeaseHeld),
		Example: `  poolferry purge
  poolferry purge --yes --run 2026-11-prod --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := confirm.possible(cmd, io); err != nil {
				return err
			}
			if confirm.yes && repeated == "" {
				return &usageError{text: "purge --yes deletes without asking, and does not say what", next: "Add --run with the id of the run."}
			}
			r, err := loadRun(cmd.Context(), file)
			if err != nil {
				return err
			}
			if repeated != "" && repeated != r.Run {
				return &usageError{text: fmt.Sprintf("--run: %q is not the run %q of %s", repeated, r.Run, file), next: "Nothing was deleted. Name the configuration of the run that is to be purged with --config."}
			}
			receipt, err := r.purge(cmd.Context(), io, early, &confirm)
			if err != nil {
				return r.notErased(err)
			}
			if asJSON {
				return writeJSON(io.out, receipt)
			}
			return receipt.writeText(io)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&repeated, "run", "", "the run's `ID`, once more; needed with --yes")
	cmd.Flags().BoolVar(&early, "before-cutover", false, "also where the run was not cut over")
	confirm.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// purge shows, asks and purges.
func (r run) purge(ctx context.Context, io streams, early bool, confirm *confirmation) (purged, error) {
	e, objects, err := r.erasing(ctx, io)
	if err != nil {
		return purged{}, err
	}
	inventory, err := e.Inventory(ctx)
	if err != nil {
		return purged{}, err
	}
	last, _, err := objects.LoadPurge(ctx)
	known := err == nil
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return purged{}, err
	}
	talk := newTalk(io.err)
	switch {
	case inventory.Total == (erasure.Amount{}) && known && !last.Ended.IsZero():
		talk.Say("Run %s was purged %s: there is nothing left to delete.", r.Run, last.Ended.Format(time.RFC3339))
		return purgedOf(last), nil
	case inventory.Total == (erasure.Amount{}) && !known:
		return purged{}, &exitError{code: ExitNoRun, cause: &adviceError{
			fmt.Errorf("run %s has nothing in bucket %s", r.Run, r.Staging.Bucket), "Name another configuration with --config FILE.",
		}}
	case known && last.Ended.IsZero():
		talk.Say("A purge was begun %s by %s and has not ended: going on.", last.Begun.Format(time.RFC3339), last.By)
	}
	if done, err := isCutOver(ctx, objects); err != nil || !done && !early {
		return purged{}, cmp.Or(err, erasure.ErrNotCutOver)
	}
	talk.Say("Everything of run %s in bucket %s is deleted, in every version. There is no way back.\n", r.Run, r.Staging.Bucket)
	if err := writeAmounts(io, inventory.Purged, inventory.Total); err != nil {
		return purged{}, err
	}
	if len(inventory.Kept) > 0 {
		talk.Say("\nWhat stays, without personal data: %s.", strings.Join(inventory.Kept, ", "))
	}
	if err := confirm.typed(ctx, io, "Purge?", r.Run); err != nil {
		return purged{}, err
	}
	receipt, err := e.Purge(ctx, early)
	return purgedOf(receipt), err
}

func purgedOf(r erasure.PurgeReceipt) purged {
	return purged{1, r.Run, r.Begun, r.Ended, r.CutOver, r.Total, r.Purged, string(r.InventorySHA256), r.Keys, r.Kept}
}

// writeAmounts writes a table to stderr.
func writeAmounts(io streams, kinds []erasure.Purged, total erasure.Amount) error {
	w := tabwriter.NewWriter(io.err, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "objects\tversions\tmarkers\tbytes\t\t")
	row := func(what string, a erasure.Amount) {
		_, _ = fmt.Fprintf(w, "%d\t%d\t%d\t%d\t\t%s\n", a.Objects, a.Versions, a.Markers, a.Bytes, what)
	}
	for _, k := range kinds {
		row(k.Pattern, k.Amount)
	}
	row("in all", total)
	return w.Flush()
}

func (p purged) writeText(io streams) error {
	_, err := fmt.Fprintf(io.out, "purged        %d versions and %d delete markers of %d objects, %d bytes\nreceipt       begun %s, ended %s\ninventory     %s\nkeys          %s\nleft          none found\n",
		p.Total.Versions, p.Total.Markers, p.Total.Objects, p.Total.Bytes, p.Begun.Format(time.RFC3339), p.Ended.Format(time.RFC3339), p.Inventory, strings.Join(p.Keys, ", "))
	return err
}
