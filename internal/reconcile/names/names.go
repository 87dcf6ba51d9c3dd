// Package names tells which users of two pools share a name, in memory that does
// not grow with the pools. It joins those who are one person and were not moved
// by the trigger, and finds those who are in each other's way.
//
// Vocabulary: a name is an e-mail address, phone number or username under which
// the target pool would know a user; it opens where the target lets its owner in
// under it; an identity is the source sub of a user, or the own sub of a target
// user without custom:legacy_sub, who is unlinked; a name is contested when it
// belongs to more than one identity; a claim is one user's part in a contested
// name; the staged are the users of the source side, the arrived those of the
// target; a join is the conclusion that a staged and an unlinked arrived user
// are one person.
package names

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

	"poolferry/internal/userpool"
)

// Kind is what a name is.
type Kind byte

// The kinds of names. Their numbers are written into claims.
const (
	Email             Kind = 1
	Phone             Kind = 2
	Username          Kind = 3
	PreferredUsername Kind = 4
)

// String returns the kind as a code word, such as "email".
func (k Kind) String() string {
	switch k {
	case Email:
		return "email"
	case Phone:
		return "phone"
	case Username:
		return "username"
	case PreferredUsername:
		return "preferred_username"
	}
	return "unknown"
}

// space is the kind among whose names a name is looked for at sign-in: a
// preferred_username is found as a username is.
func (k Kind) space() Kind {
	if k == PreferredUsername {
		return Username
	}
	return k
}

// Name is one name of a user.
type Name struct {
	Kind     Kind
	Value    string // normalised: two users share a name where kind and value are the same
	Exact    string // as the pool has it
	Verified bool   // an e-mail address or phone number that is marked verified
	Opens    bool   // the target lets its owner in under it
}

// Of returns the names by which the target pool would know a user. For a staged
// user, whose attributes are mapped already, these are the names that the user
// would have there; for a user of the target pool, those that they have.
//
// An e-mail address opens a pool whose usernames are addresses, verified or not,
// and otherwise one that has it as an alias and knows it as verified (Cognito
// Developer Guide, user pool attributes). Addresses and numbers that do not open
// are returned all the same: two users may be joined by them.
func Of(u userpool.User, pool userpool.Pool) []Name {
	all := make([]Name, 0, 4)
	for _, is := range []struct {
		kind Kind
		attr string
		form func(string) bool
	}{{Email, userpool.AttrEmail, userpool.IsEmail}, {Phone, userpool.AttrPhoneNumber, userpool.IsPhone}} {
		exact := u.Attributes[is.attr]
		if value := strings.TrimSpace(exact); is.form(value) {
			verified := u.Attributes.Verified(is.attr)
			opens := has(pool.UsernameAttributes, is.attr) || has(pool.Aliases, is.attr) && verified
			all = append(all, Name{is.kind, fold(value), exact, verified, opens})
		}
	}
	if len(pool.UsernameAttributes) == 0 {
		if name := usernameAt(u, pool); name != "" {
			all = append(all, Name{Username, sameness(name, pool), name, false, true})
		}
	}
	if name := u.Attributes[userpool.AttrPreferredUsername]; name != "" && has(pool.Aliases, userpool.AttrPreferredUsername) {
		all = append(all, Name{PreferredUsername, sameness(name, pool), name, false, true})
	}
	return all
}

// usernameAt returns the username under which the pool has the user, or would
// create them; userpool.Pool.Admit has the same rules. A pool without aliases
// knows a user of generated username by the address or number they sign in with.
func usernameAt(u userpool.User, pool userpool.Pool) string {
	if len(pool.Aliases) == 0 && u.Username == string(u.Sub) {
		return cmp.Or(u.Attributes[userpool.AttrEmail], u.Attributes[userpool.AttrPhoneNumber])
	}
	if has(pool.Aliases, userpool.AttrEmail) && userpool.IsEmail(u.Username) ||
		has(pool.Aliases, userpool.AttrPhoneNumber) && userpool.IsPhone(u.Username) {
		return string(u.Sub)
	}
	return u.Username
}

func has(list []string, name string) bool {
	for _, in := range list {
		if in == name {
			return true
		}
	}
	return false
}

// sameness maps names that userpool.Pool.SameName takes for one to one text.
func sameness(name string, pool userpool.Pool) string {
	if pool.CaseSensitive {
		return name
	}
	return fold(name)
}

// fold maps texts that strings.EqualFold takes for one to one text.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && r != 'k' && r != 'K' && r != 's' && r != 'S' {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		return least
	}, text)
}

// Record is a name and an identity in ten bytes: six of the name's hash, four of
// the identity's, both big-endian, so that sorted records bring the identities of
// a name together. Two names of one hash make a name look contested that is not;
// two identities of one name and hash, one in four thousand million, hide one.
type Record [10]byte

// RecordOf returns the record of a name and the identity that it belongs to.
func RecordOf(n Name, identity string) (r Record) {
	var buf [8]byte
	binary.BigEndian.PutUint64(buf[:], n.Hash())
	copy(r[:6], buf[2:])
	sum := sha256.Sum256([]byte(identity))
	copy(r[6:], sum[4:8]) // their low bits are those that buckets are made of: see shuffle.BucketOf
	return r
}

// Hash returns 48 bits of a hash of the name, the same for all who share it.
func (n Name) Hash() uint64 {
	return hashOf(n.Kind, n.Value)
}

func hashOf(kind Kind, value string) uint64 {
	buf := make([]byte, 0, 128)
	buf = append(append(buf, byte(kind.space())), value...)
	sum := sha256.Sum256(buf)
	return binary.BigEndian.Uint64(sum[:8]) >> 16
}

// Hash returns the hash of the record's name.
func (r Record) Hash() uint64 {
	return uint64(binary.BigEndian.Uint16(r[:]))<<32 | uint64(binary.BigEndian.Uint32(r[2:]))
}
