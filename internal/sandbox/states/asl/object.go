package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/path"
	"poolferry/internal/sandbox/states/template"
)

// reader collects what is wrong with a definition while it is read.
type reader struct {
	express     bool
	resources   Resources
	diagnostics []Diagnostic
	unsupported *UnsupportedError // the first
	names       map[string]string // state name → where it is
	labels      []string          // of Distributed Maps
}

func (r *reader) refuse(at, format string, args ...any) {
	r.diagnostics = append(r.diagnostics, Diagnostic{Code: SchemaFailed, Message: fmt.Sprintf(format, args...), Location: at})
}

func (r *reader) unsupport(at, field string) {
	if r.unsupported == nil {
		r.unsupported = &UnsupportedError{Field: field, At: at}
	}
}

// object is a JSON object whose fields are taken one by one; what is left in
// the end was not known.
type object struct {
	*reader
	at     string
	fields map[string]any
}

func (r *reader) object(at string, v any) (object, bool) {
	fields, ok := v.(map[string]any)
	if !ok {
		r.refuse(at, "Expected value of type [Object]")
	}
	return object{reader: r, at: at, fields: maps.Clone(fields)}, ok
}

func (o object) take(name string) (any, bool) {
	v, ok := o.fields[name]
	delete(o.fields, name)
	return v, ok
}

func (o object) has(name string) bool { _, ok := o.fields[name]; return ok }

func (o object) below(name string) string { return o.at + "/" + name }

// done refuses the fields that are left.
func (o object) done() {
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		o.refuse(o.at, "Field '%s' is not supported", name)
	}
}

// text takes a string, "" where there is none.
func (o object) text(name string) string {
	v, ok := o.take(name)
	s, isText := v.(string)
	if ok && !isText {
		o.refuse(o.below(name), "Expected value of type [String]")
	}
	return s
}

func (o object) required(name string) string {
	if !o.has(name) {
		o.refuse(o.at, "Missing required field '%s'", name)
	}
	return o.text(name)
}

func (o object) flag(name string) bool {
	v, ok := o.take(name)
	b, isFlag := v.(bool)
	if ok && !isFlag {
		o.refuse(o.below(name), "Expected value of type [Boolean]")
	}
	return b
}

// number takes a whole number within bounds, or other where there is none.
func (o object) number(name string, least, most, other int) int {
	v, ok := o.take(name)
	if !ok {
		return other
	}
	n, isNumber := v.(json.Number)
	whole, isWhole := data.Integer(n)
	if !isNumber || !isWhole {
		o.refuse(o.below(name), "Expected value of type [Integer]")
		return other
	}
	if whole < int64(least) || whole > int64(most) {
		o.refuse(o.below(name), "Value must be between %d and %d", least, most)
		return other
	}
	return int(whole)
}

// fraction takes a number of at least 1, or other where there is none.
func (o object) fraction(name string, other float64) float64 {
	v, ok := o.take(name)
	if !ok {
		return other
	}
	n, isNumber := v.(json.Number)
	f, err := n.Float64()
	if !isNumber || err != nil || f < 1 {
		o.refuse(o.below(name), "Value must be a number that is not less than 1.0")
		return other
	}
	return f
}

// quantity takes NAME or NAMEPath.
func (o object) quantity(name string, least int) Quantity { return o.bounded(name, least, maxSeconds) }

// bounded does so with another upper bound for NAME.
func (o object) bounded(name string, least, most int) Quantity {
	if o.has(name) && o.has(name+"Path") {
		o.refuse(o.at, "Only one of '%s' and '%sPath' is allowed", name, name)
	}
	if o.has(name + "Path") {
		p := o.reference(name + "Path")
		o.take(name)
		return Quantity{Path: p, Given: true}
	}
	given := o.has(name)
	return Quantity{Value: o.number(name, least, most, 0), Given: given}
}

// path takes a path, nil where there is none.
func (o object) path(name string) *path.Path { return o.parsePath(name, path.Parse) }

// reference takes a reference path, nil where there is none.
func (o object) reference(name string) *path.Path { return o.parsePath(name, path.ParseReference) }

func (o object) parsePath(name string, parse func(string) (path.Path, error)) *path.Path {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	text, isText := v.(string)
	p, err := parse(text)
	if !isText || err != nil {
		o.refuse(o.below(name), "Value must be a valid JSONPath.")
		return nil
	}
	return &p
}

// filter takes a path that can be null.
func (o object) filter(name string, take func(string) *path.Path) Filter {
	if v, ok := o.fields[name]; ok && v == nil {
		o.take(name)
		return Filter{Discard: true}
	}
	return Filter{Path: take(name)}
}

// template takes a template, nil where there is none.
func (o object) template(name string) *template.Template {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	t, err := template.Parse(v)
	if err != nil {
		field := name
		if wrong, ok := err.(*template.FieldError); ok { //nolint:errorlint // the type is Parse's contract
			field = wrong.Field
		}
		o.refuse(o.below(name), "The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", field)
		return nil
	}
	return &t
}

// objectTemplate takes a template that must be an object.
func (o object) objectTemplate(name string) *template.Template {
	if v, ok := o.fields[name]; ok {
		if _, isObject := v.(map[string]any); !isObject {
			o.refuse(o.below(name), "Expected value of type [Object]")
		}
	}
	return o.template(name)
}

// list takes an array.
func (o object) list(name string) []any {
	v, ok := o.take(name)
	l, isList := v.([]any)
	if ok && !isList {
		o.refuse(o.below(name), "Expected value of type [Array]")
	}
	return l
}
