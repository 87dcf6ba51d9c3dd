package cognitoidp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const migrateARN = "arn:aws:lambda:eu-central-1:222222222222:function:migrate-user"

// answers makes a migration trigger that fills in the response.
func (w *world) answers(poolID string, response any) {
	w.t.Helper()
	w.runs(poolID, func(_ context.Context, event map[string]any) (any, error) {
		event["response"] = response
		return event, nil
	})
}

func (w *world) runs(poolID string, f func(context.Context, map[string]any) (any, error)) {
	w.t.Helper()
	w.lambda.f[migrateARN] = f
	if err := w.SetTriggers(poolID, cognitoidp.Triggers{UserMigration: migrateARN}); err != nil {
		w.t.Fatal(err)
	}
}

// object is a response or a part of one.
type object = map[string]any

// confirmed is a complete answer with the given attributes.
func confirmed(attributes object) object {
	return object{"userAttributes": attributes, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS"}
}

func TestMigrationSignsInAndStoresThePassword(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Schema: []cognitoidp.Attribute{{Name: "legacy_sub", Mutable: new(false)}}})
	c := w.client(p)
	w.answers(p, confirmed(object{"email": "a@b.example", "email_verified": "true", "custom:legacy_sub": "old"}))
	for range 2 { // the second time the pool knows the user; the weak password is no obstacle
		if _, err := w.signIn(c.ID, "ada", "weak"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.signIn(c.ID, "ada", "other")
	wants(t, err, wrong)
	if n := w.lambda.count(); n != 1 {
		t.Errorf("the trigger ran %d times, want once", n)
	}
	users := slices.Collect(w.Users(p))
	if len(users) != 1 || users[0].Username != "ada" || users[0].Status != userpool.StatusConfirmed ||
		!users[0].Attributes.Verified("email") || users[0].Attributes["custom:legacy_sub"] != "old" {
		t.Errorf("users: %+v", users)
	}
	if m, ok := w.LastMessage(p, "ada"); ok {
		t.Errorf("a suppressed message was sent: %+v", m)
	}
}

func TestMigrationEvent(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p, hiding)
	w.answers(p, object{})
	event := func(source, request string) string {
		return fmt.Sprintf(`{"version":"1","triggerSource":%q,"region":%q,"userPoolId":%q,"userName":"Ada+1@b.example",
			"callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":%q},"request":%s,
			"response":{"userAttributes":null,"finalUserStatus":null,"messageAction":null,"desiredDeliveryMediums":null,"forceAliasCreation":null,"enableSMSMFA":null}}`,
			source, region, p, c.ID, request)
	}
	name := "Ada+1@b.example"
	for _, tc := range []struct {
		name, want string
		call       func() error
	}{
		{"InitiateAuth", event("UserMigration_Authentication", `{"password":"pä\"ss","validationData":null,"clientMetadata":null}`), func() error {
			_, err := w.signIn(c.ID, name, `pä"ss`)
			return err
		}},
		{"AdminInitiateAuth", event("UserMigration_Authentication", `{"password":"x","validationData":{"mfa_code":"1"},"clientMetadata":null}`), func() error {
			_, err := w.api.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{UserPoolId: &p, ClientId: &c.ID, AuthFlow: "ADMIN_USER_PASSWORD_AUTH",
				AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": "x"}, ClientMetadata: map[string]string{"mfa_code": "1"}})
			return err
		}},
		{"ForgotPassword", event("UserMigration_ForgotPassword", `{"validationData":null,"clientMetadata":{"k":"v"}}`), func() error {
			_, err := w.api.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: &c.ID, Username: &name, ClientMetadata: map[string]string{"k": "v"}})
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.call()
			if tc.name == "ForgotPassword" {
				wants(t, err, "") // a simulated delivery
			} else {
				wants(t, err, wrong)
			}
			var got, want any
			w.lambda.mu.Lock()
			last := w.lambda.calls[len(w.lambda.calls)-1]
			w.lambda.mu.Unlock()
			if err := errors.Join(json.Unmarshal([]byte(last), &got), json.Unmarshal([]byte(tc.want), &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMigrationAnswers holds the trigger's answer against the pool: what the
// client sees, and what the pool stores.
func TestMigrationAnswers(t *testing.T) {
	const refuses = "UserNotFoundException: "
	const unknown = "UserNotFoundException: User does not exist."
	plain := cognitoidp.Frozen{}
	aliases := cognitoidp.Frozen{AliasAttributes: []string{"email", "preferred_username"}, UsernameConfiguration: &cognitoidp.UsernameRules{}}
	names := cognitoidp.Frozen{UsernameAttributes: []string{"email"}, UsernameConfiguration: &cognitoidp.UsernameRules{}}
	mail := object{"email": "a@b.example", "email_verified": "true"}
	with := func(pairs ...string) object {
		o := maps.Clone(mail)
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i]] = pairs[i+1]
		}
		return o
	}
	change := func(key string, value any) object { o := confirmed(mail); o[key] = value; return o }
	for _, c := range []struct {
		name     string
		frozen   cognitoidp.Frozen
		typed    string
		response any
		want     string // error
		username string // stored; "" for nobody, "sub" for the user's sub
	}{
		{"complete", plain, "ada", confirmed(mail), "", "ada"},
		{"username as typed", plain, "ada", confirmed(with("username", "ada")), "", "ada"},
		{"another username", plain, "ada", confirmed(with("username", "bob")), refuses + "Error in migration: invalid username", ""},
		{"reset", plain, "ada", object{"userAttributes": mail}, "PasswordResetRequiredException", "ada"},
		{"null status", plain, "ada", change("finalUserStatus", nil), "PasswordResetRequiredException", "ada"},
		{"empty status", plain, "ada", change("finalUserStatus", ""), refuses + "Error in migration: invalid finalUserStatus", ""},
		{"wrong status", plain, "ada", change("finalUserStatus", "RESET_REQUIRED"), refuses + "Error in migration: invalid finalUserStatus", ""},
		{"wrong action", plain, "ada", change("messageAction", "RESEND"), refuses + "Error in migration: invalid messageAction", ""},
		{"wrong medium", plain, "ada", change("desiredDeliveryMediums", []string{"FAX"}), refuses + "Error in migration: invalid desiredDeliveryMediums", ""},
		{"mediums", plain, "ada", change("desiredDeliveryMediums", []string{"EMAIL", "SMS"}), "", "ada"},
		{"wrong type", plain, "ada", change("forceAliasCreation", "yes"), refuses + "Error in migration: invalid forceAliasCreation", ""},
		{"wrong member", plain, "ada", change("finaluserstatus", "CONFIRMED"), refuses + "Error in migration: invalid response member", ""},
		{"boolean attribute", plain, "ada", confirmed(object{"email_verified": true}), refuses + "Error in migration: invalid userAttributes", ""},
		{"null attribute", plain, "ada", confirmed(object{"name": nil}), refuses + "Error in migration: invalid userAttributes", ""},
		{"no attributes", plain, "ada", object{"finalUserStatus": "CONFIRMED"}, refuses + "Error in migration: invalid userAttributes", ""},
		{"only a username", plain, "ada", confirmed(object{"username": "ada"}), refuses + "Error in migration: invalid userAttributes", ""},
		{"unknown attribute", plain, "ada", confirmed(with("custom:x", "y")), refuses + "Attributes did not conform to the schema: custom:x: attribute does not exist in the schema", ""},
		{"sub", plain, "ada", confirmed(with("sub", "x")), refuses + "Attributes did not conform", ""},
		{"cognito attribute", plain, "ada", confirmed(with("cognito:user_status", "x")), refuses + "Attributes did not conform", ""},
		{"bad phone", plain, "ada", confirmed(with("phone_number", "0151")), refuses + "Invalid phone number format.", ""},
		{"SMS without a phone", plain, "ada", change("enableSMSMFA", true), refuses + "Error in migration: invalid enableSMSMFA", ""},
		{"nothing", plain, "ada", object{}, unknown, ""},
		{"zero values of Go", plain, "ada", object{"userAttributes": nil, "finalUserStatus": "", "messageAction": "", "desiredDeliveryMediums": nil, "forceAliasCreation": false}, unknown, ""},

		{"alias typed", aliases, "A@b.example", confirmed(with("username", "ada")), "", "ada"},
		{"alias typed, no username", aliases, "a@b.example", confirmed(mail), refuses + "Error in migration: invalid username: Username cannot be of email format", ""},
		{"alias typed, other attribute", aliases, "x@b.example", confirmed(with("username", "ada")), refuses + "Error in migration: invalid username", ""},
		{"alias typed, username like an address", aliases, "a@b.example", confirmed(with("username", "c@d.example")), refuses + "Error in migration: invalid username", ""},
		{"preferred_username typed", aliases, "countess", confirmed(with("preferred_username", "countess", "username", "ada")), "", "ada"},
		{"plain name in an alias pool", aliases, "ada", confirmed(mail), "", "ada"},

		{"address for a username", names, "A@b.example", confirmed(mail), "", "sub"},
		{"username given", names, "a@b.example", confirmed(with("username", "ada")), refuses + "Error in migration: invalid username", ""},
		{"another address", names, "x@b.example", confirmed(mail), refuses + "Error in migration: invalid userAttributes", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.pool(cognitoidp.PoolSpec{Frozen: c.frozen})
			client := w.client(p)
			w.answers(p, c.response)
			_, err := w.signIn(client.ID, c.typed, "pass")
			wants(t, err, c.want)
			if n := w.lambda.count(); n != 1 {
				t.Errorf("%d calls", n)
			}
			got := ""
			for u := range w.Users(p) {
				got = u.Username
				if got == string(u.Sub) {
					got = "sub"
				}
			}
			if got != c.username {
				t.Errorf("stored %q, want %q", got, c.username)
			}
			if c.username != "" && c.want == "" {
				_, err := w.signIn(client.ID, c.typed, "pass") // found under the name that was typed
				wants(t, err, "")
			}
		})
	}
}

func TestMigrationAliasCollision(t *testing.T) {
	for force, want := range map[bool]string{false: "UserNotFoundException: Error in migration: An account with the given email already exists.", true: ""} {
		w := newWorld(t)
		p := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}})
		c := w.client(p)
		mail := userpool.Attributes{"email": "a@b.example", "email_verified": "true"}
		w.user(p, cognitoidp.UserSpec{Username: "first", Attributes: mail, Password: secret("theirs")})
		w.answers(p, object{"userAttributes": mail, "finalUserStatus": "CONFIRMED", "forceAliasCreation": force})
		_, err := w.signIn(c.ID, "ada", "mine")
		wants(t, err, want)
		owner, lost := "theirs", "mine"
		if force {
			owner, lost = lost, owner
		}
		_, err = w.signIn(c.ID, "a@b.example", owner)
		wants(t, err, "")
		_, err = w.signIn(c.ID, "a@b.example", lost)
		wants(t, err, wrong)
	}
}

func TestMigrationWithSMS(t *testing.T) {
	w := newWorld(t)
	p := w.mfaPool("OPTIONAL")
	c := w.client(p)
	answer := confirmed(object{"phone_number": "+4915112345678", "phone_number_verified": "true"})
	answer["enableSMSMFA"] = true
	w.answers(p, answer)
	out := must(w.signIn(c.ID, "ada", "pass"))(t)
	if out.ChallengeName != "SMS_MFA" {
		t.Fatalf("challenge %q", out.ChallengeName)
	}
	m, _ := w.LastMessage(p, "ada")
	_ = must(w.answer(c.ID, "SMS_MFA", out.Session, map[string]string{"USERNAME": "ada", "SMS_MFA_CODE": m.Code.Reveal()}))(t)
}

func TestMigrationFailures(t *testing.T) {
	whole := func(event map[string]any) map[string]any {
		event["response"] = confirmed(object{"name": "Ada"})
		return event
	}
	for _, c := range []struct {
		name  string
		f     func(context.Context, map[string]any) (any, error)
		calls int
	}{
		{"function error", func(context.Context, map[string]any) (any, error) {
			return nil, &functionError{"Throttled", "busy"}
		}, 3},
		{"cannot start", func(context.Context, map[string]any) (any, error) { return nil, errors.New("503") }, 1},
		{"null", func(context.Context, map[string]any) (any, error) { return nil, nil }, 1},
		{"empty object", func(context.Context, map[string]any) (any, error) { return object{}, nil }, 1},
		{"response alone", func(context.Context, map[string]any) (any, error) {
			return object{"response": confirmed(object{"name": "Ada"})}, nil
		}, 1},
		{"null response", func(_ context.Context, e map[string]any) (any, error) { e["response"] = nil; return e, nil }, 1},
		{"other pool", func(_ context.Context, e map[string]any) (any, error) { e["userPoolId"] = "x"; return whole(e), nil }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.pool(cognitoidp.PoolSpec{})
			client := w.client(p, hiding)
			w.runs(p, c.f)
			_, err := w.signIn(client.ID, "ada", "pass")
			wants(t, err, "UserNotFoundException: Exception migrating user in app client "+client.ID)
			if n := w.lambda.count(); n != c.calls || w.Count(p) != 0 {
				t.Errorf("%d calls, want %d; %d users", n, c.calls, w.Count(p))
			}
		})
	}
	t.Run("recovers", func(t *testing.T) {
		w := newWorld(t)
		p := w.pool(cognitoidp.PoolSpec{})
		w.runs(p, func(_ context.Context, e map[string]any) (any, error) {
			if w.lambda.count() < 3 {
				return nil, &functionError{"Throttled", "busy"}
			}
			return whole(e), nil
		})
		_, err := w.signIn(w.client(p).ID, "ada", "pass")
		wants(t, err, "")
	})
	t.Run("clears the password", func(t *testing.T) {
		w := newWorld(t)
		p := w.pool(cognitoidp.PoolSpec{})
		w.runs(p, func(_ context.Context, e map[string]any) (any, error) { e["request"] = object{}; return whole(e), nil })
		_, err := w.signIn(w.client(p).ID, "ada", "pass")
		wants(t, err, "")
	})
}

// TestMigrationTimesOut has a function that never answers: three attempts of
// five seconds each.
func TestMigrationTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &functions{f: map[string]func(context.Context, map[string]any) (any, error){migrateARN: func(ctx context.Context, _ map[string]any) (any, error) {
			<-ctx.Done()
			return nil, &functionError{"Sandbox.Timedout", "Task timed out after 5.00 seconds"}
		}}}
		s := cognitoidp.New(cognitoidp.Options{Lambda: hang})
		p := must(s.CreatePool(acct, region, cognitoidp.PoolSpec{Name: "p", Settings: cognitoidp.Settings{LambdaConfig: cognitoidp.Triggers{UserMigration: migrateARN}}}))(t)
		c := must(s.CreateClient(p, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: "c", ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH"}}}))(t)
		start := time.Now()
		_, err := s.Serve(t.Context(), &wire.Call{Operation: "InitiateAuth", Body: fmt.Appendf(nil,
			`{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":%q,"AuthParameters":{"USERNAME":"ada","PASSWORD":"x"}}`, c.ID)})
		if err == nil || !strings.HasPrefix(err.Error(), "UserNotFoundException: Exception migrating user in app client") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 15*time.Second || hang.count() != 3 {
			t.Errorf("%d attempts in %v, want 3 in 15s", hang.count(), took)
		}
	})
}

// TestConcurrentFirstSignIns migrates each of many users by two clients at once:
// every user ends up once, and everybody is signed in.
func TestConcurrentFirstSignIns(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{UsernameAttributes: []string{"email"}}})
	c := w.client(p)
	const users, each = 60, 4
	together := make(chan struct{})
	w.runs(p, func(_ context.Context, e map[string]any) (any, error) {
		<-together
		e["response"] = confirmed(object{"email": e["userName"], "email_verified": "true"})
		return e, nil
	})
	var wg sync.WaitGroup
	errs := make(chan error, users*each)
	for i := range users {
		for range each {
			wg.Go(func() {
				_, err := w.signIn(c.ID, fmt.Sprintf("u%d@b.example", i), "pass")
				errs <- err
			})
		}
	}
	close(together)
	wg.Wait()
	close(errs)
	for err := range errs {
		wants(t, err, "")
	}
	if n := w.Count(p); n != users {
		t.Errorf("%d users, want %d", n, users)
	}
}

func TestForgotPassword(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	legacy, hides := w.client(p).ID, w.client(p, hiding).ID
	both := userpool.Attributes{"email": "ada@example.org", "email_verified": "true", "phone_number": "+4915112345678", "phone_number_verified": "false"}
	for _, u := range []cognitoidp.UserSpec{
		{Username: "ada", Attributes: both, Password: secret("old")},
		{Username: "unreachable", Attributes: userpool.Attributes{"email": "x@example.org"}},
		{Username: "off", Attributes: both, Disabled: true},
		{Username: "temporary", Attributes: both, Status: userpool.StatusForceChangePassword},
		{Username: "google", Attributes: both, Status: userpool.StatusExternalProvider},
	} {
		w.user(p, u)
	}
	forgot := func(client, name string) (string, error) {
		out, err := w.api.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: &client, Username: &name})
		if err != nil {
			return "", err
		}
		return string(out.CodeDeliveryDetails.DeliveryMedium) + " " + *out.CodeDeliveryDetails.Destination, nil
	}
	for name, want := range map[string]string{
		"nobody":      "UserNotFoundException: Username/client id combination not found.",
		"unreachable": "InvalidParameterException: Cannot reset password for the user as there is no registered/verified email or phone_number",
		"off":         "NotAuthorizedException: User is disabled.",
		"temporary":   "NotAuthorizedException: User password cannot be reset in the current state.",
		"google":      "NotAuthorizedException: User password cannot be reset in the current state.",
	} {
		_, err := forgot(legacy, name)
		wants(t, err, want)
		one, err := forgot(hides, name)
		wants(t, err, "")
		if two, _ := forgot(hides, name); one != two {
			t.Errorf("%s: simulated delivery changes from %s to %s", name, one, two)
		}
	}
	if to := must(forgot(legacy, "ada"))(t); to != "EMAIL a***@e***" {
		t.Errorf("sent to %s", to)
	}
	m, _ := w.LastMessage(p, "ada")
	confirm := func(client, name, code, password, want string) {
		t.Helper()
		_, err := w.api.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{ClientId: &client, Username: &name, ConfirmationCode: &code, Password: &password})
		wants(t, err, want)
	}
	confirm(legacy, "ada", "x", "Changed1!", "CodeMismatchException")
	confirm(legacy, "ada", m.Code.Reveal(), "weak", "InvalidPasswordException")
	confirm(legacy, "nobody", "x", "Changed1!", "UserNotFoundException")
	confirm(hides, "nobody", "x", "Changed1!", "CodeMismatchException")
	confirm(legacy, "ada", m.Code.Reveal(), "Changed1!", "")
	confirm(legacy, "ada", m.Code.Reveal(), "Changed2!", "ExpiredCodeException")
	_, err := w.signIn(legacy, "ada", "Changed1!")
	wants(t, err, "")
	_ = must(forgot(legacy, "ada"))(t)
	m, _ = w.LastMessage(p, "ada")
	w.clock.move(time.Hour)
	confirm(legacy, "ada", m.Code.Reveal(), "Changed2!", "ExpiredCodeException")
}

func TestForgotPasswordMigrates(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p).ID
	w.answers(p, object{"userAttributes": object{"email": "ada@example.org", "email_verified": "true"}, "messageAction": "SUPPRESS"})
	_ = must(w.api.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: &c, Username: new("ada")}))(t)
	_, err := w.signIn(c, "ada", "any")
	wants(t, err, "PasswordResetRequiredException")
	m, _ := w.LastMessage(p, "ada")
	_ = must(w.api.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{ClientId: &c, Username: new("ada"), ConfirmationCode: new(m.Code.Reveal()), Password: new("Changed1!")}))(t)
	_, err = w.signIn(c, "ada", "Changed1!")
	wants(t, err, "")
	if n := w.lambda.count(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// TestRecoverySetting resets by the way that the pool prefers.
func TestRecoverySetting(t *testing.T) {
	both := userpool.Attributes{"email": "ada@example.org", "email_verified": "true", "phone_number": "+4915112345678", "phone_number_verified": "true"}
	option := func(name string, priority int) pool.RecoveryOption {
		return pool.RecoveryOption{Name: name, Priority: priority}
	}
	for want, setting := range map[string]*pool.Recovery{
		"SMS":   nil,
		"EMAIL": {RecoveryMechanisms: []pool.RecoveryOption{option("verified_phone_number", 2), option("verified_email", 1)}},
		"NotAuthorizedException: Contact administrator to reset password.": {RecoveryMechanisms: []pool.RecoveryOption{option("admin_only", 1)}},
	} {
		w := newWorld(t)
		p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AccountRecoverySetting: setting}})
		w.user(p, cognitoidp.UserSpec{Username: "ada", Attributes: both})
		out, err := w.api.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: new(w.client(p).ID), Username: new("ada")})
		switch {
		case err != nil:
			wants(t, err, want)
		case string(out.CodeDeliveryDetails.DeliveryMedium) != want:
			t.Errorf("sent by %s, want %s", out.CodeDeliveryDetails.DeliveryMedium, want)
		}
	}
}

var _ triggers.FunctionError = (*functionError)(nil)
