package manifest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// State is where a shard stands.
type State string

// The states. Complete is final: nothing follows it.
const (
	Open     State = "open"     // there is more to read
	Complete State = "complete" // everything was read
	Failed   State = "failed"   // given up until somebody resumes or restarts it
)

// Cursor is Cognito's pagination token: where the next page begins. It is no
// secret, but it is nobody's business either: it only prints as a placeholder.
// string(c) is the token.
type Cursor string

const hiddenCursor = "[cursor]"

func (Cursor) String() string { return hiddenCursor }

// GoString is String for %#v.
func (Cursor) GoString() string { return hiddenCursor }

// Format covers every verb.
func (Cursor) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hiddenCursor) }

// LogValue is String for slog.
func (Cursor) LogValue() slog.Value { return slog.StringValue(hiddenCursor) }

// Checkpoint is how far a shard has come. It is replaced by compare-and-swap
// only: of two executions of one batch, one replaces the checkpoint that both
// began from, and the other one's parts are in no checkpoint ever.
type Checkpoint struct {
	Version V1 `json:"version"`
	Origin
	Shard Shard `json:"shard"`
	// Attempt counts from 1. A pagination token that has expired cannot be
	// renewed: the shard is read again from its beginning, under the next
	// attempt.
	Attempt int   `json:"attempt"`
	State   State `json:"state"`
	// Cursor is empty at the beginning of an attempt and when it is complete.
	Cursor  Cursor    `json:"cursor,omitempty"`
	Parts   []PartRef `json:"parts"` // of this attempt, in the order in which they were read
	Count   int       `json:"count"` // lines in all parts
	Failure *Failure  `json:"failure,omitempty"`
	Updated time.Time `json:"updated"`
}

// Failure is why a shard was given up.
type Failure struct {
	Kind   fault.Kind `json:"kind"`
	Reason string     `json:"reason"` // for an operator; never personal data
}

// NewCheckpoint returns the checkpoint of a shard of which nothing was read.
func NewCheckpoint(origin Origin, shard Shard, now time.Time) Checkpoint {
	return Checkpoint{Origin: origin, Shard: shard, Attempt: 1, State: Open, Parts: []PartRef{}, Updated: now.UTC()}
}

// NextPart returns the header of the part that follows the checkpoint.
func (c Checkpoint) NextPart() Header { return c.PartHeader(len(c.Parts)) }

// PartHeader returns the header of the i-th part of the checkpoint's attempt,
// from 0.
func (c Checkpoint) PartHeader(i int) Header {
	return Header{Origin: c.Origin, Shard: c.Shard.ID, Content: c.Shard.Content, Attempt: c.Attempt, Part: i}
}

// Advance returns the checkpoint after a batch: its part, if the batch found
// any lines, and the cursor behind its last page. No cursor means that the
// shard is complete. The error is of kind fault.Conflict unless c is open.
func (c Checkpoint) Advance(next Cursor, now time.Time, parts ...PartRef) (Checkpoint, error) {
	if c.State != Open {
		return c, c.cannot("advance")
	}
	c.Parts = append(append([]PartRef{}, c.Parts...), parts...) // never nil, and never the slice of c
	for _, p := range parts {
		c.Count += p.Count
	}
	c.Cursor, c.Updated = next, now.UTC()
	if next == "" {
		c.State = Complete
	}
	return c, nil
}

// Restart returns the checkpoint of the next attempt, which begins anew: for a
// cursor that Cognito no longer takes. The parts of the attempts before are
// dead: nothing reads them, and they can be deleted. The error is of kind
// fault.Conflict where c is complete.
func (c Checkpoint) Restart(now time.Time) (Checkpoint, error) {
	if c.State == Complete {
		return c, c.cannot("restart")
	}
	next := NewCheckpoint(c.Origin, c.Shard, now)
	next.Attempt = c.Attempt + 1
	return next, nil
}

// Fail returns the checkpoint of a shard that is given up for now; cursor and
// parts stay. reason must hold no personal data. The error is of kind
// fault.Conflict unless c is open.
func (c Checkpoint) Fail(kind fault.Kind, reason string, now time.Time) (Checkpoint, error) {
	if c.State != Open {
		return c, c.cannot("fail")
	}
	c.State, c.Failure, c.Updated = Failed, &Failure{kind, reason}, now.UTC()
	return c, nil
}

// Resume returns the checkpoint of a failed shard that goes on where it was.
// The error is of kind fault.Conflict unless c has failed.
func (c Checkpoint) Resume(now time.Time) (Checkpoint, error) {
	if c.State != Failed {
		return c, c.cannot("resume")
	}
	c.State, c.Failure, c.Updated = Open, nil, now.UTC()
	return c, nil
}

func (c Checkpoint) cannot(what string) error {
	return fault.New(fault.Conflict, "cannot %s shard %s: it is %s", what, c.Shard.ID, c.State)
}

// Commit returns the final word on a complete shard. repeats is how many of its
// lines have a later line about the same user. The error is of kind
// fault.Conflict unless c is complete.
func (c Checkpoint) Commit(repeats int, now time.Time) (Commit, error) {
	if c.State != Complete {
		return Commit{}, c.cannot("commit")
	}
	return Commit{
		Origin: c.Origin, Shard: c.Shard, Attempt: c.Attempt, Parts: c.Parts,
		Count: c.Count, Repeats: repeats, Committed: now.UTC(),
	}, nil
}

// Encode returns the bytes of the document.
func (c Checkpoint) Encode() ([]byte, error) { return encode(c) }

// DecodeCheckpoint reads a checkpoint.
func DecodeCheckpoint(data []byte) (c Checkpoint, err error) {
	err = decode(data, &c)
	return c, err
}

func (Checkpoint) kind() string { return "checkpoint" }

func (c Checkpoint) check() error {
	if err := errors.Join(c.Origin.check(), c.Shard.check(), checkParts(c.Attempt, c.Parts, c.Count), document.CheckTime("updated", c.Updated)); err != nil {
		return err
	}
	switch {
	case c.State != Open && c.State != Complete && c.State != Failed:
		return fmt.Errorf("state %q is none of open, complete, failed", c.State)
	case c.State == Complete && c.Cursor != "":
		return errors.New("it is complete and has a cursor")
	case (c.State == Failed) != (c.Failure != nil):
		return fmt.Errorf("failure does not go with state %s", c.State)
	case c.State != Complete && c.Cursor == "" && len(c.Parts) > 0:
		return errors.New("it has parts, no cursor and is not complete")
	}
	return nil
}
