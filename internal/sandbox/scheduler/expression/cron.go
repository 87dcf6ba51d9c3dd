package expression

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cron is a cron expression of six fields: minutes, hours, day of month, month,
// day of week and year (EventBridge Scheduler User Guide, schedule types). One
// of the two fields for days is a ?.
type cron struct {
	minutes, hours, months set
	days                   days
	years                  set
}

// set is a field's values.
type set []bool

func (s set) has(value int) bool { return value < len(s) && s[value] }

// days is what one of the two fields for days says.
type days struct {
	kind  dayKind
	set   set // inMonth and inWeek
	value int // nearest: day of month; nth and last: day of week, 0 is Sunday
	n     int // nth
}

type dayKind int

const (
	inMonth dayKind = iota // days of the month
	inWeek                 // days of the week
	end                    // L: the last day of the month
	nearest                // 15W: the working day nearest to a day, in the same month
	nth                    // 3#2: the second Tuesday
	last                   // 6L: the last Friday
)

// field is what a field may hold.
type field struct {
	name     string
	low, top int
	names    []string // of low and up
}

var (
	minuteField = field{"minutes", 0, 59, nil}
	hourField   = field{"hours", 0, 23, nil}
	dayField    = field{"day-of-month", 1, 31, nil}
	monthField  = field{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	weekField   = field{"day-of-week", 1, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	yearField   = field{"year", 1970, 2199, nil}
)

const cronFields = 6

func parseCron(text string) (*cron, error) {
	parts := strings.Fields(strings.ToUpper(text))
	if len(parts) != cronFields {
		return nil, fmt.Errorf("want %d fields: minutes hours day-of-month month day-of-week year", cronFields)
	}
	c := &cron{}
	for _, f := range []struct {
		into *set
		as   field
		text string
	}{{&c.minutes, minuteField, parts[0]}, {&c.hours, hourField, parts[1]}, {&c.months, monthField, parts[3]}, {&c.years, yearField, parts[5]}} {
		var err error
		if *f.into, err = f.as.parse(f.text); err != nil {
			return nil, err
		}
	}
	ofMonth, ofWeek := parts[2], parts[4]
	var err error
	switch {
	case (ofMonth == "?") == (ofWeek == "?"):
		return nil, fmt.Errorf("want a ? in either day-of-month or day-of-week")
	case ofWeek == "?":
		c.days, err = parseDayOfMonth(ofMonth)
	default:
		c.days, err = parseDayOfWeek(ofWeek)
	}
	return c, err
}

// parse reads values, ranges, steps, * and lists of them.
func (f field) parse(text string) (set, error) {
	values := make(set, f.top+1)
	for item := range strings.SplitSeq(text, ",") {
		low, top, step, err := f.item(item)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", f.name, item, err)
		}
		for value := low; value <= top; value += step {
			values[value] = true
		}
	}
	return values, nil
}

func (f field) item(text string) (low, top, step int, err error) {
	step = 1
	text, steps, stepped := strings.Cut(text, "/")
	if stepped {
		if step, err = number(steps); err != nil || step < 1 || step > f.top {
			return 0, 0, 0, fmt.Errorf("want a step of 1 to %d", f.top)
		}
	}
	if text == "*" {
		return f.low, f.top, step, nil
	}
	from, to, ranged := strings.Cut(text, "-")
	if low, err = f.value(from); err != nil {
		return 0, 0, 0, err
	}
	top = low
	switch {
	case ranged:
		if top, err = f.value(to); err == nil && top < low {
			err = fmt.Errorf("want a range that does not end before it begins")
		}
	case stepped:
		top = f.top
	}
	return low, top, step, err
}

// value reads a number or a name.
func (f field) value(text string) (int, error) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.low + i, nil
	}
	n, err := number(text)
	if err != nil || n < f.low || n > f.top {
		return 0, fmt.Errorf("want %d to %d", f.low, f.top)
	}
	return n, nil
}

// number reads digits, of which no field needs more than four.
func number(text string) (int, error) {
	const most = 4
	if text == "" || len(text) > most || strings.Trim(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}

func parseDayOfMonth(text string) (days, error) {
	if text == "L" {
		return days{kind: end}, nil
	}
	if day, ok := strings.CutSuffix(text, "W"); ok {
		value, err := dayField.value(day)
		if err != nil {
			return days{}, fmt.Errorf("%s %q: %w", dayField.name, text, err)
		}
		return days{kind: nearest, value: value}, nil
	}
	values, err := dayField.parse(text)
	return days{kind: inMonth, set: values}, err
}

func parseDayOfWeek(text string) (days, error) {
	if text == "L" { // the last day of the week
		text = "SAT"
	}
	d := days{kind: last}
	day, isLast := strings.CutSuffix(text, "L")
	if !isLast {
		var which string
		var isNth bool
		if day, which, isNth = strings.Cut(text, "#"); !isNth {
			values, err := weekField.parse(text)
			return days{kind: inWeek, set: values}, err
		}
		n, err := number(which)
		if err != nil || n < 1 || n > 5 {
			return d, fmt.Errorf("%s %q: want # and 1 to 5", weekField.name, text)
		}
		d.kind, d.n = nth, n
	}
	value, err := weekField.value(day)
	if err != nil {
		return d, fmt.Errorf("%s %q: %w", weekField.name, text, err)
	}
	d.value = value - weekField.low
	return d, nil
}

// has reports whether a date, at midnight UTC, is one of the days.
func (d days) has(date time.Time) bool {
	day, length := date.Day(), date.AddDate(0, 1, -date.Day()).Day()
	switch d.kind {
	case inMonth:
		return d.set.has(day)
	case inWeek:
		return d.set.has(int(date.Weekday()) + weekField.low)
	case end:
		return day == length
	case nearest:
		return d.value <= length && day == workday(date.AddDate(0, 0, d.value-day), length)
	case nth:
		return int(date.Weekday()) == d.value && (day-1)/7 == d.n-1
	default:
		return int(date.Weekday()) == d.value && day+7 > length
	}
}

// workday is the day of the month of the working day nearest to a date, within
// its month of so many days.
func workday(date time.Time, length int) int {
	day := date.Day()
	switch {
	case date.Weekday() == time.Saturday && day == 1:
		return day + 2
	case date.Weekday() == time.Saturday:
		return day - 1
	case date.Weekday() == time.Sunday && day == length:
		return day - 2
	case date.Weekday() == time.Sunday:
		return day + 1
	}
	return day
}

// next returns the first occurrence after a moment. A time that the clocks skip
// has no occurrence, one that they show twice has one, the first time
// (EventBridge Scheduler User Guide, daylight savings time).
func (c *cron) next(after time.Time, zone *time.Location) (time.Time, bool) {
	local := after.In(zone)
	date := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	for date.Year() <= yearField.top {
		switch {
		case !c.years.has(date.Year()):
			date = time.Date(date.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
			continue
		case !c.months.has(int(date.Month())):
			date = time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if c.days.has(date) {
			if t, ok := c.nextOn(date, after, zone); ok {
				return t, true
			}
		}
		date = date.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// nextOn is next on one date.
func (c *cron) nextOn(date, after time.Time, zone *time.Location) (time.Time, bool) {
	for hour := range c.hours {
		if !c.hours[hour] {
			continue
		}
		for minute := range c.minutes {
			if !c.minutes[minute] {
				continue
			}
			wall := date.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
			if t, ok := resolve(wall, zone); ok && t.After(after) {
				return t, true
			}
		}
	}
	return time.Time{}, false
}
