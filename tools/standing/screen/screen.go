// Package screen shows where a migration stands for as long as somebody looks:
// on a terminal, in a log, or to a script.
//
// Vocabulary: a frame is what is shown until the next one takes its place; on a
// terminal it is drawn over, in a log it is a line, and few of them.
package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/vbauerster/mpb/v8/cwriter"
)

// Live draws frames over each other on a terminal.
type Live struct {
	w    *cwriter.Writer
	size func() (width, height int, err error)
	last string
}

// NewLive returns a screen for the terminal that w writes to.
func NewLive(w io.Writer) *Live {
	cw := cwriter.New(w)
	return &Live{w: cw, size: cw.GetTermSize}
}

// Show draws a frame.
func (l *Live) Show(frame, _ string) {
	l.last = frame
	l.draw()
}

// Say tells a line, above the frame.
func (l *Live) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(l.w, format+"\n", args...)
	l.draw()
}

// draw cuts the frame to the terminal's size: a line that is wrapped, or one that
// has scrolled away, could not be drawn over.
func (l *Live) draw() {
	var lines []string
	if l.last != "" {
		lines = strings.Split(strings.TrimSuffix(l.last, "\n"), "\n")
	}
	if width, height, err := l.size(); err == nil && width > 1 && height > 1 {
		if len(lines) > height-1 {
			lines = append(lines[:height-2:height-2], "…")
		}
		for i, line := range lines {
			lines[i] = text.Snip(line, width-1, "…")
		}
	}
	for _, line := range lines {
		_, _ = l.w.WriteString(line + "\n")
	}
	_ = l.w.Flush(len(lines))
}

// Lines tells the short form of a frame where it has changed, but not more often
// than quiet.
type Lines struct {
	w    io.Writer
	now  func() time.Time
	told time.Time
	last string
}

// quiet is the least time between two frames in a log.
const quiet = 10 * time.Second

// NewLines returns a screen of lines.
func NewLines(w io.Writer, now func() time.Time) *Lines { return &Lines{w: w, now: now} }

// Show tells a frame.
func (l *Lines) Show(_, line string) {
	if line == l.last || line == "" || l.now().Sub(l.told) < quiet {
		return
	}
	l.last, l.told = line, l.now()
	_, _ = fmt.Fprintln(l.w, line)
}

// Say tells a line.
func (l *Lines) Say(format string, args ...any) { _, _ = fmt.Fprintf(l.w, format+"\n", args...) }

// Records writes an object of JSON where it differs from the one before.
type Records struct {
	w    io.Writer
	last string
}

// NewRecords returns a screen of records.
func NewRecords(w io.Writer) *Records { return &Records{w: w} }

// Record writes an object.
func (r *Records) Record(object any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil || b.String() == r.last {
		return err
	}
	r.last = b.String()
	_, err := io.WriteString(r.w, r.last)
	return err
}
