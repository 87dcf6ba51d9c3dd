package choice

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/path"
)

// Eval decides the condition. The error says, in the words of Step Functions,
// which path leads nowhere.
func (c Condition) Eval(s path.Scope) (bool, error) {
	switch {
	case c.all != nil:
		for _, inner := range c.all {
			if ok, err := inner.Eval(s); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case c.any != nil:
		for _, inner := range c.any {
			if ok, err := inner.Eval(s); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case c.not != nil:
		ok, err := c.not.Eval(s)
		return !ok && err == nil, err
	}
	value, err := c.variable.Get(s)
	if c.presence {
		return (err == nil) == (c.operand == true), nil
	}
	if err != nil {
		return false, invalid(err)
	}
	operand := c.operand
	if c.from != nil {
		if operand, err = c.from.Get(s); err != nil {
			return false, invalid(err)
		}
	}
	return c.compare(value, operand), nil
}

func invalid(err error) error {
	if missing, ok := errors.AsType[*path.NotFoundError](err); ok {
		return fmt.Errorf("Invalid path '%s': The choice state's condition path references an invalid value.", missing.Path) //nolint:staticcheck // AWS's words
	}
	return err
}

// operator is a comparison. compare gets values of any type: where the types
// do not fit it is false, not an error.
type operator struct {
	compare func(value, operand any) bool
	valid   func(operand any) bool // of a constant operand
	refusal string
	paths   bool // exists with Path at its end too
}

var operators = operatorTable()

func operatorTable() map[string]operator {
	table := map[string]operator{
		"BooleanEquals": {both(isBoolean, func(v, o any) bool { return v == o }), isBoolean, "Expected value of type [Boolean]", true},
		"StringMatches": {both(isString, func(v, o any) bool { return matches(v.(string), o.(string)) }), isString, "Expected value of type [String]", false},
		"IsPresent":     {func(any, any) bool { return false }, isBoolean, "Expected value of type [Boolean]", false}, // see Eval
	}
	for name, is := range map[string]func(any) bool{
		"IsNull": func(v any) bool { return v == nil }, "IsString": isString, "IsNumeric": isNumber, "IsBoolean": isBoolean, "IsTimestamp": isTimestamp,
	} {
		table[name] = operator{func(v, o any) bool { return is(v) == (o == true) }, isBoolean, "Expected value of type [Boolean]", false}
	}
	relations := map[string]func(sign int) bool{
		"Equals": func(s int) bool { return s == 0 }, "LessThan": func(s int) bool { return s < 0 }, "GreaterThan": func(s int) bool { return s > 0 },
		"LessThanEquals": func(s int) bool { return s <= 0 }, "GreaterThanEquals": func(s int) bool { return s >= 0 },
	}
	kinds := map[string]struct {
		is      func(any) bool
		sign    func(v, o any) int
		refusal string
	}{
		"String":    {isString, func(v, o any) int { return strings.Compare(v.(string), o.(string)) }, "Expected value of type [String]"},
		"Numeric":   {isNumber, func(v, o any) int { return data.Compare(v.(json.Number), o.(json.Number)) }, "Expected value of type [Integer, Float]"},
		"Timestamp": {isTimestamp, func(v, o any) int { return at(v).Compare(at(o)) }, "String does not match RFC3339 timestamp"},
	}
	for kind, k := range kinds {
		for relation, holds := range relations {
			table[kind+relation] = operator{both(k.is, func(v, o any) bool { return holds(k.sign(v, o)) }), k.is, k.refusal, true}
		}
	}
	return table
}

func at(v any) time.Time { t, _ := timestamp(v); return t }

// both holds compare only where value and operand are of the kind that it is
// for.
func both(is func(any) bool, compare func(v, o any) bool) func(v, o any) bool {
	return func(v, o any) bool { return is(v) && is(o) && compare(v, o) }
}

// matches reports whether a text fits a pattern in which * stands for any
// characters and \* for a star.
func matches(text, pattern string) bool {
	parts, current := []string{}, strings.Builder{}
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			current.WriteByte(pattern[i])
		case pattern[i] == '*':
			parts = append(parts, current.String())
			current.Reset()
		default:
			current.WriteByte(pattern[i])
		}
	}
	last := current.String()
	if len(parts) == 0 {
		return text == last
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	for _, part := range parts[1:] {
		if i := strings.Index(rest, part); i >= 0 && ok {
			rest = rest[i+len(part):]
		} else {
			return false
		}
	}
	return ok && strings.HasSuffix(rest, last)
}
