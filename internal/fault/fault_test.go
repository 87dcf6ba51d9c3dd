package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"poolferry/internal/fault"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"plain", io.EOF, fault.Internal},
		{"of a kind", fault.New(fault.Throttled, "busy"), fault.Throttled},
		{"wrapped", fmt.Errorf("seed shard 0a: %w", fault.New(fault.Conflict, "taken")), fault.Conflict},
		{"the outermost kind counts", fault.New(fault.Unavailable, "read: %w", fault.New(fault.NotFound, "gone")), fault.Unavailable},
		{"deadline", fmt.Errorf("list: %w", context.DeadlineExceeded), fault.Unavailable},
		{"cancelled", context.Canceled, fault.Unavailable},
		{"deadline with a kind", fault.New(fault.Denied, "x: %w", context.DeadlineExceeded), fault.Denied},
	}
	for _, tt := range tests {
		if got := fault.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNewWraps(t *testing.T) {
	err := fault.New(fault.NotFound, "read plan of run %s: %w", "r1", io.EOF)
	if !errors.Is(err, io.EOF) || err.Error() != "read plan of run r1: EOF" {
		t.Errorf("%v", err)
	}
}

// The runtime looks at the outermost value and does not unwrap, so the boundary
// must return the message type itself.
func TestBoundary(t *testing.T) {
	handler := fault.Boundary(func(_ context.Context, fail bool) (string, error) {
		if fail {
			return "partial", fmt.Errorf("seed: %w", fault.New(fault.Throttled, "rate exceeded"))
		}
		return "fine", nil
	})
	if out, err := handler(t.Context(), false); out != "fine" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	_, err := handler(t.Context(), true)
	reported, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // the runtime does not unwrap either
	if !ok || reported.Type != "Throttled" || reported.Message != "seed: rate exceeded" {
		t.Errorf("%#v", err)
	}
}
