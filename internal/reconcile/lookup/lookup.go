// Package lookup answers questions about single users from what the last whole
// reconciliation has left, with few requests and in memory that does not grow
// with the pools: is somebody still to come, with which groups; whom does a name
// belong to that somebody wants to register with; who is left, bucket by bucket.
//
// Vocabulary: an edition is the reconciliation that is asked; an owner is
// somebody who was staged, has not arrived, and has a name; a shelf are the rows
// of one object, in few bytes; what is remembered is given up, least recently
// used first, when there is no more room for it.
//
// The answers are as old as the reconciliation. Whoever has moved since is still
// said to be pending, and whoever signed up at the source since was never heard
// of.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/userpool"
)

// Store reads the objects of one run; store.Run says what its methods do.
type Store interface {
	LoadProgress(ctx context.Context) (progress.History, string, error)
	ReadSummary(ctx context.Context, id string) (reconcile.Summary, error)
	ReadBasis(ctx context.Context, id string) (reconcile.Basis, error)
	ReadGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, manifest.DocumentRef, error)
	ReadRows(ctx context.Context, ref reconcile.RowsRef) ([]byte, error)
	ReadIndexed(ctx context.Context, of manifest.Origin, buckets int, item reconcile.IndexItem) (reconcile.Indexed, error)
	ReadRange(ctx context.Context, key string, offset, length int64) ([]byte, error)
}

// Options are what a Lookup needs. What is marked optional has a default.
type Options struct {
	Run   string
	Store Store
	// ID is the reconciliation to ask, whatever comes after it; optional: the last
	// whole one, whichever that is.
	ID     string
	MFA    string        // optional: policy of the trigger, as in reconcile.Options
	TTL    time.Duration // optional: DefaultTTL
	Memory int64         // optional: DefaultMemory
	Now    func() time.Time
}

// Defaults of Options.
const (
	// DefaultTTL is how long nobody asks whether there is another reconciliation.
	// They are hours apart.
	DefaultTTL = 5 * time.Minute
	// DefaultMemory is how many bytes of rows, names and footers are remembered.
	// What is being read comes on top: some megabytes.
	DefaultMemory = 64 << 20
)

// retryAfter is how long an edition goes on being asked when it cannot be found
// out whether there is a newer one, and how long nobody asks again where there is
// none yet.
const retryAfter = 15 * time.Second

// Lookup answers. It is safe for concurrent use.
type Lookup struct {
	o      Options
	memory *memory

	mu      sync.Mutex
	edition *edition
	none    error // there was none
	until   time.Time
}

// New returns a Lookup. No call is made.
func New(o Options) *Lookup {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	return &Lookup{o: o, memory: newMemory(o.Memory)}
}

// edition is a reconciliation that is asked. It never changes; what it speaks of
// does where somebody is forgotten.
type edition struct {
	found   time.Time // when it was read
	summary reconcile.Summary
	basis   reconcile.Basis
	items   []reconcile.IndexItem // of the profiles of the generation that was compared
	origin  manifest.Origin
	pool    userpool.Pool         // the target
	rows    [][]reconcile.RowsRef // by bucket: where rows of its users are, among others
}

// Summary returns the final word on the reconciliation that is asked. The error
// is of kind fault.NotFound where none was whole yet.
func (l *Lookup) Summary(ctx context.Context) (reconcile.Summary, error) {
	e, err := l.current(ctx)
	if err != nil {
		return reconcile.Summary{}, err
	}
	return e.summary, nil
}

// Groups returns the groups of the source pool, as they were staged. The error is
// of kind fault.NotFound where none were.
func (l *Lookup) Groups(ctx context.Context) (manifest.Groups, error) {
	return ask(ctx, l, func(e *edition) (manifest.Groups, error) {
		g, _, err := l.o.Store.ReadGroups(ctx, e.origin)
		return g, err
	})
}

// Warm reads what every question needs, so that the first is answered sooner.
func (l *Lookup) Warm(ctx context.Context) error {
	_, err := ask(ctx, l, func(e *edition) ([]*piece, error) { return l.index(ctx, e) })
	return err
}

// ask asks the edition. Where something that it speaks of is gone, or is not what
// it says, somebody may have been forgotten since it was read, and other objects
// have taken the place of some: then it is read again, and asked once more.
func ask[V any](ctx context.Context, l *Lookup, question func(*edition) (V, error)) (answer V, err error) {
	for again := false; ; again = true {
		e, err := l.current(ctx)
		if err != nil {
			return answer, err
		}
		if answer, err = question(e); err == nil || again || fault.KindOf(err) != fault.Invalid || !l.doubt(e) {
			return answer, err
		}
	}
}

// doubt gives up an edition and all that is remembered, unless it was read only
// now: what is gone then is gone until there is another.
func (l *Lookup) doubt(e *edition) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Now().Before(e.found.Add(retryAfter)) {
		return false
	}
	if l.edition == e {
		l.edition, l.until = nil, time.Time{}
		l.memory.clear()
	}
	return true
}

// current returns the edition to ask. While it cannot be found out whether there
// is a newer one, the one that is known is asked: its rows and its index are
// there or say that they are not.
func (l *Lookup) current(ctx context.Context) (*edition, error) {
	l.mu.Lock()
	known, none, until := l.edition, l.none, l.until
	l.mu.Unlock()
	switch {
	case known != nil && l.o.ID != "":
		return known, nil
	case l.o.Now().Before(until):
		return known, none
	}
	e, err := shared(ctx, &l.memory.flights, "edition", func() (*edition, error) { return l.find(ctx, known) })
	switch {
	case err == nil:
		none, until = nil, l.o.Now().Add(l.o.TTL)
	case known != nil && ctx.Err() == nil:
		e, until = known, l.o.Now().Add(retryAfter)
	default:
		err = fmt.Errorf("find the last whole reconciliation of run %s: %w", l.o.Run, err)
		if fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		e, none, until = nil, err, l.o.Now().Add(retryAfter)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.edition, l.none, l.until = e, none, until
	return e, none
}

// find reads the edition, unless it is the one that is known.
func (l *Lookup) find(ctx context.Context, known *edition) (*edition, error) {
	id := l.o.ID
	if id == "" {
		history, _, err := l.o.Store.LoadProgress(ctx)
		if err != nil {
			return nil, err
		}
		last, ok := history.LastWhole()
		if !ok {
			return nil, fault.New(fault.NotFound, "none was whole yet")
		}
		id = last.ID
	}
	if known != nil && known.summary.ID == id {
		return known, nil
	}
	summary, err := l.o.Store.ReadSummary(ctx, id)
	if err != nil {
		return nil, err
	}
	basis, err := l.o.Store.ReadBasis(ctx, id)
	if err != nil {
		return nil, err
	}
	return newEdition(summary, basis, l.o.Now())
}

func newEdition(summary reconcile.Summary, basis reconcile.Basis, found time.Time) (*edition, error) {
	if basis.Staged == nil || summary.Failure != "" || len(summary.Partial) > 0 {
		return nil, fault.New(fault.Invalid, "reconciliation %s was not whole: it does not say who is left", summary.ID)
	}
	e := &edition{found: found, summary: summary, basis: basis, origin: basis.Origin(basis.Staged.Generation), pool: basis.Target.Pool.Userpool()}
	for _, item := range basis.Items {
		if item.Generation == basis.Staged.Generation && item.Shard.Content == manifest.Profiles {
			e.items = append(e.items, item)
		}
	}
	e.basis.Items = nil
	e.rows = make([][]reconcile.RowsRef, basis.Buckets)
	for _, ref := range summary.Pending {
		if ref.Format != reconcile.FormatJSONL {
			continue
		}
		// The numbers of buckets are powers of two, and buckets nest by low bits.
		for bucket := ref.Bucket & (basis.Buckets - 1); bucket < basis.Buckets; bucket += min(ref.Of, basis.Buckets) {
			e.rows[bucket] = append(e.rows[bucket], ref)
		}
	}
	return e, nil
}

// missing turns what is not there, though an edition speaks of it, into what it
// is: nothing that was ever asked for was not found.
func missing(err error) error {
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.Invalid, "what the reconciliation has left is gone, run another: %w", err)
	}
	return err
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
