package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
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

// DigestOfMapping returns the digest of a mapping's rules, so that a run can
// tell that its mapping was changed under it.
func DigestOfMapping(m userpool.Mapping) (Digest, error) {
	data, err := encodeJSON(m)
	if err != nil {
		return "", fault.New(fault.Internal, "encode mapping: %w", err)
	}
	return DigestOf(data), nil
}

func (d Digest) check(member string) error {
	if !digestShape.MatchString(string(d)) {
		return fmt.Errorf("%s %q is no SHA-256 in 64 lower-case hex digits", member, d)
	}
	return nil
}
