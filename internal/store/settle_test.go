package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
)

// TestSettle: the state moves by compare-and-swap, and is that of the run.
func TestSettle(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, resultsRun)
	ctx := t.Context()
	if _, _, err := run.ReadSettle(ctx); fault.KindOf(err) != fault.NotFound {
		t.Errorf("none yet: %v", err)
	}
	first := settle.State{Run: resultsRun, Updated: resultsNoon, Queue: []settle.Entry{{ID: "r1", Rows: 3}}}
	tag, err := run.SwapSettle(ctx, first, "")
	if err != nil {
		t.Fatal(err)
	}
	second := first
	second.Updated = resultsNoon.Add(time.Minute)
	for _, stale := range []string{"", `"x"`} {
		if _, err := run.SwapSettle(ctx, second, stale); fault.KindOf(err) != fault.Conflict {
			t.Errorf("tag %s: %v", stale, err)
		}
	}
	bucket.LoseNext(memory.Put, fault.Unavailable, 1)
	if _, err := run.SwapSettle(ctx, second, tag); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an answer that is lost: %v", err)
	}
	if _, err := run.SwapSettle(ctx, second, tag); err != nil {
		t.Errorf("a write that meets itself: %v", err)
	}
	got, _, err := run.ReadSettle(ctx)
	if diff := cmp.Diff(second, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	foreign := first
	foreign.Run = "other"
	data, err := foreign.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(ctx, "runs/"+resultsRun+"/settle.json", data, store.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.ReadSettle(ctx); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "settle.json") {
		t.Errorf("foreign: %v", err)
	}
}

// TestUnsettled: rows that failed are read like any other rows, until they are
// deleted.
func TestUnsettled(t *testing.T) {
	run := store.NewRun(memory.New(), resultsRun)
	ctx := t.Context()
	rows := []settle.Unsettled{{SettleRow: reconcile.SettleRow{LegacySub: "old", Sub: "new", Username: "ann"}, Attempts: 2, Kind: fault.Invalid, Code: "X", Last: resultsNoon}}
	data, err := reconcile.EncodeRows(rows)
	if err != nil {
		t.Fatal(err)
	}
	for of, prefix := range map[settle.Kept]string{settle.ToTryAgain: "settle/failed-", settle.Abandoned: "settle/given-up-"} {
		ref, err := run.WriteUnsettled(ctx, of, data, reconcile.RowsRef{Count: 1, Format: reconcile.FormatJSONL, Of: 1})
		if err != nil || !strings.HasPrefix(ref.Key, prefix) {
			t.Fatalf("%+v, %v", ref, err)
		}
		read, err := run.ReadRows(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := reconcile.DecodeRows[settle.Unsettled](read, ref)
		if diff := cmp.Diff(rows, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if err := run.DeleteUnsettled(ctx, ref); err != nil {
			t.Error(err)
		}
		if _, err := run.ReadRows(ctx, ref); fault.KindOf(err) != fault.Invalid {
			t.Errorf("deleted: %v", err)
		}
	}
}
