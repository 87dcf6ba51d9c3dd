// Package pace keeps poolferry below the request rates that production needs.
//
// Vocabulary: a budget is how many requests per second one caller may send; a
// caller waits for its turn before every request and says afterwards how the
// request went; a hold-off is a time without requests after a bad answer. Pace
// is not concurrency: ten callers of one budget are together as fast as one.
//
// A budget reacts to what it is told. Throttling halves the rate, which then
// grows back by the same step every second, as TCP does it: callers that know
// nothing of each other, such as Lambdas, come to share a quota that way.
package pace

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How a budget reacts. A rate that was halved, however often, is back after at
// most recovery: soon enough that a stray refusal costs little, and slowly
// enough that callers who want far more than there is are mostly granted what
// they ask for. The least rate keeps a caller alive under a quota that others
// use up.
const (
	recovery    = 30 * time.Second
	leastRate   = 0.1 // requests per second
	firstPause  = 250 * time.Millisecond
	longestWait = 8 * time.Second
	slack       = 250 * time.Millisecond // of turns that a slow answer may make up for
)

// Budget is a rate of requests. It is safe for concurrent use.
type Budget struct {
	name   string
	now    func() time.Time
	random func() float64

	mu      sync.Mutex
	full    float64 // requests per second, untroubled
	current float64
	since   time.Time // when current was right
	limiter *rate.Limiter
	streak  int       // bad answers in a row
	until   time.Time // end of the hold-off
}

// New returns a budget of so many requests per second, above 0. The name, such
// as user_list, is for errors. random returns numbers from 0 up to 1, as
// rand.Float64 does.
func New(name string, perSecond float64, now func() time.Time, random func() float64) *Budget {
	burst := max(1, int(math.Ceil(perSecond*slack.Seconds())))
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	began := now()
	limiter.AllowN(began, burst-1) // there is nothing to make up for yet: one turn at once
	return &Budget{name: name, now: now, random: random, full: perSecond, current: perSecond, since: began, limiter: limiter}
}

// Wait returns when it is the caller's turn. An error means that it is not, and
// nothing else: the context is done, or will be before the turn comes. It wraps
// the context's error, context.DeadlineExceeded in the latter case.
func (b *Budget) Wait(ctx context.Context) error {
	for {
		hold := b.hold()
		if hold <= 0 {
			break
		}
		if err := b.sleep(ctx, hold); err != nil {
			return err
		}
	}
	now := b.now()
	turn := b.take(now)
	if err := b.sleep(ctx, turn.DelayFrom(now)); err != nil {
		turn.CancelAt(b.now())
		return err
	}
	return nil
}

// Rate returns the requests per second that the budget allows now.
func (b *Budget) Rate() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recover(b.now())
	return b.current
}

// Refit changes the requests per second of an untroubled budget. What is left of
// a throttling stays in proportion.
func (b *Budget) Refit(perSecond float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.recover(now)
	b.current *= perSecond / b.full
	b.full = perSecond
	b.limiter.SetLimitAt(now, rate.Limit(b.current))
}

// Answered says that a request was answered.
func (b *Budget) Answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streak = 0
}

// Throttled says that a request was turned away because of its rate: half the
// rate, and a hold-off.
func (b *Budget) Throttled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.recover(now)
	b.current = max(b.current/2, min(leastRate, b.full))
	b.limiter.SetLimitAt(now, rate.Limit(b.current))
	b.pause(now)
}

// Failed says that a request failed for no fault of its rate: a hold-off.
func (b *Budget) Failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause(b.now())
}

// pause doubles with every bad answer in a row. Its jitter is between half and
// all of it, so that callers who were turned away together do not come back
// together.
func (b *Budget) pause(now time.Time) {
	longest := float64(firstPause) * math.Pow(2, float64(min(b.streak, 10)))
	longest = min(longest, float64(longestWait))
	b.streak++
	if until := now.Add(time.Duration(longest * (0.5 + b.random()/2))); until.After(b.until) {
		b.until = until
	}
}

func (b *Budget) recover(now time.Time) {
	if passed := now.Sub(b.since); passed > 0 {
		b.since = now
		if b.current < b.full {
			b.current = min(b.full, b.current+b.full*passed.Seconds()/recovery.Seconds())
			b.limiter.SetLimitAt(now, rate.Limit(b.current))
		}
	}
}

func (b *Budget) hold() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until.Sub(b.now())
}

func (b *Budget) take(now time.Time) *rate.Reservation {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recover(now)
	return b.limiter.ReserveN(now, 1)
}

func (b *Budget) sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for a turn of %s: %w", b.name, err)
	}
	if d <= 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return fmt.Errorf("wait for a turn of %s: the next is in %s: %w", b.name, d.Round(time.Millisecond), context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn of %s: %w", b.name, ctx.Err())
	}
}
