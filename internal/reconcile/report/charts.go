package report

import (
	"cmp"
	"math"
	"strings"
	"time"

	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

// charts is what charts.js draws; a chart without enough to draw is null. Times
// are in Unix seconds.
type charts struct {
	Progress *curve  `json:"progress"`
	Moves    *moves  `json:"moves"`
	Funnel   *funnel `json:"funnel"`
}

// curve is the progress over time and how it may go on.
type curve struct {
	Label    string       `json:"label"` // what the chart says, in words
	Domain   [2]int64     `json:"domain"`
	Points   [][3]float64 `json:"points"` // time, percent, users who have moved; whole runs only
	Partial  []int64      `json:"partial"`
	Forecast *outlook     `json:"forecast"`
	Rows     []curveRow   `json:"-"` // the points for the table
	Thinned  bool         `json:"-"`
}

type curveRow struct{ Time, Percent, Moved string }

// outlook is the right-hand part of the curve.
type outlook struct {
	Line  [][2]float64 `json:"line"` // time, percent
	Band  [][3]float64 `json:"band"` // time, lower and upper percent
	Mark  *[2]float64  `json:"mark"` // the expected end, where it is in the picture
	Label string       `json:"label"`
}

type moves struct {
	Label  string   `json:"label"`
	Days   int      `json:"days"` // of one bar
	Domain [2]int64 `json:"domain"`
	Rows   [][4]any `json:"rows"` // start, users, mean of the last week or null, not over yet
	Table  []figure `json:"-"`
	Mean   bool     `json:"-"`
	Open   bool     `json:"-"`
}

type funnel struct {
	Label string      `json:"label"`
	Rows  []funnelRow `json:"rows"`
}

type funnelRow struct {
	Label string `json:"label"`
	Count int    `json:"count"`
	Share string `json:"share"` // of the users to move
	Tone  string `json:"tone"`
	Users string `json:"-"`
}

// What is drawn of a long run.
const (
	drawnPoints  = 240 // of the curve
	drawnPartial = 60
	drawnDays    = 120 // more become weeks
	secondsOfDay = 24 * 60 * 60
)

func chartsOf(v View, figures progress.Point, counted bool) charts {
	var c charts
	if counted {
		c.Funnel = funnelOf(v, figures)
	}
	c.Progress = curveOf(v)
	c.Moves = movesOf(v)
	return c
}

// thin keeps the last of each of most equal stretches of time, and the first of
// all: of a curve that hardly ever falls that is its outline.
func thin(points []progress.Point, most int) []progress.Point {
	if len(points) <= most {
		return points
	}
	first, last := points[0], points[len(points)-1]
	length := max(1, last.Ended.Sub(first.Ended))
	stretch := func(p progress.Point) int {
		return min(most-2, int(float64(most-1)*float64(p.Ended.Sub(first.Ended))/float64(length)))
	}
	kept := []progress.Point{first}
	for i, p := range points[1:] {
		if i+2 == len(points) || stretch(points[i+2]) != stretch(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

func curveOf(v View) *curve {
	var whole, partial []progress.Point
	for _, p := range v.History.Points {
		if p.Whole() {
			whole = append(whole, p)
		} else {
			partial = append(partial, p)
		}
	}
	if len(whole) < 2 {
		return nil
	}
	drawn := thin(whole, drawnPoints)
	c := &curve{Thinned: len(drawn) < len(whole), Partial: []int64{}}
	for _, p := range drawn {
		c.Points = append(c.Points, [3]float64{float64(p.Ended.Unix()), p.Percent, float64(moved(p))})
		c.Rows = append(c.Rows, curveRow{minute(p.Ended), percent(p.Percent), number(moved(p))})
	}
	first, last := whole[0], whole[len(whole)-1]
	for _, p := range thin(partial, drawnPartial) {
		if !p.Ended.Before(first.Ended) {
			c.Partial = append(c.Partial, p.Ended.Unix())
		}
	}
	c.Domain = [2]int64{first.Ended.Unix(), max(last.Ended.Unix(), v.Now.Unix())}
	c.Label = "Line chart. " + percent(first.Percent) + " of the users had moved by " + minute(first.Ended) + " and " +
		percent(last.Percent) + " by " + minute(last.Ended) + "."
	if last.Percent < 100 {
		c.look(v, first.Ended, last)
	}
	return c
}

// look adds the forecast, which goes on from p. The picture goes no further into the future than it
// goes into the past, and a month: a distant end would leave nothing to see of
// what was.
func (c *curve) look(v View, since time.Time, p progress.Point) {
	f := v.Forecast
	start, from := float64(p.Ended.Unix()), p.Percent
	slope := f.PerDay / secondsOfDay * 100 / math.Max(1, float64(toMove(p))) // percent a second
	reach := p.Ended.Add(max(30*24*time.Hour, p.Ended.Sub(since)))
	switch {
	case f.State == forecast.TooEarly:
		return
	case f.Expected.After(p.Ended):
		end := f.Expected
		if f.Latest.After(end) {
			end = f.Latest
		}
		if end.After(reach) {
			end = reach
		}
		c.Domain[1] = end.Unix() + (end.Unix()-c.Domain[0])/40
		until := float64(end.Unix())
		// at is how far the curve that ends at t has come by then.
		at := func(then float64, t time.Time) float64 {
			if t.IsZero() {
				return from // an open end: nothing is sure
			}
			return math.Round(1000*(from+rise(then-start, float64(t.Unix())-start, 100-from, slope))) / 1000
		}
		o := &outlook{Band: [][3]float64{}, Label: "expected " + strings.ReplaceAll(date(f.Expected, v.Now), nbsp, " ")}
		seen := until
		if !f.Expected.After(end) {
			seen = float64(f.Expected.Unix())
			o.Mark = &[2]float64{seen, 100}
		}
		for _, then := range steps(start, seen) {
			o.Line = append(o.Line, [2]float64{then, at(then, f.Expected)})
		}
		if !f.Earliest.IsZero() {
			early := math.Min(math.Max(start, float64(f.Earliest.Unix())), until) // where the band has its corner
			for _, then := range append(steps(start, early), steps(early, until)[1:]...) {
				o.Band = append(o.Band, [3]float64{then, at(then, f.Latest), at(then, f.Earliest)})
			}
		}
		c.Forecast = o
		c.Label += " Expected to be complete by " + date(f.Expected, v.Now) + between(f, v.Now) + "."
	case left(f, p.Verdicts[verdict.Pending]) > 0:
		behind := leftOver(f, p.Verdicts[verdict.Pending])
		level := math.Max(from, 100-100*float64(left(f, p.Verdicts[verdict.Pending]))/float64(toMove(p)))
		o := &outlook{Band: [][3]float64{}, Label: strings.ReplaceAll(behind, nbsp, " ") + " will be left"}
		for _, then := range steps(start, float64(reach.Unix())) {
			// The rate decays so that the level is what it leads to.
			y := level
			if level > from {
				y -= (level - from) * math.Exp(-slope*(then-start)/(level-from))
			}
			o.Line = append(o.Line, [2]float64{then, math.Round(1000*y) / 1000})
		}
		c.Domain[1], c.Forecast = reach.Unix(), o
		c.Label += " It will not reach 100" + nbsp + "% by waiting: " + behind + " will be left."
	}
}

// steps are the times at which a curve is drawn.
func steps(from, to float64) []float64 {
	const most = 16
	if to <= from {
		return []float64{from}
	}
	var all []float64
	for i := range most + 1 {
		all = append(all, math.Round(from+(to-from)*float64(i)/most))
	}
	return all
}

// rise is how high a curve is that begins with a slope and reaches height after
// length: one of a rate that decays, or a straight line where no decay does.
func rise(after, length, height, slope float64) float64 {
	switch {
	case after <= 0:
		return 0
	case after >= length:
		return height
	}
	ratio, decay := height/(slope*length), 0.0
	if slope > 0 && ratio < 1 {
		// (1-e^-x)/x falls from 1 and is less than 1/x.
		low, high := 0.0, 1/ratio
		for range 60 {
			decay = (low + high) / 2
			if -math.Expm1(-decay)/decay > ratio {
				low = decay
			} else {
				high = decay
			}
		}
	}
	if decay < 1e-6 {
		return height * after / length
	}
	return height * math.Expm1(-decay*after/length) / math.Expm1(-decay)
}

func movesOf(v View) *moves {
	days := v.Forecast.Daily
	if len(days) == 0 {
		return nil
	}
	m := &moves{Days: 1}
	rows := days
	unit := "Day"
	if len(days) > drawnDays {
		m.Days, unit, rows = 7, "Week from", weeks(days)
	}
	most, total := rows[0], 0
	step := time.Duration(m.Days) * 24 * time.Hour
	for i, d := range rows {
		open := d.Date.Add(step).After(v.Now)
		var mean any
		if m.Days == 1 && i >= 6 && !open {
			sum := 0
			for _, before := range rows[i-6 : i+1] {
				sum += before.Moved
			}
			mean, m.Mean = math.Round(float64(sum)/0.7)/10, true
		}
		m.Open = m.Open || open
		m.Rows = append(m.Rows, [4]any{d.Date.Unix(), d.Moved, mean, open})
		name := d.Date.UTC().Format("2 January 2006")
		if open {
			name += ", not over yet"
		}
		m.Table = append(m.Table, figure{name, number(d.Moved), unit})
		if total += d.Moved; d.Moved > most.Moved {
			most = d
		}
	}
	m.Domain = [2]int64{rows[0].Date.Unix(), rows[len(rows)-1].Date.Unix() + int64(m.Days)*secondsOfDay}
	m.Label = "Bar chart. " + number(total) + " users moved in " + count(len(days), "day") + "; the most, " + number(most.Moved) + ", in the " +
		strings.ToLower(unit) + " " + date(most.Date, v.Now) + "."
	return m
}

// weeks sums days up from Monday to Sunday.
func weeks(days []forecast.Day) []forecast.Day {
	var out []forecast.Day
	for _, d := range days {
		monday := d.Date.AddDate(0, 0, -int(d.Date.UTC().Weekday()+6)%7)
		if len(out) == 0 || !out[len(out)-1].Date.Equal(monday) {
			out = append(out, forecast.Day{Date: monday})
		}
		out[len(out)-1].Moved += d.Moved
	}
	return out
}

func funnelOf(v View, p progress.Point) *funnel {
	f := &funnel{}
	add := func(label string, n int, part, tone string) {
		f.Rows = append(f.Rows, funnelRow{Label: label, Count: n, Share: part, Tone: tone, Users: number(n)})
	}
	if v.Seeding.Estimate > 0 {
		add("In the source", v.Seeding.Estimate, "", "source")
	}
	add("Staged", p.Profiles, "", "source")
	var said []string
	for _, of := range verdict.Verdicts() {
		n, part := p.Verdicts[of], ""
		switch of {
		case verdict.Migrated, verdict.Imported:
			part = share(n, toMove(p))
		case verdict.Pending:
			part = remainder(n, toMove(p))
		}
		if n > 0 || of == verdict.Migrated || of == verdict.Pending || of == verdict.Excluded {
			add(nameOf(of), n, part, cmp.Or(tones[of], "quiet"))
			said = append(said, strings.ToLower(nameOf(of))+" "+number(n))
		}
	}
	f.Label = "Bar chart. Of " + count(p.Profiles, "staged user") + ": " + strings.Join(said, ", ") + "."
	return f
}
