package forecast

import (
	"fmt"
	"math"
	"time"

	"poolferry/internal/reconcile/progress"
)

// What it takes to say anything, and how far a date may be away.
const (
	leastDays  = 3
	leastMoves = 20
	horizon    = 10 * 365 // days
)

// From returns the forecast that a history allows. Moves are what migrated and
// imported grew by from one point to the next: a user who is new at the source is
// no move, and counts that went back are left out. The rate is fitted to the time
// since its peak, once as constant and once as decaying, and the evidence decides.
func From(points []progress.Point, now time.Time) Forecast {
	c := curveOf(points)
	if len(c.samples) == 0 {
		return Forecast{State: TooEarly, Why: "No reconciliation has counted the users yet."}
	}
	f := c.forecast(now.UTC())
	f.Daily = c.daily()
	switch {
	case c.backs == 1:
		f.Why += " Once fewer had moved than before, which is left out."
	case c.backs > 1:
		f.Why += fmt.Sprintf(" %d times fewer had moved than before, which is left out.", c.backs)
	}
	return f
}

func (c curve) forecast(now time.Time) Forecast {
	idle, stall := c.idle()
	total := c.last().moved
	switch {
	case c.pending <= 0:
		return Forecast{State: Complete, Why: "Nobody is pending."}
	case idle >= stall:
		return Forecast{State: Stalled, Remaining: c.pending, Why: fmt.Sprintf("Nobody has moved for %s.", span(inDays(idle)))}
	case c.days() < leastDays || total < leastMoves:
		return Forecast{State: TooEarly, Why: fmt.Sprintf("It takes %d days and %d moves to say; so far there are %.1f and %.0f.", leastDays, leastMoves, c.days(), total)}
	}
	bins := c.bins()
	since := window(bins)
	fitted := choose(since, constantFit(since))
	end := c.last().at

	f := Forecast{State: OnCourse, PerDay: fitted.rate()}
	how := fmt.Sprintf("About %s a day have moved in the last %s, and the rate holds", amount(f.PerDay), span(-since[0].from))
	if fitted.decay > 0 {
		f.State = Slowing
		how = fmt.Sprintf("The rate has been falling since %s and halves about every %s", end.Add(days(since[0].from)).Format(time.DateOnly), span(math.Ln2/fitted.decay))
	}
	expected := fitted.until(c.pending)
	if expected > horizon {
		f.Remaining = max(1, int(math.Round(fitted.left(c.pending, horizon))))
		f.Why = fmt.Sprintf("%s: it will not end by waiting, and about %d of %d users will be left.", how, f.Remaining, c.pending)
		if fitted.decay == 0 {
			f.Why = how + ": it would take more than ten years."
		}
		return f
	}
	least, most := fitted.between(c.pending)
	date := func(in float64) time.Time {
		at := end.Add(days(in)).Truncate(time.Second)
		if at.Before(now) {
			return now // overdue: any moment
		}
		return at
	}
	f.Expected, f.Earliest = date(expected), date(min(least, expected))
	f.Why = how + "."
	if fitted.decay > 0 {
		f.Why = how + ", and still reaches the end."
	}
	if most = max(most, expected); most > horizon {
		f.Why += " How late it may become cannot be told: the rate may fall to nothing before."
	} else {
		f.Latest = date(most)
	}
	return f
}

// window returns the bins since the rate's peak: what was before tells nothing of
// what comes. The peak itself is left out where enough remains, because being the
// highest of many it is higher than it was likely to be. Where the peak was just
// now, the last two weeks are taken.
func window(bins []bin) []bin {
	since := bins[peak(bins):]
	if len(since) > leastBins+1 {
		since = since[1:]
	}
	if len(since) < leastBins {
		for i := len(bins) - len(since) - 1; i >= 0 && -bins[i].from <= 14; i-- {
			since = bins[i:]
		}
	}
	for _, b := range since {
		if b.moved > 0 {
			return since
		}
	}
	return bins
}

// peak returns the bin with which the week of most moves begins; where less than
// two weeks were seen, the bin of the highest rate.
func peak(bins []bin) (at int) {
	highest := -1.0
	weekly := -bins[0].from >= 14
	for i, b := range bins {
		moved, width := b.moved, b.width
		for _, next := range bins[i+1:] {
			if !weekly || width >= 7 {
				break
			}
			moved += next.moved
			width += next.width
		}
		if weekly && width < 6.5 {
			break // the last days are no week
		}
		if rate := moved / width; rate > highest*(1+1e-9) {
			at, highest = i, rate
		}
	}
	return at
}

func days(n float64) time.Duration { return time.Duration(n * float64(day)) }

// span writes a length of time in days.
func span(days float64) string {
	if rounded := math.Round(days); rounded >= 2 {
		return fmt.Sprintf("%.0f days", rounded)
	}
	if days > 0.95 {
		return "day"
	}
	return fmt.Sprintf("%.0f hours", max(1, math.Round(days*24)))
}

// amount writes a number of users.
func amount(n float64) string {
	if n < 9.5 {
		return fmt.Sprintf("%.1f users", n)
	}
	return fmt.Sprintf("%.0f users", n)
}
