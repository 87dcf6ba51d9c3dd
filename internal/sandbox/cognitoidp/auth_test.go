package cognitoidp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"crypto/rsa"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const wrong = "NotAuthorizedException: Incorrect username or password."

var ctx = context.Background()

func TestPasswordSignIn(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	legacy, hides := w.client(p), w.client(p, hiding)
	for _, u := range []cognitoidp.UserSpec{
		{Username: "ada", Password: secret("right")},
		{Username: "off", Password: secret("right"), Disabled: true},
		{Username: "new", Password: secret("right"), Status: userpool.StatusUnconfirmed},
		{Username: "reset", Password: secret("right"), Status: userpool.StatusResetRequired},
		{Username: "imported", Status: userpool.StatusResetRequired},
		{Username: "google_1", Status: userpool.StatusExternalProvider, Password: secret("right")},
	} {
		w.user(p, u)
	}
	for _, c := range []struct{ name, password, legacy, hides string }{
		{"ada", "right", "", ""},
		{"ada", "wrong", wrong, wrong},
		{"nobody", "right", "UserNotFoundException: User does not exist.", wrong},
		{"off", "right", "NotAuthorizedException: User is disabled.", "NotAuthorizedException: User is disabled."},
		{"off", "wrong", wrong, wrong},
		{"new", "right", "UserNotConfirmedException", "UserNotConfirmedException"},
		{"new", "wrong", wrong, wrong},
		{"reset", "right", "PasswordResetRequiredException", "PasswordResetRequiredException"},
		{"reset", "wrong", wrong, wrong},
		{"imported", "any", "PasswordResetRequiredException", wrong},
		{"google_1", "right", wrong, wrong},
		{"ADA", "right", "UserNotFoundException", wrong}, // case-sensitive unless the pool says otherwise
		{"", "right", "InvalidParameterException: Missing required parameter USERNAME", "InvalidParameterException"},
		{"ada", "", "InvalidParameterException: Missing required parameter PASSWORD", "InvalidParameterException"},
		{strings.Repeat("a", 129), "right", "InvalidParameterException: 1 validation error", "InvalidParameterException"},
		{"a b", "right", "InvalidParameterException: 1 validation error", "InvalidParameterException"},
		{"ada", strings.Repeat("a", 257), "InvalidParameterException: 1 validation error", "InvalidParameterException"},
	} {
		_, err := w.signIn(legacy.ID, c.name, c.password)
		t.Run(c.name+"/"+c.password+"/legacy", func(t *testing.T) { wants(t, err, c.legacy) })
		_, err = w.signIn(hides.ID, c.name, c.password)
		t.Run(c.name+"/"+c.password+"/hides", func(t *testing.T) { wants(t, err, c.hides) })
	}
}

func TestFlows(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	with := func(flows ...string) string {
		return w.client(p, func(s *cognitoidp.ClientSpec) { s.Settings.ExplicitAuthFlows = flows }).ID
	}
	all := with("ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_AUTH")
	legacy := with("ADMIN_NO_SRP_AUTH")
	none := with()
	for _, c := range []struct {
		flow, client string
		admin        bool
		want         string
	}{
		{"USER_PASSWORD_AUTH", all, false, ""},
		{"USER_PASSWORD_AUTH", none, false, "InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client"},
		{"USER_PASSWORD_AUTH", "nope", false, "ResourceNotFoundException: User pool client nope does not exist."},
		{"ADMIN_USER_PASSWORD_AUTH", all, true, ""},
		{"ADMIN_NO_SRP_AUTH", all, true, ""},
		{"ADMIN_USER_PASSWORD_AUTH", legacy, true, ""},
		{"ADMIN_USER_PASSWORD_AUTH", none, true, "InvalidParameterException: Auth flow not enabled for this client"},
		{"ADMIN_USER_PASSWORD_AUTH", all, false, "InvalidParameterException: Initiate Auth method not supported."},
		{"ADMIN_USER_PASSWORD_AUTH", "nope", true, "ResourceNotFoundException"},
		{"USER_SRP_AUTH", all, false, "SandboxUnsupported"},
		{"CUSTOM_AUTH", all, false, "SandboxUnsupported"},
		{"USER_AUTH", all, true, "SandboxUnsupported"},
		{"USER_AUTH", none, false, "InvalidParameterException: USER_AUTH flow not enabled for this client"},
		{"USER_SRP_AUTH", legacy, false, "SandboxUnsupported"},
		{"MAGIC", all, false, "InvalidParameterException: 1 validation error"},
	} {
		t.Run(c.flow, func(t *testing.T) {
			parameters := map[string]string{"USERNAME": "ada", "PASSWORD": "right"}
			var err error
			if c.admin {
				_, err = w.api.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{UserPoolId: &p, ClientId: &c.client, AuthFlow: types.AuthFlowType(c.flow), AuthParameters: parameters})
			} else {
				_, err = w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &c.client, AuthFlow: types.AuthFlowType(c.flow), AuthParameters: parameters})
			}
			wants(t, err, c.want)
		})
	}
	_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &all, AuthFlow: "USER_PASSWORD_AUTH",
		AuthParameters: map[string]string{"USERNAME": "ada", "PASSWORD": "right", "DEVICE_KEY": "x"}})
	wants(t, err, `SandboxUnsupported: the poolferry sandbox does not support auth parameter "DEVICE_KEY"`)
}

func TestSecretHash(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	c := w.client(p, func(s *cognitoidp.ClientSpec) { s.Secret = true })
	public := w.client(p)
	for _, try := range []struct{ client, hash, want string }{
		{c.ID, pool.SecretHash(c.Secret, "ada", c.ID), ""},
		{c.ID, pool.SecretHash(c.Secret, "Ada", c.ID), "NotAuthorizedException: Unable to verify secret hash for client " + c.ID},
		{c.ID, "", "NotAuthorizedException: Client " + c.ID + " is configured with secret but SECRET_HASH was not received"},
		{public.ID, "x", "NotAuthorizedException: Unable to verify secret hash for client " + public.ID},
	} {
		parameters := map[string]string{"USERNAME": "ada", "PASSWORD": "right"}
		if try.hash != "" {
			parameters["SECRET_HASH"] = try.hash
		}
		_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &try.client, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: parameters})
		wants(t, err, try.want)
	}
}

// TestLockout plays the Developer Guide's lockout: 5 wrong passwords, then
// 2^(n-5) seconds, 15 minutes at most.
func TestLockout(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	try := func(password, want string) {
		t.Helper()
		_, err := w.signIn(c.ID, "ada", password)
		wants(t, err, want)
	}
	const locked = "NotAuthorizedException: Password attempts exceeded"
	for n := 1; n <= 17; n++ {
		try("wrong", wrong)
		if n < 5 {
			continue
		}
		lock := min(time.Second<<(n-5), 15*time.Minute)
		w.clock.move(lock - time.Millisecond)
		try("right", locked)
		try("wrong", locked) // neither counts nor lengthens the lock
		w.clock.move(time.Millisecond)
	}
	try("right", "") // success after the lock starts over
	for range 4 {
		try("wrong", wrong)
	}
	try("right", "")
	for range 5 {
		try("wrong", wrong)
	}
	try("right", locked)
	w.clock.move(15 * time.Minute) // quiet
	for range 4 {
		try("wrong", wrong)
	}
	try("right", "")
}

// claims verifies a token with the pool's published key and returns its claims.
func (w *world) claims(poolID, token string) jwt.MapClaims {
	w.t.Helper()
	var jwks struct{ Keys []map[string]string }
	w.get("/"+poolID+"/.well-known/jwks.json", &jwks)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(tok *jwt.Token) (any, error) {
		for _, k := range jwks.Keys {
			if k["kid"] == tok.Header["kid"] {
				n, _ := base64.RawURLEncoding.DecodeString(k["n"])
				e, _ := base64.RawURLEncoding.DecodeString(k["e"])
				return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithTimeFunc(w.clock.now), jwt.WithValidMethods([]string{"RS256"}))
	if err != nil {
		w.t.Fatal(err)
	}
	return claims
}

func (w *world) get(path string, v any) {
	w.t.Helper()
	r, err := http.Get(w.server.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	data, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s %v", path, r.Status, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		w.t.Fatal(err)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Schema: []cognitoidp.Attribute{{Name: "tier"}, {Name: "hidden"}}})
	standard := w.client(p)
	listed := w.client(p, func(s *cognitoidp.ClientSpec) { s.Settings.ReadAttributes = []string{"email", "custom:tier"} })
	sub := w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right"), Groups: []string{"staff"}, Attributes: userpool.Attributes{
		"email": "a@b.example", "email_verified": "true", "address": "1 Way", "updated_at": "17", "custom:tier": "7", "custom:hidden": "x"}})
	out := must(w.signIn(standard.ID, "ada", "right"))(t).AuthenticationResult
	now := float64(w.clock.now().Unix())
	id := w.claims(p, *out.IdToken)
	common := map[string]any{"sub": string(sub), "iss": w.server.URL + "/" + p, "auth_time": now, "iat": now, "exp": now + 3600, "cognito:groups": []any{"staff"}}
	want := map[string]any{"aud": standard.ID, "token_use": "id", "cognito:username": "ada", "email": "a@b.example",
		"email_verified": true, "address": map[string]any{"formatted": "1 Way"}, "updated_at": 17.0}
	random := func(c jwt.MapClaims) {
		t.Helper()
		for _, name := range []string{"jti", "origin_jti", "event_id"} {
			if s, _ := c[name].(string); len(s) != 36 {
				t.Errorf("%s is %v, not a UUID", name, c[name])
			}
			delete(c, name)
		}
	}
	merged := func(m map[string]any) map[string]any {
		for k, v := range common {
			m[k] = v
		}
		return m
	}
	origin := id["origin_jti"]
	random(id)
	if diff := cmp.Diff(merged(want), map[string]any(id)); diff != "" {
		t.Error("ID token:", diff)
	}
	access := w.claims(p, *out.AccessToken)
	random(access)
	if diff := cmp.Diff(merged(map[string]any{"client_id": standard.ID, "token_use": "access", "username": "ada", "scope": "aws.cognito.signin.user.admin"}), map[string]any(access)); diff != "" {
		t.Error("access token:", diff)
	}
	if out.ExpiresIn != 3600 || *out.TokenType != "Bearer" {
		t.Errorf("result: %+v", out)
	}
	// Only the listed attributes, custom ones as strings.
	id = w.claims(p, *must(w.signIn(listed.ID, "ada", "right"))(t).AuthenticationResult.IdToken)
	if id["custom:tier"] != "7" || id["email"] == nil || id["address"] != nil || id["email_verified"] != nil || id["custom:hidden"] != nil {
		t.Errorf("ID token of a client with ReadAttributes: %v", id)
	}
	// Refresh: same grant, no new refresh token.
	w.clock.move(2 * time.Hour)
	refresh := func(client string, token *string) (*cip.InitiateAuthOutput, error) {
		return w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &client, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: map[string]string{"REFRESH_TOKEN": *token}})
	}
	again := must(refresh(standard.ID, out.RefreshToken))(t).AuthenticationResult
	id = w.claims(p, *again.IdToken)
	if again.RefreshToken != nil || id["origin_jti"] != origin || id["auth_time"] != now || id["iat"] == now {
		t.Errorf("refreshed: %v", id)
	}
	_, err := refresh(listed.ID, out.RefreshToken)
	wants(t, err, "NotAuthorizedException: Invalid Refresh Token")
	// GetUser takes the access token for as long as it is valid, and nothing else.
	for token, want := range map[string]string{*again.AccessToken: "", *out.AccessToken: "NotAuthorizedException: Access Token has expired",
		*again.IdToken: "NotAuthorizedException: Invalid Access Token", "junk": "NotAuthorizedException: Invalid Access Token",
		(*again.AccessToken)[:len(*again.AccessToken)-4] + "AAAA": "NotAuthorizedException: Invalid Access Token"} {
		_, err := w.api.GetUser(ctx, &cip.GetUserInput{AccessToken: &token})
		wants(t, err, want)
	}
	own := must(w.api.GetUser(ctx, &cip.GetUserInput{AccessToken: again.AccessToken}))(t)
	if len(own.UserAttributes) != 5 || *own.Username != "ada" { // sub and four standard ones
		t.Errorf("GetUser: %+v", own.UserAttributes)
	}
	w.clock.move(31 * 24 * time.Hour)
	_, err = refresh(standard.ID, out.RefreshToken)
	wants(t, err, "NotAuthorizedException: Refresh Token has expired")
	var doc map[string]any
	w.get("/"+p+"/.well-known/openid-configuration", &doc)
	if doc["jwks_uri"] != w.server.URL+"/"+p+"/.well-known/jwks.json" {
		t.Errorf("configuration: %v", doc)
	}
}

func TestOtherTriggers(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right"), Attributes: userpool.Attributes{"email": "a@b.example", "name": "Ada"}})
	const arn = "arn:aws:lambda:eu-central-1:222222222222:function:other"
	answer := func(response any) func(context.Context, map[string]any) (any, error) {
		return func(_ context.Context, event map[string]any) (any, error) {
			event["response"] = response
			return event, nil
		}
	}
	for _, tc := range []struct {
		name     string
		triggers cognitoidp.Triggers
		f        func(context.Context, map[string]any) (any, error)
		want     string
		calls    int
	}{
		{"claims", cognitoidp.Triggers{PreTokenGeneration: arn}, answer(map[string]any{"claimsOverrideDetails": map[string]any{
			"claimsToSuppress": []string{"email"}, "claimsToAddOrOverride": map[string]string{"name": "Countess"}}}), "", 1},
		{"no claims", cognitoidp.Triggers{PreTokenGeneration: arn}, answer(map[string]any{"claimsOverrideDetails": nil}), "", 1},
		{"another version's", cognitoidp.Triggers{PreTokenGeneration: arn}, answer(map[string]any{"claimsOverrideDetails": map[string]any{"idTokenGeneration": map[string]any{}}}), "SandboxUnsupported", 1},
		{"refuses", cognitoidp.Triggers{PreAuthentication: arn}, func(context.Context, map[string]any) (any, error) {
			return nil, &functionError{"Error", "not today"}
		}, "UserLambdaValidationException: PreAuthentication failed with error not today.", 1},
		{"malformed", cognitoidp.Triggers{PostAuthentication: arn}, func(context.Context, map[string]any) (any, error) { return nil, nil }, "InvalidLambdaResponseException: Unrecognizable lambda output", 1},
		{"missing", cognitoidp.Triggers{PostAuthentication: "arn:aws:lambda:none"}, nil, "UnexpectedLambdaException", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.lambda.f[arn] = tc.f
			if err := w.SetTriggers(p, tc.triggers); err != nil {
				t.Fatal(err)
			}
			before := w.lambda.count()
			out, err := w.signIn(c.ID, "ada", "right")
			wants(t, err, tc.want)
			if n := w.lambda.count() - before; n != tc.calls {
				t.Errorf("%d calls, want %d", n, tc.calls)
			}
			if tc.name == "claims" && err == nil {
				if id := w.claims(p, aws.ToString(out.AuthenticationResult.IdToken)); id["email"] != nil || id["name"] != "Countess" {
					t.Errorf("claims: %v", id)
				}
			}
		})
	}
}

// BenchmarkSignIn signs in without HTTP: mostly two RSA signatures.
func BenchmarkSignIn(b *testing.B) {
	s := cognitoidp.New(cognitoidp.Options{})
	p, err := s.CreatePool(acct, region, cognitoidp.PoolSpec{Name: "p"})
	if err != nil {
		b.Fatal(err)
	}
	c, err := s.CreateClient(p, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: "c", ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH"}}})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.PutUser(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")}); err != nil {
		b.Fatal(err)
	}
	call := &wire.Call{Operation: "InitiateAuth", Body: []byte(`{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"` + c.ID + `","AuthParameters":{"USERNAME":"ada","PASSWORD":"right"}}`)}
	for b.Loop() {
		if _, err := s.Serve(ctx, call); err != nil {
			b.Fatal(err)
		}
	}
}
