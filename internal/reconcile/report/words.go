package report

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// nbsp keeps a number and its unit on one line.
const nbsp = "\u00a0"

func number(n int) string { return humanize.Comma(int64(n)) }

// count is a number of things, whose plural is regular.
func count(n int, thing string) string {
	if n == 1 {
		return "1" + nbsp + thing
	}
	return number(n) + nbsp + thing + "s"
}

// about is n to two digits: no forecast knows more.
func about(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// percent prints one decimal and never rounds up to 100.
func percent(p float64) string {
	if p >= 100 {
		return "100" + nbsp + "%"
	}
	return fmt.Sprintf("%.1f"+nbsp+"%%", math.Floor(p*10+1e-6)/10)
}

// share is part of whole in percent; nothing of nothing is nothing to print.
func share(part, whole int) string {
	if whole == 0 {
		return ""
	}
	return percent(100 * float64(part) / float64(whole))
}

// remainder is share for what is left of the whole: rounded up, so that with the
// share of the rest it is 100, and it is not 0 while somebody is left.
func remainder(part, whole int) string {
	if whole == 0 {
		return ""
	}
	return percent(math.Ceil(1000*float64(part)/float64(whole)-1e-6) / 10)
}

// date leaves out the year where it is that of now.
func date(t, now time.Time) string {
	if t.UTC().Year() == now.UTC().Year() {
		return t.UTC().Format("2" + nbsp + "January")
	}
	return t.UTC().Format("2" + nbsp + "January" + nbsp + "2006")
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2 January 2006, 15:04") + nbsp + "UTC"
}

// moment is minute for a narrow column.
func moment(t, now time.Time) string {
	form := "2" + nbsp + "Jan" + nbsp + "2006,"
	if t.UTC().Year() == now.UTC().Year() {
		form = "2" + nbsp + "Jan,"
	}
	return t.UTC().Format(form + nbsp + "15:04")
}

// span is how long something took, in the two largest units.
func span(d time.Duration) string {
	units := []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	d = d.Round(time.Second)
	for i, u := range units {
		if d < u.length {
			continue
		}
		out := fmt.Sprintf("%d"+nbsp+"%s", d/u.length, u.name)
		if i+1 < len(units) {
			if rest := d % u.length / units[i+1].length; rest > 0 {
				out += fmt.Sprintf(nbsp+"%d"+nbsp+"%s", rest, units[i+1].name)
			}
		}
		return out
	}
	return "under 1" + nbsp + "s"
}

// ago is how long before now something was.
func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= time.Minute {
		return span(d.Truncate(time.Minute)) + " ago"
	}
	return "just now"
}

var words = strings.NewReplacer("_", " ", "-", " ", "mfa", "MFA")

var codeWord = regexp.MustCompile(`^[a-z0-9_-]+$`)

// phrase turns a code word, such as not_signed_in, into words, and leaves
// anything else as it is but for a capital.
func phrase(word string) string {
	text := word
	if codeWord.MatchString(word) {
		text = words.Replace(word)
	}
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}
