package live

import (
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
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/lambda"
	"poolferry/tools/rehearsal"
)

// onSandbox is a ground of made-up accounts, with the secrets where a deployment
// has them. The operator's environment is that of the process.
func onSandbox(t *testing.T) (*ground, *rehearsal.World) {
	t.Helper()
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Users: 19, Seed: 5, Speed: 100, Now: time.Now, SecretsManager: true})
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
	t.Setenv("AWS_ENDPOINT_URL", w.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", w.Target.Operator.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", w.Target.Operator.SecretAccessKey.Reveal())
	as := func(site rehearsal.Site) aws.Config {
		return aws.Config{
			Region: site.Region, BaseEndpoint: &w.Endpoint, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(site.Operator.AccessKeyID, site.Operator.SecretAccessKey.Reveal(), ""),
		}
	}
	g := &ground{
		cfg: w.Config, file: file, role: "arn:aws:iam::" + w.Target.Account + ":role/poolferry-migrate-user", sandbox: true, usable: 10 * time.Second,
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

// TestTaggedStory tells the story as somebody with two accounts has it told, but
// the profiles lead to the sandbox.
func TestTaggedStory(t *testing.T) {
	g, w := onSandbox(t)
	profiles := filepath.Join(t.TempDir(), "config")
	var text strings.Builder
	for name, site := range map[string]rehearsal.Site{"from": w.Source, "to": w.Target} {
		fmt.Fprintf(&text, "[profile %s]\naws_access_key_id = %s\naws_secret_access_key = %s\nendpoint_url = %s\n", name, site.Operator.AccessKeyID, site.Operator.SecretAccessKey.Reveal(), w.Endpoint)
	}
	if err := os.WriteFile(profiles, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "live", "-count=1", "-run", "^TestLiveStory$", ".")
	cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE="+profiles, "AWS_SHARED_CREDENTIALS_FILE="+profiles, "AWS_ENDPOINT_URL=http://127.0.0.1:9", "AWS_ACCESS_KEY_ID=nobody",
		"POOLFERRY_LIVE=i-know-that-real-pools-change", "POOLFERRY_LIVE_CONFIG="+g.file, "POOLFERRY_LIVE_SOURCE_PROFILE=from", "POOLFERRY_LIVE_TARGET_PROFILE=to")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if source, target := w.Count(); source != len(w.People) || target != 0 {
		t.Errorf("left over: %d users at the source, which had %d, and %d at the target", source, len(w.People), target)
	}
}

func TestStoryOnTheSandbox(t *testing.T) {
	g, w := onSandbox(t)
	before, _ := w.Count()
	t.Run("story", func(t *testing.T) { story(t, g) })
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

func TestProbesOnTheSandbox(t *testing.T) {
	g, _ := onSandbox(t)
	table := askAll(t, g)
	t.Log("\n" + table)
	for _, p := range probes {
		answer := answers.of(t.Name() + "/probes/" + p.name)
		why, expected := unplayed[p.name]
		switch isRefused := strings.Contains(answer, refused); {
		case answer == "" || !strings.Contains(table, p.name):
			t.Errorf("%s has no answer", p.name)
		case isRefused && (!expected || !strings.Contains(answer, why)):
			t.Errorf("%s: %s", p.name, answer)
		case !isRefused && expected:
			t.Errorf("%s is answered, take it off the list: %s", p.name, answer)
		}
	}
	left, err := g.target.ListUserPools(t.Context(), &cip.ListUserPoolsInput{MaxResults: aws.Int32(60)})
	if err != nil || len(left.UserPools) != 1 {
		t.Errorf("left over: %d user pools but one: %v", len(left.UserPools), err)
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
