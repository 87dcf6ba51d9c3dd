package sandbox

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"poolferry/internal/sandbox/lambda"
	quotas "poolferry/internal/sandbox/servicequotas"
)

// What a function is, and who may invoke it: each alias has a policy of its own.
func TestFunctionsAreDescribedWithTheSDK(t *testing.T) {
	r := run(t, Options{})
	const pool = "arn:aws:cognito-idp:eu-central-1:" + target + ":userpool/eu-central-1_a"
	arn, err := r.Lambda.Add(lambda.Function{
		Account: target, Region: targetRegion, Name: "trigger", Aliases: []string{"live"}, Runner: lambda.InProcess(func(context.Context, string) (string, error) { return "", nil }), Environment: map[string]string{"A": "b"},
		Permissions: []lambda.Permission{{Service: "cognito-idp.amazonaws.com", SourceARN: pool, SourceAccount: target, Alias: "live"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	operator := r.user(t, target, "ops", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["lambda:GetPolicy","lambda:GetFunctionConfiguration"],"Resource":"*"}}`))
	client := lambdasdk.NewFromConfig(r.client(operator, targetRegion))

	configuration, err := client.GetFunctionConfiguration(t.Context(), &lambdasdk.GetFunctionConfigurationInput{FunctionName: &arn, Qualifier: aws.String("live")})
	if err != nil || configuration.Environment.Variables["A"] != "b" || aws.ToInt32(configuration.Timeout) != 3 {
		t.Errorf("configuration %+v, %v", configuration, err)
	}
	_, err = client.GetFunctionConfiguration(t.Context(), &lambdasdk.GetFunctionConfigurationInput{FunctionName: &arn, Qualifier: aws.String("dev")})
	if got := code(t, err); got != "ResourceNotFoundException" {
		t.Errorf("of an alias that there is not: %v", err)
	}
	policy, err := client.GetPolicy(t.Context(), &lambdasdk.GetPolicyInput{FunctionName: &arn, Qualifier: aws.String("live")})
	if err != nil || !json.Valid([]byte(aws.ToString(policy.Policy))) || !strings.Contains(*policy.Policy, pool) || !strings.Contains(*policy.Policy, arn+":live") {
		t.Errorf("policy %+v, %v", policy, err)
	}
	_, err = client.GetPolicy(t.Context(), &lambdasdk.GetPolicyInput{FunctionName: &arn})
	if got := code(t, err); got != "ResourceNotFoundException" {
		t.Errorf("policy without the alias: %v", err)
	}
	stranger := lambdasdk.NewFromConfig(r.client(r.user(t, target, "stranger", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"*"}}`)), targetRegion))
	if _, err = stranger.GetPolicy(t.Context(), &lambdasdk.GetPolicyInput{FunctionName: &arn}); code(t, err) != "AccessDeniedException" {
		t.Errorf("a stranger: %v", err)
	}
	if err := r.Lambda.Replace(arn, func(f *lambda.Function) { f.Environment, f.Name = map[string]string{"A": "c"}, "other" }); err != nil {
		t.Fatal(err)
	}
	configuration, err = client.GetFunctionConfiguration(t.Context(), &lambdasdk.GetFunctionConfigurationInput{FunctionName: &arn})
	if err != nil || configuration.Environment.Variables["A"] != "c" || aws.ToString(configuration.FunctionName) != "trigger" {
		t.Errorf("replaced: %+v, %v", configuration, err)
	}
	if r.Lambda.Replace(arn+"x", func(*lambda.Function) {}) == nil {
		t.Error("a function that there is not was replaced")
	}
	if r.Lambda.Replace(arn, func(f *lambda.Function) { f.Runner = nil }) == nil {
		t.Error("a function without a runner")
	}
}

func TestQuotasWithTheSDK(t *testing.T) {
	service := quotas.New()
	r := build(t, Options{})
	if err := r.Register(service); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.endpoint, err = r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	operator := r.user(t, target, "ops", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"servicequotas:ListServiceQuotas","Resource":"*"}}`))
	client := servicequotas.NewFromConfig(r.client(operator, targetRegion))
	value := func(of string) float64 {
		out, err := client.ListServiceQuotas(t.Context(), &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String("cognito-idp")})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range out.Quotas {
			if aws.ToString(q.QuotaName) == "Rate of "+of+" requests" {
				return aws.ToFloat64(q.Value)
			}
		}
		return 0
	}
	if got := value("UserList"); got != 30 {
		t.Errorf("UserList %v", got)
	}
	service.Set(source, targetRegion, "UserList", 5)
	service.Set(target, targetRegion, "UserRead", 500)
	if list, read := value("UserList"), value("UserRead"); list != 30 || read != 500 {
		t.Errorf("UserList %v, UserRead %v", list, read)
	}
	for _, in := range []*servicequotas.ListServiceQuotasInput{{ServiceCode: aws.String("s3")}, {ServiceCode: aws.String("cognito-idp"), MaxResults: aws.Int32(1)}} {
		if _, err := client.ListServiceQuotas(t.Context(), in); code(t, err) != "SandboxUnsupported" {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := client.GetServiceQuota(t.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("cognito-idp"), QuotaCode: aws.String("L-1")}); code(t, err) != "SandboxUnsupported" {
		t.Errorf("GetServiceQuota: %v", err)
	}
	stranger := servicequotas.NewFromConfig(r.client(r.user(t, target, "stranger", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)), targetRegion))
	if _, err := stranger.ListServiceQuotas(t.Context(), &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String("cognito-idp")}); code(t, err) != "AccessDeniedException" {
		t.Errorf("a stranger: %v", err)
	}
}
