package sns_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/sns"
)

const (
	account = "444455556666"
	other   = "111122223333"
	region  = "eu-central-1"
	topic   = "arn:aws:sns:" + region + ":" + account + ":ready"
)

// world is a sandbox with SNS and one topic.
type world struct {
	*sandbox.Sandbox
	t        *testing.T
	sns      *sns.Service
	endpoint string
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, sns: sns.New(time.Now), Sandbox: sandbox.New(sandbox.Options{})}
	w.must(w.Register(w.sns))
	arn, err := w.sns.CreateTopic(account, region, "ready")
	w.must(err)
	if arn != topic {
		t.Fatalf("created %s", arn)
	}
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

// client is that of a new user, who may do an action on a resource, and does
// not retry.
func (w *world) client(account, name, action, resource string) *sdk.Client {
	w.t.Helper()
	c, err := w.IAM.AddUser(account, name, fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, action, resource))
	w.must(err)
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.endpoint), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()),
	})
}

// failed is the status, code and message of an SDK error, such as
// "404 NotFound: Topic does not exist"; empty without error.
func failed(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	api, isAPI := errors.AsType[smithy.APIError](err)
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	if !isAPI || !answered {
		t.Fatalf("no answer of SNS: %v", err)
	}
	return fmt.Sprintf("%d %s: %s", answer.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage())
}
