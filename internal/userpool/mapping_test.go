package userpool_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/userpool"
)

func rename(from, to string) userpool.Rule {
	return userpool.Rule{Rename: &userpool.Move{From: from, To: to}}
}

func copied(from, to string) userpool.Rule {
	return userpool.Rule{Copy: &userpool.Move{From: from, To: to}}
}

func set(to, value string) userpool.Rule {
	return userpool.Rule{Set: &userpool.Literal{To: to, Value: value}}
}

func byDefault(to, value string) userpool.Rule {
	return userpool.Rule{Default: &userpool.Literal{To: to, Value: value}}
}

func TestMappingApply(t *testing.T) {
	source := userpool.User{Sub: "s-1", Username: "ann", Attributes: userpool.Attributes{
		"email": "Ann@Example.com", "email_verified": "false", "phone_number": "+15550100", "phone_number_verified": "true",
		"custom:dept": "R&D", "nickname": "A", "identities": "[]", "cognito:mfa_enabled": "x", "sub": "s-1", "locale": "",
	}}
	plain := userpool.Attributes{
		"email": "Ann@Example.com", "email_verified": "false", "phone_number": "+15550100", "phone_number_verified": "true",
		"custom:dept": "R&D", "nickname": "A", "locale": "", "custom:legacy_sub": "s-1",
	}
	with := func(change func(userpool.Attributes)) userpool.Attributes {
		out := plain.Clone()
		change(out)
		return out
	}
	tests := []struct {
		name  string
		rules []userpool.Rule
		want  userpool.Attributes
	}{
		{"no rules carry everything that is not Cognito's", nil, plain},
		{"rename", []userpool.Rule{rename("custom:dept", "custom:department")}, with(func(a userpool.Attributes) {
			delete(a, "custom:dept")
			a["custom:department"] = "R&D"
		})},
		{"copy", []userpool.Rule{copied("email", "custom:login")}, with(func(a userpool.Attributes) { a["custom:login"] = "Ann@Example.com" })},
		{"copy of sub", []userpool.Rule{copied("sub", "custom:old")}, with(func(a userpool.Attributes) { a["custom:old"] = "s-1" })},
		{"drop", []userpool.Rule{{Drop: "nickname"}}, with(func(a userpool.Attributes) { delete(a, "nickname") })},
		{"drop takes the verified flag along", []userpool.Rule{{Drop: "email"}}, with(func(a userpool.Attributes) {
			delete(a, "email")
			delete(a, "email_verified")
		})},
		{"set wins over what is there", []userpool.Rule{set("nickname", "B")}, with(func(a userpool.Attributes) { a["nickname"] = "B" })},
		{"default fills what is absent or empty", []userpool.Rule{byDefault("locale", "en"), byDefault("nickname", "Z")}, with(func(a userpool.Attributes) { a["locale"] = "en" })},
		{"lower works on the target's name", []userpool.Rule{rename("email", "custom:mail"), {Lower: "custom:mail"}}, with(func(a userpool.Attributes) {
			delete(a, "email")
			delete(a, "email_verified")
			a["custom:mail"] = "ann@example.com"
		})},
		{"swap", []userpool.Rule{rename("nickname", "custom:dept"), rename("custom:dept", "nickname")}, with(func(a userpool.Attributes) {
			a["nickname"], a["custom:dept"] = "R&D", "A"
		})},
		{"rename of an absent attribute does nothing", []userpool.Rule{rename("zoneinfo", "website")}, plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := userpool.Mapping{Rules: tt.rules}
			if err := m.Validate(); err != nil {
				t.Fatal(err)
			}
			before := source.Attributes.Clone()
			if diff := cmp.Diff(tt.want, m.Apply(source)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(before, source.Attributes); diff != "" {
				t.Errorf("the source user was changed\n%s", diff)
			}
		})
	}
}

func TestMappingValidate(t *testing.T) {
	tests := []struct {
		name  string
		rules []userpool.Rule
		want  string
	}{
		{"onto sub", []userpool.Rule{rename("nickname", "sub")}, `mapping.rules[0].rename.to: "sub" belongs to Cognito and cannot be read or written by a rule`},
		{"onto identities", []userpool.Rule{set("identities", "x")}, `mapping.rules[0].set.to: "identities" belongs to Cognito and cannot be read or written by a rule`},
		{"onto the legacy sub", []userpool.Rule{copied("email", "custom:legacy_sub")}, `mapping.rules[0].copy.to: "custom:legacy_sub" is where the source sub goes`},
		{"forced verification", []userpool.Rule{set("email_verified", "true")}, `mapping.rules[0].set.to: "email_verified" cannot be written by a rule: only the source knows what was verified`},
		{"two writers", []userpool.Rule{copied("email", "custom:a"), set("custom:a", "x")}, `mapping.rules[1].set.to: "custom:a" is written by an earlier copy rule already`},
		{"drop and rename", []userpool.Rule{{Drop: "nickname"}, rename("nickname", "name")}, `mapping.rules[1].rename.from: "nickname" has an earlier drop rule already`},
		{"set and default", []userpool.Rule{set("locale", "a"), byDefault("locale", "b")}, `mapping.rules[1].default.to: "locale" is written by an earlier set rule already`},
		{"lower of what is gone", []userpool.Rule{{Lower: "nickname"}, {Drop: "nickname"}}, `mapping.rules[0].lower: "nickname" is taken away by another rule (drop)`},
		{"lower twice", []userpool.Rule{{Lower: "email"}, {Lower: "email"}}, `mapping.rules[1].lower: "email" is lower-cased by an earlier rule already`},
		{"onto itself", []userpool.Rule{rename("email", "email")}, `mapping.rules[0].rename.to: "email" is the attribute it comes from`},
		{"unknown attribute", []userpool.Rule{{Drop: "e-mail"}}, `mapping.rules[0].drop: "e-mail" is neither a standard attribute nor custom:NAME`},
		{"custom name too long", []userpool.Rule{{Drop: "custom:123456789012345678901"}}, `mapping.rules[0].drop: "custom:123456789012345678901" is not a custom attribute name of 1 to 20 characters`},
		{"custom name empty", []userpool.Rule{{Drop: "custom:"}}, `mapping.rules[0].drop: "custom:" is not a custom attribute name of 1 to 20 characters`},
		{"no verb", []userpool.Rule{{}}, `mapping.rules[0]: a rule has exactly one of rename, copy, drop, set, default, lower, this one has 0`},
		{"two verbs", []userpool.Rule{{Drop: "email", Lower: "email"}}, `mapping.rules[0]: a rule has exactly one of rename, copy, drop, set, default, lower, this one has 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := userpool.Mapping{Rules: tt.rules}.Validate()
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if _, ok := errors.AsType[*userpool.RuleError](err); !ok {
				t.Errorf("%T is no RuleError", err)
			}
		})
	}
}

func TestMappingReads(t *testing.T) {
	defined := []string{"sub", "email", "nickname", "custom:a", "identities"}
	m := userpool.Mapping{Rules: []userpool.Rule{{Drop: "nickname"}, {Drop: "custom:a"}, copied("custom:a", "custom:b")}}
	if diff := cmp.Diff([]string{"email", "custom:a"}, m.Reads(defined)); diff != "" {
		t.Error(diff)
	}
}
