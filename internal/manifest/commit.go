package manifest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// Commit is the final word on a shard: these parts and no others. It is written
// once.
type Commit struct {
	Version V1 `json:"version"`
	Origin
	Shard   Shard     `json:"shard"`
	Attempt int       `json:"attempt"`
	Parts   []PartRef `json:"parts"`
	Count   int       `json:"count"` // lines in all parts
	// Repeats is how many lines have a later line about the same user. Cognito's
	// lists are no snapshot: a user can come up again in a later batch, and the
	// later line, in the order of parts, is the newer one.
	Repeats   int       `json:"repeats"`
	Committed time.Time `json:"committed"`
}

// Manifest is the final word on a generation: these shards and no others. It is
// written once, when all of them are committed.
type Manifest struct {
	Version V1 `json:"version"`
	Origin
	Shards   []Committed  `json:"shards"`           // in the generation's order
	Profiles int          `json:"profiles"`         // users: lines of profiles without repeats
	Members  int          `json:"members"`          // memberships in groups: lines of members without repeats
	Groups   *DocumentRef `json:"groups,omitempty"` // nil where groups were not staged
	// Estimate is how many users the source pool said to have when the
	// generation was closed.
	Estimate int       `json:"estimate"`
	Closed   time.Time `json:"closed"`
}

// Committed is a shard in a manifest.
type Committed struct {
	ID      string      `json:"id"`
	Content Content     `json:"content"`
	Commit  DocumentRef `json:"commit"`
	Parts   int         `json:"parts"`
	Count   int         `json:"count"`
	Repeats int         `json:"repeats"`
}

// DocumentRef refers to a document by its key relative to the run, and proves
// its bytes.
type DocumentRef struct {
	Key    string `json:"key"`
	SHA256 Digest `json:"sha256"`
}

// Close returns the manifest of a generation, given the commit of every shard
// and where it is. estimate is the pool's own count of its users. The error is
// of kind fault.Conflict where a commit is missing, fault.Invalid where one is
// not of this generation.
func (g Generation) Close(commits map[string]Commit, refs map[string]DocumentRef, groups *DocumentRef, estimate int, now time.Time) (Manifest, error) {
	m := Manifest{Origin: g.Origin, Shards: []Committed{}, Groups: groups, Estimate: estimate, Closed: now.UTC()}
	for _, shard := range g.Shards {
		c, ok := commits[shard.ID]
		if !ok {
			return Manifest{}, fault.New(fault.Conflict, "close generation %d: shard %s is not committed", g.Generation, shard.ID)
		}
		if err := c.Of(g.Origin, shard); err != nil {
			return Manifest{}, err
		}
		m.Shards = append(m.Shards, Committed{
			ID: shard.ID, Content: shard.Content, Commit: refs[shard.ID], Parts: len(c.Parts), Count: c.Count, Repeats: c.Repeats,
		})
	}
	m.Profiles, m.Members = m.sum(Profiles), m.sum(Members)
	return m, nil
}

// Of returns an error of kind fault.Invalid unless c is the commit of a shard
// of a generation.
func (c Commit) Of(origin Origin, shard Shard) error {
	if why := c.differs(origin); why != "" {
		return fault.New(fault.Invalid, "commit of shard %s %s", shard.ID, why)
	}
	if c.Shard != shard {
		return fault.New(fault.Invalid, "commit of shard %s is that of shard %s with filter %q", shard.ID, c.Shard.ID, c.Shard.Filter)
	}
	return nil
}

// Of returns an error of kind fault.Invalid unless c is the checkpoint of a
// shard of a generation.
func (c Checkpoint) Of(origin Origin, shard Shard) error {
	if why := c.differs(origin); why != "" {
		return fault.New(fault.Invalid, "checkpoint of shard %s %s", shard.ID, why)
	}
	if c.Shard != shard {
		return fault.New(fault.Invalid, "checkpoint of shard %s is that of shard %s with filter %q", shard.ID, c.Shard.ID, c.Shard.Filter)
	}
	return nil
}

// Agrees reports whether both are about the same parts; they may have been
// committed at different times.
func (c Commit) Agrees(other Commit) bool {
	return c.Origin == other.Origin && c.Shard == other.Shard && c.Attempt == other.Attempt && c.Repeats == other.Repeats && slices.Equal(c.Parts, other.Parts)
}

// Of returns an error of kind fault.Invalid unless m is the manifest of a
// generation.
func (m Manifest) Of(origin Origin) error {
	if why := m.differs(origin); why != "" {
		return fault.New(fault.Invalid, "manifest %s", why)
	}
	return nil
}

// Agrees reports whether both are about the same commits and groups; they may
// have been closed at different times, against different estimates.
func (m Manifest) Agrees(other Manifest) bool {
	sameGroups := m.Groups == other.Groups || m.Groups != nil && other.Groups != nil && *m.Groups == *other.Groups
	return m.Origin == other.Origin && sameGroups && slices.Equal(m.Shards, other.Shards)
}

// PartHeader returns the header of the i-th part of the commit, from 0.
func (c Commit) PartHeader(i int) Header {
	return Header{Origin: c.Origin, Shard: c.Shard.ID, Content: c.Shard.Content, Attempt: c.Attempt, Part: i}
}

// Proves returns an error of kind fault.Invalid unless c is the commit that the
// manifest speaks of.
func (s Committed) Proves(c Commit) error {
	if c.Shard.ID != s.ID || c.Shard.Content != s.Content || len(c.Parts) != s.Parts || c.Count != s.Count || c.Repeats != s.Repeats {
		return fault.New(fault.Invalid, "commit of shard %s disagrees with the manifest about parts or counts", s.ID)
	}
	return nil
}

// Encode returns the bytes of the document.
func (c Commit) Encode() ([]byte, error) { return encode(c) }

// Encode returns the bytes of the document.
func (m Manifest) Encode() ([]byte, error) { return encode(m) }

// DecodeCommit reads a commit.
func DecodeCommit(data []byte) (c Commit, err error) {
	err = decode(data, &c)
	return c, err
}

// DecodeManifest reads a manifest.
func DecodeManifest(data []byte) (m Manifest, err error) {
	err = decode(data, &m)
	return m, err
}

func (Commit) kind() string   { return "commit" }
func (Manifest) kind() string { return "manifest" }

func (c Commit) check() error {
	return errors.Join(
		c.Origin.check(), c.Shard.check(), checkParts(c.Attempt, c.Parts, c.Count),
		checkRepeats(c.Repeats, c.Count), document.CheckTime("committed", c.Committed),
	)
}

func (m Manifest) check() error {
	if err := errors.Join(m.Origin.check(), checkCount("estimate", m.Estimate), document.CheckTime("closed", m.Closed)); err != nil {
		return err
	}
	if len(m.Shards) == 0 {
		return errors.New("shards are missing")
	}
	for i, s := range m.Shards {
		err := errors.Join(
			Shard{ID: s.ID, Content: s.Content}.check(), s.Commit.check(), checkCount("parts", s.Parts), checkCount("count", s.Count),
			checkRepeats(s.Repeats, s.Count),
		)
		if err != nil {
			return fmt.Errorf("shards[%d]: %w", i, err)
		}
		if slices.ContainsFunc(m.Shards[:i], func(other Committed) bool { return other.ID == s.ID }) {
			return fmt.Errorf("shard %s is there twice", s.ID)
		}
	}
	if got := m.sum(Profiles); got != m.Profiles {
		return fmt.Errorf("profiles %d: the shards have %d", m.Profiles, got)
	}
	if got := m.sum(Members); got != m.Members {
		return fmt.Errorf("members %d: the shards have %d", m.Members, got)
	}
	if m.Groups != nil {
		return m.Groups.check()
	}
	return nil
}

func (m Manifest) sum(content Content) (n int) {
	for _, s := range m.Shards {
		if s.Content == content {
			n += s.Count - s.Repeats
		}
	}
	return n
}

func (r DocumentRef) check() error { return errors.Join(checkKey(r.Key), r.SHA256.Check("sha256")) }

func checkRepeats(repeats, count int) error {
	if repeats < 0 || repeats > 0 && repeats >= count {
		return fmt.Errorf("repeats %d do not go with %d lines", repeats, count)
	}
	return nil
}
