package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
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

// document is what all documents have in common.
type document interface {
	kind() string // as in "checkpoint", for errors
	check() error // a plain error that names member and value
}

// encode writes a valid document: compact JSON and a line feed, the same bytes
// for the same document.
func encode(d document) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, fault.New(fault.Internal, "write %s: %w", d.kind(), err)
	}
	data, err := encodeJSON(d)
	if err != nil {
		return nil, fault.New(fault.Internal, "write %s: %w", d.kind(), err)
	}
	return data, nil
}

// decode reads a document. Besides what encoding/json refuses it refuses all
// that encode would not have written: other spellings of a member, members
// twice, or none where one belongs. Its errors are of kind fault.Invalid.
func decode[D document](data []byte, into *D) error {
	kind := (*into).kind()
	if err := checkVersion(data); err != nil {
		return fault.New(fault.Invalid, "%s %w", kind, err)
	}
	if err := decodeStrictly(data, into); err != nil {
		return fault.New(fault.Invalid, "%s %w", kind, err)
	}
	if err := (*into).check(); err != nil {
		return fault.New(fault.Invalid, "%s: %w", kind, err)
	}
	again, err := encodeJSON(*into)
	if err != nil || !bytes.Equal(again, data) {
		return fault.New(fault.Invalid, "%s is not as poolferry writes it: changed by somebody else", kind)
	}
	return nil
}

// checkVersion comes before all else: a document of another version may look
// any way it likes.
func checkVersion(data []byte) error {
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

// decodeStrictly refuses members that are not in v and anything behind the
// value. Its errors quote no value.
func decodeStrictly(data []byte, v any) error {
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

// encodeJSON writes compact JSON and a line feed. Unlike json.Marshal it leaves
// <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return buf.Bytes(), err
}
