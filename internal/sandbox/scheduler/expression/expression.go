// Package expression reads the schedule expressions of EventBridge Scheduler,
// at(…), rate(…) and cron(…), and tells when they are due.
//
// Words: an expression says when; an occurrence is one moment at which it is
// due; the anchor of a rate is its first occurrence.
//
// The cron here is our own: of the libraries that know L, W and # none keeps to
// what AWS takes and does (go-quartz 0.15 moves 29 February to 1 March and does
// not check lists, gronx 1.20 counts the days of the week from 0).
package expression

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Expression is a parsed expression.
type Expression struct {
	at    time.Time     // zero where it recurs
	every time.Duration // of a rate
	cron  *cron
	zone  *time.Location
}

// Parse reads an expression; at and cron are in the zone.
func Parse(text string, zone *time.Location) (Expression, error) {
	e := Expression{zone: zone}
	kind, rest, _ := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return e, fmt.Errorf("expression %q: want at(…), rate(…) or cron(…)", text)
	}
	var err error
	switch kind {
	case "at":
		e.at, err = parseAt(inner, zone)
	case "rate":
		e.every, err = parseRate(inner)
	case "cron":
		e.cron, err = parseCron(inner)
	default:
		err = fmt.Errorf("want at(…), rate(…) or cron(…)")
	}
	if err != nil {
		return e, fmt.Errorf("expression %q: %w", text, err)
	}
	return e, nil
}

// Recurs reports whether there can be more than one occurrence.
func (e Expression) Recurs() bool { return e.at.IsZero() }

// Next returns the first occurrence after a moment; ok is false where there is
// none. A rate counts from its anchor, the others do not know it.
func (e Expression) Next(after, anchor time.Time) (next time.Time, ok bool) {
	switch {
	case e.cron != nil:
		return e.cron.next(after, e.zone)
	case e.every > 0:
		next = anchor
		if !next.After(after) {
			next = anchor.Add((after.Sub(anchor)/e.every + 1) * e.every)
		}
		return next, next.After(after) // false at the end of time
	}
	return e.at, e.at.After(after)
}

const atLayout = "2006-01-02T15:04:05"

func parseAt(text string, zone *time.Location) (time.Time, error) {
	wall, err := time.Parse(atLayout, text) // strict but for a fraction of a second
	if err != nil || len(text) != len(atLayout) {
		return wall, fmt.Errorf("want at(yyyy-mm-ddThh:mm:ss)")
	}
	t, ok := resolve(wall, zone)
	if !ok {
		return t, fmt.Errorf("the clocks of %s skip that time", zone)
	}
	return t, nil
}

var (
	rateShape = regexp.MustCompile(`^([1-9][0-9]{0,5}) (minute|hour|day)s?$`)
	rateUnits = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
)

// longestRate keeps arithmetic within a time.Duration.
const longestRate = 100 * 365 * 24 * time.Hour

// parseRate reads value and unit. A day is 24 hours, whatever the clocks do
// (EventBridge Scheduler User Guide, schedule types).
func parseRate(text string) (time.Duration, error) {
	parts := rateShape.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("want rate(value unit) with a positive value and minutes, hours or days")
	}
	value, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0, err
	}
	unit := rateUnits[parts[2]]
	if int64(value) > int64(longestRate/unit) {
		return 0, fmt.Errorf("want a rate of up to 100 years")
	}
	return time.Duration(value) * unit, nil
}

// resolve finds the moment at which the clocks of a zone show the time that
// wall has in UTC: the first one where they show it twice; ok is false where
// they skip it.
func resolve(wall time.Time, zone *time.Location) (t time.Time, ok bool) {
	year, month, day := wall.Date()
	hour, minute, second := wall.Clock()
	t = time.Date(year, month, day, hour, minute, second, 0, zone)
	if !shows(t, wall) {
		return t, false
	}
	// Zones change their clocks less than once a day.
	_, before := t.Add(-24 * time.Hour).Zone()
	if earlier := wall.Add(-time.Duration(before) * time.Second).In(zone); earlier.Before(t) && shows(earlier, wall) {
		return earlier, true
	}
	return t, true
}

// shows reports whether the clocks show wall's date and time at t.
func shows(t, wall time.Time) bool {
	_, offset := t.Zone()
	return t.Unix()+int64(offset) == wall.Unix()
}
