package manifest

import (
	"slices"
	"strings"
	"unicode"
)

// secretStems make a name secret-like wherever they stand in it, once its
// separators are taken out.
var secretStems = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "credential",
	"accesskey", "apikey", "privatekey", "signingkey",
	"bcrypt", "scrypt", "argon2", "pbkdf2",
}

// secretWords make a name secret-like where they are a word of it, or the end
// of one, as in refreshtoken.
var secretWords = []string{"token", "tokens", "hash", "hashes", "jwt", "otp", "totp", "salt", "pwd"}

// SecretLike reports whether an attribute's name sounds like that of a
// password, a hash of one, a token, a key or a one-time code. No such attribute
// is ever staged: pools that once took over users from elsewhere do hold old
// password hashes in custom attributes. A name that only sounds like one
// (custom:token_balance) has to be renamed or left behind.
func SecretLike(name string) bool {
	var plain strings.Builder
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			plain.WriteRune(unicode.ToLower(r))
		}
	}
	if slices.ContainsFunc(secretStems, func(stem string) bool { return strings.Contains(plain.String(), stem) }) {
		return true
	}
	for _, word := range words(name) {
		if slices.ContainsFunc(secretWords, func(end string) bool { return strings.HasSuffix(word, end) }) {
			return true
		}
	}
	return false
}

// words splits a name at everything that is no letter or digit, and before a
// capital that follows a small letter.
func words(name string) []string {
	var split strings.Builder
	last := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			split.WriteByte(' ')
		}
		split.WriteRune(unicode.ToLower(r))
		last = r
	}
	return strings.FieldsFunc(split.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
