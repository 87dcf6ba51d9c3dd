package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/wire"
)

const (
	functionsPath   = "/2015-03-31/functions/"
	invocationsPath = "/invocations"
	opInvoke        = "Invoke"
)

// Name is the signing name.
func (*Service) Name() string { return "lambda" }

// Protocol is REST JSON.
func (*Service) Protocol() wire.Protocol { return wire.RESTJSON }

// Operations are the operations of the API that are served.
func (*Service) Operations() []string { return []string{opGetConfiguration, opGetPolicy, opInvoke} }

// FaultTargets are the functions, each with the faults that an invocation can
// meet; the empty name stands for all of them.
func (s *Service) FaultTargets() map[string][]knobs.Kind {
	kinds := append(knobs.APIKinds(), knobs.Crash)
	targets := map[string][]knobs.Kind{"": kinds}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.functions {
		targets[f.Name] = kinds
	}
	return targets
}

// Operation knows Invoke and what tells of a function.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	if _, operation, ok := describedName(r.URL.EscapedPath()); ok && r.Method == http.MethodGet {
		return operation, nil
	}
	if _, ok := invokedName(r.URL.EscapedPath()); ok && r.Method == http.MethodPost {
		return opInvoke, nil
	}
	return "", wire.Unsupported("Lambda request", r.Method+" "+r.URL.Path)
}

// invokedName cuts the function name out of the path of an invocation.
func invokedName(path string) (string, bool) {
	name, ok := strings.CutPrefix(path, functionsPath)
	if !ok {
		return "", false
	}
	if name, ok = strings.CutSuffix(name, invocationsPath); !ok || strings.Contains(name, "/") {
		return "", false
	}
	name, err := url.PathUnescape(name)
	return name, err == nil && name != ""
}

// Home finds nothing: every call of Lambda must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is unlimited: AWS limits invocations by concurrency, which the sandbox
// leaves to the machine.
func (*Service) Quota(string) (category string, perSecond float64) { return "", 0 }

// Serve answers a call.
func (s *Service) Serve(ctx context.Context, call *wire.Call) (*wire.Reply, error) {
	if call.Operation != opInvoke {
		return s.describe(call)
	}
	return s.serveInvoke(ctx, call)
}

// serveInvoke answers Invoke of kinds RequestResponse and DryRun. A function that
// fails answers 200 with the header X-Amz-Function-Error, as on AWS.
func (s *Service) serveInvoke(ctx context.Context, call *wire.Call) (*wire.Reply, error) {
	name, ok := invokedName(call.Path)
	if !ok {
		return nil, wire.Unsupported("Lambda path", call.Path)
	}
	ref, err := qualified(name, call)
	if err != nil {
		return nil, err
	}
	if log := call.Header.Get("X-Amz-Log-Type"); log != "" && log != "None" {
		return nil, wire.Unsupported("parameter LogType", log)
	}
	for _, header := range []string{"X-Amz-Client-Context", "X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id"} {
		if call.Header.Get(header) != "" {
			return nil, wire.Unsupported("parameter", header)
		}
	}
	if err := call.Authorize("lambda:InvokeFunction", ref.arn()); err != nil {
		return nil, err
	}
	switch kind := call.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
	case "DryRun":
		if _, err := s.find(ref); err != nil {
			return nil, err
		}
		return &wire.Reply{Status: http.StatusNoContent}, nil
	default:
		return nil, wire.Unsupported("parameter InvocationType", kind)
	}
	reply := &wire.Reply{Header: http.Header{}}
	reply.Header.Set("X-Amz-Executed-Version", latest)
	reply.Body, err = s.invoke(ctx, ref, call.RequestID, call.Body)
	if failed, ok := errors.AsType[*FunctionError](err); ok {
		reply.Header.Set("X-Amz-Function-Error", "Unhandled")
		reply.Body, err = json.Marshal(failed)
	}
	if err != nil {
		return nil, err
	}
	return reply, nil
}

func invokeQualifier(raw string) (string, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", wire.Errorf(http.StatusBadRequest, "ValidationException", "malformed query")
	}
	for name := range query {
		if name != "Qualifier" {
			return "", wire.Unsupported("parameter", name)
		}
	}
	return query.Get("Qualifier"), nil
}
