package measure

import (
	"context"
	"fmt"
	"strings"
	"time"

	"poolferry/internal/config"
	"poolferry/internal/manifest"
	"poolferry/internal/sandbox/states"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

const (
	seeded   = 10_000
	pageSize = 60
)

// stage lets the preseed state machine stage a world's users and times it. pages
// is how many there are to list, those of groups included.
func stage(ctx context.Context, o rehearsal.Options) (took time.Duration, pages int, counts states.Counts, err error) {
	o.Users, o.Seed, o.Now = seeded, 1, time.Now
	w, err := rehearsal.New(ctx, o)
	if err != nil {
		return 0, 0, counts, err
	}
	defer func() { _ = w.Close() }()
	workflows, err := w.Workflows(ctx)
	if err != nil {
		return 0, 0, counts, err
	}
	begin := time.Now()
	if _, err := workflows.Start(ctx, statemachines.Preseed, map[string]string{"run": w.Config.Run}); err != nil {
		return 0, 0, counts, err
	}
	if err := w.States.Wait(ctx); err != nil {
		return 0, 0, counts, err
	}
	took = time.Since(begin)
	seeder, err := w.Seeding(ctx)
	if err != nil {
		return 0, 0, counts, err
	}
	status, err := seeder.Status(ctx, 0)
	if err == nil && (!status.Done || status.Profiles != seeded) {
		err = fmt.Errorf("%d of %d users staged, done: %v", status.Profiles, seeded, status.Done)
	}
	members := map[string]int{}
	for _, p := range w.People {
		for _, group := range p.User.Groups {
			members[group]++
		}
	}
	pages = (seeded + pageSize - 1) / pageSize
	for _, n := range members {
		pages += (n + pageSize - 1) / pageSize
	}
	return took, pages, w.States.Counts(), err
}

// quotaBound seeds at AWS's own limit of 30 lists per second, 20 ms each.
func quotaBound(ctx context.Context) ([]Row, error) {
	took, pages, counts, err := stage(ctx, rehearsal.Options{
		Quotas: true, Faults: "source.ListUsers=delay:20ms",
		Change: func(c *config.Config) { c.Pace.UserList = 30 },
	})
	if err != nil {
		return nil, err
	}
	const perSecond = 30
	floor := time.Duration(pages) * time.Second / perSecond
	return []Row{
		{fmt.Sprintf("seeding 10,000 users and their groups, %d lists, 20 ms each, 30 per second: time over the floor of the quota", pages), ratio(took, floor), "≤ 1.15"},
		{"the same: executions, state transitions", fmt.Sprintf("%d, %d", counts.Executions, counts.Transitions), ""},
	}, nil
}

// latencyBound seeds without a quota, 100 ms per list, by the number of batches
// that run at a time; one reads the pool as a serial scan does.
func latencyBound(ctx context.Context) ([]Row, error) {
	var rows []Row
	var serial time.Duration
	for _, concurrency := range []int{1, 4, 16} {
		shards := seeding.ShardsPrefix
		if concurrency == 1 {
			shards = seeding.ShardsSerial
		}
		took, _, _, err := stage(ctx, rehearsal.Options{
			Faults: "source.ListUsers=delay:100ms",
			Change: func(c *config.Config) {
				c.Pace.UserList, c.Pace.QuotaRaised = 1000, true
				c.Seeding.Shards, c.Seeding.Concurrency = shards, concurrency
			},
		})
		if err != nil {
			return nil, err
		}
		if concurrency == 1 {
			serial = took
		}
		rows = append(rows, Row{fmt.Sprintf("seeding 10,000 users, 100 ms per list, no quota, %d at a time: share of the serial scan's time", concurrency), ratio(took, serial), ""})
	}
	return rows, nil
}

// million seeds a million users batch by batch, without a network, and looks how
// much memory there is in use beside the bucket.
func million(ctx context.Context) ([]Row, error) {
	const users = 1_000_000
	bucket := memory.New()
	s := seeding.New(seeding.Options{
		Run: "bench", Source: manifest.Pool{Region: "eu-west-1", ID: "eu-west-1_Bench"}, Target: manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_Bench"},
		PerSecond: 1e9, Shards: seeding.ShardsSerial, Directory: town{users, 10, false}, Store: store.NewRun(bucket, "bench"), Now: time.Now,
	})
	plan, err := s.Plan(ctx, seeding.PlanInput{Run: "bench"})
	if err != nil {
		return nil, err
	}
	batches := 0
	peak, took, err := watched(ctx, bucket, func() error {
		for more := true; more; batches++ {
			out, err := s.Batch(ctx, seeding.BatchInput{Run: "bench", Generation: plan.Generation, Shard: plan.Shards[0].Shard, Concurrency: 1})
			if err != nil {
				return err
			}
			more = out.More
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	closed, err := s.Close(ctx, seeding.CloseInput{Run: "bench", Generation: plan.Generation, Link: 1})
	if err != nil {
		return nil, err
	}
	if !closed.Done || closed.Profiles != users {
		return nil, fmt.Errorf("%d of %d users staged, done: %v", closed.Profiles, users, closed.Done)
	}
	requests := bucket.Calls(memory.Get) + bucket.Calls(memory.Put) + bucket.Calls(memory.List) + bucket.Calls(memory.Delete)
	return []Row{
		{"seeding 1,000,000 users, no latency: users/s of one batch after the other", fmt.Sprintf("%.0f", users/took.Seconds()), ""},
		{"the same: batches, memory in use beside the bucket at most", fmt.Sprintf("%d, %.0f MB", batches, float64(peak)/1e6), "≤ 128 MB"},
		{"the same: bytes per profile in S3, S3 requests per 1,000 users", fmt.Sprintf("%.0f, %.2f", float64(stored(bucket))/users, float64(requests)/(users/1000)), ""},
	}, nil
}

// stored is how many bytes the parts in the bucket have.
func stored(bucket *memory.Bucket) (n int64) {
	for entry, err := range bucket.List(context.Background(), "") {
		if err == nil && strings.HasSuffix(entry.Key, ".gz") {
			n += entry.Bytes
		}
	}
	return n
}
