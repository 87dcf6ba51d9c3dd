package path

import (
	"fmt"
	"strings"
	"unicode"
)

// normal rewrites a path into brackets: $.a-b.c becomes $['a-b']['c']. In Step
// Functions a name after a dot runs to the next dot, bracket or blank; the
// library's names are narrower. What stands in brackets is left as it is.
func normal(text string) (string, error) {
	var out strings.Builder
	out.WriteByte('$')
	for rest := text[1:]; rest != ""; {
		switch {
		case rest[0] == '[':
			end, err := closing(rest)
			if err != nil {
				return "", err
			}
			writeBracket(&out, rest[:end])
			rest = rest[end:]
		case strings.HasPrefix(rest, "..["):
			out.WriteString("..")
			rest = rest[2:]
		case rest[0] == '.':
			rest = rest[1:]
			if rest != "" && rest[0] == '.' {
				out.WriteString("..")
				rest = rest[1:]
			}
			name := rest
			if end := strings.IndexAny(rest, ".["); end >= 0 {
				name = rest[:end]
			}
			rest = rest[len(name):]
			if err := writeName(&out, name); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("unexpected %q", rest)
		}
	}
	return out.String(), nil
}

func writeName(out *strings.Builder, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a name is missing after a dot")
	case name == "*":
		out.WriteString("[*]")
		return nil
	case strings.ContainsAny(name, "*()?@,:'\"\\]") || strings.ContainsFunc(name, unicode.IsSpace):
		return fmt.Errorf("name %q must stand in brackets and quotes", name)
	}
	out.WriteString("['" + name + "']")
	return nil
}

// writeBracket copies a bracket. In the names that Step Functions finds in
// quotes a backslash stands for itself, unless it is before one of its kind or
// before the quote; in the library's it always takes the next character.
func writeBracket(out *strings.Builder, text string) {
	quote := text[1]
	if quote != '\'' && quote != '"' {
		out.WriteString(text)
		return
	}
	for i := 0; i < len(text); i++ {
		out.WriteByte(text[i])
		if text[i] != '\\' {
			continue
		}
		if next := text[i+1]; next == '\\' || next == quote { // there is one: the quote is closed
			i++
			out.WriteByte(next)
		} else {
			out.WriteByte('\\')
		}
	}
}

// closing finds the end of the bracket that a text begins with.
func closing(text string) (int, error) {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
	}
	return 0, fmt.Errorf("a bracket is not closed")
}
