package userpool

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mapping says how the attributes of a source user become those of a target
// user. Beyond its rules these always hold: sub becomes custom:legacy_sub;
// sub, identities and cognito:* are never carried; email_verified and
// phone_number_verified keep their value and go when the attribute they speak
// of goes; every attribute that no rule names is carried as it is.
//
// Rules have no order: rename, copy and drop read the source's attributes; set,
// default and lower then work on the target's. A target that a rule names wins
// over an attribute carried under the same name.
type Mapping struct {
	Rules []Rule `yaml:"rules" json:"rules,omitempty"`
}

// Rule is one rule; exactly one of its fields is set.
type Rule struct {
	Rename  *Move    `yaml:"rename,omitempty" json:"rename,omitempty"`
	Copy    *Move    `yaml:"copy,omitempty" json:"copy,omitempty"`
	Drop    string   `yaml:"drop,omitempty" json:"drop,omitempty"`
	Set     *Literal `yaml:"set,omitempty" json:"set,omitempty"`
	Default *Literal `yaml:"default,omitempty" json:"default,omitempty"`
	Lower   string   `yaml:"lower,omitempty" json:"lower,omitempty"`
}

// Move names a source attribute and the target attribute that receives it.
type Move struct {
	From string `yaml:"from" json:"from"`
	To   string `yaml:"to" json:"to"`
}

// Literal is a target attribute and the value it receives: always (set), or
// where it would otherwise be absent (default).
type Literal struct {
	To    string `yaml:"to" json:"to"`
	Value string `yaml:"value" json:"value"`
}

// RuleError says which rule of a mapping is wrong, in which field, and why.
type RuleError struct {
	Index int    // position in Mapping.Rules, from 0
	Field string // such as "rename.to"; empty where the rule as a whole is wrong
	Value string
	Why   string
}

func (e *RuleError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("mapping.rules[%d]: %s", e.Index, e.Why)
	}
	return fmt.Sprintf("mapping.rules[%d].%s: %q %s", e.Index, e.Field, e.Value, e.Why)
}

// Apply returns the attributes that u has at the target.
func (m Mapping) Apply(u User) Attributes {
	moved := make(map[string]bool)
	out := make(Attributes, len(u.Attributes)+1)
	for _, r := range m.Rules {
		switch {
		case r.Rename != nil:
			moved[r.Rename.From] = true
		case r.Drop != "":
			moved[r.Drop] = true
		}
	}
	for name, value := range u.Attributes {
		if !moved[name] && !neverCarried(name) {
			out[name] = value
		}
	}
	for _, r := range m.Rules {
		move := r.Rename
		if move == nil {
			move = r.Copy
		}
		if move == nil {
			continue
		}
		if value, ok := sourceValue(u, move.From); ok {
			out[move.To] = value
		}
	}
	for _, r := range m.Rules {
		switch {
		case r.Set != nil:
			out[r.Set.To] = r.Set.Value
		case r.Default != nil && out[r.Default.To] == "":
			out[r.Default.To] = r.Default.Value
		}
	}
	for _, r := range m.Rules {
		if value, ok := out[r.Lower]; ok {
			out[r.Lower] = strings.ToLower(value)
		}
	}
	if u.Sub != "" {
		out[AttrLegacySub] = string(u.Sub)
	}
	for _, flag := range []string{AttrEmailVerified, AttrPhoneVerified} {
		if out[strings.TrimSuffix(flag, "_verified")] == "" {
			delete(out, flag)
		}
	}
	return out
}

// Reads lists the source attributes that the mapping needs, given the
// attributes that the source pool defines: all that are not dropped.
func (m Mapping) Reads(defined []string) []string {
	dropped := make(map[string]bool)
	for _, r := range m.Rules {
		dropped[r.Drop] = true
	}
	for _, r := range m.Rules {
		if r.Copy != nil {
			dropped[r.Copy.From] = false
		}
	}
	var names []string
	for _, name := range defined {
		if !dropped[name] && !neverCarried(name) {
			names = append(names, name)
		}
	}
	return names
}

func sourceValue(u User, name string) (string, bool) {
	if name == AttrSub {
		return string(u.Sub), u.Sub != ""
	}
	value, ok := u.Attributes[name]
	return value, ok
}

// neverCarried reports the attributes that Cognito owns: nobody can write them.
func neverCarried(name string) bool {
	return name == AttrSub || name == AttrIdentities || strings.HasPrefix(name, "cognito:")
}

// Validate checks the rules against each other and against what Cognito allows.
// It returns the first *RuleError.
func (m Mapping) Validate() error {
	v := ruleCheck{gone: map[string]string{}, filled: map[string]string{}, lowered: map[string]bool{}}
	for i, r := range m.Rules {
		if err := v.rule(i, r); err != nil {
			return err
		}
	}
	for i, r := range m.Rules {
		if verb := v.gone[r.Lower]; r.Lower != "" && verb != "" && v.filled[r.Lower] == "" {
			return &RuleError{i, "lower", r.Lower, "is taken away by another rule (" + verb + ")"}
		}
	}
	return nil
}

// ruleCheck remembers what earlier rules did with each name.
type ruleCheck struct {
	gone    map[string]string // source attribute → rename or drop
	filled  map[string]string // target attribute → rename, copy, set or default
	lowered map[string]bool
}

func (v ruleCheck) rule(i int, r Rule) error {
	verbs := 0
	for _, set := range []bool{r.Rename != nil, r.Copy != nil, r.Drop != "", r.Set != nil, r.Default != nil, r.Lower != ""} {
		if set {
			verbs++
		}
	}
	if verbs != 1 {
		return &RuleError{Index: i, Why: fmt.Sprintf("a rule has exactly one of rename, copy, drop, set, default, lower, this one has %d", verbs)}
	}
	switch {
	case r.Rename != nil:
		if err := v.take(i, "rename.from", "rename", r.Rename.From); err != nil {
			return err
		}
		return v.move(i, "rename", *r.Rename)
	case r.Copy != nil:
		if r.Copy.From != AttrSub {
			if err := attributeName(i, "copy.from", r.Copy.From); err != nil {
				return err
			}
		}
		return v.move(i, "copy", *r.Copy)
	case r.Drop != "":
		return v.take(i, "drop", "drop", r.Drop)
	case r.Set != nil:
		return v.fill(i, "set.to", "set", r.Set.To)
	case r.Default != nil:
		return v.fill(i, "default.to", "default", r.Default.To)
	default:
		if v.lowered[r.Lower] {
			return &RuleError{i, "lower", r.Lower, "is lower-cased by an earlier rule already"}
		}
		v.lowered[r.Lower] = true
		return attributeName(i, "lower", r.Lower)
	}
}

func (v ruleCheck) move(i int, verb string, m Move) error {
	if m.From == m.To {
		return &RuleError{i, verb + ".to", m.To, "is the attribute it comes from"}
	}
	return v.fill(i, verb+".to", verb, m.To)
}

// take notes that a source attribute is no longer carried under its own name.
func (v ruleCheck) take(i int, field, verb, name string) error {
	if err := attributeName(i, field, name); err != nil {
		return err
	}
	if earlier := v.gone[name]; earlier != "" {
		return &RuleError{i, field, name, "has an earlier " + earlier + " rule already"}
	}
	v.gone[name] = verb
	return nil
}

// fill notes that a rule writes a target attribute.
func (v ruleCheck) fill(i int, field, verb, name string) error {
	if err := attributeName(i, field, name); err != nil {
		return err
	}
	if name == AttrLegacySub {
		return &RuleError{i, field, name, "is where the source sub goes"}
	}
	if name == AttrEmailVerified || name == AttrPhoneVerified {
		return &RuleError{i, field, name, "cannot be written by a rule: only the source knows what was verified"}
	}
	if earlier := v.filled[name]; earlier != "" {
		return &RuleError{i, field, name, "is written by an earlier " + earlier + " rule already"}
	}
	v.filled[name] = verb
	return nil
}

// standardAttributes are the OIDC claims that every pool has, but sub.
var standardAttributes = map[string]bool{
	"address": true, "birthdate": true, "email": true, "email_verified": true, "family_name": true,
	"gender": true, "given_name": true, "locale": true, "middle_name": true, "name": true,
	"nickname": true, "phone_number": true, "phone_number_verified": true, "picture": true,
	"preferred_username": true, "profile": true, "updated_at": true, "website": true, "zoneinfo": true,
}

// StandardAttributes lists the attributes that every pool has, but sub, sorted.
func StandardAttributes() []string { return slices.Sorted(maps.Keys(standardAttributes)) }

// attributeName refuses names that no pool can hold.
func attributeName(i int, field, name string) error {
	switch custom, ok := strings.CutPrefix(name, "custom:"); {
	case neverCarried(name):
		return &RuleError{i, field, name, "belongs to Cognito and cannot be read or written by a rule"}
	case standardAttributes[name]:
		return nil
	case !ok:
		return &RuleError{i, field, name, "is neither a standard attribute nor custom:NAME"}
	case custom == "" || len(custom) > 20:
		return &RuleError{i, field, name, "is not a custom attribute name of 1 to 20 characters"}
	}
	return nil
}
