package lambda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox/lambda/testdata/probe/behave"
)

// suite is the contract of a Runner: both must report the same.
func suite(t *testing.T, runner Runner) {
	s := New(quiet())
	add(t, s, Function{Timeout: time.Minute, Runner: runner, Aliases: []string{"live"}})
	t.Run("answer", func(t *testing.T) {
		out, err := invoke(t, s, behave.In{Text: "grüße <&>"})
		if err != nil {
			t.Fatal(err)
		}
		if out.Text != "grüße <&>" || out.ARN != probe || len(out.RequestID) != 36 || out.Left <= 0 || out.Left > 60 {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("alias", func(t *testing.T) {
		answer, err := s.Invoke(t.Context(), probe+":live", []byte(`{}`))
		if err != nil || !strings.Contains(string(answer), probe+":live") {
			t.Errorf("got %s, %v", answer, err)
		}
	})
	errorTests := []struct {
		name    string
		payload string
		kind    string
		message string
		stack   bool
	}{
		{"error by kind", `{"do":"throttled"}`, "Throttled", "list users: slow down", false},
		{"error without kind", `{"do":"plain"}`, "Internal", "something else", false},
		{"panic with text", `{"do":"panic"}`, "string", "no way out", true},
		{"panic with error", `{"do":"panic error"}`, "errorString", "no way out", true},
		{"panic of the runtime", `{"do":"panic runtime"}`, "plainError", "assignment to entry in nil map", true},
		{"payload of another type", `{"do":7}`, "UnmarshalTypeError", "json: cannot unmarshal number into Go struct field In.do of type string", false},
	}
	for _, tt := range errorTests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Invoke(t.Context(), probe, []byte(tt.payload))
			failed := failure(t, err)
			if failed.Type != tt.kind || failed.Message != tt.message || (failed.StackTrace != nil) != tt.stack {
				t.Errorf("got %s %q with stack %s", failed.Type, failed.Message, failed.StackTrace)
			}
		})
	}
	t.Run("after a panic", func(t *testing.T) {
		if _, err := invoke(t, s, behave.In{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("answer too large", func(t *testing.T) {
		_, err := invoke(t, s, behave.In{Do: "size", Size: maxResponse})
		if failed := failure(t, err); failed.Type != "Function.ResponseSizeTooLarge" {
			t.Errorf("got %v", failed)
		}
	})
	t.Run("concurrent answers are not mixed up", func(t *testing.T) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for j := range 10 {
					text := fmt.Sprintf("user %d.%d ", i, j) + strings.Repeat("x", 100*i)
					if out, err := invoke(t, s, behave.In{Text: text}); err != nil || out.Text != text {
						t.Errorf("sent %q, got %q, %v", text, out.Text, err)
					}
				}
			})
		}
		group.Wait()
	})
	t.Run("timeout", func(t *testing.T) {
		in := Invocation{RequestID: "r-1", Name: "probe", Region: region, Timeout: 100 * time.Millisecond, Payload: payload(t, behave.In{Do: "sleep"})}
		_, err := runner.Invoke(t.Context(), in)
		want := &FunctionError{Type: "Sandbox.Timedout", Message: "RequestId: r-1 Error: Task timed out after 0.10 seconds"}
		if diff := cmp.Diff(want, failure(t, err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("after a timeout", func(t *testing.T) {
		if _, err := invoke(t, s, behave.In{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("caller goes away", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		in := Invocation{RequestID: "r-2", Name: "probe", Region: region, Timeout: time.Second, Payload: payload(t, behave.In{Do: "sleep"})}
		if _, err := runner.Invoke(ctx, in); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestInProcess(t *testing.T) { suite(t, InProcess(fault.Boundary(behave.Do))) }
