package schema

import (
	"fmt"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	many := make([]Attribute, 51)
	for i := range many {
		many[i].Name = fmt.Sprintf("c%d", i)
	}
	for _, c := range []struct {
		name string
		add  []Attribute
		want string // part of the error
	}{
		{"nothing", nil, ""},
		{"custom", []Attribute{{Name: "legacy_sub", AttributeDataType: "String", Mutable: new(false)}}, ""},
		{"required standard", []Attribute{{Name: "email", Required: true}}, ""},
		{"20 characters", []Attribute{{Name: strings.Repeat("a", 20)}}, ""},
		{"21 characters", []Attribute{{Name: strings.Repeat("a", 21)}}, "1 to 20 characters"},
		{"no name", []Attribute{{}}, "1 to 20 characters"},
		{"twice", []Attribute{{Name: "a"}, {Name: "a"}}, "custom:a: existing attribute"},
		{"required custom", []Attribute{{Name: "a", Required: true}}, "not supported"},
		{"50", many[:50], ""},
		{"51", many, "at most 50"},
		{"mutable sub", []Attribute{{Name: "sub", Required: true, Mutable: new(true)}}, "never mutable"},
		{"type of a standard one", []Attribute{{Name: "email", AttributeDataType: "Number"}}, "can not change"},
		{"type", []Attribute{{Name: "a", AttributeDataType: "Float"}}, "not String, Number, DateTime or Boolean"},
		{"bound", []Attribute{{Name: "a", StringAttributeConstraints: &StringRange{MinLength: "x"}}}, "not an integer"},
		{"bounds", []Attribute{{Name: "a", StringAttributeConstraints: &StringRange{MinLength: "3", MaxLength: "2"}}}, "is above"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.add)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	set, err := New([]Attribute{
		{Name: "email", Mutable: new(false)},
		{Name: "legacy_sub", Mutable: new(false)},
		{Name: "short", StringAttributeConstraints: &StringRange{MinLength: "2", MaxLength: "4"}},
		{Name: "n", AttributeDataType: "Number", NumberAttributeConstraints: &NumberRange{MinValue: "-5", MaxValue: "10"}},
		{Name: "on", AttributeDataType: "Boolean"},
		{Name: "at", AttributeDataType: "DateTime"},
		{Name: "own", DeveloperOnlyAttribute: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	const long = "String must be no longer"
	for _, c := range []struct{ name, value, create, update string }{
		{"name", "Ada Lovelace", "", ""},
		{"name", strings.Repeat("é", 1024), "", ""},
		{"name", strings.Repeat("é", 1025), "longer than 2048 bytes", "longer than 2048 bytes"},
		{"name", "\xff", "not UTF-8", "not UTF-8"},
		{"email", "ada+x@example.org", "", "cannot be updated"},
		{"email", "nobody", "Invalid email address format.", "Invalid email"},
		{"phone_number", "+4915112345678", "", ""},
		{"phone_number", "015112345678", "Invalid phone number format.", "Invalid phone"},
		{"phone_number", "+1234567890123456", "Invalid phone number format.", "Invalid phone"},
		{"birthdate", "1815-12-10", "", ""},
		{"birthdate", "1815", "at least 10", "at least 10"},
		{"email_verified", "true", "", ""},
		{"email_verified", "yes", "neither true nor false", "neither"},
		{"updated_at", "-1", "greater than or equal to 0", "greater"},
		{"updated_at", "now", "not an integer", "not an integer"},
		{"sub", "x", "belongs to Cognito", "belongs to Cognito"},
		{"cognito:groups", "x", "does not exist", "does not exist"},
		{"identities", "[]", "belongs to Cognito", "belongs to Cognito"},
		{"custom:none", "x", "attribute does not exist in the schema", "does not exist"},
		{"custom:legacy_sub", "x", "", "cannot be updated"},
		{"custom:short", "éééé", "", ""},
		{"custom:short", "ééééé", long, long},
		{"custom:short", "a", "at least 2", "at least 2"},
		{"custom:short", "", "", ""},
		{"custom:n", "10", "", ""},
		{"custom:n", "11", "less than or equal to 10", "less"},
		{"custom:on", "False", "", ""},
		{"custom:at", "2026-01-01T00:00:00Z", "", ""},
		{"custom:at", "1767225600", "", ""},
		{"custom:at", "yesterday", "neither RFC 3339", "neither"},
		{"dev:custom:own", "x", "", ""},
	} {
		t.Run(c.name+"="+c.value[:min(len(c.value), 12)], func(t *testing.T) {
			values := map[string]string{c.name: c.value}
			for want, err := range map[string]error{"create " + c.create: set.Create(values), "update " + c.update: set.Update(values)} {
				_, text, _ := strings.Cut(want, " ")
				if text == "" && err != nil || text != "" && (err == nil || !strings.Contains(err.Error(), text)) {
					t.Errorf("got %v, want %q", err, want)
				}
				if err != nil && len(c.value) > 3 && strings.Contains(err.Error(), c.value) {
					t.Errorf("the error quotes the value: %v", err)
				}
			}
		})
	}
}

func TestRequired(t *testing.T) {
	set, err := New([]Attribute{{Name: "name", Required: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Complete(map[string]string{"email": "a@b.example"}); err == nil || !strings.Contains(err.Error(), "name: The attribute is required") {
		t.Errorf("got %v", err)
	}
	if err := set.Complete(map[string]string{"name": "Ada"}); err != nil {
		t.Error(err)
	}
}

func TestPasswordPolicy(t *testing.T) {
	for password, want := range map[string]string{
		"Abcdef1!": "", "Abcdef1 x": "", "Ab1!": "not long enough", "abcdef1!": "uppercase", "ABCDEF1!": "lowercase",
		"Abcdefg!": "numeric", "Abcdefg1": "symbol", "Äbcdef1!": "uppercase", "Abcdefg1 ": "symbol",
	} {
		if got := DefaultPolicy().Check(password); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", password, got, want)
		}
	}
	if got := (PasswordPolicy{MinimumLength: 6}).Check("simple"); got != "" {
		t.Errorf("a lax policy refuses: %s", got)
	}
}
