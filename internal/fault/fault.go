// Package fault is the closed list of error kinds that poolferry acts on, and
// the one boundary at which a kind becomes the error name that Lambda reports
// and Step Functions matches.
//
// An error has a kind only where a caller does something different because of
// it. Everything else is Internal.
package fault

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// Kind says what a caller can do about an error.
type Kind string

// The kinds. Their texts are the error names in ASL files.
const (
	Throttled     Kind = "Throttled"     // a quota is exhausted: wait and try again
	NotFound      Kind = "NotFound"      // what was named does not exist
	AlreadyExists Kind = "AlreadyExists" // what was to be created is there
	Denied        Kind = "Denied"        // a role, policy or credential refuses: a person must act
	Invalid       Kind = "Invalid"       // the request or the configuration is wrong: a person must act
	Conflict      Kind = "Conflict"      // somebody else changed it first: read again
	Unavailable   Kind = "Unavailable"   // a dependency is failing or silent: try again
	Internal      Kind = "Internal"      // a bug of ours
)

// Error is an error of a known kind.
type Error struct {
	Kind Kind
	Err  error
}

// New returns an error of the given kind; format and args as in fmt.Errorf, %w
// included.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: that of the outermost Error in its chain,
// Unavailable for an expired or cancelled context, otherwise Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unavailable
	}
	return Internal
}

// Boundary wraps a Lambda handler so that the runtime reports the error's kind
// as its errorType. Without it the runtime reports the Go type name of the
// outermost error, such as wrapError, which no Retry or Catch can match
// (aws-lambda-go lambda/errors.go).
func Boundary[In, Out any](handler func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		out, err := handler(ctx, in)
		if err != nil {
			// The runtime does not unwrap: this must be the outermost value.
			err = messages.InvokeResponse_Error{Type: string(KindOf(err)), Message: err.Error()}
		}
		return out, err
	}
}
