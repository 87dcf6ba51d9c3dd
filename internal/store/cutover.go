package store

import (
	"context"

	"poolferry/internal/cutover"
)

var _ cutover.Store = (*Run)(nil)

// WriteCutoverSnapshot writes what the pool was like before a cut-over, and
// returns what stands: of several, the first.
func (r *Run) WriteCutoverSnapshot(ctx context.Context, s cutover.Snapshot) (cutover.Snapshot, error) {
	return writeOnce(ctx, r, cutoverSnapshotKey(s.ID), s, r.decodeCutoverSnapshot(s.ID))
}

// ReadCutoverSnapshot reads what the pool was like before a cut-over.
func (r *Run) ReadCutoverSnapshot(ctx context.Context, id string) (cutover.Snapshot, error) {
	return read(ctx, r, cutoverSnapshotKey(id), r.decodeCutoverSnapshot(id))
}

func (r *Run) decodeCutoverSnapshot(id string) func([]byte) (cutover.Snapshot, error) {
	return func(data []byte) (cutover.Snapshot, error) {
		s, err := cutover.DecodeSnapshot(data)
		if err == nil {
			err = s.Of(r.id, id)
		}
		return s, err
	}
}

// ReadCutoverJournal reads how far the cut-over of the run is, and the tag with
// which the journal can be replaced. The error is of kind fault.NotFound where
// there was never a cut-over.
func (r *Run) ReadCutoverJournal(ctx context.Context) (cutover.Journal, string, error) {
	data, tag, err := r.get(ctx, cutoverJournalKey)
	if err != nil {
		return cutover.Journal{}, "", err
	}
	j, err := cutover.DecodeJournal(data)
	if err == nil {
		err = j.Of(r.id)
	}
	return j, tag, r.about(cutoverJournalKey, err)
}

// SwapCutoverJournal replaces the journal that has the tag, and returns the new
// tag; an empty tag stands for no journal. The error is of kind fault.Conflict for
// whoever was not the first.
func (r *Run) SwapCutoverJournal(ctx context.Context, next cutover.Journal, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, cutoverJournalKey, data, tag)
}
