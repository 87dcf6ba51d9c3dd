// Package tokens makes and checks the tokens of a user pool: RS256 ID and access
// tokens with Cognito's claims, opaque refresh tokens, and the documents under
// /.well-known that let anybody verify the signed ones.
//
// Vocabulary: a grant is one sign-in, from which every token descends; a
// subject is whom the tokens of a grant are about. Tokens are Secrets.
package tokens

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"poolferry/internal/userpool"
)

// Issuer makes the tokens of one pool. It is safe for concurrent use.
type Issuer struct {
	url   func() string // of the pool, the iss claim
	newID func() string // a fresh UUID
	key   func() (*rsa.PrivateKey, string)

	mu      sync.Mutex
	refresh map[[sha256.Size]byte]Grant
	revoked map[string]bool // by OriginJTI
}

// New returns an issuer whose RSA-2048 key is made at first use: a key costs a
// tenth of a second, and many pools never sign anything.
func New(url, newID func() string) *Issuer {
	return &Issuer{url: url, newID: newID, refresh: map[[sha256.Size]byte]Grant{}, revoked: map[string]bool{},
		key: sync.OnceValues(func() (*rsa.PrivateKey, string) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(fmt.Sprintf("generate an RSA key: %v", err)) // 2048 is a legal size and the reader never fails
			}
			sum := sha256.Sum256(key.N.Bytes())
			return key, base64.RawURLEncoding.EncodeToString(sum[:])
		})}
}

// Grant is one sign-in.
type Grant struct {
	Sub       userpool.Sub
	ClientID  string
	AuthTime  time.Time
	OriginJTI string
	Expires   time.Time // of the refresh token
}

// Subject is what the tokens of a grant say.
type Subject struct {
	Username string
	Claims   map[string]any // of the ID token: readable attributes, cognito:groups, what a trigger added
	Groups   []string       // of the access token
	ID       time.Duration  // validity of the ID token
	Access   time.Duration  // validity of the access token
}

// Set is what a client gets.
type Set struct {
	ID, Access userpool.Secret
	Refresh    userpool.Secret // empty where the grant was refreshed
	ExpiresIn  int             // seconds, of the access token
}

// Grant starts a grant and returns its refresh token, which is kept as a digest
// only.
func (i *Issuer) Grant(sub userpool.Sub, clientID string, now time.Time, life time.Duration) (Grant, userpool.Secret) {
	g := Grant{Sub: sub, ClientID: clientID, AuthTime: now, OriginJTI: i.newID(), Expires: now.Add(life)}
	raw := make([]byte, 48)
	_, _ = rand.Read(raw) // never fails
	token := "sandbox." + base64.RawURLEncoding.EncodeToString(raw)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refresh[sha256.Sum256([]byte(token))] = g
	return g, userpool.NewSecret(token)
}

// Errors of a token that was good once.
var (
	ErrExpired = errors.New("token has expired")
	ErrRevoked = errors.New("token has been revoked")
)

// Refreshed returns the grant of a refresh token, which is the zero Grant for a
// token that is unknown, and ErrExpired or ErrRevoked.
func (i *Issuer) Refreshed(token userpool.Secret, now time.Time) (Grant, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	g := i.refresh[sha256.Sum256([]byte(token.Reveal()))]
	switch {
	case i.revoked[g.OriginJTI]:
		return g, ErrRevoked
	case !now.Before(g.Expires):
		return g, ErrExpired
	}
	return g, nil
}

// Revoke ends a grant: its refresh token and its access tokens are no longer
// good.
func (i *Issuer) Revoke(g Grant) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revoked[g.OriginJTI] = true
}

// SignOut ends all grants of a user.
func (i *Issuer) SignOut(sub userpool.Sub) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, g := range i.refresh {
		if g.Sub == sub {
			i.revoked[g.OriginJTI] = true
		}
	}
}

// Issue signs the ID and access token of a grant.
func (i *Issuer) Issue(g Grant, s Subject, now time.Time) (Set, error) {
	common := jwt.MapClaims{
		"sub": string(g.Sub), "iss": i.url(), "origin_jti": g.OriginJTI, "event_id": i.newID(),
		"auth_time": g.AuthTime.Unix(), "iat": now.Unix(),
	}
	id := jwt.MapClaims(maps.Clone(s.Claims))
	if id == nil {
		id = jwt.MapClaims{}
	}
	maps.Copy(id, common)
	maps.Copy(id, jwt.MapClaims{"aud": g.ClientID, "token_use": "id", "cognito:username": s.Username,
		"exp": now.Add(s.ID).Unix(), "jti": i.newID()})
	access := maps.Clone(common)
	maps.Copy(access, jwt.MapClaims{"client_id": g.ClientID, "token_use": "access", "username": s.Username,
		"scope": "aws.cognito.signin.user.admin", "exp": now.Add(s.Access).Unix(), "jti": i.newID()})
	if len(s.Groups) > 0 {
		access["cognito:groups"] = s.Groups
	}
	idToken, err := i.sign(id)
	if err != nil {
		return Set{}, err
	}
	accessToken, err := i.sign(access)
	if err != nil {
		return Set{}, err
	}
	return Set{ID: idToken, Access: accessToken, ExpiresIn: int(s.Access / time.Second)}, nil
}

func (i *Issuer) sign(claims jwt.MapClaims) (userpool.Secret, error) {
	key, kid := i.key()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header = map[string]any{"alg": "RS256", "kid": kid} // Cognito sends no typ
	text, err := token.SignedString(key)
	if err != nil {
		return userpool.Secret{}, fmt.Errorf("sign a token: %w", err)
	}
	return userpool.NewSecret(text), nil
}

// Access checks an access token of this pool and returns whom and which client
// it is about. The error is ErrExpired, ErrRevoked or one that says what is wrong
// with the token.
func (i *Issuer) Access(token userpool.Secret, now time.Time) (sub userpool.Sub, clientID string, err error) {
	key, _ := i.key()
	var claims struct {
		jwt.RegisteredClaims
		TokenUse string `json:"token_use"`
		ClientID string `json:"client_id"`
		Origin   string `json:"origin_jti"`
	}
	_, err = jwt.ParseWithClaims(token.Reveal(), &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(i.url()), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return "", "", ErrExpired
	case err != nil:
		return "", "", errors.New("token is not valid") // not err: it can quote the token
	case claims.TokenUse != "access":
		return "", "", errors.New("token is not an access token")
	case i.ended(claims.Origin):
		return "", "", ErrRevoked
	}
	return userpool.Sub(claims.Subject), claims.ClientID, nil
}

func (i *Issuer) ended(originJTI string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.revoked[originJTI]
}

// IssuerOf reads the iss claim of a token that is not checked yet, to find the
// pool that can check it.
func IssuerOf(token userpool.Secret) (string, bool) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token.Reveal(), &claims); err != nil {
		return "", false
	}
	return claims.Issuer, claims.Issuer != ""
}

// JWKS is the document /.well-known/jwks.json.
func (i *Issuer) JWKS() []byte {
	key, kid := i.key()
	return document(map[string]any{"keys": []any{map[string]string{
		"alg": "RS256", "use": "sig", "kty": "RSA", "kid": kid,
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
	}}})
}

// Configuration is the document /.well-known/openid-configuration, as far as it
// is true of a pool without a domain.
func (i *Issuer) Configuration() []byte {
	return document(map[string]any{
		"issuer":                                i.url(),
		"jwks_uri":                              i.url() + "/.well-known/jwks.json",
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"subject_types_supported":               []string{"public"},
		"response_types_supported":              []string{"code", "token"},
		"scopes_supported":                      []string{"openid", "email", "phone", "profile"},
	})
}

func document(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal a constant shape: %v", err))
	}
	return data
}
