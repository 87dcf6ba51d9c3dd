package lookup_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/scan"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

// pool is a user pool as it is listed, in the order of subs.
type pool struct {
	users  []userpool.User
	groups map[string][]userpool.Sub
}

func (p *pool) Describe(context.Context) (scan.Description, error) {
	return scan.Description{Users: len(p.users), Attributes: []string{"sub", "email"}}, nil
}

func (p *pool) ListUsers(_ context.Context, _ string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	from := at(cursor)
	to := min(from+scan.PageSize, len(p.users))
	for _, u := range p.users[from:to] {
		u.Attributes = u.Attributes.Clone()
		page.Items = append(page.Items, u)
	}
	if to < len(p.users) {
		page.Next = manifest.Cursor(strconv.Itoa(to))
	}
	return page, nil
}

func at(cursor manifest.Cursor) int {
	n, _ := strconv.Atoi(string(cursor)) // none is the beginning
	return n
}

func (p *pool) ListGroups(context.Context, manifest.Cursor) (page scan.Page[manifest.Group], err error) {
	for name := range p.groups {
		page.Items = append(page.Items, manifest.Group{Name: name})
	}
	return page, nil
}

func (p *pool) ListUsersInGroup(_ context.Context, group string, _ manifest.Cursor) (scan.Page[userpool.Sub], error) {
	return scan.Page[userpool.Sub]{Items: p.groups[group]}, nil
}

// settings describes the target pool.
type settings userpool.Pool

func (s settings) Describe(context.Context) (userpool.Pool, error) { return userpool.Pool(s), nil }

// world is two pools and a bucket, with everything that makes the one side into
// the other.
type world struct {
	tb             testing.TB
	source, target *pool
	bucket         *memory.Bucket
	o              reconcile.Options
	clock          *clock
}

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newWorld(tb testing.TB, target userpool.Pool, people ...userpool.User) *world {
	w := &world{
		tb: tb, source: &pool{groups: map[string][]userpool.Sub{}}, target: &pool{}, bucket: memory.NewVersioned(),
		clock: &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)},
	}
	target.ID = "eu-central-1_new"
	w.source.users = people
	w.sort()
	w.o = reconcile.Options{
		Run:       runID,
		Source:    manifest.Pool{Account: "111122223333", Region: "eu-west-1", ID: "eu-west-1_old"},
		Target:    manifest.Pool{Region: "eu-central-1", ID: target.ID},
		MFA:       "verify",
		PerSecond: 1e9, Shards: scan.ShardsSerial, Bucket: "staging", Now: w.clock.Now,
		Pool: settings(target), Directory: w.target, Store: w.run(),
	}
	return w
}

func (w *world) sort() {
	for _, p := range []*pool{w.source, w.target} {
		slices.SortFunc(p.users, func(a, b userpool.User) int { return cmp.Compare(a.Sub, b.Sub) })
	}
}

func (w *world) run() *store.Run { return store.NewRun(w.bucket, runID) }

// move puts a user into the target pool, as the trigger does.
func (w *world) move(sub userpool.Sub) {
	i := slices.IndexFunc(w.source.users, func(u userpool.User) bool { return u.Sub == sub })
	u := w.source.users[i]
	u.Attributes = w.o.Mapping.Apply(u)
	u.Sub = "target-" + sub
	u.Attributes["sub"] = string(u.Sub)
	u.Created, u.Modified = w.clock.Now(), w.clock.Now()
	w.target.users = append(w.target.users, u)
	w.sort()
}

// seed closes the next generation.
func (w *world) seed(generation int) {
	w.tb.Helper()
	ctx := w.tb.Context()
	s := seeding.New(seeding.Options{
		Run: runID, Source: w.o.Source, Target: w.o.Target, Mapping: w.o.Mapping, PerSecond: 1e9, Shards: seeding.ShardsSerial,
		Directory: w.source, Store: w.run(), Now: w.clock.Now,
	})
	plan, err := s.Plan(ctx, seeding.PlanInput{Run: runID, Generation: generation})
	for _, shard := range plan.Shards {
		for more := err == nil; more && err == nil; {
			var out seeding.BatchOutput
			out, err = s.Batch(ctx, seeding.BatchInput{Run: runID, Generation: plan.Generation, Shard: shard.Shard})
			more = out.More
		}
	}
	if err != nil {
		w.tb.Fatal(err)
	}
	out, err := s.Close(ctx, seeding.CloseInput{Run: runID, Generation: plan.Generation})
	if err != nil || !out.Done {
		w.tb.Fatalf("%+v, %v", out, err)
	}
}

// reconcile makes a reconciliation that is whole.
func (w *world) reconcile(id string) {
	w.tb.Helper()
	ctx, r := w.tb.Context(), reconcile.New(w.o)
	opened, err := r.Open(ctx, reconcile.OpenInput{Run: runID, ID: id, Execution: "arn:aws:states:eu-central-1:444455556666:execution:x:" + id})
	if err != nil || opened.Held {
		w.tb.Fatalf("%+v, %v", opened, err)
	}
	items, err := w.bucket.Get(ctx, opened.Index.Key)
	if err != nil {
		w.tb.Fatal(err)
	}
	var index []reconcile.IndexInput
	if err := json.Unmarshal(items.Body, &index); err != nil {
		w.tb.Fatal(err)
	}
	for _, item := range index {
		if _, err := r.Index(ctx, reconcile.IndexInput{Run: runID, ID: id, Item: item.Item}); err != nil {
			w.tb.Fatal(err)
		}
	}
	for more := true; more; {
		out, err := r.Scan(ctx, reconcile.ScanInput{Run: runID, ID: id, Shard: "all"})
		if err != nil {
			w.tb.Fatal(err)
		}
		more = out.More
	}
	if out, err := r.Match(ctx, reconcile.MatchInput{Run: runID, ID: id}); err != nil || !out.Ready {
		w.tb.Fatalf("%+v, %v", out, err)
	}
	for bucket := range opened.Compare.Count {
		if _, err := r.Compare(ctx, reconcile.CompareInput{Run: runID, ID: id, Bucket: bucket}); err != nil {
			w.tb.Fatal(err)
		}
	}
	out, err := r.Close(ctx, reconcile.CloseInput{Run: runID, ID: id})
	if err != nil || !out.Whole {
		w.tb.Fatalf("%+v, %v", out, err)
	}
}

func (w *world) lookup() *lookup.Lookup {
	return lookup.New(lookup.Options{Run: runID, Store: w.run(), Now: w.clock.Now})
}

// reads is how many requests were made for something to be read.
func (w *world) reads() int { return w.bucket.Calls(memory.Get) + w.bucket.Calls(memory.GetRange) }

// person is the n-th user of a source pool, who can move.
func person(n int) userpool.User {
	created := time.Date(2025, 1, 1, 0, 0, n, 0, time.UTC)
	return userpool.User{
		Sub:      userpool.Sub(fmt.Sprintf("%08x-0000-4000-8000-%012d", uint32(n)*2654435761, n)), //nolint:gosec // spread evenly
		Username: fmt.Sprintf("person-%d", n), Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": fmt.Sprintf("person-%d@example.com", n), "email_verified": "true"},
		Created:    created, Modified: created,
	}
}

func isKind(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }

// aliasPool knows users by username, verified address or number.
func aliasPool() userpool.Pool {
	return userpool.Pool{Aliases: []string{"email", "phone_number"}, MFA: userpool.MFAOptional, Schema: schema()}
}

// emailPool makes usernames up, and knows users by address.
func emailPool() userpool.Pool {
	return userpool.Pool{UsernameAttributes: []string{"email"}, MFA: userpool.MFAOptional, Schema: schema()}
}

// plainPool knows users by username alone.
func plainPool() userpool.Pool {
	return userpool.Pool{MFA: userpool.MFAOptional, Schema: schema()}
}

func schema() userpool.Schema {
	most := int64(40)
	s := userpool.Schema{"custom:note": {Name: "custom:note", Type: userpool.TypeString, Max: &most}} // immutable
	for _, name := range append(userpool.StandardAttributes(), "sub", userpool.AttrLegacySub) {
		s[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	return s
}
