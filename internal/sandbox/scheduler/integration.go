package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/wire"
)

// Integrations are what a state machine can call, for states.Options.
func (s *Service) Integrations() map[string]integration.Integration {
	return map[string]integration.Integration{
		"aws-sdk:scheduler:getSchedule": {
			Required: []string{"Name"},
			Optional: []string{"GroupName"},
			Call:     s.getTask,
		},
		"aws-sdk:scheduler:updateSchedule": {
			Required: []string{"FlexibleTimeWindow", "Name", "ScheduleExpression", "Target"},
			Optional: []string{"ActionAfterCompletion", "ClientToken", "Description", "EndDate", "GroupName", "ScheduleExpressionTimezone", "StartDate", "State"},
			Call:     s.updateTask,
		},
	}
}

// isoTime is how SDK integrations write a time.
const isoTime = "2006-01-02T15:04:05.000Z"

// dates are the members that are times.
var dates = []string{"CreationDate", "EndDate", "LastModificationDate", "StartDate"}

func ofTask(r integration.Request) caller { return caller{r.Account, r.Region, r.Authorize} }

func (s *Service) getTask(_ context.Context, r integration.Request) (any, error) {
	name, err := r.Text("Name")
	if err != nil {
		return nil, err
	}
	group, err := optionalText(r, "GroupName")
	if err != nil {
		return nil, err
	}
	out, err := s.get(ofTask(r), name, group)
	if err != nil {
		return nil, failure(err)
	}
	return result(out)
}

func (s *Service) updateTask(_ context.Context, r integration.Request) (any, error) {
	name, err := r.Text("Name")
	if err != nil {
		return nil, err
	}
	if err := checkMembers("", r.Parameters, parameters); err != nil {
		return nil, err
	}
	members := map[string]any{}
	for member, value := range r.Parameters {
		switch {
		case member == "Name":
		case slices.Contains(dates, member) && value != nil:
			seconds, err := epoch(member, value)
			if err != nil {
				return nil, err
			}
			members[member] = seconds
		default:
			members[member] = value
		}
	}
	var in writeInput
	if wire.Decode(data.Encode(members), &in) != nil { // the names are known, so it is the type of a value
		return nil, wrongParameters("A value is not of the type that its field has")
	}
	out, err := s.update(ofTask(r), name, in)
	if err != nil {
		return nil, failure(err)
	}
	return result(out)
}

func optionalText(r integration.Request, name string) (string, error) {
	if r.Parameters[name] == nil {
		return "", nil
	}
	return r.Text(name)
}

// result writes an answer of the API as SDK integrations report it.
func result(answer any) (any, error) {
	reply, err := wire.JSONReply(answer)
	if err != nil {
		return nil, err
	}
	v, err := data.Parse(reply.Body)
	if err != nil {
		return nil, err
	}
	for member, value := range v.(map[string]any) {
		if !slices.Contains(dates, member) {
			continue
		}
		var t stamp
		if err := t.UnmarshalJSON([]byte(value.(json.Number))); err != nil {
			return nil, fmt.Errorf("read %s: %w", member, err)
		}
		v.(map[string]any)[member] = t.Format(isoTime)
	}
	return v, nil
}

// epoch is a time as SDK integrations take it, as the API takes it.
func epoch(member string, value any) (any, error) {
	text, _ := value.(string)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, wrongParameters("The value for the field '%s' must be a valid TIMESTAMP", member)
	}
	number, err := stamp{t}.MarshalJSON()
	return json.Number(number), err
}

// members are those that an object may have; nil stands for a value.
type members map[string]members

// parameters are those of updateSchedule, in the spelling that they must have.
var parameters = members{
	"ActionAfterCompletion": nil, "ClientToken": nil, "Description": nil, "EndDate": nil,
	"FlexibleTimeWindow": {"MaximumWindowInMinutes": nil, "Mode": nil},
	"GroupName":          nil, "Name": nil, "ScheduleExpression": nil, "ScheduleExpressionTimezone": nil, "StartDate": nil, "State": nil,
	"Target": {
		"Arn": nil, "DeadLetterConfig": {"Arn": nil}, "Input": nil,
		"RetryPolicy": {"MaximumEventAgeInSeconds": nil, "MaximumRetryAttempts": nil}, "RoleArn": nil,
	},
}

// checkMembers refuses what is not among the parameters, at any depth: a
// definition is checked for the names at the top alone.
func checkMembers(path string, given map[string]any, known members) error {
	for name, value := range given {
		below, ok := known[name]
		if !ok {
			return wrongParameters("The field '%s' is not supported by Step Functions", path+name)
		}
		if inner, isObject := value.(map[string]any); isObject {
			if err := checkMembers(path+name+".", inner, below); err != nil {
				return err
			}
		}
	}
	return nil
}

func wrongParameters(format string, args ...any) error {
	return &integration.Error{Name: "States.Runtime", Cause: "The Parameters could not be used to start the Task: [" + fmt.Sprintf(format, args...) + "]"}
}

// own are the errors that the SDK of the service has exception classes for;
// others are reported under its base class (EventBridge Scheduler API
// reference, errors).
var own = []string{"ConflictException", "InternalServerException", "ResourceNotFoundException", "ServiceQuotaExceededException", "ThrottlingException", "ValidationException"}

func failure(err error) error {
	refused, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return err
	}
	failed := integration.SDK("Scheduler", refused)
	if slices.Contains(own, refused.Code) {
		failed.Name = "Scheduler." + refused.Code
	}
	return failed
}
