package stragglers

import (
	"context"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/tail"
)

// Watching is what Watch needs.
type Watching struct {
	Look     func(context.Context) (tail.Standing, error)
	Interval time.Duration
	Now      func() time.Time
	Show     func(Progress) error // called when something has changed
}

// tries is how many looks in a row may fail for a reason that passes. patience is
// how long nobody need have begun.
const (
	tries    = 5
	patience = 2 * time.Minute
)

// Watch shows how far an import is whenever that has changed, until nobody works
// on it any more, and returns it as it then is. The error is that of the context
// where that ends first, and of kind fault.NotFound where nobody begins.
func Watch(ctx context.Context, w Watching) (last Progress, err error) {
	began, failed, shown := w.Now(), 0, time.Time{}
	for {
		s, err := w.Look(ctx)
		kind := fault.KindOf(err)
		switch {
		case ctx.Err() != nil:
			return last, ctx.Err()
		case err != nil && (kind == fault.Throttled || kind == fault.Unavailable):
			if failed++; failed == tries {
				return last, err
			}
		case err != nil:
			return last, err
		default:
			now, was := ProgressOf(s, w.Now()), last.Standing
			last, failed = now, 0
			if now.Standing != was || !now.Updated.Equal(shown) {
				shown = now.Updated
				if err := w.Show(now); err != nil {
					return last, err
				}
			}
			if now.Ended() {
				return last, nil
			}
			if now.Standing == Planned && w.Now().Sub(began) >= patience {
				return last, fault.New(fault.NotFound, "nobody has begun import %s of run %s within %s", now.ID, now.Run, patience)
			}
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(w.Interval):
		}
	}
}
