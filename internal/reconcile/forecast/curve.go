package forecast

import (
	"math"
	"slices"
	"time"

	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

const day = 24 * time.Hour

// curve is how many users had moved when, since the first point. It never falls.
type curve struct {
	samples []sample
	pending int // at the last sample
	backs   int // how often fewer had moved than before
}

type sample struct {
	at    time.Time
	moved float64
}

// curveOf reads the points that have counted all users; while there are fewer
// than two of them, all that have counted anything.
func curveOf(points []progress.Point) (c curve) {
	counted := slices.DeleteFunc(slices.Clone(points), func(p progress.Point) bool { return !p.Whole() })
	if len(counted) < 2 {
		counted = slices.DeleteFunc(slices.Clone(points), func(p progress.Point) bool { return p.Failure != "" || len(p.Verdicts) == 0 })
	}
	slices.SortStableFunc(counted, func(a, b progress.Point) int { return a.Ended.Compare(b.Ended) })
	before, total := 0, 0.0
	for i, p := range counted {
		moved := p.Verdicts[verdict.Migrated] + p.Verdicts[verdict.Imported]
		switch {
		case i == 0:
		case moved < before:
			c.backs++
		default:
			total += float64(moved - before)
		}
		before, c.pending = moved, p.Verdicts[verdict.Pending]
		if n := len(c.samples); n > 0 && !p.Ended.After(c.samples[n-1].at) {
			c.samples[n-1].moved = total
		} else {
			c.samples = append(c.samples, sample{p.Ended.UTC(), total})
		}
	}
	return c
}

func (c curve) first() sample { return c.samples[0] }
func (c curve) last() sample  { return c.samples[len(c.samples)-1] }

// days is how long was looked on.
func (c curve) days() float64 { return inDays(c.last().at.Sub(c.first().at)) }

func inDays(d time.Duration) float64 { return d.Hours() / 24 }

// mostDaily is for how many days the moves are listed: the last ones.
const mostDaily = 1_000

// daily lists the moves of each day. What moved between two points is spread
// evenly over the time between them.
func (c curve) daily() []Day {
	if len(c.samples) < 2 {
		return nil
	}
	from, until := c.first().at.Truncate(day), c.last().at
	if earliest := until.Truncate(day).Add(-(mostDaily - 1) * day); from.Before(earliest) {
		from = earliest
	}
	var days []Day
	at := 0
	before := math.Round(c.at(from, &at))
	for ; from.Before(until); from = from.Add(day) {
		then := math.Round(c.at(from.Add(day), &at))
		days = append(days, Day{from, int(then - before)})
		before = then
	}
	return days
}

// at returns how many had moved by t; hint is the sample before it, and rises
// with t.
func (c curve) at(t time.Time, hint *int) float64 {
	for *hint+1 < len(c.samples) && !c.samples[*hint+1].at.After(t) {
		*hint++
	}
	a := c.samples[*hint]
	if *hint+1 == len(c.samples) || t.Before(a.at) {
		return a.moved
	}
	b := c.samples[*hint+1]
	return a.moved + (b.moved-a.moved)*float64(t.Sub(a.at))/float64(b.at.Sub(a.at))
}

// idle returns for how long nobody has moved, and after how long that is a
// stall: three days, or five times what usually lies between two moves.
func (c curve) idle() (idle, stall time.Duration) {
	last := c.first().at
	var gaps []time.Duration
	moves := 0
	for i := 1; i < len(c.samples); i++ {
		if c.samples[i].moved > c.samples[i-1].moved {
			if moves++; moves > 1 {
				gaps = append(gaps, c.samples[i].at.Sub(last))
			}
			last = c.samples[i].at
		}
	}
	stall = 3 * day
	if len(gaps) > 0 {
		slices.Sort(gaps)
		stall = max(stall, 5*gaps[len(gaps)/2])
	}
	return c.last().at.Sub(last), stall
}

// bin is a span of about a day, or the time between two points where that is
// longer: what moved in it needs no interpolation.
type bin struct {
	from, width float64 // in days, from 0 at the last sample; from is not above 0
	moved       float64
}

func (b bin) middle() float64 { return b.from + b.width/2 }

// Shorter bins than these are made one with the next, or with the last.
const (
	wholeBin = 20.0 / 24
	lastBin  = 12.0 / 24
)

func (c curve) bins() []bin {
	end := c.last().at
	var bins []bin
	start := c.first()
	for _, s := range c.samples[1:] {
		b := bin{-inDays(end.Sub(start.at)), inDays(s.at.Sub(start.at)), s.moved - start.moved}
		if b.width >= wholeBin || s.at.Equal(end) && (b.width >= lastBin || len(bins) == 0) {
			bins = append(bins, b)
			start = s
		} else if s.at.Equal(end) {
			last := &bins[len(bins)-1]
			last.width += b.width
			last.moved += b.moved
		}
	}
	return bins
}
