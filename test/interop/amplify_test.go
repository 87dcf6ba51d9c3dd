package interop_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/tools/rehearsal"
)

// app is what amplify.mjs is told.
type app struct {
	Endpoint string `json:"endpoint"`
	PoolID   string `json:"pool_id"`
	ClientID string `json:"client_id"`
	Name     string `json:"name"`
	Password string `json:"password"`
	Next     string `json:"next"`
	Wrong    string `json:"wrong"`
	Act      string `json:"act"`
}

// ending is what a call of the app's client came to.
type ending struct {
	OK            bool
	Name, Message string // of the error
}

// appReport is what amplify.mjs prints.
type appReport struct {
	SRP ending // of the act early

	IDToken                struct{ Use, Audience, Username string }
	LegacySub, SRPUsername string
	SameSub                bool

	WrongPassword, SRPWrong, Refreshed, ChangeWrong, ChangeWeak, Changed, SRPOld, PasswordOld, PasswordNew ending
	SignedOut, SignedOutRefresh, OthersStay, Everywhere, EverywhereRefresh, Again                          ending
}

// play runs amplify.mjs.
func (a app) play(t *testing.T, path, act string) appReport {
	t.Helper()
	a.Act = act
	input, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), path, "amplify.mjs")
	script.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	script.Stderr = &stderr
	data, err := script.Output()
	if err != nil {
		t.Fatalf("amplify.mjs: %v\n%s", err, stderr.Bytes())
	}
	var out appReport
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAppClient is the client that apps in a browser have: with its default flow
// it cannot migrate anybody, with a password it can, and afterwards its default
// flow works, for as long as the password is the one that the user has.
func TestAppClient(t *testing.T) {
	path := node(t)
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel() // the client's arithmetic is slow
			w := newWorld(t, shape, len(crowd.Kinds()))
			if err := w.Cognito.ChangeClient(w.Target.PoolID, w.Target.Client.ID, func(s *cognitoidp.ClientSettings) {
				s.ExplicitAuthFlows = append(s.ExplicitAuthFlows, "ALLOW_USER_SRP_AUTH")
			}); err != nil {
				t.Fatal(err)
			}
			appClient(t, path, w)
		})
	}
}

func appClient(t *testing.T, path string, w *rehearsal.World) {
	t.Helper()
	brief := w.Brief("")
	a := app{Endpoint: brief.Endpoint, PoolID: brief.Target.PoolID, ClientID: brief.Target.ClientID,
		Name: brief.Sample.Name, Password: brief.Sample.Password, Next: "Canary-next-password-2!", Wrong: "Canary-other-password-1!"}
	wrong := ending{Name: "NotAuthorizedException", Message: "Incorrect username or password."}

	early := a.play(t, path, "early")
	if diff := cmp.Diff(appReport{SRP: wrong}, early); diff != "" {
		t.Errorf("before migration (-want +got)\n%s", diff)
	}
	if n := w.Cognito.Count(w.Target.PoolID); n != 0 {
		t.Fatalf("SRP has migrated %d users", n)
	}

	got := a.play(t, path, "whole")
	ok := ending{OK: true}
	want := appReport{
		IDToken: got.IDToken, LegacySub: got.LegacySub, SRPUsername: got.IDToken.Username, SameSub: true,
		WrongPassword: wrong, SRPWrong: wrong, Refreshed: ok, ChangeWrong: wrong,
		ChangeWeak: ending{Name: "InvalidPasswordException", Message: "Password did not conform with policy: Password not long enough"},
		Changed:    ok, SRPOld: wrong, PasswordOld: wrong, PasswordNew: ok,
		SignedOut:         ending{Name: "NotAuthorizedException", Message: "Access Token has been revoked"},
		SignedOutRefresh:  ending{Name: "NotAuthorizedException", Message: "Refresh Token has been revoked"},
		OthersStay:        ok,
		Everywhere:        ending{Name: "NotAuthorizedException", Message: "Access Token has been revoked"},
		EverywhereRefresh: ending{Name: "NotAuthorizedException", Message: "Refresh Token has been revoked"},
		Again:             ok,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.IDToken.Use != "id" || got.IDToken.Audience != a.ClientID || got.IDToken.Username == "" || got.LegacySub == "" {
		t.Errorf("ID token %+v, legacy sub %q", got.IDToken, got.LegacySub)
	}
	if n := w.Cognito.Count(w.Target.PoolID); n != 1 {
		t.Errorf("%d users are in the target pool, want the one who signed in", n)
	}
}
