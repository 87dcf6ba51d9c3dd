package reconcile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
)

// result is one valid document and how it is written and read.
type result struct {
	doc    interface{ Encode() ([]byte, error) }
	decode func([]byte) (any, error)
}

func reads[D any](decode func([]byte) (D, error)) func([]byte) (any, error) {
	return func(data []byte) (any, error) { return decode(data) }
}

// results are documents with every member that they can have.
func results() map[string]result {
	basis := sampleBasis()
	segment := shuffle.Segment{Offset: 120, Length: 33, Content: 70, Lines: 3, Unlinked: 1, SHA256: sum}
	rows := func(key string, format string) []reconcile.RowsRef {
		return []reconcile.RowsRef{{Stored: reconcile.Stored{Key: key, Bytes: 44, SHA256: sum}, Count: 2, Format: format, Bucket: 1, Of: 2}}
	}
	found := verdict.NewFinding(verdict.Drift, "a", "b", "", "email")
	counts := reconcile.Counts{verdict.Migrated: {verdict.SignedIn: 2, verdict.JoinedByEmail: 1}, verdict.Pending: {verdict.NotSignedIn: 1}}
	claims := shuffle.Ref{Key: "reconcile/r2/claims/00001-ab.seg", Bytes: 12, SHA256: sum, Footer: sum, Count: 7}
	pieces := func(key string) []reconcile.Piece {
		return []reconcile.Piece{{Key: key, Offset: 120, Segment: segment}}
	}
	return map[string]result{
		"indexed": {reconcile.Indexed{
			Origin: basis.Origin(4), Item: basis.Items[0], Buckets: 2, MappingSHA256: sum, Target: "eu-central-1_new",
			Segments: shuffle.Ref{Key: "gen-4/index-2/g00004-s000-i00000-ab.seg", Bytes: 12, SHA256: sum, Footer: sum, Count: 10},
			Read:     99, By: "r2", Began: noon, Ended: noon,
		}, reads(reconcile.DecodeIndexed)},
		"bucket-plan": {reconcile.BucketPlan{
			Run: runID, ID: "r2", Bucket: 1, Buckets: 2, Skipped: pieces("gen-2/index-2/x.seg"), Staged: pieces("gen-4/index-2/x.seg"),
			Arrived: pieces("reconcile/r2/target/all/1/x.seg"), Contested: reconcile.Contested{Names: 1, Offset: 3, Length: 14, SHA256: sum}, Previous: rows("reconcile/r1/pending/00001-ab.jsonl.gz", reconcile.FormatJSONL),
			Members: pieces("gen-4/index-2/y.seg"), Imported: pieces("reconcile/r2/imported/00000-ab.seg"),
		}, reads(reconcile.DecodeBucketPlan)},
		"match": {reconcile.Matched{
			Run: runID, ID: "r2", Buckets: 2, NameBuckets: 1, Contested: reconcile.Stored{Key: "reconcile/r2/contested.bin", Bytes: 14, SHA256: sum}, Names: 1,
			Plans: []document.Digest{sum, sum}, Staged: 10, Arrived: 7, Partial: []string{reconcile.PartialPrevious}, Read: 5, Written: 6, Began: noon, Ended: noon,
		}, reads(reconcile.DecodeMatched)},
		"bucket-result": {reconcile.Compared{
			Run: runID, ID: "r2", Bucket: 1, Buckets: 2, PlanSHA256: sum, Staged: 4, Carried: 1, Arrived: 3, Deferred: 2,
			Verdicts: counts, Findings: map[verdict.FindingKind]int{verdict.Drift: 1}, Critical: 0, Sample: []verdict.Finding{found},
			IDMap: rows("reconcile/r2/idmap/00001-ab.csv.gz", reconcile.FormatCSV), Pending: rows("reconcile/r2/pending/00001-ab.jsonl.gz", reconcile.FormatJSONL),
			FindingRows: rows("reconcile/r2/findings/00001-ab.jsonl.gz", reconcile.FormatJSONL), Settle: rows("reconcile/r2/settle/00001-ab.jsonl.gz", reconcile.FormatJSONL), Claims: &claims, Read: 5, Written: 6, Began: noon, Ended: noon,
		}, reads(reconcile.DecodeCompared)},
		"summary": {reconcile.Summary{
			Run: runID, ID: "r2", Started: noon, Ended: noon, Generation: 4, Closed: true, Stale: true, Missing: []string{"3"}, Profiles: 9,
			Verdicts: map[verdict.Verdict]int{verdict.Migrated: 3, verdict.Pending: 1}, Reasons: counts, Findings: map[verdict.FindingKind]int{verdict.Drift: 1},
			Sample: []verdict.Finding{found}, Joins: 1, TargetUsers: 7, Percent: 75, Partial: []string{reconcile.PartialStale}, Failure: "States.Timeout",
			Buckets: 2, Bytes: reconcile.Bytes{Manifest: 1, Read: 2, Written: 3}, Stages: map[string]float64{"index": 1.5},
			IDMap: rows("reconcile/r2/idmap/00001-ab.csv.gz", reconcile.FormatCSV), Pending: rows("reconcile/r2/pending/00001-ab.jsonl.gz", reconcile.FormatJSONL), FindingRows: []reconcile.RowsRef{},
			Settle: rows("reconcile/r2/settle/00001-ab.jsonl.gz", reconcile.FormatJSONL),
		}, reads(reconcile.DecodeSummary)},
		"decisions": {reconcile.Decisions{
			Run: runID, Exclude: []verdict.Reason{verdict.Disabled, verdict.NotSignedIn}, Updated: noon,
			Imports: []reconcile.Import{{ID: "tail-1", At: noon, Count: 2, Rows: rows("imports/tail-1/00001-ab.jsonl.gz", reconcile.FormatJSONL)}},
		}, reads(reconcile.DecodeDecisions)},
	}
}

// TestDocumentsOfResults compares documents with testdata. With
// POOLFERRY_UPDATE=1 it writes testdata instead; a change of what version 1 looks
// like is a new version.
func TestDocumentsOfResults(t *testing.T) {
	for name, r := range results() {
		data, err := r.doc.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden := filepath.Join("testdata", name+".json")
		if os.Getenv("POOLFERRY_UPDATE") == "1" {
			if err := os.WriteFile(golden, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(must(os.ReadFile(golden))), string(data)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		got, err := r.decode(data)
		if diff := cmp.Diff(any(r.doc), got); diff != "" || err != nil {
			t.Errorf("%s: %v, %s", name, err, diff)
		}
		for what, bad := range map[string][]byte{
			"another version":  bytes.Replace(data, []byte(`"version":1`), []byte(`"version":2`), 1),
			"another member":   bytes.Replace(data, []byte(`"version":1`), []byte(`"version":1,"more":1`), 1),
			"no run":           bytes.Replace(data, []byte(runID), nil, 1),
			"a bad digest":     bytes.Replace(data, []byte(sum), []byte("x"), 1),
			"a key outside":    bytes.ReplaceAll(data, []byte(`"key":"`), []byte(`"key":"../`)),
			"half of it":       data[:len(data)/2],
			"something behind": append(bytes.Clone(data), data...),
		} {
			if _, err := r.decode(bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s with %s: %v", name, what, err)
			}
		}
	}
}

// TestResultsRefuse: what cannot be is not written.
func TestResultsRefuse(t *testing.T) {
	all := results()
	indexed, plan, match := all["indexed"].doc.(reconcile.Indexed), all["bucket-plan"].doc.(reconcile.BucketPlan), all["match"].doc.(reconcile.Matched)
	compared, summary := all["bucket-result"].doc.(reconcile.Compared), all["summary"].doc.(reconcile.Summary)
	decided := all["decisions"].doc.(reconcile.Decisions)
	for name, doc := range map[string]interface{ Encode() ([]byte, error) }{
		"decisions without a list": func(d reconcile.Decisions) reconcile.Decisions { d.Exclude = nil; return d }(decided),
		"an import of other rows": func(d reconcile.Decisions) reconcile.Decisions {
			d.Imports = slices.Clone(d.Imports)
			d.Imports[0].Count++
			return d
		}(decided),
		"an import twice": func(d reconcile.Decisions) reconcile.Decisions {
			d.Imports = slices.Concat(d.Imports, d.Imports)
			return d
		}(decided),
		"index of fewer users":   func(i reconcile.Indexed) reconcile.Indexed { i.Segments.Count--; return i }(indexed),
		"index of other buckets": func(i reconcile.Indexed) reconcile.Indexed { i.Buckets = 3; return i }(indexed),
		"plan of no bucket":      func(p reconcile.BucketPlan) reconcile.BucketPlan { p.Bucket = 2; return p }(plan),
		"plan without members":   func(p reconcile.BucketPlan) reconcile.BucketPlan { p.Staged = nil; return p }(plan),
		"plan of an empty piece": func(p reconcile.BucketPlan) reconcile.BucketPlan {
			p.Staged = []reconcile.Piece{{Key: "k", Segment: shuffle.Segment{SHA256: sum}}}
			return p
		}(plan),
		"match of fewer plans":       func(m reconcile.Matched) reconcile.Matched { m.Plans = m.Plans[:1]; return m }(match),
		"result of an empty verdict": func(c reconcile.Compared) reconcile.Compared { c.Verdicts = reconcile.Counts{"": {"x": 1}}; return c }(compared),
		"result below 0":             func(c reconcile.Compared) reconcile.Compared { c.Arrived = -1; return c }(compared),
		"result of other rows": func(c reconcile.Compared) reconcile.Compared {
			c.Pending = []reconcile.RowsRef{{Format: "xml"}}
			return c
		}(compared),
		"complete and partial": func(s reconcile.Summary) reconcile.Summary { s.Complete = true; return s }(summary),
		"failed and whole":     func(s reconcile.Summary) reconcile.Summary { s.Partial = []string{}; return s }(summary),
		"sums that do not agree": func(s reconcile.Summary) reconcile.Summary {
			s.Verdicts = map[verdict.Verdict]int{verdict.Migrated: 4, verdict.Pending: 1}
			return s
		}(summary),
	} {
		if _, err := doc.Encode(); fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"index":  indexed.Of(manifest.Origin{Run: runID, Generation: 5, PlanSHA256: indexed.PlanSHA256}, 2, indexed.Item),
		"item":   indexed.Of(indexed.Origin, 4, indexed.Item),
		"plan":   plan.Of(runID, "r2", 0),
		"match":  match.Of(runID, "r3"),
		"result": compared.Of("other", "r2", 1),
		"sum":    summary.Of(runID, "r3"),
		"people": decided.Of("other"),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s of others: %v", name, err)
		}
	}
}

// FuzzRows: whatever is taken for rows is written as rows again.
func FuzzRows(f *testing.F) {
	for _, rows := range [][]reconcile.SettleRow{
		{{LegacySub: "a", Sub: "b", Username: "ann", Groups: []string{"admins"}, Disabled: true, MFA: []string{"SMS_MFA"}}, {}}, {},
	} {
		f.Add(must(reconcile.EncodeRows(rows)), len(rows))
	}
	f.Add([]byte("no gzip"), 1)
	f.Fuzz(func(t *testing.T, data []byte, count int) {
		ref := reconcile.RowsRef{Stored: reconcile.Stored{Key: "k"}, Count: count, Format: reconcile.FormatJSONL, Of: 1}
		rows, err := reconcile.DecodeRows[reconcile.SettleRow](data, ref)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "k") {
				t.Fatal(err)
			}
			return
		}
		again, err := reconcile.DecodeRows[reconcile.SettleRow](must(reconcile.EncodeRows(rows)), ref)
		if diff := cmp.Diff(rows, again, cmpopts.EquateEmpty()); err != nil || diff != "" || len(rows) != count {
			t.Fatalf("%d rows of %d, %v: %s", len(rows), count, err, diff)
		}
	})
}

// FuzzResults: whatever is taken for a document is written again as it was.
func FuzzResults(f *testing.F) {
	kinds := []string{"indexed", "bucket-plan", "match", "bucket-result", "summary", "decisions"}
	for i, kind := range kinds {
		f.Add(must(results()[kind].doc.Encode()), i)
	}
	all := results()
	f.Fuzz(func(t *testing.T, data []byte, kind int) {
		if kind < 0 || kind >= len(kinds) {
			return
		}
		doc, err := all[kinds[kind]].decode(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		again, err := doc.(interface{ Encode() ([]byte, error) }).Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s is written as %s, %v", strings.TrimSpace(string(data)), again, err)
		}
	})
}
