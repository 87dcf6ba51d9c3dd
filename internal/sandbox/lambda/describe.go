package lambda

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"poolferry/internal/sandbox/wire"
)

// The operations that tell of a function, by the last part of their paths.
const (
	opGetConfiguration = "GetFunctionConfiguration"
	opGetPolicy        = "GetPolicy"
)

var described = map[string]string{"configuration": opGetConfiguration, "policy": opGetPolicy}

// describedName cuts function name and operation out of the path of a request
// that asks what a function is.
func describedName(path string) (name, operation string, ok bool) {
	rest, ok := strings.CutPrefix(path, functionsPath)
	if !ok {
		return "", "", false
	}
	escaped, last, ok := strings.Cut(rest, "/")
	if operation = described[last]; !ok || operation == "" {
		return "", "", false
	}
	name, err := url.PathUnescape(escaped)
	return name, operation, err == nil && name != ""
}

// describe answers GetFunctionConfiguration and GetPolicy.
func (s *Service) describe(call *wire.Call) (*wire.Reply, error) {
	name, operation, ok := describedName(call.Path)
	if !ok {
		return nil, wire.Unsupported("Lambda path", call.Path)
	}
	ref, err := qualified(name, call)
	if err != nil {
		return nil, err
	}
	if err := call.Authorize("lambda:"+operation, ref.arn()); err != nil {
		return nil, err
	}
	f, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if operation == opGetPolicy {
		return f.policy(ref)
	}
	type environment struct{ Variables map[string]string }
	return wire.JSONReply(struct {
		FunctionName, FunctionArn string
		Role                      string `json:",omitempty"`
		Timeout                   int
		Version                   string
		State                     string
		Environment               environment
	}{f.Name, ref.arn(), f.RoleARN, int(f.Timeout / time.Second), latest, "Active", environment{f.Environment}})
}

// qualified reads a function's name, with the qualifier that stands in it or in
// the query.
func qualified(name string, call *wire.Call) (reference, error) {
	qualifier, err := invokeQualifier(call.Query)
	if err != nil {
		return reference{}, err
	}
	ref, ok := parseReference(name, call.Account, call.Region)
	if !ok || ref.qualifier != "" && qualifier != "" && ref.qualifier != qualifier {
		return reference{}, wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value at 'functionName' failed to satisfy constraint: want a function name, partial ARN or ARN")
	}
	if qualifier != "" {
		ref.qualifier = qualifier
	}
	return ref, nil
}

// policy is the resource policy of a function, or of its alias: each has its own
// (Lambda Developer Guide, resource-based policies).
func (f *function) policy(ref reference) (*wire.Reply, error) {
	type condition map[string]map[string]string
	type statement struct {
		Sid       string
		Effect    string
		Principal map[string]string
		Action    string
		Resource  string
		Condition condition `json:",omitempty"`
	}
	var statements []statement
	for i, p := range f.Permissions {
		if p.Alias != ref.qualifier {
			continue
		}
		when := condition{}
		if p.SourceAccount != "" {
			when["StringEquals"] = map[string]string{"AWS:SourceAccount": p.SourceAccount}
		}
		if p.SourceARN != "" {
			when["ArnLike"] = map[string]string{"AWS:SourceArn": p.SourceARN}
		}
		statements = append(statements, statement{
			fmt.Sprintf("permission-%d", i), "Allow", map[string]string{"Service": p.Service}, "lambda:InvokeFunction", ref.arn(), when,
		})
	}
	if len(statements) == 0 {
		return nil, wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist.")
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": statements})
	if err != nil {
		return nil, fmt.Errorf("encode policy: %w", err)
	}
	return wire.JSONReply(struct{ Policy, RevisionId string }{string(text), "1"})
}

// Replace changes a function that was added; its name, account and region stay.
func (s *Service) Replace(arn string, change func(*Function)) error {
	ref, ok := parseReference(arn, "", "")
	if !ok {
		return fmt.Errorf("function %s: no ARN", arn)
	}
	old, err := s.find(ref)
	if err != nil {
		return err
	}
	next := old.Function
	change(&next)
	next.Account, next.Region, next.Name = old.Account, old.Region, old.Name
	if err := next.check(); err != nil {
		return err
	}
	added := &function{Function: next}
	if _, err := added.session(s.o); err != nil {
		return fmt.Errorf("function %s: %w", next.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.functions[next.ARN()] = added
	return nil
}
