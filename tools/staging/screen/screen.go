// Package screen shows the progress of a seeding on a terminal, in a log, or to
// a script.
//
// Vocabulary: bars are for a terminal, one for each shard and one for all; lines
// are for a log and are few; records are JSON for a script, one for each change.
package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"poolferry/tools/staging"
)

// Lines tells the progress in plain lines: at every change of what is staged,
// but not more often than quiet, and at once where a shard or the standing has
// changed.
type Lines struct {
	w    io.Writer
	now  func() time.Time
	told time.Time
	last staging.Progress
}

var _ staging.Screen = (*Lines)(nil)

// quiet is the least time between two lines that only count.
const quiet = 10 * time.Second

// NewLines returns a screen of lines.
func NewLines(w io.Writer, now func() time.Time) *Lines { return &Lines{w: w, now: now} }

// Show implements staging.Screen.
func (l *Lines) Show(p staging.Progress, changed bool) {
	event := l.last.Version == 0 || p.Standing != l.last.Standing || p.Generation != l.last.Generation ||
		p.Committed != l.last.Committed || len(p.Failed) != len(l.last.Failed)
	if !event && (!changed || l.now().Sub(l.told) < quiet) {
		return
	}
	l.told = l.now()
	if p.Generation != l.last.Generation {
		l.Say("run %s, generation %d%s", p.Run, p.Generation, because(p))
	}
	l.last = p
	l.Say("%s: %s", p.Standing, p.Summary())
}

// Say implements staging.Screen.
func (l *Lines) Say(format string, args ...any) { _, _ = fmt.Fprintf(l.w, format+"\n", args...) }

func because(p staging.Progress) string {
	if p.Why == "" {
		return ""
	}
	return ", with shards that are not the plan's: " + p.Why
}

// Records writes one JSON object per change; what else there is to say goes to
// a talk.
type Records struct {
	w    *json.Encoder
	talk io.Writer
	err  error
}

var _ staging.Screen = (*Records)(nil)

// NewRecords returns a screen of records.
func NewRecords(w, talk io.Writer) *Records {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Records{w: enc, talk: talk}
}

// Show implements staging.Screen.
func (r *Records) Show(p staging.Progress, changed bool) {
	if changed && r.err == nil {
		r.err = r.w.Encode(p)
	}
}

// Say implements staging.Screen.
func (r *Records) Say(format string, args ...any) { _, _ = fmt.Fprintf(r.talk, format+"\n", args...) }

// Err returns the first error of a write.
func (r *Records) Err() error { return r.err }
