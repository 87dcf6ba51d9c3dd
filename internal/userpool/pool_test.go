package userpool_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/userpool"
)

func TestPoolAdmit(t *testing.T) {
	ann := userpool.User{Sub: "5e1f", Username: "ann", Attributes: userpool.Attributes{"email": "ann@example.com", "phone_number": "+15550100", "preferred_username": "annie"}}
	uuid := userpool.User{Sub: "5e1f", Username: "5e1f", Attributes: ann.Attributes}
	mailName := userpool.User{Sub: "5e1f", Username: "old@example.com", Attributes: ann.Attributes}
	phoneOnly := userpool.User{Sub: "5e1f", Username: "5e1f", Attributes: userpool.Attributes{"phone_number": "+15550100"}}

	aliases := userpool.Pool{Aliases: []string{"email", "phone_number", "preferred_username"}}
	emailAlias := userpool.Pool{Aliases: []string{"email"}}
	plain := userpool.Pool{}
	byEmail := userpool.Pool{UsernameAttributes: []string{"email"}}
	byBoth := userpool.Pool{UsernameAttributes: []string{"email", "phone_number"}}
	strict := userpool.Pool{Aliases: []string{"email"}, CaseSensitive: true}

	with := func(u userpool.User, name, value string) userpool.Attributes {
		out := u.Attributes.Clone()
		if name != "" {
			out[name] = value
		}
		return out
	}
	named := func(a userpool.Attributes, username string) userpool.Attributes {
		a[userpool.UsernameMember] = username
		return a
	}
	tests := []struct {
		name   string
		pool   userpool.Pool
		user   userpool.User
		typed  string
		want   userpool.Attributes
		reason string
	}{
		{"aliases, username typed", aliases, ann, "ann", with(ann, "", ""), ""},
		{"aliases, username in other case", aliases, ann, "ANN", with(ann, "", ""), ""},
		{"aliases, e-mail typed", aliases, ann, "ann@example.com", named(with(ann, "", ""), "ann"), ""},
		{"aliases, e-mail in other case is kept as typed", aliases, ann, "Ann@Example.com", named(with(ann, "email", "Ann@Example.com"), "ann"), ""},
		{"aliases, phone typed", aliases, ann, "+15550100", named(with(ann, "", ""), "ann"), ""},
		{"aliases, preferred username typed", aliases, ann, "annie", named(with(ann, "", ""), "ann"), ""},
		{"aliases, source username is an address", aliases, mailName, "ann@example.com", named(with(ann, "", ""), "5e1f"), ""},
		{"aliases, typed the address that is the source username", aliases, mailName, "old@example.com", nil, userpool.ReasonNameNotCarried},
		{"aliases, generated source username", aliases, uuid, "ann@example.com", named(with(ann, "", ""), "5e1f"), ""},
		{"aliases, user without username and sub", aliases, userpool.User{Attributes: ann.Attributes}, "ann@example.com", nil, userpool.ReasonUsernameUnusable},
		{"one alias, another one typed", emailAlias, ann, "+15550100", nil, userpool.ReasonNameNotCarried},
		{"one alias, preferred username typed", emailAlias, ann, "annie", nil, userpool.ReasonNameNotCarried},
		{"case-sensitive, other case", strict, ann, "ANN@example.com", nil, userpool.ReasonNameNotCarried},
		{"no aliases, username", plain, ann, "ann", with(ann, "", ""), ""},
		{"no aliases, alias of the source typed", plain, ann, "ann@example.com", nil, userpool.ReasonNameNotCarried},
		{"no aliases, generated source username, e-mail typed", plain, uuid, "ann@example.com", with(ann, "", ""), ""},
		{"no aliases, generated source username, phone typed though there is an e-mail", plain, uuid, "+15550100", nil, userpool.ReasonNameNotCarried},
		{"no aliases, generated source username, phone only", plain, phoneOnly, "+15550100", with(phoneOnly, "", ""), ""},
		{"username attributes, e-mail", byEmail, uuid, "ANN@example.com", with(ann, "", ""), ""},
		{"username attributes, e-mail only, phone typed", byEmail, uuid, "+15550100", nil, userpool.ReasonNameNotCarried},
		{"username attributes, both, phone typed", byBoth, uuid, "+15550100", with(ann, "", ""), ""},
		{"username attributes, username typed", byBoth, ann, "ann", nil, userpool.ReasonNameNotCarried},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.user.Attributes.Clone()
			got, reason := tt.pool.Admit(tt.typed, tt.user, tt.user.Attributes)
			if reason != tt.reason {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.user.Attributes); diff != "" {
				t.Errorf("the attributes that were given were changed\n%s", diff)
			}
		})
	}
}

func TestIDTokenLoses(t *testing.T) {
	m := userpool.Mapping{Rules: []userpool.Rule{{Drop: "custom:junk"}}}
	pool := userpool.Pool{Schema: userpool.Schema{"sub": {}, "email": {}, "custom:a": {}, "custom:junk": {}}}
	if lost := pool.IDTokenLoses(m, []string{"email", "custom:a"}); lost != nil {
		t.Errorf("a client that reads all loses %v", lost)
	}
	if diff := cmp.Diff([]string{"custom:a"}, pool.IDTokenLoses(m, []string{"email"})); diff != "" {
		t.Error(diff)
	}
	pool.PreTokenGeneration = true
	if diff := cmp.Diff([]string{"custom:a", "email"}, pool.IDTokenLoses(m, []string{"email", "custom:a"})); diff != "" {
		t.Errorf("with a PreTokenGeneration trigger\n%s", diff)
	}
}
