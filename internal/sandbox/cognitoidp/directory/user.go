// Package directory holds the users and groups of one user pool: who is found
// under which name, which names are taken, and in which order they are listed.
//
// Vocabulary: a username is unique in the pool; an alias is an attribute value
// that also finds its user; an owner is the one user whom an alias finds; a key
// is a position in an index. A *User that the directory hands out is a snapshot
// that nobody changes: Update puts another one in its place.
package directory

import (
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/cognitoidp/srp"
	"poolferry/internal/userpool"
)

// User is one user as the pool stores it.
type User struct {
	Username    string
	Sub         userpool.Sub
	Attributes  userpool.Attributes // without sub
	Enabled     bool
	Status      userpool.Status
	Created     time.Time
	Modified    time.Time
	Groups      []string // sorted
	Factors     Factors
	Password    Hash
	PasswordSet time.Time // when a temporary password was given out
}

// Factors are a user's second factors.
type Factors struct {
	SMS, Email, TOTP bool
	Preferred        string          // SMS_MFA, EMAIL_OTP, SOFTWARE_TOKEN_MFA or ""
	TOTPSecret       userpool.Secret // base32; may be there while TOTP is off
	TOTPUsed         int64           // the last time step whose code was accepted
}

// The names of second factors in UserMFASettingList.
const (
	FactorSMS   = "SMS_MFA"
	FactorEmail = "EMAIL_OTP"
	FactorTOTP  = "SOFTWARE_TOKEN_MFA"
)

// Names lists the factors that are on, as UserMFASettingList does.
func (f Factors) Names() []string {
	var names []string
	if f.SMS {
		names = append(names, FactorSMS)
	}
	if f.Email {
		names = append(names, FactorEmail)
	}
	if f.TOTP {
		names = append(names, FactorTOTP)
	}
	return names
}

// Public is the user without password and secrets.
func (u *User) Public() userpool.User {
	attributes := u.Attributes.Clone()
	if attributes == nil {
		attributes = userpool.Attributes{}
	}
	attributes[userpool.AttrSub] = string(u.Sub)
	return userpool.User{Sub: u.Sub, Username: u.Username, Attributes: attributes, Enabled: u.Enabled,
		Status: u.Status, Groups: slices.Clone(u.Groups), MFA: u.Factors.Names(), Created: u.Created, Modified: u.Modified}
}

// Hash is what the pool keeps of a password: the key of an SRP exchange, which is
// a salted SHA-256, so that one digest serves both ways to sign in. The zero Hash
// matches nothing: the user has no password. Two rounds are enough for a sandbox,
// whose passwords are made up, and keep thousands of sign-ins a second possible.
type Hash struct {
	Salt, Sum []byte
}

// NewHash hashes the password of an identity.
func NewHash(salt []byte, of srp.Identity, password userpool.Secret) Hash {
	return Hash{Salt: salt, Sum: of.Key(salt, password)}
}

// Empty reports that there is no password.
func (h Hash) Empty() bool { return len(h.Sum) == 0 }

// Matches reports whether password is the one that was hashed.
func (h Hash) Matches(of srp.Identity, password userpool.Secret) bool {
	return !h.Empty() && subtle.ConstantTimeCompare(h.Sum, of.Key(h.Salt, password)) == 1
}

// value is what an index sorts u by; ok is false where u has no such value.
func (u *User) value(attribute string) (value string, ok bool) {
	switch attribute {
	case "sub":
		return string(u.Sub), true
	case "username":
		return u.Username, true
	case "cognito:user_status":
		return strings.ToUpper(string(u.Status)), true
	case "status":
		if u.Enabled {
			return "Enabled", true
		}
		return "Disabled", true
	}
	value, ok = u.Attributes[attribute]
	return value, ok && value != ""
}

// clone returns a copy that an update may change.
func (u *User) clone() *User {
	next := *u
	next.Attributes = u.Attributes.Clone()
	if next.Attributes == nil {
		next.Attributes = userpool.Attributes{}
	}
	next.Groups = slices.Clone(u.Groups)
	return &next
}
