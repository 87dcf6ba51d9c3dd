package cognito

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"poolferry/internal/fault"
	"poolferry/internal/preflight"
)

// invokeTimeout is longer than a function that Cognito calls may take.
const invokeTimeout = 15 * time.Second

// Functions are the functions that a pool of the account may name as triggers.
type Functions struct {
	client   *lambda.Client
	document string // environment variable of a function's configuration
}

var _ preflight.Functions = (*Functions)(nil)

// NewFunctions returns the functions of a region. document names the environment
// variable that holds the configuration of poolferry's. No call is made.
func NewFunctions(account *Account, region, document string) *Functions {
	cfg := account.assume(Role{}, region)
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTimeout(invokeTimeout)
	return &Functions{lambda.NewFromConfig(cfg), document}
}

// Configuration returns the poolferry.yaml of a function, and no other variable
// of its environment.
func (f *Functions) Configuration(ctx context.Context, arn string) (string, error) {
	name, qualifier := split(arn)
	out, err := f.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: qualifier})
	if err != nil {
		return "", absent(fmt.Errorf("read the configuration of function %s: %w", arn, err))
	}
	if out.Environment == nil {
		return "", nil
	}
	if failed := out.Environment.Error; failed != nil { // such as a key that may not be used
		return "", fault.New(fault.Denied, "read the environment of function %s: %s", arn, aws.ToString(failed.ErrorCode))
	}
	return out.Environment.Variables[f.document], nil
}

// Policy returns the resource policy of a function, or of the alias that the ARN
// names: each has its own.
func (f *Functions) Policy(ctx context.Context, arn string) (string, error) {
	name, qualifier := split(arn)
	out, err := f.client.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &name, Qualifier: qualifier})
	if err = absent(err); fault.KindOf(err) == fault.NotFound {
		return "", nil // it has none
	}
	if err != nil {
		return "", fault.New(fault.KindOf(err), "read the policy of function %s: %w", arn, err)
	}
	return aws.ToString(out.Policy), nil
}

// Invoke invokes a function and waits for its answer.
func (f *Functions) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	out, err := f.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &arn, Payload: payload})
	if err != nil {
		return nil, absent(fmt.Errorf("invoke function %s: %w", arn, err))
	}
	if out.FunctionError != nil {
		return nil, fault.New(fault.Invalid, "invoke function %s: it fails (%s)", arn, *out.FunctionError)
	}
	return out.Payload, nil
}

// split takes an alias or version off an ARN.
func split(arn string) (unqualified string, qualifier *string) {
	parts := strings.Split(arn, ":")
	if len(parts) != 8 { // arn:aws:lambda:REGION:ACCOUNT:function:NAME
		return arn, nil
	}
	return strings.Join(parts[:7], ":"), &parts[7]
}
