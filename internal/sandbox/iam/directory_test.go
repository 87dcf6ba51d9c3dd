package iam

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const (
	source = "111122223333"
	target = "444455556666"
	pool   = "arn:aws:cognito-idp:eu-west-1:" + source + ":userpool/eu-west-1_src"
)

// allow is an identity policy of one statement.
func allow(action, resource string) []byte {
	return fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, action, resource)
}

func denyPolicy(action, resource string) []byte {
	return fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":[%q],"Resource":[%q]}]}`, action, resource)
}

// trustOf is a trust policy for one AWS principal with a condition, which may
// be empty.
func trustOf(who, condition string) []byte {
	if condition == "" {
		condition = "{}"
	}
	return fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":%q},"Condition":%s}]}`, who, condition)
}

// world is a directory with a clock that stands until it is moved.
type world struct {
	*Directory
	time time.Time
}

func newWorld() *world {
	w := &world{time: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	w.Directory = New(func() time.Time { return w.time })
	return w
}

func (w *world) user(t *testing.T, account string, policies ...[]byte) wire.Caller {
	t.Helper()
	c, err := w.AddUser(account, "ops", policies...)
	if err != nil {
		t.Fatal(err)
	}
	return w.caller(t, c)
}

func (w *world) role(t *testing.T, account, name string, trust []byte, policies ...[]byte) string {
	t.Helper()
	arn, err := w.AddRole(account, name, trust, policies...)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func (w *world) caller(t *testing.T, c Credentials) wire.Caller {
	t.Helper()
	caller, secret, err := w.Lookup(c.AccessKeyID, c.SessionToken.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if !secret.Equal(c.SecretAccessKey) {
		t.Fatal("Lookup returns another secret key")
	}
	return caller
}

func (w *world) session(t *testing.T, roleARN string) wire.Caller {
	t.Helper()
	c, err := w.Session(roleARN, "fn", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return w.caller(t, c)
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

func TestAuthorize(t *testing.T) {
	const list = "cognito-idp:ListUsers"
	tests := []struct {
		name     string
		policies [][]byte
		resource string
		want     string // in the error; empty means allowed
	}{
		{"nothing is said", nil, pool, "because no identity-based policy allows the cognito-idp:ListUsers action"},
		{"allowed", [][]byte{allow(list, pool)}, pool, ""},
		{"actions have no case", [][]byte{allow("cognito-idp:listusers", pool)}, pool, ""},
		{"wildcards", [][]byte{allow("cognito-idp:List*", "arn:aws:cognito-idp:*:"+source+":userpool/*")}, pool, ""},
		{"another action", [][]byte{allow("cognito-idp:AdminGetUser", pool)}, pool, "no identity-based policy"},
		{"another resource", [][]byte{allow(list, pool+"x")}, pool, "no identity-based policy"},
		{"deny wins", [][]byte{allow("*", "*"), denyPolicy(list, pool)}, pool, "with an explicit deny in an identity-based policy"},
		{"deny of something else", [][]byte{denyPolicy("s3:*", "*"), allow("*", "*")}, pool, ""},
		{"another account's resource", [][]byte{allow("*", "*")}, strings.ReplaceAll(pool, source, target), "no resource-based policy"},
		{"resource without account", [][]byte{allow("s3:*", "arn:aws:s3:::bucket/*"), allow(list, "*")}, "arn:aws:s3:::bucket/key", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			user := w.user(t, source, tt.policies...)
			err := w.Authorize(user, list, tt.resource)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			prefix := "AccessDeniedException: User: arn:aws:iam::" + source + ":user/ops is not authorized to perform: " + list + " on resource: " + tt.resource
			if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q and %q", err, prefix, tt.want)
			}
		})
	}
	if got := code(newWorld().Authorize(wire.Caller{}, list, pool)); got != "MissingAuthenticationTokenException" {
		t.Errorf("unsigned: %s", got)
	}
}

func TestLookup(t *testing.T) {
	w := newWorld()
	user, err := w.AddUser(source, "ops")
	if err != nil {
		t.Fatal(err)
	}
	session, err := w.Session(w.role(t, source, "login", trustOf("*", "")), "s", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token := session.SessionToken.Reveal()
	tests := []struct {
		name       string
		key, token string
		after      time.Duration
		want       string
	}{
		{"user", user.AccessKeyID, "", 1000 * time.Hour, ""},
		{"user with a token", user.AccessKeyID, token, 0, "UnrecognizedClientException"},
		{"session", session.AccessKeyID, token, 59 * time.Minute, ""},
		{"session without token", session.AccessKeyID, "", 0, "UnrecognizedClientException"},
		{"session with another token", session.AccessKeyID, token + "x", 0, "UnrecognizedClientException"},
		{"expired", session.AccessKeyID, token, time.Hour, "ExpiredTokenException"},
		{"stranger", "AKIAAAAAAAAAAAAAAAAA", "", 0, "UnrecognizedClientException"},
	}
	begin := w.time
	for _, tt := range tests {
		w.time = begin.Add(tt.after)
		if _, _, err := w.Lookup(tt.key, tt.token); code(err) != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestUsage(t *testing.T) {
	w := newWorld()
	role := w.role(t, source, "login", trustOf("*", ""), []byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["cognito-idp:AdminGetUser","cognito-idp:Admin*Auth"],"Resource":"`+pool+`"},
		{"Effect":"Deny","Action":"cognito-idp:AdminDeleteUser","Resource":"*"}]}`))
	user := w.user(t, target, allow("sts:AssumeRole", role))
	_, session, err := w.AssumeRole(user, AssumeRoleInput{RoleARN: role, SessionName: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Authorize(session, "cognito-idp:AdminInitiateAuth", pool); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Authorize(session, "cognito-idp:ListUsers", pool) // refused: no use
	want := map[Use]int{
		{Identity: user.ARN, Action: "sts:AssumeRole", Resource: role}:            1,
		{Identity: role, Action: "cognito-idp:AdminInitiateAuth", Resource: pool}: 2,
	}
	if diff := cmp.Diff(want, w.Usage()); diff != "" {
		t.Error(diff)
	}
	unused, err := w.Unused(role)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cognito-idp:AdminGetUser on " + pool}, unused); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Unused("arn:aws:iam::" + source + ":role/none"); err == nil {
		t.Error("Unused knows a role that is not there")
	}
}

func TestAddRefuses(t *testing.T) {
	w := newWorld()
	w.user(t, source)
	w.role(t, source, "login", trustOf("*", ""))
	tests := map[string]func() error{
		`account "12"`:        func() error { _, err := w.AddUser("12", "x"); return err },
		`name "a/b"`:          func() error { _, err := w.AddUser(source, "a/b"); return err },
		"user/ops exists":     func() error { _, err := w.AddUser(source, "ops"); return err },
		"policy 1":            func() error { _, err := w.AddUser(source, "y", allow("*", "*"), []byte("{}")); return err },
		"role/login exists":   func() error { _, err := w.AddRole(source, "login", trustOf("*", "")); return err },
		"trust policy":        func() error { _, err := w.AddRole(source, "z", allow("*", "*")); return err },
		"want 1h to 12h":      func() error { return w.SetMaxSession("arn:aws:iam::"+source+":role/login", time.Minute) },
		"no role arn":         func() error { return w.SetMaxSession("arn:aws:iam::"+source+":role/none", time.Hour) },
		"no role arn:aws:iam": func() error { _, err := w.Session("arn:aws:iam::"+source+":user/ops", "s", time.Hour); return err },
		`session name ""`:     func() error { _, err := w.Session("arn:aws:iam::"+source+":role/login", "", time.Hour); return err },
		"is not positive":     func() error { _, err := w.Session("arn:aws:iam::"+source+":role/login", "s", 0); return err },
	}
	for want, add := range tests {
		if err := add(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c := Credentials{AccessKeyID: "AKIA", SecretAccessKey: userpool.NewSecret("k3y"), SessionToken: userpool.NewSecret("t0ken")}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "k3y") || strings.Contains(text, "t0ken") {
		t.Error(text)
	}
}
