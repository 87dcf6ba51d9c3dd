package cognitoidp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/logs"
)

// TestImportInASandbox goes all the way as an operator does: signed calls, a file
// that is put with nothing but the URL, a role of IAM, and a log stream that is
// read from CloudWatch Logs.
func TestImportInASandbox(t *testing.T) {
	front := sandbox.New(sandbox.Options{})
	var endpoint string
	journals := logs.New(time.Now)
	pools := cognitoidp.New(cognitoidp.Options{
		Endpoint: func() string { return endpoint }, ImportPace: cognitoidp.ImportPace{Pending: 1, RowsPerSecond: 1e9},
		ImportLog: func(d cognitoidp.Destination) (func([]string) error, error) {
			return journals.Open(front.IAM, logs.Delivery{Service: "cognito-idp.amazonaws.com", SourceARN: d.PoolARN, RoleARN: d.RoleARN,
				Account: d.Account, Region: d.Region, Group: d.Group, Stream: d.Stream})
		},
	})
	for _, err := range []error{front.Register(pools), front.Register(journals)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	endpoint = must(front.Start("127.0.0.1:0"))(t)
	t.Cleanup(func() { _ = front.Close() })
	p := must(pools.CreatePool(acct, region, cognitoidp.PoolSpec{Name: "people", Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}}))(t)
	arn := must(pools.ARN(p))(t)

	// The policies are those of the Developer Guide.
	roles := map[string]string{}
	for name, principal := range map[string]string{"import": "cognito-idp.amazonaws.com", "other": "lambda.amazonaws.com"} {
		roles[name] = must(front.IAM.AddRole(acct, name,
			fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}]}`, principal),
			fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:DescribeLogStreams","logs:PutLogEvents"],"Resource":["arn:aws:logs:%s:%s:log-group:/aws/cognito/*"]}]}`, region, acct)))(t)
	}
	operator := must(front.IAM.AddUser(acct, "ops",
		fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cognito-idp:GetCSVHeader","cognito-idp:*UserImportJob"],"Resource":%q},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::%s:role/*"},
			{"Effect":"Allow","Action":"logs:GetLogEvents","Resource":"arn:aws:logs:%s:%s:log-group:/aws/cognito/userpools/%s/people:log-stream:*"}]}`, arn, acct, region, acct, p)))(t)
	keys := credentials.NewStaticCredentialsProvider(operator.AccessKeyID, operator.SecretAccessKey.Reveal(), "")
	api := cip.New(cip.Options{Region: region, BaseEndpoint: &endpoint, Credentials: keys, RetryMaxAttempts: 1})
	reader := cloudwatchlogs.New(cloudwatchlogs.Options{Region: region, BaseEndpoint: &endpoint, Credentials: keys, RetryMaxAttempts: 1})

	header := must(api.GetCSVHeader(ctx, &cip.GetCSVHeaderInput{UserPoolId: &p}))(t).CSVHeader
	values := map[string]string{"cognito:username": "ada", "cognito:mfa_enabled": "false", "email": "ada@b.example", "email_verified": "true"}
	var row []string
	for _, column := range header {
		row = append(row, values[column])
	}
	run := func(role string) *cip.DescribeUserImportJobOutput {
		t.Helper()
		job := must(api.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &p, JobName: new("tail"), CloudWatchLogsRoleArn: &role}))(t).UserImportJob
		q := must(http.NewRequestWithContext(t.Context(), http.MethodPut, *job.PreSignedUrl, strings.NewReader(strings.Join(header, ",")+"\n"+strings.Join(row, ",")+"\n")))(t)
		q.Header.Set("x-amz-server-side-encryption", "aws:kms")
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK || r.Header.Get("x-amz-server-side-encryption") != "aws:kms" {
			t.Fatalf("upload: %s", r.Status)
		}
		_ = must(api.StartUserImportJob(ctx, &cip.StartUserImportJobInput{UserPoolId: &p, JobId: job.JobId}))(t)
		pools.WaitImports()
		return must(api.DescribeUserImportJob(ctx, &cip.DescribeUserImportJobInput{UserPoolId: &p, JobId: job.JobId}))(t)
	}
	if got := run(roles["other"]).UserImportJob; got.Status != "Failed" || got.ImportedUsers != 0 {
		t.Errorf("with a role that does not trust Cognito: %+v", got)
	}
	done := run(roles["import"]).UserImportJob
	if done.Status != "Succeeded" || done.ImportedUsers != 1 {
		t.Errorf("job %+v: %s", done, aws.ToString(done.CompletionMessage))
	}
	out := must(reader.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: new("/aws/cognito/userpools/" + p + "/people"),
		LogStreamName: new(*done.JobId + "/tail"), StartFromHead: new(true)}))(t)
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, *e.Message)
	}
	if diff := cmp.Diff([]string{"[SUCCEEDED] Line Number 1 - The import succeeded."}, lines); diff != "" {
		t.Error(diff)
	}
}
