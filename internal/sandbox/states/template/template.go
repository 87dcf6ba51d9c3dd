// Package template evaluates what a definition says about data: expressions,
// which are a path or an intrinsic function, and templates, which are JSON
// whose fields named "x.$" hold expressions.
package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/intrinsic"
	"poolferry/internal/sandbox/states/path"
)

// Expression is a path or an intrinsic function.
type Expression struct {
	field string // where it stands, such as "ErrorPath" or "count.$"
	path  path.Path
	call  *intrinsic.Call
}

// ParseExpression reads an expression that stands in a field.
func ParseExpression(field, text string) (Expression, error) {
	var err error
	e := Expression{field: field}
	if intrinsic.Is(text) {
		e.call, err = intrinsic.Parse(text)
	} else {
		e.path, err = path.Parse(text)
	}
	return e, err
}

// NotFoundError is an expression's path that leads nowhere, in the words of
// Step Functions.
type NotFoundError struct {
	Path, Field string
	Input       any
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'", e.Path, e.Field, data.Encode(e.Input))
}

// Eval evaluates the expression. The error is a *NotFoundError or an
// *intrinsic.Error.
func (e Expression) Eval(s path.Scope) (any, error) {
	var (
		out any
		err error
	)
	if e.call != nil {
		out, err = e.call.Eval(s)
	} else {
		out, err = e.path.Get(s)
	}
	if missing, ok := errors.AsType[*path.NotFoundError](err); ok {
		return nil, &NotFoundError{Path: missing.Path, Field: e.field, Input: s.Data}
	}
	return out, err
}

// Variables calls add for each variable that the expression reads.
func (e Expression) Variables(add func(name string)) {
	switch {
	case e.call != nil:
		e.call.Variables(add)
	case e.path.Variable() != "":
		add(e.path.Variable())
	}
}

// Template is a parsed template.
type Template struct{ root node }

// node is one of: an object, an array, an expression, any other value as it is.
type node struct {
	members    map[string]node
	elements   []node
	expression *Expression
	value      any
}

// FieldError is a field "x.$" whose value is no expression.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return fmt.Sprintf("field %s: %v", e.Field, e.Err) }

// Parse reads a template. The error is a *FieldError.
func Parse(v any) (Template, error) {
	root, err := parse(v)
	return Template{root: root}, err
}

func parse(v any) (node, error) {
	switch x := v.(type) {
	case []any:
		out := node{elements: make([]node, len(x))}
		for i := range x {
			var err error
			if out.elements[i], err = parse(x[i]); err != nil {
				return node{}, err
			}
		}
		return out, nil
	case map[string]any:
		out := node{members: make(map[string]node, len(x))}
		for _, field := range slices.Sorted(maps.Keys(x)) {
			name, child, err := parseField(field, x[field])
			if err != nil {
				return node{}, err
			}
			out.members[name] = child
		}
		return out, nil
	}
	return node{value: v}, nil
}

func parseField(field string, v any) (string, node, error) {
	name, dynamic := strings.CutSuffix(field, ".$")
	if !dynamic {
		child, err := parse(v)
		return field, child, err
	}
	text, ok := v.(string)
	if !ok {
		return "", node{}, &FieldError{Field: field, Err: errors.New("the value is not a string")}
	}
	e, err := ParseExpression(field, text)
	if err != nil {
		return "", node{}, &FieldError{Field: field, Err: err}
	}
	return name, node{expression: &e}, nil
}

// Eval fills the template. The errors are those of Expression.Eval.
func (t Template) Eval(s path.Scope) (any, error) { return t.root.eval(s) }

func (n node) eval(s path.Scope) (any, error) {
	switch {
	case n.expression != nil:
		return n.expression.Eval(s)
	case n.members != nil:
		out := make(map[string]any, len(n.members))
		for _, name := range slices.Sorted(maps.Keys(n.members)) {
			value, err := n.members[name].eval(s)
			if err != nil {
				return nil, err
			}
			out[name] = value
		}
		return out, nil
	case n.elements != nil:
		out := make([]any, len(n.elements))
		for i := range n.elements {
			var err error
			if out[i], err = n.elements[i].eval(s); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return n.value, nil
}

// Names are the members of the template's root, sorted.
func (t Template) Names() []string { return slices.Sorted(maps.Keys(t.root.members)) }

// Variables calls add for each variable that the template reads.
func (t Template) Variables(add func(name string)) { t.root.variables(add) }

func (n node) variables(add func(name string)) {
	if n.expression != nil {
		n.expression.Variables(add)
	}
	for _, child := range n.members {
		child.variables(add)
	}
	for _, child := range n.elements {
		child.variables(add)
	}
}
