// Package data holds the JSON values that flow through an execution.
//
// Words: a value is nil, bool, json.Number, string, []any or map[string]any,
// and nobody changes one after it was made: what looks like a change is a copy.
// Numbers keep the text in which they were written. Objects keep no order: a
// text made of one lists its members by name, where AWS keeps the order in
// which they came.
package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"
)

// Limit is the most bytes that a value may have on its way into or out of a
// state, task or execution: 256 KiB (Step Functions quotas).
const Limit = 256 << 10

// SyntaxError says why a text is not JSON, in the words of the JSON parser
// that Step Functions uses and quotes.
type SyntaxError struct{ text string }

func (e *SyntaxError) Error() string { return e.text }

// Parse reads one JSON value. The error is a *SyntaxError.
func Parse(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, explain(text, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &SyntaxError{"Unexpected text after the end of the JSON value"}
	}
	return v, nil
}

// expectations are what Jackson expected where encoding/json says what it was
// looking at.
var expectations = []struct{ theirs, jackson string }{
	{"looking for beginning of object key string", "was expecting double-quote to start field name"},
	{"after object key:value pair", "was expecting comma to separate Object entries"},
	{"after object key", "was expecting a colon to separate field name and value"},
	{"after array element", "was expecting comma to separate Array entries"},
	{"looking for beginning of value", "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"},
}

func explain(text []byte, err error) error {
	wrong, ok := errors.AsType[*json.SyntaxError](err)
	if !ok || wrong.Offset < 1 || wrong.Offset > int64(len(text)) || strings.HasPrefix(wrong.Error(), "unexpected end") {
		return &SyntaxError{"Unexpected end-of-input"}
	}
	at, _ := utf8.DecodeRune(text[wrong.Offset-1:])
	expected := "the text is not valid JSON"
	for _, e := range expectations {
		if strings.Contains(wrong.Error(), e.theirs) {
			expected = e.jackson
			break
		}
	}
	return &SyntaxError{fmt.Sprintf("Unexpected character ('%c' (code %d)): %s", at, at, expected)}
}

// Encode writes a value compactly.
func Encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("data: %T is no value: %v", v, err)) // values only come from Parse
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// TooLarge reports whether a value is beyond Limit.
func TooLarge(v any) bool { return len(Encode(v)) > Limit }

// Equal compares two values; numbers by what they mean, so 1 equals 1.0.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		return ok && Compare(x, y) == 0
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for name := range x {
			other, there := y[name]
			if !there || !Equal(x[name], other) {
				return false
			}
		}
		return true
	default:
		switch b.(type) {
		case json.Number, []any, map[string]any:
			return false
		}
		return a == b
	}
}

// Compare orders two numbers: negative, zero or positive, without loss.
func Compare(a, b json.Number) int {
	if a == b {
		return 0
	}
	if hugeExponent(a) || hugeExponent(b) {
		// Exact fractions of such numbers do not fit into memory.
		x, _ := a.Float64()
		y, _ := b.Float64()
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	if !okX || !okY {
		return strings.Compare(a.String(), b.String())
	}
	return x.Cmp(y)
}

func hugeExponent(n json.Number) bool {
	_, exponent, ok := strings.Cut(strings.ToLower(n.String()), "e")
	return ok && len(strings.TrimLeft(exponent, "+-0")) > 3
}

// Integer is the whole number of a value: a number without a fraction or,
// since Step Functions takes these too, a string with one. ok is false for
// anything else and for what int64 cannot hold.
func Integer(v any) (n int64, ok bool) {
	var text string
	switch x := v.(type) {
	case json.Number:
		text = x.String()
	case string:
		text = x
	default:
		return 0, false
	}
	if hugeExponent(json.Number(text)) || len(text) > 64 {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "/_xXbBoOpP") || !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return r.Num().Int64(), true
}

// Number makes a value of a whole number.
func Number(n int64) json.Number { return json.Number(big.NewInt(n).String()) }
