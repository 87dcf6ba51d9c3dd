package seeding

import (
	"context"
	"fmt"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
)

// CloseInput says which generation to close.
type CloseInput struct {
	Run        string `json:"run"`
	Generation int    `json:"generation"`
	Link       int    `json:"link,omitempty"`
}

// CloseOutput says where the run stands.
type CloseOutput struct {
	Run        string        `json:"run"`
	Generation int           `json:"generation"` // to go on with: a later one where that of the input was given up
	Link       int           `json:"link"`
	Done       bool          `json:"done"`     // the manifest is written
	Continue   bool          `json:"continue"` // there is work, and nobody stopped it
	Stopped    bool          `json:"stopped"`
	Failed     []FailedShard `json:"failed"` // never null
	Shards     int           `json:"shards"`
	Committed  int           `json:"committed"` // shards
	Parts      int           `json:"parts"`
	Profiles   int           `json:"profiles"` // users so far; without repeats once they are known
	Members    int           `json:"members"`
	Estimate   int           `json:"estimate"` // users, as the pool said last
	Why        string        `json:"why,omitempty"`
}

// FailedShard says why a shard was given up.
type FailedShard struct {
	Shard  string     `json:"shard"`
	Kind   fault.Kind `json:"kind"`
	Reason string     `json:"reason"`
}

// exactly is the size of a pool up to which prefixes must find just as many
// users as the pool says to have; a larger one may change while it is read, by
// as much as one part in tolerance.
const (
	exactly   = 10_000
	tolerance = 100
)

// Close writes the manifest of a generation once all shards are committed and
// the count of users is proven. Until then it says whether there is work left.
//
// Prefixes are only as good as the filter behind them: where a shard shows that
// the filter does not work, or the count of users disagrees with the pool's own,
// the generation is given up and a new one opened with one serial shard. Why
// says so. A serial shard reads what there is; its difference to the pool's
// estimate, which is not exact, is in the manifest.
func (s *Seeding) Close(ctx context.Context, in CloseInput) (CloseOutput, error) {
	out := CloseOutput{Run: s.o.Run, Generation: in.Generation, Link: in.Link, Failed: []FailedShard{}}
	if err := s.checkRun(in.Run); err != nil {
		return out, err
	}
	g, err := s.o.Store.ReadGeneration(ctx, in.Generation)
	if err != nil {
		return out, err
	}
	if out.Stopped, err = s.stopped(ctx); err != nil {
		return out, err
	}
	standings, err := s.standings(ctx, g)
	if err != nil {
		return out, err
	}
	work, broken := out.sum(standings)
	final, err := s.o.Store.ReadManifest(ctx, g.Origin)
	switch {
	case err == nil:
		out.finish(final)
		return out, nil
	case !is(err, fault.NotFound):
		return out, err
	}
	next, err := s.o.Store.ReadGeneration(ctx, g.Generation+1)
	switch {
	case err == nil: // given up by somebody else
		out.goOn(next)
		return out, nil
	case !is(err, fault.NotFound):
		return out, err
	case broken != "":
		return out, s.giveUpGeneration(ctx, g, broken, &out)
	case out.Committed < len(g.Shards):
		out.Continue = work && !out.Stopped
		return out, nil
	}
	return out, s.finish(ctx, g, standings, &out)
}

// sum adds up where the shards stand. work reports whether any can go on; broken
// is why prefixes do not work, if so.
func (out *CloseOutput) sum(standings []standing) (work bool, broken string) {
	out.Shards = len(standings)
	for _, st := range standings {
		lines := st.Count
		if st.commit != nil {
			lines -= st.commit.Repeats
			out.Committed++
		}
		if st.Shard.Content == manifest.Members {
			out.Members += lines
		} else {
			out.Profiles += lines
		}
		out.Parts += len(st.Parts)
		work = work || st.hasWork()
		if st.Failure != nil {
			out.Failed = append(out.Failed, FailedShard{st.Shard.ID, st.Failure.Kind, st.Failure.Reason})
			if WantsSerial(st.Failure.Reason) {
				broken = st.Failure.Reason
			}
		}
	}
	return work, broken
}

// finish proves the count and writes the manifest.
func (s *Seeding) finish(ctx context.Context, g manifest.Generation, standings []standing, out *CloseOutput) error {
	pool, err := s.look().Describe(ctx)
	if err != nil {
		return fmt.Errorf("close generation %d: %w", g.Generation, err)
	}
	out.Estimate = pool.Users
	if scan.ByPrefix(g.Shards) && !agrees(out.Profiles, pool.Users) {
		return s.giveUpGeneration(ctx, g, scan.WhyDisagree, out)
	}
	commits, refs := map[string]manifest.Commit{}, map[string]manifest.DocumentRef{}
	for _, st := range standings {
		commits[st.Shard.ID], refs[st.Shard.ID] = *st.commit, st.ref
	}
	_, groups, err := s.o.Store.ReadGroups(ctx, g.Origin)
	if err != nil {
		return err
	}
	final, err := g.Close(commits, refs, &groups, pool.Users, s.o.Now())
	if err != nil {
		return err
	}
	if final, err = s.o.Store.WriteManifest(ctx, final); err != nil {
		return err
	}
	out.finish(final)
	for _, st := range standings {
		// The manifest stands, swept or not: Sweep can be repeated.
		_, _ = s.o.Store.SweepShard(ctx, *st.commit)
	}
	return nil
}

// agrees reports whether a count of users can be that of the whole pool.
func agrees(profiles, estimate int) bool {
	difference := max(profiles-estimate, estimate-profiles)
	if estimate <= exactly {
		return difference == 0
	}
	return difference <= estimate/tolerance
}

// giveUpGeneration opens a generation with one serial shard in place of g. A
// chain that was stopped does not go on with it.
func (s *Seeding) giveUpGeneration(ctx context.Context, g manifest.Generation, why string, out *CloseOutput) error {
	of := g.Origin
	of.Generation++
	next, err := s.open(ctx, of, scan.Serial(), why)
	if err != nil {
		return err
	}
	out.goOn(next)
	return nil
}

func (out *CloseOutput) goOn(next manifest.Generation) {
	out.Generation, out.Why = next.Generation, next.Why
	out.Continue = !out.Stopped
}

func (out *CloseOutput) finish(final manifest.Manifest) {
	out.Done, out.Continue, out.Stopped = true, false, false
	out.Profiles, out.Members, out.Estimate = final.Profiles, final.Members, final.Estimate
}
