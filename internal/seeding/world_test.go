package seeding_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/internal/seeding/census"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

// person is the n-th user of a crowd; subs are spread evenly over the digits.
func person(n int) userpool.User {
	random := rand.New(rand.NewPCG(uint64(n), 7)) //nolint:gosec // repeatable on purpose
	created := time.Date(2025, 1, 1, 0, 0, n, 0, time.UTC)
	return userpool.User{
		Sub:      userpool.Sub(fmt.Sprintf("%x%07x-0000-4000-8000-%012d", n%16, random.Uint32()>>4, n)),
		Username: fmt.Sprintf("person-%d", n), Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": fmt.Sprintf("person-%d@example.com", n)},
		Created:    created, Modified: created,
	}
}

func people(n int) (users []userpool.User) {
	for i := range n {
		users = append(users, person(i))
	}
	return users
}

// world is a source pool and a bucket. Time is that of the synctest bubble.
type world struct {
	t      *testing.T
	ctx    context.Context
	pool   *directory
	bucket store.Bucket
	memory *memory.Bucket
	o      seeding.Options // but for directory and store
	links  int             // that were run
}

func newWorld(t *testing.T, users ...userpool.User) *world {
	bucket := memory.New()
	return &world{
		t: t, ctx: t.Context(), pool: newDirectory(users...), bucket: bucket, memory: bucket,
		o: seeding.Options{
			Run:       runID,
			Source:    manifest.Pool{Account: "111122223333", Region: "eu-west-1", ID: "eu-west-1_old"},
			Target:    manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_new"},
			PerSecond: 1000, Concurrency: 16, Now: time.Now,
		},
	}
}

func (w *world) store() *store.Run { return store.NewRun(w.bucket, runID) }

// seeding is a process of its own: it shares nothing with others but the bucket.
func (w *world) seeding() *seeding.Seeding {
	o := w.o
	o.Directory, o.Store = w.pool, w.store()
	return seeding.New(o)
}

// attempts is how often the state machine tries what may heal.
const attempts = 5

func retried[Out any](ctx context.Context, call func() (Out, error)) (out Out, err error) {
	for range attempts {
		out, err = call()
		if err == nil || ctx.Err() != nil {
			return out, err
		}
		switch fault.KindOf(err) {
		case fault.Throttled, fault.Unavailable, fault.Conflict:
		default:
			return out, err
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
	return out, err
}

// link is one execution, as preseed.asl.json has it.
func (w *world) link(s *seeding.Seeding, in seeding.PlanInput) (closed seeding.CloseOutput, err error) {
	w.links++
	plan, err := retried(w.ctx, func() (seeding.PlanOutput, error) { return s.Plan(w.ctx, in) })
	if err != nil || plan.Stopped {
		return seeding.CloseOutput{Stopped: plan.Stopped, Generation: plan.Generation}, err
	}
	var group errgroup.Group
	group.SetLimit(plan.Concurrency)
	for _, item := range plan.Shards {
		group.Go(func() error {
			batch := seeding.BatchInput{Run: runID, Generation: plan.Generation, Shard: item.Shard, Concurrency: plan.Concurrency}
			for range 4 {
				out, err := retried(w.ctx, func() (seeding.BatchOutput, error) { return s.Batch(w.ctx, batch) })
				if err != nil && w.ctx.Err() == nil {
					_, err = s.Fail(w.ctx, batch, string(fault.KindOf(err)))
				}
				if err != nil || !out.More {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return closed, err
	}
	return retried(w.ctx, func() (seeding.CloseOutput, error) {
		return s.Close(w.ctx, seeding.CloseInput{Run: runID, Generation: plan.Generation, Link: plan.Link})
	})
}

var errEndless = errors.New("the chain does not end")

// chain runs links until the last.
func (w *world) chain(s *seeding.Seeding, generation int) (out seeding.CloseOutput, err error) {
	in := seeding.PlanInput{Run: runID, Generation: generation}
	for in.Link = 1; in.Link <= 200; in.Link++ {
		if out, err = w.link(s, in); err != nil || !out.Continue {
			return out, err
		}
		in.Generation = out.Generation
	}
	return out, errEndless
}

// seed runs a chain that must close a generation.
func (w *world) seed() seeding.CloseOutput {
	w.t.Helper()
	out, err := w.chain(w.seeding(), 0)
	if err != nil || !out.Done {
		w.t.Fatalf("the chain ended with %+v, %v", out, err)
	}
	return out
}

// staged reads what a generation has of each user: the last line counts.
func (w *world) staged(generation int) (users map[userpool.Sub]userpool.User, members map[manifest.Member]bool) {
	w.t.Helper()
	users, members = map[userpool.Sub]userpool.User{}, map[manifest.Member]bool{}
	run := w.store()
	g, err := run.ReadGeneration(w.t.Context(), generation)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, shard := range g.Shards {
		commit, _, err := run.ReadCommit(w.t.Context(), g.Origin, shard)
		if err != nil {
			w.t.Fatal(err)
		}
		for i, ref := range commit.Parts {
			if shard.Content == manifest.Members {
				for m, err := range run.ReadMembers(w.t.Context(), commit.PartHeader(i), ref) {
					if err != nil {
						w.t.Fatal(err)
					}
					members[m] = true
				}
				continue
			}
			for u, err := range run.ReadProfiles(w.t.Context(), commit.PartHeader(i), ref) {
				if err != nil {
					w.t.Fatal(err)
				}
				users[u.Sub] = u
			}
		}
	}
	return users, members
}

// wantAll checks that a closed generation has every user of the pool as it is,
// once, that it proves what it says, and that nothing else is left in its
// folders.
func (w *world) wantAll(out seeding.CloseOutput) {
	w.t.Helper()
	users, members := w.staged(out.Generation)
	if diff := cmp.Diff(w.pool.users, users); diff != "" {
		w.t.Errorf("staged users differ: %s", diff)
	}
	want := map[manifest.Member]bool{}
	for group, subs := range w.pool.groups {
		for _, sub := range subs {
			want[manifest.Member{Group: group, Sub: sub}] = true
		}
	}
	if diff := cmp.Diff(want, members); diff != "" {
		w.t.Errorf("staged members differ: %s", diff)
	}
	if out.Profiles != len(w.pool.users) || out.Members != len(want) {
		w.t.Errorf("closed with %d profiles and %d members, the pool has %d and %d", out.Profiles, out.Members, len(w.pool.users), len(want))
	}
	report, err := census.Verify(w.t.Context(), w.store(), out.Generation)
	if err := errors.Join(err, report.Err()); err != nil {
		w.t.Errorf("verify: %v", err)
	}
	if report.Profiles != out.Profiles || report.Members != out.Members {
		w.t.Errorf("verified %+v, closed with %+v", report, out)
	}
}

// awkward are users whose values have broken something somewhere.
func awkward() (users []userpool.User) {
	long := make([]byte, 0, 2048)
	for len(long) < 2048 {
		long = append(long, "ж"...)
	}
	values := []string{"line\nfeed\r\n", "nul\x00", "👩‍👩‍👧 \u2028 \u202e", string(long), "", `{"password":"not a member"}`, "<&>"}
	for i, value := range values {
		u := person(i)
		u.Attributes["name"] = value
		u.Attributes["email"] = ""
		for n := range 50 {
			u.Attributes[fmt.Sprintf("custom:field_%02d", n)] = value
		}
		users = append(users, u)
	}
	return users
}
