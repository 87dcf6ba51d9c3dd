package census

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// Report is what a verification has found.
type Report struct {
	Generation int
	Shards     int
	Parts      int   // that were read
	Bytes      int64 // of them, as stored
	Profiles   int   // users
	Members    int   // memberships in groups
	Repeats    int   // lines with a later line about the same
	Groups     int
	Estimate   int       // users, as the pool said when the generation was closed
	Problems   []Problem // in the order of shards and parts
}

// Problem is something that is not as the manifest says.
type Problem struct {
	Object string // what is wrong: a key, or a shard
	Why    string
}

func (p Problem) String() string { return p.Object + ": " + p.Why }

// Verify reads every object that the manifest of a closed generation speaks of,
// and proves digests, counts, that each user is there once, and that nothing
// sounds like a secret. What it finds is in the report. Of the generation's
// opening and the manifest itself, which no digest vouches for, it cannot prove
// times and estimate.
//
// An error means that it could not look: of kind fault.NotFound where there is
// no such generation, of kind fault.Conflict where it is not closed.
func Verify(ctx context.Context, store Store, generation int) (Report, error) {
	v := &verification{store: store, report: Report{Generation: generation}}
	g, m, err := v.closed(ctx, generation)
	if err != nil || len(v.report.Problems) > 0 {
		return v.report, err
	}
	v.report.Estimate = m.Estimate
	if err := v.groups(ctx, g, m); err != nil {
		return v.report, err
	}
	v.shards(g, m)
	for _, committed := range m.Shards {
		shard, ok := g.Shard(committed.ID)
		if !ok {
			continue // said already
		}
		if err := v.shard(ctx, g, shard, committed); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verification struct {
	store  Store
	known  map[string]bool // groups
	report Report
}

// look returns an error that is no finding: one that says nothing about the
// manifest.
func (v *verification) look(object string, err error) error {
	if err == nil || fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.NotFound {
		return err
	}
	v.problem(object, "%s", err)
	return nil
}

func (v *verification) problem(object, format string, args ...any) {
	v.report.Problems = append(v.report.Problems, Problem{object, fmt.Sprintf(format, args...)})
}

func (v *verification) closed(ctx context.Context, generation int) (g manifest.Generation, m manifest.Manifest, err error) {
	_, digest, err := v.store.ReadPlan(ctx)
	if fault.KindOf(err) == fault.Invalid {
		return g, m, v.look("plan", err)
	}
	if err != nil {
		return g, m, err
	}
	if g, err = v.store.ReadGeneration(ctx, generation); fault.KindOf(err) == fault.Invalid {
		return g, m, v.look("generation", err)
	}
	if err != nil {
		return g, m, err
	}
	if g.PlanSHA256 != digest {
		v.problem("generation", "it is of the plan %.12s, the run has %.12s", g.PlanSHA256, digest)
	}
	m, err = v.store.ReadManifest(ctx, g.Origin)
	if fault.KindOf(err) == fault.NotFound {
		return g, m, fault.New(fault.Conflict, "generation %d of run %s is not closed yet: %w", generation, g.Run, err)
	}
	return g, m, v.look("manifest", err)
}

func (v *verification) groups(ctx context.Context, g manifest.Generation, m manifest.Manifest) error {
	if m.Groups == nil {
		return nil
	}
	groups, ref, err := v.store.ReadGroups(ctx, g.Origin)
	if err != nil {
		return v.look("groups", err)
	}
	if ref != *m.Groups {
		v.problem(ref.Key, "it has SHA-256 %.12s…, the manifest says %.12s…: changed or replaced", ref.SHA256, m.Groups.SHA256)
	}
	v.report.Groups, v.known = len(groups.Groups), map[string]bool{}
	for _, group := range groups.Groups {
		v.known[group.Name] = true
	}
	return nil
}

// shards compares which shards there are.
func (v *verification) shards(g manifest.Generation, m manifest.Manifest) {
	v.report.Shards = len(m.Shards)
	var opened, closed []string
	unfiltered, profiles := 0, 0
	for _, s := range g.Shards {
		opened = append(opened, s.ID)
		if s.Content == manifest.Profiles {
			profiles++
			if s.Prefix() == "" {
				unfiltered++
			}
		}
	}
	for _, s := range m.Shards {
		closed = append(closed, s.ID)
	}
	if !slices.Equal(opened, closed) {
		v.problem("manifest", "it has the shards %v, the generation was opened with %v", closed, opened)
	}
	// Shards are each proven to hold a user once and nobody of another prefix.
	if profiles > 1 && unfiltered > 0 {
		v.problem("generation", "%d of its shards overlap with others: they have no prefix", unfiltered)
	}
}

func (v *verification) shard(ctx context.Context, g manifest.Generation, shard manifest.Shard, committed manifest.Committed) error {
	commit, ref, err := v.store.ReadCommit(ctx, g.Origin, shard)
	if err != nil {
		return v.look("commit of shard "+shard.ID, err)
	}
	if ref != committed.Commit {
		v.problem(ref.Key, "it has SHA-256 %.12s…, the manifest says %.12s…: changed or replaced", ref.SHA256, committed.Commit.SHA256)
		return nil
	}
	if err := committed.Proves(commit); err != nil {
		v.problem(ref.Key, "%s", err)
		return nil
	}
	ids, problems, err := v.parts(ctx, shard, commit)
	v.report.Problems = append(v.report.Problems, problems...)
	if err != nil || len(problems) > 0 {
		return err
	}
	found := repeats(ids)
	if found != commit.Repeats || len(ids) != commit.Count {
		v.problem(ref.Key, "it says %d lines and %d repeats, there are %d and %d", commit.Count, commit.Repeats, len(ids), found)
	}
	v.report.Repeats += found
	if shard.Content == manifest.Members {
		v.report.Members += len(ids) - found
	} else {
		v.report.Profiles += len(ids) - found
	}
	return nil
}

// parts reads the parts of a commit, and returns the ids of all lines.
func (v *verification) parts(ctx context.Context, shard manifest.Shard, commit manifest.Commit) ([]id, []Problem, error) {
	all := make([]id, 0, commit.Count)
	problems := make([]error, len(commit.Parts))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, ref := range commit.Parts {
		group.Go(func() error {
			ids := make([]id, 0, ref.Count)
			var strange error
			err := each(ctx, v.store, commit.PartHeader(i), ref, func(l line) {
				ids = append(ids, l.id())
				if strange == nil {
					strange = v.strange(shard, l)
				}
			})
			if err == nil {
				err = strange
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, ids...)
			v.report.Parts++
			v.report.Bytes += ref.Bytes
			if fault.KindOf(err) != fault.Invalid {
				return err
			}
			problems[i] = err
			return nil
		})
	}
	err := group.Wait()
	var found []Problem
	for i, problem := range problems {
		if problem != nil {
			found = append(found, Problem{commit.Parts[i].Key, problem.Error()})
		}
	}
	return all, found, err
}

// strange is an error about a line that does not belong into a shard.
func (v *verification) strange(shard manifest.Shard, l line) error {
	switch {
	case l.user != nil && !strings.HasPrefix(string(l.sub), shard.Prefix()):
		return fault.New(fault.Invalid, "user %s does not belong into shard %s", l.sub, shard.ID)
	case l.user == nil && !v.known[l.group]:
		return fault.New(fault.Invalid, "it has members of the group %q, which is not among the groups", l.group)
	}
	return nil
}

// Err returns an error of kind fault.Invalid that joins all problems, nil where
// there are none.
func (r Report) Err() error {
	var errs []error
	for _, p := range r.Problems {
		errs = append(errs, errors.New(p.String()))
	}
	if len(errs) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%w", errors.Join(errs...))
}
