package schema

import (
	"strings"
	"unicode/utf8"
)

// PasswordPolicy is PasswordPolicyType of the Cognito API.
type PasswordPolicy struct {
	MinimumLength                 int // 6 to 99
	RequireUppercase              bool
	RequireLowercase              bool
	RequireNumbers                bool
	RequireSymbols                bool
	PasswordHistorySize           int `json:",omitempty"`
	TemporaryPasswordValidityDays int // 0 means 7
}

// DefaultPolicy is what a pool gets that was created without one.
func DefaultPolicy() PasswordPolicy {
	return PasswordPolicy{MinimumLength: 8, RequireUppercase: true, RequireLowercase: true,
		RequireNumbers: true, RequireSymbols: true, TemporaryPasswordValidityDays: 7}
}

// Symbols are the characters that count as symbols (Cognito Developer Guide,
// adding user pool password requirements); a space inside counts too.
const Symbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-"

// Check returns what the password lacks in the words of Cognito's
// InvalidPasswordException, or "".
func (p PasswordPolicy) Check(password string) string {
	const prefix = "Password did not conform with policy: "
	switch {
	case utf8.RuneCountInString(password) < p.MinimumLength:
		return prefix + "Password not long enough"
	case p.RequireUppercase && !strings.ContainsFunc(password, func(r rune) bool { return r >= 'A' && r <= 'Z' }):
		return prefix + "Password must have uppercase characters"
	case p.RequireLowercase && !strings.ContainsFunc(password, func(r rune) bool { return r >= 'a' && r <= 'z' }):
		return prefix + "Password must have lowercase characters"
	case p.RequireNumbers && !strings.ContainsFunc(password, func(r rune) bool { return r >= '0' && r <= '9' }):
		return prefix + "Password must have numeric characters"
	case p.RequireSymbols && !strings.ContainsAny(strings.TrimSpace(password), Symbols+" "):
		return prefix + "Password must have symbol characters"
	}
	return ""
}
