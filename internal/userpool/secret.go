package userpool

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret would otherwise be printed.
const redacted = "[redacted]"

// Secret is a password, token or client secret on its way through. The zero
// value is empty.
//
// The text sits behind a function. That one field makes the type incomparable
// (== does not compile, a Secret cannot be a map key), hides the text from
// reflection (fmt prints unexported fields without asking String, but of a
// function it can only print an address) and from every encoder.
type Secret struct {
	reveal func() string
}

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return text }}
}

// Reveal returns the text. Only the packages that hand a secret to AWS may call
// it; test/arch holds the list.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Empty reports whether there is no text.
func (s Secret) Empty() bool { return s.reveal == nil }

// Equal compares two secrets in time that does not depend on where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String, GoString, Format, LogValue, MarshalJSON and MarshalText all print the
// same placeholder.
func (Secret) String() string { return redacted }

// GoString is String for %#v.
func (Secret) GoString() string { return redacted }

// Format covers every verb, %x and %d included.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue is String for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the placeholder.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText writes the placeholder, for encoders that prefer text.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalJSON reads a JSON string or null. Its error does not quote the input.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("secret is not a JSON string")
	}
	*s = NewSecret(text)
	return nil
}
