package document

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"
)

// idShape is that of an execution's name (Step Functions API reference,
// StartExecution), as far as it may become part of a key.
var idShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// CheckID returns an error unless id may be that of a reconciliation, an import or
// a cut-over.
func CheckID(id string) error {
	if !idShape.MatchString(id) {
		return fmt.Errorf("id %q: want 1 to 80 letters, digits, hyphens and underscores", id)
	}
	return nil
}

// NewID makes an id that begins with a word. Ids sort by time, and two at once
// differ.
func NewID(word string, now time.Time) string {
	random := make([]byte, 2)
	_, _ = rand.Read(random) // never fails
	return word + "-" + now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(random)
}
