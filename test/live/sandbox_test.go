package live

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

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
		cfg: w.Config, file: file, sandbox: true, usable: 10 * time.Second,
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
