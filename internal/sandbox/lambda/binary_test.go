package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/lambda/testdata/probe/behave"
	"poolferry/internal/userpool"
)

// buildProbe builds the probe as a function is built for AWS.
func buildProbe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-o", path, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// log is a writer that a test can read while processes write.
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

func newBinary(t *testing.T, path string, logs *log, env ...string) (*Service, *Binary) {
	t.Helper()
	b := NewBinary(path, env, logs)
	s := New(quiet())
	add(t, s, Function{Timeout: time.Minute, Runner: b})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, b
}

func TestBinary(t *testing.T) {
	path := buildProbe(t)

	t.Run("contract", func(t *testing.T) {
		b := NewBinary(path, nil, &log{})
		defer func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}()
		suite(t, b)
	})

	t.Run("a process is kept", func(t *testing.T) {
		s, _ := newBinary(t, path, &log{})
		var pids []int
		for range 5 {
			out, err := invoke(t, s, behave.In{})
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, out.PID)
		}
		if _, err := invoke(t, s, behave.In{Do: "throttled"}); err == nil {
			t.Fatal("no error")
		}
		out, err := invoke(t, s, behave.In{})
		if pids = append(pids, out.PID); err != nil || len(slices.Compact(pids)) != 1 {
			t.Errorf("pids %v, %v", pids, err)
		}
	})

	t.Run("a panic ends the process", func(t *testing.T) {
		s, _ := newBinary(t, path, &log{})
		before, err := invoke(t, s, behave.In{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := invoke(t, s, behave.In{Do: "panic"}); failure(t, err).Type != "string" {
			t.Errorf("got %v", err)
		}
		after, err := invoke(t, s, behave.In{})
		if err != nil || before.PID == after.PID {
			t.Errorf("pids %d, %d, %v", before.PID, after.PID, err)
		}
	})

	t.Run("exit", func(t *testing.T) {
		s, _ := newBinary(t, path, &log{})
		for code, want := range map[int]string{3: "Runtime exited with error: exit status 3", 0: "Runtime exited without providing a reason"} {
			_, err := invoke(t, s, behave.In{Do: "exit", Size: code})
			failed := failure(t, err)
			if failed.Type != "Runtime.ExitError" || !strings.HasPrefix(failed.Message, "RequestId: ") || !strings.HasSuffix(failed.Message, " Error: "+want) {
				t.Errorf("exit %d: got %s %q", code, failed.Type, failed.Message)
			}
		}
	})

	t.Run("exit before the first invocation", func(t *testing.T) {
		s, _ := newBinary(t, path, &log{}, "PROBE_INIT=exit")
		_, err := invoke(t, s, behave.In{})
		if failed := failure(t, err); failed.Type != "Runtime.ExitError" || !strings.HasSuffix(failed.Message, "exit status 7") {
			t.Errorf("got %v", failed)
		}
	})

	t.Run("concurrent invocations have processes of their own", func(t *testing.T) {
		s, b := newBinary(t, path, &log{})
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				_, err := b.Invoke(t.Context(), Invocation{RequestID: "r", Name: "probe", Region: region, Timeout: 300 * time.Millisecond, Payload: []byte(`{"do":"sleep"}`)})
				if failed, ok := errors.AsType[*FunctionError](err); !ok || failed.Type != "Sandbox.Timedout" {
					t.Errorf("got %v", err)
				}
			})
			group.Go(func() {
				if _, err := invoke(t, s, behave.In{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})

	t.Run("output goes to the logs", func(t *testing.T) {
		logs := &log{}
		s, b := newBinary(t, path, logs)
		if _, err := invoke(t, s, behave.In{Do: "print", Text: "canary"}); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil { // the end of a process flushes its output
			t.Fatal(err)
		}
		if got := logs.String(); !strings.Contains(got, "stdout canary\n") || !strings.Contains(got, "stderr canary\n") {
			t.Errorf("got %q", got)
		}
		if _, err := invoke(t, s, behave.In{}); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("after Close: %v", err)
		}
	})

	t.Run("environment", func(t *testing.T) {
		t.Setenv("AWS_PROFILE", "of-whoever-runs-the-sandbox")
		b := NewBinary(path, []string{"POOLFERRY_RUN=r1"}, nil)
		defer func() { _ = b.Close() }()
		ask := func(c iam.Credentials) behave.Out {
			t.Helper()
			answer, err := b.Invoke(t.Context(), Invocation{RequestID: "r", Name: "probe", Region: region, Timeout: time.Minute, Credentials: c, Payload: []byte(`{"do":"env"}`)})
			if err != nil {
				t.Fatal(err)
			}
			var out behave.Out
			if err := json.Unmarshal(answer, &out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		c := iam.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: userpool.NewSecret("s"), SessionToken: userpool.NewSecret("t")}
		first := ask(c)
		for name, want := range map[string]string{
			"AWS_PROFILE": "", "HOME": "", "POOLFERRY_RUN": "r1", "AWS_REGION": region, "AWS_LAMBDA_FUNCTION_NAME": "probe",
			"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
		} {
			if got := first.Env[name]; got != want {
				t.Errorf("%s=%q, want %q", name, got, want)
			}
		}
		if again := ask(c); again.PID != first.PID {
			t.Error("the process was not kept")
		}
		c.AccessKeyID = "ASIA2"
		if renewed := ask(c); renewed.PID == first.PID || renewed.Env["AWS_ACCESS_KEY_ID"] != "ASIA2" {
			t.Error("a process with old credentials was kept")
		}
	})
}

func TestBinaryThatCannotStart(t *testing.T) {
	s, _ := newBinary(t, filepath.Join(t.TempDir(), "none"), &log{})
	_, err := invoke(t, s, behave.In{})
	if _, failed := errors.AsType[*FunctionError](err); err == nil || failed || !strings.Contains(err.Error(), "function probe: start: ") {
		t.Errorf("got %v", err)
	}
}
