// Package census counts, proves and compares who is in a manifest, by reading
// every part of it again. Its memory depends on how many users there are, not on
// what they have: an id is 16 bytes.
//
// Vocabulary: an id stands for a sub, or for a membership of one in a group; a
// problem is one thing about a manifest that is not as it says; a change is one
// difference between two generations.
package census

import (
	"context"
	"iter"
	"sync"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// Parts reads parts; store.Run says what its methods do.
type Parts interface {
	ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error]
	ReadMembers(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[manifest.Member, error]
}

// Store reads manifests; store.Run says what its methods do.
type Store interface {
	Parts
	ReadPlan(ctx context.Context) (manifest.Plan, manifest.Digest, error)
	ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error)
	ReadGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, manifest.DocumentRef, error)
	ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error)
	ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error)
}

// readers is how many parts are read at a time. Each holds one part in memory,
// as it is stored.
const readers = 4

// Repeats returns how many lines of a checkpoint's parts are about somebody of
// whom another line is, too. A part that cannot be read is an error.
func Repeats(ctx context.Context, parts Parts, c manifest.Checkpoint) (int, error) {
	all := make([]id, 0, c.Count)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, ref := range c.Parts {
		group.Go(func() error {
			ids := make([]id, 0, ref.Count)
			err := each(ctx, parts, c.PartHeader(i), ref, func(l line) { ids = append(ids, l.id()) })
			mu.Lock()
			defer mu.Unlock()
			all = append(all, ids...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return repeats(all), nil
}

// line is a line of either content.
type line struct {
	user  *userpool.User // nil for a membership
	sub   userpool.Sub
	group string // of a membership
}

func (l line) id() id {
	if l.user != nil {
		return subID(l.sub)
	}
	return memberID(manifest.Member{Group: l.group, Sub: l.sub})
}

// each calls do for every line of a part, in order.
func each(ctx context.Context, parts Parts, h manifest.Header, ref manifest.PartRef, do func(line)) error {
	if h.Content == manifest.Members {
		for m, err := range parts.ReadMembers(ctx, h, ref) {
			if err != nil {
				return err
			}
			do(line{sub: m.Sub, group: m.Group})
		}
		return nil
	}
	for u, err := range parts.ReadProfiles(ctx, h, ref) {
		if err != nil {
			return err
		}
		do(line{user: &u, sub: u.Sub})
	}
	return nil
}
