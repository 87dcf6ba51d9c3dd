// Package schema is what a user pool lets an attribute hold: the standard
// attributes of OIDC, the custom attributes of a pool, and the checks that
// Cognito makes when a user is created or changed; the password policy too.
//
// Vocabulary: an attribute is a definition, a value is what one user has; a
// value breaks the schema where the attribute does not exist, cannot be written
// or does not fit its type or its constraint.
package schema

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxBytes is the size of one attribute value at most (Cognito quotas page).
const MaxBytes = 2048

// Attribute is SchemaAttributeType of the Cognito API.
type Attribute struct {
	Name                       string
	AttributeDataType          string // String, Number, DateTime or Boolean
	DeveloperOnlyAttribute     bool
	Mutable                    *bool // nil means true
	Required                   bool
	StringAttributeConstraints *StringRange `json:",omitempty"`
	NumberAttributeConstraints *NumberRange `json:",omitempty"`
}

// StringRange bounds the length in characters; decimal digits, "" is unbounded.
type StringRange struct {
	MinLength string `json:",omitempty"`
	MaxLength string `json:",omitempty"`
}

// NumberRange bounds an integer; decimal digits, "" is unbounded.
type NumberRange struct {
	MinValue string `json:",omitempty"`
	MaxValue string `json:",omitempty"`
}

// Set is a pool's schema. It is not changed after it was built: Add returns
// another one.
type Set struct {
	attributes []Attribute
	byName     map[string]int
}

// standard lists the attributes that every pool has, with the constraints that
// DescribeUserPool reports for them.
func standard() []Attribute {
	text := func(name string, low, high string) Attribute {
		return Attribute{Name: name, AttributeDataType: "String", Mutable: new(true),
			StringAttributeConstraints: &StringRange{MinLength: low, MaxLength: high}}
	}
	flag := func(name string) Attribute {
		return Attribute{Name: name, AttributeDataType: "Boolean", Mutable: new(true)}
	}
	set := []Attribute{text("sub", "1", "2048")}
	set[0].Mutable, set[0].Required = new(false), true
	for _, name := range []string{"name", "given_name", "family_name", "middle_name", "nickname",
		"preferred_username", "profile", "picture", "website", "email"} {
		set = append(set, text(name, "0", "2048"))
	}
	set = append(set, flag("email_verified"), text("gender", "0", "2048"), text("birthdate", "10", "10"))
	for _, name := range []string{"zoneinfo", "locale", "phone_number"} {
		set = append(set, text(name, "0", "2048"))
	}
	return append(set, flag("phone_number_verified"), text("address", "0", "2048"),
		Attribute{Name: "updated_at", AttributeDataType: "Number", Mutable: new(true),
			NumberAttributeConstraints: &NumberRange{MinValue: "0"}},
		Attribute{Name: "identities", AttributeDataType: "String", Mutable: new(true),
			StringAttributeConstraints: &StringRange{}})
}

// New builds the schema of a new pool: the standard attributes as overridden by
// attributes of the same name, and custom attributes, which are named without
// their "custom:" prefix (CreateUserPool). It returns an error that names the
// attribute.
func New(requested []Attribute) (*Set, error) {
	s := index(standard())
	var custom []Attribute
	for _, a := range requested {
		i, ok := s.byName[a.Name]
		if !ok {
			custom = append(custom, a)
			continue
		}
		if a.AttributeDataType != "" && a.AttributeDataType != s.attributes[i].AttributeDataType {
			return nil, fmt.Errorf("%s: you can not change AttributeDataType of a standard schema attribute", a.Name)
		}
		if a.Name == "sub" && (a.mutable() || !a.Required) {
			return nil, fmt.Errorf("sub: is always required and never mutable")
		}
		s.attributes[i].Required = a.Required
		if a.Mutable != nil {
			s.attributes[i].Mutable = new(*a.Mutable)
		}
		if a.StringAttributeConstraints != nil {
			s.attributes[i].StringAttributeConstraints = a.StringAttributeConstraints
		}
		if a.NumberAttributeConstraints != nil {
			s.attributes[i].NumberAttributeConstraints = a.NumberAttributeConstraints
		}
	}
	return s.Add(custom)
}

// Add returns the schema with more custom attributes, named without "custom:"
// (AddCustomAttributes). At most 50; names of 1 to 20 characters; a custom
// attribute cannot be required.
func (s *Set) Add(custom []Attribute) (*Set, error) {
	all := slices.Clone(s.attributes)
	for _, a := range custom {
		prefix := "custom:"
		if a.DeveloperOnlyAttribute {
			prefix = "dev:custom:"
		}
		a.Name = strings.TrimPrefix(a.Name, "custom:")
		if n := utf8.RuneCountInString(a.Name); n < 1 || n > 20 {
			return nil, fmt.Errorf("%s: a custom attribute's name has 1 to 20 characters", a.Name)
		}
		if a.Required {
			return nil, fmt.Errorf("%s: required custom attributes are not supported currently", a.Name)
		}
		if a.AttributeDataType == "" {
			a.AttributeDataType = "String"
		}
		if err := a.fill(); err != nil {
			return nil, err
		}
		a.Name = prefix + a.Name
		if slices.ContainsFunc(all, func(b Attribute) bool { return b.Name == a.Name }) {
			return nil, fmt.Errorf("%s: existing attribute already has this name", a.Name)
		}
		all = append(all, a)
	}
	next := index(all)
	if n := len(next.attributes) - len(standard()); n > 50 {
		return nil, fmt.Errorf("%d custom attributes: a pool has at most 50", n)
	}
	return next, nil
}

// fill sets what a custom attribute leaves out and checks its constraint.
func (a *Attribute) fill() error {
	if a.Mutable == nil {
		a.Mutable = new(true)
	}
	switch a.AttributeDataType {
	case "String":
		if a.StringAttributeConstraints == nil {
			a.StringAttributeConstraints = &StringRange{}
		}
		return ordered(a.Name, a.StringAttributeConstraints.MinLength, a.StringAttributeConstraints.MaxLength)
	case "Number":
		if a.NumberAttributeConstraints == nil {
			a.NumberAttributeConstraints = &NumberRange{}
		}
		return ordered(a.Name, a.NumberAttributeConstraints.MinValue, a.NumberAttributeConstraints.MaxValue)
	case "DateTime", "Boolean":
		return nil
	}
	return fmt.Errorf("%s: AttributeDataType %q is not String, Number, DateTime or Boolean", a.Name, a.AttributeDataType)
}

func ordered(name, low, high string) error {
	lo, hi := int64(-1<<53), int64(1<<53)
	for _, bound := range []struct {
		text string
		to   *int64
	}{{low, &lo}, {high, &hi}} {
		if bound.text == "" {
			continue
		}
		n, err := strconv.ParseInt(bound.text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: constraint %q is not an integer", name, bound.text)
		}
		*bound.to = n
	}
	if lo > hi {
		return fmt.Errorf("%s: constraint %s is above %s", name, low, high)
	}
	return nil
}

func index(attributes []Attribute) *Set {
	s := &Set{attributes: attributes, byName: make(map[string]int, len(attributes))}
	for i, a := range attributes {
		s.byName[a.Name] = i
	}
	return s
}

func (a Attribute) mutable() bool { return a.Mutable == nil || *a.Mutable }

// Attributes lists the definitions; the caller must not change them.
func (s *Set) Attributes() []Attribute { return s.attributes }

// Find returns the definition of a name.
func (s *Set) Find(name string) (Attribute, bool) {
	i, ok := s.byName[name]
	if !ok {
		return Attribute{}, false
	}
	return s.attributes[i], true
}

// Error says which attribute breaks the schema, never its value.
type Error struct {
	Attribute string
	Why       string
}

// Error has the words of Cognito's InvalidParameterException.
func (e *Error) Error() string {
	switch {
	case e.Attribute == "email" && e.Why == badFormat:
		return "Invalid email address format."
	case e.Attribute == "phone_number" && e.Why == badFormat:
		return "Invalid phone number format."
	}
	return fmt.Sprintf("Attributes did not conform to the schema: %s: %s", e.Attribute, e.Why)
}

const badFormat = "has not the format that its name asks for"

// Create checks the attributes of a new user. Immutable ones may be set: this is
// the one time. That nothing required is missing is for Complete to say, where
// Cognito insists on it: not in AdminCreateUser, after which the user gives them
// with the new password, and not in migration, which fills in defaults that AWS
// does not name.
func (s *Set) Create(values map[string]string) error {
	for _, name := range sortedNames(values) {
		if err := s.value(name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// Complete reports the first required attribute that is missing, sub aside.
func (s *Set) Complete(values map[string]string) error {
	for _, a := range s.attributes {
		if a.Required && a.Name != "sub" && values[a.Name] == "" {
			return &Error{a.Name, "The attribute is required"}
		}
	}
	return nil
}

// Update checks new values for an existing user: immutable attributes cannot be
// changed.
func (s *Set) Update(values map[string]string) error {
	for _, name := range sortedNames(values) {
		if err := s.value(name, values[name]); err != nil {
			return err
		}
		if a, _ := s.Find(name); !a.mutable() {
			return &Error{name, "Attribute cannot be updated. (changing an immutable attribute)"}
		}
	}
	return nil
}

func sortedNames(values map[string]string) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names) // the same attribute is blamed every time
	return names
}

// e164 is what Cognito takes for a phone number: + and at most 15 digits.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

func (s *Set) value(name, value string) error {
	a, ok := s.Find(name)
	if !ok {
		return &Error{name, "attribute does not exist in the schema"}
	}
	if name == "sub" || name == "identities" || strings.HasPrefix(name, "cognito:") {
		return &Error{name, "attribute belongs to Cognito and cannot be written"}
	}
	if len(value) > MaxBytes {
		return &Error{name, fmt.Sprintf("value is longer than %d bytes", MaxBytes)}
	}
	if !utf8.ValidString(value) {
		return &Error{name, "value is not UTF-8"}
	}
	switch a.AttributeDataType {
	case "Boolean":
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") && value != "" {
			return &Error{name, "value is neither true nor false"}
		}
	case "Number":
		return a.number(value)
	case "DateTime":
		_, errInt := strconv.ParseUint(value, 10, 63)
		if _, err := time.Parse(time.RFC3339, value); err != nil && errInt != nil && value != "" {
			return &Error{name, "value is neither RFC 3339 nor seconds since 1970"}
		}
	default:
		return a.text(value)
	}
	return nil
}

func (a Attribute) number(value string) error {
	if value == "" {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return &Error{a.Name, "value is not an integer"}
	}
	r := a.NumberAttributeConstraints
	if r == nil {
		return nil
	}
	if low, err := strconv.ParseInt(r.MinValue, 10, 64); err == nil && n < low {
		return &Error{a.Name, "Number must be greater than or equal to " + r.MinValue}
	}
	if high, err := strconv.ParseInt(r.MaxValue, 10, 64); err == nil && n > high {
		return &Error{a.Name, "Number must be less than or equal to " + r.MaxValue}
	}
	return nil
}

func (a Attribute) text(value string) error {
	if r := a.StringAttributeConstraints; r != nil && value != "" {
		n := utf8.RuneCountInString(value)
		if low, err := strconv.Atoi(r.MinLength); err == nil && n < low {
			return &Error{a.Name, "String must be at least " + r.MinLength + " characters long"}
		}
		if high, err := strconv.Atoi(r.MaxLength); err == nil && n > high {
			return &Error{a.Name, "String must be no longer than " + r.MaxLength + " characters"}
		}
	}
	if value == "" {
		return nil // an empty value removes the attribute
	}
	switch a.Name {
	case "phone_number":
		if !e164.MatchString(value) {
			return &Error{a.Name, badFormat}
		}
	case "email":
		if !IsEmail(value) {
			return &Error{a.Name, badFormat}
		}
	}
	return nil
}

// IsEmail reports whether a name or value is one bare e-mail address.
func IsEmail(text string) bool {
	at := strings.LastIndexByte(text, '@')
	if at < 1 || at == len(text)-1 || strings.ContainsAny(text, " \t\r\n<>") {
		return false
	}
	a, err := mail.ParseAddress(text)
	return err == nil && a.Name == ""
}

// IsPhone reports whether a name or value is an E.164 phone number.
func IsPhone(text string) bool { return e164.MatchString(text) }
