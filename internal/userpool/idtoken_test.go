package userpool_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/userpool"
)

func token(payload string) userpool.Secret {
	return userpool.NewSecret("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln")
}

func TestParseIDToken(t *testing.T) {
	got, err := userpool.ParseIDToken(token(`{"sub":"s-1","cognito:username":"ann","cognito:groups":["a","b"],"aud":"client","exp":1,
		"email":"ann@example.com","email_verified":true,"phone_number_verified":false,"updated_at":1700000000,"custom:n":"7",
		"address":{"formatted":"1 Road\nTown"},"token_use":"id","identities":[{"userId":"x"}],"name":"Ånn"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := userpool.User{Sub: "s-1", Username: "ann", Enabled: true, Groups: []string{"a", "b"}, Attributes: userpool.Attributes{
		"email": "ann@example.com", "email_verified": "true", "phone_number_verified": "false", "updated_at": "1700000000",
		"custom:n": "7", "address": "1 Road\nTown", "name": "Ånn",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseIDTokenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		token userpool.Secret
	}{
		{"empty", userpool.Secret{}},
		{"no JWT", userpool.NewSecret(canary)},
		{"four parts", userpool.NewSecret("a.b.c.d")},
		{"payload is not base64", userpool.NewSecret("e30.!!.c2ln")},
		{"payload is not JSON", token(canary)},
		{"payload is null", token(`null`)},
		{"payload is a list", token(`[]`)},
		{"no claims", token(`{}`)},
		{"no sub", token(`{"cognito:username":"ann","email":"` + canary + `"}`)},
		{"no username", token(`{"sub":"s-1"}`)},
		{"sub is a number", token(`{"sub":1,"cognito:username":"ann"}`)},
		{"attribute is a list", token(`{"sub":"s","cognito:username":"a","email":["` + canary + `"]}`)},
		{"attribute is an object", token(`{"sub":"s","cognito:username":"a","custom:x":{"a":"` + canary + `"}}`)},
		{"attribute is null", token(`{"sub":"s","cognito:username":"a","email":null}`)},
		{"attribute is a fraction", token(`{"sub":"s","cognito:username":"a","updated_at":1.5}`)},
		{"address without formatted", token(`{"sub":"s","cognito:username":"a","address":{"region":"x"}}`)},
		{"groups are no list", token(`{"sub":"s","cognito:username":"a","cognito:groups":"x"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := userpool.ParseIDToken(tt.token)
			if !errors.Is(err, userpool.ErrIDToken) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(userpool.User{}, u); diff != "" {
				t.Errorf("a partial user came back\n%s", diff)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error quotes the token: %v", err)
			}
		})
	}
}

func FuzzParseIDToken(f *testing.F) {
	for _, payload := range []string{`{"sub":"s","cognito:username":"a","email":"x@y.zz"}`, `{}`, `null`, `{"sub":1}`, `{"address":{"formatted":"a"}}`} {
		f.Add(token(payload).Reveal())
	}
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := userpool.ParseIDToken(userpool.NewSecret(text))
		if err == nil && (u.Sub == "" || u.Username == "" || u.Attributes == nil) {
			t.Errorf("a partial user: %+v", u)
		}
		if err != nil && (u.Sub != "" || u.Attributes != nil) {
			t.Errorf("a user beside the error %v: %+v", err, u)
		}
	})
}
