// Package intrinsic parses and evaluates the intrinsic functions of the Amazon
// States Language, such as States.Format('{} of {}', $.done, $.all).
//
// Words: a call is a function with its arguments; an argument is a literal, a
// path or another call.
package intrinsic

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"poolferry/internal/sandbox/states/path"
)

// maxDepth is how deep calls may be nested (Step Functions Developer Guide,
// intrinsic functions).
const maxDepth = 10

// Call is a parsed function call.
type Call struct {
	text      string
	name      string
	arguments []argument
}

// argument is one of: a literal, a path, a call.
type argument struct {
	literal any
	raw     string // of a literal string: the text between the quotes, with its escapes
	quoted  bool
	path    *path.Path
	call    *Call
}

// String is the call as it was written.
func (c *Call) String() string { return c.text }

// Is reports whether a text is meant as a call rather than as a path.
func Is(text string) bool { return strings.HasPrefix(text, "States.") }

// Parse reads a call. The error says what is wrong, for a person.
func Parse(text string) (*Call, error) {
	p := &parser{rest: text}
	call, err := p.call(1)
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = fmt.Errorf("unexpected %q after the call", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("intrinsic function %q: %w", text, err)
	}
	return call, nil
}

type parser struct{ rest string }

var (
	nameShape   = regexp.MustCompile(`^States\.[A-Za-z0-9]+`)
	numberShape = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
	wordShape   = regexp.MustCompile(`^(true|false|null)\b`)
)

func (p *parser) space() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

func (p *parser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *parser) call(depth int) (*Call, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d calls inside each other", maxDepth)
	}
	p.space()
	whole := p.rest
	name := nameShape.FindString(p.rest)
	f, known := functions[name]
	if !known {
		return nil, fmt.Errorf("no function begins %.40q", p.rest)
	}
	p.rest = p.rest[len(name):]
	p.space()
	if !p.take("(") {
		return nil, fmt.Errorf("%s is not followed by (", name)
	}
	c := &Call{name: name}
	for p.space(); !p.take(")"); p.space() {
		if len(c.arguments) > 0 && !p.take(",") {
			return nil, fmt.Errorf("arguments of %s: want , or ) before %.40q", name, p.rest)
		}
		a, err := p.argument(depth)
		if err != nil {
			return nil, err
		}
		c.arguments = append(c.arguments, a)
	}
	if n := len(c.arguments); n < f.least || f.most >= 0 && n > f.most {
		return nil, fmt.Errorf("%s does not take %d arguments", name, n)
	}
	c.text = whole[:len(whole)-len(p.rest)]
	return c, nil
}

func (p *parser) argument(depth int) (argument, error) {
	p.space()
	switch {
	case strings.HasPrefix(p.rest, "'"):
		return p.quoted()
	case strings.HasPrefix(p.rest, "$"):
		text := p.rest[:pathEnd(p.rest)]
		p.rest = p.rest[len(text):]
		parsed, err := path.Parse(strings.TrimSpace(text))
		return argument{path: &parsed}, err
	case strings.HasPrefix(p.rest, "States."):
		c, err := p.call(depth + 1)
		return argument{call: c}, err
	}
	if word := wordShape.FindString(p.rest); word != "" {
		p.take(word)
		return argument{literal: map[string]any{"true": true, "false": false, "null": nil}[word]}, nil
	}
	if number := numberShape.FindString(p.rest); number != "" {
		p.take(number)
		return argument{literal: json.Number(number)}, nil
	}
	return argument{}, fmt.Errorf("no argument begins %.40q", p.rest)
}

// quoted reads a string in single quotes. A backslash takes the special
// meaning from ', {, } and itself.
func (p *parser) quoted() (argument, error) {
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '\'':
			raw := p.rest[1:i]
			p.rest = p.rest[i+1:]
			return argument{literal: unescape(raw), raw: raw, quoted: true}, nil
		}
	}
	return argument{}, fmt.Errorf("a string is not closed: %.40q", p.rest)
}

func unescape(raw string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) && strings.IndexByte(`'{}\`, raw[i+1]) >= 0 {
			i++
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}

// pathEnd finds where a path ends that is an argument: at a comma or bracket
// that is not its own.
func pathEnd(text string) int {
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
		case depth > 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '[' || c == '(':
			depth++
		case c == ']' || c == ')' && depth > 0:
			depth--
		case depth <= 0 && (c == ',' || c == ')'):
			return i
		}
	}
	return len(text)
}

// Variables calls add for each variable that the call reads.
func (c *Call) Variables(add func(name string)) {
	for _, a := range c.arguments {
		switch {
		case a.path != nil && a.path.Variable() != "":
			add(a.path.Variable())
		case a.call != nil:
			a.call.Variables(add)
		}
	}
}
