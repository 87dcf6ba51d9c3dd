package interop_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
)

// cognito-local 5.3.0 does some things otherwise than AWS. Each of them that a
// migration meets is a row below and is asserted: where one is closed, the test
// fails, the row goes, and what AWS does is tested instead. The other tests of
// this package do not assert what these gaps make impossible.

// gap is one of them. there reports whether it is still there.
type gap[W any] struct {
	name  string
	aws   string // what AWS does
	there func(t *testing.T, w W) bool
}

// checkGaps checks them one after the other. reset is called before each.
func checkGaps[W any](t *testing.T, w W, reset func(), gaps []gap[W]) {
	for _, g := range gaps {
		t.Run(g.name, func(t *testing.T) {
			reset()
			if !g.there(t, w) {
				t.Errorf("this gap of cognito-local is closed: remove the row, and test that, as on AWS, %s", g.aws)
			}
		})
	}
}

func TestGapsAsTarget(t *testing.T) {
	w := newTargetWorld(t)
	checkGaps(t, w, func() { w.function.takeCalls() }, []gap[*targetWorld]{
		{
			"an empty response migrates, under whatever was typed",
			"it refuses the sign-in as if the user did not exist, and creates nobody",
			func(t *testing.T, w *targetWorld) bool {
				p := w.person(t, crowd.Plain)
				before := w.count(t, targetPool)
				_, err := w.signIn(t, w.app, p.Name, p.Wrong, nil)
				if calls := w.function.takeCalls(); len(calls) != 1 || calls[0].response != "{}" {
					t.Errorf("calls %+v, want one with an empty response: that half is ours", calls)
				}
				return err == nil && w.count(t, targetPool) == before+1
			},
		},
		{
			"without finalUserStatus the user is CONFIRMED",
			"the user has to reset the password: PasswordResetRequiredException",
			func(t *testing.T, w *targetWorld) bool {
				p := w.person(t, crowd.ForcedChange)
				_, err := w.signIn(t, w.app, p.Name, p.Password, nil)
				return err == nil
			},
		},
		{
			"a migrated user has no sub",
			"it gives every user a sub, in the tokens too",
			func(t *testing.T, w *targetWorld) bool {
				p := w.person(t, crowd.EmailName)
				out, err := w.signIn(t, w.app, p.Name, p.Password, nil)
				if err != nil {
					t.Fatal(err)
				}
				attributes, _ := w.attributes(t, p.Name)
				return claims(t, *out.AuthenticationResult.IdToken)["sub"] == nil && attributes["sub"] == ""
			},
		},
		{
			"another case of a name is another user",
			"in a pool that is not case-sensitive it finds the user who has moved",
			func(t *testing.T, w *targetWorld) bool {
				p := w.person(t, crowd.PlusAddress)
				for _, name := range []string{p.Name, strings.ToUpper(p.Name)} {
					if _, err := w.signIn(t, w.app, name, p.Password, nil); err != nil {
						t.Fatal(err)
					}
				}
				return len(w.function.takeCalls()) == 2
			},
		},
		{
			"ForgotPassword does not call the function",
			"it calls it with UserMigration_ForgotPassword and sends a code",
			func(t *testing.T, w *targetWorld) bool {
				_, err := w.api.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: &w.app, Username: aws.String(w.person(t, crowd.WeakPassword).Name)})
				return code(err) == "UserNotFoundException" && len(w.function.takeCalls()) == 0
			},
		},
		{
			"a failing function is NotAuthorizedException",
			"it is UserNotFoundException: Exception migrating user in app client",
			func(t *testing.T, w *targetWorld) bool {
				_, err := w.signIn(t, w.foreign, w.person(t, crowd.Plain).Name, w.person(t, crowd.Plain).Password, nil)
				return code(err) == "NotAuthorizedException"
			},
		},
		{
			"the response is not checked against the schema",
			"it refuses the sign-in: Attributes did not conform to the schema",
			func(t *testing.T, w *targetWorld) bool {
				err := w.canned(t, "schema@example.com", `{"userAttributes":{"email":"schema@example.com","custom:nowhere":"x"},"finalUserStatus":"CONFIRMED"}`)
				return err == nil
			},
		},
		{
			"any finalUserStatus is stored",
			"it refuses the sign-in: Invalid finalUserStatus",
			func(t *testing.T, w *targetWorld) bool {
				err := w.canned(t, "status@example.com", `{"userAttributes":{"email":"status@example.com"},"finalUserStatus":"ARCHIVED"}`)
				return err == nil
			},
		},
		{
			"enableSMSMFA is ignored",
			"it asks the user for a code by SMS at once",
			func(t *testing.T, w *targetWorld) bool {
				err := w.canned(t, "sms@example.com", `{"userAttributes":{"email":"sms@example.com","phone_number":"+15550000001"},"finalUserStatus":"CONFIRMED","enableSMSMFA":true}`)
				return err == nil
			},
		},
		{
			"username is stored as an attribute",
			"a pool with username attributes has no use for one; elsewhere it is the username",
			func(t *testing.T, w *targetWorld) bool {
				err := w.canned(t, "named@example.com", `{"userAttributes":{"email":"named@example.com","username":"named"},"finalUserStatus":"CONFIRMED"}`)
				attributes, _ := w.attributes(t, "named@example.com")
				return err == nil && attributes["username"] == "named"
			},
		},
		{
			"events say version 0 and region local",
			"the version is 1 and the region that of the pool",
			func(t *testing.T, w *targetWorld) bool {
				_ = w.canned(t, "event@example.com", `{"userAttributes":{"email":"event@example.com"},"finalUserStatus":"CONFIRMED"}`)
				calls := w.function.takeCalls()
				if len(calls) != 1 {
					t.Fatalf("%d calls", len(calls))
				}
				return calls[0].event["version"] == "0" && calls[0].event["region"] == "local"
			},
		},
		{
			"events leave out what is empty",
			"validationData and clientMetadata are null",
			func(t *testing.T, w *targetWorld) bool {
				_ = w.canned(t, "members@example.com", `{"userAttributes":{"email":"members@example.com"},"finalUserStatus":"CONFIRMED"}`)
				calls := w.function.takeCalls()
				if len(calls) != 1 {
					t.Fatalf("%d calls", len(calls))
				}
				request, _ := calls[0].event["request"].(map[string]any)
				_, validation := request["validationData"]
				_, metadata := request["clientMetadata"]
				return request["password"] != nil && !validation && !metadata
			},
		},
		{
			"SECRET_HASH is not asked for",
			"a client with a secret must send it: NotAuthorizedException",
			func(t *testing.T, w *targetWorld) bool {
				client := w.client(t, targetPool, true)
				w.function.answer("hash@example.com", `{"userAttributes":{"email":"hash@example.com"},"finalUserStatus":"CONFIRMED"}`)
				_, err := w.signIn(t, client, "hash@example.com", userpool.NewSecret("Canary-hash-1!"), nil)
				return err == nil
			},
		},
		{
			"signatures are not checked",
			"AdminGetUser with unknown keys is UnrecognizedClientException",
			func(t *testing.T, w *targetWorld) bool {
				_, err := client(w.url, "eu-central-1", "AKIAUNKNOWN123456789", "wrong").ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(targetPool)})
				return err == nil
			},
		},
		{
			"a pool is made in a region called local",
			"its id begins with the region of the endpoint",
			func(t *testing.T, w *targetWorld) bool {
				out, err := w.api.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("new")})
				if err != nil {
					t.Fatal(err)
				}
				return strings.HasPrefix(*out.UserPool.Id, "local_")
			},
		},
		{
			"passwords are stored as they were typed",
			"nobody can read a password, not even AWS",
			func(t *testing.T, w *targetWorld) bool {
				data, err := os.ReadFile(filepath.Join(w.dir, ".cognito", "db", targetPool+".json"))
				if err != nil {
					t.Fatal(err)
				}
				return strings.Contains(string(data), w.person(t, crowd.EmailName).Password.Reveal())
			},
		},
	})
}

// person is the person of a kind.
func (w *targetWorld) person(t *testing.T, kind crowd.Kind) crowd.Person {
	t.Helper()
	for _, p := range w.People {
		if p.Kind == kind {
			return p
		}
	}
	t.Fatalf("nobody is %s", kind)
	return crowd.Person{}
}

// canned signs in under a name for which the function gives a response of ours.
// It returns nil where tokens were issued.
func (w *targetWorld) canned(t *testing.T, name, response string) error {
	w.function.answer(name, response)
	out, err := w.signIn(t, w.app, name, userpool.NewSecret("Canary-canned-1!"), nil)
	if err == nil && out.AuthenticationResult == nil {
		return errChallenged
	}
	return err
}

// errChallenged is what canned returns for a challenge.
var errChallenged = errors.New("a challenge instead of tokens")
