package lambdas

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"poolferry/internal/fault"
	"poolferry/internal/preflight/trial"
)

// event is a handler of everything that is no request for a trial.
type event struct{ got []byte }

func (e *event) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	e.got = payload
	return []byte(`"handled"`), nil
}

// works are roles that lack nothing but one.
type works struct{ trial.Roles }

func (works) Assume(context.Context) error         { return nil }
func (works) Authenticate(context.Context) error   { return nil }
func (works) Read(context.Context) error           { return fault.New(fault.Denied, "no") }
func (works) Respond(context.Context) error        { return errors.New("never asked") }
func (works) DescribeTarget(context.Context) error { return nil }

func TestTried(t *testing.T) {
	h := &event{}
	function := tried{Handler: h, run: "r1", roles: func() trial.Roles { return works{} }}
	out, err := function.Invoke(t.Context(), []byte(`{"version":"1","triggerSource":"UserMigration_Authentication"}`))
	if err != nil || string(out) != `"handled"` || h.got == nil {
		t.Errorf("an event: %s, %v", out, err)
	}
	h.got = nil
	if out, err = function.Invoke(t.Context(), trial.Request()); err != nil || h.got != nil {
		t.Fatalf("a trial: %s, %v", out, err)
	}
	answer, err := trial.Decode(out)
	if err != nil {
		t.Fatal(err)
	}
	if read, ok := answer.Of(trial.Read); !ok || read.Result != trial.Denied || answer.Run != "r1" {
		t.Errorf("answer %+v", answer)
	}
	if _, asked := answer.Of(trial.Respond); asked {
		t.Error("a challenge was answered by a trigger that does not")
	}
	function.run = "" // cannot be: the error is one that Lambda can report all the same
	_, err = function.Invoke(t.Context(), trial.Request())
	if _, ok := errors.AsType[messages.InvokeResponse_Error](err); !ok {
		t.Errorf("error %v", err)
	}
}
