package states

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/wire"
)

// own are the integrations of Step Functions with itself.
func (s *Service) own() map[string]integration.Integration {
	start := func(call func(context.Context, integration.Request) (any, error)) integration.Integration {
		return integration.Integration{Required: []string{"StateMachineArn"}, Optional: []string{"Input", "Name"}, Call: call}
	}
	return map[string]integration.Integration{
		"states:startExecution":          start(s.nestedStart),
		"aws-sdk:sfn:startExecution":     start(s.sdkStart),
		"aws-sdk:sfn:startSyncExecution": start(s.sdkStartSync),
	}
}

// nested finds what a Task wants to start, as far as its role may.
func (s *Service) nested(r integration.Request, action string) (m *machine, name, input string, err error) {
	arn, err := r.Text("StateMachineArn")
	if err != nil {
		return nil, "", "", err
	}
	name, _ = r.Parameters["Name"].(string)
	switch given := r.Parameters["Input"].(type) {
	case nil:
	case string:
		input = given
	default:
		input = string(data.Encode(given))
	}
	if err := r.Authorize(action, arn); err != nil {
		return nil, "", "", err
	}
	m, err = s.machine(arn, r.Region)
	return m, name, input, err
}

func (s *Service) nestedExecution(ctx context.Context, r integration.Request) (*execution, error) {
	m, name, input, err := s.nested(r, "states:StartExecution")
	if err != nil {
		return nil, err
	}
	return s.start(ctx, m, name, input)
}

// nestedStart answers "states:startExecution".
func (s *Service) nestedStart(ctx context.Context, r integration.Request) (any, error) {
	e, err := s.nestedExecution(ctx, r)
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return nil, integration.Optimized("StepFunctions", "AWSStepFunctions", refused)
	}
	if err != nil {
		return nil, err
	}
	answer, err := wire.JSONReply(map[string]any{"executionArn": e.arn, "startDate": history.Seconds(e.started)})
	if err != nil {
		return nil, err
	}
	return integration.Answer(map[string]any{"ExecutionArn": e.arn, "StartDate": clock(e.started)}, s.o.Now(), map[string]string{
		"connection":     "keep-alive",
		"Content-Length": strconv.Itoa(len(answer.Body)),
		"Content-Type":   "application/x-amz-json-1.0",
	}), nil
}

func (s *Service) sdkStart(ctx context.Context, r integration.Request) (any, error) {
	e, err := s.nestedExecution(ctx, r)
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return nil, integration.SDK("Sfn", refused)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"ExecutionArn": e.arn, "StartDate": clock(e.started)}, nil
}

// sdkStartSync answers also when the execution failed: Status says so.
func (s *Service) sdkStartSync(ctx context.Context, r integration.Request) (any, error) {
	m, name, input, err := s.nested(r, "states:StartSyncExecution")
	var answer map[string]any
	if err == nil {
		answer, err = s.runSync(ctx, m, name, input)
	}
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return nil, integration.SDK("Sfn", refused)
	}
	if err != nil {
		return nil, err
	}
	return capitals(answer)
}

// capitals names members as SDK integrations do, StartDate for startDate, and
// writes times as they do.
func capitals(answer map[string]any) (any, error) {
	out := map[string]any{}
	for name, value := range answer {
		upper := strings.ToUpper(name[:1]) + name[1:]
		switch x := value.(type) {
		case json.Number: // the dates
			seconds, err := x.Float64()
			if err != nil {
				return nil, err
			}
			out[upper] = clock(time.UnixMilli(int64(math.Round(seconds * 1000))))
		case map[string]any:
			inner, err := capitals(x)
			if err != nil {
				return nil, err
			}
			out[upper] = inner
		default:
			out[upper] = x
		}
	}
	return data.Parse(data.Encode(out)) // numbers of Go become values
}

// clock writes a time as integrations report it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
