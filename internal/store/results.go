package store

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/shuffle"
)

var _ reconcile.ResultStore = (*Run)(nil)

// ReadRange returns so many bytes of an object, by its key relative to the run,
// from an offset on: all of them, or an error.
func (r *Run) ReadRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	return r.bucket.GetRange(ctx, r.prefix+key, offset, length)
}

// WriteIndexSegments stores what an item of a generation has in its buckets, and
// returns the reference with the key. It counts once an index refers to it.
func (r *Run) WriteIndexSegments(ctx context.Context, generation, buckets int, item string, object []byte, ref shuffle.Ref) (shuffle.Ref, error) {
	return r.putSegments(ctx, indexSegmentKey(generation, buckets, item, ref.SHA256), object, ref)
}

// WriteClaims stores what users of a bucket claim, and returns the reference
// with the key. It counts once a result refers to it.
func (r *Run) WriteClaims(ctx context.Context, id string, bucket int, object []byte, ref shuffle.Ref) (shuffle.Ref, error) {
	return r.putSegments(ctx, rowsKey(id, "claims", nameOf(bucket), ref.SHA256, "seg"), object, ref)
}

// WriteImported stores a part of those who were imported, dealt out for a
// reconciliation, and returns the reference with the key. It counts once a bucket
// plan refers to it.
func (r *Run) WriteImported(ctx context.Context, id string, n int, object []byte, ref shuffle.Ref) (shuffle.Ref, error) {
	return r.putSegments(ctx, rowsKey(id, "imported", bucketName(n), ref.SHA256, "seg"), object, ref)
}

// putSegments writes without a condition: whatever is under a key with the
// digest in it can only be the same.
func (r *Run) putSegments(ctx context.Context, key string, object []byte, ref shuffle.Ref) (shuffle.Ref, error) {
	ref.Key = key
	if int64(len(object)) != ref.Bytes || document.DigestOf(object) != ref.SHA256 {
		return ref, fault.New(fault.Internal, "write %s: its reference is not about its bytes", key)
	}
	_, err := r.bucket.Put(ctx, r.prefix+key, object, Condition{})
	return ref, err
}

// nameOf is a bucket in keys.
func nameOf(bucket int) string {
	if bucket == reconcile.ByClose {
		return contestedName
	}
	return bucketName(bucket)
}

// WriteIndexed writes the final word on an item of a generation.
func (r *Run) WriteIndexed(ctx context.Context, i reconcile.Indexed) (reconcile.Indexed, error) {
	return writeOnce(ctx, r, indexCommitKey(i.Generation, i.Buckets, i.Item.ID), i, func(data []byte) (reconcile.Indexed, error) {
		return decodeIndexed(data, i.Origin, i.Buckets, i.Item)
	})
}

// ReadIndexed reads the final word on an item of a generation.
func (r *Run) ReadIndexed(ctx context.Context, of manifest.Origin, buckets int, item reconcile.IndexItem) (reconcile.Indexed, error) {
	return read(ctx, r, indexCommitKey(of.Generation, buckets, item.ID), func(data []byte) (reconcile.Indexed, error) {
		return decodeIndexed(data, of, buckets, item)
	})
}

func decodeIndexed(data []byte, of manifest.Origin, buckets int, item reconcile.IndexItem) (reconcile.Indexed, error) {
	i, err := reconcile.DecodeIndexed(data)
	if err == nil {
		err = i.Of(of, buckets, item)
	}
	return i, err
}

// WriteContested stores the contested names of a reconciliation. Of several the
// first stands, and they are all the same.
func (r *Run) WriteContested(ctx context.Context, id string, data []byte) (reconcile.Stored, error) {
	key := contestedKey(id)
	standing, err := r.createOnce(ctx, key, data)
	return reconcile.Stored{Key: key, Bytes: int64(len(standing)), SHA256: document.DigestOf(standing)}, err
}

// WriteBucketPlan writes where a bucket is, and returns the digest of what
// stands.
func (r *Run) WriteBucketPlan(ctx context.Context, p reconcile.BucketPlan) (document.Digest, error) {
	data, err := p.Encode()
	if err != nil {
		return "", err
	}
	standing, err := r.createOnce(ctx, bucketPlanKey(p.ID, bucketName(p.Bucket)), data)
	return document.DigestOf(standing), err
}

// ReadBucketPlan reads where a bucket is. The error is of kind fault.Invalid
// where the digest is another.
func (r *Run) ReadBucketPlan(ctx context.Context, id string, bucket int, want document.Digest) (reconcile.BucketPlan, error) {
	return read(ctx, r, bucketPlanKey(id, bucketName(bucket)), func(data []byte) (p reconcile.BucketPlan, err error) {
		if got := document.DigestOf(data); got != want {
			return p, fault.New(fault.Invalid, "bucket plan has SHA-256 %.12s…, not %.12s…: changed or replaced", got, want)
		}
		if p, err = reconcile.DecodeBucketPlan(data); err == nil {
			err = p.Of(r.id, id, bucket)
		}
		return p, err
	})
}

// WriteMatch writes the final word of Match.
func (r *Run) WriteMatch(ctx context.Context, m reconcile.Matched) (reconcile.Matched, error) {
	return writeOnce(ctx, r, matchKey(m.ID), m, r.decodeMatch(m.ID))
}

// ReadMatch reads the final word of Match.
func (r *Run) ReadMatch(ctx context.Context, id string) (reconcile.Matched, error) {
	return read(ctx, r, matchKey(id), r.decodeMatch(id))
}

func (r *Run) decodeMatch(id string) func([]byte) (reconcile.Matched, error) {
	return func(data []byte) (reconcile.Matched, error) {
		m, err := reconcile.DecodeMatched(data)
		if err == nil {
			err = m.Of(r.id, id)
		}
		return m, err
	}
}

// WriteRows stores rows of a bucket, or of reconcile.ByClose, and returns the
// reference with the key. They count once a result refers to them.
func (r *Run) WriteRows(ctx context.Context, id string, rows reconcile.Rows, bucket int, data []byte, ref reconcile.RowsRef) (reconcile.RowsRef, error) {
	ref.Bytes, ref.SHA256 = int64(len(data)), document.DigestOf(data)
	ref.Key = rowsKey(id, string(rows), nameOf(bucket), ref.SHA256, ref.Format)
	_, err := r.bucket.Put(ctx, r.prefix+ref.Key, data, Condition{})
	return ref, err
}

// ReadRows reads rows as they are stored. Those that are missing are an error of
// kind fault.Invalid, as those that are not what was written.
func (r *Run) ReadRows(ctx context.Context, ref reconcile.RowsRef) ([]byte, error) {
	data, _, err := r.get(ctx, ref.Key)
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.Invalid, "%s%s is missing: %w", r.prefix, ref.Key, err)
	}
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != ref.Bytes || document.DigestOf(data) != ref.SHA256 {
		return nil, fault.New(fault.Invalid, "%s%s is not what was written: torn, changed or replaced", r.prefix, ref.Key)
	}
	return data, nil
}

// WriteCompared writes the final word of Compare on a bucket.
func (r *Run) WriteCompared(ctx context.Context, c reconcile.Compared) (reconcile.Compared, error) {
	return writeOnce(ctx, r, bucketResultKey(c.ID, bucketName(c.Bucket)), c, r.decodeCompared(c.ID, c.Bucket))
}

// ReadCompared reads the final word of Compare on a bucket.
func (r *Run) ReadCompared(ctx context.Context, id string, bucket int) (reconcile.Compared, error) {
	return read(ctx, r, bucketResultKey(id, bucketName(bucket)), r.decodeCompared(id, bucket))
}

func (r *Run) decodeCompared(id string, bucket int) func([]byte) (reconcile.Compared, error) {
	return func(data []byte) (reconcile.Compared, error) {
		c, err := reconcile.DecodeCompared(data)
		if err == nil {
			err = c.Of(r.id, id, bucket)
		}
		return c, err
	}
}

// WriteSummary writes the final word on a reconciliation.
func (r *Run) WriteSummary(ctx context.Context, s reconcile.Summary) (reconcile.Summary, error) {
	return writeOnce(ctx, r, summaryKey(s.ID), s, r.decodeSummary(s.ID))
}

// ReadSummary reads the final word on a reconciliation.
func (r *Run) ReadSummary(ctx context.Context, id string) (reconcile.Summary, error) {
	return read(ctx, r, summaryKey(id), r.decodeSummary(id))
}

func (r *Run) decodeSummary(id string) func([]byte) (reconcile.Summary, error) {
	return func(data []byte) (reconcile.Summary, error) {
		s, err := reconcile.DecodeSummary(data)
		if err == nil {
			err = s.Of(r.id, id)
		}
		return s, err
	}
}

// LoadProgress reads the history of the run's reconciliations, and the tag with
// which it can be replaced. The error is of kind fault.NotFound where there is
// none.
func (r *Run) LoadProgress(ctx context.Context) (progress.History, string, error) {
	data, tag, err := r.get(ctx, progressKey)
	if err != nil {
		return progress.History{}, "", err
	}
	h, err := progress.Decode(data)
	if err == nil && h.Run != r.id {
		err = fault.New(fault.Invalid, "progress is of run %q", h.Run)
	}
	return h, tag, r.about(progressKey, err)
}

// SwapProgress replaces the history that has the tag, and returns the new tag; an
// empty tag stands for no history. Whoever gets an error of kind fault.Conflict
// was not the first: load it again.
func (r *Run) SwapProgress(ctx context.Context, h progress.History, tag string) (string, error) {
	data, err := h.Encode()
	if err != nil {
		return "", err
	}
	when := IfAbsent()
	if tag != "" {
		when = IfMatch(tag)
	}
	swapped, err := r.bucket.Put(ctx, r.prefix+progressKey, data, when)
	if kind := fault.KindOf(err); err != nil && (kind == fault.AlreadyExists || kind == fault.Conflict) {
		return "", fault.New(fault.Conflict, "swap progress: somebody else was first: %w", err)
	}
	return swapped, err
}

// WriteReport stores the report of a reconciliation, which is that of the run
// from now on.
func (r *Run) WriteReport(ctx context.Context, id string, page []byte) error {
	if _, err := r.bucket.Put(ctx, r.prefix+reconciliationReportKey(id), page, Condition{}); err != nil {
		return err
	}
	_, err := r.bucket.Put(ctx, r.prefix+reportKey, page, Condition{})
	return err
}

// sweepers is how many objects are deleted at a time.
const sweepers = 16

// SweepReconciliation deletes what a reconciliation that has its summary needed
// on the way: segments of the target pool and of imports, plans, claims and
// contested names.
// It returns how many objects it deleted.
func (r *Run) SweepReconciliation(ctx context.Context, id string) (deleted int, err error) {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(sweepers)
	folder := r.prefix + reconciliationFolder(id)
	for _, below := range []string{"target/", "plans/", "claims/", "imported/", "contested.bin"} {
		for entry, err := range r.bucket.List(ctx, folder+below) {
			if err != nil {
				return deleted, errorsOf(group.Wait(), err)
			}
			if strings.HasSuffix(entry.Key, "/scan.json") {
				continue // small, and says how the scan went
			}
			deleted++
			group.Go(func() error { return r.bucket.Delete(inner, entry.Key) })
		}
	}
	if err := group.Wait(); err != nil {
		return deleted, fmt.Errorf("sweep reconciliation %s: %w", id, err)
	}
	return deleted, nil
}

func errorsOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// document that is written once.
type encoder interface{ Encode() ([]byte, error) }

// writeOnce writes a document that is never written again, and returns the one
// that stands.
func writeOnce[D encoder](ctx context.Context, r *Run, key string, d D, decode func([]byte) (D, error)) (D, error) {
	data, err := d.Encode()
	if err != nil {
		return d, err
	}
	standing, err := r.createOnce(ctx, key, data)
	if err != nil {
		return d, err
	}
	first, err := decode(standing)
	return first, r.about(key, err)
}

// read reads a document.
func read[D any](ctx context.Context, r *Run, key string, decode func([]byte) (D, error)) (d D, err error) {
	data, _, err := r.get(ctx, key)
	if err != nil {
		return d, err
	}
	d, err = decode(data)
	return d, r.about(key, err)
}
