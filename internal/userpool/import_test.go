package userpool

import (
	"strings"
	"testing"
)

func TestImportName(t *testing.T) {
	const sub = "5d3c6a1e-0000-4000-8000-000000000001"
	verified := Attributes{"email": "ann@example.com", "email_verified": "true", "phone_number": "+15550100", "phone_number_verified": "false"}
	byPhone := Attributes{"email": "ann@example.com", "phone_number": "+15550100", "phone_number_verified": "true"}
	for name, tt := range map[string]struct {
		pool         Pool
		username     string
		attributes   Attributes
		want, reason string
	}{
		"the username":                        {Pool{}, "ann", verified, "ann", ""},
		"an address for a username":           {Pool{}, "ann@example.com", verified, "ann@example.com", ""},
		"made up by the source":               {Pool{}, sub, verified, "ann@example.com", ""},
		"made up, a number":                   {Pool{}, sub, Attributes{"phone_number": "+15550100"}, "+15550100", ""},
		"made up, nothing":                    {Pool{}, sub, Attributes{}, "", ReasonUsernameUnusable},
		"beside aliases":                      {Pool{Aliases: []string{"email"}}, "ann", verified, "ann", ""},
		"beside aliases, made up":             {Pool{Aliases: []string{"email"}}, sub, verified, sub, ""},
		"beside aliases, an address":          {Pool{Aliases: []string{"email"}}, "ann@example.com", verified, sub, ""},
		"beside aliases, a number":            {Pool{Aliases: []string{"phone_number"}}, "+15550100", verified, sub, ""},
		"beside other aliases":                {Pool{Aliases: []string{"phone_number"}}, "ann@example.com", verified, "ann@example.com", ""},
		"the address is the name":             {Pool{UsernameAttributes: []string{"email"}}, "ann", verified, "ann@example.com", ""},
		"the verified one is the name":        {Pool{UsernameAttributes: []string{"email", "phone_number"}}, "ann", byPhone, "+15550100", ""},
		"the first of two":                    {Pool{UsernameAttributes: []string{"email", "phone_number"}}, "ann", verified, "ann@example.com", ""},
		"an unverified one for want of other": {Pool{UsernameAttributes: []string{"phone_number"}}, "ann", verified, "+15550100", ""},
		"no address":                          {Pool{UsernameAttributes: []string{"email"}}, "ann", Attributes{"phone_number": "+15550100"}, "", ReasonNameNotCarried},
		"too long":                            {Pool{}, strings.Repeat("ä", 129), verified, "", ReasonUsernameUnusable},
		"as long as can be":                   {Pool{}, strings.Repeat("ä", 128), verified, strings.Repeat("ä", 128), ""},
		"with a space":                        {Pool{}, "ann lee", verified, "", ReasonUsernameUnusable},
		"none":                                {Pool{}, "", verified, "", ReasonUsernameUnusable},
	} {
		got, reason := tt.pool.ImportName(User{Sub: sub, Username: tt.username, Attributes: tt.attributes}, tt.attributes)
		if got != tt.want || reason != tt.reason {
			t.Errorf("%s: %q %q, want %q %q", name, got, reason, tt.want, tt.reason)
		}
	}
}

// TestImportNameIsThatOfTheTrigger: whoever types a name that moves them has the
// username under which an import would have created them.
func TestImportNameIsThatOfTheTrigger(t *testing.T) {
	const sub = "5d3c6a1e-0000-4000-8000-000000000001"
	attributes := Attributes{"email": "ann@example.com", "email_verified": "true", "phone_number": "+15550100", "phone_number_verified": "true", "preferred_username": "annie"}
	moved := 0
	for _, pool := range []Pool{{}, {Aliases: []string{"email"}}, {Aliases: []string{"email", "phone_number", "preferred_username"}}, {Aliases: []string{"phone_number"}}} {
		for _, username := range []string{"ann", sub, "ann@example.com", "+15550100"} {
			source := User{Sub: sub, Username: username, Attributes: attributes}
			want, _ := pool.ImportName(source, attributes)
			for _, typed := range []string{"ann", sub, "ann@example.com", "+15550100", "annie"} {
				admitted, reason := pool.Admit(typed, source, attributes)
				if reason != "" {
					continue
				}
				moved++
				got := admitted[UsernameMember]
				if got == "" { // Cognito takes what was typed
					got = typed
				}
				if got != want {
					t.Errorf("aliases %v, username %s: moves as %s by typing %s, is imported as %s", pool.Aliases, username, got, typed, want)
				}
			}
		}
	}
	if moved < 20 {
		t.Errorf("%d cases", moved)
	}
}
