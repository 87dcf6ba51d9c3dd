package scan

import (
	"context"
	"errors"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/pace"
)

// Patience makes requests to a directory: each at its turn, and again after an
// answer that only asks to wait, until the time is up.
type Patience struct {
	budget    *pace.Budget
	until     time.Time
	now       func() time.Time
	throttled int
}

// NewPatience returns a patience of so many requests per second, which lasts for
// limit. The name, such as user_list, is for errors; random is as in pace.New.
func NewPatience(name string, perSecond float64, limit time.Duration, now func() time.Time, random func() float64) *Patience {
	return &Patience{budget: pace.New(name, perSecond, now, random), until: now().Add(limit), now: now}
}

// errTimeUp means that the time of a patience is up.
var errTimeUp = errors.New("time is up")

// Do makes a request. Where the time is up the error says so, and has the kind of
// what the directory said last.
func (p *Patience) Do(ctx context.Context, request func(context.Context) error) error {
	waiting, cancel := context.WithTimeout(ctx, p.until.Sub(p.now()))
	defer cancel()
	var last error
	for {
		if err := p.budget.Wait(waiting); err != nil {
			if ctx.Err() != nil { // it was not our own limit
				return fault.New(fault.Unavailable, "%w", errors.Join(err, last))
			}
			return p.timeUp(last)
		}
		err := request(ctx)
		switch fault.KindOf(err) {
		case fault.Throttled:
			p.throttled++
			p.budget.Throttled()
		case fault.Unavailable:
			p.budget.Failed()
		default:
			p.budget.Answered()
			return err
		}
		if ctx.Err() != nil {
			return err
		}
		last = err
	}
}

// over reports whether the time is up.
func (p *Patience) over() bool { return !p.now().Before(p.until) }

func (p *Patience) timeUp(last error) error {
	if last == nil {
		return fault.New(fault.Unavailable, "%w", errTimeUp)
	}
	return fault.New(fault.KindOf(last), "%w: %w", errTimeUp, last)
}
