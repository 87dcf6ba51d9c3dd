// Package scan lists the users of a pool from one end to the other, in pieces
// that each fit into a Lambda: at a pace, in shards where the pool allows it,
// and from where the piece before has ended. What becomes of the users, and
// where it is noted how far a shard has come, is decided by who scans: the
// source pool is scanned by package seeding, the target pool by package
// reconcile.
//
// Vocabulary: a directory is a pool as it can be listed; a shard is a disjoint
// slice of its users, by the beginning of their subs, or all of them; a batch is
// one Lambda's worth of pages of a shard; patience is how long and how often a
// request is tried; a probe finds out whether a pool honours prefix filters; a
// ruling is what becomes of a shard of which a batch has read nothing; a refusal
// is why a shard cannot be scanned, in a word or for an operator.
package scan

import (
	"context"
	"errors"
	"time"

	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// Directory is a pool as it can be listed. Errors have the kinds of package
// fault; each call is one request, tried once.
type Directory interface {
	// Describe returns what has to be known of the pool.
	Describe(ctx context.Context) (Description, error)

	// ListUsers returns a page of users: those that match the filter, or all for
	// an empty one. It may hold any number of users, none included; only an empty
	// Next ends the list. No cursor stands for the first page. The error wraps
	// ErrCursor where the directory does not take the cursor. The page belongs to
	// the caller.
	ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (Page[userpool.User], error)
}

// ErrCursor means that a cursor is no longer taken, be it too old or of another
// request. The list has to be read again from its beginning.
var ErrCursor = errors.New("cursor refused")

// Page is a page of a list.
type Page[T any] struct {
	Items []T
	Next  manifest.Cursor // empty at the end of the list
}

// Description is what has to be known of a pool before it is scanned.
type Description struct {
	Users      int      // the pool's own estimate
	Attributes []string // names in the pool's schema
}

// PageSize is the most that Cognito lists in a page (Cognito API reference).
const PageSize = 60

// DefaultConcurrency is how many batches run at a time: one for each prefix.
const DefaultConcurrency = 16

// Limits of a batch. It ends with the page that reaches one of them, or with the
// next, which is on its way by then.
type Limits struct {
	Time  time.Duration
	Lines int
	Bytes int64 // of lines, before compression
}

// spareTime is what remains of a Lambda's time when the reading ends: for the
// page that is under way, and to write what was read and the checkpoint.
const spareTime = 15 * time.Second

// Within returns limits that end early enough for what comes after a batch, where
// the context has a deadline.
func (l Limits) Within(ctx context.Context) Limits {
	if end, ok := ctx.Deadline(); ok {
		l.Time = min(l.Time, time.Until(end)-spareTime)
	}
	return l
}

// Sharding says how a scan slices a pool.
type Sharding string

// The shardings.
const (
	ShardsAuto   Sharding = "auto"   // prefixes where they help and the pool proves to honour them
	ShardsSerial Sharding = "serial" // one shard with all users
	ShardsPrefix Sharding = "prefix" // prefixes wherever the pool proves to honour them
)
