package listing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"poolferry/internal/sandbox/cognitoidp/pool"
)

// tokenLife is how long a pagination token is good (Cognito Developer Guide,
// managing user accounts).
const tokenLife = time.Hour

// sealer makes pagination tokens that nobody can read or forge: encrypted, so
// that no e-mail address of the place shows, and bound to their request.
type sealer struct {
	aead cipher.AEAD
}

func newSealer(seed uint64) sealer {
	key := sha256.Sum256(fmt.Appendf(nil, "pagination tokens of seed %d", seed))
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCM(block); err == nil {
			return sealer{aead}
		}
	}
	panic(fmt.Sprintf("AES with a key of 32 bytes: %v", err))
}

// content is what a token holds.
type content struct {
	Place  string    `json:"p"` // the last key of the page before
	Issued time.Time `json:"t"`
}

// seal makes the token of a place; "" stays "", the end of the list.
func (s sealer) seal(request, place string, now time.Time) string {
	data, _ := json.Marshal(content{place, now}) // a string and a time always marshal
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, data, []byte(request)))
}

// open returns the place of a token that belongs to the request and is not too
// old; the place of no token is the start.
func (s sealer) open(request, token string, now time.Time) (string, error) {
	if token == "" {
		return "", nil
	}
	bad := pool.Invalid("Paging Marker is Invalid for Request")
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return "", bad
	}
	data, err := s.aead.Open(nil, raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():], []byte(request))
	var c content
	if err != nil || json.Unmarshal(data, &c) != nil || now.Sub(c.Issued) >= tokenLife {
		return "", bad
	}
	return c.Place, nil
}
