package manifest

import (
	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Current is the version that this package reads and writes.
const Current = document.Current

// V1 is the member "version" of a document.
type V1 = document.V1

// Digest proves some bytes.
type Digest = document.Digest

// DigestOf returns the digest of data.
func DigestOf(data []byte) Digest { return document.DigestOf(data) }

// DigestOfMapping returns the digest of a mapping's rules, so that a run can
// tell that its mapping was changed under it.
func DigestOfMapping(m userpool.Mapping) (Digest, error) {
	data, err := document.JSON(m)
	if err != nil {
		return "", fault.New(fault.Internal, "encode mapping: %w", err)
	}
	return DigestOf(data), nil
}

// stored is what the documents of a manifest have in common.
type stored interface {
	kind() string // as in "checkpoint", for errors
	check() error // a plain error that names member and value
}

func encode(d stored) ([]byte, error) { return document.Encode(d.kind(), d, d.check) }

func decode[D stored](data []byte, into *D) error {
	return document.Decode((*into).kind(), data, into, D.check)
}
