package hook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

const (
	taken = "There is already an account with this e-mail address, phone number or username. Sign in with it instead of registering."
	later = "Registration is not available at the moment. Try again later."
)

func guard(d *directory, r *recorder, unsure hook.WhenUnsure) *hook.Guard {
	return hook.NewGuard(hook.GuardOptions{PoolID: poolID, WhenUnsure: unsure, Owners: d, Recorder: r, Now: time.Now})
}

// owned says that everybody's names belong to somebody.
func owned(by ...lookup.Owner) func(userpool.User) []lookup.Owner {
	return func(userpool.User) []lookup.Owner { return by }
}

func owner(sub userpool.Sub, reason verdict.Reason) lookup.Owner {
	return lookup.Owner{Sub: sub, Reason: reason, Kind: names.Email}
}

// refusal is the text with which an answer refuses, empty for one that does not.
func refusal(t *testing.T, sent, answer []byte, err error) string {
	t.Helper()
	if err == nil {
		if string(answer) != string(sent) {
			t.Errorf("the event came back as %s", answer)
		}
		return ""
	}
	if answer != nil {
		t.Errorf("an answer beside the error: %s", answer)
	}
	reported, ok := errors.AsType[messages.InvokeResponse_Error](err)
	if !ok {
		t.Fatalf("%T goes to Lambda", err)
	}
	want := map[string]string{taken: string(fault.AlreadyExists), later: string(fault.Unavailable)}[reported.Message]
	if reported.Type != want {
		t.Errorf("error %s: %s", reported.Type, reported.Message)
	}
	return reported.Message
}

func TestGuard(t *testing.T) {
	events := recorded(t)
	ann := owner("5e1f-ann", verdict.NotSignedIn)
	tests := []struct {
		name    string
		event   string
		owners  []lookup.Owner
		err     error
		unsure  hook.WhenUnsure // empty: both
		refusal string
		want    string // outcome, reason and owner; empty: nothing is recorded
	}{
		{"nobody's name", "sign-up.json", nil, nil, "", "", "SignUpAllowed"},
		{"somebody's name", "sign-up.json", []lookup.Owner{ann}, nil, "", taken, "SignUpRefused 5e1f-ann not_signed_in"},
		{"members that came later", "sign-up-added-members.json", []lookup.Owner{ann}, nil, "", taken, "SignUpRefused 5e1f-ann not_signed_in"},
		{"disabled", "sign-up.json", []lookup.Owner{owner("d", verdict.Disabled)}, nil, "", taken, "SignUpRefused d disabled"},
		{"can be sent no code, by an address", "sign-up.json", []lookup.Owner{owner("v", verdict.NoVerifiedContact)}, nil, "", "", "SignUpAllowed owner_cannot_move v no_verified_contact"},
		{"can be sent no code, by a username", "sign-up.json", []lookup.Owner{{Sub: "v", Reason: verdict.NoVerifiedContact, Kind: names.Username}}, nil, "", taken, "SignUpRefused v no_verified_contact"},
		{"has to reset", "sign-up.json", []lookup.Owner{owner("r", verdict.ResetRequired)}, nil, "", taken, "SignUpRefused r reset_required"},
		{"several, one of whom can move", "sign-up.json", []lookup.Owner{owner("f", verdict.Federated), ann}, nil, "", taken, "SignUpRefused 5e1f-ann not_signed_in"},
		{"federated", "sign-up.json", []lookup.Owner{owner("f", verdict.Federated)}, nil, "", "", "SignUpAllowed owner_cannot_move f federated"},
		{"unconfirmed", "sign-up.json", []lookup.Owner{owner("u", verdict.Unconfirmed)}, nil, "", "", "SignUpAllowed owner_cannot_move u unconfirmed"},
		{"fits no schema", "sign-up.json", []lookup.Owner{owner("s", verdict.SchemaBlocks)}, nil, "", "", "SignUpAllowed owner_cannot_move s schema_violation"},
		{"carries no name", "sign-up.json", []lookup.Owner{owner("n", verdict.NoNameCarried)}, nil, "", "", "SignUpAllowed owner_cannot_move n no_name_carried"},
		{"username cannot be used", "sign-up.json", []lookup.Owner{owner("n", verdict.UsernameUnusable)}, nil, "", "", "SignUpAllowed owner_cannot_move n username_unusable"},

		{"the owner is being moved", "migrated-sign-in.json", []lookup.Owner{owner("0-other", verdict.NotSignedIn), ann}, nil, "", "", "SignUpAllowed migrated_user 5e1f-ann not_signed_in"},
		{"somebody new is being moved", "migrated-sign-in.json", nil, nil, "", "", "SignUpAllowed"},
		{"another legacy sub than the owner's", "migrated-sign-in.json", []lookup.Owner{owner("0-other", verdict.NotSignedIn)}, nil, "", taken, "SignUpRefused 0-other not_signed_in"},
		{"somebody is being moved, and nothing can be asked", "migrated-sign-in.json", nil, fault.New(fault.Unavailable, "no"), "", "", "SignUpUnsure migrated_user_unchecked Unavailable"},

		{"nothing reconciled, refuse", "sign-up.json", nil, fault.New(fault.NotFound, "none"), hook.UnsureRefuse, later, "SignUpUnsure refused NotFound"},
		{"nothing reconciled, allow", "sign-up.json", nil, fault.New(fault.NotFound, "none"), hook.UnsureAllow, "", "SignUpUnsure allowed NotFound"},
		{"bucket fails, refuse", "sign-up.json", nil, errors.New("ann@example.com"), hook.UnsureRefuse, later, "SignUpUnsure refused Internal"},

		{"an administrator creates", "admin-create-user.json", []lookup.Owner{ann}, errors.New("nobody asks"), "", "", ""},
		{"an identity provider", "external-provider.json", []lookup.Owner{ann}, errors.New("nobody asks"), "", "", ""},
		{"another trigger", "post-authentication.json", []lookup.Owner{ann}, errors.New("nobody asks"), "", "", ""},
	}
	for _, tt := range tests {
		for _, unsure := range []hook.WhenUnsure{hook.UnsureRefuse, hook.UnsureAllow} {
			if tt.unsure != "" && unsure != tt.unsure {
				continue
			}
			t.Run(tt.name+", "+string(unsure), func(t *testing.T) {
				r, d := &recorder{}, &directory{owners: owned(tt.owners...), err: tt.err}
				answer, err := guard(d, r, unsure).Handle(t.Context(), events[tt.event])
				if got := refusal(t, events[tt.event], answer, err); got != tt.refusal {
					t.Errorf("refused with %q, want %q", got, tt.refusal)
				}
				var got string
				for _, s := range r.signUps {
					got += strings.Join(slices.DeleteFunc([]string{string(s.Outcome), s.Reason, string(s.Owner), string(s.OwnerReason), s.Code}, func(s string) bool { return s == "" }), " ")
				}
				if got != tt.want {
					t.Errorf("recorded %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// TestGuardUnknownSources: what Cognito may send one day is nothing to refuse.
func TestGuardUnknownSources(t *testing.T) {
	d := &directory{owners: owned(owner("x", verdict.NotSignedIn))}
	for _, source := range []string{"PreSignUp_Later", "", "PreSignUp_AdminCreateUser"} {
		event := []byte(strings.ReplaceAll(string(recorded(t)["sign-up.json"]), "PreSignUp_SignUp", source))
		answer, err := guard(d, &recorder{}, hook.UnsureRefuse).Handle(t.Context(), event)
		if refusal(t, event, answer, err) != "" {
			t.Errorf("%s is refused", source)
		}
	}
	if d.calls > 0 {
		t.Errorf("%d look-ups", d.calls)
	}
}

func TestGuardOfAnotherPool(t *testing.T) {
	event := []byte(strings.ReplaceAll(string(recorded(t)["sign-up.json"]), poolID, "eu-central-1_Foreign"))
	r := &recorder{}
	answer, err := guard(&directory{}, r, hook.UnsureRefuse).Handle(t.Context(), event)
	if refusal(t, event, answer, err) != later || r.signUps[0].Reason != "wrong_pool" {
		t.Errorf("%+v", r.signUps)
	}
}

// TestGuardIsInTime: a bucket that does not answer is no reason to let Cognito
// run out of time.
func TestGuardIsInTime(t *testing.T) {
	event := recorded(t)["sign-up.json"]
	synctest.Test(t, func(t *testing.T) {
		start, r := time.Now(), &recorder{}
		answer, err := guard(&directory{late: true}, r, hook.UnsureRefuse).Handle(t.Context(), event)
		if refusal(t, event, answer, err) != later || time.Since(start) != hook.GuardBudget || r.signUps[0].Took != hook.GuardBudget {
			t.Errorf("%+v after %s", r.signUps, time.Since(start))
		}
	})
}

// TestGuardNames: what is kept as a name is what somebody wanted to be called.
func TestGuardNames(t *testing.T) {
	event := func(username string, attributes map[string]string) []byte {
		data, _ := json.Marshal(map[string]any{"triggerSource": hook.SourceSignUp, "userPoolId": poolID, "userName": username, "request": map[string]any{"userAttributes": attributes}})
		return data
	}
	all := map[string]string{"email": "e", "phone_number": "p", "preferred_username": "f"}
	for kind, want := range map[names.Kind]string{names.Email: "e", names.Phone: "p", names.Username: "u", names.PreferredUsername: "f"} {
		r := &recorder{}
		d := &directory{owners: owned(lookup.Owner{Sub: "x", Reason: verdict.NotSignedIn, Kind: kind})}
		_, err := guard(d, r, hook.UnsureRefuse).Handle(t.Context(), event("u", all))
		if err == nil || r.signUps[0].Name != want || r.signUps[0].Kind != kind.String() {
			t.Errorf("%s: %+v", kind, r.signUps)
		}
	}
	r := &recorder{}
	_, err := guard(&directory{}, r, hook.UnsureRefuse).Handle(t.Context(), event("u", nil))
	if err != nil || r.signUps[0].Name != "u" {
		t.Errorf("%+v, %v", r.signUps, err)
	}
}

// FuzzGuard feeds the guard anything: it gives back what it got, or one of two
// texts.
func FuzzGuard(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(recorded(f))) {
		f.Add(recorded(f)[name])
	}
	f.Add([]byte(`{"triggerSource":"PreSignUp_SignUp","request":{"userAttributes":null}}`))
	f.Add([]byte(`{"triggerSource":"PreSignUp_SignUp","userPoolId":"` + poolID + `","request":{"userAttributes":{"custom:legacy_sub":7,"email":["x"]}}}`))
	f.Add([]byte(`null`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &directory{owners: func(u userpool.User) []lookup.Owner {
			if u.Attributes["email"] == "ann@example.com" {
				return []lookup.Owner{owner("5e1f-ann", verdict.NotSignedIn)}
			}
			return nil
		}}
		r := &recorder{}
		answer, err := guard(d, r, hook.UnsureRefuse).Handle(t.Context(), data)
		if refused := refusal(t, data, answer, err); (refused != "") == (len(r.signUps) == 0 || r.signUps[0].Outcome == hook.SignUpAllowed) && refused != "" {
			t.Errorf("refused with %q, recorded %+v", refused, r.signUps)
		}
		if len(r.signUps) > 1 {
			t.Errorf("%d records", len(r.signUps))
		}
	})
}

// TestNothingPersonalIsSaid to whoever registers, nor in errors.
func TestNothingPersonalIsSaid(t *testing.T) {
	event := recorded(t)["sign-up.json"]
	for _, d := range []*directory{{owners: owned(owner("5e1f-ann", verdict.NotSignedIn))}, {err: fmt.Errorf("ann@example.com of 5e1f-ann")}} {
		_, err := guard(d, &recorder{}, hook.UnsureRefuse).Handle(t.Context(), event)
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); err == nil || strings.Contains(text, "ann") || strings.Contains(text, "5e1f") {
			t.Error(text)
		}
	}
}

// TestGuardOfAddressAsUsername: pools that sign in by address take the address as
// username at registration, and no page says that the event has it as attribute,
// too. Whoever types somebody's is refused either way.
func TestGuardOfAddressAsUsername(t *testing.T) {
	d := &directory{owners: func(u userpool.User) []lookup.Owner {
		switch {
		case u.Attributes["email"] == "ann@example.com":
			return []lookup.Owner{owner("5e1f-ann", verdict.NotSignedIn)}
		case u.Attributes["phone_number"] == "+4930123":
			return []lookup.Owner{{Sub: "5e1f-bob", Reason: verdict.NotSignedIn, Kind: names.Phone}}
		}
		return nil
	}}
	for _, tt := range []struct {
		username, email string
		owner           userpool.Sub
		name            string
	}{
		{"ann@example.com", "", "5e1f-ann", "ann@example.com"}, {"ann@example.com", "mallory@example.com", "5e1f-ann", "ann@example.com"},
		{"+4930123", "mallory@example.com", "5e1f-bob", "+4930123"}, {"mallory@example.com", "mallory@example.com", "", "mallory@example.com"}, {"ann", "", "", "ann"},
	} {
		data, _ := json.Marshal(map[string]any{"triggerSource": hook.SourceSignUp, "userPoolId": poolID, "userName": tt.username,
			"request": map[string]any{"userAttributes": map[string]string{"email": tt.email}}})
		r := &recorder{}
		answer, err := guard(d, r, hook.UnsureRefuse).Handle(t.Context(), data)
		if got := refusal(t, data, answer, err); (got == taken) != (tt.owner != "") || r.signUps[0].Owner != tt.owner || r.signUps[0].Name != tt.name {
			t.Errorf("%+v: %q, %+v", tt, got, r.signUps)
		}
	}
}
