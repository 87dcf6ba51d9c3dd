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
	Count  int             `json:"count"` // users
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
	return r.SHA256.Check("sha256")
}
