// Package document is how poolferry writes JSON that it must be able to trust
// when it reads it again: versioned, compact, and strict.
//
// Vocabulary: a document is one JSON object in one object of the staging bucket;
// its kind, such as checkpoint, is what errors call it; a digest is the SHA-256
// that proves some bytes.
//
// Every document says its version. A reader refuses any version but its own, and
// within it every member that it does not know: a member is only added with a
// new version, since whoever leaves out what a writer thought worth saying may
// act on half of the truth.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"poolferry/internal/fault"
)

// Current is the version that this package reads and writes.
const Current = 1

// V1 is the member "version" of a document: always 1. Its zero value is ready.
type V1 struct{}

// MarshalJSON writes 1.
func (V1) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

// UnmarshalJSON reads 1 and nothing else.
func (V1) UnmarshalJSON(data []byte) error {
	if string(data) != "1" {
		return fmt.Errorf("version %.20s is not 1", data)
	}
	return nil
}

// Encode writes a document that check accepts: compact JSON and a line feed, the
// same bytes for the same document. check returns a plain error that names
// member and value.
func Encode(kind string, v any, check func() error) ([]byte, error) {
	if err := check(); err != nil {
		return nil, fault.New(fault.Internal, "write %s: %w", kind, err)
	}
	data, err := JSON(v)
	if err != nil {
		return nil, fault.New(fault.Internal, "write %s: %w", kind, err)
	}
	return data, nil
}

// Decode reads a document. Besides what encoding/json refuses it refuses all
// that Encode would not have written: other spellings of a member, members
// twice, or none where one belongs. Its errors are of kind fault.Invalid.
func Decode[D any](kind string, data []byte, into *D, check func(D) error) error {
	if err := CheckVersion(data); err != nil {
		return fault.New(fault.Invalid, "%s %w", kind, err)
	}
	if err := Strictly(data, into); err != nil {
		return fault.New(fault.Invalid, "%s %w", kind, err)
	}
	if err := check(*into); err != nil {
		return fault.New(fault.Invalid, "%s: %w", kind, err)
	}
	again, err := JSON(*into)
	if err != nil || !bytes.Equal(again, data) {
		return fault.New(fault.Invalid, "%s is not as poolferry writes it: changed by somebody else", kind)
	}
	return nil
}

// CheckTime returns an error that names the member unless t is a time in UTC.
func CheckTime(member string, t time.Time) error {
	if t.IsZero() {
		return fmt.Errorf("%s is missing", member)
	}
	if t.Location() != time.UTC {
		return fmt.Errorf("%s is not in UTC", member)
	}
	return nil
}

// CheckVersion refuses any version but Current. It comes before all else: a
// document of another version may look any way it likes.
func CheckVersion(data []byte) error {
	var peek struct {
		Version json.RawMessage `json:"version"`
	}
	if err := json.Unmarshal(data, &peek); err != nil {
		return errors.New("is no JSON document: torn or foreign")
	}
	switch version := string(peek.Version); version {
	case "1":
		return nil
	case "", "null":
		return errors.New("has no version: foreign")
	default:
		return fmt.Errorf("is of version %.20s, this poolferry knows version %d: use the poolferry that wrote it", version, Current)
	}
}

// Strictly decodes a line or document and refuses members that are not in v and
// anything behind the value. Its errors quote no value.
func Strictly(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return errors.New("has something behind its end")
	}
	if member, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("has the member %.100s, which version %d does not have", member, Current)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("has the wrong type of value in member %q", wrong.Field)
	}
	return errors.New("is not valid")
}

// JSON writes compact JSON and a line feed. Unlike json.Marshal it leaves <, >
// and & as they are.
func JSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return buf.Bytes(), err
}
