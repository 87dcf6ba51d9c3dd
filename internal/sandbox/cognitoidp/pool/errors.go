package pool

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// Fail is an error of the Cognito API with the HTTP status that its model gives
// the code; codes that the switch does not name are 400.
func Fail(code, format string, args ...any) *wire.Error {
	status := http.StatusBadRequest
	switch code {
	case "NotAuthorizedException":
		status = http.StatusForbidden
	case "UserNotFoundException", "ResourceNotFoundException", "MFAMethodNotFoundException", "SoftwareTokenMFANotFoundException":
		status = http.StatusNotFound
	case "TooManyRequestsException":
		status = http.StatusTooManyRequests
	}
	return wire.Errorf(status, code, format, args...)
}

// NotAuthorized is a NotAuthorizedException.
func NotAuthorized(format string, args ...any) *wire.Error {
	return Fail("NotAuthorizedException", format, args...)
}

// Invalid is an InvalidParameterException.
func Invalid(format string, args ...any) *wire.Error {
	return Fail("InvalidParameterException", format, args...)
}

// Constraint is the InvalidParameterException of a member that breaks the
// model. It never quotes the value, which may be a password.
func Constraint(member, must string) *wire.Error {
	return Invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must %s", member, must)
}

// CheckName checks a submitted username or alias: 1 to 128 characters without
// spaces (UsernameType).
func CheckName(member, name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n < 1:
		return Constraint(member, "have length greater than or equal to 1")
	case n > 128:
		return Constraint(member, "have length less than or equal to 128")
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P)
	}):
		return Constraint(member, `satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+`)
	}
	return nil
}

// CheckPassword checks a submitted password: at most 256 characters, no space at
// either end (PasswordType).
func CheckPassword(member string, password userpool.Secret) error {
	text := password.Reveal()
	switch {
	case utf8.RuneCountInString(text) > 256:
		return Constraint(member, "have length less than or equal to 256")
	case text == "" || text != strings.TrimSpace(text):
		return Constraint(member, `satisfy regular expression pattern: ^[\S]+.*[\S]+$`)
	}
	return nil
}

// Present drops attributes without a value: an empty value removes one.
func Present(values map[string]string) userpool.Attributes {
	kept := make(userpool.Attributes, len(values))
	for name, value := range values {
		if value != "" {
			kept[name] = value
		}
	}
	return kept
}

// UserError is Cognito's error for an error of the directory.
func UserError(err error) error {
	if taken, ok := errors.AsType[*directory.AliasError](err); ok {
		return Fail("AliasExistsException", "An account with the given %s already exists.", taken.Attribute)
	}
	switch {
	case errors.Is(err, directory.ErrUserNotFound):
		return Fail("UserNotFoundException", "User does not exist.")
	case errors.Is(err, directory.ErrUsernameExists):
		return Fail("UsernameExistsException", "User account already exists")
	case errors.Is(err, directory.ErrGroupNotFound):
		return Fail("ResourceNotFoundException", "Group not found.")
	case errors.Is(err, directory.ErrGroupExists):
		return Fail("GroupExistsException", "A group with the name already exists.")
	}
	if broken, ok := errors.AsType[*schema.Error](err); ok {
		return Invalid("%v", broken)
	}
	return err
}
