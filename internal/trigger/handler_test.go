package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

const (
	right = "Canary-right-8d1!"
	wrong = "Canary-wrong-3c7!"
)

// world is a handler over one person, and what it recorded.
type world struct {
	source   *source
	target   target
	recorder *recorder
	options  trigger.Options
}

func newWorld(p person) *world {
	w := &world{
		source:   &source{users: map[string]person{"ann": p, "ann@example.com": p, "+15550100": p}, fail: map[string]error{}},
		target:   target{pool: targetPool()},
		recorder: &recorder{},
	}
	w.options = trigger.Options{PoolID: poolID, MFA: trigger.MFAVerify, Profile: trigger.FromLookup, Now: fixedClock}
	return w
}

func (w *world) handler() *trigger.Handler {
	o := w.options
	o.Source, o.Target, o.Recorder = w.source, w.target, w.recorder
	return trigger.New(o)
}

func signIn(name, password string) trigger.Event {
	return trigger.Event{TriggerSource: trigger.SourceAuthentication, UserPoolID: poolID, UserName: name, ClientID: "client", Password: userpool.NewSecret(password)}
}

func forgot(name string) trigger.Event {
	return trigger.Event{TriggerSource: trigger.SourceForgotPassword, UserPoolID: poolID, UserName: name, ClientID: "client"}
}

func confirmed(attributes userpool.Attributes) trigger.Response {
	return trigger.Response{UserAttributes: attributes, FinalUserStatus: "CONFIRMED", MessageAction: "SUPPRESS"}
}

func reset(attributes userpool.Attributes) trigger.Response {
	return trigger.Response{UserAttributes: attributes, MessageAction: "SUPPRESS"}
}

// TestHandle walks every row of the table of source answers.
func TestHandle(t *testing.T) {
	proven := trigger.Reply{Standing: trigger.Proven}
	with := func(reply trigger.Reply) person { return person{user: ann(), password: right, reply: reply} }
	standing := func(s trigger.Standing) person { return with(trigger.Reply{Standing: s}) }
	user := func(change func(*userpool.User)) person {
		p := with(proven)
		change(&p.user)
		return p
	}
	coded := func(name string, answered trigger.Reply) person {
		p := with(challenge(name))
		p.code, p.answered = "123456", answered
		return p
	}
	sms := confirmed(migratedAnn())
	sms.EnableSMSMFA = true
	noSMS := func(w *world) { w.target.pool.SMSMFA = false }
	policy := func(m trigger.MFAPolicy) func(*world) { return func(w *world) { w.options.MFA = m } }
	code := func(e trigger.Event) trigger.Event {
		e.Metadata = map[string]string{"mfa_code": "123456"}
		return e
	}

	tests := []struct {
		name    string
		person  person
		event   trigger.Event
		set     func(*world)
		want    trigger.Response // zero: the event back with an empty response
		outcome trigger.Outcome
		reason  string
		calls   string
	}{
		{name: "tokens", person: with(proven), event: signIn("ann", right), want: confirmed(migratedAnn()), outcome: trigger.Migrated, calls: "Authenticate User"},
		{name: "wrong password", person: with(proven), event: signIn("ann", wrong), outcome: trigger.RejectedCredentials, calls: "Authenticate"},
		{name: "unknown user", person: with(proven), event: signIn("zoe", right), outcome: trigger.NotInSource, calls: "Authenticate"},
		{name: "disabled", person: standing(trigger.UserDisabled), event: signIn("ann", right), outcome: trigger.Disabled, calls: "Authenticate"},
		{name: "unconfirmed", person: standing(trigger.UserUnconfirmed), event: signIn("ann", right), outcome: trigger.Unconfirmed, calls: "Authenticate"},
		{name: "reset required", person: standing(trigger.ResetRequired), event: signIn("ann", right), outcome: trigger.NeedsReset, reason: "reset_at_source", calls: "Authenticate"},
		{name: "an answer that says nothing", person: standing(trigger.StandingUnknown), event: signIn("ann", right), outcome: trigger.RejectedCredentials, calls: "Authenticate"},
		{name: "disabled between proof and lookup", person: user(func(u *userpool.User) { u.Enabled = false }), event: signIn("ann", right), outcome: trigger.Disabled, calls: "Authenticate User"},

		{name: "new password required", person: with(challenge("NEW_PASSWORD_REQUIRED")), event: signIn("ann", right), want: reset(migratedAnn()), outcome: trigger.NeedsReset, calls: "Authenticate User"},
		{name: "SMS, target has it", person: with(challenge("SMS_MFA")), event: signIn("ann", right), want: sms, outcome: trigger.Migrated, calls: "Authenticate User"},
		{name: "SMS, target has it not", person: with(challenge("SMS_MFA")), set: noSMS, event: signIn("ann", right), outcome: trigger.MfaRefused, reason: "no_code", calls: "Authenticate"},
		{name: "SMS, target has it not, right code", person: coded("SMS_MFA", proven), set: noSMS, event: code(signIn("ann", right)), want: confirmed(migratedAnn()), outcome: trigger.Migrated, calls: "Authenticate Answer User"},
		{name: "SMS, number lost on the way", person: with(challenge("SMS_MFA")), event: signIn("ann", right), outcome: trigger.MfaRefused, reason: "no_code", calls: "Authenticate User",
			set: func(w *world) { w.options.Mapping = userpool.Mapping{Rules: []userpool.Rule{{Drop: "phone_number"}}} }},
		{name: "TOTP, no code", person: with(challenge("SOFTWARE_TOKEN_MFA")), event: signIn("ann", right), outcome: trigger.MfaRefused, reason: "no_code", calls: "Authenticate"},
		{name: "TOTP, right code", person: coded("SOFTWARE_TOKEN_MFA", proven), event: code(signIn("ann", right)), want: confirmed(migratedAnn()), outcome: trigger.Migrated, calls: "Authenticate Answer User"},
		{name: "TOTP, wrong code", person: with(challenge("SOFTWARE_TOKEN_MFA")), event: code(signIn("ann", right)), outcome: trigger.MfaRefused, reason: "wrong_code", calls: "Authenticate Answer"},
		{name: "TOTP, yet another challenge", person: coded("SOFTWARE_TOKEN_MFA", challenge("SMS_MFA")), event: code(signIn("ann", right)), outcome: trigger.MfaRefused, reason: "further_challenge", calls: "Authenticate Answer"},
		{name: "TOTP, reset policy", person: with(challenge("SOFTWARE_TOKEN_MFA")), set: policy(trigger.MFAReset), event: signIn("ann", right), want: reset(migratedAnn()), outcome: trigger.Migrated, reason: "mfa_reset", calls: "Authenticate User"},
		{name: "TOTP, accept policy", person: with(challenge("SOFTWARE_TOKEN_MFA")), set: policy(trigger.MFAAccept), event: signIn("ann", right), want: confirmed(migratedAnn()), outcome: trigger.Migrated, reason: "mfa_accepted", calls: "Authenticate User"},
		{name: "e-mail code, no code", person: with(challenge("EMAIL_OTP")), event: signIn("ann", right), outcome: trigger.MfaRefused, reason: "no_code", calls: "Authenticate"},
		{name: "choice of factors, right code", person: coded("SELECT_MFA_TYPE", proven), event: code(signIn("ann", right)), want: confirmed(migratedAnn()), outcome: trigger.Migrated, calls: "Authenticate Answer User"},
		{name: "no factor enrolled, code sent", person: with(challenge("MFA_SETUP")), event: code(signIn("ann", right)), outcome: trigger.MfaRefused, reason: "no_code", calls: "Authenticate"},
		{name: "no factor enrolled, accept policy", person: with(challenge("MFA_SETUP")), set: policy(trigger.MFAAccept), event: signIn("ann", right), want: confirmed(migratedAnn()), outcome: trigger.Migrated, reason: "mfa_accepted", calls: "Authenticate User"},

		{name: "typed the alias", person: with(proven), event: signIn("ann@example.com", right), outcome: trigger.Migrated, calls: "Authenticate User",
			want: confirmed(func() userpool.Attributes { a := migratedAnn(); a["username"] = "ann"; return a }())},
		{name: "typed an alias that the target has not", person: with(proven), event: signIn("+15550100", right), outcome: trigger.Unmappable, reason: "name_not_carried", calls: "Authenticate User",
			set: func(w *world) { w.target.pool.Aliases = []string{"email"} }},
		{name: "federated", person: user(func(u *userpool.User) { u.Status = userpool.StatusExternalProvider }), event: signIn("ann", right), outcome: trigger.Federated, calls: "Authenticate User"},
		{name: "optional attribute too large is left out", person: user(func(u *userpool.User) { u.Attributes["custom:level"] = "10" }), event: signIn("ann", right), want: confirmed(migratedAnn()), outcome: trigger.Migrated, calls: "Authenticate User"},
		{name: "attribute that the schema lacks is left out", person: user(func(u *userpool.User) { u.Attributes["custom:new"] = "x" }), event: signIn("ann", right), want: confirmed(migratedAnn()), outcome: trigger.Migrated, calls: "Authenticate User"},
		{name: "immutable attribute that does not fit refuses", person: user(func(u *userpool.User) { u.Attributes["custom:born"] = "19777" }), event: signIn("ann", right), outcome: trigger.Unmappable, reason: "schema:custom:born:length", calls: "Authenticate User"},
		{name: "legacy sub missing in the schema refuses", person: with(proven), event: signIn("ann", right), outcome: trigger.Unmappable, reason: "schema:custom:legacy_sub:unknown_attribute", calls: "Authenticate User",
			set: func(w *world) { delete(w.target.pool.Schema, "custom:legacy_sub") }},
		{name: "the typed alias itself does not fit", person: user(func(u *userpool.User) { u.Attributes["phone_number"] = "15550100" }), event: signIn("15550100", right), outcome: trigger.Unmappable, reason: "name_not_carried", calls: "Authenticate User"},
		{name: "phone not E.164 goes with its flag", person: user(func(u *userpool.User) {
			u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = "555", "true"
		}), event: signIn("ann", right), outcome: trigger.Migrated, calls: "Authenticate User",
			want: confirmed(userpool.Attributes{"email": "ann@example.com", "email_verified": "true", "name": "Ann", "custom:legacy_sub": "5e1f-ann"})},

		{name: "forgotten", person: with(proven), event: forgot("ann"), want: reset(migratedAnn()), outcome: trigger.Migrated, calls: "User"},
		{name: "forgotten, unknown", person: with(proven), event: forgot("zoe"), outcome: trigger.NotInSource, calls: "User"},
		{name: "forgotten, disabled", person: user(func(u *userpool.User) { u.Enabled = false }), event: forgot("ann"), outcome: trigger.Disabled, calls: "User"},
		{name: "forgotten, unconfirmed", person: user(func(u *userpool.User) { u.Status = userpool.StatusUnconfirmed }), event: forgot("ann"), outcome: trigger.Unconfirmed, calls: "User"},
		{name: "forgotten, federated", person: user(func(u *userpool.User) { u.Status = userpool.StatusExternalProvider }), event: forgot("ann"), outcome: trigger.Federated, calls: "User"},
		{name: "forgotten, reset required at the source", person: user(func(u *userpool.User) { u.Status = userpool.StatusResetRequired }), event: forgot("ann"), want: reset(migratedAnn()), outcome: trigger.Migrated, calls: "User"},
		{name: "forgotten, nothing verified", person: user(func(u *userpool.User) { u.Attributes["email_verified"] = "false" }), event: forgot("ann"), outcome: trigger.NoVerifiedContact, calls: "User"},

		{name: "empty name", event: signIn("", right), outcome: trigger.RejectedCredentials, reason: "empty_name"},
		{name: "empty password", event: signIn("ann", ""), outcome: trigger.RejectedCredentials, reason: "empty_password"},
		{name: "name of 100 KB", event: signIn(strings.Repeat("x", 100<<10), right), outcome: trigger.RejectedCredentials, reason: "name_too_long"},
		{name: "password of 100 KB", event: signIn("ann", strings.Repeat("x", 100<<10)), outcome: trigger.RejectedCredentials, reason: "password_too_long"},
		{name: "forgotten, empty name", event: forgot(""), outcome: trigger.RejectedCredentials, reason: "empty_name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.person)
			if tt.event.UserName == "15550100" {
				w.source.users["15550100"] = tt.person
			}
			if tt.set != nil {
				tt.set(w)
			}
			got, err := w.handler().Handle(t.Context(), tt.event)
			if err != nil {
				t.Fatalf("error %v: a decision is no error", err)
			}
			if diff := cmp.Diff(tt.want, got.Response); diff != "" {
				t.Errorf("response (-want +got)\n%s", diff)
			}
			d := w.recorder.only(t)
			if d.Outcome != tt.outcome || d.Reason != tt.reason {
				t.Errorf("outcome %s (%s), want %s (%s)", d.Outcome, d.Reason, tt.outcome, tt.reason)
			}
			if calls := strings.Join(w.source.calls, " "); calls != tt.calls {
				t.Errorf("calls %q, want %q", calls, tt.calls)
			}
		})
	}
}

// Challenges that may come before the password prove nothing, whatever the
// policy.
func TestHandleUnknownChallenges(t *testing.T) {
	for _, name := range []string{"PASSWORD_VERIFIER", "CUSTOM_CHALLENGE", "SELECT_CHALLENGE", "DEVICE_SRP_AUTH", "DEVICE_PASSWORD_VERIFIER",
		"ADMIN_NO_SRP_AUTH", "SMS_OTP", "PASSWORD", "WEB_AUTHN", "PASSWORD_SRP", "EMAIL_MFA", "", "Canary"} {
		w := newWorld(person{user: ann(), password: right, reply: challenge(name)})
		w.options.MFA = trigger.MFAAccept
		got, err := w.handler().Handle(t.Context(), signIn("ann", right))
		if err != nil || got.Response.UserAttributes != nil {
			t.Errorf("%q: migrated %v, error %v", name, got.Response.UserAttributes, err)
		}
		if d := w.recorder.only(t); d.Outcome != trigger.RejectedCredentials || d.Reason != "unknown_challenge" {
			t.Errorf("%q: %s (%s)", name, d.Outcome, d.Reason)
		}
	}
}

func TestHandleFailures(t *testing.T) {
	name := "throttled by the source, with a text about ann"
	failures := []struct {
		name    string
		err     error
		outcome trigger.Outcome
		kind    fault.Kind
	}{
		{"throttled", fault.New(fault.Throttled, "%s", name), trigger.Throttled, fault.Throttled},
		{"denied", fault.New(fault.Denied, "%s", name), trigger.Misconfigured, fault.Invalid},
		{"invalid", fault.New(fault.Invalid, "%s", name), trigger.Misconfigured, fault.Invalid},
		{"unavailable", fault.New(fault.Unavailable, "%s", name), trigger.Unavailable, fault.Unavailable},
		{"deadline", fault.New(fault.Unavailable, "%s: %w", name, context.DeadlineExceeded), trigger.Deadline, fault.Unavailable},
		{"bug", errors.New(name), trigger.Unavailable, fault.Unavailable},
	}
	for _, f := range failures {
		for _, at := range []string{"Authenticate", "Answer", "User", "target", "forgotten"} {
			t.Run(f.name+" at "+at, func(t *testing.T) {
				p := person{user: ann(), password: right, code: "123456", reply: challenge("SOFTWARE_TOKEN_MFA"), answered: trigger.Reply{Standing: trigger.Proven}}
				w := newWorld(p)
				event := signIn("ann", right)
				event.Metadata = map[string]string{"mfa_code": "123456"}
				switch at {
				case "target":
					w.target.err = f.err
				case "forgotten":
					event = forgot("ann")
					w.source.fail["User"] = f.err
				default:
					w.source.fail[at] = f.err
				}
				got, err := w.handler().Handle(t.Context(), event)
				if err == nil || fault.KindOf(err) != f.kind {
					t.Fatalf("error %v of kind %s, want kind %s", err, fault.KindOf(err), f.kind)
				}
				if strings.Contains(err.Error(), "ann") {
					t.Errorf("the error quotes the cause: %v", err)
				}
				if got.Response.UserAttributes != nil {
					t.Error("an answer beside an error")
				}
				if d := w.recorder.only(t); d.Outcome != f.outcome {
					t.Errorf("outcome %s, want %s", d.Outcome, f.outcome)
				}
			})
		}
	}
}

func TestHandleLockout(t *testing.T) {
	w := newWorld(person{user: ann(), password: right, reply: trigger.Reply{Standing: trigger.AttemptsExceeded}})
	_, err := w.handler().Handle(t.Context(), signIn("ann", right))
	if fault.KindOf(err) != fault.Throttled || w.recorder.only(t).Outcome != trigger.LockedOut {
		t.Errorf("error %v, outcome %s", err, w.recorder.only(t).Outcome)
	}
}

func TestHandleNotOurs(t *testing.T) {
	wrongPool := signIn("ann", right)
	wrongPool.UserPoolID = "eu-central-1_Another01"
	wrongSource := signIn("ann", right)
	wrongSource.TriggerSource = "PreSignUp_SignUp"
	for _, event := range []trigger.Event{wrongPool, wrongSource, {}} {
		w := newWorld(person{user: ann(), password: right, reply: trigger.Reply{Standing: trigger.Proven}})
		_, err := w.handler().Handle(t.Context(), event)
		if fault.KindOf(err) != fault.Invalid || w.recorder.only(t).Outcome != trigger.Misconfigured || len(w.source.calls) != 0 {
			t.Errorf("%v: error %v, outcome %s, calls %v", event, err, w.recorder.only(t).Outcome, w.source.calls)
		}
	}
}

// A silent source ends at the budget, not at Cognito's limit or the function's.
func TestHandleBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(person{})
		o := w.options
		o.Source, o.Target, o.Recorder, o.Now = silent{}, w.target, w.recorder, time.Now
		start := time.Now()
		_, err := trigger.New(o).Handle(t.Context(), signIn("ann", right))
		if took := time.Since(start); took != trigger.Budget {
			t.Errorf("took %s, want %s", took, trigger.Budget)
		}
		d := w.recorder.only(t)
		if d.Outcome != trigger.Deadline || fault.KindOf(err) != fault.Unavailable || d.Total != trigger.Budget {
			t.Errorf("outcome %s after %s, error %v", d.Outcome, d.Total, err)
		}
	})
}

// silent never answers.
type silent struct{ *source }

func (silent) Authenticate(ctx context.Context, _ string, _ userpool.Secret) (trigger.Reply, error) {
	<-ctx.Done()
	return trigger.Reply{}, fault.New(fault.Unavailable, "sign in: %w", ctx.Err())
}

func TestProfileFrom(t *testing.T) {
	readable := userpool.NewSecret("e30." + b64(`{"sub":"5e1f-ann","cognito:username":"ann","email":"ann@example.com","email_verified":true,"phone_number":"+15550100","name":"Ann"}`) + ".x")
	broken := userpool.NewSecret("e30." + b64(`{"sub":"5e1f-ann","cognito:username":"ann","email":["x"]}`) + ".x")
	tests := []struct {
		name   string
		from   trigger.ProfileFrom
		token  userpool.Secret
		calls  string
		lookup string
	}{
		{"token", trigger.FromIDToken, readable, "Authenticate", ""},
		{"token that cannot be read costs a lookup", trigger.FromIDToken, broken, "Authenticate User", "ann@example.com"},
		{"lookup asks for the user that was proven", trigger.FromLookup, readable, "Authenticate User", "ann"},
		{"lookup without a readable token asks for the typed name", trigger.FromLookup, broken, "Authenticate User", "ann@example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(person{user: ann(), password: right, reply: trigger.Reply{Standing: trigger.Proven, IDToken: tt.token}})
			w.options.Profile = tt.from
			got, err := w.handler().Handle(t.Context(), signIn("ann@example.com", right))
			if err != nil {
				t.Fatal(err)
			}
			want := migratedAnn()
			want["username"] = "ann"
			if diff := cmp.Diff(confirmed(want), got.Response); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if calls := strings.Join(w.source.calls, " "); calls != tt.calls {
				t.Errorf("calls %q, want %q", calls, tt.calls)
			}
			if lookup := strings.Join(w.source.lookup, " "); lookup != tt.lookup {
				t.Errorf("looked up %q, want %q", lookup, tt.lookup)
			}
		})
	}
}

// Nothing that a handler gives away holds the password: neither decisions nor
// errors nor the printed event. Only the marshalled event does, because Cognito
// wants it back.
func TestNoSecretEscapes(t *testing.T) {
	w := newWorld(person{user: ann(), password: right, reply: trigger.Reply{Standing: trigger.Proven}})
	h := w.handler()
	var said strings.Builder
	for _, password := range []string{right, wrong, strings.Repeat(right, 100)} {
		event := signIn("ann", password)
		got, err := h.Handle(t.Context(), event)
		fmt.Fprintf(&said, "%v %+v %#v %s %v\n", event, got, got, got, err)
	}
	for _, payload := range []string{
		`{"userPoolId":"` + poolID + `","triggerSource":7,"request":{"password":"` + right + `"}}`,
		`{"userPoolId":"` + poolID + `","request":{"password":["` + right + `"]}}`,
		`{"request":{"password":"` + right + `"`,
		`{"request":{"password":"` + right + "\xff" + `"}}`,
		`"` + right + `"`, `[]`, `null`, ``, `{}`,
	} {
		out, err := h.Invoke(t.Context(), []byte(payload))
		if err == nil {
			t.Errorf("%s was accepted", payload)
		}
		fmt.Fprintf(&said, "%s %v %#v\n", out, err, err)
	}
	fmt.Fprintf(&said, "%+v %#v", w.recorder.decisions, w.recorder.decisions)
	data, err := json.Marshal(w.recorder.decisions)
	if err != nil {
		t.Fatal(err)
	}
	said.Write(data)
	if strings.Contains(said.String(), "Canary") {
		t.Errorf("a password got out:\n%s", said.String())
	}
}
