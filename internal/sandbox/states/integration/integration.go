// Package integration is what a Task state can call: AWS services on behalf of
// the state machine's role.
//
// Words: a resource is the part of a Task's ARN after "arn:aws:states:::", such
// as "lambda:invoke" or "aws-sdk:sfn:startExecution"; an integration is what
// answers one resource; a request is one call of it.
package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"poolferry/internal/sandbox/wire"
)

// Integration answers one resource. To add a service is to add one of these to
// states.Options.Integrations.
type Integration struct {
	// Required and Optional are the parameters that it takes, in the spelling of
	// the Parameters field. A definition with any other is refused.
	Required []string
	Optional []string
	// Call makes the call and returns its result as a value of package data.
	// What the service refuses is an *Error; ctx ends when the task times out or
	// the execution is stopped. Call must check that the role may do what it
	// does, with Request.Authorize.
	Call func(ctx context.Context, r Request) (any, error)
}

// Request is one call.
type Request struct {
	Account, Region string         // of the state machine
	Parameters      map[string]any // as evaluated, values of package data
	// Authorize asks the policies of the state machine's role, such as for
	// "lambda:InvokeFunction" on a function's ARN. The error is a *wire.Error.
	Authorize func(action, resource string) error
}

// Text is a parameter that must be a string.
func (r Request) Text(name string) (string, error) {
	text, ok := r.Parameters[name].(string)
	if !ok || text == "" {
		return "", &Error{Name: "States.Runtime", Cause: fmt.Sprintf("The parameter '%s' must be a string that is not empty", name)}
	}
	return text, nil
}

// Error is a failed call: what Retry and Catch match, and why.
type Error struct{ Name, Cause string }

func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Optimized is a service's refusal as the optimized integrations report it;
// service is how they name it, such as "Lambda" and "AWSLambda".
func Optimized(prefix, service string, err *wire.Error) *Error {
	return &Error{
		Name:  prefix + "." + exception(prefix, err.Code),
		Cause: fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)", err.Message, service, err.Status, err.Code, wire.NewID()),
	}
}

// SDK is a service's refusal as the AWS SDK integrations report it; service is
// such as "Sfn".
func SDK(service string, err *wire.Error) *Error {
	return &Error{
		Name:  service + "." + exception(service, err.Code),
		Cause: fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s)", err.Message, service, err.Status, wire.NewID()),
	}
}

// general are error codes that the SDK of no service has an exception class of
// its own for: what IAM and the front end refuse. They are reported under the
// service's base class.
var general = []string{"AccessDeniedException", "InternalFailure", "ThrottlingException", "ValidationException"}

// baseClasses are those that are not the service's name with Exception.
var baseClasses = map[string]string{"Lambda": "AWSLambdaException", "StepFunctions": "AWSStepFunctionsException"}

// exception is the name of the SDK's exception class for an error code.
func exception(service, code string) string {
	switch {
	case slices.Contains(general, code) && baseClasses[service] != "":
		return baseClasses[service]
	case slices.Contains(general, code):
		return service + "Exception"
	case strings.HasSuffix(code, "Exception"):
		return code
	}
	return code + "Exception"
}
