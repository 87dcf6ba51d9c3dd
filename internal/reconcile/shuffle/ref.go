package shuffle

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"poolferry/internal/document"
)

// Ref refers to a segment object and proves its bytes.
type Ref struct {
	Key    string          `json:"key"`   // relative to the run
	Bytes  int64           `json:"bytes"` // as stored, the footer included
	SHA256 document.Digest `json:"sha256"`
	// Footer is the digest of the footer, with which any segment can be proved
	// without reading the others.
	Footer document.Digest `json:"footer_sha256,omitempty"`
	Count  int             `json:"count"` // users
}

// NewRef returns a reference to an object that a Writer has closed, without a
// key.
func NewRef(object []byte, count int) (Ref, error) {
	footer, err := FooterBytes(object)
	if err != nil {
		return Ref{}, err
	}
	return Ref{Bytes: int64(len(object)), SHA256: document.DigestOf(object), Footer: document.DigestOf(footer), Count: count}, nil
}

// Check returns a plain error that names the member unless r has the form of a
// reference.
func (r Ref) Check() error {
	if r.Key == "" || r.Key != path.Clean(r.Key) || strings.HasPrefix(r.Key, "/") || strings.HasPrefix(r.Key, "..") {
		return fmt.Errorf("key %q is not relative to the run", r.Key)
	}
	if r.Bytes <= 0 || r.Count < 0 {
		return errors.New("bytes or count of a segment object are impossible")
	}
	if r.Footer != "" {
		if err := r.Footer.Check("footer_sha256"); err != nil {
			return err
		}
	}
	return r.SHA256.Check("sha256")
}
