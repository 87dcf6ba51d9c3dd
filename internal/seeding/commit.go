package seeding

import (
	"context"

	"poolferry/internal/seeding/census"
)

// commit makes the final word on a complete shard. It reads every part again:
// what cannot be read back is no truth, and only so the repeats are known.
func (s *Seeding) commit(ctx context.Context, st standing) (standing, error) {
	repeats, err := census.Repeats(ctx, s.o.Store, st.Checkpoint)
	if err != nil {
		return st, err
	}
	commit, err := st.Commit(repeats, s.o.Now())
	if err != nil {
		return st, err
	}
	commit, st.ref, err = s.o.Store.CommitShard(ctx, commit)
	st.commit = &commit
	return st, err
}
