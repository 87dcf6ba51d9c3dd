package scan

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// Source returns the page behind a cursor, and the cursor behind the page.
type Source[P any] func(ctx context.Context, cursor manifest.Cursor) (page P, next manifest.Cursor, err error)

// Users lists the users of a shard; of several lines about one user in a page,
// the last. A user who does not belong into the shard is a refusal.
func Users(directory Directory, shard manifest.Shard) Source[[]userpool.User] {
	prefix := shard.Prefix()
	return func(ctx context.Context, cursor manifest.Cursor) ([]userpool.User, manifest.Cursor, error) {
		page, err := directory.ListUsers(ctx, shard.Filter, cursor)
		if err != nil {
			return nil, "", err
		}
		for _, u := range page.Items {
			if !strings.HasPrefix(string(u.Sub), prefix) {
				return nil, "", &Refusal{WhyNotHonoured}
			}
		}
		return lastOfEach(page.Items), page.Next, nil
	}
}

// lastOfEach keeps the last of the lines about each user.
func lastOfEach(users []userpool.User) []userpool.User {
	last := make(map[userpool.Sub]int, len(users))
	for i, u := range users {
		last[u.Sub] = i
	}
	kept := users[:0]
	for i, u := range users {
		if last[u.Sub] == i {
			kept = append(kept, u)
		}
	}
	return kept
}

// Share is what one batch has of the pace that belongs to all of them.
type Share struct {
	PerSecond   float64 // of all batches together
	Concurrency int     // batches at a time
	// Open counts the shards that are read now.
	Open func(ctx context.Context) (int, error)
}

// Now returns the share as it is now.
func (s Share) Now(ctx context.Context) (float64, error) {
	if s.Concurrency <= 1 {
		return s.PerSecond, nil
	}
	open, err := s.Open(ctx)
	return s.PerSecond / float64(max(1, min(s.Concurrency, open))), err
}

// shareEvery is how often a batch asks how many others there are. When a shard is
// done, what it had of the pace goes to the others.
const shareEvery = 3 * time.Second

// Batch is the reading of a batch.
type Batch[P any] struct {
	From     Source[P]
	Cursor   manifest.Cursor // where it begins
	Patience *Patience       // with the share as it was when the batch began
	Share    Share
	// Take is called with one page after the other, while the next is on its way.
	// It reports whether that is enough.
	Take func(ctx context.Context, page P) (full bool, err error)
}

// Outcome is what a batch has read.
type Outcome struct {
	Pages     int
	Throttled int // requests that were turned away because of their rate
	Next      manifest.Cursor
}

// Read reads pages until the time of its patience is up, Take has enough, or the
// list ends. An error means that there is nothing to keep; where a later page
// fails, those before it are kept, and the next batch meets the failure again.
func (b Batch[P]) Read(ctx context.Context) (Outcome, error) {
	var out Outcome
	var ended error
	var full atomic.Bool
	pages := make(chan step[P])
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		ended = b.fetch(inner, pages, &full)
		return nil
	})
	group.Go(func() error {
		for s := range pages {
			enough, err := b.Take(inner, s.page)
			if err != nil {
				return err
			}
			if enough {
				full.Store(true)
			}
			out.Pages++
			out.Next = s.next
		}
		return nil
	})
	err := group.Wait()
	out.Throttled = b.Patience.throttled
	if err == nil && out.Pages == 0 {
		err = ended
	}
	return out, err
}

// step is a page on its way.
type step[P any] struct {
	page P
	next manifest.Cursor
}

// fetch sends pages until a limit, the end or an error.
func (b Batch[P]) fetch(ctx context.Context, pages chan<- step[P], full *atomic.Bool) error {
	shared := b.Patience.now()
	for cursor := b.Cursor; ; {
		var s step[P]
		err := b.Patience.Do(ctx, func(ctx context.Context) (err error) {
			s.page, s.next, err = b.From(ctx, cursor)
			return err
		})
		if err != nil {
			return err
		}
		if s.next == cursor && cursor != "" {
			return &Refusal{reasonStuck}
		}
		shared = b.fitShare(ctx, shared)
		select {
		case pages <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
		cursor = s.next
		if cursor == "" || full.Load() || b.Patience.over() {
			return nil
		}
	}
}

// fitShare asks anew for the share of the pace, now and then. An answer that
// does not come leaves it as it is.
func (b Batch[P]) fitShare(ctx context.Context, shared time.Time) time.Time {
	now := b.Patience.now()
	if now.Sub(shared) < shareEvery {
		return shared
	}
	if share, err := b.Share.Now(ctx); err == nil {
		b.Patience.budget.Refit(share)
	}
	return now
}
