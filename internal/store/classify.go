package store

import (
	"errors"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"poolferry/internal/fault"
)

// Codes of conditional writes (S3 User Guide, conditional writes).
const (
	codePrecondition = "PreconditionFailed"         // 412: the condition does not hold
	codeConflict     = "ConditionalRequestConflict" // 409: a delete came in between
)

// kinds maps S3's error codes to what a caller can do about them. A code that
// is not here is judged by its HTTP status. NoSuchBucket is not NotFound: a
// bucket that is missing must not look like a run that is to be begun.
var kinds = map[string]fault.Kind{
	"NoSuchKey":     fault.NotFound,
	"NoSuchVersion": fault.NotFound,
	"NotFound":      fault.NotFound,

	"SlowDown":             fault.Throttled,
	"Throttling":           fault.Throttled,
	"ThrottlingException":  fault.Throttled,
	"TooManyRequests":      fault.Throttled,
	"RequestLimitExceeded": fault.Throttled,
	// KMS, on behalf of a bucket that it encrypts.
	"KMS.ThrottlingException": fault.Throttled,

	"AccessDenied":          fault.Denied,
	"ExpiredToken":          fault.Denied,
	"InvalidAccessKeyId":    fault.Denied,
	"InvalidToken":          fault.Denied,
	"SignatureDoesNotMatch": fault.Denied,
	"RequestTimeTooSkewed":  fault.Denied,

	codePrecondition: fault.Conflict,
	codeConflict:     fault.Conflict,
}

func (b *S3) failed(what, key string, err error) error {
	kind := kindOf(err)
	if kind == fault.Denied && what == "get" {
		return fault.New(kind, "%s %s: %w (S3 says so of a key that does not exist, too, where the role lacks s3:ListBucket)", what, b.url(key), err)
	}
	return fault.New(kind, "%s %s: %w", what, b.url(key), err)
}

func (b *S3) failedPut(key string, when Condition, err error) error {
	kind := kindOf(err)
	_, match := when.Tag()
	switch {
	case when.absent && codeOf(err) == codePrecondition:
		return fault.New(fault.AlreadyExists, "put %s: it exists: %w", b.url(key), err)
	case match && kind == fault.NotFound:
		return fault.New(fault.Conflict, "put %s: it is gone: %w", b.url(key), err)
	}
	return fault.New(kind, "put %s: %w", b.url(key), err)
}

func kindOf(err error) fault.Kind {
	code := codeOf(err)
	if kind, ok := kinds[code]; ok {
		return kind
	}
	switch status := statusOf(err); {
	case code == "" && status == 0: // no answer: refused connection, time-out, cancelled context
		return fault.Unavailable
	case status >= http.StatusInternalServerError:
		return fault.Unavailable
	case status == http.StatusTooManyRequests:
		return fault.Throttled
	case status == http.StatusForbidden:
		return fault.Denied
	}
	return fault.Invalid
}

func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}
