package names

import (
	"bytes"
	"encoding/binary"
	"slices"

	"poolferry/internal/fault"
)

// Contest returns the hashes of the names that belong to more than one identity,
// rising. The records have to be sorted, as bytes.
func Contest(sorted []Record) []uint64 {
	var contested []uint64
	for i := 1; i < len(sorted); i++ {
		hash := sorted[i].Hash()
		if hash == sorted[i-1].Hash() && sorted[i] != sorted[i-1] && (len(contested) == 0 || contested[len(contested)-1] != hash) {
			contested = append(contested, hash)
		}
	}
	return contested
}

// Contested is a set of hashes of names.
type Contested struct {
	hashes []uint64 // rising
}

// NewContested returns the set of some hashes, in any order.
func NewContested(hashes []uint64) Contested {
	sorted := slices.Clone(hashes)
	slices.Sort(sorted)
	return Contested{slices.Compact(sorted)}
}

// Has reports whether the name of a hash is contested.
func (c Contested) Has(hash uint64) bool {
	_, found := slices.BinarySearch(c.hashes, hash)
	return found
}

// Len returns how many names are contested.
func (c Contested) Len() int { return len(c.hashes) }

// contestedMagic begins an encoded set.
const contestedMagic = "pfnames1"

const hashBytes = 6

// Encode returns the set as eight bytes that say what it is, and six for each
// hash, rising, big-endian.
func (c Contested) Encode() []byte {
	out := make([]byte, 0, len(contestedMagic)+hashBytes*len(c.hashes))
	out = append(out, contestedMagic...)
	for _, hash := range c.hashes {
		out = append(out, byte(hash>>40), byte(hash>>32), byte(hash>>24), byte(hash>>16), byte(hash>>8), byte(hash)) //nolint:gosec // byte by byte
	}
	return out
}

// DecodeContested reads a set. The error is of kind fault.Invalid.
func DecodeContested(data []byte) (Contested, error) {
	rest, ok := bytes.CutPrefix(data, []byte(contestedMagic))
	if !ok || len(rest)%hashBytes != 0 {
		return Contested{}, fault.New(fault.Invalid, "the set of contested names is torn or foreign")
	}
	hashes := make([]uint64, 0, len(rest)/hashBytes)
	for ; len(rest) > 0; rest = rest[hashBytes:] {
		hash := uint64(binary.BigEndian.Uint16(rest))<<32 | uint64(binary.BigEndian.Uint32(rest[2:]))
		if n := len(hashes); n > 0 && hashes[n-1] >= hash {
			return Contested{}, fault.New(fault.Invalid, "the set of contested names does not rise at hash %d", n)
		}
		hashes = append(hashes, hash)
	}
	return Contested{hashes}, nil
}
