package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"poolferry/internal/fault"
)

// Problem is one thing wrong with a document.
type Problem struct {
	File  string
	Line  int    // from 1; 0 where no line can be named
	Field string // such as source.pool_id; empty for the document itself
	Why   string
}

func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text += ":" + strconv.Itoa(p.Line)
	}
	if p.Field != "" {
		text += ": " + p.Field
	}
	return text + ": " + p.Why
}

// Problems is all that is wrong with a document, in the order of its lines.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// document is a document under examination.
type document struct {
	name     string
	lines    map[string]int // field → line
	problems Problems
}

// addf notes a problem with a field. A field that the document does not have is
// reported on the line of the nearest section that it does have.
func (d *document) addf(field, format string, args ...any) {
	at := field
	for at != "" && d.lines[at] == 0 {
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	d.addLine(d.lines[at], field, format, args...)
}

func (d *document) addLine(line int, field, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.name, line, field, fmt.Sprintf(format, args...)})
}

// err returns the problems, or nil.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return fault.New(fault.Invalid, "%w", d.problems)
}

// quote shows a value, cut where it is too long to be of use in an error.
func quote(value string) string {
	const most = 80
	if runes := []rune(value); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(value)
}
