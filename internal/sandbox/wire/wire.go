// Package wire is what the services of the sandbox share: an authenticated
// API call, its error, and how both look in AWS's wire protocols (JSON 1.0 and
// 1.1, query XML, REST JSON and XML, Smithy RPC v2 with CBOR).
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Caller is who signed a call. The zero Caller did not sign.
type Caller struct {
	Account   string // 12 digits
	ARN       string // of the user, or of the assumed-role session
	RoleARN   string // of the role behind a session; empty for a user
	UserID    string
	AccessKey string
}

// Signed reports whether the call carried a valid signature.
func (c Caller) Signed() bool { return c.Account != "" }

// Call is one API call, after its signature was checked.
type Call struct {
	Operation string // such as "AdminInitiateAuth"
	Account   string // whose resources it is about: the caller's account, or that of the unsigned call's client
	Region    string // from the credential scope, or that of the unsigned call's client
	Caller    Caller
	RequestID string
	Header    http.Header
	Path      string // escaped URL path
	Query     string // raw URL query
	Body      []byte
	// Authorize checks the caller's policies for an action such as
	// "cognito-idp:ListUsers" on a resource ARN. It returns an *Error of code
	// AccessDeniedException, as AWS does.
	Authorize func(action, resource string) error
}

// Reply is a successful answer.
type Reply struct {
	Status int // 0 means 200
	Header http.Header
	Body   []byte
}

// JSONReply marshals v into a Reply.
func JSONReply(v any) (*Reply, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &Reply{Body: bytes.TrimSuffix(buf.Bytes(), []byte("\n"))}, nil
}

// Protocol is how a service writes its answers and errors.
type Protocol int

// The protocols of the services that the sandbox speaks.
const (
	JSON10    Protocol = iota // Step Functions
	JSON11                    // Cognito
	Query                     // STS
	RESTJSON                  // Lambda, Scheduler
	RESTXML                   // S3
	RPCv2CBOR                 // CloudWatch
)

// Service is one AWS service in the sandbox.
type Service interface {
	// Name is the SigV4 signing name, such as "cognito-idp".
	Name() string
	// Protocol is how it writes errors.
	Protocol() Protocol
	// Operation names the operation that a request asks for; an *Error where
	// the service has none such.
	Operation(r *http.Request, body []byte) (string, error)
	// Home finds the account and region that an unsigned call is about, for
	// instance from the app client id. ok is false where the operation must be
	// signed.
	Home(operation string, body []byte) (account, region string, ok bool)
	// Quota names the request-rate category of an operation and its requests
	// per second, per account and region; zero means unlimited.
	Quota(operation string) (category string, perSecond float64)
	// Serve answers a call. Errors that are not an *Error are the sandbox's own
	// bugs and answered as InternalFailure.
	Serve(ctx context.Context, call *Call) (*Reply, error)
}

// Error is an AWS service error.
type Error struct {
	Code    string // such as "NotAuthorizedException"
	Message string
	Status  int // HTTP status
}

// Errorf returns an Error.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// AsError returns err as an *Error; anything else becomes InternalFailure.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Errorf(http.StatusInternalServerError, "InternalFailure", "sandbox: %v", err)
}

// Unsupported is the loud refusal of what the sandbox does not implement.
func Unsupported(what, name string) *Error {
	return Errorf(http.StatusBadRequest, "SandboxUnsupported", "the poolferry sandbox does not support %s %q", what, name)
}

// Decode reads a JSON request into v. A member that v does not have is refused
// loudly: a parameter that is silently ignored would make the sandbox lie.
func Decode(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return nil
		}
		return Errorf(http.StatusBadRequest, "SerializationException", "trailing data after the request")
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Unsupported("parameter", strings.Trim(field, `"`))
	}
	if errors.Is(err, io.EOF) {
		return Errorf(http.StatusBadRequest, "SerializationException", "empty request")
	}
	// Not err itself: it can quote the body, and a body can hold a password.
	return Errorf(http.StatusBadRequest, "SerializationException", "request is not valid JSON for this operation")
}

// Form reads the body of a call in the query protocol.
func Form(body []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, Errorf(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error")
	}
	return form, nil
}

// WriteError writes err in the protocol of a service.
func WriteError(w http.ResponseWriter, p Protocol, requestID string, err *Error) {
	h := w.Header()
	h.Set("X-Amzn-Requestid", requestID)
	switch p {
	case Query:
		fault := "Sender"
		if err.Status >= 500 {
			fault = "Receiver"
		}
		h.Set("Content-Type", "text/xml")
		w.WriteHeader(err.Status)
		_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
			fault, err.Code, xmlText(err.Message), requestID)
	case RESTXML:
		h.Set("X-Amz-Request-Id", requestID)
		h.Set("Content-Type", contentType(p))
		w.WriteHeader(err.Status)
		_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>",
			err.Code, xmlText(err.Message), requestID)
	case JSON10, JSON11:
		h.Set("Content-Type", contentType(p))
		h.Set("X-Amzn-Errortype", err.Code)
		w.WriteHeader(err.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": err.Code, "message": err.Message})
	case RESTJSON:
		h.Set("Content-Type", contentType(p))
		h.Set("X-Amzn-Errortype", err.Code)
		w.WriteHeader(err.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": err.Message})
	case RPCv2CBOR:
		h.Set("Content-Type", contentType(p))
		h.Set("Smithy-Protocol", smithyCBOR)
		w.WriteHeader(err.Status)
		_, _ = w.Write(errorInCBOR(err))
	}
}

// WriteReply writes a successful answer in the protocol of a service.
func WriteReply(w http.ResponseWriter, p Protocol, requestID string, reply *Reply) {
	h := w.Header()
	h.Set("X-Amzn-Requestid", requestID)
	h.Set("Content-Type", contentType(p))
	for name, values := range reply.Header {
		h[name] = values
	}
	switch p {
	case RESTXML:
		h.Set("X-Amz-Request-Id", requestID)
	case RPCv2CBOR:
		h.Set("Smithy-Protocol", smithyCBOR)
	}
	status := reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(reply.Body)
}

func contentType(p Protocol) string {
	switch p {
	case JSON10:
		return "application/x-amz-json-1.0"
	case JSON11:
		return "application/x-amz-json-1.1"
	case Query:
		return "text/xml"
	case RESTXML:
		return "application/xml"
	case RPCv2CBOR:
		return "application/cbor"
	default:
		return "application/json"
	}
}
