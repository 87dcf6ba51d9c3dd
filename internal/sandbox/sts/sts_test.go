package sts

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/wire"
)

// call sends a form as the user "ops" of an account with a role that trusts
// everybody.
func call(tb testing.TB, method, form string) (string, error) {
	tb.Helper()
	directory := iam.New(time.Now)
	everything := []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	user, err := directory.AddUser("111122223333", "ops", everything)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := directory.AddRole("111122223333", "login", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}`)); err != nil {
		tb.Fatal(err)
	}
	caller, _, err := directory.Lookup(user.AccessKeyID, "")
	if err != nil {
		tb.Fatal(err)
	}
	s := New(directory)
	operation, err := s.Operation(httptest.NewRequestWithContext(tb.Context(), method, "/", http.NoBody), []byte(form))
	if err != nil {
		return "", err
	}
	reply, err := s.Serve(tb.Context(), &wire.Call{Operation: operation, Account: caller.Account, Region: "eu-west-1", Caller: caller, Body: []byte(form)})
	if err != nil {
		return "", err
	}
	return string(reply.Body), nil
}

const assume = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/login&RoleSessionName=s1"

func TestServe(t *testing.T) {
	tests := []struct {
		name, method, form, want string
	}{
		{"assume", "POST", assume, "<Arn>arn:aws:sts::111122223333:assumed-role/login/s1</Arn>"},
		{"identity", "POST", "Action=GetCallerIdentity&Version=2011-06-15", "<Arn>arn:aws:iam::111122223333:user/ops</Arn>"},
	}
	for _, tt := range tests {
		if got, err := call(t, tt.method, tt.form); err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s, %v", tt.name, got, err)
		}
	}
	refused := []struct {
		name, method, form, want string
	}{
		{"GET", "GET", assume, `SandboxUnsupported: the poolferry sandbox does not support STS action "GET AssumeRole"`},
		{"no action", "POST", "", "SandboxUnsupported"},
		{"unknown action", "POST", "Action=GetSessionToken&Version=2011-06-15", "GetSessionToken"},
		{"another version", "POST", "Action=GetCallerIdentity&Version=2012-01-01", `version "2012-01-01"`},
		{"unknown parameter", "POST", assume + "&Tags.member.1.Key=x", `parameter "Tags.member.1.Key"`},
		{"parameter of another operation", "POST", "Action=GetCallerIdentity&Version=2011-06-15&RoleArn=x", `parameter "RoleArn"`},
		{"parameter twice", "POST", assume + "&RoleSessionName=s2", "ValidationError: parameter RoleSessionName is there twice"},
		{"malformed", "POST", "Action=%zz", "MalformedQueryString"},
		{"duration", "POST", assume + "&DurationSeconds=soon", "ValidationError"},
		{"negative duration", "POST", assume + "&DurationSeconds=-900", "ValidationError"},
		{"empty external id", "POST", assume + "&ExternalId=", "ValidationError"},
	}
	for _, tt := range refused {
		if _, err := call(t, tt.method, tt.form); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add(assume + "&DurationSeconds=900&ExternalId=run-7&Policy=%7B%7D")
	f.Add("Action=GetCallerIdentity&Version=2011-06-15")
	f.Fuzz(func(t *testing.T, form string) {
		got, err := call(t, "POST", form)
		if err == nil && !strings.Contains(got, "<Arn>") {
			t.Errorf("answered %q", got)
		}
		if err != nil && wire.AsError(err).Status >= http.StatusInternalServerError {
			t.Errorf("%q is our bug: %v", form, err)
		}
	})
}
