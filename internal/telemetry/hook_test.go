package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"poolferry/internal/hook"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

func TestHookRecorder(t *testing.T) {
	var got bytes.Buffer
	r := NewHookRecorder(&got, "2026-11-prod", known(key))
	r.RecordSignUp(invocation(), hook.SignUp{
		At: at(), TriggerSource: hook.SourceSignUp, Outcome: hook.SignUpRefused, Owner: "6f1c2d3e-0000-4000-8000-000000000001", OwnerReason: verdict.NotSignedIn,
		Kind: "email", Name: "ann@example.com", ClientID: "1example23456789abcdefghij", Took: 41 * time.Millisecond,
	})
	r.RecordSignUp(t.Context(), hook.SignUp{At: at(), TriggerSource: hook.SourceSignUp, Outcome: hook.SignUpUnsure, Reason: "refused", Code: "NotFound", Took: 3 * time.Second})
	r.RecordSignUp(t.Context(), hook.SignUp{At: at(), TriggerSource: hook.SourceSignUp, Outcome: hook.SignUpAllowed, Name: "bob"})
	r.RecordWelcome(invocation(), hook.Welcome{
		At: at(), Outcome: hook.Welcomed, LegacySub: "6f1c2d3e-0000-4000-8000-000000000001", Sub: "9a1c2d3e-0000-4000-8000-000000000001",
		Groups: []string{"customers", "our best people"}, Took: 60 * time.Millisecond,
	})
	r.RecordWelcome(t.Context(), hook.Welcome{At: at(), Outcome: hook.WelcomeFailed, LegacySub: "x", Missed: []string{"vip"}, Code: "Throttled"})
	lines := 0
	for line := range bytes.Lines(got.Bytes()) {
		if lines++; lines%2 == 0 {
			continue
		}
		if err := checkMetricLine(bytes.TrimSpace(line)); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
	golden(t, "hook.jsonl", got.Bytes())
}

// TestHookOutcomesAreCounted: each outcome under its own name.
func TestHookOutcomesAreCounted(t *testing.T) {
	for _, o := range hook.Outcomes() {
		var out bytes.Buffer
		r := NewHookRecorder(&out, "r", known(key))
		if strings.HasPrefix(string(o), "SignUp") {
			r.RecordSignUp(t.Context(), hook.SignUp{At: at(), Outcome: o})
		} else {
			r.RecordWelcome(t.Context(), hook.Welcome{At: at(), Outcome: o})
		}
		if !strings.Contains(out.String(), `"`+string(o)+`":1`) || !strings.Contains(out.String(), `"outcome":"`+string(o)+`"`) {
			t.Errorf("%s: %s", o, out.String())
		}
	}
}

// TestNoPersonalDataOfHooks: as TestNoPersonalData.
func TestNoPersonalDataOfHooks(t *testing.T) {
	var out bytes.Buffer
	r := NewHookRecorder(&out, "r", known(userpool.NewSecret("hunter2 hunter2")))
	canaries := []string{"ann@example.com", "+15550100123", "Ann Śmith", "line\nbreak"}
	for _, c := range canaries {
		ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: c})
		r.RecordSignUp(ctx, hook.SignUp{TriggerSource: c, Outcome: hook.Outcome(c), Reason: c, Owner: userpool.Sub(c), OwnerReason: verdict.Reason(c), Kind: c, Name: c, ClientID: c, Code: c})
		r.RecordWelcome(ctx, hook.Welcome{Outcome: hook.Outcome(c), LegacySub: userpool.Sub(c), Sub: userpool.Sub(c), Groups: []string{c}, Missed: []string{c}, Code: c})
	}
	for _, c := range append(canaries, "hunter2") {
		quoted, _ := json.Marshal(c)
		if strings.Contains(out.String(), string(quoted[1:len(quoted)-1])) {
			t.Errorf("%q is in the output:\n%s", c, out.String())
		}
	}
}
