// Package userpool holds the words of a Cognito user pool as poolferry uses
// them: users, attributes, the pool's schema and sign-in rules, and the mapping
// that turns a source user into a target user. It is pure: no I/O, no SDK.
//
// Vocabulary: a name is what a person types at sign-in; a username is the key
// under which a pool stores the user; an alias is an attribute (email,
// phone_number, preferred_username) that a pool also accepts as a name; sub is
// the pool's own immutable id of the user. A password, token or client secret
// is a Secret, never a string.
package userpool
