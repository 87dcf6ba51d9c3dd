package seeding

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
)

// PlanInput says what to plan.
type PlanInput struct {
	Run string `json:"run"`
	// Generation is 0 for the latest, or the first; one more than the latest
	// opens it, if the latest is closed.
	Generation int `json:"generation,omitempty"`
	// Link is the execution's place in its chain, from 1; 0 means 1.
	Link int `json:"link,omitempty"`
}

// PlanOutput says what is to be done.
type PlanOutput struct {
	Run         string      `json:"run"`
	Generation  int         `json:"generation"`
	Link        int         `json:"link"`
	Concurrency int         `json:"concurrency"` // batches at a time
	Shards      []ShardItem `json:"shards"`      // that have work; never null
	Done        bool        `json:"done"`        // the generation is closed
	Stopped     bool        `json:"stopped"`     // the stop switch is set
	Estimate    int         `json:"estimate"`    // users, as the plan has it
	Failed      int         `json:"failed"`      // shards that are left alone
}

// ShardItem names a shard.
type ShardItem struct {
	Shard string `json:"shard"`
}

// Plan loads the plan of the run, or makes it, opens the generation where it is
// new, and lists the shards that have work. The first link of a chain takes up
// shards that have failed. The error is of kind fault.Invalid where the
// configuration is not that of the plan.
func (s *Seeding) Plan(ctx context.Context, in PlanInput) (PlanOutput, error) {
	if err := s.checkRun(in.Run); err != nil {
		return PlanOutput{}, err
	}
	out := PlanOutput{Run: s.o.Run, Link: max(in.Link, 1), Concurrency: s.o.Concurrency, Shards: []ShardItem{}}
	stopped, err := s.stopped(ctx)
	if err != nil {
		return out, err
	}
	plan, digest, err := s.plan(ctx)
	if err != nil {
		return out, err
	}
	g, err := s.generation(ctx, in.Generation, plan, digest)
	if err != nil {
		return out, err
	}
	out.Generation, out.Estimate = g.Generation, plan.Estimate
	out.Done, err = s.closed(ctx, g)
	if out.Stopped = stopped && !out.Done; err != nil || out.Done || out.Stopped {
		return out, err
	}
	standings, err := s.standings(ctx, g)
	if err != nil {
		return out, err
	}
	for _, st := range standings {
		if st.State == manifest.Failed && out.Link == 1 {
			if st.Checkpoint, err = s.takeUp(ctx, g, st); err != nil {
				return out, err
			}
		}
		switch {
		case st.hasWork():
			out.Shards = append(out.Shards, ShardItem{st.Shard.ID})
		case st.State == manifest.Failed:
			out.Failed++
		}
	}
	out.Concurrency = max(1, min(out.Concurrency, len(out.Shards)))
	return out, nil
}

// plan returns the plan that stands. The loser of a race to make it reads it.
func (s *Seeding) plan(ctx context.Context) (manifest.Plan, manifest.Digest, error) {
	plan, digest, err := s.o.Store.ReadPlan(ctx)
	if is(err, fault.NotFound) {
		var proposal Proposal
		if proposal, err = s.Propose(ctx); err != nil {
			return plan, "", fmt.Errorf("plan run %s: %w", s.o.Run, err)
		}
		if _, err = s.o.Store.WritePlan(ctx, proposal.Plan); err == nil || is(err, fault.AlreadyExists) {
			plan, digest, err = s.o.Store.ReadPlan(ctx)
		}
	}
	if err != nil {
		return plan, "", err
	}
	return plan, digest, plan.For(s.o.Run, s.o.Source, s.o.Target, s.o.Mapping)
}

// generation returns the generation that is asked for, which it opens if it may.
// One that was given up for a later one is followed by that.
func (s *Seeding) generation(ctx context.Context, wanted int, plan manifest.Plan, digest manifest.Digest) (manifest.Generation, error) {
	latest, err := s.o.Store.LatestGeneration(ctx)
	switch {
	case is(err, fault.NotFound) && wanted <= 1:
		return s.open(ctx, manifest.Origin{Run: s.o.Run, Generation: 1, PlanSHA256: digest}, plan.Shards, "")
	case is(err, fault.NotFound):
		return latest, fault.New(fault.Invalid, "generation %d of run %s cannot be opened: there is no generation 1", wanted, s.o.Run)
	case err != nil:
		return latest, err
	case latest.PlanSHA256 != digest:
		return latest, fault.New(fault.Invalid, "generation %d of run %s is of another plan: the run id was used before, choose a new one", latest.Generation, s.o.Run)
	case wanted == 0 || wanted == latest.Generation:
		return latest, nil
	case wanted < latest.Generation:
		g, err := s.o.Store.ReadGeneration(ctx, wanted)
		if err != nil {
			return g, err
		}
		if closed, err := s.closed(ctx, g); err != nil || closed {
			return g, err
		}
		return latest, nil
	case wanted > latest.Generation+1:
		return latest, fault.New(fault.Invalid, "generation %d of run %s cannot be opened: the latest is %d", wanted, s.o.Run, latest.Generation)
	}
	closed, err := s.closed(ctx, latest)
	if err != nil {
		return latest, err
	}
	if !closed {
		return latest, fault.New(fault.Invalid, "generation %d of run %s cannot be opened: generation %d is not closed, finish it first", wanted, s.o.Run, latest.Generation)
	}
	next := latest.Origin
	next.Generation++
	shards := plan.Shards
	if latest.Why != "" { // what once was wrong with the plan's shards still is
		shards = latest.Shards
	}
	return s.open(ctx, next, shards, latest.Why)
}

// open stages the groups and opens a generation: in this order, so that there is
// a shard of memberships wherever there are groups.
func (s *Seeding) open(ctx context.Context, of manifest.Origin, shards []manifest.Shard, why string) (manifest.Generation, error) {
	groups, _, err := s.o.Store.ReadGroups(ctx, of)
	if is(err, fault.NotFound) {
		if groups, err = s.listGroups(ctx, of); err == nil {
			if _, err = s.o.Store.WriteGroups(ctx, groups); err == nil {
				groups, _, err = s.o.Store.ReadGroups(ctx, of)
			}
		}
	}
	if err != nil {
		return manifest.Generation{}, fmt.Errorf("open generation %d of run %s: %w", of.Generation, of.Run, err)
	}
	return s.o.Store.OpenGeneration(ctx, manifest.Generation{
		Origin: of, Shards: withGroups(shards, groups), Why: why, Opened: s.o.Now().UTC(),
	})
}

func (s *Seeding) closed(ctx context.Context, g manifest.Generation) (bool, error) {
	_, err := s.o.Store.ReadManifest(ctx, g.Origin)
	if is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// takeUp opens a failed shard again, unless somebody else was first.
func (s *Seeding) takeUp(ctx context.Context, g manifest.Generation, st standing) (manifest.Checkpoint, error) {
	var next manifest.Checkpoint
	var err error
	switch st.Failure.Reason {
	case scan.WhyRefused, scan.WhyNotHonoured:
		return st.Checkpoint, nil // of no use: close gives the generation up
	case scan.ReasonCursor:
		next, err = st.Restart(s.o.Now())
	default:
		next, err = st.Resume(s.o.Now())
	}
	if err != nil {
		return next, err
	}
	_, err = s.o.Store.SwapCheckpoint(ctx, next, st.tag)
	if is(err, fault.Conflict) {
		next, _, err = s.o.Store.LoadCheckpoint(ctx, g.Origin, st.Shard)
	}
	return next, err
}

// standing is where a shard stands.
type standing struct {
	manifest.Checkpoint        // a fresh one where nothing was begun
	tag                 string // of the checkpoint, empty where nothing was begun
	commit              *manifest.Commit
	ref                 manifest.DocumentRef // of the commit
	lost                bool                 // somebody else moved it meanwhile
}

// hasWork reports whether a batch has something to do.
func (st standing) hasWork() bool {
	return st.State == manifest.Open || st.State == manifest.Complete && st.commit == nil
}

// lookups is how many objects are read at a time.
const lookups = 8

// standings returns where each shard of a generation stands, in its order.
func (s *Seeding) standings(ctx context.Context, g manifest.Generation) ([]standing, error) {
	all := make([]standing, len(g.Shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, shard := range g.Shards {
		group.Go(func() (err error) {
			all[i], err = s.standing(ctx, g, shard)
			return err
		})
	}
	return all, group.Wait()
}

func (s *Seeding) standing(ctx context.Context, g manifest.Generation, shard manifest.Shard) (st standing, err error) {
	st.Checkpoint, st.tag, err = s.o.Store.LoadCheckpoint(ctx, g.Origin, shard)
	if is(err, fault.NotFound) {
		st.Checkpoint, st.tag = manifest.NewCheckpoint(g.Origin, shard, s.o.Now()), ""
		return st, nil
	}
	if err != nil || st.State != manifest.Complete {
		return st, err
	}
	commit, ref, err := s.o.Store.ReadCommit(ctx, g.Origin, shard)
	switch {
	case err == nil:
		st.commit, st.ref = &commit, ref
	case !is(err, fault.NotFound):
		return st, err
	}
	return st, nil
}
