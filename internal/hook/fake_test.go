package hook_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/userpool"
)

const poolID = "eu-central-1_NewPool01"

// recorded returns the events of testdata by name.
func recorded(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 9 {
		tb.Fatalf("found %d recorded events: %v", len(files), err)
	}
	events := map[string][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		events[filepath.Base(file)] = data
	}
	return events
}

// recorder keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	signUps  []hook.SignUp
	welcomes []hook.Welcome
}

func (r *recorder) RecordSignUp(_ context.Context, s hook.SignUp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signUps = append(r.signUps, s)
}

func (r *recorder) RecordWelcome(_ context.Context, w hook.Welcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.welcomes = append(r.welcomes, w)
}

// directory answers as a lookup does.
type directory struct {
	mu     sync.Mutex
	owners func(u userpool.User) []lookup.Owner
	rows   map[userpool.Sub]reconcile.PendingRow
	err    error
	late   bool // waits until the caller gives up
	calls  int
}

func (d *directory) begin(ctx context.Context) error {
	d.mu.Lock()
	d.calls++
	late, err := d.late, d.err
	d.mu.Unlock()
	if late {
		<-ctx.Done()
		return fault.New(fault.Unavailable, "read: %w", ctx.Err())
	}
	return err
}

func (d *directory) Owners(ctx context.Context, u userpool.User) ([]lookup.Owner, error) {
	if err := d.begin(ctx); err != nil || d.owners == nil {
		return nil, err
	}
	return d.owners(u), nil
}

func (d *directory) Pending(ctx context.Context, sub userpool.Sub) (row reconcile.PendingRow, known bool, err error) {
	if err := d.begin(ctx); err != nil {
		return row, false, err
	}
	row, known = d.rows[sub]
	return row, known, nil
}

func (d *directory) Groups(context.Context) (manifest.Groups, error) {
	return manifest.Groups{Groups: []manifest.Group{{Name: "new", Description: "as at the source"}}}, nil
}

// groups is a target pool as far as its groups go.
type groups struct {
	mu    sync.Mutex
	has   map[string][]string // members
	fail  map[string]error    // "add G" or "create G" → error
	calls []string
	made  []manifest.Group
}

func (g *groups) begin(ctx context.Context, call string) error {
	g.calls = append(g.calls, call)
	if err := ctx.Err(); err != nil {
		return err
	}
	return g.fail[call]
}

func (g *groups) AddToGroup(ctx context.Context, username, group string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.begin(ctx, "add "+group); err != nil {
		return err
	}
	if _, ok := g.has[group]; !ok {
		return fault.New(fault.Invalid, "add to %q: %w", group, userpool.ErrNoGroup)
	}
	g.has[group] = append(g.has[group], username)
	return nil
}

func (g *groups) CreateGroup(ctx context.Context, group manifest.Group) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.begin(ctx, "create "+group.Name); err != nil {
		return err
	}
	g.has[group.Name], g.made = nil, append(g.made, group)
	return nil
}
