package seeding

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/manifest"
)

// partReaders is how many parts are read at a time. Each holds one part in
// memory, as it is stored.
const partReaders = 4

// commit makes the final word on a complete shard. It reads every part again:
// what cannot be read back is no truth, and only so the repeats are known.
func (s *Seeding) commit(ctx context.Context, st standing) (standing, error) {
	ids, err := readIDs(ctx, s.o.Store, st.Shard.Content, st.Parts, st.PartHeader, st.Count)
	if err != nil {
		return st, err
	}
	commit, err := st.Checkpoint.Commit(ids.repeats(), s.o.Now())
	if err != nil {
		return st, err
	}
	commit, st.ref, err = s.o.Store.CommitShard(ctx, commit)
	st.commit = &commit
	return st, err
}

// readIDs reads the ids of all lines of some parts.
func readIDs(
	ctx context.Context, store Store, content manifest.Content,
	parts []manifest.PartRef, header func(int) manifest.Header, count int,
) (*idSet, error) {
	all := &idSet{ids: make([]id, 0, count)}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partReaders)
	for i, part := range parts {
		group.Go(func() error {
			ids, err := partIDs(ctx, store, content, header(i), part)
			mu.Lock()
			defer mu.Unlock()
			all.ids = append(all.ids, ids...)
			return err
		})
	}
	return all, group.Wait()
}

func partIDs(ctx context.Context, store Store, content manifest.Content, h manifest.Header, part manifest.PartRef) ([]id, error) {
	ids := make([]id, 0, part.Count)
	if content == manifest.Members {
		for m, err := range store.ReadMembers(ctx, h, part) {
			if err != nil {
				return nil, err
			}
			ids = append(ids, memberID(m))
		}
		return ids, nil
	}
	for u, err := range store.ReadProfiles(ctx, h, part) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, subID(u.Sub))
	}
	return ids, nil
}
