package seeding_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

// operation is a method of directory.
type operation string

const (
	describe         operation = "Describe"
	listUsers        operation = "ListUsers"
	listGroups       operation = "ListGroups"
	listUsersInGroup operation = "ListUsersInGroup"
)

// prefixes says what a directory does with a prefix filter.
type prefixes int

const (
	honoured  prefixes = iota
	refused            // InvalidParameterException
	ignored            // all users
	unmatched          // nobody
	forgetful          // nobody whose sub begins with 3
	fickle             // honoured for long prefixes, ignored for those of one digit
	broken             // honoured for long prefixes, refused for those of one digit
)

// directory is a source pool. It behaves as Cognito does: pages of at most
// sixty, in the order of subs, tokens that belong to their request and are good
// for an hour.
type directory struct {
	mu       sync.Mutex
	users    map[userpool.Sub]userpool.User
	groups   map[string][]userpool.Sub
	schema   []string
	estimate func(users int) int // nil means exact
	filter   prefixes
	pageSize int // 0 means 60
	empty    int // every so many-th page is empty
	latency  time.Duration
	perSec   float64 // quota of lists; 0 means none
	tokens   float64
	refilled time.Time
	failures map[operation][]error
	before   func(op operation, call int) // hook, with the directory locked
	calls    map[operation]int
}

var _ seeding.Directory = (*directory)(nil)

func newDirectory(users ...userpool.User) *directory {
	d := &directory{
		users: map[userpool.Sub]userpool.User{}, groups: map[string][]userpool.Sub{}, schema: []string{"sub", "email", "custom:plan"},
		failures: map[operation][]error{}, calls: map[operation]int{},
	}
	for _, u := range users {
		d.users[u.Sub] = u
	}
	return d
}

// failNext makes the next n calls fail.
func (d *directory) failNext(op operation, kind fault.Kind, n int) {
	d.failures[op] = append(d.failures[op], slices.Repeat([]error{fault.New(kind, "%s: as the test wants it", op)}, n)...)
}

// begin counts a call and takes its time.
func (d *directory) begin(ctx context.Context, op operation) error {
	if d.latency > 0 {
		select {
		case <-time.After(d.latency):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	d.calls[op]++
	if d.before != nil {
		d.before(op, d.calls[op])
	}
	if failures := d.failures[op]; len(failures) > 0 {
		d.failures[op] = failures[1:]
		return failures[0]
	}
	if d.perSec > 0 && (op == listUsers || op == listUsersInGroup) {
		now := time.Now()
		d.tokens = min(d.perSec, d.tokens+d.perSec*now.Sub(d.refilled).Seconds())
		d.refilled = now
		if d.tokens < 1 {
			return fault.New(fault.Throttled, "%s: Rate exceeded", op)
		}
		d.tokens--
	}
	return nil
}

func (d *directory) Describe(ctx context.Context) (seeding.Description, error) {
	if err := d.begin(ctx, describe); err != nil {
		return seeding.Description{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	out := seeding.Description{Users: len(d.users), Attributes: d.schema}
	if d.estimate != nil {
		out.Users = d.estimate(out.Users)
	}
	return out, nil
}

func (d *directory) ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (page seeding.Page[userpool.User], err error) {
	if err := d.begin(ctx, listUsers); err != nil {
		return page, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	prefix, err := d.prefix(filter)
	if err != nil {
		return page, err
	}
	var subs []userpool.Sub
	for sub := range d.users {
		if strings.HasPrefix(string(sub), prefix) && (d.filter != forgetful || prefix != "3") {
			subs = append(subs, sub)
		}
	}
	from, err := d.after("users "+filter, cursor)
	if err != nil {
		return page, err
	}
	chosen, next := d.page("users "+filter, subs, from, d.calls[listUsers])
	for _, sub := range chosen {
		u := d.users[sub]
		u.Attributes = u.Attributes.Clone()
		page.Items = append(page.Items, u)
	}
	page.Next = next
	return page, nil
}

func (d *directory) prefix(filter string) (string, error) {
	if filter == "" {
		return "", nil
	}
	prefix := manifest.Shard{Filter: filter}.Prefix()
	short := len(prefix) == 1
	switch {
	case d.filter == refused, d.filter == broken && short:
		return "", fault.New(fault.Invalid, "InvalidParameterException: filter")
	case d.filter == ignored, d.filter == fickle && short:
		return "", nil
	case d.filter == unmatched:
		return "nobody", nil
	}
	return prefix, nil
}

// token is REQUEST|SECONDS|SUB: the page begins behind the sub.
func (d *directory) after(request string, cursor manifest.Cursor) (userpool.Sub, error) {
	if cursor == "" {
		return "", nil
	}
	parts := strings.Split(string(cursor), "|")
	issued, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || parts[0] != request || time.Since(time.Unix(0, issued)) >= time.Hour {
		return "", fault.New(fault.Invalid, "Paging Marker is Invalid for Request: %w", seeding.ErrCursor)
	}
	return userpool.Sub(parts[2]), nil
}

func (d *directory) page(request string, subs []userpool.Sub, from userpool.Sub, call int) (page []userpool.Sub, next manifest.Cursor) {
	slices.Sort(subs)
	start, _ := slices.BinarySearch(subs, from)
	if start < len(subs) && subs[start] == from {
		start++
	}
	subs = subs[start:]
	size := 60
	if d.pageSize > 0 {
		size = d.pageSize
	}
	if d.empty > 0 && call%d.empty == 0 {
		size = 0
	}
	if size >= len(subs) {
		return subs, ""
	}
	last := from
	if size > 0 {
		last = subs[size-1]
	}
	return subs[:size], manifest.Cursor(fmt.Sprintf("%s|%d|%s", request, time.Now().UnixNano(), last))
}

func (d *directory) ListGroups(ctx context.Context, cursor manifest.Cursor) (page seeding.Page[manifest.Group], err error) {
	if err := d.begin(ctx, listGroups); err != nil {
		return page, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []userpool.Sub
	for name := range d.groups {
		names = append(names, userpool.Sub(name))
	}
	from, err := d.after("groups", cursor)
	if err != nil {
		return page, err
	}
	chosen, next := d.page("groups", names, from, d.calls[listGroups])
	for _, name := range chosen {
		page.Items = append(page.Items, manifest.Group{Name: string(name)})
	}
	page.Next = next
	return page, nil
}

func (d *directory) ListUsersInGroup(ctx context.Context, group string, cursor manifest.Cursor) (page seeding.Page[userpool.Sub], err error) {
	if err := d.begin(ctx, listUsersInGroup); err != nil {
		return page, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	members, ok := d.groups[group]
	if !ok {
		return page, fault.New(fault.NotFound, "Group not found.")
	}
	from, err := d.after("group "+group, cursor)
	if err != nil {
		return page, err
	}
	page.Items, page.Next = d.page("group "+group, slices.Clone(members), from, d.calls[listUsersInGroup])
	return page, nil
}
