package interop_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
	"poolferry/tools/rehearsal"
)

// Pools of cognito-local as target: the one that our function is configured
// for, and another one.
const (
	targetPool  = "eu-central-1_Interop01"
	foreignPool = "eu-central-1_Interop02"
)

// targetWorld is cognito-local as the target of a migration from the sandbox.
type targetWorld struct {
	*rehearsal.World
	*local
	function *function
	app      string // client id at targetPool
	foreign  string // client id at foreignPool
}

func newTargetWorld(t *testing.T) *targetWorld {
	t.Helper()
	path := node(t)
	w := newWorld(t, crowd.UsernameAttributes, len(crowd.Kinds()))
	invoker, err := w.Sandbox.IAM.AddUser(w.Target.Account, "cognito-local", []byte(`{"Version":"2012-10-17","Statement":[{
		"Effect":"Allow","Action":"lambda:InvokeFunction",
		"Resource":"arn:aws:lambda:`+w.Target.Region+`:`+w.Target.Account+`:function:`+functionName+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	l := startLocal(t, path, localSpec{
		pools:              map[string]map[string]localUser{targetPool: nil, foreignPool: nil},
		usernameAttributes: []string{"email", "phone_number"},
		lambda:             w.Endpoint, region: w.Target.Region, credentials: invoker, function: functionName,
	})
	world := &targetWorld{World: w, local: l}
	world.app, world.foreign = world.client(t, targetPool, false), world.client(t, foreignPool, false)
	custom := append([]string{"legacy_sub", "plan"}, crowd.CustomAttributes()...)
	for part := range slices.Chunk(custom, 25) { // as many as one call takes
		in := &cip.AddCustomAttributesInput{UserPoolId: aws.String(targetPool)}
		for _, name := range part {
			in.CustomAttributes = append(in.CustomAttributes, types.SchemaAttributeType{Name: &name, AttributeDataType: types.AttributeDataTypeString})
		}
		if _, err := l.api.AddCustomAttributes(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	c := *w.Config
	c.Target.PoolID, c.Target.SMSMFA = targetPool, false
	world.function = addFunction(t, w, c, w.Source.Client.Secret.Reveal(), front(t, w, l, w.Target.Region))
	return world
}

// client makes an app client.
func (w *targetWorld) client(t *testing.T, poolID string, secret bool) string {
	t.Helper()
	out, err := w.api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: &poolID, ClientName: aws.String("app"), GenerateSecret: secret,
		ExplicitAuthFlows:          []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth},
		PreventUserExistenceErrors: types.PreventUserExistenceErrorTypesEnabled,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.UserPoolClient.ClientId
}

// signIn signs in at cognito-local.
func (w *targetWorld) signIn(t *testing.T, clientID, name string, password userpool.Secret, metadata map[string]string) (*cip.InitiateAuthOutput, error) {
	return w.api.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		ClientId: &clientID, AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientMetadata: metadata,
		AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password.Reveal()},
	})
}

// attributes are those that cognito-local has stored of a user.
func (w *targetWorld) attributes(t *testing.T, name string) (map[string]string, types.UserStatusType) {
	t.Helper()
	out, err := w.api.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(targetPool), Username: &name})
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	attributes := map[string]string{}
	for _, a := range out.UserAttributes {
		attributes[*a.Name] = aws.ToString(a.Value)
	}
	return attributes, out.UserStatus
}

// count is the number of users of a pool.
func (w *targetWorld) count(t *testing.T, poolID string) int {
	t.Helper()
	out, err := w.api.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: &poolID})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Users)
}

func TestCognitoLocalAsTarget(t *testing.T) {
	w := newTargetWorld(t)
	for _, p := range w.People {
		if p.Kind == crowd.OtherCase {
			continue // see the gap about the case of names
		}
		var metadata map[string]string
		if p.SendsCode {
			metadata = map[string]string{"mfa_code": w.TOTP(p).Reveal()}
		}
		// A text message as second factor: this target cannot ask for one.
		migrates := p.Migrates() && p.Kind != crowd.SMSCode
		t.Run(string(p.Kind), func(t *testing.T) {
			if migrates {
				w.migrates(t, p, metadata)
				return
			}
			// What cognito-local makes of the answer is a gap; see there.
			_, _ = w.signIn(t, w.app, p.Name, p.Password, metadata)
			calls := w.function.takeCalls()
			if p.Kind == crowd.ForcedChange {
				if len(calls) != 1 || calls[0].response == "{}" || strings.Contains(calls[0].response, "finalUserStatus") {
					t.Errorf("calls %+v, want one that migrates without finalUserStatus", calls)
				}
				return
			}
			if len(calls) != 1 || calls[0].response != "{}" {
				t.Errorf("calls %+v, want one with an empty response", calls)
			}
		})
	}
	t.Run("an error of the function refuses and creates nobody", func(t *testing.T) {
		p := w.People[0]
		if _, err := w.signIn(t, w.foreign, p.Name, p.Password, nil); code(err) != "NotAuthorizedException" {
			t.Errorf("got %v, want NotAuthorizedException", err)
		}
		calls := w.function.takeCalls()
		if len(calls) != 1 || calls[0].failed == nil || calls[0].failed.Type != "Invalid" {
			t.Errorf("calls %+v, want one that failed with Invalid: the pool is not ours", calls)
		}
		if n := w.count(t, foreignPool); n != 0 {
			t.Errorf("%d users were created", n)
		}
	})
	w.noPasswords(t)
}

// migrates signs a person in for the first and the second time.
func (w *targetWorld) migrates(t *testing.T, p crowd.Person, metadata map[string]string) {
	t.Helper()
	before := w.count(t, targetPool)
	out, err := w.signIn(t, w.app, p.Name, p.Password, metadata)
	if err != nil {
		t.Fatal(err)
	}
	if r := out.AuthenticationResult; r == nil || aws.ToString(r.IdToken) == "" || aws.ToString(r.AccessToken) == "" {
		t.Fatalf("no tokens, challenge %q", out.ChallengeName)
	}
	if claim := claims(t, *out.AuthenticationResult.IdToken)["custom:legacy_sub"]; claim != string(p.User.Sub) {
		t.Errorf("the ID token has custom:legacy_sub %v, want %s", claim, p.User.Sub)
	}
	attributes, status := w.attributes(t, p.Name)
	if status != types.UserStatusTypeConfirmed {
		t.Errorf("status %s", status)
	}
	for name, want := range carried(p) {
		if attributes[name] != want {
			t.Errorf("%s is %q, want %q", name, attributes[name], want)
		}
	}
	calls := w.function.takeCalls()
	if len(calls) != 1 || calls[0].name != p.Name {
		t.Errorf("%d calls of the function, want 1 for %s", len(calls), p.Name)
	}

	if _, err := w.signIn(t, w.app, p.Name, p.Password, metadata); err != nil {
		t.Errorf("second sign-in: %v", err)
	}
	if _, err := w.signIn(t, w.app, p.Name, p.Wrong, metadata); err == nil {
		t.Error("a wrong password is accepted after the migration")
	}
	if calls := w.function.takeCalls(); len(calls) != 0 {
		t.Errorf("the function is called for a user who has moved: %+v", calls)
	}
	if after := w.count(t, targetPool); after != before+1 {
		t.Errorf("%d users became %d, want one more", before, after)
	}
}

// carried are the attributes that a person must have at the target: those of
// the source, by the rules in the rehearsal's poolferry.yaml.
func carried(p crowd.Person) map[string]string {
	want := map[string]string{"custom:legacy_sub": string(p.User.Sub), "locale": "en-GB"}
	for name, value := range p.User.Attributes {
		want[name] = value
	}
	delete(want, "sub")
	want["custom:plan"] = want["custom:field_01"]
	delete(want, "custom:field_01")
	want["email"] = strings.ToLower(want["email"])
	return want
}

// noPasswords searches the function's log for what anybody typed.
// cognito-local's own log and database are not ours: see its gaps.
func (w *targetWorld) noPasswords(t *testing.T) {
	t.Helper()
	log := string(w.function.log.Bytes())
	if !strings.Contains(log, `"outcome":"Migrated"`) {
		t.Error("the function's log has no audit line of a migration")
	}
	for _, p := range w.People {
		for _, secret := range []userpool.Secret{p.Password, p.Wrong} {
			if strings.Contains(log, secret.Reveal()) {
				t.Errorf("a password of %s is in the function's log", p.Kind)
			}
		}
	}
}

// claims reads a token without checking it: it came from the pool itself.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts", len(parts))
	}
	var c map[string]any
	if err := json.Unmarshal(decode(t, parts[1]), &c); err != nil {
		t.Fatal(err)
	}
	return c
}
