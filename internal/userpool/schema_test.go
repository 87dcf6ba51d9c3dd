package userpool_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/userpool"
)

func ptr(n int64) *int64 { return &n }

func testSchema() userpool.Schema {
	s := userpool.Schema{}
	for _, spec := range []userpool.AttributeSpec{
		{Name: "sub", Type: userpool.TypeString, Required: true, Min: ptr(1), Max: ptr(2048)},
		{Name: "email", Type: userpool.TypeString, Mutable: true, Required: true, Min: ptr(0), Max: ptr(2048)},
		{Name: "email_verified", Type: userpool.TypeBoolean, Mutable: true},
		{Name: "phone_number", Type: userpool.TypeString, Mutable: true, Min: ptr(0), Max: ptr(2048)},
		{Name: "birthdate", Type: userpool.TypeString, Mutable: true, Min: ptr(10), Max: ptr(10)},
		{Name: "name", Type: userpool.TypeString, Mutable: true},
		{Name: "custom:level", Type: userpool.TypeNumber, Mutable: true, Min: ptr(1), Max: ptr(9)},
		{Name: "custom:legacy_sub", Type: userpool.TypeString, Min: ptr(0), Max: ptr(64)},
	} {
		s[spec.Name] = spec
	}
	return s
}

func TestSchemaCheck(t *testing.T) {
	tests := []struct {
		name       string
		attributes userpool.Attributes
		want       []string // attribute:rule
	}{
		{"fits", userpool.Attributes{"email": "a+b@example.com", "email_verified": "true", "phone_number": "+15550100", "birthdate": "2000-01-31", "custom:level": "9", "custom:legacy_sub": "x"}, nil},
		{"required absent", userpool.Attributes{}, []string{"email:required"}},
		{"required empty", userpool.Attributes{"email": ""}, []string{"email:required"}},
		{"unknown", userpool.Attributes{"email": "a@b.cc", "custom:new": "1"}, []string{"custom:new:unknown_attribute"}},
		{"owned", userpool.Attributes{"email": "a@b.cc", "sub": "x", "cognito:x": "y"}, []string{"cognito:x:owned_by_cognito", "sub:owned_by_cognito"}},
		{"boolean", userpool.Attributes{"email": "a@b.cc", "email_verified": "yes"}, []string{"email_verified:type"}},
		{"number", userpool.Attributes{"email": "a@b.cc", "custom:level": "1.5"}, []string{"custom:level:type"}},
		{"number too small", userpool.Attributes{"email": "a@b.cc", "custom:level": "0"}, []string{"custom:level:range"}},
		{"number too large", userpool.Attributes{"email": "a@b.cc", "custom:level": "10"}, []string{"custom:level:range"}},
		{"too short", userpool.Attributes{"email": "a@b.cc", "birthdate": "2000"}, []string{"birthdate:length"}},
		{"too long in characters", userpool.Attributes{"email": "a@b.cc", "birthdate": strings.Repeat("é", 11)}, []string{"birthdate:length"}},
		{"ten characters of several bytes fit", userpool.Attributes{"email": "a@b.cc", "birthdate": strings.Repeat("é", 10)}, nil},
		{"2,048 bytes fit", userpool.Attributes{"email": "a@b.cc", "name": strings.Repeat("x", 2048)}, nil},
		{"2,049 bytes do not", userpool.Attributes{"email": "a@b.cc", "name": strings.Repeat("x", 2049)}, []string{"name:length"}},
		{"invalid UTF-8", userpool.Attributes{"email": "a@b.cc", "name": "\xff"}, []string{"name:format"}},
		{"phone without plus", userpool.Attributes{"email": "a@b.cc", "phone_number": "015550100"}, []string{"phone_number:format"}},
		{"phone with spaces", userpool.Attributes{"email": "a@b.cc", "phone_number": "+1 555 0100"}, []string{"phone_number:format"}},
		{"phone of 16 digits", userpool.Attributes{"email": "a@b.cc", "phone_number": "+1234567890123456"}, []string{"phone_number:format"}},
		{"e-mail without domain", userpool.Attributes{"email": "a@"}, []string{"email:format"}},
		{"e-mail of two", userpool.Attributes{"email": "a@b@c.dd"}, []string{"email:format"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, v := range testSchema().Check(tt.attributes) {
				got = append(got, v.Attribute+":"+v.Rule)
				for name, value := range tt.attributes {
					if len(value) > 2 && value != "true" && strings.Contains(v.Detail, value) {
						t.Errorf("the detail of %s quotes the value: %s", name, v.Detail)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
