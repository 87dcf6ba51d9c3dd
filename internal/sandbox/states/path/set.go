package path

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ohler55/ojg/jp"
)

// Set returns a copy of doc with a value where a reference path into the
// state's data points. Objects on the way are made where they are missing;
// elements of arrays must exist.
func (p Path) Set(doc, value any) (any, error) {
	if p.context || p.variable != "" || !p.definite {
		return nil, fmt.Errorf("%s is no reference path into the state's data", p.text)
	}
	if len(p.expr) <= 1 {
		return value, nil
	}
	return set(doc, p.expr[1:], value)
}

func set(doc any, steps jp.Expr, value any) (any, error) {
	if len(steps) == 0 {
		return value, nil
	}
	switch step := steps[0].(type) {
	case jp.Child:
		object, ok := doc.(map[string]any)
		if !ok && doc != nil {
			return nil, fmt.Errorf("%s is not in an object", brackets(steps[:1]))
		}
		inner, err := set(object[string(step)], steps[1:], value)
		if err != nil {
			return nil, err
		}
		out := maps.Clone(object)
		if out == nil {
			out = map[string]any{}
		}
		out[string(step)] = inner
		return out, nil
	case jp.Nth:
		list, ok := doc.([]any)
		if !ok || int(step) < 0 || int(step) >= len(list) {
			return nil, fmt.Errorf("%s is not an element of an array", brackets(steps[:1]))
		}
		inner, err := set(list[step], steps[1:], value)
		if err != nil {
			return nil, err
		}
		out := slices.Clone(list)
		out[step] = inner
		return out, nil
	default:
		return nil, fmt.Errorf("%T cannot be set", step)
	}
}
