package reconcile

import (
	"context"
	"fmt"
	"iter"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/userpool"
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
// them, or its memberships, and commits the item. A generation does not change: an item that has a
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
	w := shuffle.NewWriter(basis.layout(item.side()))
	for n := item.First; n < item.First+item.Parts; n++ {
		i.Read += commit.Parts[n].Bytes
		for u, err := range r.part(ctx, commit, n) {
			if err != nil {
				return i, err
			}
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
	if item.side() == shuffle.Members {
		count = 0 // these are no users
	}
	r.o.Recorder.RecordStep(ctx, StepRecord{At: i.Began, Step: StepIndex, Piece: item.ID, Lines: count, Took: i.Ended.Sub(i.Began)})
	return r.o.Store.WriteIndexed(ctx, i)
}

// part yields the lines of a part: users as the mapping makes them or, of a
// membership, a user who has nothing but the group.
func (r *Reconciliation) part(ctx context.Context, commit manifest.Commit, n int) iter.Seq2[userpool.User, error] {
	return func(yield func(userpool.User, error) bool) {
		if commit.Shard.Content == manifest.Members {
			for m, err := range r.o.Store.ReadMembers(ctx, commit.PartHeader(n), commit.Parts[n]) {
				if !yield(userpool.User{Sub: m.Sub, Groups: []string{m.Group}}, err) {
					return
				}
			}
			return
		}
		for u, err := range r.o.Store.ReadProfiles(ctx, commit.PartHeader(n), commit.Parts[n]) {
			if err == nil {
				u.Attributes = r.o.Mapping.Apply(u)
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

// side is the side that an item's lines are of.
func (i IndexItem) side() shuffle.Side {
	if i.Shard.Content == manifest.Members {
		return shuffle.Members
	}
	return shuffle.Staged
}

// layout says how a side is dealt out.
func (b Basis) layout(side shuffle.Side) shuffle.Layout {
	return shuffle.Layout{Buckets: b.Buckets, NameBuckets: NameBuckets(b.Buckets), Side: side, Pool: b.Target.Pool.Userpool()}
}
