package reconcile

import (
	"context"
	"fmt"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/shuffle"
)

// IndexInput says which item to index.
type IndexInput struct {
	Run  string `json:"run"`
	ID   string `json:"id"` // of the reconciliation
	Item string `json:"item"`
}

// IndexOutput says what became of it.
type IndexOutput struct {
	Item  string `json:"item"`
	Count int    `json:"count"` // lines
	Bytes int64  `json:"bytes"` // as they are stored now
}

// Index deals the profiles of an item out into buckets, as the mapping makes
// them, and commits the item. A generation does not change: an item that has a
// commit, of whichever reconciliation, is left as it is. The error is of kind
// fault.Invalid, and names the key, where a part is damaged or foreign.
func (r *Reconciliation) Index(ctx context.Context, in IndexInput) (IndexOutput, error) {
	basis, err := r.step(ctx, in.Run, in.ID)
	if err != nil {
		return IndexOutput{}, err
	}
	item, ok := basis.Item(in.Item)
	if !ok {
		return IndexOutput{}, fault.New(fault.Invalid, "reconciliation %s of run %s has no item %q", in.ID, in.Run, in.Item)
	}
	standing, err := r.indexed(ctx, basis, item)
	if is(err, fault.NotFound) {
		standing, err = r.index(ctx, basis, item)
	}
	if err != nil {
		return IndexOutput{}, fmt.Errorf("index item %s: %w", item.ID, err)
	}
	return IndexOutput{Item: item.ID, Count: standing.Segments.Count, Bytes: standing.Segments.Bytes}, nil
}

// indexed reads the commit of an item. The error is of kind fault.NotFound where
// there is none, fault.Invalid where it was made by other rules.
func (r *Reconciliation) indexed(ctx context.Context, basis Basis, item IndexItem) (Indexed, error) {
	mapping, err := manifest.DigestOfMapping(r.o.Mapping)
	if err != nil {
		return Indexed{}, err
	}
	i, err := r.o.Store.ReadIndexed(ctx, basis.Origin(item.Generation), basis.Buckets, item)
	if err != nil {
		return i, err
	}
	if i.MappingSHA256 != mapping || i.Target != basis.Target.Pool.ID {
		return i, fault.New(fault.Invalid, "item %s was indexed under another mapping or for another target pool: seed again, or put the configuration back", item.ID)
	}
	return i, nil
}

func (r *Reconciliation) index(ctx context.Context, basis Basis, item IndexItem) (Indexed, error) {
	i := Indexed{
		Origin: basis.Origin(item.Generation), Item: item, Buckets: basis.Buckets, Target: basis.Target.Pool.ID,
		By: basis.ID, Began: r.o.Now().UTC(),
	}
	var err error
	if i.MappingSHA256, err = manifest.DigestOfMapping(r.o.Mapping); err != nil {
		return i, err
	}
	commit, ref, err := r.o.Store.ReadCommit(ctx, i.Origin, item.Shard)
	if err != nil {
		return i, err
	}
	if ref != item.Commit || item.First+item.Parts > len(commit.Parts) {
		return i, fault.New(fault.Invalid, "commit %s is not the one that the basis speaks of", ref.Key)
	}
	w := shuffle.NewWriter(shuffle.Layout{
		Buckets: basis.Buckets, NameBuckets: NameBuckets(basis.Buckets), Side: shuffle.Staged, Pool: basis.Target.Pool.Userpool(),
	})
	for n := item.First; n < item.First+item.Parts; n++ {
		i.Read += commit.Parts[n].Bytes
		for u, err := range r.o.Store.ReadProfiles(ctx, commit.PartHeader(n), commit.Parts[n]) {
			if err != nil {
				return i, err
			}
			u.Attributes = r.o.Mapping.Apply(u)
			if err := w.Add(u); err != nil {
				return i, err
			}
		}
	}
	object, count, err := w.Close()
	if err != nil {
		return i, err
	}
	if i.Segments, err = shuffle.NewRef(object, count); err != nil {
		return i, err
	}
	if i.Segments, err = r.o.Store.WriteIndexSegments(ctx, item.Generation, basis.Buckets, item.ID, object, i.Segments); err != nil {
		return i, err
	}
	i.Ended = r.o.Now().UTC()
	r.o.Recorder.RecordStep(ctx, StepRecord{At: i.Began, Step: StepIndex, Piece: item.ID, Lines: count, Took: i.Ended.Sub(i.Began)})
	return r.o.Store.WriteIndexed(ctx, i)
}
