package e2e_test

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
	"poolferry/tools/demo"
	"poolferry/tools/rehearsal"
)

// administrator is an SDK client of a site as somebody who may do everything.
func administrator(site rehearsal.Site, endpoint string) *cip.Client {
	return cip.NewFromConfig(aws.Config{
		Region: site.Region, BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(site.Administrator.AccessKeyID, site.Administrator.SecretAccessKey.Reveal(), ""),
	})
}

func app(t *testing.T, w *rehearsal.World) *cognito.App {
	t.Helper()
	app, err := w.App(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// What arrives at the target is what the mapping says, and a second sign-in is
// no business of the source.
func TestUserArrivesWhole(t *testing.T) {
	t.Parallel()
	w := openWith(t, carl())
	for range 2 {
		got, err := app(t, w).SignIn(t.Context(), "carl@example.com", userpool.NewSecret("Canary-carl-1!"), nil)
		if err != nil || !got.Done {
			t.Fatalf("sign-in: %+v, %v", got, err)
		}
	}
	if n := w.SourceSignIns(); n != 1 {
		t.Errorf("the source was asked %d times for two sign-ins, want once", n)
	}
	out, err := administrator(w.Target, w.Endpoint).AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &w.Target.PoolID, Username: aws.String("carl")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range out.UserAttributes {
		got[*a.Name] = *a.Value
	}
	if got["custom:legacy_sub"] == "" || got["custom:legacy_sub"] == got["sub"] {
		t.Errorf("legacy sub %q, sub %q", got["custom:legacy_sub"], got["sub"])
	}
	delete(got, "sub")
	delete(got, "custom:legacy_sub")
	want := map[string]string{"email": "carl@example.com", "email_verified": "true", "address": "1 Road, Town", "updated_at": "1700000000", kept: "blue", "locale": "en-GB"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes at the target (-want +got)\n%s", diff)
	}
	if out.UserStatus != types.UserStatusTypeConfirmed {
		t.Errorf("status %s", out.UserStatus)
	}
}

// Many devices of one person sign in for the first time at once, some with the
// wrong password: one user, and nobody in by the wrong one.
func TestFirstSignInsAtOnce(t *testing.T) {
	t.Parallel()
	w := openWith(t, carl())
	client := app(t, w)
	var in, out sync.Map
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			password := "Canary-carl-1!"
			if i%4 == 3 {
				password = "Canary-wrong-1!"
			}
			got, err := client.SignIn(t.Context(), "carl", userpool.NewSecret(password), nil)
			switch {
			case err != nil && i%4 != 3:
				out.Store(i, err)
			case err == nil && (i%4 == 3 || !got.Done):
				in.Store(i, got.Challenge)
			}
		})
	}
	group.Wait()
	out.Range(func(i, err any) bool { t.Errorf("right password of device %v: %v", i, err); return true })
	in.Range(func(i, _ any) bool { t.Errorf("device %v got in, or not far enough", i); return true })
	if _, n := w.Count(); n != 1 {
		t.Errorf("%d users at the target, want 1", n)
	}
}

// The whole crowd, in both shapes of pools, with the function as the binary that
// is deployed, and with AWS in a bad mood.
func TestCrowd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		shape  crowd.Shape
		faults string
	}{
		{"aliases", crowd.Alias, ""},
		{"username attributes", crowd.UsernameAttributes, ""},
		{"throttled source", crowd.Alias, "source.AdminInitiateAuth=throttle:5%"},
		{"failing source and STS", crowd.Alias, "source.AdminInitiateAuth=error:3%,source.AdminGetUser=error:3%,sts.AssumeRole=error:20%"},
		{"crashing function", crowd.Alias, "lambda.migrate-user=crash:3%"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := demo.Run(t.Context(), demo.Options{Users: 150, Seed: 11, Shape: tt.shape, Faults: tt.faults, Now: time.Now}, quiet{})
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK() || r.SignIns.Migrated < 100 {
				t.Errorf("%d migrated, %d errors %v, %d secrets %v", r.SignIns.Migrated, r.SignIns.Errors, r.Surprises, r.SecretsFound, r.Finds)
			}
			if s := r.SignIns; s.Attempted != s.Migrated+s.Refused+s.Errors {
				t.Errorf("the sums do not add up: %+v", s)
			}
		})
	}
}

// quiet is a demo's talk that nobody hears.
type quiet struct{}

func (quiet) Say(string, ...any) {}

func (quiet) Progress(string, int) (tick, done func()) { return func() {}, func() {} }
