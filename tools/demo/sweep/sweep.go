// Package sweep looks for secrets in everything that a rehearsal left behind:
// logs, answers, stored objects, files.
//
// Vocabulary: a canary is a secret that is unique in the world, so that a find
// is a leak and never chance; a form is a way in which text is written down
// (as it is, in base64, in hexadecimal); a find names the owner of a canary and
// the place, never the canary.
//
// A canary is recognised by a window of its text. The windows of all canaries
// and forms have one length, so one rolling hash over the data finds any of
// them in a single pass, whatever their number (Rabin and Karp).
package sweep

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"poolferry/internal/userpool"
)

// window is the length of the text by which a canary is recognised. Sixteen
// random letters are found by chance once in 10^27 bytes.
const window = 16

// minLength is the shortest secret whose every base64 form has a window.
const minLength = window + 2

// Find is one canary at one place. A canary that turns up twice at a place is
// one Find.
type Find struct {
	Owner string // whose secret, as told to Add
	Place string // where it was, as told to Data
	Form  string // plain, base64 or hex
}

func (f Find) String() string {
	return fmt.Sprintf("secret of %s in %s (%s)", f.Owner, f.Place, f.Form)
}

// Sweep holds the canaries to look for. It is filled first and used then; Data
// may be called concurrently, Add may not.
type Sweep struct {
	patterns map[uint64][]pattern // by the hash of the text
}

type pattern struct {
	text  string // of the window's length
	owner string
	form  string
}

// New returns an empty Sweep.
func New() *Sweep { return &Sweep{patterns: make(map[uint64][]pattern)} }

// Add adds a canary. It refuses a secret that is too short to be recognised in
// all forms, rather than to look for it in vain.
func (s *Sweep) Add(owner string, canary userpool.Secret) error {
	// Punctuation at the end is what URLs and JSON escape; the letters before it
	// read the same in both.
	text := strings.TrimRight(canary.Reveal(), "!?*=&%/+#@$^()[]{}<>\"'\\|;:,. ")
	if len(text) < minLength {
		return fmt.Errorf("secret of %s has %d plain characters, a sweep needs %d", owner, len(text), minLength)
	}
	tail := text[len(text)-window:]
	s.add(pattern{tail, owner, "plain"})
	for _, encoded := range []string{hex.EncodeToString([]byte(tail)), strings.ToUpper(hex.EncodeToString([]byte(tail)))} {
		s.add(pattern{encoded[len(encoded)-window:], owner, "hex"})
	}
	// In base64 a text looks differently at each of three offsets. What stands
	// before it decides the first letter of it, what follows the last.
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + text))
		encoded = encoded[:len(encoded)-1]
		s.add(pattern{encoded[len(encoded)-window:], owner, "base64"})
	}
	return nil
}

func (s *Sweep) add(p pattern) {
	h := hash(p.text)
	s.patterns[h] = append(s.patterns[h], p)
}

// Data searches one piece of data.
func (s *Sweep) Data(place string, data []byte) []Find {
	var finds []Find
	if len(data) < window {
		return nil
	}
	h := hash(data[:window])
	for end := window; ; end++ {
		for _, p := range s.patterns[h] {
			if string(data[end-window:end]) == p.text {
				if find := (Find{p.owner, place, p.form}); !slices.Contains(finds, find) {
					finds = append(finds, find)
				}
			}
		}
		if end == len(data) {
			return finds
		}
		h = (h-uint64(data[end-window])*topFactor)*factor + uint64(data[end])
	}
}

// The rolling hash is a polynomial in factor, modulo 2^64.
const factor = 0x9E3779B97F4A7C15

var topFactor = power(window - 1)

func power(n int) uint64 {
	out := uint64(1)
	for range n {
		out *= factor
	}
	return out
}

func hash[T string | []byte](text T) uint64 {
	var h uint64
	for i := range len(text) {
		h = h*factor + uint64(text[i])
	}
	return h
}
