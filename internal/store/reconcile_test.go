package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
)

func lease(id string) reconcile.Lease {
	return reconcile.Lease{Run: runID, ID: id, Execution: "arn:" + id, Taken: noon, Until: noon.Add(time.Minute)}
}

func basis(id string, buckets int) reconcile.Basis {
	return reconcile.Basis{
		Run: runID, ID: id, Execution: "arn:" + id, Opened: noon, Skipped: []reconcile.Staged{}, Items: []reconcile.IndexItem{}, Partial: []string{},
		Target: reconcile.Target{Shards: scan.Serial(), Pool: reconcile.Pool{ID: "p", Schema: []reconcile.Attribute{}}}, Buckets: buckets,
	}
}

// TestLeaseMovesOnce: of those who have read the same one replaces it; a write
// whose answer was lost, repeated, is no rival of itself.
func TestLeaseMovesOnce(t *testing.T) {
	bucket := memory.New()
	run := store.NewRun(bucket, runID)
	if _, _, err := run.ReadLease(t.Context()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	bucket.LoseNext(memory.Put, fault.Unavailable, 1)
	if _, err := run.SwapLease(t.Context(), lease("r1"), ""); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	tag, err := run.SwapLease(t.Context(), lease("r1"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"", "no tag of it"} {
		if _, err := run.SwapLease(t.Context(), lease("r2"), old); fault.KindOf(err) != fault.Conflict {
			t.Errorf("swapped with tag %q: %v", old, err)
		}
	}
	if _, err := run.SwapLease(t.Context(), lease("r2"), tag); err != nil {
		t.Fatal(err)
	}
	got, _, err := run.ReadLease(t.Context())
	if diff := cmp.Diff(lease("r2"), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestFirstBasisStands: and the first list of items.
func TestFirstBasisStands(t *testing.T) {
	run := store.NewRun(memory.New(), runID)
	for _, buckets := range []int{4, 8} {
		got, err := run.WriteBasis(t.Context(), basis("r1", buckets))
		if diff := cmp.Diff(basis("r1", 4), got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		key, standing, err := run.WriteItems(t.Context(), "r1", "index", []byte{'0' + byte(buckets)})
		if err != nil || string(standing) != "4" || key != "runs/"+runID+"/reconcile/r1/items/index.json" {
			t.Errorf("%s: %s, %v", key, standing, err)
		}
	}
	if _, err := run.WriteBasis(t.Context(), reconcile.Basis{}); fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

// TestForeignReconciliations: what lies under a key and is of elsewhere is named
// and refused.
func TestForeignReconciliations(t *testing.T) {
	bucket := memory.New()
	run, other := store.NewRun(bucket, runID), store.NewRun(bucket, "2027-other")
	shard := scan.Serial()[0]
	s := reconcile.NewScan(runID, "r1", shard, noon)
	_, err := run.SwapLease(t.Context(), lease("r1"), "")
	if err == nil {
		_, err = run.WriteBasis(t.Context(), basis("r1", 1))
	}
	if err == nil {
		_, err = run.SwapScan(t.Context(), s, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range bucket.Keys() {
		o, err := bucket.Get(t.Context(), key)
		if err == nil {
			_, err = bucket.Put(t.Context(), "runs/2027-other"+key[len("runs/"+runID):], o.Body, store.Condition{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, _, err := run.LoadScan(t.Context(), "r1", shard); err != nil || cmp.Diff(s, got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	_, _, leaseErr := other.ReadLease(t.Context())
	_, basisErr := other.ReadBasis(t.Context(), "r1")
	_, _, scanErr := other.LoadScan(t.Context(), "r1", shard)
	_, _, shardErr := run.LoadScan(t.Context(), "r1", manifest.Shard{ID: "all", Content: manifest.Profiles, Filter: "x"})
	for what, err := range map[string]error{"lease.json": leaseErr, "reconcile/r1/basis.json": basisErr, "target/all/scan.json: scan is of": scanErr, "target/all/scan.json": shardErr} {
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestScanPartIsItsBytes: a reference to other bytes is a bug.
func TestScanPartIsItsBytes(t *testing.T) {
	run := store.NewRun(memory.New(), runID)
	s := reconcile.NewScan(runID, "r1", scan.Serial()[0], noon)
	ref := shuffle.Ref{Bytes: 3, SHA256: manifest.DigestOf([]byte("abc")), Count: 1}
	got, err := run.WriteScanPart(t.Context(), s, 4, []byte("abc"), ref)
	if err != nil || got.Key != "reconcile/r1/target/all/1/part-00004-ba7816bf8f01.seg" {
		t.Errorf("%+v, %v", got, err)
	}
	if data, err := run.ReadRange(t.Context(), got.Key, 1, 2); err != nil || string(data) != "bc" {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := run.WriteScanPart(t.Context(), s, 4, []byte("abd"), ref); fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

func TestListIndexed(t *testing.T) {
	bucket := memory.New()
	for _, key := range []string{
		"gen-1/index-4/g00001-s000-i00000.json", "gen-1/index-4/g00001-s000-i00000-ba7816bf8f01.seg", "gen-1/index-4/g00001-s001-i00000-ba7816bf8f01.seg",
		"gen-1/index-4/g00001-s002-i00000.json", "gen-1/index-40/g00001-s003-i00000.json", "gen-11/index-4/g00011-s000-i00000.json",
	} {
		if _, err := bucket.Put(t.Context(), "runs/"+runID+"/"+key, nil, store.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	run := store.NewRun(bucket, runID)
	got, err := run.ListIndexed(t.Context(), 1, 4)
	if diff := cmp.Diff(map[string]bool{"g00001-s000-i00000": true, "g00001-s002-i00000": true}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	bucket.FailNext(memory.List, fault.Denied, 1)
	if _, err := run.ListIndexed(t.Context(), 1, 4); fault.KindOf(err) != fault.Denied {
		t.Errorf("%v", err)
	}
}
