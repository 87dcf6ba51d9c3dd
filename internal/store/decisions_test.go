package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
)

func decisions(run string, reasons ...verdict.Reason) reconcile.Decisions {
	return reconcile.Decisions{Run: run, Exclude: append([]verdict.Reason{}, reasons...), Imports: []reconcile.Import{}, Updated: noon}
}

// TestDecisionsMoveOnce: of those who have read the same one replaces them, and
// those of another run are refused.
func TestDecisionsMoveOnce(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, runID)
	if _, _, err := run.ReadDecisions(t.Context()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	tag, err := run.SwapDecisions(t.Context(), decisions(runID), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"", "no tag of it"} {
		if _, err := run.SwapDecisions(t.Context(), decisions(runID, verdict.MFA), old); fault.KindOf(err) != fault.Conflict {
			t.Errorf("swapped with tag %q: %v", old, err)
		}
	}
	if _, err := run.SwapDecisions(t.Context(), decisions(runID, verdict.MFA, verdict.NotSignedIn), tag); err != nil {
		t.Fatal(err)
	}
	got, _, err := run.ReadDecisions(t.Context())
	if diff := cmp.Diff(decisions(runID, verdict.MFA, verdict.NotSignedIn), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	data, err := decisions("other").Encode()
	if err != nil {
		t.Fatal(err)
	}
	const key = "runs/" + runID + "/decisions.json"
	if _, err := bucket.Put(t.Context(), key, data, store.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.ReadDecisions(t.Context()); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), key) {
		t.Errorf("foreign: %v", err)
	}
	if _, err := run.SwapDecisions(t.Context(), reconcile.Decisions{}, ""); fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

func TestImportRows(t *testing.T) {
	run := store.NewRun(memory.New(), runID)
	ref, err := run.WriteImportRows(t.Context(), "tail-1", []byte("rows"), reconcile.RowsRef{Count: 1, Format: reconcile.FormatJSONL, Bucket: 3, Of: 4})
	want := fmt.Sprintf("imports/tail-1/00003-%.12s.jsonl.gz", document.DigestOf([]byte("rows")))
	if err != nil || ref.Key != want || ref.Bytes != 4 {
		t.Errorf("%+v, %v", ref, err)
	}
	if data, err := run.ReadRows(t.Context(), ref); err != nil || string(data) != "rows" {
		t.Errorf("%q, %v", data, err)
	}
}
