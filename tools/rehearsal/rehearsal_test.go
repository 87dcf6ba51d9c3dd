package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/crowd"
	"poolferry/tools/rehearsal"
)

// log is a writer for concurrent use.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func open(t *testing.T, o rehearsal.Options) *rehearsal.World {
	t.Helper()
	o.Now = time.Now
	w, err := rehearsal.New(t.Context(), o)
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

func TestOneUserMoves(t *testing.T) {
	var functionLog, requestLog log
	var mu sync.Mutex
	var operations []string
	w := open(t, rehearsal.Options{
		Users: len(crowd.Kinds()), Seed: 4, FunctionLog: &functionLog, RequestLog: &requestLog,
		Tap: func(operation string, body []byte) {
			mu.Lock()
			defer mu.Unlock()
			if len(body) > 0 {
				operations = append(operations, operation)
			}
		},
	})
	signIn(t, w)
	if source, target := w.Count(); source != len(crowd.Kinds()) || target != 1 {
		t.Errorf("%d and %d users, want %d and 1", source, target, len(crowd.Kinds()))
	}
	if n := w.SourceSignIns(); n != 1 {
		t.Errorf("the source was asked %d times, want once", n)
	}
	if !strings.Contains(functionLog.String(), `"outcome":"Migrated"`) {
		t.Errorf("no audit line: %s", functionLog.String())
	}
	if !strings.Contains(requestLog.String(), `"operation":"AdminInitiateAuth"`) {
		t.Errorf("no request log: %s", requestLog.String())
	}
	for _, want := range []string{"InitiateAuth", "AdminInitiateAuth"} {
		if !slices.Contains(operations, want) {
			t.Errorf("the tap saw %v, not %s", operations, want)
		}
	}
	files, err := w.Dump()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(files["users-source.jsonl"], []byte("\n")); n != len(crowd.Kinds()) {
		t.Errorf("dump of the source has %d users", n)
	}
}

// signIn signs the first person, a plain one, in at the target.
func signIn(t *testing.T, w *rehearsal.World) {
	t.Helper()
	app, err := w.App(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ada := w.People[0]
	s, err := app.SignIn(t.Context(), ada.Name, ada.Password, nil)
	if err != nil || !s.Done {
		t.Fatalf("sign-in of %s %d: done %v, %v", ada.Kind, ada.Index, s.Done, err)
	}
}

// TestBinary runs the function that is deployed.
func TestBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", binary, "poolferry/lambdas/migrate-user")
	build.Env = append(build.Environ(), "GOOS="+runtime.GOOS, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var functionLog log
	w := open(t, rehearsal.Options{Users: 1, Binaries: map[string]string{"migrate-user": binary}, FunctionLog: &functionLog})
	signIn(t, w)
	if _, target := w.Count(); target != 1 {
		t.Errorf("%d users at the target, want 1", target)
	}
}

// TestBriefIsEnough uses nothing but what poolferry sandbox --json prints, as
// the AWS CLI would.
func TestBriefIsEnough(t *testing.T) {
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		t.Run(string(shape), func(t *testing.T) {
			w := open(t, rehearsal.Options{Users: 70, Seed: 2, Shape: shape, Quotas: true})
			data, err := json.Marshal(w.Brief(""))
			if err != nil {
				t.Fatal(err)
			}
			var b rehearsal.Brief
			if err := json.Unmarshal(data, &b); err != nil {
				t.Fatal(err)
			}
			source := cip.New(cip.Options{
				Region: b.Source.Region, BaseEndpoint: &b.Endpoint,
				Credentials: credentials.NewStaticCredentialsProvider(b.Source.AccessKeyID, b.Source.SecretAccessKey, ""),
			})
			var subs []string
			pages := cip.NewListUsersPaginator(source, &cip.ListUsersInput{UserPoolId: &b.Source.PoolID})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range page.Users {
					subs = append(subs, attribute(u.Attributes, "sub"))
				}
			}
			slices.Sort(subs)
			if n := len(slices.Compact(subs)); n != 70 {
				t.Errorf("%d users listed, want 70", n)
			}
			target := cip.New(cip.Options{Region: b.Target.Region, BaseEndpoint: &b.Endpoint})
			in := &cip.InitiateAuthInput{
				AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: &b.Target.ClientID,
				AuthParameters: map[string]string{"USERNAME": b.Sample.Name, "PASSWORD": b.Sample.Password},
			}
			out, err := target.InitiateAuth(t.Context(), in)
			if err != nil || out.AuthenticationResult == nil {
				t.Fatalf("sample sign-in: %v", err)
			}
		})
	}
}

func attribute(attributes []types.AttributeType, name string) string {
	for _, a := range attributes {
		if aws.ToString(a.Name) == name {
			return aws.ToString(a.Value)
		}
	}
	return ""
}

func TestSameSeedSameWorld(t *testing.T) {
	a, b := open(t, rehearsal.Options{Users: 3, Seed: 6}), open(t, rehearsal.Options{Users: 3, Seed: 6})
	if diff := cmp.Diff(string(a.YAML), string(b.YAML)); diff != "" {
		t.Errorf("poolferry.yaml differs:\n%s", diff)
	}
	if other := open(t, rehearsal.Options{Users: 3, Seed: 7}); string(other.YAML) == string(a.YAML) {
		t.Error("another seed makes the same world")
	}
}

func TestRefuses(t *testing.T) {
	for _, tt := range []struct {
		options rehearsal.Options
		want    string
	}{
		{rehearsal.Options{Faults: "source.ListUsers"}, `fault "source.ListUsers"`},
		{rehearsal.Options{Faults: "source.Nothing=error:1%"}, `fault target "source.Nothing"`},
		{rehearsal.Options{Addr: "0.0.0.0:0"}, "loopback"},
		{rehearsal.Options{Addr: "nonsense"}, "HOST:PORT"},
	} {
		tt.options.Now = time.Now
		w, err := rehearsal.New(t.Context(), tt.options)
		if err == nil {
			_ = w.Close()
			t.Errorf("%+v: accepted", tt.options)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %q, want one with %q", err, tt.want)
		}
	}
}
