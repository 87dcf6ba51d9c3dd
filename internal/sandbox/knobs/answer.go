package knobs

import (
	"net/http"

	"poolferry/internal/sandbox/wire"
)

// Throttled is how a service, by its signing name, says that its quota is
// exhausted.
func Throttled(service string) *wire.Error {
	switch service {
	case "cognito-idp":
		return wire.Errorf(http.StatusBadRequest, "TooManyRequestsException", "Rate exceeded")
	case "sts":
		return wire.Errorf(http.StatusBadRequest, "Throttling", "Rate exceeded")
	case "lambda":
		return wire.Errorf(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	case "s3":
		return wire.Errorf(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	case "scheduler":
		return wire.Errorf(http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded")
	default:
		return wire.Errorf(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
	}
}

// Failed is how a service, by its signing name, says that it is broken.
func Failed(service string) *wire.Error {
	switch service {
	case "cognito-idp":
		return wire.Errorf(http.StatusInternalServerError, "InternalErrorException", "Internal error")
	case "lambda":
		return wire.Errorf(http.StatusInternalServerError, "ServiceException", "Internal failure")
	case "s3":
		return wire.Errorf(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
	case "scheduler":
		return wire.Errorf(http.StatusInternalServerError, "InternalServerException", "Internal failure")
	default:
		return wire.Errorf(http.StatusInternalServerError, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")
	}
}
