package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// restless is how long a seeding may stand still before it counts as one that
// nobody works on. Its executions live for five minutes at most, and follow each
// other at once.
const restless = 5 * time.Minute

// Words of Start.Why.
const (
	StartNone    = "no_generation" // there is a plan, and whoever made it came no further
	StartStalled = "stalled"       // the latest generation is not closed, and nothing moves
	StartStale   = "stale"         // the latest generation is closed, and was opened too long ago
	StayUnseeded = "never_seeded"  // there is no plan: the first seeding is a person's to start
	StayStopped  = "stopped"       // the stop switch is set
	StayUnderWay = "under_way"     // the latest generation is not closed, and moves
	StayUpToDate = "up_to_date"    // the latest generation is closed, and young
)

// indexItemName is of generation, shard and item, and sorts in their order.
const indexItemName = "g%05d-s%03d-i%05d"

// chooseStaged fills in what is compared of the manifest, and whether a seeding
// is to be started.
//
//	plan, latest generation                    start       generation
//	no plan                                    no
//	plan, no generation                        yes         0: the first
//	not closed, nothing moved for a while      yes         0: the latest
//	not closed                                 no
//	closed, opened longer ago than StaleAfter  yes         the next
//	closed                                     no
//
// While the stop switch is set nothing is started. A generation that is not
// closed has failed shards, too, when nothing moves: a new chain takes them up.
func (r *Reconciliation) chooseStaged(ctx context.Context, b *Basis) error {
	plan, digest, err := r.o.Store.ReadPlan(ctx)
	if is(err, fault.NotFound) {
		b.Partial, b.Seeding = append(b.Partial, PartialNothingStaged), Start{Why: StayUnseeded}
		return nil
	}
	if err == nil {
		err = plan.For(r.o.Run, r.o.Source, r.o.Target, r.o.Mapping)
	}
	if err != nil {
		return err
	}
	b.PlanSHA256 = digest
	latest, err := r.o.Store.LatestGeneration(ctx)
	switch {
	case is(err, fault.NotFound):
		return r.nothingStaged(ctx, b)
	case err != nil:
		return err
	case latest.PlanSHA256 != digest:
		return fault.New(fault.Invalid, "generation %d of run %s is of another plan: the run id was used before, choose a new one", latest.Generation, b.Run)
	}
	final, closed, err := r.closed(ctx, latest)
	if err != nil {
		return err
	}
	if b.Seeding, err = r.start(ctx, latest, closed); err != nil {
		return err
	}
	g := latest
	for n := latest.Generation - 1; !closed && n > 0; n-- {
		if g, err = r.o.Store.ReadGeneration(ctx, n); err == nil {
			final, closed, err = r.closed(ctx, g)
		}
		if err != nil {
			return err
		}
	}
	if !closed {
		return r.chooseOpen(ctx, latest, b)
	}
	if g.Opened.Before(b.Opened.Add(-r.o.StaleAfter)) {
		b.Partial = append(b.Partial, PartialStale)
	}
	return r.chooseClosed(ctx, g, final, b)
}

// nothingStaged is for a run without plan or generation.
func (r *Reconciliation) nothingStaged(ctx context.Context, b *Basis) (err error) {
	b.Partial = append(b.Partial, PartialNothingStaged)
	b.Seeding, err = r.unlessStopped(ctx, Start{Start: true, Why: StartNone})
	return err
}

// start decides about a run that has a generation.
func (r *Reconciliation) start(ctx context.Context, latest manifest.Generation, closed bool) (Start, error) {
	now := r.o.Now()
	if closed {
		if !latest.Opened.Before(now.Add(-r.o.StaleAfter)) {
			return Start{Why: StayUpToDate}, nil
		}
		return r.unlessStopped(ctx, Start{Start: true, Generation: latest.Generation + 1, Why: StartStale})
	}
	moved, err := r.moved(ctx, latest)
	if err != nil || now.Sub(moved) < restless {
		return Start{Why: StayUnderWay}, err
	}
	return r.unlessStopped(ctx, Start{Start: true, Why: StartStalled})
}

func (r *Reconciliation) unlessStopped(ctx context.Context, start Start) (Start, error) {
	_, err := r.o.Store.ReadStop(ctx)
	if is(err, fault.NotFound) {
		return start, nil
	}
	return Start{Why: StayStopped}, err
}

// moved is when anything of a generation moved last.
func (r *Reconciliation) moved(ctx context.Context, g manifest.Generation) (time.Time, error) {
	times := make([]time.Time, len(g.Shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, shard := range g.Shards {
		group.Go(func() error {
			c, _, err := r.o.Store.LoadCheckpoint(ctx, g.Origin, shard)
			if is(err, fault.NotFound) {
				return nil
			}
			times[i] = c.Updated
			return err
		})
	}
	err := group.Wait()
	return slices.MaxFunc(append(times, g.Opened), time.Time.Compare), err
}

func (r *Reconciliation) closed(ctx context.Context, g manifest.Generation) (final manifest.Manifest, closed bool, err error) {
	final, err = r.o.Store.ReadManifest(ctx, g.Origin)
	if is(err, fault.NotFound) {
		return final, false, nil
	}
	return final, err == nil, err
}

// chooseOpen compares what is committed of a generation that is not closed, for
// want of one that is.
func (r *Reconciliation) chooseOpen(ctx context.Context, g manifest.Generation, b *Basis) error {
	staged, items, err := r.staged(ctx, g, nil, true)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		b.Partial = append(b.Partial, PartialNothingStaged)
		return nil
	}
	b.Partial = append(b.Partial, PartialNotClosed)
	b.Staged, b.Items = &staged, items
	return nil
}

// chooseClosed compares a generation that is closed, and remembers those that
// nobody has compared.
func (r *Reconciliation) chooseClosed(ctx context.Context, g manifest.Generation, final manifest.Manifest, b *Basis) (err error) {
	first := 1
	if b.Previous, err = r.lastWhole(ctx); err != nil {
		return err
	}
	if b.Previous != nil {
		first = b.Previous.Generation + 1
	}
	for n := first; n < g.Generation; n++ {
		skipped, err := r.o.Store.ReadGeneration(ctx, n)
		if err != nil {
			return err
		}
		known, closed, err := r.closed(ctx, skipped)
		if err != nil {
			return err
		}
		if !closed { // given up for a later one
			continue
		}
		staged, items, err := r.staged(ctx, skipped, &known, false)
		if err != nil {
			return err
		}
		b.Skipped, b.Items = append(b.Skipped, staged), append(b.Items, items...)
	}
	staged, items, err := r.staged(ctx, g, &final, true)
	b.Staged, b.Items = &staged, append(b.Items, items...)
	return err
}

// lastWhole is the last whole reconciliation. One whose objects are gone, since
// the bucket lets them expire, is none.
func (r *Reconciliation) lastWhole(ctx context.Context) (*Previous, error) {
	history, _, err := r.o.Store.LoadProgress(ctx)
	if is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	point, ok := history.LastWhole()
	if !ok {
		return nil, nil
	}
	basis, err := r.o.Store.ReadBasis(ctx, point.ID)
	if is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Previous{ID: point.ID, Generation: point.Generation, Buckets: basis.Buckets}
	s, err := r.o.Store.ReadSummary(ctx, point.ID)
	if is(err, fault.NotFound) {
		return p, nil
	}
	if err == nil && s.Settle != nil && basis.Staged != nil {
		p.Opened, p.GenerationOpened = basis.Opened, basis.Staged.Opened
	}
	return p, err
}

// staged returns what is known of a generation, and its index items, with or
// without those of memberships. final is its manifest, nil where it has none.
func (r *Reconciliation) staged(ctx context.Context, g manifest.Generation, final *manifest.Manifest, members bool) (Staged, []IndexItem, error) {
	facts := Staged{Generation: g.Generation, Opened: g.Opened, Missing: []string{}, Grouped: members}
	if final != nil {
		facts.Closed = final.Closed
	}
	type committed struct {
		commit manifest.Commit
		ref    manifest.DocumentRef
		there  bool
	}
	all := make([]committed, len(g.Shards))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, shard := range g.Shards {
		if shard.Content != manifest.Profiles && !members {
			continue
		}
		group.Go(func() (err error) {
			all[i].commit, all[i].ref, err = r.o.Store.ReadCommit(inner, g.Origin, shard)
			if is(err, fault.NotFound) {
				return nil
			}
			all[i].there = err == nil
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return facts, nil, err
	}
	items := []IndexItem{}
	for i, shard := range g.Shards {
		switch c := all[i]; {
		case shard.Content != manifest.Profiles && !members:
			continue
		case final != nil && (!c.there || i >= len(final.Shards) || final.Shards[i].Commit != c.ref):
			return facts, nil, fault.New(fault.Invalid, "generation %d of run %s is closed, and shard %s has no commit, or another than the manifest says",
				g.Generation, g.Run, shard.ID)
		case !c.there && shard.Content != manifest.Profiles:
			facts.Grouped = false
		case !c.there:
			facts.Missing = append(facts.Missing, shard.ID)
		case shard.Content != manifest.Profiles:
			items = append(items, itemsOf(c.commit, c.ref, i)...)
		default:
			facts.Lines += c.commit.Count
			facts.Profiles += c.commit.Count - c.commit.Repeats
			for _, item := range itemsOf(c.commit, c.ref, i) {
				facts.Bytes += item.Bytes
				items = append(items, item)
			}
		}
	}
	return facts, items, nil
}

// itemsOf slices the n-th shard of a generation. Neither other shards nor
// anything that changes has a say in it.
func itemsOf(c manifest.Commit, ref manifest.DocumentRef, n int) (items []IndexItem) {
	for i, part := range c.Parts {
		last := len(items) - 1
		if last < 0 || items[last].Bytes+part.ContentBytes > itemBytes {
			items = append(items, IndexItem{
				ID:         fmt.Sprintf(indexItemName, c.Generation, n, len(items)),
				Generation: c.Generation, Commit: ref, Shard: c.Shard, First: i,
			})
			last++
		}
		items[last].Parts++
		items[last].Lines += part.Count
		items[last].Bytes += part.ContentBytes
	}
	return items
}
