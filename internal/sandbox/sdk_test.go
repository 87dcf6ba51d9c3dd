package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/lambda"
)

// crossAccount adds the roles of a migration: exec in the target account may
// assume login in the source account, which may initiate authentication.
func crossAccount(t *testing.T, r *running) (session iam.Credentials, login string) {
	t.Helper()
	login = "arn:aws:iam::" + source + ":role/login"
	exec, err := r.IAM.AddRole(target, "exec", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}}`),
		fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":%q}}`, login))
	if err != nil {
		t.Fatal(err)
	}
	trust := fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"sts:AssumeRole",
		"Condition":{"StringEquals":{"sts:ExternalId":"run-7"},"ArnEquals":{"aws:PrincipalArn":%q}}}]}`, target, exec)
	if _, err := r.IAM.AddRole(source, "login", trust, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["cognito-idp:ListUsers"],"Resource":"arn:aws:cognito-idp:*:`+source+`:userpool/*"}}`)); err != nil {
		t.Fatal(err)
	}
	if session, err = r.IAM.Session(exec, "migrate-user", 12*time.Hour); err != nil {
		t.Fatal(err)
	}
	return session, login
}

// The whole way of the migration trigger: its role, the source's role, the
// source's pool.
func TestAssumeRoleWithTheSDK(t *testing.T) {
	r := run(t, Options{})
	session, login := crossAccount(t, r)
	cfg := r.client(session, targetRegion)
	provider := stscreds.NewAssumeRoleProvider(stssdk.NewFromConfig(cfg), login, func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID, o.RoleSessionName = aws.String("run-7"), "mig"
	})
	assumed := cfg.Copy()
	assumed.Credentials, assumed.Region = aws.NewCredentialsCache(provider), sourceRegion
	who, err := stssdk.NewFromConfig(assumed).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(who.Account) != source || aws.ToString(who.Arn) != "arn:aws:sts::"+source+":assumed-role/login/mig" || !strings.HasSuffix(aws.ToString(who.UserId), ":mig") {
		t.Errorf("got %s %s %s", *who.Account, *who.Arn, *who.UserId)
	}
	in := &cip.ListUsersInput{UserPoolId: aws.String("eu-west-1_x")}
	if _, err := cip.NewFromConfig(assumed).ListUsers(t.Context(), in); err != nil {
		t.Error(err)
	}
	direct := cfg.Copy()
	direct.Region = sourceRegion
	if _, err := cip.NewFromConfig(direct).ListUsers(t.Context(), in); code(t, err) != "AccessDeniedException" {
		t.Errorf("without the role: %v", err)
	}
}

func TestSTSErrorsWithTheSDK(t *testing.T) {
	r := run(t, Options{})
	session, login := crossAccount(t, r)
	client := stssdk.NewFromConfig(r.client(session, targetRegion))
	ok := stssdk.AssumeRoleInput{RoleArn: &login, RoleSessionName: aws.String("mig"), ExternalId: aws.String("run-7")}
	tests := []struct {
		name   string
		change func(*stssdk.AssumeRoleInput)
		want   string
	}{
		{"as deployed", func(*stssdk.AssumeRoleInput) {}, ""},
		{"an hour", func(in *stssdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3600) }, ""},
		{"with a session policy", func(in *stssdk.AssumeRoleInput) { in.Policy = aws.String(string(everything)) }, ""},
		{"wrong external id", func(in *stssdk.AssumeRoleInput) { in.ExternalId = aws.String("run-8") }, "AccessDenied"},
		{"unknown role", func(in *stssdk.AssumeRoleInput) { in.RoleArn = aws.String(login + "x") }, "AccessDenied"},
		{"chained beyond an hour", func(in *stssdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }, "ValidationError"},
		{"too short", func(in *stssdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(60) }, "ValidationError"},
		{"no role ARN", func(in *stssdk.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::1:user/x-y-z-x-y-z") }, "ValidationError"},
		{"session name", func(in *stssdk.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError"},
		{"external id", func(in *stssdk.AssumeRoleInput) { in.ExternalId = aws.String("a b") }, "ValidationError"},
		{"session policy", func(in *stssdk.AssumeRoleInput) { in.Policy = aws.String("{}") }, "MalformedPolicyDocument"},
		{"long session policy", func(in *stssdk.AssumeRoleInput) { in.Policy = aws.String(strings.Repeat(" ", 2049)) }, "ValidationError"},
		{"source identity", func(in *stssdk.AssumeRoleInput) { in.SourceIdentity = aws.String("me") }, "SandboxUnsupported"},
	}
	for _, tt := range tests {
		in := ok
		tt.change(&in)
		_, err := client.AssumeRole(t.Context(), &in)
		if got := code(t, err); got != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err := client.AssumeRole(t.Context(), &stssdk.AssumeRoleInput{RoleArn: &login, RoleSessionName: aws.String("mig")})
	want := "User: arn:aws:sts::" + target + ":assumed-role/exec/migrate-user is not authorized to perform: sts:AssumeRole on resource: " + login
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, err := client.GetSessionToken(t.Context(), nil); code(t, err) != "SandboxUnsupported" {
		t.Errorf("got %v", err)
	}
}

func TestLambdaWithTheSDK(t *testing.T) {
	r := run(t, Options{})
	const arn = "arn:aws:lambda:" + targetRegion + ":" + target + ":function:echo"
	if _, err := r.Lambda.Add(lambda.Function{
		Account: target, Region: targetRegion, Name: "echo", Aliases: []string{"live"},
		Runner: lambda.InProcess(func(_ context.Context, in map[string]string) (map[string]string, error) {
			if in["fail"] != "" {
				return nil, errors.New(in["fail"])
			}
			return in, nil
		}),
	}); err != nil {
		t.Fatal(err)
	}
	operator := r.user(t, target, "ops", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":["`+arn+`","`+arn+`:*","`+arn+`x"]}}`))
	client := lambdasdk.NewFromConfig(r.client(operator, targetRegion))
	ok := lambdasdk.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`{"a":"b"}`)}
	tests := []struct {
		name   string
		change func(*lambdasdk.InvokeInput)
		status int32
		answer string // where no error is wanted
		want   string // error code
	}{
		{"by name", func(*lambdasdk.InvokeInput) {}, 200, `{"a":"b"}`, ""},
		{"by ARN", func(in *lambdasdk.InvokeInput) { in.FunctionName = aws.String(arn) }, 200, `{"a":"b"}`, ""},
		{"by partial ARN and alias", func(in *lambdasdk.InvokeInput) { in.FunctionName = aws.String(target + ":function:echo:live") }, 200, `{"a":"b"}`, ""},
		{"by qualifier", func(in *lambdasdk.InvokeInput) { in.Qualifier = aws.String("live") }, 200, `{"a":"b"}`, ""},
		{"no payload", func(in *lambdasdk.InvokeInput) { in.Payload = nil }, 200, `{}`, ""},
		{"no log", func(in *lambdasdk.InvokeInput) { in.LogType = lambdatypes.LogTypeNone }, 200, `{"a":"b"}`, ""},
		{"dry run", func(in *lambdasdk.InvokeInput) { in.InvocationType = lambdatypes.InvocationTypeDryRun }, 204, "", ""},
		{"function error", func(in *lambdasdk.InvokeInput) { in.Payload = []byte(`{"fail":"so sorry"}`) }, 200, `{"errorType":"errorString","errorMessage":"so sorry"}`, ""},
		{"unknown function", func(in *lambdasdk.InvokeInput) { in.FunctionName = aws.String("echox") }, 0, "", "ResourceNotFoundException"},
		{"unknown function, dry run", func(in *lambdasdk.InvokeInput) {
			in.FunctionName, in.InvocationType = aws.String("echox"), lambdatypes.InvocationTypeDryRun
		}, 0, "", "ResourceNotFoundException"},
		{"unknown alias", func(in *lambdasdk.InvokeInput) { in.Qualifier = aws.String("dev") }, 0, "", "ResourceNotFoundException"},
		{"two qualifiers", func(in *lambdasdk.InvokeInput) {
			in.FunctionName, in.Qualifier = aws.String("echo:live"), aws.String("dev")
		}, 0, "", "ValidationException"},
		{"not permitted", func(in *lambdasdk.InvokeInput) { in.FunctionName = aws.String("other") }, 0, "", "AccessDeniedException"},
		{"another account", func(in *lambdasdk.InvokeInput) {
			in.FunctionName = aws.String(strings.Replace(arn, target, source, 1))
		}, 0, "", "AccessDeniedException"},
		{"no JSON", func(in *lambdasdk.InvokeInput) { in.Payload = []byte(`{"a"`) }, 0, "", "InvalidRequestContentException"},
		{"event", func(in *lambdasdk.InvokeInput) { in.InvocationType = lambdatypes.InvocationTypeEvent }, 0, "", "SandboxUnsupported"},
		{"log tail", func(in *lambdasdk.InvokeInput) { in.LogType = lambdatypes.LogTypeTail }, 0, "", "SandboxUnsupported"},
		{"client context", func(in *lambdasdk.InvokeInput) { in.ClientContext = aws.String("e30=") }, 0, "", "SandboxUnsupported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := ok
			tt.change(&in)
			out, err := client.Invoke(t.Context(), &in)
			if got := code(t, err); got != tt.want {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if tt.want != "" {
				return
			}
			if out.StatusCode != tt.status || string(out.Payload) != tt.answer || (aws.ToString(out.FunctionError) == "Unhandled") != (tt.name == "function error") {
				t.Errorf("got %d %s %q", out.StatusCode, out.Payload, aws.ToString(out.FunctionError))
			}
		})
	}
	if _, err := client.ListFunctions(t.Context(), nil); code(t, err) != "SandboxUnsupported" {
		t.Errorf("got %v", err)
	}
	_, err := client.Invoke(t.Context(), &lambdasdk.InvokeInput{FunctionName: aws.String("other")})
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || response.HTTPStatusCode() != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
}
