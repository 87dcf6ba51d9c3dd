// Package directory holds the users and groups of one user pool: who is found
// under which name, which names are taken, and in which order they are listed.
//
// Vocabulary: a username is unique in the pool; an alias is an attribute value
// that also finds its user; an owner is the one user whom an alias finds; a key
// is a position in an index. A *User that the directory hands out is a snapshot
// that nobody changes: Update puts another one in its place.
package directory

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

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

// Hash is a salted SHA-256 of a password. The zero Hash matches nothing: the
// user has no password. One round is enough for a sandbox, whose passwords are
// made up, and keeps thousands of sign-ins a second possible.
type Hash struct {
	Salt, Sum []byte
}

// NewHash hashes a password.
func NewHash(salt []byte, password userpool.Secret) Hash {
	return Hash{Salt: salt, Sum: sum(salt, password)}
}

// Empty reports that there is no password.
func (h Hash) Empty() bool { return len(h.Sum) == 0 }

// Matches reports whether password is the one that was hashed.
func (h Hash) Matches(password userpool.Secret) bool {
	return !h.Empty() && subtle.ConstantTimeCompare(h.Sum, sum(h.Salt, password)) == 1
}

func sum(salt []byte, password userpool.Secret) []byte {
	s := sha256.New()
	s.Write(salt)
	s.Write([]byte(password.Reveal()))
	return s.Sum(nil)
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
