package cutover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are those of one subject, named and shaped as the API takes them that
// writes them. Values are texts, booleans, json.Numbers, lists and objects; what
// is not set has no member, and no object is empty.
type Settings map[string]any

// UnmarshalJSON reads an object and keeps numbers as they are written.
func (s *Settings) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		return err
	}
	*s = members
	return nil
}

// Change is one field that has another value. A value is nil where the field is
// not set.
type Change struct {
	Field string `json:"field"` // such as LambdaConfig.UserMigration
	From  any    `json:"from"`
	To    any    `json:"to"`
}

// String shows the change on one line.
func (c Change) String() string {
	return fmt.Sprintf("%s: %s → %s", c.Field, show(c.From), show(c.To))
}

func show(value any) string {
	switch v := value.(type) {
	case nil:
		return "(not set)"
	case string:
		return v
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(text.String())
}

// Diff lists the fields that differ, sorted. Lists are compared as sets: the
// order in which the API returns one says nothing.
func Diff(from, to Settings) []Change {
	changes := diff("", map[string]any(from), map[string]any(to))
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return changes
}

func diff(field string, from, to any) []Change {
	if equal(from, to) {
		return nil
	}
	a, isA := from.(map[string]any)
	b, isB := to.(map[string]any)
	if !isA && from != nil || !isB && to != nil {
		return []Change{{field, from, to}}
	}
	var changes []Change
	for name := range union(a, b) {
		changes = append(changes, diff(strings.TrimPrefix(field+"."+name, "."), a[name], b[name])...)
	}
	return changes
}

func union(objects ...map[string]any) map[string]bool {
	names := map[string]bool{}
	for _, o := range objects {
		for name := range o {
			names[name] = true
		}
	}
	return names
}

// equal compares two values, lists as sets.
func equal(a, b any) bool { return canonical(a) == canonical(b) }

// same compares two settings.
func same(a, b Settings) bool { return equal(map[string]any(a), map[string]any(b)) }

func canonical(value any) string {
	switch v := value.(type) {
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if part := canonical(v[name]); part != "null" {
				parts = append(parts, canonical(name)+":"+part)
			}
		}
		if len(parts) == 0 {
			return "null"
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			parts = append(parts, canonical(item))
		}
		slices.Sort(parts)
		return "[" + strings.Join(parts, ",") + "]"
	case nil:
		return "null"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%T %v", value, value)
	}
	return string(text)
}

// merge undoes what led from before to after in what there is now: each field
// that is as it was left gets its old value, every other stays as it is. foreign
// lists the fields that somebody else has changed since, from what was left to
// what there is now.
func merge(before, after, now Settings) (merged Settings, foreign []Change) {
	value, foreign := mergeValue("", map[string]any(before), map[string]any(after), map[string]any(now))
	merged, _ = value.(map[string]any)
	slices.SortFunc(foreign, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return merged, foreign
}

func mergeValue(field string, before, after, now any) (any, []Change) {
	switch {
	case equal(now, after), equal(now, before):
		return before, nil
	}
	b, isB := before.(map[string]any)
	a, isA := after.(map[string]any)
	n, isN := now.(map[string]any)
	if !isB && before != nil || !isA && after != nil || !isN && now != nil {
		return now, []Change{{field, after, now}}
	}
	merged, foreign := map[string]any{}, []Change(nil)
	for name := range union(a, b, n) {
		value, changes := mergeValue(strings.TrimPrefix(field+"."+name, "."), b[name], a[name], n[name])
		if value != nil {
			merged[name] = value
		}
		foreign = append(foreign, changes...)
	}
	if len(merged) == 0 {
		return nil, foreign
	}
	return merged, foreign
}

// at returns the value of a field, nil where it is not set.
func (s Settings) at(path ...string) any {
	var value any = map[string]any(s)
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// text returns the value of a field that is a text.
func (s Settings) text(path ...string) string {
	text, _ := s.at(path...).(string)
	return text
}

// texts returns the value of a field that is a list of texts.
func (s Settings) texts(path ...string) []string {
	list, _ := s.at(path...).([]any)
	var all []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// with returns a copy in which a field has a value; nil takes the field away, and
// the objects that it leaves empty.
func (s Settings) with(value any, path ...string) Settings {
	out := maps.Clone(s)
	if out == nil {
		out = Settings{}
	}
	name := path[0]
	if len(path) > 1 {
		inner, _ := s[name].(map[string]any)
		below := Settings(inner).with(value, path[1:]...)
		if value = map[string]any(below); len(below) == 0 {
			value = nil
		}
	}
	if value == nil {
		delete(out, name)
	} else {
		out[name] = value
	}
	return out
}
