package lookup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Owner is somebody who was staged and has not arrived, and whom a name belongs
// to.
type Owner struct {
	Sub userpool.Sub // at the source
	// Reason says why the user has not moved yet, whatever is excluded. What keeps
	// the user from ever moving comes first, but for being disabled: that is the
	// reason of somebody who could move otherwise.
	Reason verdict.Reason
	Kind   names.Kind // of the user's name
}

// Owners returns whom the names belong to that somebody would have in the target
// pool, sorted by sub: those who were staged and had not arrived, and whom such a
// name lets in there. Whose address or number is verified nowhere, in a pool that
// asks for that, owns nothing; nor does a name whose hash is the same make an
// owner, for the staged users themselves are looked at.
//
// Names that u has count whether they open the target or not: at a registration
// nothing is verified yet.
func (l *Lookup) Owners(ctx context.Context, u userpool.User) ([]Owner, error) {
	return ask(ctx, l, func(e *edition) ([]Owner, error) {
		wanted := names.Of(u, e.pool)
		if len(wanted) == 0 {
			return nil, nil
		}
		owners, err := l.owners(ctx, e, wanted)
		if err != nil {
			return nil, fmt.Errorf("look up the owner of a name: %w", err)
		}
		return owners, nil
	})
}

func (l *Lookup) owners(ctx context.Context, e *edition, wanted []names.Name) (owners []Owner, err error) {
	pieces, err := l.index(ctx, e)
	if err != nil {
		return nil, err
	}
	hits, err := l.hits(ctx, pieces, wanted)
	if err != nil {
		return nil, err
	}
	seen := map[identity]bool{}
	for _, h := range hits {
		found, err := l.examine(ctx, e, pieces[h.piece], h.record, seen)
		if err != nil {
			return nil, err
		}
		for _, u := range found {
			if kind, ok := shares(u, wanted, e.pool); ok {
				owners = append(owners, Owner{Sub: u.Sub, Reason: l.reason(e, u), Kind: kind})
			}
		}
	}
	slices.SortFunc(owners, func(a, b Owner) int { return strings.Compare(string(a.Sub), string(b.Sub)) })
	return owners, nil
}

// hit is a record of a name that is wanted.
type hit struct {
	piece  int
	record names.Record
}

// hits finds the records of names, those of the newest piece first.
func (l *Lookup) hits(ctx context.Context, pieces []*piece, wanted []names.Name) ([]hit, error) {
	found := make([][]hit, len(pieces)*len(wanted))
	search := func(ctx context.Context, n int) error {
		p, hash := n/len(wanted), wanted[n%len(wanted)].Hash()
		all, err := l.records(ctx, pieces[p], shuffle.NameBucketOf(hash, pieces[p].footer.NameBuckets))
		if err != nil {
			return err
		}
		at, _ := slices.BinarySearchFunc(all, hash, func(r names.Record, hash uint64) int {
			switch {
			case r.Hash() < hash:
				return -1
			case r.Hash() > hash:
				return 1
			}
			return 0
		})
		for ; at < len(all) && all[at].Hash() == hash; at++ {
			found[n] = append(found[n], hit{p, all[at]})
		}
		return nil
	}
	if err := each(ctx, len(found), search); err != nil {
		return nil, err
	}
	hits := slices.Concat(found...)
	slices.SortStableFunc(hits, func(a, b hit) int { return b.piece - a.piece })
	return hits, nil
}

// examine returns the staged users whom a record is about and who have not
// arrived, but for those who were seen in a newer piece.
func (l *Lookup) examine(ctx context.Context, e *edition, p *piece, r names.Record, seen map[identity]bool) (found []userpool.User, err error) {
	bucket := shuffle.BucketOfRecord(r, e.basis.Buckets)
	shelves, err := l.shelves(ctx, e, bucket)
	if err != nil {
		return nil, err
	}
	var candidates []identity
	for _, s := range shelves {
		candidates = s.candidates(r, candidates)
	}
	candidates = slices.DeleteFunc(candidates, func(i identity) bool { return seen[i] })
	if len(candidates) == 0 {
		return nil, nil
	}
	side, err := l.side(ctx, []*piece{p}, bucket)
	if err != nil {
		return nil, err
	}
	for walk := side.Linked(); ; {
		sub, ok := walk.Identity()
		if !ok {
			return found, nil
		}
		who := identityOf(string(sub))
		if !slices.Contains(candidates, who) {
			walk.Skip()
			continue
		}
		users, err := walk.Next()
		if err != nil {
			return nil, err
		}
		seen[who] = true
		found = append(found, users...)
	}
}

// shares returns the kind of the name that lets a staged user into the target and
// is one of those that are wanted.
func shares(u userpool.User, wanted []names.Name, pool userpool.Pool) (names.Kind, bool) {
	for _, own := range names.Of(u, pool) {
		if own.Opens && slices.ContainsFunc(wanted, func(n names.Name) bool { return same(own, n, pool) }) {
			return own.Kind, true
		}
	}
	return 0, false
}

// same reports whether the pool would find two names under each other. The hash
// says whether they are of kinds that are looked for alike.
func same(a, b names.Name, pool userpool.Pool) bool {
	return a.Value == b.Value && a.Hash() == b.Hash() && (!pool.CaseSensitive || a.Exact == b.Exact)
}

// reason says why a staged user has not moved.
func (l *Lookup) reason(e *edition, u userpool.User) verdict.Reason {
	rules := verdict.Rules{Pool: e.pool, MFA: l.o.MFA, GenerationOpened: e.basis.Staged.Opened}
	disabled := !u.Enabled
	u.Enabled = true
	reason := rules.Decide(verdict.Case{Staged: &u}).Reason
	if disabled && Movable(reason) {
		return verdict.Disabled
	}
	return reason
}

// Movable reports whether the trigger can move a user who has not moved for this
// reason, now or once the user is enabled, and be it only by forgot-password.
func Movable(r verdict.Reason) bool {
	switch r {
	case verdict.Federated, verdict.Unconfirmed, verdict.SchemaBlocks, verdict.NoNameCarried, verdict.UsernameUnusable:
		return false
	}
	return slices.Contains(verdict.PendingReasons(), r)
}
