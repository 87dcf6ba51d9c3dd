package pool

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
)

// Random makes ids, salts and codes that are the same for the same seed and the
// same order of calls, so that a run of the sandbox can be repeated. It is safe
// for concurrent use.
type Random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
	rand   *rand.Rand
}

// NewRandom returns a source for a seed.
func NewRandom(seed uint64) *Random {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], "poolferry sandbox user")
	source := rand.NewChaCha8(key)
	return &Random{source: source, rand: rand.New(source)}
}

// Bytes returns n bytes.
func (r *Random) Bytes(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	_, _ = r.source.Read(b) // never fails
	return b
}

// UUID returns a version 4 UUID.
func (r *Random) UUID() string {
	b := r.Bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Text returns n letters and digits.
func (r *Random) Text(n int) string {
	return r.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", n)
}

// LowerText returns n lower-case letters and digits.
func (r *Random) LowerText(n int) string { return r.from("abcdefghijklmnopqrstuvwxyz0123456789", n) }

// Code returns a code of six digits.
func (r *Random) Code() string { return r.from("0123456789", 6) }

// Chance reports true with probability p.
func (r *Random) Chance(p float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Float64() < p
}

// Below returns a number in [0, n).
func (r *Random) Below(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.IntN(n)
}

func (r *Random) from(alphabet string, n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.rand.IntN(len(alphabet))]
	}
	return string(b)
}
