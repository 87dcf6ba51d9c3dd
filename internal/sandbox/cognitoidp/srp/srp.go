// Package srp is the server's half of Secure Remote Password as user pools speak
// it (RFC 5054 with the 3072-bit group of RFC 3526, SHA-256, and numbers hashed
// as Java writes them): what is kept of a password, the server's public number,
// and the proof that a client knows the password. Amazon has not written the
// protocol down; its clients are the reference, amazon-cognito-identity-js first.
//
// Vocabulary: an identity is what a password is hashed together with; x is the
// private key that salt, identity and password make, and the verifier g^x; an
// exchange is one sign-in, between the client's number A and the server's B; the
// claim is the signature by which the client proves that it has the same key.
package srp

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"poolferry/internal/userpool"
)

var (
	group = mustNumber(`FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74
020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245
E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6
49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD96
1C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B
E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE5
15D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A
8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6B
F12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2
08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF`)
	generator  = big.NewInt(2)
	multiplier = hashed(padded(group), padded(generator))
)

func mustNumber(digits string) *big.Int {
	n, ok := new(big.Int).SetString(strings.ReplaceAll(digits, "\n", ""), 16)
	if !ok {
		panic("the group is not a number")
	}
	return n
}

// padded is a number as Java's BigInteger.toByteArray writes one that is not
// negative: the fewest bytes of which the first has its highest bit clear.
func padded(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}

// hashed is SHA-256 over all parts, as a number.
func hashed(parts ...[]byte) *big.Int {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

// Identity is whose password it is.
type Identity struct {
	Pool string // the pool's id behind the underscore
	User string // the username, USER_ID_FOR_SRP
}

// Key is x: what a server has to keep of a password.
func (i Identity) Key(salt []byte, password userpool.Secret) []byte {
	inner := sha256.Sum256([]byte(i.Pool + i.User + ":" + password.Reveal()))
	sum := sha256.Sum256(append(padded(new(big.Int).SetBytes(salt)), inner[:]...))
	return sum[:]
}

// ErrNumber is the error of a client's number that the protocol does not allow.
var ErrNumber = errors.New("SRP_A is not a hexadecimal number that the group does not divide")

// Number reads A, which a client sends in hexadecimal digits.
func Number(digits string) (*big.Int, error) {
	const most = 1024 // digits; the group has 768
	if digits == "" || len(digits) > most || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return nil, ErrNumber
	}
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || new(big.Int).Mod(n, group).Sign() == 0 {
		return nil, ErrNumber
	}
	return n, nil
}

// Exchange is one sign-in. It holds no password; it is not changed once begun.
type Exchange struct {
	identity Identity
	key      []byte // of 16 bytes, that the client must have too
	b        *big.Int
}

// Begin answers a client's A for a user of whom x is kept.
func Begin(i Identity, x []byte, a *big.Int) (*Exchange, error) {
	verifier := new(big.Int).Exp(generator, new(big.Int).SetBytes(x), group)
	for {
		raw := make([]byte, 32)
		_, _ = rand.Read(raw) // never fails
		secret := new(big.Int).SetBytes(raw)
		b := new(big.Int).Exp(generator, secret, group)
		b.Add(b, new(big.Int).Mul(multiplier, verifier))
		b.Mod(b, group)
		u := hashed(padded(a), padded(b))
		if b.Sign() == 0 || u.Sign() == 0 {
			continue // a client must refuse either
		}
		s := new(big.Int).Exp(verifier, u, group)
		s.Mul(s, a)
		s.Exp(s.Mod(s, group), secret, group)
		key, err := hkdf.Key(sha256.New, padded(s), padded(u), "Caldera Derived Key", 16)
		if err != nil {
			return nil, fmt.Errorf("derive the key of an SRP exchange: %w", err)
		}
		return &Exchange{identity: i, key: key, b: b}, nil
	}
}

// B is the server's number in hexadecimal digits.
func (e *Exchange) B() string { return e.b.Text(16) }

// Proves reports whether claim is the signature that only a client with the
// password can make, over the secret block that it got and its timestamp.
func (e *Exchange) Proves(claim, block []byte, timestamp string) bool {
	mac := hmac.New(sha256.New, e.key)
	mac.Write([]byte(e.identity.Pool + e.identity.User))
	mac.Write(block)
	mac.Write([]byte(timestamp))
	return hmac.Equal(claim, mac.Sum(nil))
}
