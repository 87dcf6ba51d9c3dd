package screen_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"poolferry/tools/standing/screen"
)

// terminal replays what was written: only what these screens use of a terminal.
func terminal(out string) string {
	var lines []string
	for _, piece := range strings.SplitAfter(out, "\n") {
		if rest, ok := strings.CutPrefix(piece, "\x1b["); ok {
			up, after, _ := strings.Cut(rest, "A\x1b[J")
			n := 0
			for _, digit := range up {
				n = 10*n + int(digit-'0')
			}
			lines, piece = lines[:len(lines)-n], after
		}
		if piece != "" {
			lines = append(lines, piece)
		}
	}
	return strings.Join(lines, "")
}

func TestLive(t *testing.T) {
	var out bytes.Buffer
	live := screen.NewLive(&out).Sized(20, 5)
	live.Say("began at %d", 12)
	live.Show("one\ntwo\n", "")
	live.Show("three\n", "")
	live.Say("a word")
	if got := terminal(out.String()); got != "began at 12\na word\nthree\n" {
		t.Errorf("%q", got)
	}
	live.Show("1\n2\n3\n4\n5\n6\n", "")
	if got := terminal(out.String()); got != "began at 12\na word\n1\n2\n3\n…\n" {
		t.Errorf("higher than the terminal: %q", got)
	}
	live.Show(strings.Repeat("█", 30)+"\n", "")
	if got := terminal(out.String()); got != "began at 12\na word\n"+strings.Repeat("█", 18)+"…\n" {
		t.Errorf("wider than the terminal: %q", got)
	}
	live.Show("", "")
	live.Say("the end")
	if got := terminal(out.String()); got != "began at 12\na word\nthe end\n" {
		t.Errorf("cleared: %q", got)
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 12, 12, 12, 0, 0, 0, time.UTC)
	l := screen.NewLines(&out, func() time.Time { return now })
	l.Show("", "")
	for _, line := range []string{"one", "one", "two"} {
		l.Show("frame", line)
	}
	now = now.Add(10 * time.Second)
	l.Show("frame", "one")
	l.Show("frame", "three")
	l.Say("a %s", "word")
	now = now.Add(10 * time.Second)
	l.Show("frame", "three")
	if out.String() != "one\nthree\na word\n" {
		t.Errorf("%q", out.String())
	}
}

type refuses struct{}

func (refuses) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestRecords(t *testing.T) {
	var out bytes.Buffer
	r := screen.NewRecords(&out)
	for _, v := range []string{"<a>", "<a>", "b", "<a>"} {
		if err := r.Record(v); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "\"<a>\"\n\"b\"\n\"<a>\"\n" {
		t.Errorf("%q", out.String())
	}
	if err := r.Record(math.Inf(1)); err == nil {
		t.Error("what is no JSON is written")
	}
	if err := screen.NewRecords(refuses{}).Record(1); err == nil {
		t.Error("an error of a write is lost")
	}
}
