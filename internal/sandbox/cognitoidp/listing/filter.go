package listing

import (
	"slices"
	"strings"
	"unicode/utf8"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
)

// searchable lists the attributes that a filter may name (ListUsers reference).
var searchable = []string{"username", "email", "phone_number", "name", "given_name", "family_name",
	"preferred_username", "cognito:user_status", "status", "sub"}

// ParseFilter reads a filter: an attribute, = or ^=, and a value in double
// quotes, in which \" and \\ stand for the characters themselves. The empty
// filter selects every user. Values are compared case-sensitively but for
// cognito:user_status. Errors are InvalidParameterExceptions.
func ParseFilter(text string) (directory.Query, error) {
	if utf8.RuneCountInString(text) > 256 {
		return directory.Query{}, pool.Constraint("filter", "have length less than or equal to 256")
	}
	if text == "" {
		return directory.Query{Attribute: "sub"}, nil
	}
	bad := pool.Invalid("Error while parsing filter.")
	name, rest, ok := strings.Cut(strings.TrimLeft(text, " "), "=")
	if !ok || !utf8.ValidString(text) {
		return directory.Query{}, bad
	}
	q := directory.Query{Exact: true}
	if trimmed, prefix := strings.CutSuffix(name, "^"); prefix {
		name, q.Exact = trimmed, false
	}
	q.Attribute = strings.TrimRight(name, " ")
	if q.Value, ok = unquote(strings.Trim(rest, " ")); !ok || q.Attribute == "" || strings.ContainsAny(q.Attribute, " \"^\\") {
		return directory.Query{}, bad
	}
	if !slices.Contains(searchable, q.Attribute) {
		return directory.Query{}, pool.Invalid("Invalid search attribute: %s", q.Attribute)
	}
	if q.Attribute == "cognito:user_status" {
		q.Value = strings.ToUpper(q.Value)
	}
	return q, nil
}

// unquote reads a value in double quotes that ends where the text ends.
func unquote(text string) (string, bool) {
	inner, ok := strings.CutPrefix(text, `"`)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '\\' && i+1 < len(inner) && (inner[i+1] == '"' || inner[i+1] == '\\'):
			i++
			b.WriteByte(inner[i])
		case c == '"':
			return b.String(), i == len(inner)-1
		case c == 0:
			return "", false // separates value and sub in an index
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
