package census

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"iter"
	"slices"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// Change is a difference between two generations.
type Change struct {
	Kind  ChangeKind   `json:"kind"`
	Sub   userpool.Sub `json:"sub"`
	Group string       `json:"group,omitempty"` // of a membership; empty for a profile
}

// ChangeKind is what became of a profile or a membership.
type ChangeKind string

// The kinds of changes. A membership is never changed.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// atOnce is how many lines of each generation are compared at a time. More are
// compared in several rounds, each of which reads all parts.
const atOnce = 500_000

// Diff yields what has changed from one closed generation to another, profiles
// and memberships, each once. Of several lines about a user the last counts. An
// error ends it; the kinds are those of Verify.
func Diff(ctx context.Context, store Store, from, to int) iter.Seq2[Change, error] {
	return diff(ctx, store, from, to, atOnce)
}

func diff(ctx context.Context, store Store, from, to, most int) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		before, err := commits(ctx, store, from)
		if err != nil {
			yield(Change{}, err)
			return
		}
		after, err := commits(ctx, store, to)
		if err != nil {
			yield(Change{}, err)
			return
		}
		rounds := 1 + uint64(max(lines(before), lines(after))/most)
		for round := range rounds {
			mine := func(i id) bool { return binary.BigEndian.Uint64(i[8:])%rounds == round }
			changes, err := compare(ctx, store, before, after, mine)
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, c := range changes {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// commits returns the commits of a closed generation.
func commits(ctx context.Context, store Store, generation int) (all []manifest.Commit, err error) {
	g, err := store.ReadGeneration(ctx, generation)
	if err != nil {
		return nil, err
	}
	m, err := store.ReadManifest(ctx, g.Origin)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.Conflict, "generation %d of run %s is not closed yet: %w", generation, g.Run, err)
	}
	if err != nil {
		return nil, err
	}
	for _, committed := range m.Shards {
		shard, ok := g.Shard(committed.ID)
		if !ok {
			return nil, fault.New(fault.Invalid, "generation %d has no shard %s, of which its manifest speaks", generation, committed.ID)
		}
		commit, ref, err := store.ReadCommit(ctx, g.Origin, shard)
		if err == nil && ref != committed.Commit {
			err = fault.New(fault.Invalid, "%s is not what the manifest of generation %d speaks of", ref.Key, generation)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, commit)
	}
	return all, nil
}

func lines(commits []manifest.Commit) (n int) {
	for _, c := range commits {
		n += c.Count
	}
	return n
}

// state is what is remembered of the last line about somebody.
type state struct {
	sub   userpool.Sub
	group string
	sum   [16]byte // of a profile
}

// states are by id, those of profiles and those of memberships: an id of one is
// by no chance one of the other.
type states map[id]state

func load(ctx context.Context, store Store, commits []manifest.Commit, mine func(id) bool) (states, error) {
	all := states{}
	for _, c := range commits {
		for i, ref := range c.Parts { // in this order: later lines are newer
			err := each(ctx, store, c.PartHeader(i), ref, func(l line) {
				if at := l.id(); mine(at) {
					all[at] = state{l.sub, l.group, sumOf(l)}
				}
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// sumOf digests a profile: all of it, for a line has nothing that changes by
// itself.
func sumOf(l line) (out [16]byte) {
	if l.user != nil {
		text, _ := json.Marshal(l.user) // text, booleans and times of this age do not fail
		sum := sha256.Sum256(text)
		copy(out[:], sum[:])
	}
	return out
}

func compare(ctx context.Context, store Store, from, to []manifest.Commit, mine func(id) bool) ([]Change, error) {
	before, err := load(ctx, store, from, mine)
	if err != nil {
		return nil, err
	}
	after, err := load(ctx, store, to, mine)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for at, was := range before {
		now, stays := after[at]
		switch {
		case !stays:
			changes = append(changes, Change{Removed, was.sub, was.group})
		case !bytes.Equal(now.sum[:], was.sum[:]):
			changes = append(changes, Change{Changed, was.sub, was.group})
		}
	}
	for at, now := range after {
		if _, was := before[at]; !was {
			changes = append(changes, Change{Added, now.sub, now.group})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Sub, b.Sub), cmp.Compare(a.Group, b.Group))
	})
	return changes, nil
}
