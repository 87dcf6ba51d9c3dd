//go:build live

package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"poolferry/internal/account"
	"poolferry/internal/config"
)

// understood is what somebody has to say who runs this.
const understood = "i-know-that-real-pools-change"

// variable is an environment variable without which nothing is done.
func variable(t *testing.T, name, what string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is missing: set it to %s", name, what)
	}
	return value
}

// onAWS is the ground of a deployment. Nothing in it was changed when it is
// returned, and it is what the configuration says.
func onAWS(t *testing.T) *ground {
	t.Helper()
	if os.Getenv("POOLFERRY_LIVE") != understood {
		t.Fatalf("this creates and deletes users, pools, functions and state machines in two AWS accounts: say POOLFERRY_LIVE=%s", understood)
	}
	// The profiles say who and where, and nothing else does.
	for _, other := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} {
		t.Setenv(other, "")
	}
	file := variable(t, "POOLFERRY_LIVE_CONFIG", "the path of the deployment's poolferry.yaml")
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	as := func(profile, region string) (aws.Config, string) {
		t.Helper()
		c, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithSharedConfigProfile(profile), awsconfig.WithRegion(region))
		if err != nil {
			t.Fatal(err)
		}
		id, _, err := account.Identity(t.Context(), c)
		if err != nil {
			t.Fatalf("profile %s: %v", profile, err)
		}
		return c, id
	}
	target := variable(t, "POOLFERRY_LIVE_TARGET_PROFILE", "an AWS profile of the operator, who also administers the target account")
	from, owner := as(variable(t, "POOLFERRY_LIVE_SOURCE_PROFILE", "an AWS profile that administers the source pool"), cfg.Source.Region)
	if owner != cfg.Source.Account {
		t.Fatalf("the source's profile is of account %s, %s says %s", owner, file, cfg.Source.Account)
	}
	to, own := as(target, cfg.Target.Region)
	t.Setenv("AWS_PROFILE", target) // for the command line tool
	t.Logf("pools %s of account %s and %s of account %s are going to change", cfg.Source.PoolID, owner, cfg.Target.PoolID, own)

	g := &ground{
		cfg: cfg, file: file, usable: 3 * time.Minute, patience: 20 * time.Minute, tick: 500 * time.Millisecond,
		source: cip.NewFromConfig(from), target: cip.NewFromConfig(to), states: sfn.NewFromConfig(to), objects: s3.NewFromConfig(to),
		logs: cloudwatchlogs.NewFromConfig(to), importLog: os.Getenv(importLogRole),
	}
	functions := lambda.NewFromConfig(to)
	g.role = triggerRole(t, g, functions)
	g.deploy = func(ctx context.Context, name string, s script) (string, func(context.Context) error, error) {
		return deploy(ctx, functions, name, g.role, own, s)
	}
	return g
}

// triggerRole is the execution role of the deployed trigger: throw-away functions
// run in it, so that nobody needs a right to make roles.
func triggerRole(t *testing.T, g *ground, functions *lambda.Client) string {
	t.Helper()
	out, err := g.target.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: &g.cfg.Target.PoolID})
	if err != nil {
		t.Fatal(err)
	}
	if out.UserPool.LambdaConfig == nil || out.UserPool.LambdaConfig.UserMigration == nil {
		t.Fatalf("pool %s has no migration trigger", g.cfg.Target.PoolID)
	}
	f, err := functions.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: out.UserPool.LambdaConfig.UserMigration})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(f.Role)
}

// deploy makes a function, lets user pools of the account call it, and waits until
// it can be called. remove is returned with an error, too, once there is something
// to remove.
func deploy(ctx context.Context, functions *lambda.Client, name, role, own string, s script) (arn string, remove func(context.Context) error, err error) {
	code, err := s.zipped()
	if err != nil {
		return "", nil, err
	}
	made, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: &name, Role: &role, Runtime: lambdatypes.RuntimeNodejs22x, Handler: aws.String("index.handler"), Timeout: aws.Int32(10),
		Code: &lambdatypes.FunctionCode{ZipFile: code}, Architectures: []lambdatypes.Architecture{lambdatypes.ArchitectureArm64},
	})
	if err != nil {
		return "", nil, fmt.Errorf("make function %s: %w", name, err)
	}
	remove = func(ctx context.Context) error {
		_, err := functions.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
		return err
	}
	err = lambda.NewFunctionActiveV2Waiter(functions).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, 2*time.Minute)
	_, allowed := functions.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &name, StatementId: aws.String("pools"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("cognito-idp.amazonaws.com"), SourceAccount: &own,
	})
	if s.Throttled {
		_, throttled := functions.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0)})
		allowed = errors.Join(allowed, throttled)
	}
	return aws.ToString(made.FunctionArn), remove, errors.Join(err, allowed)
}

func TestLiveStory(t *testing.T) {
	if untold := story(t, onAWS(t)); len(untold) > 0 {
		t.Logf("nothing is proven about: %v", untold)
	}
}

func TestLiveProbes(t *testing.T) {
	fmt.Printf("\n%s\n", askAll(t, onAWS(t)))
}
