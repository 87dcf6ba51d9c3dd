package standing

import (
	"context"
	"time"

	"poolferry/internal/fault"
)

// Watching is what Watch needs.
type Watching struct {
	Look     func(context.Context) (Status, error)
	Interval time.Duration
	Show     func(Status) error
	Say      func(format string, args ...any)
}

// tries is how many looks in a row may fail for a reason that passes.
const tries = 5

// Watch shows the status every interval until the migration is complete, and
// returns it as it then is. The error is that of the context where that ends
// first.
func Watch(ctx context.Context, w Watching) (last Status, err error) {
	failed := 0
	for {
		now, err := w.Look(ctx)
		kind := fault.KindOf(err)
		switch {
		case ctx.Err() != nil:
			return last, ctx.Err()
		case err != nil && (kind == fault.Throttled || kind == fault.Unavailable):
			if failed++; failed == tries {
				return last, err
			}
			w.Say("%v: trying again", err)
		case err != nil:
			return last, err
		default:
			last, failed = now, 0
			if err := w.Show(now); err != nil || now.Complete {
				return last, err
			}
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(w.Interval):
		}
	}
}
