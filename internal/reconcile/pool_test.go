package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// The compressors of segments are made outside of any bubble, since all bubbles
// share them.
func init() {
	w := shuffle.NewWriter(shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: shuffle.Arrived})
	must(0, w.Add(arrived(1)))
	object, _, err := w.Close()
	text := must(shuffle.FooterBytes(must(object, err)))
	s := must(shuffle.DecodeFooter(text, document.DigestOf(text), int64(len(object)))).Bucket(0)
	must(shuffle.Unpack("", s, object[s.Offset:s.Offset+s.Length]))
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// filters says what a pool does with a prefix filter.
type filters int

const (
	honoured  filters = iota
	refused           // InvalidParameterException
	fickle            // honoured for long prefixes, ignored for those of one digit
	forgetful         // nobody whose sub begins with 3, unless the prefix is longer
)

// pool is a user pool as it is listed. It behaves as Cognito does: pages in the
// order of subs, tokens that belong to their request and are good for an hour.
type pool struct {
	mu       sync.Mutex
	users    map[userpool.Sub]userpool.User
	estimate func(users int) int // nil means exact
	filter   filters
	pageSize int // 0 means 60
	repeat   int // every so many-th page begins with the users of the page before
	latency  time.Duration
	perSec   float64 // quota of lists; 0 means none
	tokens   float64
	refilled time.Time
	failures []error
	lists    int // calls
	before   func(cursor manifest.Cursor)
}

func newPool(users ...userpool.User) *pool {
	p := &pool{users: map[userpool.Sub]userpool.User{}}
	for _, u := range users {
		p.users[u.Sub] = u
	}
	return p
}

// person is the n-th user of a source pool; subs are spread evenly over the
// digits.
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

// arrived is the n-th user once they are in the target pool; every fifth signed up
// there.
func arrived(n int) userpool.User {
	u := person(n)
	if n%5 != 0 {
		u.Attributes[userpool.AttrLegacySub] = string(u.Sub)
	}
	u.Sub = userpool.Sub(fmt.Sprintf("%x0000000-1111-4000-8000-%012d", (n*7)%16, n))
	u.Attributes["sub"] = string(u.Sub)
	return u
}

func people(n int, of func(int) userpool.User) (users []userpool.User) {
	for i := range n {
		users = append(users, of(i))
	}
	return users
}

func (p *pool) Describe(context.Context) (scan.Description, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := scan.Description{Users: len(p.users), Attributes: []string{"sub", "email"}}
	if p.estimate != nil {
		d.Users = p.estimate(d.Users)
	}
	return d, nil
}

func (p *pool) begin(ctx context.Context, cursor manifest.Cursor) error {
	if p.latency > 0 {
		select {
		case <-time.After(p.latency):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	p.lists++
	if p.before != nil {
		p.before(cursor)
	}
	if len(p.failures) > 0 {
		err := p.failures[0]
		p.failures = p.failures[1:]
		return err
	}
	if p.perSec > 0 {
		now := time.Now()
		p.tokens = min(p.perSec, p.tokens+p.perSec*now.Sub(p.refilled).Seconds())
		p.refilled = now
		if p.tokens < 1 {
			return fault.New(fault.Throttled, "Rate exceeded")
		}
		p.tokens--
	}
	return nil
}

func (p *pool) ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	if err := p.begin(ctx, cursor); err != nil {
		return page, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	prefix := manifest.Shard{Filter: filter}.Prefix()
	if p.filter == refused && prefix != "" {
		return page, fault.New(fault.Invalid, "InvalidParameterException: filter")
	}
	var subs []userpool.Sub
	for sub := range p.users {
		all := p.filter == fickle && len(prefix) == 1
		if (all || strings.HasPrefix(string(sub), prefix)) && (p.filter != forgetful || prefix != "3") {
			subs = append(subs, sub)
		}
	}
	slices.Sort(subs)
	from := 0
	if cursor != "" { // FILTER|NANOSECONDS|POSITION|SUB
		parts := strings.Split(string(cursor), "|")
		issued, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil || parts[0] != filter || time.Since(time.Unix(0, issued)) >= time.Hour {
			return page, fault.New(fault.Invalid, "Paging Marker is Invalid for Request: %w", scan.ErrCursor)
		}
		from, _ = slices.BinarySearch(subs, userpool.Sub(parts[2]+"\x00"))
	}
	size := 60
	if p.pageSize > 0 {
		size = p.pageSize
	}
	to := min(from+size, len(subs))
	first := from
	if p.repeat > 0 && p.lists%p.repeat == 0 {
		first = max(0, from-size)
	}
	for _, sub := range subs[first:to] {
		u := p.users[sub]
		u.Attributes, u.Groups = u.Attributes.Clone(), nil // lists of users have no groups
		page.Items = append(page.Items, u)
	}
	if to < len(subs) {
		page.Next = manifest.Cursor(fmt.Sprintf("%s|%d|%s", filter, time.Now().UnixNano(), subs[to-1]))
	}
	return page, nil
}

// source is a pool that can be seeded.
type source struct{ *pool }

func (p source) ListGroups(context.Context, manifest.Cursor) (page scan.Page[manifest.Group], err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := map[string]bool{}
	for _, u := range p.users {
		for _, name := range u.Groups {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		page.Items = append(page.Items, manifest.Group{Name: name})
	}
	return page, nil
}

// ListUsersInGroup lists by pages that overlap, as they do where somebody joins
// meanwhile.
func (p source) ListUsersInGroup(_ context.Context, group string, cursor manifest.Cursor) (page scan.Page[userpool.Sub], err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var subs []userpool.Sub
	for sub, u := range p.users {
		if sub >= userpool.Sub(cursor) && slices.Contains(u.Groups, group) {
			subs = append(subs, sub)
		}
	}
	slices.Sort(subs)
	const size = 5
	if len(subs) > size {
		page.Next = manifest.Cursor(subs[size-1])
		subs = subs[:size]
	}
	page.Items = subs
	return page, nil
}

// settings describes a target pool.
type settings userpool.Pool

func (s settings) Describe(context.Context) (userpool.Pool, error) { return userpool.Pool(s), nil }
