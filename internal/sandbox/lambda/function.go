package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/iam"
)

// Runner executes a function.
type Runner interface {
	// Invoke runs one invocation to its end or to its timeout. It returns a
	// *FunctionError for what went wrong inside the function, timeout and crash
	// included; any other error means that it could not be run.
	Invoke(ctx context.Context, in Invocation) ([]byte, error)
}

// Invocation is one execution of a function.
type Invocation struct {
	RequestID   string
	FunctionARN string // as invoked: with the alias, where one was named
	Name        string
	Region      string
	Timeout     time.Duration
	Credentials iam.Credentials // of the execution role; zero where the function has none
	Payload     []byte
}

// FunctionError is what went wrong inside a function, as Lambda hands it to
// the caller.
type FunctionError struct {
	Type       string          `json:"errorType"`
	Message    string          `json:"errorMessage"`
	StackTrace json.RawMessage `json:"stackTrace,omitempty"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// ErrorType is the errorType that the function reported.
func (e *FunctionError) ErrorType() string { return e.Type }

// ErrorMessage is the errorMessage that the function reported.
func (e *FunctionError) ErrorMessage() string { return e.Message }

// timedOut is the error of an invocation that outlived its timeout.
func timedOut(in Invocation) *FunctionError {
	return &FunctionError{
		Type:    "Sandbox.Timedout",
		Message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", in.RequestID, in.Timeout.Seconds()),
	}
}

// exited is the error of an invocation whose process ended without an answer;
// how is such as "exit status 3", empty where the process said nothing.
func exited(in Invocation, how string) *FunctionError {
	reason := "Runtime exited without providing a reason"
	if how != "" {
		reason = "Runtime exited with error: " + how
	}
	return &FunctionError{Type: "Runtime.ExitError", Message: fmt.Sprintf("RequestId: %s Error: %s", in.RequestID, reason)}
}

// tooLarge is the error of an answer beyond the limit.
func tooLarge() *FunctionError {
	return &FunctionError{
		Type:    "Function.ResponseSizeTooLarge",
		Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse),
	}
}

// Function is a function to add.
type Function struct {
	Account string
	Region  string
	Name    string
	Aliases []string      // names under which it can be invoked too
	Timeout time.Duration // 1 s to 15 min; zero means 3 s, as on AWS
	Runner  Runner
	RoleARN string // execution role, whose credentials a Binary gets; empty means none
	// Permissions are the statements of its resource policy: which services may
	// invoke it on behalf of which resource.
	Permissions []Permission
	// Environment are the variables that GetFunctionConfiguration shows. A Runner
	// brings its own.
	Environment map[string]string
}

// Permission lets a service invoke a function.
type Permission struct {
	Service       string // principal, such as "cognito-idp.amazonaws.com"
	SourceARN     string // ARN pattern of the resource on whose behalf; empty means any
	SourceAccount string // account of that resource; empty means any
	Alias         string // the alias that it is for; empty means the unqualified function
}

// ARN is the function's unqualified ARN.
func (f Function) ARN() string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", f.Region, f.Account, f.Name)
}

const (
	defaultTimeout  = 3 * time.Second
	shortestTimeout = time.Second
	longestTimeout  = 15 * time.Minute
	latest          = "$LATEST"
)

var (
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	regionShape  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	nameShape    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	aliasShape   = regexp.MustCompile(`^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$`) // not only digits: that would be a version
)

func (f *Function) check() error {
	if f.Timeout == 0 {
		f.Timeout = defaultTimeout
	}
	switch {
	case !nameShape.MatchString(f.Name):
		return fmt.Errorf("function name %q: want 1 to 64 letters, digits, - or _", f.Name)
	case !accountShape.MatchString(f.Account):
		return fmt.Errorf("function %s: account %q: want 12 digits", f.Name, f.Account)
	case !regionShape.MatchString(f.Region):
		return fmt.Errorf("function %s: region %q: want one such as eu-central-1", f.Name, f.Region)
	case f.Timeout < shortestTimeout || f.Timeout > longestTimeout:
		return fmt.Errorf("function %s: timeout %s: want %s to %s", f.Name, f.Timeout, shortestTimeout, longestTimeout)
	case f.Runner == nil:
		return fmt.Errorf("function %s: no runner", f.Name)
	}
	for _, alias := range f.Aliases {
		if !aliasShape.MatchString(alias) {
			return fmt.Errorf("function %s: alias %q: want letters, digits, - or _, not digits alone", f.Name, alias)
		}
	}
	for _, p := range f.Permissions {
		if p.Service == "" || p.Alias != "" && !slices.Contains(f.Aliases, p.Alias) {
			return fmt.Errorf("function %s: permission for service %q on alias %q: want a service, and an alias of the function or none", f.Name, p.Service, p.Alias)
		}
	}
	return nil
}

// reference is a parsed function name, in any of the forms that Lambda takes:
// NAME, ACCOUNT:function:NAME or the ARN, each with :QUALIFIER or without.
type reference struct{ account, region, name, qualifier string }

// parseReference reads a function name; what it leaves out is the caller's.
func parseReference(text, account, region string) (reference, bool) {
	ref := reference{account: account, region: region}
	parts := strings.Split(text, ":")
	switch {
	case len(parts) >= 7 && parts[0] == "arn" && parts[1] == "aws" && parts[2] == "lambda" && parts[5] == "function":
		ref.region, ref.account, parts = parts[3], parts[4], parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		ref.account, parts = parts[0], parts[2:]
	}
	if len(parts) > 2 || !nameShape.MatchString(parts[0]) {
		return ref, false
	}
	ref.name = parts[0]
	if len(parts) == 2 {
		ref.qualifier = parts[1]
		if ref.qualifier == "" {
			return ref, false
		}
	}
	return ref, true
}

func (r reference) arn() string {
	arn := Function{Account: r.account, Region: r.region, Name: r.name}.ARN()
	if r.qualifier != "" {
		arn += ":" + r.qualifier
	}
	return arn
}
