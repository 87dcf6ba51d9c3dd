package seeding

import (
	"context"
	"errors"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/pace"
)

// patience makes requests to the directory: each at its turn, and again after
// an answer that only asks to wait, until the time is up.
type patience struct {
	budget    *pace.Budget
	until     time.Time
	now       func() time.Time
	throttled int
}

func (s *Seeding) patience(name string, perSecond float64, limit time.Duration) *patience {
	now := s.o.Now
	return &patience{budget: pace.New(name, perSecond, now, s.o.Random), until: now().Add(limit), now: now}
}

// errTimeUp means that the time of a patience is up.
var errTimeUp = errors.New("time is up")

// do makes a request. Where the time is up the error wraps errTimeUp and what
// the directory said last.
func (p *patience) do(ctx context.Context, request func(context.Context) error) error {
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

// timeUp has the kind of what the directory said last.
func (p *patience) timeUp(last error) error {
	if last == nil {
		return fault.New(fault.Unavailable, "%w", errTimeUp)
	}
	return fault.New(fault.KindOf(last), "%w: %w", errTimeUp, last)
}
