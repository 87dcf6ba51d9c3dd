package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/s3"
)

const (
	account = "444455556666"
	other   = "111122223333"
	region  = "eu-central-1"
	bucket  = "staging-bucket"
)

// world is a sandbox with S3, one bucket and a log.
type world struct {
	*sandbox.Sandbox
	s3       *s3.Service
	endpoint string
	mu       sync.Mutex
	log      bytes.Buffer
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func start(t *testing.T, faults string) *world {
	t.Helper()
	rules, err := knobs.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{s3: s3.New(time.Now)}
	w.Sandbox = sandbox.New(sandbox.Options{Faults: rules, Log: slog.New(slog.NewJSONHandler(w, nil))})
	for _, err := range []error{
		w.Register(w.s3), w.AddAccount("target", account), w.AddAccount("source", other), w.s3.CreateBucket(account, region, bucket),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.endpoint, err = w.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// user returns the credentials of a new user with statements such as
// {"Effect":"Allow","Action":"s3:*","Resource":"*"}.
func (w *world) user(t *testing.T, account, name, statements string) iam.Credentials {
	t.Helper()
	c, err := w.IAM.AddUser(account, name, fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[%s]}`, statements))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const anything = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`

// client is an SDK client that does not retry.
func (w *world) client(c iam.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.endpoint), RetryMaxAttempts: 1, UsePathStyle: true,
		// What a client has that was made from a loaded configuration.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()),
	})
}

// operator may do everything in the account.
func (w *world) operator(t *testing.T) *sdk.Client {
	t.Helper()
	return w.client(w.user(t, account, "ops", anything))
}

func put(t *testing.T, c *sdk.Client, key, body string) string {
	t.Helper()
	out, err := c.PutObject(t.Context(), putInput(key, body))
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.ETag)
}

func putInput(key, body string) *sdk.PutObjectInput {
	return &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader([]byte(body))}
}

func getInput(key string) *sdk.GetObjectInput {
	return &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: &key}
}

func get(t *testing.T, c *sdk.Client, key string) (string, *sdk.GetObjectOutput) {
	t.Helper()
	out, err := c.GetObject(t.Context(), getInput(key))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body), out
}

// code is the status and code of an SDK error, such as "404 NoSuchKey"; empty
// without error.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	api, isAPI := errors.AsType[smithy.APIError](err)
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	if !isAPI || !answered {
		t.Fatalf("no answer of S3: %v", err)
	}
	return fmt.Sprintf("%d %s", answer.HTTPStatusCode(), api.ErrorCode())
}
