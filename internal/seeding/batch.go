package seeding

import (
	"context"
	"fmt"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
)

// BatchInput says which shard a batch belongs to.
type BatchInput struct {
	Run         string `json:"run"`
	Generation  int    `json:"generation"`
	Shard       string `json:"shard"`
	Concurrency int    `json:"concurrency,omitempty"` // batches at a time, as Plan says; 0 means the configured
}

// BatchOutput says where the shard stands afterwards.
type BatchOutput struct {
	Shard   string `json:"shard"`
	More    bool   `json:"more"`           // there is work for another batch of this execution
	Lost    bool   `json:"lost,omitempty"` // another execution moved the shard meanwhile: it is left to that one
	Stopped bool   `json:"stopped"`        // the stop switch is set: nothing was done
	Count   int    `json:"count"`          // lines of the attempt
	Parts   int    `json:"parts"`          // of the attempt
	Attempt int    `json:"attempt"`
	Failed  string `json:"failed,omitempty"` // why the shard was given up, in a word or for an operator
}

// Batch reads the pages of a shard that come next, until it reaches a limit or
// the end, writes them as a part and moves the checkpoint. Of a shard that is
// complete it makes the commit. Killed anywhere and called again it goes on from
// the checkpoint.
//
// Two executions that work on one shard do the same work twice, of which one is
// in vain. So who comes second leaves the shard alone until the next link.
//
// An error, of kind fault.Throttled or fault.Unavailable, means that nothing at
// all was read and that the same call may work later. What no repetition heals
// is recorded in the checkpoint and said in Failed.
func (s *Seeding) Batch(ctx context.Context, in BatchInput) (BatchOutput, error) {
	g, shard, err := s.find(ctx, in.Run, in.Generation, in.Shard)
	if err != nil {
		return BatchOutput{}, err
	}
	st, err := s.standing(ctx, g, shard)
	if err != nil {
		return BatchOutput{}, err
	}
	stopped, err := s.stopped(ctx)
	switch {
	case err != nil:
		return BatchOutput{}, err
	case stopped:
		out := st.output()
		out.More, out.Stopped = false, true
		return out, nil
	case st.State == manifest.Open:
		st, err = s.advance(ctx, g, st, in.Concurrency)
	case st.hasWork():
		st, err = s.commit(ctx, st)
	}
	if err != nil {
		return BatchOutput{}, fmt.Errorf("batch of shard %s: %w", shard.ID, err)
	}
	return st.output(), nil
}

// Fail gives a shard up, in the name of a batch that could not do so itself.
// failure is the error name that the state machine caught: a kind of package
// fault, or one of Lambda or Step Functions. A shard that is not open stays as
// it is.
func (s *Seeding) Fail(ctx context.Context, in BatchInput, failure string) (BatchOutput, error) {
	g, shard, err := s.find(ctx, in.Run, in.Generation, in.Shard)
	if err != nil {
		return BatchOutput{}, err
	}
	st, err := s.standing(ctx, g, shard)
	if err == nil && st.State == manifest.Open {
		st, err = s.giveUp(ctx, g, st, kindNamed(failure), "batch_failed: "+scan.CodeWord(failure))
	}
	if err != nil {
		return BatchOutput{}, fmt.Errorf("give up shard %s: %w", shard.ID, err)
	}
	return st.output(), nil
}

func (s *Seeding) find(ctx context.Context, run string, generation int, id string) (g manifest.Generation, shard manifest.Shard, err error) {
	if err := s.checkRun(run); err != nil {
		return g, shard, err
	}
	if g, err = s.o.Store.ReadGeneration(ctx, generation); err != nil {
		return g, shard, err
	}
	shard, ok := g.Shard(id)
	if !ok {
		return g, shard, fault.New(fault.Invalid, "generation %d of run %s has no shard %q", generation, run, id)
	}
	return g, shard, nil
}

func (st standing) output() BatchOutput {
	out := BatchOutput{Shard: st.Shard.ID, More: st.hasWork() && !st.lost, Lost: st.lost, Count: st.Count, Parts: len(st.Parts), Attempt: st.Attempt}
	if st.Failure != nil {
		out.Failed = st.Failure.Reason
	}
	return out
}

// advance does the reading and writing of a batch.
func (s *Seeding) advance(ctx context.Context, g manifest.Generation, st standing, concurrency int) (standing, error) {
	began := s.o.Now()
	share := s.share(g, concurrency)
	rate, err := share.Now(ctx)
	if err != nil {
		return st, err
	}
	limits := s.o.Limits.Within(ctx)
	b := &batch{seeding: s, generation: g, start: st.Checkpoint, limits: limits, share: share, patience: s.patience("user_list", rate, limits.Time)}
	read, err := b.read(ctx)
	record := BatchRecord{At: began, Shard: st.Shard.ID, Pages: read.Pages, Throttled: read.Throttled}
	defer func() {
		record.Took = s.o.Now().Sub(began)
		s.o.Recorder.RecordBatch(ctx, record)
	}()
	if err != nil {
		return s.endBatch(ctx, g, st, err)
	}
	next, err := st.Advance(read.Next, s.o.Now(), b.parts...)
	if err != nil {
		return st, err
	}
	moved, won, err := s.swap(ctx, g, st, next)
	if err != nil {
		return st, err
	}
	if won {
		record.Lines = b.lines
	} else {
		s.discard(ctx, moved.Checkpoint, next)
	}
	return moved, nil
}

// share is what one batch has of the pace.
func (s *Seeding) share(g manifest.Generation, concurrency int) scan.Share {
	if concurrency <= 0 {
		concurrency = s.o.Concurrency
	}
	return scan.Share{
		PerSecond: s.o.PerSecond, Concurrency: min(concurrency, len(g.Shards)),
		Open: func(ctx context.Context) (open int, err error) {
			standings, err := s.standings(ctx, g)
			for _, st := range standings {
				if st.State == manifest.Open {
					open++
				}
			}
			return open, err
		},
	}
}

// endBatch decides about a batch that has read nothing.
func (s *Seeding) endBatch(ctx context.Context, g manifest.Generation, st standing, err error) (standing, error) {
	ruling := scan.Judge(err, st.Shard, st.Attempt, st.Cursor)
	switch {
	case ruling.GiveUp != nil:
		return s.giveUp(ctx, g, st, ruling.GiveUp.Kind, ruling.GiveUp.Reason)
	case ruling.Restart:
		next, err := st.Restart(s.o.Now())
		if err != nil {
			return st, err
		}
		moved, _, err := s.swap(ctx, g, st, next)
		return moved, err
	}
	return st, err
}

// giveUp records that the shard failed, unless somebody else was first.
func (s *Seeding) giveUp(ctx context.Context, g manifest.Generation, st standing, kind fault.Kind, reason string) (standing, error) {
	next, err := st.Fail(kind, reason, s.o.Now())
	if err != nil {
		return st, err
	}
	moved, _, err := s.swap(ctx, g, st, next)
	return moved, err
}

// swap replaces the checkpoint of st by next. Where somebody else was first it
// returns where the shard stands now, and won is false.
func (s *Seeding) swap(ctx context.Context, g manifest.Generation, st standing, next manifest.Checkpoint) (now standing, won bool, err error) {
	tag, err := s.o.Store.SwapCheckpoint(ctx, next, st.tag)
	if is(err, fault.Conflict) {
		now, err = s.standing(ctx, g, st.Shard)
		now.lost = true
		return now, false, err
	}
	return standing{Checkpoint: next, tag: tag}, true, err
}

// discard deletes the parts of a batch that came second, as far as that is safe:
// an execution that read the same lines has written the same keys. Only where
// the place of a part was taken by another, or its attempt is over, can no
// checkpoint ever refer to it. What is left is swept later, so errors do not
// matter.
func (s *Seeding) discard(ctx context.Context, stands, lost manifest.Checkpoint) {
	for i, part := range lost.Parts {
		dead := stands.Attempt > lost.Attempt
		taken := stands.Attempt == lost.Attempt && i < len(stands.Parts) && stands.Parts[i].Key != part.Key
		if dead || taken {
			_ = s.o.Store.DeletePart(ctx, part)
		}
	}
}
