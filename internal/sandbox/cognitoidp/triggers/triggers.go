// Package triggers calls the Lambda functions of a user pool: user migration,
// pre sign-up, post confirmation, pre and post authentication, pre token
// generation (version 1 event).
//
// Vocabulary: a trigger is a function that Cognito calls and waits for; an
// attempt is one invocation; the answer is the event that comes back with its
// response member filled. Times and retries are those of the Cognito Developer
// Guide, customizing user pool workflows with Lambda triggers: five seconds, at
// most three attempts, none after an invocation that could not start.
package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"poolferry/internal/sandbox/wire"
)

// Invoker starts a function on behalf of a pool and waits for its answer. An error that is a
// FunctionError came from the function; any other means that it never ran.
type Invoker interface {
	Invoke(ctx context.Context, poolARN, functionARN string, payload []byte) ([]byte, error)
}

// FunctionError is what a function reported.
type FunctionError interface {
	error
	ErrorType() string
	ErrorMessage() string
}

// Runner calls triggers. Timeout is the limit of one attempt.
type Runner struct {
	Lambda  Invoker
	Timeout time.Duration
	Log     *slog.Logger
}

// Context is what every event says about where it comes from.
type Context struct {
	Region   string
	PoolID   string
	PoolARN  string // whom the function's resource policy has to admit
	ClientID string
	UserName string
}

// attempts is how often Cognito calls a function that does not answer in time.
const attempts = 3

// event is the part of an event that all triggers share. Its JSON names are
// those of the Developer Guide.
type event struct {
	Version       string        `json:"version"`
	TriggerSource string        `json:"triggerSource"`
	Region        string        `json:"region"`
	UserPoolID    string        `json:"userPoolId"`
	UserName      string        `json:"userName"`
	CallerContext callerContext `json:"callerContext"`
	Request       any           `json:"request"`
	Response      any           `json:"response"`

	poolARN string // on whose behalf the function is called
}

type callerContext struct {
	SDKVersion string `json:"awsSdkVersion"`
	ClientID   string `json:"clientId"`
}

func newEvent(c Context, source string, request, response any) event {
	return event{Version: "1", TriggerSource: source, Region: c.Region, UserPoolID: c.PoolID, UserName: c.UserName,
		CallerContext: callerContext{SDKVersion: "aws-sdk-unknown-unknown", ClientID: c.ClientID},
		Request:       request, Response: response, poolARN: c.PoolARN}
}

var (
	errTimeout   = errors.New("no answer in time")
	errMalformed = errors.New("answer is not the event with a response")
)

// run calls the function and returns the members of the answer's response.
// retryErrors says whether an error of the function is worth another attempt.
func (r *Runner) run(ctx context.Context, arn string, e event, retryErrors bool) (map[string]json.RawMessage, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, errMalformed // cannot happen: strings and maps of strings
	}
	for attempt := 1; ; attempt++ {
		var data []byte
		data, err = r.attempt(ctx, e.poolARN, arn, payload)
		_, reported := errors.AsType[FunctionError](err)
		if err == nil {
			return response(data, e)
		}
		r.Log.Warn("trigger failed", "trigger", e.TriggerSource, "pool", e.UserPoolID, "attempt", attempt, "timeout", errors.Is(err, errTimeout), "reported", reported)
		if attempt == attempts || ctx.Err() != nil || !errors.Is(err, errTimeout) && (!reported || !retryErrors) {
			return nil, err
		}
	}
}

// attempt does not wait for an invoker that ignores its context.
func (r *Runner) attempt(ctx context.Context, poolARN, arn string, payload []byte) ([]byte, error) {
	if r.Lambda == nil {
		return nil, errors.New("the sandbox has no Lambda service")
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := r.Lambda.Invoke(ctx, poolARN, arn, payload)
		done <- result{data, err}
	}()
	select {
	case got := <-done:
		if got.err != nil && ctx.Err() != nil {
			return nil, errTimeout
		}
		return got.data, got.err
	case <-ctx.Done():
		return nil, errTimeout
	}
}

// response checks that the whole event came back, as Cognito demands, and
// returns its response.
func response(data []byte, sent event) (map[string]json.RawMessage, error) {
	var got map[string]json.RawMessage // exact names: encoding/json folds case for structs
	if json.Unmarshal(data, &got) != nil {
		return nil, errMalformed
	}
	for name, want := range map[string]string{"version": sent.Version, "triggerSource": sent.TriggerSource, "userPoolId": sent.UserPoolID} {
		var text string
		if json.Unmarshal(got[name], &text) != nil || text != want {
			return nil, errMalformed
		}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(got["response"], &members) != nil || members == nil {
		return nil, errMalformed
	}
	return members, nil
}

// asError turns a failure of any trigger but migration into Cognito's error.
func asError(trigger string, err error) error {
	if f, ok := errors.AsType[FunctionError](err); ok {
		return wire.Errorf(http.StatusBadRequest, "UserLambdaValidationException", "%s failed with error %s.", trigger, f.ErrorMessage())
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errMalformed):
		return wire.Errorf(http.StatusBadRequest, "InvalidLambdaResponseException", "Unrecognizable lambda output")
	case errors.Is(err, errTimeout):
		return wire.Errorf(http.StatusBadRequest, "UnexpectedLambdaException", "%s invocation failed due to error: timed out.", trigger)
	}
	return wire.Errorf(http.StatusBadRequest, "UnexpectedLambdaException", "%s invocation failed.", trigger)
}

// PreAuthentication asks the trigger whether the sign-in may go on.
func (r *Runner) PreAuthentication(ctx context.Context, arn string, c Context, attributes, validationData map[string]string) error {
	request := map[string]any{"userAttributes": attributes, "validationData": orNull(validationData), "userNotFound": false}
	_, err := r.run(ctx, arn, newEvent(c, "PreAuthentication_Authentication", request, struct{}{}), false)
	return asError("PreAuthentication", err)
}

// PostAuthentication tells the trigger that a user has signed in.
func (r *Runner) PostAuthentication(ctx context.Context, arn string, c Context, attributes, metadata map[string]string) error {
	request := map[string]any{"userAttributes": attributes, "newDeviceUsed": false, "clientMetadata": orNull(metadata)}
	_, err := r.run(ctx, arn, newEvent(c, "PostAuthentication_Authentication", request, struct{}{}), false)
	return asError("PostAuthentication", err)
}

// orNull keeps an absent map null in the event, as Cognito sends it.
func orNull(m map[string]string) any {
	if len(m) == 0 {
		return nil
	}
	return m
}
