package progress

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/reconcile/verdict"
)

// What a history may hold.
const (
	keepAll     = 60 // days of which all points are kept; of those before, the last of each day
	mostPoints  = 2_000
	mostBytes   = 2 << 20 // of the document
	mostPartial = 8       // words in Point.Partial
	mostText    = 200     // characters of such a word, and of Point.Failure
)

// New returns the history of a run without points.
func New(run string) History { return History{Run: run, Points: []Point{}} }

// Append returns the history with one more point. It fills in Percent and
// Complete, and thins. A point that is there already, by its id, is replaced, so
// that the same can be appended twice.
func (h History) Append(p Point) History {
	h.Points = slices.DeleteFunc(slices.Clone(h.Points), func(other Point) bool { return other.ID == p.ID })
	p = p.normal()
	at := len(h.Points)
	for at > 0 && h.Points[at-1].Ended.After(p.Ended) {
		at--
	}
	h.Points = slices.Insert(h.Points, at, p)
	for ; at < len(h.Points); at++ {
		h.Points[at].Complete = History{Points: h.Points[:at+1]}.Complete()
	}
	h.thin()
	return h
}

// normal returns the point as it is written.
func (p Point) normal() Point {
	p.Started, p.Ended = p.Started.UTC(), p.Ended.UTC()
	if p.Ended.Before(p.Started) {
		p.Ended = p.Started // the clock was set back
	}
	p.Verdicts = maps.Clone(p.Verdicts)
	if p.Verdicts == nil {
		p.Verdicts = map[verdict.Verdict]int{}
	}
	p.Reasons, p.Findings = filled(p.Reasons), filled(p.Findings)
	p.Partial = slices.Clone(p.Partial)
	if n := len(p.Partial); n > mostPartial {
		p.Partial = append(p.Partial[:mostPartial-1], "and_more")
	} else if n == 0 {
		p.Partial = nil
	}
	for i, word := range p.Partial {
		p.Partial[i] = short(word)
	}
	p.Failure = short(p.Failure)
	p.Percent, p.Complete = p.percent(), false
	return p
}

func filled[K comparable](counts map[K]int) map[K]int {
	if len(counts) == 0 {
		return nil
	}
	return maps.Clone(counts)
}

// short cuts a text, and what is not UTF-8 in it.
func short(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if runes := []rune(text); len(runes) > mostText {
		text = string(runes[:mostText-1]) + "…"
	}
	return text
}

// thin keeps all points of the last days, and one of each day before; where that
// is still too much, all points of fewer days, and then fewer days. The last two
// points and the last whole one are always kept.
func (h *History) thin() {
	h.Points = thinned(h.Points, keepAll)
	for days := keepAll / 2; days > 0 && !h.fits(); days /= 2 {
		h.Points = thinned(h.Points, days)
	}
	for len(h.Points) > 3 && !h.fits() {
		last, _ := h.LastWhole()
		most := max(1, len(h.Points)/50)
		tail := len(h.Points) - 2
		h.Points = slices.Concat(slices.DeleteFunc(h.Points[:tail:tail], func(p Point) bool {
			if p.ID == last.ID {
				return false
			}
			most--
			return most >= 0
		}), h.Points[tail:])
	}
}

// fits reports whether the history is small enough.
func (h *History) fits() bool {
	bytes := len(h.Run) + 64
	for _, p := range h.Points {
		bytes += p.size()
	}
	return len(h.Points) <= mostPoints && bytes <= mostBytes
}

// size returns how many bytes the point takes in the document, or a little more:
// encoding all points to see whether one more fits takes too long.
func (p Point) size() int {
	const members = 250 // names, times, percent, commas
	n := members + text(p.ID) + text(p.Failure) + digits(p.Generation) + digits(p.Profiles) + digits(p.Critical)
	for _, word := range p.Partial {
		n += text(word)
	}
	return n + counts(p.Verdicts) + counts(p.Reasons) + counts(p.Findings)
}

func counts[K ~string](of map[K]int) (n int) {
	for name, count := range of {
		n += len(name) + len(`"":,`) + digits(count)
	}
	return n
}

func digits(n int) int {
	var buf [20]byte
	return len(strconv.AppendInt(buf[:0], int64(n), 10))
}

// text is the size of a text in quotes. A byte is escaped in at most six.
func text(s string) int {
	n := len(s) + len(`"",`)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			n += 5
		}
	}
	return n
}

// thinned keeps all points of the days before the newest, and of each earlier
// day, in UTC, the last whole one, or the last where none is.
func thinned(points []Point, days int) []Point {
	const day = 24 * time.Hour
	since := points[len(points)-1].Ended.Truncate(day).AddDate(0, 0, -days)
	var kept []Point
	for i, p := range points {
		if n := len(kept); n > 0 && i < len(points)-2 && p.Ended.Before(since) && kept[n-1].Ended.Truncate(day).Equal(p.Ended.Truncate(day)) {
			if p.Whole() || !kept[n-1].Whole() {
				kept[n-1] = p
			}
			continue
		}
		kept = append(kept, p)
	}
	return kept
}
