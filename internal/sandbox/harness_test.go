package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/wire"
)

const (
	source       = "111122223333"
	target       = "444455556666"
	sourceRegion = "eu-west-1"
	targetRegion = "eu-central-1"
)

// everything is an identity policy without limits.
var everything = []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)

// fake is a service with one signed and one public operation, which answers
// with what the sandbox found out about the call.
type fake struct {
	name  string
	quota float64
	block chan struct{} // where not nil, calls send to it and then wait for its end
	mu    sync.Mutex
	calls []*wire.Call
}

func (f *fake) Name() string                   { return f.name }
func (f *fake) Protocol() wire.Protocol        { return wire.JSON11 }
func (f *fake) Operations() []string           { return []string{"ListUsers", "InitiateAuth"} }
func (f *fake) Quota(string) (string, float64) { return "UserList", f.quota }
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "page "+r.URL.Path)
}

func (f *fake) Operation(r *http.Request, _ []byte) (string, error) {
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), cognitoTarget)
	if name != "ListUsers" && name != "InitiateAuth" {
		return "", wire.Unsupported("operation", name)
	}
	return name, nil
}

func (f *fake) Home(operation string, body []byte) (account, region string, ok bool) {
	if operation != "InitiateAuth" {
		return "", "", false
	}
	if bytes.Contains(body, []byte("target-client")) {
		return target, targetRegion, true
	}
	return "", "", true
}

func (f *fake) Serve(ctx context.Context, call *wire.Call) (*wire.Reply, error) {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	if f.block != nil {
		f.block <- struct{}{}
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if bytes.Contains(call.Body, []byte("bug")) {
		return nil, errors.New("a bug of the sandbox")
	}
	if call.Operation == "ListUsers" {
		if err := call.Authorize("cognito-idp:ListUsers", "arn:aws:cognito-idp:"+call.Region+":"+source+":userpool/p"); err != nil {
			return nil, err
		}
	}
	return wire.JSONReply(map[string]string{"PaginationToken": call.Account + " " + call.Region + " " + call.Caller.ARN})
}

func (f *fake) last(t *testing.T) *wire.Call {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		t.Fatal("the service was not called")
	}
	return f.calls[len(f.calls)-1]
}

// running is a started sandbox with the fake as Cognito and accounts "source"
// and "target".
type running struct {
	*Sandbox
	cognito  *fake
	endpoint string
	log      *syncBuffer
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// build makes a sandbox that is not started.
func build(t *testing.T, o Options) *running {
	t.Helper()
	r := &running{cognito: &fake{name: "cognito-idp"}, log: &syncBuffer{}}
	o.Log = slog.New(slog.NewJSONHandler(r.log, nil))
	r.Sandbox = New(o)
	if err := r.Register(r.cognito); err != nil {
		t.Fatal(err)
	}
	for label, id := range map[string]string{"source": source, "target": target} {
		if err := r.AddAccount(label, id); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func run(t *testing.T, o Options) *running {
	t.Helper()
	r := build(t, o)
	var err error
	if r.endpoint, err = r.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *running) user(t *testing.T, account, name string, policies ...[]byte) iam.Credentials {
	t.Helper()
	c, err := r.IAM.AddUser(account, name, policies...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// client is the configuration of SDK clients that sign with c, do not retry
// and wait for nothing.
func (r *running) client(c iam.Credentials, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(r.endpoint), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()),
	}
}

// request is a Cognito call as any client would send it, unsigned.
func (r *running) request(t *testing.T, operation, body string) *http.Request {
	t.Helper()
	endpoint := r.endpoint
	if endpoint == "" {
		endpoint = "http://127.0.0.1:1"
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-amz-json-1.1")
	q.Header.Set("X-Amz-Target", cognitoTarget+operation)
	return q
}

// sign signs a request with the SDK's signer.
func sign(t *testing.T, q *http.Request, c iam.Credentials, service, region string, at time.Time) *http.Request {
	t.Helper()
	body, err := q.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal()}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, q, hash(data), service, region, at); err != nil {
		t.Fatal(err)
	}
	return q
}

func send(t *testing.T, q *http.Request) (status int, header http.Header, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

// code is the API error code that an SDK client sees, empty without error.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	failure, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("no API error: %v", err)
	}
	return failure.ErrorCode()
}
