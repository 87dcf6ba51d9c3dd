// Package inspect shows what is in the manifest of a run, and what a check or a
// comparison of it has found.
//
// Vocabulary: an inspection is the plan, the generations and, of one of them,
// the shards and parts; nothing in it is personal data. A profile is one user
// as staged, for an operator's own eyes. A verdict is what a verification has
// found, a difference the counts of a comparison.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// Store reads manifests; store.Run says what its methods do.
type Store interface {
	ReadPlan(ctx context.Context) (manifest.Plan, manifest.Digest, error)
	ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error)
	ReadGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, manifest.DocumentRef, error)
	LoadCheckpoint(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Checkpoint, string, error)
	ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error)
	ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error)
	ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error]
	ReadMembers(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[manifest.Member, error]
}

// Inspection is what a manifest consists of. As JSON it is the contract of
// manifest inspect.
type Inspection struct {
	Version     int           `json:"version"` // 1
	Run         string        `json:"run"`
	Plan        manifest.Plan `json:"plan"`
	Generations []Generation  `json:"generations"` // in their order
}

// Generation is one scan of the source pool.
type Generation struct {
	Generation int       `json:"generation"`
	Opened     time.Time `json:"opened"`
	Why        string    `json:"why,omitempty"`    // its shards are not the plan's
	Closed     time.Time `json:"closed,omitzero"`  // zero while it is open
	Profiles   int       `json:"profiles"`         // once it is closed
	Members    int       `json:"members"`          // once it is closed
	Estimate   int       `json:"estimate"`         // once it is closed
	Groups     int       `json:"groups"`           // that are staged
	Shards     []Shard   `json:"shards,omitempty"` // of the generation that is asked for
}

// Shard is a slice of a generation.
type Shard struct {
	ID      string                `json:"shard"`
	Content manifest.Content      `json:"content"`
	Filter  string                `json:"filter,omitempty"`
	State   manifest.State        `json:"state"`
	Attempt int                   `json:"attempt"`
	Count   int                   `json:"count"`            // lines
	Repeats int                   `json:"repeats"`          // once it is committed
	Commit  *manifest.DocumentRef `json:"commit,omitempty"` // once it is committed
	Parts   []manifest.PartRef    `json:"parts"`            // never null

	headers []manifest.Header // of the parts
}

// Look reads the documents of a run, with shards and parts of one generation, or
// of the latest for 0. No part is opened. The error is of kind fault.NotFound
// where the run has no plan, or not that generation.
func Look(ctx context.Context, store Store, generation int) (Inspection, error) {
	plan, _, err := store.ReadPlan(ctx)
	if err != nil {
		return Inspection{}, err
	}
	out := Inspection{Version: 1, Run: plan.Run, Plan: plan, Generations: []Generation{}}
	var wanted manifest.Generation
	for n := 1; ; n++ {
		g, err := store.ReadGeneration(ctx, n)
		if fault.KindOf(err) == fault.NotFound && n > generation {
			break
		}
		if err != nil {
			return out, err
		}
		described, err := describe(ctx, store, g)
		if err != nil {
			return out, err
		}
		out.Generations = append(out.Generations, described)
		if generation == 0 || n == generation {
			wanted = g
		}
	}
	if wanted.Generation > 0 {
		out.Generations[wanted.Generation-1].Shards, err = shards(ctx, store, wanted)
	}
	return out, err
}

func describe(ctx context.Context, store Store, g manifest.Generation) (Generation, error) {
	out := Generation{Generation: g.Generation, Opened: g.Opened, Why: g.Why}
	groups, _, err := store.ReadGroups(ctx, g.Origin)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return out, err
	}
	out.Groups = len(groups.Groups)
	final, err := store.ReadManifest(ctx, g.Origin)
	if fault.KindOf(err) == fault.NotFound {
		return out, nil
	}
	out.Closed, out.Profiles, out.Members, out.Estimate = final.Closed, final.Profiles, final.Members, final.Estimate
	return out, err
}

func shards(ctx context.Context, store Store, g manifest.Generation) (all []Shard, err error) {
	for _, s := range g.Shards {
		shard, err := shardOf(ctx, store, g, s)
		if err != nil {
			return nil, err
		}
		all = append(all, shard)
	}
	return all, nil
}

// shardOf returns a shard as its commit has it, or its checkpoint where there is
// none, or as not begun.
func shardOf(ctx context.Context, store Store, g manifest.Generation, s manifest.Shard) (Shard, error) {
	out := Shard{ID: s.ID, Content: s.Content, Filter: s.Filter, State: manifest.Open, Attempt: 1, Parts: []manifest.PartRef{}}
	commit, ref, err := store.ReadCommit(ctx, g.Origin, s)
	if err == nil {
		out.State, out.Attempt, out.Count, out.Repeats = manifest.Complete, commit.Attempt, commit.Count, commit.Repeats
		out.Commit, out.Parts = &ref, commit.Parts
		for i := range commit.Parts {
			out.headers = append(out.headers, commit.PartHeader(i))
		}
		return out, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return out, err
	}
	c, _, err := store.LoadCheckpoint(ctx, g.Origin, s)
	if fault.KindOf(err) == fault.NotFound {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.State, out.Attempt, out.Count, out.Parts = c.State, c.Attempt, c.Count, c.Parts
	for i := range c.Parts {
		out.headers = append(out.headers, c.PartHeader(i))
	}
	return out, nil
}

// Profile is one user as staged. As JSON it is the contract of manifest inspect
// --profile.
type Profile struct {
	Version    int                 `json:"version"` // 1
	Run        string              `json:"run"`
	Generation int                 `json:"generation"`
	Part       string              `json:"part"` // key, relative to the run, of the line that counts
	Lines      int                 `json:"lines"`
	Sub        userpool.Sub        `json:"sub"`
	Username   string              `json:"username"`
	Status     userpool.Status     `json:"status"`
	Enabled    bool                `json:"enabled"`
	MFA        []string            `json:"mfa,omitempty"`
	Attributes userpool.Attributes `json:"attributes"`
	Groups     []string            `json:"groups"` // never null
	Created    time.Time           `json:"created,omitzero"`
	Modified   time.Time           `json:"modified,omitzero"`
}

// ErrNobody means that nobody of this sub is staged.
var ErrNobody = errors.New("nobody of this sub is staged")

// Find reads the parts that a user can be in, and returns the last line about
// the user, with the groups. The error wraps ErrNobody where there is none.
func Find(ctx context.Context, store Store, g manifest.Generation, sub userpool.Sub) (Profile, error) {
	out := Profile{Version: 1, Run: g.Run, Generation: g.Generation, Sub: sub, Groups: []string{}}
	all, err := shards(ctx, store, g)
	if err != nil {
		return out, err
	}
	for _, shard := range all {
		prefix := manifest.Shard{Filter: shard.Filter}.Prefix()
		if !strings.HasPrefix(string(sub), prefix) {
			continue
		}
		for i, ref := range shard.Parts {
			if err := out.search(ctx, store, shard.headers[i], ref); err != nil {
				return out, err
			}
		}
	}
	if out.Lines == 0 {
		return out, fmt.Errorf("generation %d of run %s: %w: %q", g.Generation, g.Run, ErrNobody, string(sub))
	}
	slices.Sort(out.Groups)
	out.Groups = slices.Compact(out.Groups)
	return out, nil
}

func (p *Profile) search(ctx context.Context, store Store, h manifest.Header, ref manifest.PartRef) error {
	if h.Content == manifest.Members {
		for m, err := range store.ReadMembers(ctx, h, ref) {
			if err != nil {
				return err
			}
			if m.Sub == p.Sub {
				p.Groups = append(p.Groups, m.Group)
			}
		}
		return nil
	}
	for u, err := range store.ReadProfiles(ctx, h, ref) {
		if err != nil {
			return err
		}
		if u.Sub == p.Sub {
			p.Part, p.Lines = ref.Key, p.Lines+1
			p.Username, p.Status, p.Enabled, p.MFA = u.Username, u.Status, u.Enabled, u.MFA
			p.Attributes, p.Created, p.Modified = u.Attributes, u.Created, u.Modified
		}
	}
	return nil
}
