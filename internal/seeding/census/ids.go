package census

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// id stands for a sub, or for a membership, in 16 bytes: a million take 16 MB.
type id [16]byte

// subID is the UUID that a sub is; of anything else, the beginning of its hash.
// That a UUID and a hash are the same by chance is as good as impossible.
func subID(sub userpool.Sub) id {
	if raw, ok := uuid(string(sub)); ok {
		return raw
	}
	return hashed(string(sub))
}

func memberID(m manifest.Member) id { return hashed(m.Group + "\x00" + string(m.Sub)) }

func hashed(text string) (out id) {
	sum := sha256.Sum256([]byte(text))
	copy(out[:], sum[:])
	return out
}

// uuid reads the one spelling of a UUID that Cognito uses: 36 characters, lower
// case.
func uuid(text string) (out id, ok bool) {
	if len(text) != 36 {
		return out, false
	}
	var digits [32]byte
	n := 0
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return out, false
			}
			continue
		}
		if c >= 'A' && c <= 'F' {
			return out, false
		}
		digits[n] = c
		n++
	}
	_, err := hex.Decode(out[:], digits[:])
	return out, err == nil
}

// repeats returns how many ids are there already. It sorts them.
func repeats(ids []id) (n int) {
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			n++
		}
	}
	return n
}
