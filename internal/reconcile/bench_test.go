package reconcile_test

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what S3 makes its tags of
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
)

// disk is a bucket in a folder, so that what is stored takes no memory.
type disk string

func (d disk) path(key string) string { return filepath.Join(string(d), filepath.FromSlash(key)) }

func (d disk) Get(_ context.Context, key string) (store.Object, error) {
	body, err := os.ReadFile(d.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return store.Object{}, fault.New(fault.NotFound, "get %s: no such key", key)
	}
	return store.Object{Body: body, Tag: tagOf(body)}, err
}

func (d disk) GetRange(_ context.Context, key string, offset, length int64) ([]byte, error) {
	f, err := os.Open(d.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "get %s: no such key", key)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read
	data := make([]byte, length)
	_, err = f.ReadAt(data, offset)
	return data, err
}

func (d disk) Put(ctx context.Context, key string, body []byte, when store.Condition) (string, error) {
	standing, err := d.Get(ctx, key)
	if tag, swap := when.Tag(); when.Absent() && err == nil {
		return "", fault.New(fault.AlreadyExists, "put %s: it exists", key)
	} else if swap && standing.Tag != tag {
		return "", fault.New(fault.Conflict, "put %s: it is another one", key)
	}
	if err := os.MkdirAll(filepath.Dir(d.path(key)), 0o700); err != nil {
		return "", err
	}
	return tagOf(body), os.WriteFile(d.path(key), body, 0o600)
}

func (d disk) List(_ context.Context, prefix string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		var all []store.Entry
		err := filepath.WalkDir(string(d), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			key, err := filepath.Rel(string(d), path)
			if key = filepath.ToSlash(key); err == nil && strings.HasPrefix(key, prefix) {
				all = append(all, store.Entry{Key: key})
			}
			return err
		})
		slices.SortFunc(all, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Entry{}, err)
		}
	}
}

func (d disk) Delete(_ context.Context, key string) error {
	if err := os.Remove(d.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func tagOf(body []byte) string {
	sum := md5.Sum(body) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// citizen is the n-th of a large crowd, with about as much to say as a real user.
func citizen(n int) userpool.User {
	random := rand.New(rand.NewPCG(uint64(n), 13)) //nolint:gosec // repeatable on purpose
	created := time.Unix(1_700_000_000+int64(random.IntN(50_000_000)), int64(random.IntN(1000))*1_000_000).UTC()
	name := fmt.Sprintf("%s.%s%d", letters(random, 4+random.IntN(5)), letters(random, 4+random.IntN(8)), random.IntN(1000))
	u := userpool.User{
		Sub: userpool.Sub(uuid(random)), Enabled: true, Status: userpool.StatusConfirmed, Created: created,
		Attributes: userpool.Attributes{
			"email": fmt.Sprintf("%s.%d@%s.example.com", name, n, letters(random, 3)), "email_verified": "true",
			"phone_number": fmt.Sprintf("+49151%08d", random.IntN(100_000_000)), "phone_number_verified": "true",
			"given_name": letters(random, 4+random.IntN(5)), "family_name": letters(random, 5+random.IntN(8)),
			"locale": []string{"de-AT", "en-GB", "fr-FR"}[random.IntN(3)], "custom:plan": []string{"free", "team", "business"}[random.IntN(3)],
			"custom:customer": strconv.Itoa(10_000_000 + n),
		},
		Modified: created.Add(time.Duration(random.IntN(10_000_000)) * time.Second),
	}
	u.Username = string(u.Sub)
	return u
}

func letters(random *rand.Rand, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = "etaoinshrdlcumwfgypbvk"[min(random.IntN(22), random.IntN(22))]
	}
	return string(text)
}

func uuid(random *rand.Rand) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// settlers is a target pool to which some of the citizens have moved: it is
// listed without being anywhere.
type settlers struct {
	citizens int
	percent  int
}

func (s settlers) settler(n int) userpool.User {
	u := citizen(n)
	u.Attributes = userpool.Mapping{}.Apply(u)
	u.Sub = userpool.Sub(uuid(rand.New(rand.NewPCG(uint64(n), 17)))) //nolint:gosec // repeatable on purpose
	u.Attributes["sub"] = string(u.Sub)
	u.Created = time.Date(2026, 11, 1, 0, 0, n%86400, 0, time.UTC)
	u.Modified = u.Created
	return u
}

func (s settlers) Describe(context.Context) (scan.Description, error) {
	return scan.Description{Users: s.citizens * s.percent / 100, Attributes: []string{"sub", "email"}}, nil
}

func (s settlers) ListUsers(_ context.Context, _ string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	n := 0
	if cursor != "" {
		if n, err = strconv.Atoi(string(cursor)); err != nil {
			return page, err
		}
	}
	for ; n < s.citizens && len(page.Items) < scan.PageSize; n++ {
		if n%100 < s.percent {
			page.Items = append(page.Items, s.settler(n))
		}
	}
	if n < s.citizens {
		page.Next = manifest.Cursor(strconv.Itoa(n))
	}
	return page, nil
}

// groupsOf are those of the n-th citizen: one in five has one.
func groupsOf(n int) []string {
	if n%5 > 0 {
		return nil
	}
	return []string{fmt.Sprintf("customers-%d", n%20), "newsletter"}[:1+n%10/5]
}

// stageCitizens writes a generation as a seeding does.
func stageCitizens(ctx context.Context, run *store.Run, o reconcile.Options, n int) error {
	mapping, err := manifest.DigestOfMapping(o.Mapping)
	if err != nil {
		return err
	}
	shards := []manifest.Shard{{ID: "all", Content: manifest.Profiles}, {ID: "groups", Content: manifest.Members}}
	now := time.Now().UTC()
	digest, err := run.WritePlan(ctx, manifest.Plan{
		Run: runID, Source: o.Source, Target: o.Target, MappingSHA256: mapping, Estimate: n, Shards: shards[:1], Created: now, CreatedBy: "bench",
	})
	if err != nil {
		return err
	}
	origin := manifest.Origin{Run: runID, Generation: 1, PlanSHA256: digest}
	g, err := run.OpenGeneration(ctx, manifest.Generation{Origin: origin, Shards: shards, Opened: now})
	if err != nil {
		return err
	}
	commits, refs := map[string]manifest.Commit{}, map[string]manifest.DocumentRef{}
	for _, shard := range shards {
		commit := manifest.Commit{Origin: origin, Shard: shard, Attempt: 1, Parts: []manifest.PartRef{}, Committed: now}
		const users = 18_000
		for first := 0; first < n; first += users {
			ref, err := stagePart(ctx, run, commit.PartHeader(len(commit.Parts)), first, min(first+users, n))
			if err != nil {
				return err
			}
			commit.Parts = append(commit.Parts, ref)
			commit.Count += ref.Count
		}
		if commits[shard.ID], refs[shard.ID], err = run.CommitShard(ctx, commit); err != nil {
			return err
		}
	}
	m, err := g.Close(commits, refs, nil, n, now)
	if err == nil {
		_, err = run.WriteManifest(ctx, m)
	}
	return err
}

// stagePart writes some citizens, or their groups.
func stagePart(ctx context.Context, run *store.Run, header manifest.Header, first, last int) (ref manifest.PartRef, err error) {
	var stored bytes.Buffer
	w, err := manifest.NewPartWriter(&stored, header)
	if err != nil {
		return ref, err
	}
	for i := first; i < last; i++ {
		u := citizen(i)
		if header.Content == manifest.Profiles {
			err = w.Profile(u)
		}
		for _, group := range groupsOf(i) {
			if header.Content == manifest.Members && err == nil {
				err = w.Member(manifest.Member{Group: group, Sub: u.Sub})
			}
		}
		if err != nil {
			return ref, err
		}
	}
	if ref, err = w.Close(); err != nil {
		return ref, err
	}
	return run.WritePart(ctx, header, stored.Bytes(), ref)
}

// watch measures a step: the processor time that it took and the most memory that
// the process had from the system meanwhile.
func watch(do func()) (cpu time.Duration, peak uint64) {
	debug.FreeOSMemory()
	before := processorTime()
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		var peak uint64
		for {
			metrics.Read(samples)
			peak = max(peak, samples[0].Value.Uint64()-samples[1].Value.Uint64())
			select {
			case <-done:
				most <- peak
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	do()
	close(done)
	return processorTime() - before, <-most
}

func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkReconciliation compares POOLFERRY_BENCH_USERS profiles, 100,000 unless
// it says otherwise, of whom 60 % have moved and 20 % are in groups, step by step. A step is one Lambda
// at a time, so that its memory is that of the process.
func BenchmarkReconciliation(b *testing.B) {
	users := 100_000
	if text := os.Getenv("POOLFERRY_BENCH_USERS"); text != "" {
		users = must(strconv.Atoi(text))
	}
	for b.Loop() {
		benchReconciliation(b, users)
	}
}

func benchReconciliation(b *testing.B, users int) {
	const percent = 60
	ctx := b.Context()
	bucket := disk(b.TempDir())
	run := store.NewRun(bucket, runID)
	o := newPlace(nil, nil, nil).o
	pool := userpool.Pool(o.Pool.(settings))
	for _, name := range append(userpool.StandardAttributes(), userpool.AttrLegacySub, "custom:plan", "custom:customer") {
		pool.Schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	o.Directory, o.Store, o.Shards, o.PerSecond = settlers{users, percent}, run, scan.ShardsSerial, 1e9
	if err := stageCitizens(ctx, run, o, users); err != nil {
		b.Fatal(err)
	}
	r := reconcile.New(o)
	opened, err := r.Open(ctx, input("bench"))
	if err != nil {
		b.Fatal(err)
	}
	basis := must(run.ReadBasis(ctx, "bench"))
	records := map[string]int{"index": users, "scan": users * percent / 100, "match": users + users*percent/100}
	records["compare"] = records["match"]
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"index", func() error {
			for _, item := range basis.Items {
				if _, err := r.Index(ctx, reconcile.IndexInput{Run: runID, ID: "bench", Item: item.ID}); err != nil {
					return err
				}
			}
			return nil
		}},
		{"scan", func() error {
			for {
				out, err := r.Scan(ctx, reconcile.ScanInput{Run: runID, ID: "bench", Shard: "all"})
				if err != nil || !out.More {
					return err
				}
			}
		}},
		{"match", func() error {
			out, err := r.Match(ctx, reconcile.MatchInput{Run: runID, ID: "bench"})
			if err == nil && !out.Ready {
				err = errors.New(out.Why)
			}
			return err
		}},
		{"compare", func() error {
			for bucket := range opened.Compare.Count {
				if _, err := r.Compare(ctx, reconcile.CompareInput{Run: runID, ID: "bench", Bucket: bucket}); err != nil {
					return err
				}
			}
			return nil
		}},
		{"close", func() error {
			out, err := r.Close(ctx, reconcile.CloseInput{Run: runID, ID: "bench"})
			if err == nil && (!out.Whole || out.Pending != users-users*percent/100) {
				err = fmt.Errorf("closed with %+v", out)
			}
			return err
		}},
	} {
		var err error
		cpu, peak := watch(func() { err = step.do() })
		if err != nil {
			b.Fatalf("%s: %v", step.name, err)
		}
		if n := records[step.name]; n > 0 {
			b.ReportMetric(float64(n)/cpu.Seconds(), step.name+"-records/s/core")
		}
		b.ReportMetric(float64(peak)/(1<<20), step.name+"-peak-MB")
	}
	s := must(run.ReadSummary(ctx, "bench"))
	b.ReportMetric(float64(s.Bytes.Read)/float64(s.Bytes.Manifest), "read/manifest")
	b.ReportMetric(float64(s.Bytes.Written)/float64(s.Bytes.Manifest), "written/manifest")
	b.ReportMetric(float64(s.Bytes.Manifest)/float64(users), "manifest-bytes/profile")
	b.ReportMetric(float64(opened.Compare.Count), "buckets")
	settle := 0
	for _, ref := range s.Settle {
		settle += ref.Count
	}
	if want := users * percent / 100 / 5; settle != want {
		b.Errorf("%d users to settle, not %d", settle, want)
	}
}
