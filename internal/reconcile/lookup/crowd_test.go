package lookup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/document"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// crowd is what a reconciliation of a large pool leaves, written without one: in
// as many buckets and items as the pool is to look large.
type crowd struct {
	*world
	pool    userpool.Pool
	buckets int
	pending map[userpool.Sub]reconcile.PendingRow
}

func newCrowd(tb testing.TB, pool userpool.Pool, buckets int) *crowd {
	pool.ID = "eu-central-1_new"
	return &crowd{newWorld(tb, pool), pool, buckets, map[userpool.Sub]reconcile.PendingRow{}}
}

// leave writes everything about some items of users, of whom some are pending. of
// returns the n-th line of the generation.
func (c *crowd) leave(items, lines int, of func(n int) userpool.User, row func(n int, u userpool.User) (reconcile.PendingRow, bool)) {
	c.tb.Helper()
	ctx, run, now := c.tb.Context(), c.run(), c.clock.Now()
	digest := document.DigestOf([]byte("x"))
	basis := reconcile.Basis{
		Run: runID, ID: "r1", Execution: "e", Opened: now, PlanSHA256: digest, Skipped: []reconcile.Staged{}, Items: []reconcile.IndexItem{}, Partial: []string{},
		Staged: &reconcile.Staged{Generation: 1, Opened: now, Profiles: lines, Lines: lines, Missing: []string{}},
		Target: reconcile.Target{Shards: []manifest.Shard{{ID: "all", Content: manifest.Profiles}}, Pool: poolOf(c.pool)}, Buckets: c.buckets,
	}
	rows := make([][]reconcile.PendingRow, c.buckets)
	contested := []reconcile.PendingRow{}
	per := (lines + items - 1) / items
	for i := range items {
		item := reconcile.IndexItem{
			ID: fmt.Sprintf("g00001-s000-i%05d", i), Generation: 1, Commit: manifest.DocumentRef{Key: "k", SHA256: digest},
			Shard: manifest.Shard{ID: "all", Content: manifest.Profiles}, First: i, Parts: 1, Bytes: 1,
		}
		w := shuffle.NewWriter(shuffle.Layout{Buckets: c.buckets, NameBuckets: reconcile.NameBuckets(c.buckets), Side: shuffle.Staged, Pool: c.pool})
		for n := i * per; n < min((i+1)*per, lines); n++ {
			u := of(n)
			u.Attributes = c.o.Mapping.Apply(u)
			must(0, w.Add(u))
			item.Lines++
			if r, is := row(n, u); is {
				bucket := shuffle.BucketOf(string(u.Sub), c.buckets)
				if n%50 == 0 {
					contested = append(contested, r)
				} else {
					rows[bucket] = append(rows[bucket], r)
				}
				c.pending[u.Sub] = r
			}
		}
		object, count, err := w.Close()
		ref := must(shuffle.NewRef(must(object, err), count))
		ref = must(run.WriteIndexSegments(ctx, 1, c.buckets, item.ID, object, ref))
		must(run.WriteIndexed(ctx, reconcile.Indexed{
			Origin: basis.Origin(1), Item: item, Buckets: c.buckets, MappingSHA256: digest, Target: c.pool.ID, Segments: ref, By: "r1", Began: now, Ended: now,
		}))
		basis.Items = append(basis.Items, item)
	}
	summary := reconcile.Summary{
		Run: runID, ID: "r1", Started: now, Ended: now, Generation: 1, Closed: true, Missing: []string{}, Verdicts: map[verdict.Verdict]int{},
		Reasons: reconcile.Counts{}, Findings: map[verdict.FindingKind]int{}, Sample: []verdict.Finding{}, Partial: []string{}, Stages: map[string]float64{},
		Buckets: c.buckets, IDMap: []reconcile.RowsRef{}, Pending: []reconcile.RowsRef{}, FindingRows: []reconcile.RowsRef{},
	}
	for bucket, some := range rows {
		if len(some) > 0 {
			summary.Pending = append(summary.Pending, c.write(some, bucket, bucket, c.buckets))
		}
	}
	half := [][]reconcile.PendingRow{{}, {}} // Close deals its rows out into fewer
	for _, r := range contested {
		n := shuffle.BucketOf(string(r.Sub), 2)
		half[n] = append(half[n], r)
	}
	for n, some := range half {
		summary.Pending = append(summary.Pending, c.write(some, reconcile.ByClose, n, 2))
	}
	must(run.WriteBasis(ctx, basis))
	must(run.WriteSummary(ctx, summary))
	must(run.SwapProgress(ctx, progress.New(runID).Append(summary.Point()), ""))
}

func (c *crowd) write(rows []reconcile.PendingRow, key, bucket, of int) reconcile.RowsRef {
	data := must(reconcile.EncodeRows(rows))
	return must(c.run().WriteRows(c.tb.Context(), "r1", reconcile.PendingRows, key, data, reconcile.RowsRef{
		Count: len(rows), Format: reconcile.FormatJSONL, Bucket: bucket, Of: of,
	}))
}

// poolOf is a pool as a basis has it.
func poolOf(p userpool.Pool) reconcile.Pool {
	d := reconcile.Pool{ID: p.ID, Schema: []reconcile.Attribute{}, Aliases: p.Aliases, UsernameAttributes: p.UsernameAttributes, CaseSensitive: p.CaseSensitive, MFA: string(p.MFA)}
	for name, a := range p.Schema {
		d.Schema = append(d.Schema, reconcile.Attribute{Name: name, Type: string(a.Type), Mutable: a.Mutable, Max: a.Max})
	}
	return d
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// TestManyBuckets: users in many buckets and items, some of them in two, rows of
// comparisons and rows of the end.
func TestManyBuckets(t *testing.T) {
	for _, room := range []int64{0, 20_000} {
		c := newCrowd(t, aliasPool(), 16)
		const lines = 2000
		// Every tenth line is about the user before it, who is in the next item by
		// then, perhaps, and has another address.
		number := func(n int) int { return n - n/10 }
		c.leave(7, lines, func(n int) userpool.User {
			u := person(number(n))
			if n%10 == 0 {
				u.Attributes["email"] = fmt.Sprintf("new-%d@example.com", number(n))
			}
			return u
		}, func(n int, u userpool.User) (reconcile.PendingRow, bool) {
			r := reconcile.PendingRow{Sub: u.Sub, Verdict: verdict.Pending, Reason: verdict.NotSignedIn}
			if n%4 == 0 {
				r.Groups = []string{fmt.Sprint("g", n%12), "staff"}
			}
			return r, n%10 > 0 && number(n)%3 > 0
		})
		l := lookup.New(lookup.Options{Run: runID, Store: c.run(), Now: c.clock.Now, Memory: room})
		for n := range lines {
			u := person(number(n))
			want, pending := c.pending[u.Sub]
			got, known, err := l.Pending(t.Context(), u.Sub)
			if err != nil || known != pending || known && cmp.Diff(want, got) != "" {
				t.Fatalf("%+v, %v, %v; want %+v, %v", got, known, err, want, pending)
			}
			owners, err := l.Owners(t.Context(), registers(u.Username))
			if err != nil || len(owners) == 1 != pending || pending && owners[0].Sub != u.Sub {
				t.Fatalf("line %d: %+v, %v; pending %v", n, owners, err, pending)
			}
		}
		found := 0
		for bucket := range must(l.Buckets(t.Context())) {
			for u, err := range l.Users(t.Context(), bucket) {
				if err != nil {
					t.Fatal(err)
				}
				found++
				if diff := cmp.Diff(c.pending[u.Sub], u.PendingRow); diff != "" || u.User.Sub != u.Sub || shuffle.BucketOf(string(u.Sub), 16) != bucket {
					t.Fatalf("bucket %d: %+v: %s", bucket, u, diff)
				}
			}
		}
		if found != len(c.pending) {
			t.Errorf("%d users of %d", found, len(c.pending))
		}
	}
}

// counted counts what is read, and takes its time.
type counted struct {
	lookup.Store
	requests, bytes atomic.Int64
	latency         time.Duration
}

func (c *counted) count(n int) {
	c.requests.Add(1)
	c.bytes.Add(int64(n))
	if c.latency > 0 {
		time.Sleep(c.latency)
	}
}

func (c *counted) LoadProgress(ctx context.Context) (progress.History, string, error) {
	c.count(0)
	return c.Store.LoadProgress(ctx)
}

func (c *counted) ReadSummary(ctx context.Context, id string) (reconcile.Summary, error) {
	c.count(0)
	return c.Store.ReadSummary(ctx, id)
}

func (c *counted) ReadBasis(ctx context.Context, id string) (reconcile.Basis, error) {
	c.count(0)
	return c.Store.ReadBasis(ctx, id)
}

func (c *counted) ReadRows(ctx context.Context, ref reconcile.RowsRef) ([]byte, error) {
	c.count(int(ref.Bytes))
	return c.Store.ReadRows(ctx, ref)
}

func (c *counted) ReadIndexed(ctx context.Context, of manifest.Origin, buckets int, item reconcile.IndexItem) (reconcile.Indexed, error) {
	c.count(0)
	return c.Store.ReadIndexed(ctx, of, buckets, item)
}

func (c *counted) ReadRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	c.count(int(length))
	return c.Store.ReadRange(ctx, key, offset, length)
}

// citizen is the n-th of a large crowd, with about as much to say as a real user.
func citizen(n int) userpool.User {
	random := rand.New(rand.NewPCG(uint64(n), 13)) //nolint:gosec // repeatable on purpose
	u := person(n)
	u.Sub = userpool.Sub(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), random.Uint32()&0xffff, random.Uint32()&0xfff, random.Uint32()&0xfff, random.Uint64()&0xffffffffffff))
	u.Username = string(u.Sub)
	u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = fmt.Sprintf("+49151%08d", random.IntN(100_000_000)), "true"
	u.Attributes["given_name"], u.Attributes["family_name"] = strconv.Itoa(random.IntN(1e6)), strconv.Itoa(random.IntN(1e9))
	u.Attributes["custom:customer"] = strconv.Itoa(10_000_000 + n)
	return u
}

// BenchmarkLookup asks about POOLFERRY_BENCH_USERS users, 100,000 unless it says
// otherwise, dealt out as ten million would be: 512 buckets, 70 items. 60 % have
// moved, a fifth is in a group.
func BenchmarkLookup(b *testing.B) {
	users := 100_000
	if text := os.Getenv("POOLFERRY_BENCH_USERS"); text != "" {
		users = must(strconv.Atoi(text))
	}
	c := newCrowd(b, aliasPool(), 512)
	c.leave(70, users, citizen, func(n int, u userpool.User) (reconcile.PendingRow, bool) {
		r := reconcile.PendingRow{Sub: u.Sub, Verdict: verdict.Pending, Reason: verdict.NotSignedIn}
		if n%5 == 0 {
			r.Groups = []string{"customers", fmt.Sprint("team-", n%40)}
		}
		return r, n%10 >= 6
	})
	ctx := b.Context()
	read := &counted{Store: c.run()}
	fresh := func() *lookup.Lookup { return lookup.New(lookup.Options{Run: runID, Store: read, Now: c.clock.Now}) }
	stranger := func(n int) userpool.User {
		return registers(fmt.Sprint("stranger-", n), "email", fmt.Sprintf("stranger-%d@example.com", n), "phone_number", fmt.Sprintf("+4930%08d", n))
	}
	// run measures, and counts what is read each time.
	run := func(name string, do func(n int) error) {
		b.Run(name, func(b *testing.B) {
			requests, bytes, n := read.requests.Load(), read.bytes.Load(), 0
			b.ReportAllocs()
			for b.Loop() {
				if err := do(n); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(read.requests.Load()-requests)/float64(n), "requests/op")
			b.ReportMetric(float64(read.bytes.Load()-bytes)/float64(n), "read-B/op")
		})
	}
	nobody := func(owners []lookup.Owner, err error) error {
		if err == nil && len(owners) > 0 {
			err = fmt.Errorf("owners %v", owners)
		}
		return err
	}
	run("owners/first", func(n int) error { return nobody(fresh().Owners(ctx, stranger(n))) })
	read.latency = 20 * time.Millisecond
	run("owners/first-20ms", func(n int) error { return nobody(fresh().Owners(ctx, stranger(n))) })
	run("pending/first-20ms", func(n int) error {
		_, _, err := fresh().Pending(ctx, citizen(n).Sub)
		return err
	})
	read.latency = 0
	warm := fresh()
	must(0, warm.Warm(ctx))
	run("owners/miss", func(n int) error { return nobody(warm.Owners(ctx, stranger(n))) })
	run("owners/hit", func(n int) error {
		u := citizen(n%(users/10)*10 + 6)
		owners, err := warm.Owners(ctx, registers("somebody", "email", u.Attributes["email"]))
		if err == nil && (len(owners) != 1 || owners[0].Sub != u.Sub) {
			err = fmt.Errorf("owners %v", owners)
		}
		return err
	})
	run("pending/first", func(n int) error {
		_, known, err := fresh().Pending(ctx, citizen(n%(users/10)*10+6).Sub)
		if err == nil && !known {
			err = fmt.Errorf("user %d is not pending", n)
		}
		return err
	})
	subs := make([]userpool.Sub, 4096)
	for i := range subs {
		subs[i] = citizen(i % users).Sub
		if _, _, err := warm.Pending(ctx, subs[i]); err != nil {
			b.Fatal(err)
		}
	}
	run("pending/memory", func(n int) error {
		_, _, err := warm.Pending(ctx, subs[n%len(subs)])
		return err
	})
	run("users/bucket", func(n int) error {
		for _, err := range warm.Users(ctx, n%c.buckets) {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkMemory says how much a Lookup that has asked everything has kept.
func BenchmarkMemory(b *testing.B) {
	const users = 200_000
	c := newCrowd(b, aliasPool(), 64)
	c.leave(8, users, citizen, func(_ int, u userpool.User) (reconcile.PendingRow, bool) {
		return reconcile.PendingRow{Sub: u.Sub, Verdict: verdict.Pending, Reason: verdict.NotSignedIn, Groups: []string{"customers"}}, true
	})
	for _, room := range []int64{4 << 20, 8 << 20, 64 << 20} {
		b.Run(fmt.Sprint(room>>20, "MiB"), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				l := lookup.New(lookup.Options{Run: runID, Store: c.run(), Now: c.clock.Now, Memory: room})
				for n := range 2000 {
					must(l.Owners(b.Context(), registers(fmt.Sprint("stranger-", n))))
					_, _, err := l.Pending(b.Context(), citizen(n).Sub)
					must(0, err)
				}
				b.ReportMetric(float64(heap()-before)/(1<<20), "kept-MiB")
				runtime.KeepAlive(l)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below
}

// TestRoomForEverybody: where nobody has arrived yet, everybody's row is remembered
// in 16 bytes, and a user who is asked about again takes no request.
func TestRoomForEverybody(t *testing.T) {
	const users = 20_000
	c := newCrowd(t, aliasPool(), 16)
	c.leave(2, users, citizen, func(_ int, u userpool.User) (reconcile.PendingRow, bool) {
		return reconcile.PendingRow{Sub: u.Sub, Verdict: verdict.Pending, Reason: verdict.NotSignedIn, Groups: []string{"customers"}}, true
	})
	read := &counted{Store: c.run()}
	l := lookup.New(lookup.Options{Run: runID, Store: read, Now: c.clock.Now, Memory: 17 * users})
	ask := func() int64 {
		before := read.requests.Load()
		for n := range users {
			if row, known, err := l.Pending(t.Context(), citizen(n).Sub); err != nil || !known || len(row.Groups) != 1 {
				t.Fatal(row, known, err)
			}
		}
		return read.requests.Load() - before
	}
	ask()
	if n := ask(); n > 0 {
		t.Errorf("%d requests", n)
	}
}
