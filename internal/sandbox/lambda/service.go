package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/iam/policy"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/wire"
)

// Limits of a synchronous invocation, in bytes (Lambda quotas).
const (
	maxRequest  = 6291456
	maxResponse = 6291556
)

// credentialLife is how long the credentials last that a function gets, and
// credentialReserve what must be left of them when an invocation starts.
const (
	credentialLife    = 12 * time.Hour
	credentialReserve = 30 * time.Minute
)

// Options are what a Service needs.
type Options struct {
	Now func() time.Time
	// Session opens a session of an execution role: iam.Directory.Session.
	Session func(roleARN, sessionName string, life time.Duration) (iam.Credentials, error)
	// Inject draws the faults of one invocation of a function.
	Inject func(function string) knobs.Injection
}

// Service is Lambda in all accounts and regions. It is safe for concurrent
// use.
type Service struct {
	o Options

	mu        sync.Mutex
	functions map[string]*function // by unqualified ARN
}

type function struct {
	Function
	mu          sync.Mutex
	credentials iam.Credentials
}

// New returns a Service without functions.
func New(o Options) *Service {
	return &Service{o: o, functions: map[string]*function{}}
}

// Add adds a function and returns its unqualified ARN.
func (s *Service) Add(f Function) (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	added := &function{Function: f}
	if _, err := added.session(s.o); err != nil {
		return "", fmt.Errorf("function %s: %w", f.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[f.ARN()] != nil {
		return "", fmt.Errorf("function %s exists already", f.ARN())
	}
	s.functions[f.ARN()] = added
	return f.ARN(), nil
}

// session returns credentials of the execution role that outlive an
// invocation.
func (f *function) session(o Options) (iam.Credentials, error) {
	if f.RoleARN == "" {
		return iam.Credentials{}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.credentials.Expiration.Before(o.Now().Add(credentialReserve)) {
		fresh, err := o.Session(f.RoleARN, f.Name, credentialLife)
		if err != nil {
			return iam.Credentials{}, err
		}
		f.credentials = fresh
	}
	return f.credentials, nil
}

// Invoke runs a function, given by ARN with or without an alias, and returns
// its answer. Errors are a *FunctionError where the function failed and a
// *wire.Error where Lambda did. Nobody's permission is asked; see InvokeFrom.
//
// As on AWS a function is not stopped when ctx ends, only no longer waited
// for.
func (s *Service) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	ref, ok := parseReference(arn, "", "")
	if !ok {
		return nil, notFound(arn)
	}
	return s.invoke(ctx, ref, wire.NewID(), payload)
}

// Source is a resource on whose behalf a service invokes a function.
type Source struct {
	Service string // such as "cognito-idp.amazonaws.com"
	ARN     string // such as that of the user pool
}

// InvokeFrom is Invoke by a service: the function's resource policy must let
// it. Without a permission it returns AccessDeniedException.
func (s *Service) InvokeFrom(ctx context.Context, from Source, arn string, payload []byte) ([]byte, error) {
	ref, ok := parseReference(arn, "", "")
	if !ok {
		return nil, notFound(arn)
	}
	f, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(f.Permissions, func(p Permission) bool { return p.allows(from, ref.qualifier) }) {
		return nil, wire.Errorf(http.StatusForbidden, "AccessDeniedException", "%s is not authorized to perform: lambda:InvokeFunction on resource: %s because no resource-based policy allows the lambda:InvokeFunction action for source %s", from.Service, arn, from.ARN)
	}
	return s.invoke(ctx, ref, wire.NewID(), payload)
}

func (p Permission) allows(from Source, qualifier string) bool {
	return p.Service == from.Service && p.Alias == qualifier &&
		(p.SourceARN == "" || policy.MatchARN(p.SourceARN, from.ARN)) &&
		(p.SourceAccount == "" || p.SourceAccount == policy.AccountOf(from.ARN))
}

func (s *Service) find(ref reference) (*function, error) {
	unqualified := ref
	unqualified.qualifier = ""
	s.mu.Lock()
	f := s.functions[unqualified.arn()]
	s.mu.Unlock()
	if f == nil || ref.qualifier != "" && ref.qualifier != latest && !slices.Contains(f.Aliases, ref.qualifier) {
		return nil, notFound(ref.arn())
	}
	return f, nil
}

func notFound(arn string) error {
	return wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", "Function not found: %s", arn)
}

func (s *Service) invoke(ctx context.Context, ref reference, requestID string, payload []byte) ([]byte, error) {
	f, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if len(payload) > maxRequest {
		return nil, wire.Errorf(http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", maxRequest)
	}
	if !json.Valid(payload) {
		return nil, wire.Errorf(http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json")
	}
	credentials, err := f.session(s.o)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", f.Name, err)
	}
	in := Invocation{RequestID: requestID, FunctionARN: ref.arn(), Name: f.Name, Region: f.Region, Timeout: f.Timeout, Credentials: credentials, Payload: payload}
	return s.run(ctx, f.Runner, in)
}

// run executes one invocation with the faults that were drawn for it.
func (s *Service) run(ctx context.Context, runner Runner, in Invocation) ([]byte, error) {
	inject := s.o.Inject(in.Name)
	if err := knobs.Sleep(ctx, inject.Delay); err != nil {
		return nil, err
	}
	crash := exited(in, "exit status 1")
	switch {
	case inject.Throttle:
		return nil, knobs.Throttled("lambda")
	case inject.Error:
		return nil, knobs.Failed("lambda")
	case inject.Crash && !inject.AfterWork:
		return nil, crash
	}
	answer, err := runner.Invoke(ctx, in)
	switch {
	case inject.Crash:
		return nil, crash
	case err != nil:
		return nil, err
	case len(answer) > maxResponse:
		return nil, tooLarge()
	}
	return answer, nil
}

// Close stops the runners that hold processes.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.functions {
		if closer, ok := f.Runner.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}
