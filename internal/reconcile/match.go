package reconcile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/userpool"
)

// MatchInput says which reconciliation.
type MatchInput struct {
	Run string `json:"run"`
	ID  string `json:"id"`
}

// MatchOutput says whether buckets can be compared.
type MatchOutput struct {
	Run   string `json:"run"`
	ID    string `json:"id"`
	Ready bool   `json:"ready"`
	// Why says what is missing: code words with an item or a shard each, the first
	// of them. Empty where it is ready.
	Why string `json:"why"`
	// GivenUp says that there is a shard that nobody goes on with: it will never
	// be ready.
	GivenUp bool `json:"given_up"`
	// Read grows with every item, and every part of a shard, that is there. Where it
	// does not from one round to the next, nothing moves.
	Read  int `json:"read"`
	Names int `json:"names"` // that are contested
}

// Words of MatchOutput.Why and of Summary.Partial.
const (
	PartialIndex       = "not_indexed"      // an item of the manifest has no index
	PartialTarget      = "target_unread"    // a shard of the target pool was not read to its end
	PartialFailedShard = "target_failed"    // a shard of the target pool was given up
	PartialTargetCount = "target_counts"    // the scan found fewer users than the target pool has
	PartialPrevious    = "previous_missing" // what the last whole reconciliation left is gone
	PartialUnmatched   = "not_matched"      // there is nothing to compare by
	PartialBuckets     = "buckets_missing"  // a bucket was not compared
	PartialCounts      = "staged_counts"    // the buckets do not have the users that the manifest has
	PartialUndecided   = "claims_unread"    // users who were deferred were not decided about
	PartialFailed      = "failed"           // a step failed
	maxWhy             = 20                 // words with items
)

// fetches is how many ranges are read at a time.
const fetches = 16

// nameBytes is how many bytes of name buckets are in memory at a time.
const nameBytes = 32 << 20

// Match makes sure that both sides are there as a whole, says where each bucket
// is, and finds the names that belong to more than one identity. While anything
// is missing it is not ready and writes nothing.
func (r *Reconciliation) Match(ctx context.Context, in MatchInput) (MatchOutput, error) {
	out := MatchOutput{Run: in.Run, ID: in.ID}
	basis, err := r.step(ctx, in.Run, in.ID)
	if err != nil {
		return out, err
	}
	m, err := r.o.Store.ReadMatch(ctx, in.ID)
	if is(err, fault.NotFound) {
		var sides sides
		if sides, err = r.sides(ctx, basis); err != nil {
			return out, fmt.Errorf("match: %w", err)
		}
		out.Why, out.GivenUp, out.Read = sides.why(), sides.givenUp(), sides.read()
		if out.Why != "" {
			return out, nil
		}
		m, err = r.match(ctx, basis, sides)
	}
	if err != nil {
		return out, fmt.Errorf("match: %w", err)
	}
	out.Ready, out.Names = true, m.Names
	return out, nil
}

// step begins a step: it holds the lease and reads the basis.
func (r *Reconciliation) step(ctx context.Context, run, id string) (Basis, error) {
	if err := r.checkRun(run); err != nil {
		return Basis{}, err
	}
	if err := document.CheckID(id); err != nil {
		return Basis{}, fault.New(fault.Invalid, "reconciliation of run %s: %w", run, err)
	}
	if err := r.hold(ctx, id); err != nil {
		return Basis{}, err
	}
	return r.o.Store.ReadBasis(ctx, id)
}

// sides is what there is of both sides.
type sides struct {
	indexed   []Indexed // in the order of the basis' items
	unindexed []string  // items without index
	scans     []scanned
}

func (r *Reconciliation) sides(ctx context.Context, basis Basis) (s sides, err error) {
	s.indexed = make([]Indexed, len(basis.Items))
	missing := make([]bool, len(basis.Items))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for n, item := range basis.Items {
		group.Go(func() (err error) {
			s.indexed[n], err = r.indexed(inner, basis, item)
			if is(err, fault.NotFound) {
				missing[n], err = true, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	for n, item := range basis.Items {
		if missing[n] {
			s.unindexed = append(s.unindexed, item.ID)
		}
	}
	s.scans, err = r.scans(ctx, basis)
	return s, err
}

// why says what is missing.
func (s sides) why() string {
	var why []string
	for _, item := range s.unindexed {
		why = append(why, PartialIndex+": item "+item)
	}
	for _, at := range s.scans {
		switch at.State {
		case manifest.Complete:
		case manifest.Failed:
			why = append(why, PartialFailedShard+": shard "+at.Shard.ID+": "+at.Failure.Reason)
		default:
			why = append(why, PartialTarget+": shard "+at.Shard.ID)
		}
	}
	return strings.Join(why[:min(len(why), maxWhy)], ", ")
}

func (s sides) givenUp() bool {
	return slices.ContainsFunc(s.scans, func(at scanned) bool { return at.State == manifest.Failed })
}

// read counts pieces. An attempt weighs more than all parts of the one before
// it, so that the count never falls.
func (s sides) read() int {
	const attempt = 1 << 20
	n := len(s.indexed) - len(s.unindexed)
	for _, at := range s.scans {
		n += at.Attempt*attempt + len(at.Parts)
		if at.State == manifest.Complete {
			n++
		}
	}
	return n
}

// words are why without items and shards, each once.
func (s sides) words() (words []string) {
	if len(s.unindexed) > 0 {
		words = append(words, PartialIndex)
	}
	for _, state := range []struct {
		is   manifest.State
		word string
	}{{manifest.Failed, PartialFailedShard}, {manifest.Open, PartialTarget}} {
		if slices.ContainsFunc(s.scans, func(at scanned) bool { return at.State == state.is }) {
			words = append(words, state.word)
		}
	}
	return words
}

// object is a segment object with its footer, in few bytes: there may be
// thousands of them with thousands of segments each.
type object struct {
	ref        shuffle.Ref
	side       shuffle.Side
	generation int
	segments   []compact
}

type compact struct {
	offset                           int64
	length, content, lines, unlinked uint32
	sum                              [32]byte
}

func (c compact) segment() shuffle.Segment {
	s := shuffle.Segment{Offset: c.offset, Length: int64(c.length), Content: int64(c.content), Lines: int(c.lines), Unlinked: int(c.unlinked)}
	if c.lines > 0 {
		s.SHA256 = document.Digest(hex.EncodeToString(c.sum[:]))
	}
	return s
}

func (r *Reconciliation) match(ctx context.Context, basis Basis, sides sides) (Matched, error) {
	m := Matched{
		Run: basis.Run, ID: basis.ID, Buckets: basis.Buckets, NameBuckets: NameBuckets(basis.Buckets), Partial: []string{}, Began: r.o.Now().UTC(),
		Plans: make([]document.Digest, basis.Buckets),
	}
	var read traffic
	imported, err := r.imported(ctx, basis, &m, &read)
	if err != nil {
		return m, err
	}
	objects, err := r.objects(ctx, basis, sides, imported, &read)
	if err != nil {
		return m, err
	}
	for _, o := range objects {
		switch {
		case o.side == shuffle.Arrived:
			m.Arrived += o.ref.Count
		case o.side == shuffle.Staged && basis.Staged != nil && o.generation == basis.Staged.Generation:
			m.Staged += o.ref.Count
		}
	}
	contested, err := r.contested(ctx, objects, &m, &read)
	if err != nil {
		return m, err
	}
	var data []byte
	ranges := make([]Contested, basis.Buckets)
	for bucket, hashes := range contested {
		if len(hashes) == 0 {
			continue
		}
		set := names.NewContested(hashes)
		text := set.Encode()
		ranges[bucket] = Contested{Names: set.Len(), Offset: int64(len(data)), Length: int64(len(text)), SHA256: document.DigestOf(text)}
		data, contested[bucket] = append(data, text...), nil
	}
	m.Written += int64(len(data))
	if m.Contested, err = r.o.Store.WriteContested(ctx, basis.ID, data); err != nil {
		return m, err
	}
	previous, err := r.previous(ctx, basis)
	if is(err, fault.NotFound) {
		m.Partial = append(m.Partial, PartialPrevious)
	} else if err != nil {
		return m, err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for bucket := range basis.Buckets {
		group.Go(func() (err error) {
			plan := planOf(basis, bucket, objects, previous)
			plan.Contested = ranges[bucket]
			m.Plans[bucket], err = r.o.Store.WriteBucketPlan(inner, plan)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return m, err
	}
	m.Read, m.Ended = read.sum(), r.o.Now().UTC()
	r.o.Recorder.RecordStep(ctx, StepRecord{At: m.Began, Step: StepMatch, Lines: m.Staged + m.Arrived, Took: m.Ended.Sub(m.Began)})
	return r.o.Store.WriteMatch(ctx, m)
}

// traffic counts bytes. It is safe for concurrent use.
type traffic struct {
	mu sync.Mutex
	n  int64
}

func (t *traffic) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += int64(n)
}

func (t *traffic) sum() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// ranges reads ranges and counts their bytes.
func (r *Reconciliation) ranges(read *traffic) shuffle.Range {
	return func(ctx context.Context, key string, offset, length int64) ([]byte, error) {
		data, err := r.o.Store.ReadRange(ctx, key, offset, length)
		read.add(len(data))
		if is(err, fault.NotFound) {
			err = fault.New(fault.Invalid, "segments are missing: %w", err)
		}
		return data, err
	}
}

// imported deals those who were imported out into buckets. Rows that have expired
// since are left out: then these users count as migrated, which weighs the same.
func (r *Reconciliation) imported(ctx context.Context, basis Basis, m *Matched, read *traffic) (parts []shuffle.Ref, err error) {
	if len(basis.Imported) == 0 {
		return nil, nil
	}
	w := shuffle.NewWriter(basis.layout(shuffle.Imported))
	flush := func() error {
		object, count, err := w.Close()
		if err != nil {
			return err
		}
		ref, err := shuffle.NewRef(object, count)
		if err == nil {
			ref, err = r.o.Store.WriteImported(ctx, basis.ID, len(parts), object, ref)
		}
		parts, m.Written = append(parts, ref), m.Written+int64(len(object))
		return err
	}
	for _, ref := range basis.Imported {
		data, err := r.o.Store.ReadRange(ctx, ref.Key, 0, ref.Bytes)
		if is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		read.add(len(data))
		if document.DigestOf(data) != ref.SHA256 {
			return nil, fault.New(fault.Invalid, "rows %s are not what was written: torn, changed or replaced", ref.Key)
		}
		rows, err := DecodeRows[ImportRow](data, ref)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if err := w.Add(userpool.User{Sub: row.Sub}); err != nil {
				return nil, err
			}
		}
		if w.Bytes() >= itemBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if w.Lines() > 0 {
		err = flush()
	}
	return parts, err
}

// objects reads the footers of all segment objects, the older lines before the
// newer.
func (r *Reconciliation) objects(ctx context.Context, basis Basis, sides sides, imported []shuffle.Ref, read *traffic) ([]object, error) {
	var all []object
	for _, i := range sides.indexed {
		all = append(all, object{ref: i.Segments, side: i.Item.side(), generation: i.Generation})
	}
	for _, part := range imported {
		all = append(all, object{ref: part, side: shuffle.Imported})
	}
	for _, at := range sides.scans {
		for _, part := range at.Parts {
			all = append(all, object{ref: part, side: shuffle.Arrived})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for n := range all {
		group.Go(func() (err error) {
			all[n].segments, err = r.footer(ctx, basis.Buckets, NameBuckets(basis.Buckets), all[n], read)
			return err
		})
	}
	return all, group.Wait()
}

// footer reads the footer of an object of so many buckets.
func (r *Reconciliation) footer(ctx context.Context, buckets, nameBuckets int, o object, read *traffic) ([]compact, error) {
	f, err := shuffle.ReadFooter(ctx, r.ranges(read), o.ref.Key, o.ref.Bytes, o.ref.Footer, buckets+nameBuckets)
	if err != nil {
		return nil, err
	}
	if f.Side != o.side || f.Buckets != buckets || f.NameBuckets != nameBuckets || buckets > 0 && f.Users() != o.ref.Count {
		return nil, fault.New(fault.Invalid, "segments %s are of another side, other buckets or other users: foreign", o.ref.Key)
	}
	segments := make([]compact, len(f.Segments))
	for i, s := range f.Segments {
		if s.Length >= 1<<32 || s.Content >= 1<<32 || s.Lines >= 1<<32 {
			return nil, fault.New(fault.Invalid, "segments %s are larger than any of ours", o.ref.Key)
		}
		segments[i] = compact{s.Offset, uint32(s.Length), uint32(s.Content), uint32(s.Lines), uint32(s.Unlinked), [32]byte{}} //nolint:gosec // checked above
		if _, err := hex.Decode(segments[i].sum[:], []byte(s.SHA256)); err != nil {
			return nil, fault.New(fault.Invalid, "segments %s: %w", o.ref.Key, err)
		}
	}
	return segments, nil
}

// group returns how many segments, from the first on, have at most so many bytes
// of content in all objects together: at least one.
func group(objects []object, first, end int, most int64) (last int, size int64) {
	for last = first; last < end; last++ {
		var more int64
		for _, o := range objects {
			more += int64(o.segments[last].content)
		}
		if last > first && size+more > most {
			break
		}
		size += more
	}
	return last, size
}

// unpack reads some consecutive segments of an object with one request and hands
// over the content of each that is not empty.
func (r *Reconciliation) unpack(ctx context.Context, o object, first, last int, read *traffic, take func(n int, s shuffle.Segment, content []byte) error) error {
	from, to := o.segments[first].offset, o.segments[last-1].offset+int64(o.segments[last-1].length)
	if from == to {
		return nil
	}
	stored, err := r.ranges(read)(ctx, o.ref.Key, from, to-from)
	if err != nil {
		return err
	}
	for n := first; n < last; n++ {
		s := o.segments[n].segment()
		if s.Length == 0 {
			continue
		}
		content, err := shuffle.Unpack(o.ref.Key, s, stored[s.Offset-from:s.Offset-from+s.Length])
		if err == nil {
			err = take(n, s, content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// contested reads the names of all objects, a few name buckets at a time, and
// returns those that belong to more than one identity: the hashes, by bucket of
// the identities.
func (r *Reconciliation) contested(ctx context.Context, objects []object, m *Matched, read *traffic) ([][]uint64, error) {
	buckets := make([][]uint64, m.Buckets)
	end := m.Buckets + m.NameBuckets
	for first := m.Buckets; first < end; {
		last, _ := group(objects, first, end, nameBytes)
		records, err := r.records(ctx, objects, first, last, read)
		if err != nil {
			return nil, err
		}
		for i, of := range records {
			slices.SortFunc(of, func(a, b names.Record) int {
				return cmp.Or(cmp.Compare(a.Hash(), b.Hash()), bytes.Compare(a[6:], b[6:]))
			})
			contested := names.Contest(of)
			m.Names += len(contested)
			at := 0
			for _, hash := range contested {
				for ; of[at].Hash() != hash; at++ { // both are sorted
				}
				for ; at < len(of) && of[at].Hash() == hash; at++ {
					bucket := shuffle.BucketOfRecord(of[at], m.Buckets)
					buckets[bucket] = append(buckets[bucket], hash)
				}
			}
			records[i] = nil
		}
		first = last
	}
	return buckets, nil
}

// records returns the names of some consecutive name buckets, which are segments
// first to last, the last not included: by name bucket, not sorted.
func (r *Reconciliation) records(ctx context.Context, objects []object, first, last int, read *traffic) ([][]names.Record, error) {
	records := make([][]names.Record, last-first)
	for i := range records {
		n := 0
		for _, o := range objects {
			n += int(o.segments[first+i].lines)
		}
		records[i] = make([]names.Record, 0, n)
	}
	var mu sync.Mutex
	fetch, inner := errgroup.WithContext(ctx)
	fetch.SetLimit(fetches)
	for _, o := range objects {
		fetch.Go(func() error {
			return r.unpack(inner, o, first, last, read, func(n int, s shuffle.Segment, content []byte) error {
				found, err := shuffle.Names(o.ref.Key, s, content)
				mu.Lock()
				records[n-first] = append(records[n-first], found...)
				mu.Unlock()
				return err
			})
		})
	}
	return records, fetch.Wait()
}

// previous returns the rows of the last whole reconciliation about those who were
// not in the target pool. The error is of kind fault.NotFound where they are gone.
func (r *Reconciliation) previous(ctx context.Context, basis Basis) ([]RowsRef, error) {
	if basis.Previous == nil {
		return nil, nil
	}
	s, err := r.o.Store.ReadSummary(ctx, basis.Previous.ID)
	return s.Pending, err
}

// planOf says where a bucket is.
func planOf(basis Basis, bucket int, objects []object, previous []RowsRef) BucketPlan {
	p := BucketPlan{
		Run: basis.Run, ID: basis.ID, Bucket: bucket, Buckets: basis.Buckets,
		Skipped: []Piece{}, Staged: []Piece{}, Arrived: []Piece{}, Previous: []RowsRef{},
	}
	for _, o := range objects {
		if o.segments[bucket].lines == 0 {
			continue
		}
		s := o.segments[bucket].segment()
		piece := Piece{Key: o.ref.Key, Offset: s.Offset, Segment: s}
		switch {
		case o.side == shuffle.Arrived:
			p.Arrived = append(p.Arrived, piece)
		case o.side == shuffle.Members:
			p.Members = append(p.Members, piece)
		case o.side == shuffle.Imported:
			p.Imported = append(p.Imported, piece)
		case o.generation == basis.Staged.Generation:
			p.Staged = append(p.Staged, piece)
		default:
			p.Skipped = append(p.Skipped, piece)
		}
	}
	for _, ref := range previous {
		// The numbers of buckets are powers of two, and buckets nest by low bits.
		if low := min(ref.Of, basis.Buckets) - 1; ref.Bucket&low == bucket&low {
			p.Previous = append(p.Previous, ref)
		}
	}
	return p
}
