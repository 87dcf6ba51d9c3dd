package logs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/logs"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
	group   = "/aws/cognito/userpools/p/people"
	pool    = "arn:aws:cognito-idp:" + region + ":" + account + ":userpool/p"
	service = "cognito-idp.amazonaws.com"
	writes  = `"logs:CreateLogGroup","logs:CreateLogStream","logs:DescribeLogStreams","logs:PutLogEvents"`
)

// world is a sandbox with Logs and a role that may write to the group.
type world struct {
	*sandbox.Sandbox
	t        *testing.T
	logs     *logs.Service
	endpoint string
	role     string

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Second)
	return w.now
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, Sandbox: sandbox.New(sandbox.Options{}), now: time.Unix(1_700_000_000, 0)}
	w.logs = logs.New(w.clock)
	w.must(w.Register(w.logs))
	w.role = w.addRole("writer", service, writes, "*")
	var err error
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

func (w *world) addRole(name, trusts, actions, condition string) string {
	w.t.Helper()
	arn, err := w.IAM.AddRole(account, name,
		fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":%q}}}}`, trusts, strings.Replace(condition, "*", "arn:aws:cognito-idp:*:*:userpool/*", 1)),
		fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[%s],"Resource":"arn:aws:logs:%s:%s:log-group:/aws/cognito/*"}}`, actions, region, account))
	w.must(err)
	return arn
}

func (w *world) delivery(stream string) logs.Delivery {
	return logs.Delivery{Service: service, SourceARN: pool, RoleARN: w.role, Account: account, Region: region, Group: group, Stream: stream}
}

// write opens a stream and writes messages to it.
func (w *world) write(stream string, messages ...string) {
	w.t.Helper()
	write, err := w.logs.Open(w.IAM, w.delivery(stream))
	w.must(err)
	w.must(write(messages))
}

// reader is the client of a new user who may do an action.
func (w *world) reader(name, action, resource string) *sdk.Client {
	w.t.Helper()
	c, err := w.IAM.AddUser(account, name, fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, action, resource))
	w.must(err)
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(w.endpoint), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())})
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func messages(events []types.OutputLogEvent) (out []string) {
	for _, e := range events {
		out = append(out, *e.Message)
	}
	return out
}

func TestGetLogEvents(t *testing.T) {
	w := start(t)
	all := []string{"one", "two", "three", "four", "five"}
	w.write("job/name", all...)
	c := w.reader("ops", "logs:*", "*")
	in := &sdk.GetLogEventsInput{LogGroupName: new(group), LogStreamName: new("job/name"), Limit: new(int32(2)), StartFromHead: new(true)}
	var got []string
	for {
		out, err := c.GetLogEvents(t.Context(), in)
		w.must(err)
		got = append(got, messages(out.Events)...)
		if in.NextToken != nil && *out.NextForwardToken == *in.NextToken {
			break
		}
		in.NextToken = out.NextForwardToken
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("forward: %s", diff)
	}
	w.write("job/name", "six")
	out, err := c.GetLogEvents(t.Context(), in)
	w.must(err)
	if diff := cmp.Diff([]string{"six"}, messages(out.Events)); diff != "" {
		t.Errorf("what came later: %s", diff)
	}
	in.NextToken, in.StartFromHead = nil, nil
	out, err = c.GetLogEvents(t.Context(), in)
	w.must(err)
	if diff := cmp.Diff([]string{"five", "six"}, messages(out.Events)); diff != "" {
		t.Errorf("the last ones: %s", diff)
	}
	in.NextToken = out.NextBackwardToken
	out, err = c.GetLogEvents(t.Context(), in)
	w.must(err)
	if diff := cmp.Diff([]string{"three", "four"}, messages(out.Events)); diff != "" {
		t.Errorf("backward: %s", diff)
	}
	at := *out.Events[0].Timestamp
	out, err = c.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: new(group), LogStreamName: new("job/name"), StartTime: new(at + 1), StartFromHead: new(true)})
	w.must(err)
	if diff := cmp.Diff([]string{"six"}, messages(out.Events)); diff != "" {
		t.Errorf("after a time: %s", diff)
	}
	w.write("long", strings.Repeat("x", 900_000), strings.Repeat("y", 900_000))
	out, err = c.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: new(group), LogStreamName: new("long"), StartFromHead: new(true)})
	w.must(err)
	if len(out.Events) != 1 {
		t.Errorf("%d events in one answer of at most 1 MB", len(out.Events))
	}
}

func TestDescribeLogStreams(t *testing.T) {
	w := start(t)
	for _, name := range []string{"b", "a", "c", "ab"} {
		w.write(name, "x")
	}
	c := w.reader("ops", "logs:DescribeLogStreams", "arn:aws:logs:"+region+":"+account+":log-group:"+group+":*")
	for _, tt := range []struct {
		name string
		in   sdk.DescribeLogStreamsInput
		want []string
	}{
		{"by name", sdk.DescribeLogStreamsInput{}, []string{"a", "ab", "b", "c"}},
		{"with a prefix", sdk.DescribeLogStreamsInput{LogStreamNamePrefix: new("a")}, []string{"a", "ab"}},
		{"the last first", sdk.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Descending: new(true)}, []string{"ab", "c", "a", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.LogGroupName, tt.in.Limit = new(group), new(int32(3))
			var got []string
			for pages := sdk.NewDescribeLogStreamsPaginator(c, &tt.in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				w.must(err)
				for _, s := range page.LogStreams {
					got = append(got, *s.LogStreamName)
					if s.FirstEventTimestamp == nil || s.CreationTime == nil || !strings.HasSuffix(*s.Arn, ":log-stream:"+*s.LogStreamName) {
						t.Errorf("stream %+v", s)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFilterLogEvents(t *testing.T) {
	w := start(t)
	w.write("a", "[FAILED] Line Number 1 - no", "[SUCCEEDED] Line Number 2 - yes")
	w.write("b", "[FAILED] Line Number 7 - never")
	c := w.reader("ops", "logs:FilterLogEvents", "*")
	for _, tt := range []struct {
		name string
		in   sdk.FilterLogEventsInput
		want []string // streams
	}{
		{"everything", sdk.FilterLogEventsInput{}, []string{"a", "a", "b"}},
		{"terms", sdk.FilterLogEventsInput{FilterPattern: new(`"[FAILED]" Number`)}, []string{"a", "b"}},
		{"stream", sdk.FilterLogEventsInput{LogStreamNames: []string{"a"}, FilterPattern: new("SUCCEEDED")}, []string{"a"}},
		{"prefix", sdk.FilterLogEventsInput{LogStreamNamePrefix: new("b")}, []string{"b"}},
		{"before", sdk.FilterLogEventsInput{EndTime: new(int64(0))}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.LogGroupName, tt.in.Limit = new(group), new(int32(1))
			var got []string
			for pages := sdk.NewFilterLogEventsPaginator(c, &tt.in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				w.must(err)
				for _, e := range page.Events {
					got = append(got, *e.LogStreamName)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	w := start(t)
	w.write("a", "x")
	c, nobody := w.reader("ops", "logs:*", "*"), w.reader("nobody", "logs:GetLogEvents", "arn:aws:logs:"+region+":"+account+":log-group:/other:*")
	get := func(c *sdk.Client, change func(*sdk.GetLogEventsInput)) error {
		in := &sdk.GetLogEventsInput{LogGroupName: new(group), LogStreamName: new("a")}
		change(in)
		_, err := c.GetLogEvents(t.Context(), in)
		return err
	}
	describe := func(change func(*sdk.DescribeLogStreamsInput)) error {
		in := &sdk.DescribeLogStreamsInput{LogGroupName: new(group)}
		change(in)
		_, err := c.DescribeLogStreams(t.Context(), in)
		return err
	}
	filter := func(change func(*sdk.FilterLogEventsInput)) error {
		in := &sdk.FilterLogEventsInput{LogGroupName: new(group)}
		change(in)
		_, err := c.FilterLogEvents(t.Context(), in)
		return err
	}
	_, put := c.PutLogEvents(t.Context(), &sdk.PutLogEventsInput{LogGroupName: new(group), LogStreamName: new("a"), LogEvents: []types.InputLogEvent{{Message: new("x"), Timestamp: new(int64(1))}}})
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"no right":      {get(nobody, func(*sdk.GetLogEventsInput) {}), "AccessDeniedException"},
		"no group":      {get(c, func(in *sdk.GetLogEventsInput) { in.LogGroupName = new("/none") }), "ResourceNotFoundException"},
		"no stream":     {get(c, func(in *sdk.GetLogEventsInput) { in.LogStreamName = new("none") }), "ResourceNotFoundException"},
		"token":         {get(c, func(in *sdk.GetLogEventsInput) { in.NextToken = new("x") }), "InvalidParameterException"},
		"token beyond":  {get(c, func(in *sdk.GetLogEventsInput) { in.NextToken = new("f/9/s") }), "InvalidParameterException"},
		"limit":         {get(c, func(in *sdk.GetLogEventsInput) { in.Limit = new(int32(10_001)) }), "InvalidParameterException"},
		"unmask":        {get(c, func(in *sdk.GetLogEventsInput) { in.Unmask = true }), "SandboxUnsupported"},
		"order":         {describe(func(in *sdk.DescribeLogStreamsInput) { in.OrderBy = "Size" }), "InvalidParameterException"},
		"order, prefix": {describe(func(in *sdk.DescribeLogStreamsInput) { in.OrderBy, in.LogStreamNamePrefix = "LastEventTime", new("a") }), "InvalidParameterException"},
		"streams":       {describe(func(in *sdk.DescribeLogStreamsInput) { in.NextToken = new("x") }), "InvalidParameterException"},
		"long name":     {describe(func(in *sdk.DescribeLogStreamsInput) { in.LogGroupName = new(strings.Repeat("x", 513)) }), "InvalidParameterException"},
		"pattern":       {filter(func(in *sdk.FilterLogEventsInput) { in.FilterPattern = new(`{ $.a = 1 }`) }), "SandboxUnsupported"},
		"open quote":    {filter(func(in *sdk.FilterLogEventsInput) { in.FilterPattern = new(`"a`) }), "SandboxUnsupported"},
		"names, prefix": {filter(func(in *sdk.FilterLogEventsInput) {
			in.LogStreamNames, in.LogStreamNamePrefix = []string{"a"}, new("a")
		}), "InvalidParameterException"},
		"unknown stream": {filter(func(in *sdk.FilterLogEventsInput) { in.LogStreamNames = []string{"z"} }), "ResourceNotFoundException"},
		"events":         {filter(func(in *sdk.FilterLogEventsInput) { in.NextToken = new("f/9/s") }), "InvalidParameterException"},
		"writing":        {put, "SandboxUnsupported"},
	} {
		if got := code(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %s", name, tt.err, tt.want)
		}
	}
}

func TestDeliveryNeedsItsRole(t *testing.T) {
	w := start(t)
	for name, role := range map[string]string{
		"nobody":          "arn:aws:iam::" + account + ":role/none",
		"another service": w.addRole("lambda", "lambda.amazonaws.com", writes, "*"),
		"another pool":    w.addRole("other-pool", service, writes, pool+"q"),
		"cannot write":    w.addRole("reads", service, `"logs:DescribeLogStreams"`, "*"),
		"cannot create":   w.addRole("puts", service, `"logs:PutLogEvents"`, "*"),
	} {
		d := w.delivery("x")
		d.RoleARN = role
		if _, err := w.logs.Open(w.IAM, d); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	d := w.delivery("x")
	d.Account = "111122223333"
	if _, err := w.logs.Open(w.IAM, d); err == nil {
		t.Error("a role of another account: opened")
	}
	d = w.delivery("x")
	d.Group = "/elsewhere"
	if _, err := w.logs.Open(w.IAM, d); err == nil {
		t.Error("a group that the role may not write to: opened")
	}
	write, err := w.logs.Open(w.IAM, w.delivery("x"))
	w.must(err)
	w.must(write([]string{"in time"}))
	w.must(w.IAM.SetPolicies(w.role))
	if err := write([]string{"too late"}); err == nil {
		t.Error("written without a right")
	}
	if got := w.logs.Messages(account, region, group, "x"); !slices.Equal(got, []string{"in time"}) || w.logs.Messages(account, region, group, "y") != nil {
		t.Errorf("stream: %q", got)
	}
}
