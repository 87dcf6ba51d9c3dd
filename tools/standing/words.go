package standing

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/forecast"
	"poolferry/tools/staging"
	"poolferry/tools/typeset"
)

// percent never rounds up to 100.
func percent(p float64) string {
	if p >= 100 {
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", math.Floor(p*10+1e-6)/10)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// moment is minute and how long that is ago.
func moment(t, now time.Time) string { return minute(t) + ", " + ago(t, now) }

func ago(t, now time.Time) string {
	d := now.Sub(t)
	if d < time.Second {
		return "just now"
	}
	return long(d) + " ago"
}

// long is staging.Span for what may take days.
func long(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return staging.Span(d)
	}
	return typeset.Count(int(d/day), "day")
}

// seconds keeps a decimal of what is short.
func seconds(s float64) string {
	if s < 60 {
		return fmt.Sprintf("%.1fs", s)
	}
	return long(time.Duration(s * float64(time.Second)))
}

func date(t time.Time) string { return t.UTC().Format("2 January 2006") }

func size(n int64) string {
	if n < 0 {
		n = 0
	}
	return humanize.IBytes(uint64(n))
}

// rate is moves per day.
func rate(perDay float64) string {
	if perDay > 0 && perDay < 9.95 {
		return fmt.Sprintf("%.1f a day", perDay)
	}
	return typeset.Number(int(math.Round(perDay))) + " a day"
}

// End says in words when the migration will end.
func End(f forecast.Forecast) string {
	switch {
	case f.State == forecast.Complete:
		return "reached: nobody is pending"
	case f.State == forecast.TooEarly:
		return "too early to say"
	case f.Expected.IsZero() && f.Remaining > 0:
		return fmt.Sprintf("it will not end by waiting: about %s will be left", typeset.Count(f.Remaining, "user"))
	case f.Expected.IsZero():
		return "cannot be said"
	}
	text := "about " + date(f.Expected)
	switch {
	case f.Latest.IsZero() && f.Earliest.IsZero():
	case f.Latest.IsZero():
		text += fmt.Sprintf(", not before %s; how late cannot be said", date(f.Earliest))
	case f.Earliest.IsZero():
		text += ", at the latest " + date(f.Latest)
	case date(f.Earliest) != date(f.Latest):
		text += fmt.Sprintf(", between %s and %s", date(f.Earliest), date(f.Latest))
	}
	return text
}

// meanings are what the words of a partial reconciliation mean.
var meanings = map[string]string{
	reconcile.PartialNothingStaged: "nothing is staged to compare with",
	reconcile.PartialNotClosed:     "the seeding is not done: only the shards that are committed were compared",
	reconcile.PartialStale:         "the manifest is too old to speak for the source pool",
	reconcile.PartialIndex:         "a piece of the manifest could not be read",
	reconcile.PartialTarget:        "the target pool was not read to its end",
	reconcile.PartialFailedShard:   "a shard of the target pool was given up",
	reconcile.PartialTargetCount:   "fewer users were found in the target pool than it says that it has",
	reconcile.PartialPrevious:      "what the last whole reconciliation left is gone: who has vanished since is not known",
	reconcile.PartialUnmatched:     "there was nothing to compare by",
	reconcile.PartialBuckets:       "some buckets were not compared",
	reconcile.PartialCounts:        "the comparison did not see all users of the manifest",
	reconcile.PartialUndecided:     "users who share names were not decided about",
	reconcile.PartialFailed:        "a step failed",
}

// Because says in words why a reconciliation is partial.
func Because(words []string) string {
	var said []string
	for _, word := range words {
		meaning := meanings[word]
		if meaning == "" {
			meaning = strings.ReplaceAll(word, "_", " ")
		}
		said = append(said, meaning)
	}
	return strings.Join(said, "; ")
}

// barWidth is that of the other bars of the tool.
const barWidth = 30

// bar draws a percentage. Full means all of them.
func bar(p float64) string {
	n := min(int(p/100*barWidth), barWidth)
	if p < 100 && n == barWidth {
		n--
	}
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}
