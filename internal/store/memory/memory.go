// Package memory is a store.Bucket in memory, for tests. It behaves as S3 does,
// tags included: the same bytes have the same tag.
//
// Vocabulary: an operation fails when nothing was done, it is lost when
// everything was done and only the answer is missing.
package memory

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what S3 makes its tags of
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"poolferry/internal/fault"
	"poolferry/internal/store"
)

// Operation is a method of store.Bucket.
type Operation string

// The operations.
const (
	Get      Operation = "get"
	GetRange Operation = "get range of"
	Put      Operation = "put"
	List     Operation = "list"
	Delete   Operation = "delete"

	ListVersions  Operation = "list versions of"
	GetVersion    Operation = "get version of"
	DeleteVersion Operation = "delete version of"
)

// Bucket is a bucket in memory. It is safe for concurrent use.
type Bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	history map[string][]kept // the latest first; nil in a bucket without versioning
	made    int               // versions
	mishaps map[Operation][]mishap
	calls   map[Operation]int
}

// kept is a version, or a delete marker.
type kept struct {
	id     string
	body   []byte
	marker bool
}

type mishap struct {
	kind fault.Kind
	lost bool
}

var _ store.Versioned = (*Bucket)(nil)

// New returns an empty bucket.
func New() *Bucket {
	return &Bucket{objects: map[string][]byte{}, mishaps: map[Operation][]mishap{}, calls: map[Operation]int{}}
}

// NewVersioned returns an empty bucket with versioning.
func NewVersioned() *Bucket {
	b := New()
	b.history = map[string][]kept{}
	return b
}

// Clone returns a bucket with the same objects and versions, and no mishaps.
func (b *Bucket) Clone() *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := New()
	c.objects, c.made = maps.Clone(b.objects), b.made
	if b.history != nil {
		c.history = map[string][]kept{}
		for key, versions := range b.history {
			c.history[key] = slices.Clone(versions)
		}
	}
	return c
}

// FailNext makes the next n calls of an operation, after those of earlier
// calls of FailNext and LoseNext, fail with an error of a kind.
func (b *Bucket) FailNext(op Operation, kind fault.Kind, n int) { b.plan(op, mishap{kind: kind}, n) }

// LoseNext is FailNext for calls that do their work.
func (b *Bucket) LoseNext(op Operation, kind fault.Kind, n int) {
	b.plan(op, mishap{kind: kind, lost: true}, n)
}

func (b *Bucket) plan(op Operation, m mishap, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mishaps[op] = append(b.mishaps[op], slices.Repeat([]mishap{m}, n)...)
}

// Calls returns how often an operation was called.
func (b *Bucket) Calls(op Operation) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[op]
}

// Keys returns the keys of all objects, sorted.
func (b *Bucket) Keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.objects))
}

// begin counts a call and returns what happens to it.
func (b *Bucket) begin(ctx context.Context, op Operation, key string) (fails, lost error) {
	b.calls[op]++
	if err := ctx.Err(); err != nil {
		return fault.New(fault.Unavailable, "%s %s: %w", op, key, err), nil
	}
	if len(b.mishaps[op]) == 0 {
		return nil, nil
	}
	m := b.mishaps[op][0]
	b.mishaps[op] = b.mishaps[op][1:]
	err := fault.New(m.kind, "%s %s: %s, as the test wants it", op, key, m.kind)
	if m.lost {
		return nil, err
	}
	return err, nil
}

// Get reads an object.
func (b *Bucket) Get(ctx context.Context, key string) (store.Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fails, lost := b.begin(ctx, Get, key); fails != nil || lost != nil {
		return store.Object{}, either(fails, lost)
	}
	body, ok := b.objects[key]
	if !ok {
		return store.Object{}, fault.New(fault.NotFound, "get %s: no such key", key)
	}
	return store.Object{Body: bytes.Clone(body), Tag: tagOf(body)}, nil
}

// GetRange reads a piece of an object.
func (b *Bucket) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case offset < 0 || length < 0:
		return nil, fault.New(fault.Internal, "get range of %s: %d bytes from %d on", key, length, offset)
	case length == 0:
		return []byte{}, nil
	}
	if fails, lost := b.begin(ctx, GetRange, key); fails != nil || lost != nil {
		return nil, either(fails, lost)
	}
	body, ok := b.objects[key]
	if !ok {
		return nil, fault.New(fault.NotFound, "get range of %s: no such key", key)
	}
	if size := int64(len(body)); offset > size || length > size-offset {
		return nil, fault.New(fault.Invalid, "get range of %s: it ends before", key)
	}
	return bytes.Clone(body[offset : offset+length]), nil
}

// Put writes an object.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, when store.Condition) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fails, lost := b.begin(ctx, Put, key)
	if fails != nil {
		return "", fails
	}
	old, exists := b.objects[key]
	if when.Absent() && exists {
		return "", fault.New(fault.AlreadyExists, "put %s: it exists", key)
	}
	if tag, ok := when.Tag(); ok && (!exists || tag != tagOf(old)) {
		return "", fault.New(fault.Conflict, "put %s: it is another one, or gone", key)
	}
	b.objects[key] = bytes.Clone(body)
	b.keep(key, kept{body: b.objects[key]})
	if lost != nil {
		return "", lost
	}
	return tagOf(body), nil
}

// List yields objects, as they were when it began.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		entries, err := b.entries(ctx, prefix)
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Entry{}, err)
		}
	}
}

func (b *Bucket) entries(ctx context.Context, prefix string) (entries []store.Entry, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fails, lost := b.begin(ctx, List, prefix); fails != nil || lost != nil {
		return nil, either(fails, lost)
	}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if strings.HasPrefix(key, prefix) {
			entries = append(entries, store.Entry{Key: key, Bytes: int64(len(b.objects[key]))})
		}
	}
	return entries, nil
}

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	fails, lost := b.begin(ctx, Delete, key)
	if fails != nil {
		return fails
	}
	delete(b.objects, key)
	b.keep(key, kept{marker: true})
	return lost
}

// keep puts a version in front of those that a key has.
func (b *Bucket) keep(key string, v kept) {
	if b.history == nil {
		return
	}
	b.made++
	v.id = strconv.Itoa(b.made)
	b.history[key] = append([]kept{v}, b.history[key]...)
}

// versions returns what there is of a key.
func (b *Bucket) versions(key string) []kept {
	if b.history != nil {
		return b.history[key]
	}
	if body, ok := b.objects[key]; ok {
		return []kept{{id: unversioned, body: body}}
	}
	return nil
}

// unversioned is the id of every version in a bucket without versioning.
const unversioned = "null"

// ListVersions yields versions, as they were when it began.
func (b *Bucket) ListVersions(ctx context.Context, prefix string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		all, err := b.listVersions(ctx, prefix)
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Version{}, err)
		}
	}
}

func (b *Bucket) listVersions(ctx context.Context, prefix string) (all []store.Version, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fails, lost := b.begin(ctx, ListVersions, prefix); fails != nil || lost != nil {
		return nil, either(fails, lost)
	}
	keys := slices.Collect(maps.Keys(b.objects))
	if b.history != nil {
		keys = slices.Collect(maps.Keys(b.history))
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for i, v := range b.versions(key) {
			entry := store.Version{Key: key, ID: v.id, Latest: i == 0, Marker: v.marker}
			if !v.marker {
				entry.Bytes, entry.Tag = int64(len(v.body)), tagOf(v.body)
			}
			all = append(all, entry)
		}
	}
	return all, nil
}

// GetVersion reads a version.
func (b *Bucket) GetVersion(ctx context.Context, key, id string) (store.Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fails, lost := b.begin(ctx, GetVersion, key); fails != nil || lost != nil {
		return store.Object{}, either(fails, lost)
	}
	for _, v := range b.versions(key) {
		if v.id == id && !v.marker {
			return store.Object{Body: bytes.Clone(v.body), Tag: tagOf(v.body)}, nil
		}
	}
	return store.Object{}, fault.New(fault.NotFound, "get version of %s: no such version", key)
}

// DeleteVersion removes a version.
func (b *Bucket) DeleteVersion(ctx context.Context, key, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	fails, lost := b.begin(ctx, DeleteVersion, key)
	if fails != nil {
		return fails
	}
	rest := slices.DeleteFunc(slices.Clone(b.versions(key)), func(v kept) bool { return v.id == id })
	delete(b.objects, key)
	if len(rest) > 0 && !rest[0].marker {
		b.objects[key] = rest[0].body
	}
	if b.history != nil {
		b.history[key] = rest
		if len(rest) == 0 {
			delete(b.history, key)
		}
	}
	return lost
}

func either(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func tagOf(body []byte) string {
	sum := md5.Sum(body) //nolint:gosec // see above
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
