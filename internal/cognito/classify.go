package cognito

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"poolferry/internal/fault"
	"poolferry/internal/trigger"
)

// kinds maps the error codes of Cognito and STS to what a caller can do about
// them. A code that is not here is Invalid if AWS blames the caller, otherwise
// Unavailable.
var kinds = map[string]fault.Kind{
	"TooManyRequestsException": fault.Throttled,
	"LimitExceededException":   fault.Throttled,
	"ThrottlingException":      fault.Throttled,
	"Throttling":               fault.Throttled,
	"RequestLimitExceeded":     fault.Throttled,

	"AccessDenied":                    fault.Denied,
	"AccessDeniedException":           fault.Denied,
	"ExpiredToken":                    fault.Denied,
	"ExpiredTokenException":           fault.Denied,
	"InvalidClientTokenId":            fault.Denied,
	"InvalidSignatureException":       fault.Denied,
	"MissingAuthenticationToken":      fault.Denied,
	"NotAuthorizedException":          fault.Denied,
	"RegionDisabledException":         fault.Denied,
	"SignatureDoesNotMatch":           fault.Denied,
	"UnrecognizedClientException":     fault.Denied,
	"ForbiddenException":              fault.Denied,
	"UserNotFoundException":           fault.NotFound,
	"UsernameExistsException":         fault.AlreadyExists,
	"AliasExistsException":            fault.AlreadyExists,
	"ConcurrentModificationException": fault.Conflict,

	// A trigger of the pool itself is broken.
	"UnexpectedLambdaException":      fault.Unavailable,
	"InvalidLambdaResponseException": fault.Unavailable,
	"InternalErrorException":         fault.Unavailable,
}

// classify gives an error of the SDK its kind. It returns nil for nil.
func classify(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: kindOf(err), Err: err}
}

func kindOf(err error) fault.Kind {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		// No answer at all: refused connection, time-out, cancelled context.
		return fault.Unavailable
	}
	if kind, ok := kinds[api.ErrorCode()]; ok {
		return kind
	}
	if api.ErrorFault() == smithy.FaultServer || failedAt(err) >= http.StatusInternalServerError {
		return fault.Unavailable
	}
	return fault.Invalid
}

// failedAt is the HTTP status of an answer, 0 where there was none. The SDK
// calls only those errors a server's fault that a service has in its model, and
// InternalFailure, which every service can answer, is in none.
func failedAt(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

// Code returns the AWS error code behind err, such as NotAuthorizedException,
// or "".
func Code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// notAuthorized lists what Cognito means by NotAuthorizedException, by the
// beginning of its message. Messages are no contract: one that is not here is a
// refused password, and never a reason to try again.
var notAuthorized = []struct {
	prefix   string
	standing trigger.Standing
}{
	{"User is disabled", trigger.UserDisabled},
	{"Password attempts exceeded", trigger.AttemptsExceeded},
	{"Temporary password has expired", trigger.ResetRequired},
}

// ourFault lists what in the message of a NotAuthorizedException is about our
// client secret or our role, not about the user.
var ourFault = []string{"Unable to verify secret hash", "SECRET_HASH was not received", "is not authorized to perform"}

// isOurFault reports whether a NotAuthorizedException is about us.
func isOurFault(err error) bool {
	return slices.ContainsFunc(ourFault, func(text string) bool { return strings.Contains(err.Error(), text) })
}

// refusal tells a pool's refusal of a user from trouble. ok is false where err
// is trouble.
func refusal(err error) (standing trigger.Standing, ok bool) {
	api, isAPI := errors.AsType[smithy.APIError](err)
	if !isAPI {
		return 0, false
	}
	switch api.ErrorCode() {
	case "UserNotFoundException":
		return trigger.NoSuchUser, true
	case "UserNotConfirmedException":
		return trigger.UserUnconfirmed, true
	case "PasswordResetRequiredException":
		return trigger.ResetRequired, true
	case "UserLambdaValidationException": // a trigger of the source pool refuses the sign-in
		return trigger.WrongPassword, true
	case "NotAuthorizedException":
		message := api.ErrorMessage()
		if isOurFault(api) {
			return 0, false
		}
		for _, m := range notAuthorized {
			if strings.HasPrefix(message, m.prefix) {
				return m.standing, true
			}
		}
		return trigger.WrongPassword, true
	}
	return 0, false
}

// codeRefusal tells a refused second factor from trouble.
func codeRefusal(err error) bool {
	switch Code(err) {
	case "CodeMismatchException", "ExpiredCodeException", "EnableSoftwareTokenMFAException", "NotAuthorizedException":
		return true
	}
	return false
}
