// Package account reads from the environment how AWS is reached: region,
// credentials and endpoint, with the time limits and retries of whoever calls.
// The adapters build their clients from it.
//
// Vocabulary: an environment is a lookup of variables, os.LookupEnv or what
// stands for it where several accounts live in one process; limits bound one
// call of a client.
package account

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"poolferry/internal/fault"
)

// Environment looks a variable up.
type Environment func(name string) (string, bool)

// Limits bound a call.
type Limits struct {
	Attempt  time.Duration // of one attempt
	Attempts int           // at most
	Backoff  time.Duration // longest pause between two attempts
}

// Load returns the configuration of clients in a region. Credentials and
// endpoint come from the SDK's own chain, but AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_ENDPOINT_URL from env. No
// call is made.
func Load(ctx context.Context, region string, env Environment, l Limits) (aws.Config, error) {
	get := func(name string) string { value, _ := env(name); return value }
	options := []func(*config.LoadOptions) error{
		config.WithRegion(region),
		config.WithLogger(logging.Nop{}), // errors are returned, not also printed
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(l.Attempt)),
		config.WithRetryer(func() aws.Retryer { return retryer(l) }),
	}
	if id := get("AWS_ACCESS_KEY_ID"); id != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(id, get("AWS_SECRET_ACCESS_KEY"), get("AWS_SESSION_TOKEN"))))
	}
	if endpoint := get("AWS_ENDPOINT_URL"); endpoint != "" {
		options = append(options, config.WithBaseEndpoint(endpoint))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fault.New(fault.Invalid, "load AWS configuration for region %s: %w", region, err)
	}
	return cfg, nil
}

// retryer always may retry: the SDK's retry quota would stop retries altogether
// during a long throttling, which is when they matter.
func retryer(l Limits) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = l.Attempts
		o.MaxBackoff = l.Backoff
		o.RateLimiter = ratelimit.None
	})
}

// Ready reports whether there are credentials at all. It is for a person's
// first command; a Lambda function always has some.
func Ready(ctx context.Context, cfg aws.Config) error {
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fault.New(fault.Denied, "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of the target account (%w)", err)
	}
	return nil
}

// Identity asks STS whose credentials these are: the account id, and the
// partition of its ARNs.
func Identity(ctx context.Context, cfg aws.Config) (id, partition string, err error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", "", fault.New(fault.Denied, "ask STS whose credentials these are: %w", err)
	}
	caller, err := arn.Parse(aws.ToString(out.Arn))
	if err != nil {
		return "", "", fault.New(fault.Unavailable, "ask STS whose credentials these are: answer %q: %w", aws.ToString(out.Arn), err)
	}
	return caller.AccountID, caller.Partition, nil
}
