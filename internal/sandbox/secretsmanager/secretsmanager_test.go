package secretsmanager_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/secretsmanager"
	"poolferry/internal/userpool"
)

const (
	account = "444455556666"
	other   = "111122223333"
	region  = "eu-central-1"
)

// world is a sandbox with Secrets Manager and one secret.
type world struct {
	*sandbox.Sandbox
	t        *testing.T
	secrets  *secretsmanager.Service
	endpoint string
	arn      string
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, secrets: secretsmanager.New(time.Now), Sandbox: sandbox.New(sandbox.Options{})}
	w.must(w.Register(w.secrets))
	var err error
	w.arn, err = w.secrets.CreateSecret(account, region, "poolferry/key", userpool.NewSecret("first"))
	w.must(err)
	w.endpoint, err = w.Start("127.0.0.1:0")
	w.must(err)
	t.Cleanup(func() { w.must(w.Close()) })
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// client is that of a new user, who may do an action on a resource.
func (w *world) client(account, name, action, resource string) *sdk.Client {
	w.t.Helper()
	c, err := w.IAM.AddUser(account, name, fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, action, resource))
	w.must(err)
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.endpoint), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()),
	})
}

func TestGetSecretValue(t *testing.T) {
	w := start(t)
	client := w.client(account, "ops", "secretsmanager:GetSecretValue", w.arn)
	get := func(id, stage string) *sdk.GetSecretValueOutput {
		t.Helper()
		in := &sdk.GetSecretValueInput{SecretId: &id}
		if stage != "" {
			in.VersionStage = &stage
		}
		out, err := client.GetSecretValue(t.Context(), in)
		w.must(err)
		return out
	}
	partial := w.arn[:len(w.arn)-7]
	if !strings.HasSuffix(partial, ":secret:poolferry/key") {
		t.Fatalf("ARN %s", w.arn)
	}
	var before string
	for _, id := range []string{"poolferry/key", w.arn, partial} {
		out := get(id, "")
		before = *out.VersionId
		if *out.SecretString != "first" || *out.ARN != w.arn || *out.Name != "poolferry/key" || len(out.VersionStages) != 1 || out.VersionStages[0] != "AWSCURRENT" {
			t.Errorf("%s: %v", id, out)
		}
		if since := time.Since(*out.CreatedDate); since < 0 || since > time.Minute {
			t.Errorf("%s: created at %s", id, out.CreatedDate)
		}
	}
	w.must(w.secrets.PutSecretValue(account, region, w.arn, userpool.NewSecret("second")))
	if out := get(w.arn, ""); *out.SecretString != "second" || *out.VersionId == before {
		t.Errorf("current: %v", out)
	}
	if out := get(w.arn, "AWSPREVIOUS"); *out.SecretString != "first" || *out.VersionId != before {
		t.Errorf("previous: %v", out)
	}
}

func TestRefusals(t *testing.T) {
	w := start(t)
	_, err := w.secrets.CreateSecret(account, region, "poolferry/key2", userpool.NewSecret("x"))
	w.must(err)
	all, one, foreign := w.client(account, "all", "secretsmanager:*", "*"), w.client(account, "one", "secretsmanager:GetSecretValue", w.arn), w.client(other, "all", "*", "*")
	get := func(c *sdk.Client, id string, change ...func(*sdk.GetSecretValueInput)) error {
		in := &sdk.GetSecretValueInput{SecretId: &id}
		for _, f := range change {
			f(in)
		}
		_, err := c.GetSecretValue(t.Context(), in)
		return err
	}
	_, write := all.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: new("mine"), SecretString: new("x")})
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"another secret":         {get(one, "poolferry/key2"), "AccessDeniedException"},
		"does not exist":         {get(all, "poolferry/none"), "ResourceNotFoundException"},
		"nobody says if it does": {get(one, "poolferry/none"), "AccessDeniedException"},
		"part of a name":         {get(all, "poolferry"), "ResourceNotFoundException"},
		"another region":         {get(all, strings.Replace(w.arn, region, "eu-west-1", 1)), "ResourceNotFoundException"},
		"another account":        {get(foreign, w.arn), "SandboxUnsupported"},
		"name in own account":    {get(foreign, "poolferry/key"), "ResourceNotFoundException"},
		"no ARN of a secret":     {get(all, "arn:aws:s3:::bucket"), "ValidationException"},
		"empty":                  {get(all, ""), "ValidationException"},
		"long":                   {get(all, strings.Repeat("x", 2049)), "ValidationException"},
		"no previous version":    {get(all, w.arn, func(in *sdk.GetSecretValueInput) { in.VersionStage = new("AWSPREVIOUS") }), "ResourceNotFoundException"},
		"unknown label":          {get(all, w.arn, func(in *sdk.GetSecretValueInput) { in.VersionStage = new("MINE") }), "ResourceNotFoundException"},
		"version id":             {get(all, w.arn, func(in *sdk.GetSecretValueInput) { in.VersionId = new(strings.Repeat("x", 32)) }), "SandboxUnsupported"},
		"writing":                {write, "SandboxUnsupported"},
	} {
		if got := code(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %s", name, tt.err, tt.want)
		}
	}
	if missing, ok := errors.AsType[*types.ResourceNotFoundException](get(all, "none")); !ok || missing.ErrorMessage() != "Secrets Manager can't find the specified secret." {
		t.Errorf("missing secret: %v", missing)
	}
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestCreate(t *testing.T) {
	s := secretsmanager.New(time.Now)
	value := userpool.NewSecret("x")
	if _, err := s.CreateSecret(account, region, "a", value); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		do   func() error
		want string
	}{
		"again":            {func() error { _, err := s.CreateSecret(account, region, "a", value); return err }, "ResourceExistsException"},
		"elsewhere":        {func() error { _, err := s.CreateSecret(account, "eu-west-1", "a", value); return err }, ""},
		"name":             {func() error { _, err := s.CreateSecret(account, region, "a b", value); return err }, "ValidationException"},
		"without value":    {func() error { _, err := s.CreateSecret(account, region, "b", userpool.Secret{}); return err }, "InvalidParameterException"},
		"change":           {func() error { return s.PutSecretValue(account, region, "a", value) }, ""},
		"change to none":   {func() error { return s.PutSecretValue(account, region, "a", userpool.Secret{}) }, "InvalidParameterException"},
		"change elsewhere": {func() error { return s.PutSecretValue(other, region, "a", value) }, "ResourceNotFoundException"},
	} {
		if err := tt.do(); (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
