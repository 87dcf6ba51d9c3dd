package store

import (
	"context"

	"poolferry/internal/document"
	"poolferry/internal/reconcile"
	"poolferry/internal/settle"
)

var _ settle.Store = (*Run)(nil)

// ReadSettle reads how far the settling of the run has come, and the tag with
// which it can be replaced. The error is of kind fault.NotFound where nothing was
// ever settled.
func (r *Run) ReadSettle(ctx context.Context) (settle.State, string, error) {
	data, tag, err := r.get(ctx, settleKey)
	if err != nil {
		return settle.State{}, "", err
	}
	s, err := settle.DecodeState(data)
	if err == nil {
		err = s.Of(r.id)
	}
	return s, tag, r.about(settleKey, err)
}

// SwapSettle replaces the state that has the tag, and returns the new tag; an empty
// tag stands for no state. Whoever gets an error of kind fault.Conflict was not the
// first: somebody else is at work.
func (r *Run) SwapSettle(ctx context.Context, next settle.State, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, settleKey, data, tag)
}

// WriteUnsettled stores rows that failed, and returns the reference with the key.
// They count once the state refers to them.
func (r *Run) WriteUnsettled(ctx context.Context, of settle.Kept, data []byte, ref reconcile.RowsRef) (reconcile.RowsRef, error) {
	ref.Bytes, ref.SHA256 = int64(len(data)), document.DigestOf(data)
	ref.Key = unsettledKey(string(of), ref.SHA256, ref.Format)
	_, err := r.bucket.Put(ctx, r.prefix+ref.Key, data, Condition{})
	return ref, err
}

// DeleteUnsettled deletes rows that no state refers to any more.
func (r *Run) DeleteUnsettled(ctx context.Context, ref reconcile.RowsRef) error {
	return r.bucket.Delete(ctx, r.prefix+ref.Key)
}
