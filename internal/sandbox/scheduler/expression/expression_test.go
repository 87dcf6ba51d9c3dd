package expression

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests, wherever they run

	"github.com/google/go-cmp/cmp"
)

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// following lists the next occurrences after a moment, in RFC 3339.
func following(t *testing.T, text, zoneName, after string, n int) []string {
	t.Helper()
	z := zone(t, zoneName)
	e, err := Parse(text, z)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for range n {
		next, ok := e.Next(at, at)
		if !ok {
			return append(out, "none")
		}
		at = next
		out = append(out, at.In(z).Format(time.RFC3339))
	}
	return out
}

func TestCron(t *testing.T) {
	const berlin = "Europe/Berlin"
	tests := []struct {
		name, text, zone, after string
		want                    []string
	}{
		{"every quarter of an hour", "cron(*/15 * * * ? *)", "UTC", "2026-11-21T09:44:59Z", []string{"2026-11-21T09:45:00Z", "2026-11-21T10:00:00Z"}},
		{"steps from a value", "cron(5/20 8 * * ? *)", "UTC", "2026-11-21T08:05:00Z", []string{"2026-11-21T08:25:00Z", "2026-11-21T08:45:00Z", "2026-11-22T08:05:00Z"}},
		{"steps in a range", "cron(0-30/15 8-8 ? * 2,3,4,5,6,7 *)", "UTC", "2026-11-21T08:20:00Z", []string{"2026-11-21T08:30:00Z", "2026-11-23T08:00:00Z"}},
		{"working days", "cron(0 10 ? * MON-FRI *)", "UTC", "2026-11-20T10:00:00Z", []string{"2026-11-23T10:00:00Z"}},
		{"days of the week begin with Sunday", "cron(0 0 ? * 1 *)", "UTC", "2026-11-21T00:00:00Z", []string{"2026-11-22T00:00:00Z"}},
		{"list, small letters and white space", "cron( 0  0 1,15 jan,Dec ?\t2026-2027)", "UTC", "2026-11-21T00:00:00Z",
			[]string{"2026-12-01T00:00:00Z", "2026-12-15T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-15T00:00:00Z", "2027-12-01T00:00:00Z", "2027-12-15T00:00:00Z", "none"}},
		{"last day of the month", "cron(0 12 L * ? *)", "UTC", "2028-01-31T12:00:00Z", []string{"2028-02-29T12:00:00Z", "2028-03-31T12:00:00Z"}},
		{"last Friday", "cron(15 10 ? * 6L 2026-2027)", "UTC", "2026-11-21T09:00:00Z", []string{"2026-11-27T10:15:00Z", "2026-12-25T10:15:00Z"}},
		{"last Friday by name", "cron(15 10 ? * FRIL *)", "UTC", "2026-11-28T09:00:00Z", []string{"2026-12-25T10:15:00Z"}},
		{"last day of the week", "cron(0 0 ? * L *)", "UTC", "2026-11-21T00:00:00Z", []string{"2026-11-28T00:00:00Z"}},
		{"second Tuesday", "cron(0 0 ? * 3#2 *)", "UTC", "2026-11-21T00:00:00Z", []string{"2026-12-08T00:00:00Z", "2027-01-12T00:00:00Z"}},
		{"fifth Sunday", "cron(0 0 ? * SUN#5 *)", "UTC", "2026-11-21T00:00:00Z", []string{"2026-11-29T00:00:00Z", "2027-01-31T00:00:00Z"}},
		{"working day nearest to the 15th", "cron(0 0 15W * ? *)", "UTC", "2026-08-01T00:00:00Z", // Saturday, Tuesday, Thursday, Sunday
			[]string{"2026-08-14T00:00:00Z", "2026-09-15T00:00:00Z", "2026-10-15T00:00:00Z", "2026-11-16T00:00:00Z"}},
		{"nearest stays in the month", "cron(0 0 1W 8 ? *)", "UTC", "2026-07-31T00:00:00Z", []string{"2026-08-03T00:00:00Z"}},
		{"nearest stays in the month at its end", "cron(0 0 31W 1 ? *)", "UTC", "2027-01-02T00:00:00Z", []string{"2027-01-29T00:00:00Z"}},
		{"nearest to a day that most months lack", "cron(0 0 31W * ? *)", "UTC", "2026-10-30T00:00:00Z", []string{"2026-12-31T00:00:00Z"}},
		{"29 February", "cron(0 0 29 2 ? *)", "UTC", "2026-11-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"29 February of a year that has none", "cron(0 0 29 2 ? 2027)", "UTC", "2026-11-01T00:00:00Z", []string{"none"}},
		{"past", "cron(0 0 * * ? 2025)", "UTC", "2026-11-01T00:00:00Z", []string{"none"}},
		{"zone", "cron(0 9 * * ? *)", berlin, "2026-11-21T08:00:00Z", []string{"2026-11-22T09:00:00+01:00"}},
		{"skipped by the clocks", "cron(30 2 * * ? *)", berlin, "2026-03-28T01:30:00Z", []string{"2026-03-30T02:30:00+02:00"}},
		{"shown twice by the clocks", "cron(30 2 * * ? *)", berlin, "2026-10-24T01:00:00Z", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"each hour as the clocks go back", "cron(0 * * * ? *)", berlin, "2026-10-24T23:30:00Z", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"}},
		{"each hour as the clocks go forward", "cron(0 * * * ? *)", berlin, "2026-03-29T00:30:00Z", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
		{"midnight that is skipped", "cron(0 0 * * ? *)", "America/Santiago", "2026-09-05T04:00:00Z", []string{"2026-09-07T00:00:00-03:00"}},
		{"half an hour back", "cron(45 1 * * ? *)", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, following(t, tt.text, tt.zone, tt.after, len(tt.want))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRate(t *testing.T) {
	e, err := Parse("rate(1 day)", zone(t, "Europe/Berlin"))
	if err != nil || !e.Recurs() {
		t.Fatal(e, err)
	}
	anchor := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, -1: 0, 0: 24 * time.Hour, 24*time.Hour - 1: 24 * time.Hour, 24 * time.Hour: 48 * time.Hour, 1000 * time.Hour: 1008 * time.Hour,
	} {
		if next, ok := e.Next(anchor.Add(after), anchor); !ok || next.Sub(anchor) != want {
			t.Errorf("after %s: got %s, %t, want %s", after, next.Sub(anchor), ok, want)
		}
	}
	if next, ok := e.Next(anchor.AddDate(1000, 0, 0), anchor); ok {
		t.Errorf("after the end of time: %s", next)
	}
	for text, want := range map[string]time.Duration{"rate(90 minutes)": 90 * time.Minute, "rate(1 hours)": time.Hour, "rate(36500 days)": longestRate} {
		if e, err := Parse(text, time.UTC); err != nil || e.every != want {
			t.Errorf("%s: %s, %v", text, e.every, err)
		}
	}
}

func TestAt(t *testing.T) {
	const text = "at(2026-10-25T02:30:15)" // the first of two
	if diff := cmp.Diff([]string{"2026-10-25T02:30:15+02:00", "none"}, following(t, text, "Europe/Berlin", "2026-10-24T00:00:00Z", 2)); diff != "" {
		t.Error(diff)
	}
	if e, err := Parse(text, time.UTC); err != nil || e.Recurs() {
		t.Error("at recurs", err)
	}
}

func TestRefuses(t *testing.T) {
	tests := map[string]string{
		"":                                "want at(…), rate(…) or cron(…)",
		"rate(5 minutes":                  "want at(…), rate(…) or cron(…)",
		"every(5 minutes)":                "want at(…), rate(…) or cron(…)",
		"Rate(5 minutes)":                 "want at(…), rate(…) or cron(…)",
		"rate(0 minutes)":                 "positive",
		"rate(-1 minutes)":                "positive",
		"rate(1.5 hours)":                 "positive",
		"rate(5  minutes)":                "positive",
		"rate(5 seconds)":                 "minutes, hours or days",
		"rate(36501 days)":                "100 years",
		"at(2026-11-21)":                  "yyyy-mm-ddThh:mm:ss",
		"at(2026-02-29T00:00:00)":         "yyyy-mm-ddThh:mm:ss",
		"at(2026-11-21T00:00:00.5)":       "yyyy-mm-ddThh:mm:ss",
		"at(2026-11-21T00:00:00Z)":        "yyyy-mm-ddThh:mm:ss",
		"at(2026-03-29T02:30:00)":         "the clocks of Europe/Berlin skip",
		"cron(0 9 * * ?)":                 "want 6 fields",
		"cron(0 0 9 * * ? *)":             "want 6 fields",
		"cron(0 9 * * * *)":               "want a ?",
		"cron(0 9 ? * ? *)":               "want a ?",
		"cron(0 9 1 * MON *)":             "want a ?",
		"cron(60 9 * * ? *)":              `minutes "60": want 0 to 59`,
		"cron(? 9 * * ? *)":               `minutes "?"`,
		"cron(0,99 9 * * ? *)":            `minutes "99": want 0 to 59`,
		"cron(0 24 * * ? *)":              `hours "24"`,
		"cron(0 8-6 * * ? *)":             `hours "8-6": want a range`,
		"cron(0 1- * * ? *)":              `hours "1-"`,
		"cron(*/0 9 * * ? *)":             "want a step of 1 to 59",
		"cron(*/60 9 * * ? *)":            "want a step of 1 to 59",
		"cron(1/2/3 9 * * ? *)":           "want a step",
		"cron(+1 9 * * ? *)":              `minutes "+1"`,
		"cron(0 9 32 * ? *)":              `day-of-month "32"`,
		"cron(0 9 0 * ? *)":               `day-of-month "0"`,
		"cron(0 9 L-3 * ? *)":             `day-of-month "L-3"`,
		"cron(0 9 LW * ? *)":              `day-of-month "LW"`,
		"cron(0 9 15W,16 * ? *)":          `day-of-month "15W"`,
		"cron(0 9 * 13 ? *)":              `month "13"`,
		"cron(0 9 * JANUARY ? *)":         `month "JANUARY"`,
		"cron(0 9 ? * 0 *)":               `day-of-week "0": want 1 to 7`,
		"cron(0 9 ? * 8L *)":              `day-of-week "8L"`,
		"cron(0 9 ? * 3#6 *)":             `day-of-week "3#6": want # and 1 to 5`,
		"cron(0 9 ? * 2#1,6#3 *)":         `day-of-week "2#1,6#3"`,
		"cron(0 9 * * ? 1969)":            `year "1969": want 1970 to 2199`,
		"cron(0 9 * * ? 2200)":            `year "2200": want 1970 to 2199`,
		"cron(0 9 * * ? 99999999999999)":  `year "99999999999999"`,
		"cron(0 9 * * ? 2026-2027-2028)":  `year "2026-2027-2028"`,
		"cron(0 9 * * ? *) and then some": "want at(…), rate(…) or cron(…)",
	}
	berlin := zone(t, "Europe/Berlin")
	for text, want := range tests {
		if _, err := Parse(text, berlin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// FuzzNext: whatever is read is due later than it was asked for, on the clocks
// as the expression says, and nothing is due in between.
func FuzzNext(f *testing.F) {
	f.Add("cron(0/15 8-18 ? * MON-FRI *)", "Europe/Berlin", int64(1_795_000_000))
	f.Add("cron(30 2 L * ? 2026-2030)", "America/Santiago", int64(1_795_000_000))
	f.Add("cron(0 0 31W * ? *)", "Australia/Lord_Howe", int64(1_795_000_000))
	f.Add("cron(0 0 ? * 3#5 *)", "UTC", int64(0))
	f.Add("rate(5 minutes)", "UTC", int64(1_795_000_000))
	f.Add("at(2026-11-21T09:00:00)", "Asia/Tokyo", int64(1_795_000_000))
	f.Fuzz(func(t *testing.T, text, zoneName string, unix int64) {
		z, err := time.LoadLocation(zoneName)
		if err != nil {
			return
		}
		e, err := Parse(text, z)
		if err != nil {
			return
		}
		const farthest = 1 << 33 // the year 2242
		after := time.Unix(unix%farthest, 0)
		next, ok := e.Next(after, after)
		if !ok {
			return
		}
		if !next.After(after) {
			t.Fatalf("%s: %s is not after %s", text, next, after)
		}
		if e.cron == nil {
			return
		}
		local := next.In(z)
		date := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		if local.Second() != 0 || !e.cron.minutes.has(local.Minute()) || !e.cron.hours.has(local.Hour()) || !e.cron.months.has(int(local.Month())) ||
			!e.cron.years.has(local.Year()) || !e.cron.days.has(date) {
			t.Fatalf("%s is not due at %s", text, local)
		}
		if again, ok := e.Next(next.Add(-time.Nanosecond), after); !ok || !again.Equal(next) {
			t.Fatalf("%s: %s is due, but after the moment before it is due at %s", text, next, again)
		}
		if span := next.Sub(after); span > time.Second {
			if between, ok := e.Next(after.Add(span/2), after); !ok || !between.Equal(next) {
				t.Fatalf("%s: due at %s after %s, and yet at %s after half of the time", text, next, after, between)
			}
		}
	})
}
