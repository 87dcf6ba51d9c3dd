package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/sigv4"
	"poolferry/internal/sandbox/wire"
)

const (
	healthPath = "/_sandbox/health"
	// maxBody is Lambda's 6 MB for a synchronous payload, and some.
	maxBody = 7 << 20
	// maxObject is what fits into one PutObject here; on AWS it is 5 GB.
	maxObject = 256 << 20
	// cognitoTarget starts X-Amz-Target of all calls to Cognito; it tells where
	// a public, unsigned one goes.
	cognitoTarget = "AWSCognitoIdentityProviderService."
)

// ServeHTTP answers one call.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := s.now()
	// SDKs measure their clock against this header.
	w.Header().Set("Date", started.UTC().Format(http.TimeFormat))
	if r.URL.Path == healthPath {
		s.serveHealth(w)
		return
	}
	if page := s.page(r); page != nil {
		page.ServeHTTP(w, r)
		return
	}
	call := &wire.Call{RequestID: wire.NewID(), Header: r.Header, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery}
	service, reply, err := s.answer(w, r, call)
	protocol, name := guessProtocol(r), ""
	if service != nil {
		protocol, name = service.Protocol(), service.Name()
	}
	status, code := http.StatusOK, ""
	if err != nil {
		failure := inProtocol(protocol, wire.AsError(err))
		status, code = failure.Status, failure.Code
		wire.WriteError(w, protocol, call.RequestID, failure)
	} else {
		if reply.Status != 0 {
			status = reply.Status
		}
		wire.WriteReply(w, protocol, call.RequestID, reply)
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "call",
		slog.String("service", name), slog.String("operation", call.Operation),
		slog.String("account", call.Account), slog.String("region", call.Region), slog.String("caller", call.Caller.ARN),
		slog.Int("status", status), slog.String("code", code),
		slog.Float64("duration_ms", float64(s.now().Sub(started))/float64(time.Millisecond)), slog.String("request_id", call.RequestID))
}

// answer fills the call and serves it. service is nil until it is known.
func (s *Sandbox) answer(w http.ResponseWriter, r *http.Request, call *wire.Call) (service wire.Service, reply *wire.Reply, err error) {
	limit := int64(maxBody)
	if strings.Contains(r.Header.Get("Authorization"), "/s3/aws4_request") {
		limit = maxObject
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, nil, wire.Errorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "the poolferry sandbox takes requests of up to %d bytes", limit)
		}
		return nil, nil, wire.Errorf(http.StatusBadRequest, "RequestTimeout", "the request ended early")
	}
	call.Body = body
	if service, err = s.identify(r, call); err != nil {
		return service, nil, err
	}
	if call.Operation, err = service.Operation(r, body); err != nil {
		return service, nil, err
	}
	if account, region, public := service.Home(call.Operation, body); public {
		call.Account, call.Region = account, region
	} else if !call.Caller.Signed() {
		return service, nil, missingToken()
	}
	call.Authorize = func(action, resource string) error { return s.IAM.Authorize(call.Caller, action, resource) }
	if err := s.turnKnobs(r.Context(), service, call); err != nil {
		return service, nil, err
	}
	reply, err = service.Serve(r.Context(), call)
	if err == nil && reply == nil {
		err = fmt.Errorf("%s.%s gave neither answer nor error", service.Name(), call.Operation)
	}
	return service, reply, err
}

// identify finds the service and, where the request is signed, the caller.
func (s *Sandbox) identify(r *http.Request, call *wire.Call) (wire.Service, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		if r.URL.Query().Has("X-Amz-Algorithm") {
			return nil, wire.Unsupported("signature in", "query")
		}
		if service := s.services["cognito-idp"]; service != nil && strings.HasPrefix(r.Header.Get("X-Amz-Target"), cognitoTarget) {
			return service, nil
		}
		return nil, missingToken()
	}
	signature, err := sigv4.Parse(header)
	if err != nil {
		return nil, err
	}
	service := s.services[signature.Service]
	if service == nil {
		return nil, wire.Unsupported("service", signature.Service)
	}
	caller, secret, err := s.IAM.Lookup(signature.AccessKey, r.Header.Get("X-Amz-Security-Token"))
	if err != nil {
		return service, err
	}
	if err := signature.Verify(r, call.Body, secret, s.now()); err != nil {
		return service, err
	}
	call.Caller, call.Account, call.Region = caller, caller.Account, signature.Region
	return service, nil
}

// turnKnobs makes the call late, throttled or failed, as it was asked for.
func (s *Sandbox) turnKnobs(ctx context.Context, service wire.Service, call *wire.Call) error {
	if err := sleep(ctx, s.clock.Of(service.Name(), call.Operation, call.Region)); err != nil {
		return err
	}
	if s.quotas != nil {
		category, perSecond := service.Quota(call.Operation)
		if !s.quotas.Allow(call.Account, call.Region, service.Name()+"/"+category, perSecond, s.now()) {
			return knobs.Throttled(service.Name())
		}
	}
	inject := s.injector.Draw(s.faultTargets(service, call)...)
	if err := sleep(ctx, inject.Delay); err != nil {
		return err
	}
	switch {
	case inject.Throttle:
		return knobs.Throttled(service.Name())
	case inject.Error:
		return knobs.Failed(service.Name())
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if err := knobs.Sleep(ctx, d); err != nil {
		return wire.Errorf(http.StatusServiceUnavailable, "RequestCanceled", "the client went away")
	}
	return nil
}

// uploader takes files that are sent to a pre-signed URL.
type uploader interface {
	Uploads(r *http.Request) bool
}

// page returns who answers a request that is no API call: an unsigned GET, or an
// upload.
func (s *Sandbox) page(r *http.Request) http.Handler {
	if r.Header.Get("Authorization") != "" {
		return nil
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	for _, service := range s.services {
		pages, ok := service.(http.Handler)
		if takes, is := service.(uploader); ok && (read || is && takes.Uploads(r)) {
			return pages
		}
	}
	return nil
}

func (s *Sandbox) serveHealth(w http.ResponseWriter) {
	reply, err := wire.JSONReply(map[string]any{"status": "ok", "services": slices.Sorted(maps.Keys(s.services))})
	if err != nil {
		wire.WriteError(w, wire.RESTJSON, "", wire.AsError(err))
		return
	}
	wire.WriteReply(w, wire.RESTJSON, "", reply)
}

func missingToken() error {
	return wire.Errorf(http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
}

// guessProtocol is how to answer a request whose service is unknown.
func guessProtocol(r *http.Request) wire.Protocol {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return wire.Query
	}
	return wire.JSON11
}

// renamed are the names that services with the query protocol and S3 have for
// the errors of signatures and policies.
var renamed = map[wire.Protocol]map[string]string{
	wire.Query: {
		"AccessDeniedException":               "AccessDenied",
		"ExpiredTokenException":               "ExpiredToken",
		"IncompleteSignatureException":        "IncompleteSignature",
		"InvalidSignatureException":           "SignatureDoesNotMatch",
		"MissingAuthenticationTokenException": "MissingAuthenticationToken",
		"UnrecognizedClientException":         "InvalidClientTokenId",
	},
	wire.RESTXML: {
		"AccessDeniedException":               "AccessDenied",
		"ExpiredTokenException":               "ExpiredToken",
		"IncompleteSignatureException":        "AuthorizationHeaderMalformed",
		"InvalidSignatureException":           "SignatureDoesNotMatch",
		"MissingAuthenticationTokenException": "AccessDenied",
		"UnrecognizedClientException":         "InvalidAccessKeyId",
	},
}

// inProtocol gives errors of signatures and policies the code and status that
// they have in a protocol: JSON services answer 400, the others 403.
func inProtocol(p wire.Protocol, err *wire.Error) *wire.Error {
	if _, known := renamed[wire.Query][err.Code]; !known || p == wire.JSON10 || p == wire.JSON11 {
		return err
	}
	out := *err
	if err.Code != "IncompleteSignatureException" && (p != wire.RESTXML || err.Code != "ExpiredTokenException") {
		out.Status = http.StatusForbidden
	}
	if code, ok := renamed[p][err.Code]; ok {
		out.Code = code
	}
	return &out
}
