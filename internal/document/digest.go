package document

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
)

// Digest is the SHA-256 of some bytes in 64 lower-case hex digits, as sha256sum
// prints it.
type Digest string

var digestShape = regexp.MustCompile(`^[0-9a-f]{64}$`)

// DigestOf returns the digest of data.
func DigestOf(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest(hex.EncodeToString(sum[:]))
}

// Check returns an error that names the member unless d has the form of a
// digest.
func (d Digest) Check(member string) error {
	if !digestShape.MatchString(string(d)) {
		return fmt.Errorf("%s %q is no SHA-256 in 64 lower-case hex digits", member, d)
	}
	return nil
}
