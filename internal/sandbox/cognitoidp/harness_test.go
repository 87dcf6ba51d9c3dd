package cognitoidp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const (
	acct   = "222222222222"
	region = "eu-central-1"
)

// world is a service behind HTTP, as the real SDK client sees it.
type world struct {
	*cognitoidp.Service
	t      *testing.T
	api    *cip.Client
	server *httptest.Server
	clock  *clock
	lambda *functions
	denied map[string]bool // actions that the caller may not do
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// functions are Lambda functions by ARN.
type functions struct {
	mu    sync.Mutex
	calls []string // payloads
	f     map[string]func(ctx context.Context, event map[string]any) (any, error)
}

func (f *functions) Invoke(ctx context.Context, _, arn string, payload []byte) ([]byte, error) {
	f.mu.Lock()
	h := f.f[arn]
	f.calls = append(f.calls, string(payload))
	f.mu.Unlock()
	if h == nil {
		return nil, errors.New("no such function")
	}
	var event map[string]any
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	out, err := h(ctx, event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

func (f *functions) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.calls) }

// functionError is what a function reported.
type functionError struct{ kind, text string }

func (e *functionError) Error() string        { return e.kind + ": " + e.text }
func (e *functionError) ErrorType() string    { return e.kind }
func (e *functionError) ErrorMessage() string { return e.text }

func newWorld(t *testing.T, change ...func(*cognitoidp.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{t: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}, denied: map[string]bool{},
		lambda: &functions{f: map[string]func(context.Context, map[string]any) (any, error){}}}
	o := cognitoidp.Options{Now: w.clock.now, Lambda: w.lambda, Seed: 1, Endpoint: func() string { return w.server.URL }}
	for _, f := range change {
		f(&o)
	}
	w.Service = cognitoidp.New(o)
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	t.Cleanup(func() { _ = w.Close() })
	w.api = cip.New(cip.Options{Region: region, BaseEndpoint: aws.String(w.server.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
	return w
}

// serve turns a request into a wire.Call, without checking its signature.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/.well-known/") || w.Uploads(r) {
		w.ServeHTTP(rw, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	op, err := w.Operation(r, body)
	call := &wire.Call{Operation: op, Body: body, Header: r.Header, RequestID: "r-1", Authorize: func(action, resource string) error {
		if w.denied[action] {
			return wire.Errorf(http.StatusBadRequest, "AccessDeniedException", "not authorized to perform: %s on resource: %s", action, resource)
		}
		return nil
	}}
	var reply *wire.Reply
	if err == nil {
		if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 3 {
			call.Account, call.Region = acct, scope[2]
			call.Caller = wire.Caller{Account: acct, ARN: "arn:aws:iam::" + acct + ":user/test"}
		} else if account, at, ok := w.Home(op, body); ok {
			call.Account, call.Region = account, at
		} else {
			err = wire.Errorf(http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
		}
	}
	if err == nil {
		reply, err = w.Serve(r.Context(), call)
	}
	if err != nil {
		wire.WriteError(rw, w.Protocol(), call.RequestID, wire.AsError(err))
		return
	}
	wire.WriteReply(rw, w.Protocol(), call.RequestID, reply)
}

// pool makes a pool whose MFA is off and whose triggers are none.
func (w *world) pool(spec cognitoidp.PoolSpec) string {
	w.t.Helper()
	if spec.Name == "" {
		spec.Name = "pool"
	}
	return must(w.CreatePool(acct, region, spec))(w.t)
}

// client makes a public app client with the password flows.
func (w *world) client(poolID string, change ...func(*cognitoidp.ClientSpec)) cognitoidp.Client {
	w.t.Helper()
	spec := cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: "app", ExplicitAuthFlows: []string{
		"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}}}
	for _, f := range change {
		f(&spec)
	}
	return must(w.CreateClient(poolID, spec))(w.t)
}

func hiding(s *cognitoidp.ClientSpec) { s.Settings.PreventUserExistenceErrors = "ENABLED" }

func (w *world) user(poolID string, spec cognitoidp.UserSpec) userpool.Sub {
	w.t.Helper()
	return must(w.PutUser(poolID, spec))(w.t)
}

// signIn is InitiateAuth with a password.
func (w *world) signIn(clientID, name, password string) (*cip.InitiateAuthOutput, error) {
	return w.api.InitiateAuth(context.Background(), &cip.InitiateAuthInput{ClientId: &clientID,
		AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password}})
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// code is an API error as "Code: message".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return fmt.Sprint(err)
}

// wants fails unless err is an API error that starts with want.
func wants(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err == nil {
		return
	}
	if got := code(err); err == nil || want == "" || !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func secret(text string) userpool.Secret { return userpool.NewSecret(text) }
