package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/report"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/scan"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// town is a directory of n people who are made up as they are listed, as
// different from each other as people are. moved is how many of ten are listed;
// with the mapping applied they are users of the target.
type town struct {
	n      int
	moved  int
	target bool
}

var (
	givenNames  = strings.Fields("Ada Bela Chidi Dagny Emre Fatou Goran Hana Ivo Jun Kofi Lena Mehmet Noor Olu Pia Quang Rosa Sven Tala Uma Vito Wanda Xenia Yara Zoe")
	familyNames = strings.Fields("Abara Berg Castillo Dimitrov Eze Fischer Garcia Haddad Ibrahim Jensen Kowalski Laurent Moreau Nakamura Okafor Petrov Quispe Rossi Sato Tanaka Ueda Varga Wagner Xu Yilmaz Zhang")
	mailHosts   = strings.Fields("example.com example.org example.net mail.example post.example")
)

// scramble is a permutation of numbers that looks like chance.
func scramble(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

func uuid(a, b uint64, variant rune) userpool.Sub {
	return userpool.Sub(fmt.Sprintf("%08x-%04x-4%03x-%c%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, variant, b>>52, b&0xffffffffffff))
}

func (t town) person(i int) userpool.User {
	r := scramble(uint64(i) + 1)
	given, family := givenNames[r%uint64(len(givenNames))], familyNames[r>>8%uint64(len(familyNames))]
	q := scramble(r) // more of the same
	sub := uuid(q, scramble(q), '8')
	made := time.Unix(1_500_000_000+int64(r%200_000_000), 0).UTC()
	u := userpool.User{
		Sub: sub, Username: fmt.Sprintf("%s%d", strings.ToLower(family), i), Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{
			"email": fmt.Sprintf("%s.%s%d@%s", strings.ToLower(given), strings.ToLower(family), q%100_000_000, mailHosts[r>>16%uint64(len(mailHosts))]), "email_verified": "true",
			"given_name": given, "family_name": family, "phone_number": fmt.Sprintf("+49%011d", q%100_000_000_000), "phone_number_verified": "false",
			"locale": []string{"en-GB", "de-DE", "fr-FR", "pt-BR"}[r%4], "custom:plan": []string{"free", "team", "business"}[r%3],
		},
		Created: made, Modified: made.Add(time.Duration(r%40_000_000) * time.Second),
	}
	if !t.target {
		return u
	}
	u.Attributes = userpool.Mapping{}.Apply(u)
	u.Sub = uuid(scramble(q+1), scramble(q+2), '9')
	u.Created = benchNow.Add(-time.Hour)
	u.Modified = u.Created
	return u
}

var benchNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func (t town) Describe(context.Context) (scan.Description, error) {
	return scan.Description{Users: t.n * t.moved / 10}, nil
}

func (t town) ListUsers(_ context.Context, _ string, cursor manifest.Cursor) (scan.Page[userpool.User], error) {
	var at int
	var page scan.Page[userpool.User]
	if cursor != "" {
		if _, err := fmt.Sscanf(string(cursor), "%d", &at); err != nil {
			return page, scan.ErrCursor
		}
	}
	for ; at < t.n && len(page.Items) < pageSize; at++ {
		if at%10 < t.moved {
			page.Items = append(page.Items, t.person(at))
		}
	}
	if at < t.n {
		page.Next = manifest.Cursor(fmt.Sprint(at))
	}
	return page, nil
}

func (town) ListGroups(context.Context, manifest.Cursor) (scan.Page[manifest.Group], error) {
	return scan.Page[manifest.Group]{}, nil
}

func (town) ListUsersInGroup(context.Context, string, manifest.Cursor) (scan.Page[userpool.Sub], error) {
	return scan.Page[userpool.Sub]{}, nil
}

// settled describes the target pool.
type settled struct{}

func (settled) Describe(context.Context) (userpool.Pool, error) {
	pool := userpool.Pool{ID: benchTarget.ID, Schema: userpool.Schema{}, Aliases: []string{"email", "phone_number"}, MFA: userpool.MFAOff}
	for _, name := range append(userpool.StandardAttributes(), "sub", userpool.AttrLegacySub, "custom:plan") {
		pool.Schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	return pool, nil
}

var (
	benchSource = manifest.Pool{Region: "eu-west-1", ID: "eu-west-1_Bench"}
	benchTarget = manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_Bench"}
)

// comparison is what one reconciliation cost.
type comparison struct {
	compareTook time.Duration // all buckets, one after the other
	tookAll     time.Duration // every step, one after the other
	peak        map[string]uint64
	summary     reconcile.Summary
}

// compared stages n people, lets six of ten move, and reconciles them step by
// step, without a network, twice: the second time the index is there already.
func compared(ctx context.Context, n int) (first, second comparison, err error) {
	bucket := memory.New()
	run := store.NewRun(bucket, "bench")
	if err := stageTown(ctx, run, n); err != nil {
		return first, second, err
	}
	r := reconcile.New(reconcile.Options{
		Run: "bench", Source: benchSource, Target: benchTarget, PerSecond: 1e9, Shards: scan.ShardsSerial, Concurrency: 1,
		Bucket: "bench", Directory: town{n, 6, true}, Pool: settled{}, Store: run, Now: time.Now,
	})
	if first, err = reconcileTown(ctx, r, bucket, run, "first", n); err == nil {
		second, err = reconcileTown(ctx, r, bucket, run, "second", n)
	}
	return first, second, err
}

func stageTown(ctx context.Context, run *store.Run, n int) error {
	s := seeding.New(seeding.Options{
		Run: "bench", Source: benchSource, Target: benchTarget, PerSecond: 1e9, Shards: seeding.ShardsSerial,
		Directory: town{n, 10, false}, Store: run, Now: time.Now,
	})
	plan, err := s.Plan(ctx, seeding.PlanInput{Run: "bench"})
	if err != nil {
		return err
	}
	for more := true; more; {
		out, err := s.Batch(ctx, seeding.BatchInput{Run: "bench", Generation: plan.Generation, Shard: plan.Shards[0].Shard, Concurrency: 1})
		if err != nil {
			return err
		}
		more = out.More
	}
	closed, err := s.Close(ctx, seeding.CloseInput{Run: "bench", Generation: plan.Generation, Link: 1})
	if err == nil && closed.Profiles != n {
		err = fmt.Errorf("%d of %d users staged", closed.Profiles, n)
	}
	return err
}

func reconcileTown(ctx context.Context, r *reconcile.Reconciliation, bucket *memory.Bucket, run *store.Run, id string, n int) (c comparison, err error) {
	c.peak = map[string]uint64{}
	began := time.Now()
	opened, err := r.Open(ctx, reconcile.OpenInput{Run: "bench", ID: id, Execution: "arn:bench:" + id})
	if err != nil {
		return c, err
	}
	for _, step := range []struct {
		name  string
		items reconcile.Items
		do    func(item item) error
	}{
		{reconcile.StepIndex, opened.Index, func(i item) error {
			_, err := r.Index(ctx, reconcile.IndexInput{Run: "bench", ID: id, Item: i.Item})
			return err
		}},
		{reconcile.StepScan, opened.Scan, func(i item) error {
			for more := true; more; {
				out, err := r.Scan(ctx, reconcile.ScanInput{Run: "bench", ID: id, Shard: i.Shard})
				if err != nil {
					return err
				}
				more = out.More
			}
			return nil
		}},
		{reconcile.StepMatch, reconcile.Items{Count: -1}, func(item) error {
			out, err := r.Match(ctx, reconcile.MatchInput{Run: "bench", ID: id})
			if err == nil && !out.Ready {
				err = fmt.Errorf("not ready: %s", out.Why)
			}
			return err
		}},
		{reconcile.StepCompare, opened.Compare, func(i item) error {
			_, err := r.Compare(ctx, reconcile.CompareInput{Run: "bench", ID: id, Bucket: i.Bucket})
			return err
		}},
		{reconcile.StepClose, reconcile.Items{Count: -1}, func(item) error {
			_, err := r.Close(ctx, reconcile.CloseInput{Run: "bench", ID: id})
			return err
		}},
	} {
		items := []item{{}}
		if step.items.Count >= 0 {
			if items, err = readItems(ctx, bucket, step.items); err != nil {
				return c, err
			}
		}
		peak, took, err := watched(ctx, bucket, func() error {
			for _, i := range items {
				if err := step.do(i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return c, fmt.Errorf("%s: %w", step.name, err)
		}
		c.peak[step.name] = peak
		if step.name == reconcile.StepCompare {
			c.compareTook = took
		}
	}
	c.tookAll = time.Since(began)
	if c.summary, err = run.ReadSummary(ctx, id); err != nil {
		return c, err
	}
	if got := c.summary.Verdicts; got[verdict.Migrated] != n/10*6 || got[verdict.Pending] != n/10*4 {
		err = fmt.Errorf("%v of %d users", got, n)
	}
	return c, err
}

// item is one of a list of items.
type item struct {
	Item   string `json:"item"`
	Shard  string `json:"shard"`
	Bucket int    `json:"bucket"`
}

func readItems(ctx context.Context, bucket *memory.Bucket, items reconcile.Items) (list []item, err error) {
	object, err := bucket.Get(ctx, items.Key)
	if err == nil {
		err = json.Unmarshal(object.Body, &list)
	}
	return list, err
}

// watched does something and returns the most memory that was in use meanwhile
// beside what the bucket holds.
func watched(ctx context.Context, bucket *memory.Bucket, do func() error) (peak uint64, took time.Duration, err error) {
	runtime.GC()
	var most atomic.Uint64
	watch, stop := context.WithCancel(ctx)
	var watcher errgroup.Group
	watcher.Go(func() error { watchHeap(watch, bucket, &most); return nil })
	began := time.Now()
	err = do()
	took = time.Since(began)
	stop()
	_ = watcher.Wait()
	return most.Load(), took, err
}

func watchHeap(ctx context.Context, bucket *memory.Bucket, peak *atomic.Uint64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			held := int64(0)
			for entry, err := range bucket.List(context.Background(), "") {
				if err == nil {
					held += entry.Bytes
				}
			}
			// Memory beside the bucket, garbage included: that of the bucket's own is
			// collected as if it were ours, so this errs on the high side.
			if used := int64(m.HeapInuse) - held; used > int64(peak.Load()) {
				peak.Store(uint64(used))
			}
		}
	}
}

// reconciling compares a million and ten million profiles.
func reconciling(ctx context.Context) ([]Row, error) {
	var rows []Row
	var small comparison
	for _, n := range []int{1_000_000, 10_000_000} {
		first, second, err := compared(ctx, n)
		if err != nil {
			return nil, err
		}
		if n == 1_000_000 {
			small = first
		}
		lines := float64(n) * 1.6
		manifestBytes := float64(first.summary.Bytes.Manifest)
		most := uint64(0)
		for _, c := range []comparison{first, second} {
			for _, peak := range c.peak {
				most = max(most, peak)
			}
		}
		rows = append(rows,
			Row{fmt.Sprintf("reconciling %d M profiles, 60 %% moved, no latency: records/s per core, comparison alone, and all steps (first run, second run)", n/1_000_000),
				fmt.Sprintf("%.0f, %.0f, %.0f", lines/first.compareTook.Seconds(), lines/first.tookAll.Seconds(), lines/second.tookAll.Seconds()), ""},
			Row{"the same: buckets; memory in use beside the bucket at most, in any step",
				fmt.Sprintf("%d; %.0f MB", first.summary.Buckets, float64(most)/1e6), "≤ 512 MB"},
			Row{"the same: bytes read over bytes of the manifest (first run, second run)",
				fmt.Sprintf("%.2f, %.2f", float64(first.summary.Bytes.Read)/manifestBytes, float64(second.summary.Bytes.Read)/manifestBytes), "≤ 2.5"},
		)
		if n > 1_000_000 {
			rows = append(rows, Row{"time for 10 M over that for 1 M: comparison, all steps",
				fmt.Sprintf("%s, %s", ratio(first.compareTook, small.compareTook), ratio(first.tookAll, small.tookAll)), "about 10"})
		}
	}
	return rows, nil
}

// workflow reconciles the whole way, through state machine, functions and the
// sandbox's S3, and says where the time goes.
func workflow(ctx context.Context) ([]Row, error) {
	const people = 200_000
	w, err := rehearsal.New(ctx, rehearsal.Options{Seed: 1, Now: time.Now, Speed: 20})
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }()
	source, target := town{people, 10, false}, town{people, 6, true}
	for i := range people {
		if err := put(w, w.Source.PoolID, source.person(i)); err != nil {
			return nil, err
		}
		if i%10 < target.moved {
			if err := put(w, w.Target.PoolID, target.person(i)); err != nil {
				return nil, err
			}
		}
	}
	workflows, err := w.Workflows(ctx)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, definition := range []string{statemachines.Preseed, statemachines.Reconcile} {
		began := time.Now()
		if _, err := workflows.Start(ctx, definition, map[string]string{"run": w.Config.Run}); err != nil {
			return nil, err
		}
		if err := w.States.Wait(ctx); err != nil {
			return nil, err
		}
		rows = append(rows, Row{fmt.Sprintf("200,000 users on the sandbox, 30 lists per second: %s as a whole", definition), time.Since(began).Round(100 * time.Millisecond).String(), ""})
	}
	r, err := w.Reconciliation(ctx)
	if err != nil {
		return nil, err
	}
	status, err := r.Status(ctx)
	if err != nil || status.Last == nil || status.Last.Verdicts[verdict.Pending] != people/10*4 {
		return nil, fmt.Errorf("reconciled %+v: %w", status.Last, err)
	}
	var stages []string
	for _, step := range []string{reconcile.StepIndex, reconcile.StepScan, reconcile.StepMatch, reconcile.StepCompare, reconcile.StepClose} {
		stages = append(stages, fmt.Sprintf("%s %.1f s", step, status.Last.Stages[step]))
	}
	return append(rows, Row{"the same, by step", strings.Join(stages, ", "), ""}), nil
}

// put makes a user in a pool of the rehearsal, whose source has no plans.
func put(w *rehearsal.World, pool string, u userpool.User) error {
	delete(u.Attributes, "custom:plan")
	_, err := w.Cognito.PutUser(pool, cognitoidp.UserSpec{Username: u.Username, Sub: u.Sub, Attributes: u.Attributes, Status: u.Status})
	return err
}

// reporting renders the report of ten million users after a year of hourly runs.
func reporting(context.Context) ([]Row, error) {
	h := progress.New("bench")
	began := benchNow.AddDate(-1, 0, 0)
	const users = 10_000_000
	for at := range 365 * 24 {
		moved := int(users * (1 - 1/(1+float64(at)/2000)))
		when := began.Add(time.Duration(at) * time.Hour)
		h = h.Append(progress.Point{
			ID: fmt.Sprintf("reconcile-%05d", at), Started: when, Ended: when.Add(12 * time.Minute), Generation: 1 + at/24, Profiles: users,
			Verdicts: map[verdict.Verdict]int{verdict.Migrated: moved, verdict.Pending: users - moved, verdict.Excluded: 1000},
			Reasons:  map[verdict.Reason]int{verdict.NotSignedIn: users - moved},
			Findings: map[verdict.FindingKind]int{verdict.Drift: 12},
		})
	}
	took := time.Duration(0)
	var page bytes.Buffer
	const times = 20
	for range times {
		page.Reset()
		start := time.Now()
		err := report.Render(&page, report.View{
			Now: benchNow, Run: "bench", Source: benchSource, Target: benchTarget, History: h, Forecast: forecast.From(h.Points, benchNow),
			Seeding: report.Seeding{Generation: 365, Opened: benchNow.Add(-time.Hour), Closed: benchNow, Profiles: users, Estimate: users, Shards: 16, Committed: 16},
		})
		if err != nil {
			return nil, err
		}
		took += time.Since(start)
	}
	return []Row{{"report of 10 M users after a year of hourly runs: forecast and page, size", fmt.Sprintf("%s, %.0f kB", round(took/times), float64(page.Len())/1e3), ""}}, nil
}
