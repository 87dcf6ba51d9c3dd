package userpool

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// MFAMode is Cognito's MfaConfiguration.
type MFAMode string

// The MFA modes.
const (
	MFAOff      MFAMode = "OFF"
	MFAOptional MFAMode = "OPTIONAL"
	MFAOn       MFAMode = "ON"
)

// Pool is what a migration needs to know of a pool's settings.
type Pool struct {
	ID     string
	Schema Schema
	// Aliases are the attributes that the pool accepts as names beside the
	// username; UsernameAttributes are those that it accepts instead of one.
	// At most one of the two is set, and neither can be changed later.
	Aliases            []string
	UsernameAttributes []string
	CaseSensitive      bool
	MFA                MFAMode
	SMSMFA             bool // MFA is not off and the pool can send SMS
	// PreTokenGeneration is set where a trigger may change the claims of ID
	// tokens, so that they no longer prove the attributes.
	PreTokenGeneration bool
}

// Reasons why a target user cannot be known by the name that was typed.
const (
	ReasonNameNotCarried   = "name_not_carried"  // the user would be created under a name that is not theirs
	ReasonUsernameUnusable = "username_unusable" // no username can be made for the user
)

// UsernameMember is the member of the trigger's userAttributes that names the
// new user; it is no attribute.
const UsernameMember = "username"

// maxUsername is Cognito's limit in characters (Cognito API reference).
const maxUsername = 128

// Admit completes the attributes of a user whom the pool is about to create
// from a migration trigger, so that the typed name finds the user afterwards.
// The rules are those of the Cognito Developer Guide's migrate-user page:
//
//   - pools with username attributes generate the username; the typed address
//     or number must be among the attributes;
//   - pools with alias attributes, typed name an alias: the attribute holds the
//     name as typed and a unique username of our own is returned;
//   - otherwise Cognito makes the typed name the username, so it must be the
//     user's own, and is left out.
//
// It returns a reason from the list above, empty where nothing is in the way;
// attributes is not changed.
func (p Pool) Admit(typed string, source User, attributes Attributes) (Attributes, string) {
	out := attributes.Clone()
	if len(p.UsernameAttributes) > 0 {
		for _, name := range p.UsernameAttributes {
			if p.SameName(out[name], typed) {
				return out, ""
			}
		}
		return nil, ReasonNameNotCarried
	}
	alias := p.aliasOf(typed, out)
	if alias == "" {
		// Under any other name the user would be created now, and once more under
		// the right one later.
		if !p.SameName(typed, p.usernameFor(source)) || p.onlyAlias(typed) {
			return nil, ReasonNameNotCarried
		}
		return out, ""
	}
	out[alias] = typed
	username := source.Username
	if p.onlyAlias(username) {
		username = string(source.Sub)
	}
	if username == "" || utf8.RuneCountInString(username) > maxUsername {
		return nil, ReasonUsernameUnusable
	}
	out[UsernameMember] = username
	return out, ""
}

// usernameFor is the one username under which a source user may be created when
// no alias was typed: the source's own, or, where the source generated it (its
// users sign in by address or number), the address or number.
func (p Pool) usernameFor(source User) string {
	if source.Username != string(source.Sub) || len(p.Aliases) > 0 {
		return source.Username
	}
	if email := source.Attributes[AttrEmail]; email != "" {
		return email
	}
	return source.Attributes[AttrPhoneNumber]
}

// aliasOf names the alias attribute whose value was typed, or "".
func (p Pool) aliasOf(typed string, attributes Attributes) string {
	for _, name := range p.Aliases {
		if value := attributes[name]; value != "" && p.SameName(value, typed) {
			return name
		}
	}
	return ""
}

// SameName reports whether the pool takes two names for the same.
func (p Pool) SameName(a, b string) bool {
	if p.CaseSensitive {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// onlyAlias reports names that the pool takes as aliases and therefore refuses
// as usernames: addresses and numbers.
func (p Pool) onlyAlias(name string) bool {
	return slices.Contains(p.Aliases, AttrEmail) && IsEmail(name) ||
		slices.Contains(p.Aliases, AttrPhoneNumber) && IsPhone(name)
}

// IDTokenLoses lists the attributes that an ID token of the source pool would
// not carry though the mapping reads them, given the attributes that the app
// client may read. Nil means that the token alone is enough and AdminGetUser
// can be saved. A PreTokenGeneration trigger may drop or change any claim, so
// with one every attribute counts as lost.
func (p Pool) IDTokenLoses(m Mapping, clientReads []string) []string {
	defined := make([]string, 0, len(p.Schema))
	for name := range p.Schema {
		defined = append(defined, name)
	}
	slices.Sort(defined)
	needed := m.Reads(defined)
	if p.PreTokenGeneration {
		return needed
	}
	var lost []string
	for _, name := range needed {
		if !slices.Contains(clientReads, name) {
			lost = append(lost, name)
		}
	}
	return lost
}
