package store_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
)

const resultsRun = "2026-11-prod"

var resultsNoon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

func summaryOf(id string, percent float64) reconcile.Summary {
	return reconcile.Summary{
		Run: resultsRun, ID: id, Started: resultsNoon, Ended: resultsNoon, Missing: []string{}, Verdicts: map[verdict.Verdict]int{}, Reasons: reconcile.Counts{},
		Findings: map[verdict.FindingKind]int{}, Sample: []verdict.Finding{}, Percent: percent, Partial: []string{}, Stages: map[string]float64{},
		IDMap: []reconcile.RowsRef{}, Pending: []reconcile.RowsRef{}, FindingRows: []reconcile.RowsRef{},
	}
}

// TestResultsAreWrittenOnce: of several documents the first stands, and is what
// all get; one of somebody else under the key is refused.
func TestResultsAreWrittenOnce(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, resultsRun)
	ctx := t.Context()
	if _, err := run.ReadSummary(ctx, "r1"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("none yet: %v", err)
	}
	for _, percent := range []float64{50, 60} {
		if s, err := run.WriteSummary(ctx, summaryOf("r1", percent)); err != nil || s.Percent != 50 {
			t.Errorf("%v percent, %v", s.Percent, err)
		}
	}
	data, err := summaryOf("r2", 50).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(ctx, "runs/"+resultsRun+"/reconcile/r1/summary.json", data, store.Condition{}); err != nil {
		t.Fatal(err)
	}
	_, read := run.ReadSummary(ctx, "r1")
	_, written := run.WriteSummary(ctx, summaryOf("r1", 50))
	for _, err := range []error{read, written} {
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "reconcile/r1/summary.json") {
			t.Errorf("foreign: %v", err)
		}
	}
}

// TestRows have a key with their digest, and are read if they have it.
func TestRows(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, resultsRun)
	ctx := t.Context()
	for _, c := range []struct {
		bucket int
		key    string
	}{{7, "reconcile/r1/pending/00007-"}, {reconcile.ByClose, "reconcile/r1/pending/contested-"}} {
		ref, err := run.WriteRows(ctx, "r1", reconcile.PendingRows, c.bucket, []byte("rows"), reconcile.RowsRef{Count: 1, Format: reconcile.FormatJSONL, Of: 1})
		want := fmt.Sprintf("%s%.12s.jsonl.gz", c.key, document.DigestOf([]byte("rows")))
		if err != nil || ref.Key != want || ref.Bytes != 4 || ref.SHA256 != document.DigestOf([]byte("rows")) {
			t.Errorf("%+v, %v", ref, err)
		}
		if data, err := run.ReadRows(ctx, ref); err != nil || string(data) != "rows" {
			t.Errorf("%q, %v", data, err)
		}
		for _, spoil := range []func() error{
			func() error {
				_, err := bucket.Put(ctx, "runs/"+resultsRun+"/"+ref.Key, []byte("ruin"), store.Condition{})
				return err
			},
			func() error { return bucket.Delete(ctx, "runs/"+resultsRun+"/"+ref.Key) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if _, err := run.ReadRows(ctx, ref); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), ref.Key) {
				t.Errorf("spoilt: %v", err)
			}
		}
	}
}

func TestSegmentsOfResults(t *testing.T) {
	run := store.NewRun(memory.New(), resultsRun)
	ctx := t.Context()
	object, err := shuffle.PackNames([][]byte{[]byte("claims")}, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := shuffle.NewRef(object, 1)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := run.WriteClaims(ctx, "r1", 3, object, ref)
	if err != nil || claims.Key != fmt.Sprintf("reconcile/r1/claims/00003-%.12s.seg", ref.SHA256) {
		t.Errorf("%+v, %v", claims, err)
	}
	index, err := run.WriteIndexSegments(ctx, 2, 8, "item", object, ref)
	if err != nil || index.Key != fmt.Sprintf("gen-2/index-8/item-%.12s.seg", ref.SHA256) {
		t.Errorf("%+v, %v", index, err)
	}
	if got, err := run.ReadRange(ctx, index.Key, 2, 5); err != nil || !bytes.Equal(got, object[2:7]) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := run.WriteClaims(ctx, "r1", 3, object[1:], ref); fault.KindOf(err) != fault.Internal {
		t.Errorf("a reference to other bytes: %v", err)
	}
}

func TestBucketPlansAreProved(t *testing.T) {
	run := store.NewRun(memory.New(), resultsRun)
	plan := reconcile.BucketPlan{
		Run: resultsRun, ID: "r1", Bucket: 1, Buckets: 2, Skipped: []reconcile.Piece{}, Staged: []reconcile.Piece{}, Arrived: []reconcile.Piece{}, Previous: []reconcile.RowsRef{},
	}
	digest, err := run.WriteBucketPlan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run.ReadBucketPlan(t.Context(), "r1", 1, digest); err != nil || got.Bucket != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := run.ReadBucketPlan(t.Context(), "r1", 1, document.DigestOf(nil)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("of another digest: %v", err)
	}
	if _, err := run.ReadBucketPlan(t.Context(), "r1", 0, digest); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of another bucket: %v", err)
	}
}

func TestProgressIsSwapped(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, resultsRun)
	ctx := t.Context()
	if _, _, err := run.LoadProgress(ctx); fault.KindOf(err) != fault.NotFound {
		t.Errorf("none yet: %v", err)
	}
	h := progress.New(resultsRun)
	if _, err := run.SwapProgress(ctx, h, ""); err != nil {
		t.Fatal(err)
	}
	_, tag, err := run.LoadProgress(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next := h.Append(progress.Point{ID: "r1", Started: resultsNoon, Ended: resultsNoon})
	if _, err := run.SwapProgress(ctx, next, tag); err != nil {
		t.Fatal(err)
	}
	for _, stale := range []string{"", tag} {
		if _, err := run.SwapProgress(ctx, h, stale); fault.KindOf(err) != fault.Conflict {
			t.Errorf("tag %q: %v", stale, err)
		}
	}
	bucket.FailNext(memory.Put, fault.Throttled, 1)
	if _, err := run.SwapProgress(ctx, h, tag); fault.KindOf(err) != fault.Throttled {
		t.Errorf("%v", err)
	}
	foreign, err := progress.New("other").Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(ctx, "runs/"+resultsRun+"/progress.json", foreign, store.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.LoadProgress(ctx); fault.KindOf(err) != fault.Invalid {
		t.Errorf("of another run: %v", err)
	}
}

// TestSweepsWhatWasOnTheWay and nothing else.
func TestSweepsWhatWasOnTheWay(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, resultsRun)
	keep := []string{
		"gen-1/index-8/i.seg", "progress.json", "reconcile/r1/basis.json", "reconcile/r1/buckets/00000.json", "reconcile/r1/findings/00000-ab.jsonl.gz",
		"reconcile/r1/idmap/00000-ab.csv.gz", "reconcile/r1/match.json", "reconcile/r1/pending/00000-ab.jsonl.gz", "reconcile/r1/report.html",
		"reconcile/r1/summary.json", "reconcile/r1/target/all/scan.json", "reconcile/r10/plans/00000.json",
	}
	sweep := []string{
		"reconcile/r1/claims/00000-ab.seg", "reconcile/r1/contested.bin", "reconcile/r1/plans/00000.json", "reconcile/r1/plans/00001.json",
		"reconcile/r1/target/all/1/part-00000-ab.seg",
	}
	for _, key := range slices.Concat(keep, sweep) {
		if _, err := bucket.Put(t.Context(), "runs/"+resultsRun+"/"+key, []byte(key), store.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := run.SweepReconciliation(t.Context(), "r1")
	var left []string
	for _, key := range bucket.Keys() {
		left = append(left, strings.TrimPrefix(key, "runs/"+resultsRun+"/"))
	}
	if err != nil || n != len(sweep) || !slices.Equal(left, keep) {
		t.Errorf("%d deleted, left %q, %v", n, left, err)
	}
	for _, op := range []memory.Operation{memory.List, memory.Delete} {
		if _, err := bucket.Put(t.Context(), "runs/"+resultsRun+"/"+sweep[0], nil, store.Condition{}); err != nil {
			t.Fatal(err)
		}
		bucket.FailNext(op, fault.Throttled, 1)
		if _, err := run.SweepReconciliation(t.Context(), "r1"); fault.KindOf(err) != fault.Throttled {
			t.Errorf("%s fails: %v", op, err)
		}
	}
}

func TestReportsOfResults(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, resultsRun)
	for _, id := range []string{"r1", "r2"} {
		if err := run.WriteReport(t.Context(), id, []byte(id)); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]string{"reconcile/r1/report.html": "r1", "reconcile/r2/report.html": "r2", "report.html": "r2"} {
		if o, err := bucket.Get(t.Context(), "runs/"+resultsRun+"/"+key); err != nil || string(o.Body) != want {
			t.Errorf("%s has %q, %v", key, o.Body, err)
		}
	}
}

// TestIndexOfAnotherItem is not taken for that of this one.
func TestIndexOfAnotherItem(t *testing.T) {
	run := store.NewRun(memory.New(), resultsRun)
	some := document.DigestOf([]byte("x"))
	origin := manifest.Origin{Run: resultsRun, Generation: 1, PlanSHA256: some}
	item := reconcile.IndexItem{ID: "i", Generation: 1, Lines: 3, Parts: 1, Bytes: 9}
	indexed := reconcile.Indexed{
		Origin: origin, Item: item, Buckets: 2, MappingSHA256: some, Target: "t", By: "r1", Began: resultsNoon, Ended: resultsNoon,
		Segments: shuffle.Ref{Key: "k", Bytes: 1, SHA256: some, Count: 3},
	}
	if _, err := run.WriteIndexed(t.Context(), indexed); err != nil {
		t.Fatal(err)
	}
	if _, err := run.ReadIndexed(t.Context(), origin, 2, item); err != nil {
		t.Error(err)
	}
	item.Parts = 2
	if _, err := run.ReadIndexed(t.Context(), origin, 2, item); fault.KindOf(err) != fault.Invalid {
		t.Errorf("of other parts: %v", err)
	}
}
