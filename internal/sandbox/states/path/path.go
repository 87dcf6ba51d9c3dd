// Package path evaluates the paths of the Amazon States Language: JSONPath on a
// state's data ($.a), on the context object ($$.Execution.Id) and on variables
// ($name.a). The JSONPath itself is github.com/ohler55/ojg; this package is the
// only one that knows it.
//
// Words: a scope is what a path can see; a definite path names one value at
// most, any other finds a list; a reference path is definite and made of names
// and indexes alone.
package path

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ohler55/ojg/jp"
)

// Scope is what a path can see.
type Scope struct {
	Data      any                           // the state's data: $
	Context   any                           // the context object: $$
	Variables func(name string) (any, bool) // nil means none
}

// Path is a parsed path. The zero Path is $.
type Path struct {
	text     string
	context  bool
	variable string
	expr     jp.Expr
	definite bool
	filters  bool
	chooses  bool // names the order of what it finds
}

// Root is the path $.
func Root() Path { return Path{text: "$", expr: jp.Expr{jp.Root('$')}, definite: true} }

// NotFoundError is a definite path that leads nowhere.
type NotFoundError struct {
	Path   string
	Reason string // in the words of the library that Step Functions uses
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("Invalid path '%s' : %s", e.Path, e.Reason)
}

var variableShape = regexp.MustCompile(`^\$([\p{L}_][\p{L}\p{N}_]*)`)

// Parse reads a path. The error says what is wrong, for a person.
func Parse(text string) (p Path, err error) {
	defer func() {
		// Texts come from users; a bug of the library must not end the sandbox.
		if recover() != nil {
			p, err = Path{}, fmt.Errorf("path %q is not valid", text)
		}
	}()
	p.text = text
	switch {
	case strings.HasPrefix(text, "$$"):
		p.context, text = true, text[1:]
	case variableShape.MatchString(text):
		p.variable = variableShape.FindStringSubmatch(text)[1]
		text = "$" + text[1+len(p.variable):]
	case !strings.HasPrefix(text, "$"):
		return Path{}, fmt.Errorf("path %q does not begin with $", text)
	}
	brackets, err := normal(text)
	if err != nil {
		return Path{}, fmt.Errorf("path %q: %w", p.text, err)
	}
	if p.expr, err = jp.ParseString(brackets); err != nil {
		return Path{}, fmt.Errorf("path %q is not valid", p.text)
	}
	p.definite = true
	for _, fragment := range p.expr {
		switch fragment.(type) {
		case jp.Root, jp.Child, jp.Nth, jp.Bracket:
		case *jp.Filter:
			p.filters, p.definite = true, false
		case jp.Union, jp.Slice:
			p.chooses, p.definite = true, false
		case jp.Wildcard, jp.Descent:
			p.definite = false
		default:
			return Path{}, fmt.Errorf("path %q: %T is not supported", p.text, fragment)
		}
	}
	return p, nil
}

// ParseReference reads a reference path.
func ParseReference(text string) (Path, error) {
	p, err := Parse(text)
	if err == nil && !p.definite {
		return Path{}, fmt.Errorf("path %q can find more than one value", text)
	}
	return p, err
}

// String is the path as it was written.
func (p Path) String() string { return p.text }

// Variable is the name of the variable that the path begins with, if any.
func (p Path) Variable() string { return p.variable }

// Context reports whether the path is one of the context object.
func (p Path) Context() bool { return p.context }

// Definite reports whether the path names one value at most.
func (p Path) Definite() bool { return p.definite }

// Get evaluates the path: the value of a definite path, the list of what any
// other path finds, empty where that is nothing. The error is a
// *NotFoundError.
func (p Path) Get(s Scope) (any, error) {
	root := s.Data
	switch {
	case p.context:
		root = s.Context
	case p.variable != "":
		value, ok := any(nil), false
		if s.Variables != nil {
			value, ok = s.Variables(p.variable)
		}
		if !ok {
			return nil, &NotFoundError{Path: p.text, Reason: fmt.Sprintf("No variable '%s' is assigned", p.variable)}
		}
		root = value
	}
	if !p.definite {
		return p.list(root), nil
	}
	if len(p.expr) <= 1 {
		return root, nil
	}
	found := p.expr.Get(root)
	if len(found) != 1 {
		return nil, &NotFoundError{Path: p.text, Reason: p.reason(root)}
	}
	return found[0], nil
}

// list finds where the values are and takes them from there: filters compare
// only numbers of Go, and what is found must be the original.
func (p Path) list(root any) []any {
	searched := root
	if p.filters {
		searched = plain(root)
	}
	places := p.expr.Locate(searched, 0)
	if !p.chooses {
		slices.SortFunc(places, inDocument)
	}
	out := []any{}
	for _, where := range places {
		if len(where) == 0 || where[0] != jp.Root('$') {
			where = append(jp.Expr{jp.Root('$')}, where...)
		}
		out = append(out, where.Get(root)...)
	}
	return out
}

// inDocument orders places as a reader meets them, the members of objects by
// name: the library goes through objects in random order and through what
// filters find backwards.
func inDocument(a, b jp.Expr) int {
	return slices.CompareFunc(a, b, func(x, y jp.Frag) int {
		switch x := x.(type) {
		case jp.Child:
			if y, ok := y.(jp.Child); ok {
				return strings.Compare(string(x), string(y))
			}
		case jp.Nth:
			if y, ok := y.(jp.Nth); ok {
				return int(x) - int(y)
			}
		}
		return 0
	})
}

// plain copies a value with numbers as int64 and float64.
func plain(v any) any {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		f, _ := x.Float64()
		return f
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plain(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for name := range x {
			out[name] = plain(x[name])
		}
		return out
	}
	return v
}

// reason says where a definite path ends.
func (p Path) reason(root any) string {
	const java = "found '%s'"
	for i := 2; i <= len(p.expr); i++ {
		if len(p.expr[:i].Get(root)) == 1 {
			continue
		}
		here, before := brackets(p.expr[:i]), p.expr[:i-1].Get(root)
		_, wantsObject := p.expr[i-1].(jp.Child)
		_, isObject := before[0].(map[string]any)
		switch {
		case wantsObject && !isObject:
			return fmt.Sprintf("Expected to find an object with property %s in path %s but "+java, brackets(p.expr[i-1:i]), brackets(p.expr[:i-1]), kind(before[0]))
		case i < len(p.expr):
			return "Missing property in path " + here
		}
		return "No results for path: " + here
	}
	return "No results for path: " + brackets(p.expr)
}

// kind is the Java type that Step Functions names.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "java.lang.Boolean"
	case json.Number:
		return "java.lang.Number"
	case string:
		return "java.lang.String"
	case []any:
		return "java.util.List"
	default:
		return "java.util.Map"
	}
}

// brackets writes an expression as $['a'][0].
func brackets(x jp.Expr) string {
	var b strings.Builder
	for _, fragment := range x {
		switch f := fragment.(type) {
		case jp.Root:
			b.WriteByte('$')
		case jp.Child:
			b.WriteString("['" + string(f) + "']")
		case jp.Nth:
			fmt.Fprintf(&b, "[%d]", int(f))
		}
	}
	return b.String()
}
