package store

import (
	"context"
	"strings"

	"poolferry/internal/document"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
)

var (
	_ reconcile.OpenStore     = (*Run)(nil)
	_ reconcile.DecisionStore = (*Run)(nil)
)

// ReadLease reads who of the run's reconciliations is at work, and the tag with
// which the lease can be replaced. The error is of kind fault.NotFound where
// there was never one.
func (r *Run) ReadLease(ctx context.Context) (reconcile.Lease, string, error) {
	data, tag, err := r.get(ctx, leaseKey)
	if err != nil {
		return reconcile.Lease{}, "", err
	}
	l, err := reconcile.DecodeLease(data)
	if err == nil {
		err = l.Of(r.id)
	}
	return l, tag, r.about(leaseKey, err)
}

// SwapLease replaces the lease that has the tag, and returns the new tag; an empty
// tag stands for no lease. The error is of kind fault.Conflict for whoever was not
// the first.
func (r *Run) SwapLease(ctx context.Context, next reconcile.Lease, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, leaseKey, data, tag)
}

// WriteBasis writes what a reconciliation compares, and returns what stands: of
// several, the first.
func (r *Run) WriteBasis(ctx context.Context, b reconcile.Basis) (reconcile.Basis, error) {
	data, err := b.Encode()
	if err != nil {
		return b, err
	}
	standing, err := r.createOnce(ctx, basisKey(b.ID), data)
	if err != nil {
		return b, err
	}
	return r.decodeBasis(standing, b.ID)
}

// ReadBasis reads what a reconciliation compares.
func (r *Run) ReadBasis(ctx context.Context, id string) (reconcile.Basis, error) {
	data, _, err := r.get(ctx, basisKey(id))
	if err != nil {
		return reconcile.Basis{}, err
	}
	return r.decodeBasis(data, id)
}

func (r *Run) decodeBasis(data []byte, id string) (reconcile.Basis, error) {
	b, err := reconcile.DecodeBasis(data)
	if err == nil {
		err = b.Of(r.id, id)
	}
	return b, r.about(basisKey(id), err)
}

// WriteItems writes a list of items for a Distributed Map: index, scan or
// compare. It returns the list that stands, of several the first, and its key
// from the beginning of the bucket.
func (r *Run) WriteItems(ctx context.Context, id, of string, data []byte) (key string, standing []byte, err error) {
	key = itemsKey(id, of)
	standing, err = r.createOnce(ctx, key, data)
	return r.prefix + key, standing, err
}

// ListIndexed returns the items of a generation that have a commit.
func (r *Run) ListIndexed(ctx context.Context, generation, buckets int) (map[string]bool, error) {
	items, folder := map[string]bool{}, r.prefix+indexFolder(generation, buckets)
	for entry, err := range r.bucket.List(ctx, folder) {
		if err != nil {
			return nil, err
		}
		if item, commit := strings.CutSuffix(strings.TrimPrefix(entry.Key, folder), ".json"); commit {
			items[item] = true
		}
	}
	return items, nil
}

// LoadScan reads how far a shard of the target pool was read for a
// reconciliation, and the tag with which that can be replaced. The error is of
// kind fault.NotFound where nothing was begun.
func (r *Run) LoadScan(ctx context.Context, id string, shard manifest.Shard) (reconcile.Scan, string, error) {
	key := scanKey(id, shard.ID)
	data, tag, err := r.get(ctx, key)
	if err != nil {
		return reconcile.Scan{}, "", err
	}
	s, err := reconcile.DecodeScan(data)
	if err == nil {
		err = s.Of(r.id, id, shard)
	}
	return s, tag, r.about(key, err)
}

// SwapScan replaces the scan that has the tag, and returns the new tag; an empty
// tag stands for no scan. Whoever gets an error of kind fault.Conflict was not the
// first: load it again and go on from there.
func (r *Run) SwapScan(ctx context.Context, next reconcile.Scan, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, scanKey(next.ID, next.Shard.ID), data, tag)
}

// WriteScanPart stores a part of a scan, and returns its reference with the key. A
// part counts once the scan refers to it, not before.
func (r *Run) WriteScanPart(ctx context.Context, s reconcile.Scan, part int, object []byte, ref shuffle.Ref) (shuffle.Ref, error) {
	return r.putSegments(ctx, scanPartKey(s.ID, s.Shard.ID, s.Attempt, part, ref.SHA256), object, ref)
}

// ReadDecisions reads what people have decided about the run's users, and the tag
// with which it can be replaced. The error is of kind fault.NotFound where they
// have decided nothing.
func (r *Run) ReadDecisions(ctx context.Context) (reconcile.Decisions, string, error) {
	data, tag, err := r.get(ctx, decisionsKey)
	if err != nil {
		return reconcile.Decisions{}, "", err
	}
	d, err := reconcile.DecodeDecisions(data)
	if err == nil {
		err = d.Of(r.id)
	}
	return d, tag, r.about(decisionsKey, err)
}

// SwapDecisions replaces the decisions that have the tag, and returns the new tag;
// an empty tag stands for no decisions. Whoever gets an error of kind
// fault.Conflict was not the first: read them again.
func (r *Run) SwapDecisions(ctx context.Context, next reconcile.Decisions, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, decisionsKey, data, tag)
}

// WriteImportRows stores rows of an import, and returns the reference with the
// key. They count once a decision refers to them.
func (r *Run) WriteImportRows(ctx context.Context, id string, data []byte, ref reconcile.RowsRef) (reconcile.RowsRef, error) {
	ref.Bytes, ref.SHA256 = int64(len(data)), document.DigestOf(data)
	ref.Key = importRowsKey(id, bucketName(ref.Bucket), ref.SHA256, ref.Format)
	_, err := r.bucket.Put(ctx, r.prefix+ref.Key, data, Condition{})
	return ref, err
}
