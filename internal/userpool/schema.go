package userpool

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxValueBytes is Cognito's quota for one attribute value (Cognito Developer
// Guide, quotas).
const maxValueBytes = 2048

// AttributeType is Cognito's AttributeDataType.
type AttributeType string

// The attribute types.
const (
	TypeString   AttributeType = "String"
	TypeNumber   AttributeType = "Number"
	TypeDateTime AttributeType = "DateTime"
	TypeBoolean  AttributeType = "Boolean"
)

// AttributeSpec is one attribute of a pool's schema. Min and Max bound the
// length of a String in characters, or the value of a Number; nil is unbounded.
type AttributeSpec struct {
	Name     string
	Type     AttributeType
	Mutable  bool
	Required bool
	Min, Max *int64
}

// Schema is a pool's attributes by name; custom ones carry their "custom:"
// prefix.
type Schema map[string]AttributeSpec

// Violation says that an attribute does not fit a schema, never with its value.
type Violation struct {
	Attribute string `json:"attribute"`
	Rule      string `json:"rule"` // one of the Rule… constants
	Detail    string `json:"detail"`
}

// The rules that an attribute can violate.
const (
	RuleUnknown  = "unknown_attribute" // the schema does not have it
	RuleRequired = "required"          // the schema requires it and it is absent
	RuleType     = "type"              // not a number, not a boolean
	RuleLength   = "length"            // too short, too long, over 2,048 bytes
	RuleRange    = "range"             // a number outside its bounds
	RuleFormat   = "format"            // phone_number is not E.164, email is no address
	RuleOwned    = "owned_by_cognito"  // sub, identities, cognito:*
)

func (v Violation) String() string { return v.Attribute + ": " + v.Rule + ": " + v.Detail }

// Check returns what Cognito would refuse if a user were created with these
// attributes, sorted by attribute name. An immutable attribute is no violation:
// creation is the one time at which it can be written.
func (s Schema) Check(attributes Attributes) []Violation {
	var found []Violation
	for name, value := range attributes {
		if detail, rule := s.checkOne(name, value); rule != "" {
			found = append(found, Violation{name, rule, detail})
		}
	}
	for name, spec := range s {
		if spec.Required && name != AttrSub && attributes[name] == "" {
			found = append(found, Violation{name, RuleRequired, "the target pool requires it and the user has none"})
		}
	}
	slices.SortFunc(found, func(a, b Violation) int { return strings.Compare(a.Attribute+a.Rule, b.Attribute+b.Rule) })
	return found
}

func (s Schema) checkOne(name, value string) (detail, rule string) {
	if neverCarried(name) {
		return "only Cognito writes it", RuleOwned
	}
	spec, ok := s[name]
	if !ok {
		return "the target pool's schema does not have it", RuleUnknown
	}
	if len(value) > maxValueBytes {
		return fmt.Sprintf("%d bytes, at most %d", len(value), maxValueBytes), RuleLength
	}
	switch spec.Type {
	case TypeBoolean:
		if value != "true" && value != "false" {
			return "is neither true nor false", RuleType
		}
	case TypeNumber:
		return checkNumber(spec, value)
	case TypeDateTime:
		// Cognito documents no format for DateTime beyond "a date"; it is left to Cognito.
	default:
		return checkString(spec, value)
	}
	return "", ""
}

// Blocks reports whether a violation keeps a user from being created. Any other
// attribute can be left out then and written later: the schema does not require
// it and lets it change. AttrLegacySub can not: without it nobody would know
// whom the user was made for.
func (s Schema) Blocks(v Violation) bool {
	spec, known := s[v.Attribute]
	return v.Attribute == AttrLegacySub || known && (spec.Required || !spec.Mutable)
}

func checkNumber(spec AttributeSpec, value string) (detail, rule string) {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return "is not a whole number", RuleType
	case spec.Min != nil && n < *spec.Min:
		return fmt.Sprintf("is under %d", *spec.Min), RuleRange
	case spec.Max != nil && n > *spec.Max:
		return fmt.Sprintf("is over %d", *spec.Max), RuleRange
	}
	return "", ""
}

func checkString(spec AttributeSpec, value string) (detail, rule string) {
	length := int64(utf8.RuneCountInString(value))
	switch {
	case !utf8.ValidString(value):
		return "is not valid UTF-8", RuleFormat
	case spec.Min != nil && length < *spec.Min:
		return fmt.Sprintf("%d characters, at least %d", length, *spec.Min), RuleLength
	case spec.Max != nil && length > *spec.Max:
		return fmt.Sprintf("%d characters, at most %d", length, *spec.Max), RuleLength
	case spec.Name == AttrPhoneNumber && value != "" && !IsPhone(value):
		return "is not E.164: a plus sign and up to 15 digits", RuleFormat
	case spec.Name == AttrEmail && value != "" && !IsEmail(value):
		return "is not an e-mail address", RuleFormat
	}
	return "", ""
}

// IsPhone reports whether s is a phone number in E.164, the only form that
// Cognito accepts.
func IsPhone(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	if !plus || len(digits) < 2 || len(digits) > 15 || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// IsEmail reports whether s has the form of an e-mail address as far as Cognito
// looks: something, an at sign, something with a dot, no white space.
func IsEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && strings.Contains(strings.Trim(domain, "."), ".") &&
		!strings.ContainsAny(s, " \t\r\n") && !strings.Contains(domain, "@")
}
