package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/userpool"
	"poolferry/tools/rehearsal"
)

// events is where the recorded events of the function are. They name the pool
// recordedPool and the people of people.
const (
	events       = "../../lambdas/migrate-user/testdata/"
	recordedPool = "eu-central-1_NewPool01"
)

// people are the users of the source pool that the recorded events name. The
// password of ann is not the one in answered.json.
var people = []cognitoidp.UserSpec{
	{
		Username: "ann", Sub: "5e1fa0c2-0000-4000-8000-000000000001", Password: userpool.NewSecret("Canary-recorded-1!"),
		Attributes: userpool.Attributes{"email": "ann@example.com", "email_verified": "true", "custom:field_01": "team"},
	},
	{
		Username: "bob", Sub: "5e1fa0c2-0000-4000-8000-000000000002", Password: userpool.NewSecret("Canary-recorded-2!"),
		Attributes: userpool.Attributes{"name": "Bob"},
	},
	{
		Username: "uni", Sub: "5e1fa0c2-0000-4000-8000-000000000003", Password: userpool.NewSecret("Canary-recorded-4!"),
		Attributes: userpool.Attributes{"email": "Ünïcode+tag@example.com", "email_verified": "true"},
	},
	{
		Username: "temp", Sub: "5e1fa0c2-0000-4000-8000-000000000004", Password: userpool.NewSecret("Canary-recorded-5!"),
		Status:     userpool.StatusForceChangePassword,
		Attributes: userpool.Attributes{"email": "temp@example.com", "email_verified": "true"},
	},
}

// built is migrate-user as it is deployed, but for this machine's processor.
func built(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("Lambda binaries are for Linux, this is %s", runtime.GOOS)
	}
	path := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", path, "poolferry/lambdas/migrate-user")
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build migrate-user: %v\n%s", err, out)
	}
	return path
}

// run is the function in one of the two ways, in a world of its own. Worlds of
// the same seed have the same pools and people.
type run struct {
	world *rehearsal.World
	arn   string
	log   *syncBuffer
}

func newRun(t *testing.T, binary, faults string) run {
	t.Helper()
	log := &syncBuffer{}
	world, err := rehearsal.New(t.Context(), rehearsal.Options{Seed: 1, Now: time.Now, Binaries: map[string]string{"migrate-user": binary}, Faults: faults, FunctionLog: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range people {
		if _, err := world.Cognito.PutUser(world.Source.PoolID, p); err != nil {
			t.Fatal(err)
		}
	}
	return run{world, world.Brief("").Function, log}
}

// invoke returns the answer, or the function's error.
func (r run) invoke(t *testing.T, event []byte) (map[string]any, *lambda.FunctionError) {
	t.Helper()
	out, err := r.world.Sandbox.Lambda.Invoke(t.Context(), r.arn, event)
	if failed, ok := errors.AsType[*lambda.FunctionError](err); ok {
		return nil, failed
	}
	if err != nil {
		t.Fatalf("the function could not be run: %v", err)
	}
	var answer map[string]any
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil {
		t.Fatalf("answer: %v", err)
	}
	return answer, nil
}

// edit replaces text of an event.
func edit(old, new string) func(string) string {
	return func(event string) string { return strings.ReplaceAll(event, old, new) }
}

func TestBinaryAnswersAsInProcess(t *testing.T) {
	t.Parallel()
	binary := built(t)
	const throttle, fail, noRole = "source.AdminInitiateAuth=throttle:100%", "source.AdminInitiateAuth=error:100%", "sts.AssumeRole=error:100%"
	tests := []struct {
		name, file, faults string
		edit               func(string) string
		response           map[string]any // nil: any that migrates; empty: refused
		errorType          string
	}{
		{name: "right password", file: "authentication.json", response: map[string]any{
			"userAttributes": map[string]any{
				"email": "ann@example.com", "email_verified": "true", "custom:plan": "team", "locale": "en-GB",
				"custom:legacy_sub": string(people[0].Sub), "username": "ann",
			},
			"finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS",
		}},
		{name: "members of tomorrow", file: "authentication-mfa-code.json", response: map[string]any{
			"userAttributes":  map[string]any{"name": "Bob", "locale": "en-GB", "custom:legacy_sub": string(people[1].Sub)},
			"finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS",
		}},
		{name: "forgotten password", file: "forgot-password.json", response: map[string]any{
			"userAttributes": map[string]any{
				"email": "Ünïcode+tag@example.com", "email_verified": "true", "locale": "en-GB",
				"custom:legacy_sub": string(people[2].Sub), "username": "uni",
			},
			"messageAction": "SUPPRESS",
		}},
		{name: "temporary password", file: "authentication.json", response: map[string]any{
			"userAttributes": map[string]any{
				"email": "temp@example.com", "email_verified": "true", "locale": "en-GB",
				"custom:legacy_sub": string(people[3].Sub), "username": "temp",
			},
			"messageAction": "SUPPRESS",
		}, edit: func(event string) string {
			return strings.NewReplacer("ann@example.com", "temp@example.com", "Canary-recorded-1!", "Canary-recorded-5!").Replace(event)
		}},
		{name: "wrong password, response filled before", file: "answered.json", response: map[string]any{}},
		{name: "unknown name", file: "authentication.json", edit: edit("ann@", "nobody@"), response: map[string]any{}},
		{name: "empty password", file: "authentication.json", edit: edit("Canary-recorded-1!", ""), response: map[string]any{}},
		{name: "password null", file: "authentication.json", edit: edit(`"Canary-recorded-1!"`, "null"), response: map[string]any{}},
		{name: "name of 100 KB", file: "authentication.json", edit: edit("ann@", strings.Repeat("a", 100<<10)+"@"), response: map[string]any{}},
		{name: "password of 100 KB", file: "authentication.json", edit: edit("Canary-recorded-1!", strings.Repeat("x", 100<<10)), response: map[string]any{}},

		{name: "another pool", file: "authentication.json", edit: edit("eu-central-1_", "eu-central-1_x"), errorType: "Invalid"},
		{name: "another trigger", file: "authentication.json", edit: edit("UserMigration_Authentication", "PreSignUp_SignUp"), errorType: "Invalid"},
		{name: "name that is no text", file: "authentication.json", edit: edit(`"ann@example.com"`, "5"), errorType: "Invalid"},
		{name: "invalid UTF-8", file: "authentication.json", edit: edit("Canary-recorded-1!", "\xff\xfe"), errorType: "Invalid"},
		{name: "null", file: "authentication.json", edit: func(string) string { return "null" }, errorType: "Invalid"},
		{name: "source throttles", file: "authentication.json", faults: throttle, errorType: "Throttled"},
		{name: "source fails", file: "authentication.json", faults: fail, errorType: "Unavailable"},
		{name: "role cannot be assumed", file: "authentication.json", faults: noRole, errorType: "Unavailable"},
	}
	runs := map[string][2]run{} // by faults
	for _, tt := range tests {
		if _, ok := runs[tt.faults]; !ok {
			runs[tt.faults] = [2]run{newRun(t, "", tt.faults), newRun(t, binary, tt.faults)}
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := os.ReadFile(events + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			inProcess, process := runs[tt.faults][0], runs[tt.faults][1]
			event := strings.ReplaceAll(string(data), recordedPool, inProcess.world.Target.PoolID)
			if tt.edit != nil {
				event = tt.edit(event)
			}
			want, wantErr := inProcess.invoke(t, []byte(event))
			got, gotErr := process.invoke(t, []byte(event))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answers differ (-in process +binary)\n%s", diff)
			}
			if diff := cmp.Diff(wantErr, gotErr); diff != "" {
				t.Errorf("errors differ (-in process +binary)\n%s", diff)
			}
			if tt.errorType != "" {
				if gotErr == nil || gotErr.Type != tt.errorType {
					t.Fatalf("error %v, want one of type %s", gotErr, tt.errorType)
				}
				return
			}
			if diff := cmp.Diff(tt.response, got["response"]); diff != "" {
				t.Errorf("response (-want +got)\n%s", diff)
			}
			// Everything else comes back as it was sent.
			var sent map[string]any
			dec := json.NewDecoder(strings.NewReader(event))
			dec.UseNumber()
			if err := dec.Decode(&sent); err != nil {
				t.Fatal(err)
			}
			delete(sent, "response")
			delete(got, "response")
			if diff := cmp.Diff(sent, got); diff != "" {
				t.Errorf("event (-sent +answered)\n%s", diff)
			}
		})
	}
	for faults, pair := range runs {
		for _, r := range pair {
			for _, p := range people {
				if bytes.Contains(r.log.Bytes(), []byte(p.Password.Reveal())) {
					t.Errorf("faults %q: the log of the function holds the password of %s", faults, p.Username)
				}
			}
		}
	}
}

// TestBinaryWithoutConfiguration: a process that cannot start says why in its
// log and is reported as an exit, which no Retry matches by a kind's name.
func TestBinaryWithoutConfiguration(t *testing.T) {
	t.Parallel()
	binary := built(t)
	var log syncBuffer
	runner := lambda.NewBinary(binary, nil, &log)
	defer func() { _ = runner.Close() }()
	_, err := runner.Invoke(t.Context(), lambda.Invocation{
		RequestID: "00000000-0000-4000-8000-000000000000", Name: "migrate-user", Region: "eu-central-1", Timeout: 5 * time.Second, Payload: []byte("{}"),
	})
	failed, ok := errors.AsType[*lambda.FunctionError](err)
	if !ok || failed.Type != "Runtime.ExitError" || !strings.HasSuffix(failed.Message, "exit status 1") {
		t.Errorf("error %v, want Runtime.ExitError with exit status 1", err)
	}
	if !strings.Contains(log.String(), "POOLFERRY_CONFIG is missing") {
		t.Errorf("log %q does not name the missing variable", log.String())
	}
}

// syncBuffer is a buffer that a function may write to while it is read.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

func (b *syncBuffer) String() string { return string(b.Bytes()) }
