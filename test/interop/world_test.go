package interop_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"poolferry/internal/config"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/lambda"
	"poolferry/tools/rehearsal"
)

// functionName is the name of the function under test; the rehearsal has one of
// its own besides, which knows nothing of cognito-local.
const functionName = "migrate-user-interop"

// newWorld is the sandbox: two accounts, their roles and pools, and one person
// of every kind in the source pool.
func newWorld(t *testing.T, shape crowd.Shape, users int) *rehearsal.World {
	t.Helper()
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Users: users, Seed: 1, Shape: shape, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

var scope = regexp.MustCompile(`Credential=[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request`)

// front returns the endpoint of all of AWS: the sandbox, but for the user pools
// of one region, which are those of cognito-local.
func front(t *testing.T, w *rehearsal.World, l *local, region string) string {
	t.Helper()
	to, err := url.Parse(l.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil && m[1] == region && m[2] == "cognito-idp" {
			proxy.ServeHTTP(rw, r)
			return
		}
		w.Sandbox.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// function is the built migrate-user behind the sandbox's Lambda, watched.
type function struct {
	*lambda.Binary
	arn string
	log *syncBuffer

	mu     sync.Mutex
	calls  []call
	canned map[string]string // typed name → response, in place of the function's
}

// call is one invocation.
type call struct {
	name     string // as typed
	event    map[string]any
	response string // JSON; empty where the function failed
	failed   *lambda.FunctionError
}

// addFunction builds migrate-user and adds it to the target account's Lambda
// under functionName. endpoint is where it finds AWS.
func addFunction(t *testing.T, w *rehearsal.World, c config.Config, clientSecret, endpoint string) *function {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", path, "poolferry/lambdas/migrate-user").CombinedOutput(); err != nil {
		t.Fatalf("build migrate-user: %v\n%s", err, out)
	}
	document, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	f := &function{log: &syncBuffer{}, canned: map[string]string{}}
	f.Binary = lambda.NewBinary(path, []string{
		config.EnvName + "=" + string(document), "AWS_ENDPOINT_URL=" + endpoint,
		"POOLFERRY_CLIENT_SECRET=" + clientSecret, "POOLFERRY_NAME_KEY=" + w.Secrets.NameKey.Reveal(),
	}, f.log)
	f.arn, err = w.Sandbox.Lambda.Add(lambda.Function{
		Account: w.Target.Account, Region: w.Target.Region, Name: functionName, Timeout: 5 * time.Second, Runner: f,
		RoleARN:     "arn:aws:iam::" + w.Target.Account + ":role/poolferry-migrate-user",
		Permissions: []lambda.Permission{{Service: "cognito-idp.amazonaws.com", SourceAccount: w.Target.Account}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s logged:\n%s", functionName, f.log.Bytes())
		}
	})
	return f
}

// Invoke implements lambda.Runner.
func (f *function) Invoke(ctx context.Context, in lambda.Invocation) ([]byte, error) {
	var c call
	_ = json.Unmarshal(in.Payload, &c.event)
	c.name, _ = c.event["userName"].(string)
	f.mu.Lock()
	canned, isCanned := f.canned[c.name]
	f.mu.Unlock()
	var out []byte
	var err error
	if isCanned {
		c.event["response"] = json.RawMessage(canned)
		out, err = json.Marshal(c.event)
	} else {
		out, err = f.Binary.Invoke(ctx, in)
	}
	c.failed, _ = errors.AsType[*lambda.FunctionError](err)
	var answer struct{ Response json.RawMessage }
	if err == nil && json.Unmarshal(out, &answer) == nil {
		c.response = string(answer.Response)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	return out, err
}

// takeCalls returns the invocations since it was last asked.
func (f *function) takeCalls() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// answer makes the function answer a name with a response of ours.
func (f *function) answer(name, response string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.canned[name] = response
}

// code is the AWS error code of err, "" for none.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
