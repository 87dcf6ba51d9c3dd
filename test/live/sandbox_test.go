package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"poolferry/infra"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/lambda"
	"poolferry/tools/rehearsal"
)

// onSandbox is a ground of made-up accounts, with the secrets where a deployment
// has them.
func onSandbox(t *testing.T, change ...func(*rehearsal.Options)) (*ground, *rehearsal.World) {
	t.Helper()
	options := rehearsal.Options{
		Users: 19, Seed: 5, Speed: 100, Now: time.Now, SecretsManager: true,
		ImportPace: cognitoidp.ImportPace{Pending: 300 * time.Millisecond, RowsPerSecond: 60}, // so that somebody can sign in meanwhile
	}
	for _, to := range change {
		to(&options)
	}
	w, err := rehearsal.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "poolferry.yaml")
	if err := os.WriteFile(file, w.YAML, 0o600); err != nil {
		t.Fatal(err)
	}
	as := func(site rehearsal.Site) aws.Config {
		return aws.Config{
			Region: site.Region, BaseEndpoint: &w.Endpoint, Retryer: reconnects,
			Credentials: credentials.NewStaticCredentialsProvider(site.Operator.AccessKeyID, site.Operator.SecretAccessKey.Reveal(), ""),
		}
	}
	g := &ground{
		cfg: w.Config, file: file, role: "arn:aws:iam::" + w.Target.Account + ":role/poolferry-migrate-user", sandbox: true,
		usable: 10 * time.Second, patience: 20 * time.Second, tick: 50 * time.Millisecond, logs: cloudwatchlogs.NewFromConfig(as(w.Target)), importLog: logRole(t, w),
		source: cip.NewFromConfig(as(w.Source)), target: cip.NewFromConfig(as(w.Target)), states: sfn.NewFromConfig(as(w.Target)),
		objects: s3.NewFromConfig(as(w.Target), func(o *s3.Options) { o.UsePathStyle = true }),
	}
	g.deploy = func(_ context.Context, name string, s script) (string, func(context.Context) error, error) {
		arn, err := w.Sandbox.Lambda.Add(lambda.Function{
			Account: w.Target.Account, Region: w.Target.Region, Name: name, Timeout: 10 * time.Second,
			Permissions: []lambda.Permission{{Service: "cognito-idp.amazonaws.com", SourceAccount: w.Target.Account}},
			Runner:      player(s),
		})
		return arn, nil, err // it goes with the sandbox
	}
	return g, w
}

// reconnects tries again where a connection broke, as between two calls it may, and
// takes every answer of the sandbox for one.
func reconnects() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
	})
}

// logRole makes the role with which Cognito writes the logs of the import jobs of
// throw-away pools: as infra has it, but for any pool of the account.
func logRole(t *testing.T, w *rehearsal.World) string {
	t.Helper()
	pools := "arn:aws:cognito-idp:" + w.Target.Region + ":" + w.Target.Account + ":userpool/"
	trust, err := infra.Render(infra.ImportLogTrust, map[string]string{"target_account": w.Target.Account, "target_pool_arn": pools + w.Target.PoolID})
	if err != nil {
		t.Fatal(err)
	}
	trust = bytes.Replace(trust, []byte(pools+w.Target.PoolID), []byte(pools+"*"), 1)
	may, err := infra.Render(infra.ImportLog, map[string]string{"partition": "aws", "region": w.Target.Region, "target_account": w.Target.Account})
	if err != nil {
		t.Fatal(err)
	}
	arn, err := w.Sandbox.IAM.AddRole(w.Target.Account, "poolferry-live-import-log", trust, may)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

// player runs a script as a function of the sandbox.
type player script

// Invoke implements lambda.Runner.
func (p player) Invoke(ctx context.Context, in lambda.Invocation) ([]byte, error) {
	if p.Throttled {
		return nil, knobs.Throttled("lambda")
	}
	out, err := script(p).play(ctx, json.RawMessage(in.Payload))
	if raised, ok := errors.AsType[errRaised](err); ok {
		return nil, &lambda.FunctionError{Type: "Error", Message: string(raised)}
	}
	return out, err
}

// leavesOne deletes people with temporary passwords from the source: the story
// wants its own to be the only one who is imported.
func leavesOne(t *testing.T, g *ground, w *rehearsal.World) {
	t.Helper()
	for _, p := range w.People {
		if p.Kind != crowd.ForcedChange {
			continue
		}
		_, err := g.source.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &w.Source.PoolID, Username: &p.User.Username})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTaggedStory tells the story as somebody with two accounts has it told, but
// the profiles lead to the sandbox.
func TestTaggedStory(t *testing.T) {
	t.Parallel()
	g, w := onSandbox(t)
	leavesOne(t, g, w)
	before, _ := w.Count()
	profiles := filepath.Join(t.TempDir(), "config")
	var text strings.Builder
	for name, site := range map[string]rehearsal.Site{"from": w.Source, "to": w.Target} {
		fmt.Fprintf(&text, "[profile %s]\naws_access_key_id = %s\naws_secret_access_key = %s\nendpoint_url = %s\n", name, site.Operator.AccessKeyID, site.Operator.SecretAccessKey.Reveal(), w.Endpoint)
	}
	if err := os.WriteFile(profiles, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "live", "-count=1", "-v", "-run", "^TestLiveStory$", ".")
	cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE="+profiles, "AWS_SHARED_CREDENTIALS_FILE="+profiles, "AWS_ENDPOINT_URL=http://127.0.0.1:9", "AWS_ACCESS_KEY_ID=nobody",
		"POOLFERRY_LIVE=i-know-that-real-pools-change", "POOLFERRY_LIVE_CONFIG="+g.file, "POOLFERRY_LIVE_SOURCE_PROFILE=from", "POOLFERRY_LIVE_TARGET_PROFILE=to")
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("NOT TOLD")) {
		t.Errorf("%v\n%s", err, out)
	}
	if source, target := w.Count(); source != before || target != 0 {
		t.Errorf("left over: %d users at the source, which had %d, and %d at the target", source, before, target)
	}
}

func TestStoryOnTheSandbox(t *testing.T) {
	g, w := onSandbox(t)
	// The operator is whoever the environment of the process says.
	t.Setenv("AWS_ENDPOINT_URL", w.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", w.Target.Operator.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", w.Target.Operator.SecretAccessKey.Reveal())
	leavesOne(t, g, w)
	before, _ := w.Count()
	t.Run("story", func(t *testing.T) {
		if untold := story(t, g); len(untold) > 0 {
			t.Errorf("not told: %v", untold)
		}
	})
	if source, target := w.Count(); source != before || target != 0 {
		t.Errorf("left over: %d users at the source, which had %d, and %d at the target", source, before, target)
	}
	for key := range w.S3.Objects() {
		t.Errorf("left over: %s", key)
	}
}

// unplayed are the probes that the sandbox refuses, by what it does not play. One
// that it refuses no longer comes off the list, so that the list says what the
// sandbox can.
var unplayed = map[string]string{
	"choice-based":          "USER_AUTH",
	"role-with-external-id": "Credentials",
	"unbilled-reads":        "AdminGetUserAuthFactors",
	"hash-import":           "PasswordHashingAlgorithm",
}

// expected is what the sandbox answers about the ending, as its knobs are here. A
// probe that says anything else has asked another question, or the sandbox has
// changed.
var expected = map[string][]string{
	"sign-up-trigger": {
		"PreSignUp_AdminCreateUser fails: UserLambdaValidationException", "PreSignUp_SignUp fails: signed in",
		"PostAuthentication_Authentication fails: UserLambdaValidationException", "PostConfirmation_ConfirmSignUp fails: signed in",
	},
	"flow-before-user": {
		"LEGACY: unknown user: InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client; who could be migrated: InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client, then no user; wrong password: InvalidParameterException",
		"ENABLED: unknown user: InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client; who could be migrated: InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client, then no user; wrong password: InvalidParameterException",
	},
	"update-resets": {
		"set: MFA OPTIONAL, authenticator apps true, DeviceConfiguration false and false", "with neither: works, then MFA OFF, authenticator apps true, DeviceConfiguration absent",
		"with both: works, then MFA OPTIONAL, authenticator apps true, DeviceConfiguration false and false",
	},
	"first-tokens": {"warm-up: signed in; a group of ", "is not in the tokens"},
	"disable-reset": {
		"imported, RESET_REQUIRED: AdminDisableUser: works; then RESET_REQUIRED and disabled", "migrated, RESET_REQUIRED: AdminDisableUser: works; then RESET_REQUIRED and disabled",
		"reset by an administrator, RESET_REQUIRED: AdminDisableUser: works; then RESET_REQUIRED and disabled; sign-in: NotAuthorizedException: User is disabled.; forgotten password: NotAuthorizedException: User is disabled.",
	},
	"listed-factor": {`works, then CONFIRMED with [SMS_MFA], preferred "SMS_MFA"`, "[SMS to phone_number]"},
	"import-log": {
		"states: Created at ", " s, Pending at ", " s, InProgress at ", " s, Succeeded at ", `imported 10, skipped 1, failed 3, ""`, "14 rows are lines 1 to 14", "and had 14 lines after ",
		"exists: [SKIPPED] Line Number 2 - The user already exists.", "not verified: [FAILED] Line Number 3", "1970-01-01 as birthdate: [FAILED] Line Number 4", "no username: [FAILED] Line Number 5",
	},
	"import-username": {
		"the address: [SUCCEEDED] Line Number 1 - The import succeeded., then RESET_REQUIRED with its new sub as username",
		"the sub at the source: [FAILED] Line Number 2 - Username should be an email.", "a name: [FAILED] Line Number 3 - Username should be an email.",
	},
	"import-mfa": {
		`column "": [SUCCEEDED] Line Number 1 - The import succeeded.; RESET_REQUIRED with [], preferred ""; AdminSetUserMFAPreference: works, then RESET_REQUIRED with [SMS_MFA], preferred "SMS_MFA"`,
		`column "true": [SUCCEEDED] Line Number 2 - The import succeeded.; RESET_REQUIRED with [SMS_MFA], preferred ""`,
	},
	"import-race": {
		"30 of 30 end well", "users: signed in, in the log [SKIPPED], then CONFIRMED and signed in",
		"users: did not sign in meanwhile, in the log [SUCCEEDED], then RESET_REQUIRED and PasswordResetRequiredException",
	},
}

func TestProbesOnTheSandbox(t *testing.T) {
	t.Parallel()
	g, _ := onSandbox(t)
	table := askAll(t, g)
	t.Log("\n" + table)
	for _, p := range probes {
		answer := answers.of(t.Name() + "/probes/" + p.name)
		why, unable := unplayed[p.name]
		switch isRefused := strings.Contains(answer, refused); {
		case answer == "" || !strings.Contains(table, p.name):
			t.Errorf("%s has no answer", p.name)
		case isRefused && (!unable || !strings.Contains(answer, why)):
			t.Errorf("%s: %s", p.name, answer)
		case !isRefused && unable:
			t.Errorf("%s is answered, take it off the list: %s", p.name, answer)
		}
		for _, text := range expected[p.name] {
			if !strings.Contains(answer, text) {
				t.Errorf("%s does not say %q: %s", p.name, text, answer)
			}
		}
	}
	left, err := g.target.ListUserPools(t.Context(), &cip.ListUserPoolsInput{MaxResults: aws.Int32(60)})
	if err != nil || len(left.UserPools) != 1 {
		t.Errorf("left over: %d user pools but one: %v", len(left.UserPools), err)
	}
}

// TestMigratedSignUps turns the knob of the sandbox for what AWS does not document,
// and the probe tells its positions apart.
func TestMigratedSignUps(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]string{
		"PreSignUp_SignUp": {"PreSignUp_SignUp fails: UserLambdaValidationException", "PreSignUp_AdminCreateUser fails: signed in"},
		"none":             {"PreSignUp_SignUp fails: signed in", "PreSignUp_AdminCreateUser fails: signed in"},
	} {
		g, _ := onSandbox(t, func(o *rehearsal.Options) { o.Users, o.MigrationSignUp = 0, source })
		answer := signUpTrigger(t, g)
		for _, text := range want {
			if !strings.Contains(answer, text) {
				t.Errorf("%s: the probe does not say %q: %s", source, text, answer)
			}
		}
	}
}

// TestWithoutALogRole: the probes of import jobs are not asked then, and say what
// they want.
func TestWithoutALogRole(t *testing.T) {
	t.Parallel()
	g, _ := onSandbox(t, func(o *rehearsal.Options) { o.Users = 0 })
	g.importLog = ""
	t.Run("probe", func(t *testing.T) { jobLog(t, g) })
	if answer := answers.of(t.Name() + "/probe"); !strings.Contains(answer, importLogRole) {
		t.Errorf("answered: %q", answer)
	}
}

// TestEveryProbeIsExplained: the table of the README has each question, and no
// other.
func TestEveryProbeIsExplained(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## The questions")
	var explained, asked []string
	for line := range strings.Lines(table) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			explained = append(explained, name)
		}
	}
	for _, p := range probes {
		asked = append(asked, p.name)
	}
	if diff := cmp.Diff(asked, explained); diff != "" {
		t.Errorf("README.md (-probes +table)\n%s", diff)
	}
}
