// Package secrets reads AWS Secrets Manager, where a deployed function finds the
// secrets that poolferry.yaml refers to.
//
// Vocabulary: an id is a secret's name or ARN; its value is the current one. A
// value is bytes only until whoever asked has made a userpool.Secret of it.
package secrets

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"poolferry/internal/account"
	"poolferry/internal/fault"
)

// Time limits of one call: two attempts fit into what a migration trigger has
// for its first sign-in.
const (
	attemptTimeout = 1500 * time.Millisecond
	maxAttempts    = 2
	maxBackoff     = 200 * time.Millisecond
)

// Manager is Secrets Manager with one set of credentials. It is safe for
// concurrent use.
type Manager struct {
	client *sdk.Client
	region string
}

// New reads credentials and endpoint from the environment. region is where
// secrets are that are named without one. No call is made.
func New(ctx context.Context, region string, env account.Environment) (*Manager, error) {
	cfg, err := account.Load(ctx, region, env, account.Limits{Attempt: attemptTimeout, Attempts: maxAttempts, Backoff: maxBackoff})
	if err != nil {
		return nil, err
	}
	return &Manager{client: sdk.NewFromConfig(cfg), region: region}, nil
}

// Value reads the value of a secret, in the region of its ARN where the id is
// one. The error names the id and what to do.
func (m *Manager) Value(ctx context.Context, id string) ([]byte, error) {
	region := m.region
	if at, err := arn.Parse(id); err == nil {
		region = at.Region
	}
	out, err := m.client.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: &id}, func(o *sdk.Options) { o.Region = region })
	if err != nil {
		return nil, classify(id, region, err)
	}
	if out.SecretString == nil {
		return nil, fault.New(fault.Invalid, "read secret %s: it holds bytes, a text is needed: store it as SecretString", id)
	}
	return []byte(aws.ToString(out.SecretString)), nil
}

// kinds maps the error codes of Secrets Manager and of credentials to what a
// caller can do about them. A code that is not here is Invalid if AWS blames the
// caller, otherwise Unavailable.
var kinds = map[string]fault.Kind{
	"ResourceNotFoundException": fault.NotFound,
	"InvalidRequestException":   fault.NotFound, // it is being deleted

	"AccessDenied":                fault.Denied,
	"AccessDeniedException":       fault.Denied,
	"DecryptionFailure":           fault.Denied,
	"ExpiredTokenException":       fault.Denied,
	"InvalidSignatureException":   fault.Denied,
	"MissingAuthenticationToken":  fault.Denied,
	"UnrecognizedClientException": fault.Denied,

	"ThrottlingException":  fault.Throttled,
	"Throttling":           fault.Throttled,
	"RequestLimitExceeded": fault.Throttled,

	"InternalServiceError": fault.Unavailable,
}

// next says what to do about a kind.
var next = map[fault.Kind]string{
	fault.NotFound:    "create it there, or correct the reference",
	fault.Denied:      "allow secretsmanager:GetSecretValue on it, and kms:Decrypt where it has a key of its own",
	fault.Throttled:   "try again in a moment",
	fault.Unavailable: "try again in a moment",
	fault.Invalid:     "correct the reference",
}

func classify(id, region string, err error) error {
	kind := kindOf(err)
	return fault.New(kind, "read secret %s in %s: %w: %s", id, region, err, next[kind])
}

func kindOf(err error) fault.Kind {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fault.Unavailable // no answer at all
	}
	if kind, ok := kinds[api.ErrorCode()]; ok {
		return kind
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() >= http.StatusInternalServerError || api.ErrorFault() == smithy.FaultServer {
		return fault.Unavailable
	}
	return fault.Invalid
}
