// Package choice parses and evaluates the conditions of Choice states.
//
// Words: a condition is a comparison of a variable with an operand, or And, Or
// and Not over other conditions; an operand is a constant or, for operators
// that end in Path, what a path finds.
package choice

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/states/path"
)

// Condition is a parsed condition.
type Condition struct {
	all, any []Condition
	not      *Condition

	variable path.Path
	compare  func(value, operand any) bool
	presence bool // IsPresent, the one operator that may find nothing
	operand  any
	from     *path.Path // of the operand, where it is not a constant
}

// SchemaError is a condition that is not valid.
type SchemaError struct {
	At   string // below the condition, such as "/And[1]/Variable"
	Text string
}

func (e *SchemaError) Error() string { return e.Text + " at " + e.At }

// Parse reads the condition of an object; outer are the fields of it that are
// not the condition's. The error is a *SchemaError.
func Parse(object map[string]any, outer ...string) (Condition, error) {
	fields := maps.Clone(object)
	for _, name := range outer {
		delete(fields, name)
	}
	for name, combine := range map[string]func(*Condition, []Condition){
		"And": func(c *Condition, inner []Condition) { c.all = inner },
		"Or":  func(c *Condition, inner []Condition) { c.any = inner },
	} {
		if _, ok := fields[name]; ok {
			inner, err := parseList(name, fields)
			var c Condition
			combine(&c, inner)
			return c, err
		}
	}
	if inner, ok := fields["Not"]; ok {
		if err := alone("Not", fields); err != nil {
			return Condition{}, err
		}
		c, err := parseInner("/Not", inner)
		return Condition{not: &c}, err
	}
	return parseComparison(fields)
}

func alone(name string, fields map[string]any) error {
	delete(fields, name)
	for other := range fields {
		return &SchemaError{Text: fmt.Sprintf("Field '%s' is not supported", other)}
	}
	return nil
}

func parseList(name string, fields map[string]any) ([]Condition, error) {
	list, ok := fields[name].([]any)
	if !ok || len(list) == 0 {
		return nil, &SchemaError{At: "/" + name, Text: "Expected value of type [Array] that is not empty"}
	}
	if err := alone(name, fields); err != nil {
		return nil, err
	}
	out := make([]Condition, len(list))
	for i := range list {
		var err error
		if out[i], err = parseInner(fmt.Sprintf("/%s[%d]", name, i), list[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseInner(at string, v any) (Condition, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return Condition{}, &SchemaError{At: at, Text: "Expected value of type [Object]"}
	}
	c, err := Parse(object, "Comment")
	if inner, ok := errors.AsType[*SchemaError](err); ok {
		return c, &SchemaError{At: at + inner.At, Text: inner.Text}
	}
	return c, err
}

func parseComparison(fields map[string]any) (Condition, error) {
	text, ok := fields["Variable"].(string)
	if !ok {
		return Condition{}, &SchemaError{Text: "Field 'Variable' is required"}
	}
	var (
		c   Condition
		err error
	)
	if c.variable, err = path.Parse(text); err != nil {
		return c, &SchemaError{At: "/Variable", Text: "Value must be a valid JSONPath."}
	}
	delete(fields, "Variable")
	names := slices.Sorted(maps.Keys(fields))
	if len(names) != 1 {
		return c, &SchemaError{Text: fmt.Sprintf("Exactly one comparison operator is required, found %v", names)}
	}
	return c, c.setOperator(names[0], fields[names[0]])
}

func (c *Condition) setOperator(name string, operand any) error {
	op, fromPath := operators[name], false
	if op.compare == nil {
		base, ok := strings.CutSuffix(name, "Path")
		if op = operators[base]; !ok || !op.paths {
			return &SchemaError{Text: fmt.Sprintf("Field '%s' is not supported", name)}
		}
		fromPath = true
	}
	c.compare, c.presence, c.operand = op.compare, name == "IsPresent", operand
	if !fromPath {
		if !op.valid(operand) {
			return &SchemaError{At: "/" + name, Text: op.refusal}
		}
		return nil
	}
	text, ok := operand.(string)
	if !ok {
		return &SchemaError{At: "/" + name, Text: "Value must be a valid JSONPath."}
	}
	p, err := path.Parse(text)
	if err != nil {
		return &SchemaError{At: "/" + name, Text: "Value must be a valid JSONPath."}
	}
	c.from = &p
	return nil
}

// Variables calls add for each variable that the condition reads.
func (c Condition) Variables(add func(name string)) {
	for _, inner := range slices.Concat(c.all, c.any) {
		inner.Variables(add)
	}
	switch {
	case c.not != nil:
		c.not.Variables(add)
	case c.compare != nil:
		if c.variable.Variable() != "" {
			add(c.variable.Variable())
		}
		if c.from != nil && c.from.Variable() != "" {
			add(c.from.Variable())
		}
	}
}

func isString(v any) bool    { _, ok := v.(string); return ok }
func isNumber(v any) bool    { _, ok := v.(json.Number); return ok }
func isBoolean(v any) bool   { _, ok := v.(bool); return ok }
func isTimestamp(v any) bool { _, ok := timestamp(v); return ok }

// timestamp reads an RFC 3339 time as Step Functions wants it, with an upper
// case T and Z.
func timestamp(v any) (time.Time, bool) {
	s, ok := v.(string)
	if !ok || strings.ToUpper(s) != s {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// ParseTimestamp reads a time as Step Functions does, here and in Wait states.
func ParseTimestamp(text string) (time.Time, bool) { return timestamp(text) }
