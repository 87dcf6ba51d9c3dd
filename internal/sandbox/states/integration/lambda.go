package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/wire"
)

// Functions are Lambda's: lambda.Service. An error that is a
// *lambda.FunctionError can also have a method ErrorDocument() []byte, the
// document that the function's runtime wrote.
type Functions interface {
	Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error)
}

// Lambda answers "lambda:invoke".
func Lambda(functions Functions, now func() time.Time) Integration {
	return Integration{
		Required: []string{"FunctionName"},
		Optional: []string{"Payload", "Qualifier"},
		Call: func(ctx context.Context, r Request) (any, error) {
			name, err := r.Text("FunctionName")
			if err != nil {
				return nil, err
			}
			arn := functionARN(r, name)
			if qualifier, ok := r.Parameters["Qualifier"].(string); ok {
				arn += ":" + qualifier
			}
			answer, err := invoke(ctx, functions, r, arn, payload(r.Parameters))
			if err != nil {
				return nil, compact(err)
			}
			if len(answer) > data.Limit {
				return nil, TooLarge("lambda")
			}
			return invocation(answer, now()), nil
		},
	}
}

// Function calls a function whose ARN is itself a Task's resource: the input is
// the event and the answer is the result.
func Function(ctx context.Context, functions Functions, r Request, arn string, input any) (any, error) {
	answer, err := invoke(ctx, functions, r, arn, data.Encode(input))
	if err != nil {
		return nil, err
	}
	if len(answer) > data.Limit {
		return nil, TooLarge(arn)
	}
	return parsed(answer), nil
}

// TooLarge is a result beyond the limit.
func TooLarge(name string) *Error {
	return &Error{Name: "States.DataLimitExceeded", Cause: fmt.Sprintf("The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", name)}
}

// functionARN completes what FunctionName may leave out.
func functionARN(r Request, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	if account, rest, ok := strings.Cut(name, ":function:"); ok {
		return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", r.Region, account, rest)
	}
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", r.Region, r.Account, name)
}

// payload is what the function gets: a string is sent as the JSON that it
// holds.
func payload(parameters map[string]any) []byte {
	value, given := parameters["Payload"]
	if text, ok := value.(string); ok {
		return []byte(text)
	}
	if !given {
		return nil
	}
	return data.Encode(value)
}

func invoke(ctx context.Context, functions Functions, r Request, arn string, event []byte) ([]byte, error) {
	qualified := arn
	if strings.Count(arn, ":") == 6 {
		qualified += ":$LATEST"
	}
	err := r.Authorize("lambda:InvokeFunction", arn)
	var answer []byte
	if err == nil {
		answer, err = functions.Invoke(ctx, qualified, event)
	}
	if err == nil {
		return answer, nil
	}
	if failed, ok := errors.AsType[*lambda.FunctionError](err); ok {
		return nil, &Error{Name: failed.Type, Cause: document(err, failed)}
	}
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return nil, Optimized("Lambda", "AWSLambda", refused)
	}
	return nil, err
}

// documented is an error of a function whose runtime wrote the error document
// itself, with more in it or in other words than FunctionError knows.
type documented interface {
	error
	ErrorDocument() []byte
}

// document is the error document that a failed function answers with.
func document(err error, failed *lambda.FunctionError) string {
	if raw, ok := errors.AsType[documented](err); ok {
		return string(raw.ErrorDocument())
	}
	members := map[string]any{"errorMessage": failed.Message, "errorType": failed.Type}
	if len(failed.StackTrace) > 0 {
		members["stackTrace"] = failed.StackTrace
	}
	return string(data.Encode(members))
}

// compact takes the white space out of the error document: so does this
// integration, while the function's ARN as a resource hands it on untouched.
func compact(err error) error {
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	var buf bytes.Buffer
	if json.Compact(&buf, []byte(failed.Cause)) != nil {
		return err
	}
	return &Error{Name: failed.Name, Cause: buf.String()}
}

// parsed is a function's answer as a value; one that is not JSON is a string.
func parsed(answer []byte) any {
	v, err := data.Parse(answer)
	if err != nil {
		return string(answer)
	}
	return v
}

// invocation is the answer of the Lambda API as the integration reports it.
func invocation(answer []byte, at time.Time) map[string]any {
	return Answer(map[string]any{
		"ExecutedVersion": "$LATEST",
		"Payload":         parsed(answer),
		"StatusCode":      json.Number("200"),
	}, at, map[string]string{
		"Connection":                     "keep-alive",
		"Content-Length":                 strconv.Itoa(len(answer)),
		"Content-Type":                   "application/json",
		"X-Amz-Executed-Version":         "$LATEST",
		"X-Amzn-Trace-Id":                "root=1-" + strconv.FormatInt(at.Unix(), 16) + "-" + strings.ReplaceAll(wire.NewID(), "-", "")[:24] + ";sampled=0",
		"x-amzn-Remapped-Content-Length": "0",
	})
}

// Answer adds to a result what the optimized integrations report of the HTTP
// answer.
func Answer(result map[string]any, at time.Time, headers map[string]string) map[string]any {
	id := wire.NewID()
	headers["Date"] = at.UTC().Format(http.TimeFormat)
	headers["x-amzn-RequestId"] = id
	single, all := map[string]any{}, map[string]any{}
	for name, value := range headers {
		single[name], all[name] = value, []any{value}
	}
	result["SdkHttpMetadata"] = map[string]any{"AllHttpHeaders": all, "HttpHeaders": single, "HttpStatusCode": json.Number("200")}
	result["SdkResponseMetadata"] = map[string]any{"RequestId": id}
	return result
}
