package storetest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"poolferry/internal/store"
)

// Mortal is a process that dies at one of its steps: before the step, or after it
// and before its answer arrived.
type Mortal struct {
	mu    sync.Mutex
	left  int // steps until death; negative means immortal
	after bool
	dead  bool
	kill  context.CancelFunc
}

// Stride is how many steps are between the deaths that a test tries: every step is
// one, but in short mode, which the race detector's run takes. That one looks for
// races, and finds them whichever step is the last.
func Stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// NewMortal returns a process that dies at its n-th step, and then calls kill.
func NewMortal(n int, after bool, kill context.CancelFunc) *Mortal {
	return &Mortal{left: n, after: after, kill: kill}
}

// ErrDead is what everything ends with that a dead process does.
var ErrDead = errors.New("the process was killed")

// Dead reports whether the process has died.
func (m *Mortal) Dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// Step does a step.
func (m *Mortal) Step(do func() error) error {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return ErrDead
	}
	m.left--
	last := m.left == 0
	m.dead = last
	m.mu.Unlock()
	if last && !m.after {
		m.kill()
		return ErrDead
	}
	err := do()
	if last {
		m.kill()
		return ErrDead
	}
	return err
}

// Bucket returns a bucket as the process has it: each call is a step.
func (m *Mortal) Bucket(b store.Bucket) store.Bucket { return mortalBucket{m, b} }

// Versioned returns a bucket with versions as the process has it: each call is a
// step.
func (m *Mortal) Versioned(b store.Versioned) store.Versioned {
	return mortalVersions{mortalBucket{m, b}, b}
}

type mortalVersions struct {
	mortalBucket
	of store.Versioned
}

func (b mortalVersions) ListVersions(ctx context.Context, prefix string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		if err := b.Step(func() error { return nil }); err != nil {
			yield(store.Version{}, err)
			return
		}
		b.of.ListVersions(ctx, prefix)(yield)
	}
}

func (b mortalVersions) GetVersion(ctx context.Context, key, id string) (o store.Object, err error) {
	err = b.Step(func() (err error) { o, err = b.of.GetVersion(ctx, key, id); return err })
	return o, err
}

func (b mortalVersions) DeleteVersion(ctx context.Context, key, id string) error {
	return b.Step(func() error { return b.of.DeleteVersion(ctx, key, id) })
}

type mortalBucket struct {
	*Mortal
	of store.Bucket
}

func (b mortalBucket) Get(ctx context.Context, key string) (o store.Object, err error) {
	err = b.Step(func() (err error) { o, err = b.of.Get(ctx, key); return err })
	return o, err
}

func (b mortalBucket) GetRange(ctx context.Context, key string, offset, length int64) (data []byte, err error) {
	err = b.Step(func() (err error) { data, err = b.of.GetRange(ctx, key, offset, length); return err })
	return data, err
}

func (b mortalBucket) Put(ctx context.Context, key string, body []byte, when store.Condition) (tag string, err error) {
	err = b.Step(func() (err error) { tag, err = b.of.Put(ctx, key, body, when); return err })
	return tag, err
}

func (b mortalBucket) Delete(ctx context.Context, key string) error {
	return b.Step(func() error { return b.of.Delete(ctx, key) })
}

func (b mortalBucket) List(ctx context.Context, prefix string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		if err := b.Step(func() error { return nil }); err != nil {
			yield(store.Entry{}, err)
			return
		}
		b.of.List(ctx, prefix)(yield)
	}
}
