package seeding

import (
	"context"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// Status is where a run stands, from its checkpoints alone: an EXPRESS execution
// cannot be asked.
type Status struct {
	Run        string        `json:"run"`
	Source     manifest.Pool `json:"source"`
	Target     manifest.Pool `json:"target"`
	Planned    time.Time     `json:"planned"`
	Generation int           `json:"generation"` // 0: none is open yet
	Why        string        `json:"why,omitempty"`
	Opened     time.Time     `json:"opened,omitzero"`
	Updated    time.Time     `json:"updated,omitzero"` // the last that any shard moved
	Done       bool          `json:"done"`             // the generation is closed
	Stopped    bool          `json:"stopped"`          // the stop switch is set
	Estimate   int           `json:"estimate"`         // users; that of the manifest once there is one
	Profiles   int           `json:"profiles"`         // lines so far, without repeats once they are known
	Members    int           `json:"members"`
	Parts      int           `json:"parts"`
	Committed  int           `json:"committed"` // shards
	Failed     []FailedShard `json:"failed"`    // never null
	Shards     []ShardStatus `json:"shards"`    // never null
}

// ShardState is where a shard stands.
type ShardState string

// The states of a shard.
const (
	ShardWaiting   ShardState = "waiting" // nothing was read yet
	ShardOpen      ShardState = "open"
	ShardComplete  ShardState = "complete"
	ShardCommitted ShardState = "committed"
	ShardFailed    ShardState = "failed"
)

// ShardStatus is where one shard stands.
type ShardStatus struct {
	Shard   string           `json:"shard"`
	Content manifest.Content `json:"content"`
	State   ShardState       `json:"state"`
	Count   int              `json:"count"` // lines of the attempt
	Parts   int              `json:"parts"`
	Attempt int              `json:"attempt"`
	Updated time.Time        `json:"updated,omitzero"`
	Kind    fault.Kind       `json:"kind,omitempty"`   // of a failure
	Reason  string           `json:"reason,omitempty"` // of a failure
}

// Status returns where the run stands: the latest generation, or the one that is
// asked for. The error is of kind fault.NotFound where the run has no plan, or
// not that generation.
func (s *Seeding) Status(ctx context.Context, generation int) (Status, error) {
	plan, _, err := s.o.Store.ReadPlan(ctx)
	if err != nil {
		return Status{}, err
	}
	status := Status{
		Run: plan.Run, Source: plan.Source, Target: plan.Target, Planned: plan.Created, Estimate: plan.Estimate,
		Failed: []FailedShard{}, Shards: []ShardStatus{},
	}
	if status.Stopped, err = s.stopped(ctx); err != nil {
		return status, err
	}
	var g manifest.Generation
	if generation == 0 {
		g, err = s.o.Store.LatestGeneration(ctx)
		if is(err, fault.NotFound) { // the plan was made this moment
			return status, nil
		}
	} else {
		g, err = s.o.Store.ReadGeneration(ctx, generation)
	}
	if err != nil {
		return status, err
	}
	status.Generation, status.Why, status.Opened = g.Generation, g.Why, g.Opened
	standings, err := s.standings(ctx, g)
	if err != nil {
		return status, err
	}
	var sum CloseOutput
	sum.sum(standings)
	status.Profiles, status.Members, status.Parts, status.Committed = sum.Profiles, sum.Members, sum.Parts, sum.Committed
	status.Failed = append(status.Failed, sum.Failed...)
	for _, st := range standings {
		status.Shards = append(status.Shards, st.status())
		if st.tag != "" && st.Updated.After(status.Updated) {
			status.Updated = st.Updated
		}
	}
	final, err := s.o.Store.ReadManifest(ctx, g.Origin)
	if is(err, fault.NotFound) {
		return status, nil
	}
	status.Done, status.Estimate = err == nil, final.Estimate
	return status, err
}

func (st standing) status() ShardStatus {
	out := ShardStatus{
		Shard: st.Shard.ID, Content: st.Shard.Content, State: ShardState(st.State),
		Count: st.Count, Parts: len(st.Parts), Attempt: st.Attempt, Updated: st.Updated,
	}
	switch {
	case st.tag == "":
		out.State, out.Updated = ShardWaiting, time.Time{}
	case st.commit != nil:
		out.State = ShardCommitted
	case st.Failure != nil:
		out.Kind, out.Reason = st.Failure.Kind, st.Failure.Reason
	}
	return out
}

// Sweep deletes what a closed generation has left behind: parts of attempts that
// were given up, and of batches that came second. Nothing reads them; they only
// hold personal data longer than needed. It returns how many it deleted.
func (s *Seeding) Sweep(ctx context.Context, generation int) (deleted int, err error) {
	g, err := s.o.Store.ReadGeneration(ctx, generation)
	if err != nil {
		return 0, err
	}
	closed, err := s.closed(ctx, g)
	if err != nil {
		return 0, err
	}
	if !closed {
		return 0, fault.New(fault.Conflict, "generation %d of run %s is not closed: nothing of it may be swept", generation, s.o.Run)
	}
	standings, err := s.standings(ctx, g)
	if err != nil {
		return 0, err
	}
	for _, st := range standings {
		if st.commit == nil {
			return deleted, fault.New(fault.Invalid, "generation %d of run %s is closed, and shard %s has no commit", generation, s.o.Run, st.Shard.ID)
		}
		n, err := s.o.Store.SweepShard(ctx, *st.commit)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}
