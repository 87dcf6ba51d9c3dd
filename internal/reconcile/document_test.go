package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

var (
	noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	sum  = document.DigestOf([]byte("x"))
)

func sampleLease() reconcile.Lease {
	return reconcile.Lease{Run: runID, ID: "r2", Execution: "arn:aws:states:::r2", Taken: noon, Until: noon.Add(leaseTime), Before: "r1"}
}

func sampleScan() reconcile.Scan {
	s := reconcile.NewScan(runID, "r2", scan.Prefixes()[3], noon)
	part := shuffle.Ref{Key: "reconcile/r2/target/3/1/part-00000-ab.seg", Bytes: 12, SHA256: sum, Footer: sum, Count: 7}
	return s.Advance("token", noon, part)
}

func sampleBasis() reconcile.Basis {
	low := int64(1)
	return reconcile.Basis{
		Run: runID, ID: "r2", Execution: "arn:aws:states:::r2", Opened: noon, PlanSHA256: sum,
		Staged:   &reconcile.Staged{Generation: 4, Opened: noon, Closed: noon, Profiles: 9, Lines: 10, Bytes: 99, Missing: []string{}, Grouped: true},
		Skipped:  []reconcile.Staged{{Generation: 2, Opened: noon, Closed: noon, Missing: []string{}}},
		Previous: &reconcile.Previous{ID: "r1", Generation: 1, Buckets: 2, Opened: noon, GenerationOpened: noon},
		Items: []reconcile.IndexItem{{
			ID: "g00004-s000-i00000", Generation: 4, Commit: manifest.DocumentRef{Key: "gen-4/shards/all/commit.json", SHA256: sum},
			Shard: scan.Serial()[0], Parts: 2, Lines: 10, Bytes: 99,
		}},
		Target: reconcile.Target{
			Estimate: 5, Shards: scan.Serial(), Why: scan.WhySmallPool,
			Pool: reconcile.Pool{ID: "eu-central-1_new", Schema: []reconcile.Attribute{{Name: "email", Type: "String", Min: &low}}, Aliases: []string{"email"}, MFA: "OPTIONAL"},
		},
		Buckets: 2, Seeding: reconcile.Start{Start: true, Generation: 5, Why: reconcile.StartStale}, Partial: []string{reconcile.PartialStale},
		Exclude:  []verdict.Reason{verdict.NotSignedIn},
		Imported: []reconcile.RowsRef{{Stored: reconcile.Stored{Key: "imports/tail-1/00000-ab.jsonl.gz", Bytes: 9, SHA256: sum}, Count: 3, Format: reconcile.FormatJSONL, Of: 1}},
	}
}

func TestDocumentsOfOpening(t *testing.T) {
	failed := sampleScan().Fail(manifest.Failure{Kind: fault.Denied, Reason: "directory: AccessDenied"}, noon)
	released := sampleLease()
	released.Released = noon
	empty := reconcile.NewScan(runID, "r2", scan.Serial()[0], noon)
	for name, c := range map[string]struct {
		doc    any
		encode func() ([]byte, error)
		decode func([]byte) (any, error)
	}{
		"lease":         {sampleLease(), sampleLease().Encode, func(d []byte) (any, error) { return reconcile.DecodeLease(d) }},
		"lease, over":   {released, released.Encode, func(d []byte) (any, error) { return reconcile.DecodeLease(d) }},
		"scan":          {sampleScan(), sampleScan().Encode, func(d []byte) (any, error) { return reconcile.DecodeScan(d) }},
		"scan, failed":  {failed, failed.Encode, func(d []byte) (any, error) { return reconcile.DecodeScan(d) }},
		"scan, of none": {empty.Advance("", noon), empty.Advance("", noon).Encode, func(d []byte) (any, error) { return reconcile.DecodeScan(d) }},
		"basis":         {sampleBasis(), sampleBasis().Encode, func(d []byte) (any, error) { return reconcile.DecodeBasis(d) }},
	} {
		data, err := c.encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := c.decode(data)
		if diff := cmp.Diff(c.doc, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-written +read):\n%s", name, err, diff)
		}
		for _, wrong := range []string{
			strings.Replace(string(data), `"version":1`, `"version":2`, 1),
			strings.Replace(string(data), `"version":1`, `"version":1,"more":1`, 1),
			strings.Replace(string(data), `:`, `: `, 1),
			strings.Replace(string(data), `"`+runID+`"`, `""`, 1),
			strings.Replace(string(data), `"id":"r2"`, `"id":"../r2"`, 1),
			strings.ReplaceAll(string(data), `12:00:00Z`, `13:00:00+01:00`),
			string(data[:len(data)/2]),
		} {
			if got, err := c.decode([]byte(wrong)); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: read %s as %+v, %v", name, wrong, got, err)
			}
		}
	}
}

// TestDocumentsOfOpeningAreChecked: what is wrong in itself is not written.
func TestDocumentsOfOpeningAreChecked(t *testing.T) {
	for want, change := range map[string]func(*reconcile.Basis){
		"buckets 3":                      func(b *reconcile.Basis) { b.Buckets = 3 },
		"buckets 8192":                   func(b *reconcile.Basis) { b.Buckets = 8192 },
		"buckets 0":                      func(b *reconcile.Basis) { b.Buckets = 0 },
		"run or execution":               func(b *reconcile.Basis) { b.Execution = "" },
		"shards of the target":           func(b *reconcile.Basis) { b.Target.Shards = nil },
		"nothing is staged":              func(b *reconcile.Basis) { b.Staged = nil },
		"plan_sha256":                    func(b *reconcile.Basis) { b.PlanSHA256 = "x" },
		"generation 4":                   func(b *reconcile.Basis) { b.Skipped[0].Generation = 4 },
		"items[0]":                       func(b *reconcile.Basis) { b.Items[0].Generation = 3 },
		"items[1]":                       func(b *reconcile.Basis) { b.Items = append(b.Items, b.Items[0]) },
		"skipped, items, partial":        func(b *reconcile.Basis) { b.Partial = nil },
		"opened is missing":              func(b *reconcile.Basis) { b.Opened = time.Time{} },
		"exclude":                        func(b *reconcile.Basis) { b.Exclude[0] = verdict.Vanished },
		"rows":                           func(b *reconcile.Basis) { b.Imported[0].Format = "xml" },
		"generation 4: order, missing, ": func(b *reconcile.Basis) { b.Staged.Profiles = 11 },
	} {
		b := sampleBasis()
		change(&b)
		if _, err := b.Encode(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, change := range map[string]func(*reconcile.Scan){
		"attempt 0":            func(s *reconcile.Scan) { s.Attempt = 0 },
		`state "done"`:         func(s *reconcile.Scan) { s.State = "done" },
		"complete and has a":   func(s *reconcile.Scan) { s.State = manifest.Complete },
		"failure does not go":  func(s *reconcile.Scan) { s.State = manifest.Failed },
		"it has parts, no cur": func(s *reconcile.Scan) { s.Cursor = "" },
		"count 8":              func(s *reconcile.Scan) { s.Count = 8 },
		"parts[0]":             func(s *reconcile.Scan) { s.Parts[0].Key = "../x" },
		"no shard of profiles": func(s *reconcile.Scan) { s.Shard.Content = manifest.Members },
		"updated is missing":   func(s *reconcile.Scan) { s.Updated = time.Time{} },
	} {
		s := sampleScan()
		change(&s)
		if _, err := s.Encode(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, change := range map[string]func(*reconcile.Lease){
		"run or execution": func(l *reconcile.Lease) { l.Execution = "" },
		"until is missing": func(l *reconcile.Lease) { l.Until = time.Time{} },
		"id ":              func(l *reconcile.Lease) { l.Before = "a/b" },
		"released is not":  func(l *reconcile.Lease) { l.Released = noon.In(time.FixedZone("", 3600)) },
	} {
		l := sampleLease()
		change(&l)
		if _, err := l.Encode(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestDocumentsOfOpeningAreOfOne: what is of another run, reconciliation or shard
// is foreign.
func TestDocumentsOfOpeningAreOfOne(t *testing.T) {
	shard := scan.Prefixes()[3]
	for what, err := range map[string]error{
		"lease of another run":         sampleLease().Of("other"),
		"basis of another run":         sampleBasis().Of("other", "r2"),
		"basis of another":             sampleBasis().Of(runID, "r1"),
		"scan of another run":          sampleScan().Of("other", "r2", shard),
		"scan of another":              sampleScan().Of(runID, "r1", shard),
		"scan of another shard":        sampleScan().Of(runID, "r2", scan.Prefixes()[4]),
		"scan by another filter":       sampleScan().Of(runID, "r2", manifest.Shard{ID: "3", Content: manifest.Profiles}),
		"a segment object of no bytes": fault.New(fault.Invalid, "%w", shuffle.Ref{Key: "k"}.Check()),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, err := range []error{sampleLease().Of(runID), sampleBasis().Of(runID, "r2"), sampleScan().Of(runID, "r2", shard)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestPoolDocument: the rules see the pool as it was described.
func TestPoolDocument(t *testing.T) {
	b := sampleBasis()
	b.Target.Pool.CaseSensitive, b.Target.Pool.SMSMFA, b.Target.Pool.UsernameAttributes = true, true, []string{"phone_number"}
	got := b.Target.Pool.Userpool()
	low := int64(1)
	want := userpool.Pool{
		ID: "eu-central-1_new", Schema: userpool.Schema{"email": {Name: "email", Type: userpool.TypeString, Min: &low}}, Aliases: []string{"email"},
		UsernameAttributes: []string{"phone_number"}, CaseSensitive: true, MFA: userpool.MFAOptional, SMSMFA: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzOpening reads what claims to be a document: either it is refused, or it is
// just as it would be written.
func FuzzOpening(f *testing.F) {
	for _, encode := range []func() ([]byte, error){sampleLease().Encode, sampleScan().Encode, sampleBasis().Encode} {
		data, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(encode func() ([]byte, error), err error) {
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Errorf("%v", err)
				}
				return
			}
			if again, err := encode(); err != nil || string(again) != string(data) {
				t.Errorf("read %q, writes %q, %v", data, again, err)
			}
		}
		lease, err := reconcile.DecodeLease(data)
		check(lease.Encode, err)
		scan, err := reconcile.DecodeScan(data)
		check(scan.Encode, err)
		basis, err := reconcile.DecodeBasis(data)
		check(basis.Encode, err)
	})
}
