package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// ResultStore keeps what Index, Match, Compare and Close read and leave;
// store.Run says what its methods do. What is written once is returned as it
// stands: of several, the first.
type ResultStore interface {
	ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error]
	ReadMembers(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[manifest.Member, error]

	WriteIndexSegments(ctx context.Context, generation, buckets int, item string, object []byte, ref shuffle.Ref) (shuffle.Ref, error)
	WriteIndexed(ctx context.Context, i Indexed) (Indexed, error)
	ReadIndexed(ctx context.Context, of manifest.Origin, buckets int, item IndexItem) (Indexed, error)

	// ReadRange returns so many bytes of an object, from an offset on.
	ReadRange(ctx context.Context, key string, offset, length int64) ([]byte, error)

	WriteImported(ctx context.Context, id string, n int, object []byte, ref shuffle.Ref) (shuffle.Ref, error)
	WriteContested(ctx context.Context, id string, data []byte) (Stored, error)
	WriteBucketPlan(ctx context.Context, p BucketPlan) (document.Digest, error)
	ReadBucketPlan(ctx context.Context, id string, bucket int, want document.Digest) (BucketPlan, error)
	WriteMatch(ctx context.Context, m Matched) (Matched, error)
	ReadMatch(ctx context.Context, id string) (Matched, error)

	WriteRows(ctx context.Context, id string, rows Rows, bucket int, data []byte, ref RowsRef) (RowsRef, error)
	ReadRows(ctx context.Context, ref RowsRef) ([]byte, error)
	WriteClaims(ctx context.Context, id string, bucket int, object []byte, ref shuffle.Ref) (shuffle.Ref, error)
	WriteCompared(ctx context.Context, c Compared) (Compared, error)
	ReadCompared(ctx context.Context, id string, bucket int) (Compared, error)

	WriteSummary(ctx context.Context, s Summary) (Summary, error)
	ReadSummary(ctx context.Context, id string) (Summary, error)
	LoadProgress(ctx context.Context) (progress.History, string, error)
	SwapProgress(ctx context.Context, h progress.History, tag string) (string, error)
	WriteReport(ctx context.Context, id string, page []byte) error
	SweepReconciliation(ctx context.Context, id string) (deleted int, err error)
}

// Stored refers to an object and proves its bytes.
type Stored struct {
	Key    string          `json:"key"` // relative to the run
	Bytes  int64           `json:"bytes"`
	SHA256 document.Digest `json:"sha256"`
}

// Rows is what the lines of an object are about.
type Rows string

// The rows.
const (
	IDMapRows   Rows = "idmap"
	PendingRows Rows = "pending" // all who are not in the target pool and were in the source pool
	FindingRows Rows = "findings"
	SettleRows  Rows = "settle" // who has arrived and has something to settle
	ImportRows  Rows = "imports"
)

// Formats of rows, which are the endings of their keys.
const (
	FormatJSONL = "jsonl.gz"
	FormatCSV   = "csv.gz"
)

// ByClose stands for a bucket where Close has decided and not a comparison.
const ByClose = -1

// RowsRef refers to rows and proves their bytes.
type RowsRef struct {
	Stored
	Count  int    `json:"count"`
	Format string `json:"format"`
	// The rows are about the identities of one bucket of so many.
	Bucket int `json:"bucket"`
	Of     int `json:"of"`
}

// Indexed is the final word of Index on an item.
type Indexed struct {
	Version document.V1 `json:"version"`
	manifest.Origin
	Item          IndexItem       `json:"item"`
	Buckets       int             `json:"buckets"`
	MappingSHA256 document.Digest `json:"mapping_sha256"`
	Target        string          `json:"target"` // id of the pool, whose rules made the names
	Segments      shuffle.Ref     `json:"segments"`
	Read          int64           `json:"read"` // bytes of parts, as stored
	By            string          `json:"by"`   // id of the reconciliation
	Began         time.Time       `json:"began"`
	Ended         time.Time       `json:"ended"`
}

// Piece is what one object has of one bucket.
type Piece struct {
	Key    string `json:"key"`
	Offset int64  `json:"offset"`
	shuffle.Segment
}

// BucketPlan says where a bucket is. Of pieces, the later are the newer.
type BucketPlan struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	ID      string      `json:"id"`
	Bucket  int         `json:"bucket"`
	Buckets int         `json:"buckets"`
	Skipped []Piece     `json:"skipped"`
	Staged  []Piece     `json:"staged"`
	Arrived []Piece     `json:"arrived"`
	// Members are memberships of the generation, Imported are who was imported.
	Members  []Piece `json:"members,omitempty"`
	Imported []Piece `json:"imported,omitempty"`
	// Contested is where the contested names of the bucket's users are.
	Contested Contested `json:"contested"`
	// Previous are rows of the last whole reconciliation in which users of this
	// bucket may be, among others.
	Previous []RowsRef `json:"previous"`
}

// Contested is a range of the object that has all contested names, by bucket, and
// proves its bytes. Where there are none it is empty.
type Contested struct {
	Names  int             `json:"names"`
	Offset int64           `json:"offset"`
	Length int64           `json:"length"`
	SHA256 document.Digest `json:"sha256,omitempty"`
}

// Matched is the final word of Match.
type Matched struct {
	Version     document.V1       `json:"version"`
	Run         string            `json:"run"`
	ID          string            `json:"id"`
	Buckets     int               `json:"buckets"`
	NameBuckets int               `json:"name_buckets"`
	Contested   Stored            `json:"contested"`
	Names       int               `json:"names"` // that are contested
	Plans       []document.Digest `json:"plans"` // by bucket
	Staged      int               `json:"staged"`
	Arrived     int               `json:"arrived"` // lines, as those of staged
	Partial     []string          `json:"partial"`
	Read        int64             `json:"read"`    // bytes
	Written     int64             `json:"written"` // bytes
	Began       time.Time         `json:"began"`
	Ended       time.Time         `json:"ended"`
}

// Counts are users by verdict and reason.
type Counts map[verdict.Verdict]map[verdict.Reason]int

// Compared is the final word of Compare on a bucket.
type Compared struct {
	Version    document.V1     `json:"version"`
	Run        string          `json:"run"`
	ID         string          `json:"id"`
	Bucket     int             `json:"bucket"`
	Buckets    int             `json:"buckets"`
	PlanSHA256 document.Digest `json:"plan_sha256"`

	Staged   int `json:"staged"`   // users of the generation, each once
	Carried  int `json:"carried"`  // users known from before who are not in it
	Arrived  int `json:"arrived"`  // users of the target pool, each once
	Deferred int `json:"deferred"` // users whom Close decides about, of both sides

	Verdicts Counts                      `json:"verdicts"`
	Findings map[verdict.FindingKind]int `json:"findings"`
	Critical int                         `json:"critical"`
	Sample   []verdict.Finding           `json:"sample"`

	IDMap       []RowsRef    `json:"idmap"`
	Pending     []RowsRef    `json:"pending"`
	FindingRows []RowsRef    `json:"finding_rows"`
	Settle      []RowsRef    `json:"settle,omitempty"`
	Claims      *shuffle.Ref `json:"claims,omitempty"`

	Read    int64     `json:"read"`    // bytes
	Written int64     `json:"written"` // bytes
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
}

// Of returns an error of kind fault.Invalid unless i is about an item of a
// generation.
func (i Indexed) Of(of manifest.Origin, buckets int, item IndexItem) error {
	if err := i.Same(of); err != nil {
		return fault.New(fault.Invalid, "index of item %s %w", item.ID, err)
	}
	if i.Item != item || i.Buckets != buckets {
		return fault.New(fault.Invalid, "index of item %s is of item %s for %d buckets, or of other parts", item.ID, i.Item.ID, i.Buckets)
	}
	return nil
}

// Of returns an error of kind fault.Invalid unless p is of a bucket of a
// reconciliation.
func (p BucketPlan) Of(run, id string, bucket int) error {
	return ofBucket("plan", p.Run, p.ID, p.Bucket, run, id, bucket)
}

// Of returns an error of kind fault.Invalid unless c is of a bucket of a
// reconciliation.
func (c Compared) Of(run, id string, bucket int) error {
	return ofBucket("result", c.Run, c.ID, c.Bucket, run, id, bucket)
}

func ofBucket(kind, run, id string, bucket int, wantRun, wantID string, wantBucket int) error {
	if run != wantRun || id != wantID || bucket != wantBucket {
		return fault.New(fault.Invalid, "%s of bucket %d of reconciliation %s of run %s is of bucket %d of %s of %s", kind, wantBucket, wantID, wantRun, bucket, id, run)
	}
	return nil
}

// Of returns an error of kind fault.Invalid unless m is of a reconciliation.
func (m Matched) Of(run, id string) error {
	if m.Run != run || m.ID != id {
		return fault.New(fault.Invalid, "match is of reconciliation %q of run %q, not of %q of %q", m.ID, m.Run, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (i Indexed) Encode() ([]byte, error) { return document.Encode("index", i, i.check) }

// DecodeIndexed reads the final word on an item.
func DecodeIndexed(data []byte) (i Indexed, err error) {
	err = document.Decode("index", data, &i, Indexed.check)
	return i, err
}

// Encode returns the bytes of the document.
func (p BucketPlan) Encode() ([]byte, error) { return document.Encode("bucket plan", p, p.check) }

// DecodeBucketPlan reads a bucket's plan.
func DecodeBucketPlan(data []byte) (p BucketPlan, err error) {
	err = document.Decode("bucket plan", data, &p, BucketPlan.check)
	for _, pieces := range p.pieces() {
		for i := range pieces {
			pieces[i].Segment.Offset = pieces[i].Offset
		}
	}
	return p, err
}

func (p BucketPlan) pieces() [][]Piece {
	return [][]Piece{p.Skipped, p.Staged, p.Arrived, p.Members, p.Imported}
}

// Encode returns the bytes of the document.
func (m Matched) Encode() ([]byte, error) { return document.Encode("match", m, m.check) }

// DecodeMatched reads the final word of Match.
func DecodeMatched(data []byte) (m Matched, err error) {
	err = document.Decode("match", data, &m, Matched.check)
	return m, err
}

// Encode returns the bytes of the document.
func (c Compared) Encode() ([]byte, error) { return document.Encode("bucket result", c, c.check) }

// DecodeCompared reads a bucket's result.
func DecodeCompared(data []byte) (c Compared, err error) {
	err = document.Decode("bucket result", data, &c, Compared.check)
	return c, err
}

func (i Indexed) check() error {
	if i.Run == "" || i.Generation < 1 || i.Item.ID == "" || i.Item.Generation != i.Generation || i.Target == "" {
		return errors.New("run, generation, item or target are missing")
	}
	if i.Read < 0 || i.Segments.Count != i.Item.Lines {
		return fmt.Errorf("%d users in segments, %d lines in the item", i.Segments.Count, i.Item.Lines)
	}
	return errors.Join(
		i.PlanSHA256.Check("plan_sha256"), i.MappingSHA256.Check("mapping_sha256"), checkBuckets(i.Buckets), i.Segments.Check(),
		document.CheckID(i.By), document.CheckTime("began", i.Began), document.CheckTime("ended", i.Ended),
	)
}

func (p BucketPlan) check() error {
	if p.Run == "" || p.Skipped == nil || p.Staged == nil || p.Arrived == nil || p.Previous == nil {
		return errors.New("run, skipped, staged, arrived or previous are missing")
	}
	for _, pieces := range p.pieces() {
		for _, piece := range pieces {
			if err := errors.Join(checkKey(piece.Key), piece.SHA256.Check("sha256")); err != nil {
				return err
			}
			if piece.Offset < 0 || piece.Length <= 0 || piece.Content <= 0 || piece.Content > shuffle.MaxContent || piece.Lines <= 0 || piece.Unlinked < 0 || piece.Unlinked > piece.Lines {
				return fmt.Errorf("piece of %s: an impossible count or size", piece.Key)
			}
		}
	}
	return errors.Join(document.CheckID(p.ID), checkBucket(p.Bucket, p.Buckets), p.Contested.check(), checkRows(p.Previous))
}

func (c Contested) check() error {
	switch {
	case c == Contested{}:
		return nil
	case c.Names < 1 || c.Offset < 0 || c.Length < 1:
		return errors.New("contested: an impossible count or size")
	}
	return c.SHA256.Check("sha256")
}

func (m Matched) check() error {
	if m.Run == "" || m.Partial == nil || m.Names < 0 || m.Staged < 0 || m.Arrived < 0 || m.Read < 0 || m.Written < 0 {
		return errors.New("run or partial are missing, or a count is below 0")
	}
	if len(m.Plans) != m.Buckets || m.NameBuckets != NameBuckets(m.Buckets) {
		return fmt.Errorf("%d plans and %d name buckets for %d buckets", len(m.Plans), m.NameBuckets, m.Buckets)
	}
	for _, d := range m.Plans {
		if err := d.Check("plans"); err != nil {
			return err
		}
	}
	return errors.Join(document.CheckID(m.ID), checkBuckets(m.Buckets), m.Contested.check(), document.CheckTime("began", m.Began), document.CheckTime("ended", m.Ended))
}

func (c Compared) check() error {
	switch {
	case c.Run == "" || c.Verdicts == nil || c.Findings == nil || c.Sample == nil || c.IDMap == nil || c.Pending == nil || c.FindingRows == nil:
		return errors.New("a member is missing")
	case min(c.Staged, c.Carried, c.Arrived, c.Deferred, c.Critical) < 0 || min(c.Read, c.Written) < 0:
		return errors.New("a count is below 0")
	}
	if c.Claims != nil {
		if err := c.Claims.Check(); err != nil {
			return err
		}
	}
	return errors.Join(
		document.CheckID(c.ID), checkBucket(c.Bucket, c.Buckets), c.PlanSHA256.Check("plan_sha256"), c.Verdicts.check(),
		checkRows(c.IDMap), checkRows(c.Pending), checkRows(c.FindingRows), checkRows(c.Settle), document.CheckTime("began", c.Began), document.CheckTime("ended", c.Ended),
	)
}

func (s Stored) check() error {
	if s.Bytes < 0 {
		return fmt.Errorf("%s has %d bytes", s.Key, s.Bytes)
	}
	return errors.Join(checkKey(s.Key), s.SHA256.Check("sha256"))
}

func checkRows(rows []RowsRef) error {
	for _, r := range rows {
		if r.Count < 0 || r.Format != FormatJSONL && r.Format != FormatCSV {
			return fmt.Errorf("rows %s: %d of format %q", r.Key, r.Count, r.Format)
		}
		if err := errors.Join(r.check(), checkBucket(r.Bucket, r.Of)); err != nil {
			return err
		}
	}
	return nil
}

func checkBuckets(n int) error {
	if n < 1 || n > MaxBuckets || n&(n-1) != 0 {
		return fmt.Errorf("buckets %d is no power of two from 1 to %d", n, MaxBuckets)
	}
	return nil
}

func checkBucket(bucket, of int) error {
	if bucket < 0 || bucket >= of {
		return fmt.Errorf("there is no bucket %d of %d", bucket, of)
	}
	return checkBuckets(of)
}

func checkKey(key string) error {
	if key == "" || key != path.Clean(key) || strings.HasPrefix(key, "/") || strings.HasPrefix(key, "..") {
		return fmt.Errorf("key %q is not relative to the run", key)
	}
	return nil
}

// add counts users.
func (c Counts) add(v verdict.Verdict, r verdict.Reason, n int) {
	if c[v] == nil {
		c[v] = map[verdict.Reason]int{}
	}
	c[v][r] += n
}

func (c Counts) addAll(other Counts) {
	for v, reasons := range other {
		for r, n := range reasons {
			c.add(v, r, n)
		}
	}
}

// Verdicts returns the users by verdict alone.
func (c Counts) Verdicts() map[verdict.Verdict]int {
	sums := map[verdict.Verdict]int{}
	for v, reasons := range c {
		for _, n := range reasons {
			sums[v] += n
		}
	}
	return sums
}

func (c Counts) check() error {
	for v, reasons := range c {
		if v.Meaning() == "" {
			return fmt.Errorf("verdict %q is not known", v)
		}
		for r, n := range reasons {
			if r == "" || n < 1 {
				return fmt.Errorf("%d users are %s because of %q", n, v, r)
			}
		}
	}
	return nil
}
