package inspect

import (
	"fmt"
	"io"
	"strings"

	"poolferry/internal/seeding/census"
	"poolferry/tools/typeset"
)

// Verdict is what a verification has found. As JSON it is the contract of
// manifest verify.
type Verdict struct {
	Version    int       `json:"version"` // 1
	Run        string    `json:"run"`
	Generation int       `json:"generation"`
	Sound      bool      `json:"sound"` // there are no problems
	Shards     int       `json:"shards"`
	Parts      int       `json:"parts"`
	Bytes      int64     `json:"bytes"` // of parts, as stored
	Profiles   int       `json:"profiles"`
	Members    int       `json:"members"`
	Groups     int       `json:"groups"`
	Repeats    int       `json:"repeats"`
	Estimate   int       `json:"estimate"`
	Problems   []Problem `json:"problems"` // never null
}

// Problem is an object that is not as it should be.
type Problem struct {
	Object string `json:"object"` // a key relative to the run, or what it is about
	Why    string `json:"why"`
}

// NewVerdict returns the verdict of a report.
func NewVerdict(run string, r census.Report) Verdict {
	v := Verdict{
		Version: 1, Run: run, Generation: r.Generation, Sound: len(r.Problems) == 0, Shards: r.Shards, Parts: r.Parts, Bytes: r.Bytes,
		Profiles: r.Profiles, Members: r.Members, Groups: r.Groups, Repeats: r.Repeats, Estimate: r.Estimate, Problems: []Problem{},
	}
	for _, p := range r.Problems {
		v.Problems = append(v.Problems, Problem{p.Object, p.Why})
	}
	return v
}

// WriteText writes the verdict for a person, but for the problems.
func (v Verdict) WriteText(w io.Writer) error {
	var b strings.Builder
	word := "sound: every digest, count and sub is proven"
	if !v.Sound {
		word = "damaged"
	}
	fmt.Fprintf(&b, "run %s, generation %d: %s\n", v.Run, v.Generation, word)
	typeset.Row(&b, "users", "%d; the source pool said %d", v.Profiles, v.Estimate)
	typeset.Row(&b, "groups", "%d, with %d memberships", v.Groups, v.Members)
	typeset.Row(&b, "read", "%d parts of %d shards, %d bytes", v.Parts, v.Shards, v.Bytes)
	if v.Repeats > 0 {
		typeset.Row(&b, "repeats", "%d lines with a newer line about the same user", v.Repeats)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Change is a difference between two generations. As JSON it is a line of
// manifest diff.
type Change struct {
	Version int `json:"version"` // 1
	census.Change
}

// Difference counts what has changed between two generations. As JSON it is the
// last line of manifest diff.
type Difference struct {
	Version  int    `json:"version"` // 1
	Run      string `json:"run"`
	From     int    `json:"from"`
	To       int    `json:"to"`
	Profiles Counts `json:"profiles"`
	Members  Counts `json:"members"`
}

// Counts are by kind of change. A membership is never changed.
type Counts struct {
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"`
}

// Add counts a change.
func (d *Difference) Add(c census.Change) {
	counts := &d.Profiles
	if c.Group != "" {
		counts = &d.Members
	}
	switch c.Kind {
	case census.Added:
		counts.Added++
	case census.Removed:
		counts.Removed++
	case census.Changed:
		counts.Changed++
	}
}

// Same reports whether nothing has changed.
func (d *Difference) Same() bool { return d.Profiles == Counts{} && d.Members == Counts{} }

// WriteText writes the counts for a person.
func (d *Difference) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s, from generation %d to %d\n", d.Run, d.From, d.To)
	typeset.Row(&b, "users", "%d added, %d removed, %d changed", d.Profiles.Added, d.Profiles.Removed, d.Profiles.Changed)
	typeset.Row(&b, "memberships", "%d added, %d removed", d.Members.Added, d.Members.Removed)
	_, err := io.WriteString(w, b.String())
	return err
}
