package lambdas

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/hook"
)

// TestColdStartsFit: Cognito waits five seconds for a trigger, and a cold start is
// among them: the process, the calls ahead of the first event, the event.
func TestColdStartsFit(t *testing.T) {
	const cognito, process = 5 * time.Second, 400 * time.Millisecond
	for name, budget := range map[string]time.Duration{"guard": hook.GuardBudget, "welcome": hook.WelcomeBudget} {
		if all := process + prefetchLimit + budget; all > cognito {
			t.Errorf("%s: %s", name, all)
		}
	}
}

// TestMemoryOfHooks: in the memory that functions are deployed with there is room
// for the rows of ten million users, 16 bytes each.
func TestMemoryOfHooks(t *testing.T) {
	env := func(value string, ok bool) Environment {
		return Environment{Lookup: func(name string) (string, bool) {
			return value, ok && name == "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
		}}
	}
	if room := memoryOf(env("512", true)) * 3 / 8; room < 160_000_000 || room > 200<<20 {
		t.Errorf("%d bytes", room)
	}
	for _, value := range []string{"", "much", "-1"} {
		if got := memoryOf(env(value, value != "")); got != 0 {
			t.Errorf("%q: %d", value, got)
		}
	}
}

// TestUnconfigured: a function that every sign-in passes fails none for want of a
// configuration that it can read.
func TestUnconfigured(t *testing.T) {
	const event = `{"version":"1","userName":"ann"}`
	for name, build := range map[string]func(context.Context, Environment) (lambda.Handler, error){"welcome-user": WelcomeUser, "legacy-claim": LegacyClaim} {
		var out bytes.Buffer
		h, err := build(t.Context(), Environment{Lookup: func(string) (string, bool) { return "", false }, Stdout: &out, Now: time.Now})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		answer, err := h.Invoke(t.Context(), []byte(event))
		if err != nil || string(answer) != event || !strings.Contains(out.String(), name+" cannot start") || !strings.Contains(out.String(), "ERROR") {
			t.Errorf("%s: %s, %v, %s", name, answer, err, out.String())
		}
	}
}
