package sns

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/wire"
)

// Integrations are what a state machine can call, for states.Options.
func (s *Service) Integrations() map[string]integration.Integration {
	return map[string]integration.Integration{
		"sns:publish": {
			Required: []string{"Message", "TopicArn"},
			Optional: []string{"MessageAttributes", "MessageStructure", "Subject"},
			Call:     s.publishTask,
		},
	}
}

func (s *Service) publishTask(_ context.Context, r integration.Request) (any, error) {
	p, err := readPublication(r)
	if err != nil {
		return nil, err
	}
	id, err := s.publish(r.Authorize, r.Region, p)
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return nil, failure(refused)
	}
	if err != nil {
		return nil, err
	}
	reply, err := xmlReply("Publish", wire.NewID(), publishResult{MessageID: id})
	if err != nil {
		return nil, err
	}
	return integration.Answer(map[string]any{"MessageId": id}, s.now(), map[string]string{
		"Content-Length": strconv.Itoa(len(reply.Body)),
		"Content-Type":   "text/xml",
	}), nil
}

// failure is a refusal by the names of the exception classes of the SDK. Two
// are not the code with Exception, and what SNS has no class of its own for is
// reported under its base class.
func failure(refused *wire.Error) error {
	failed := integration.Optimized("SNS", "AmazonSNS", refused)
	switch refused.Code {
	case "InvalidParameter", "NotFound", "AuthorizationError":
	case "ParameterValueInvalid":
		failed.Name = "SNS.InvalidParameterValueException"
	default:
		failed.Name = "SNS.AmazonSNSException"
	}
	return failed
}

// readPublication reads a Task's parameters. A message that is not a string is
// sent as the JSON that it is.
func readPublication(r integration.Request) (publication, error) {
	p := publication{}
	var err error
	if p.topic, err = r.Text("TopicArn"); err != nil {
		return p, err
	}
	var ok bool
	if p.text, ok = r.Parameters["Message"].(string); !ok {
		p.text = string(data.Encode(r.Parameters["Message"]))
	}
	if subject, given := r.Parameters["Subject"]; given {
		text, ok := subject.(string)
		if !ok {
			return p, wrongParameter("Subject", "must be a STRING")
		}
		p.subject = &text
	}
	if structure, given := r.Parameters["MessageStructure"]; given {
		if p.structure, ok = structure.(string); !ok {
			return p, wrongParameter("MessageStructure", "must be a STRING")
		}
	}
	p.attributes, err = readAttributes(r.Parameters["MessageAttributes"])
	return p, err
}

func readAttributes(given any) (map[string]Attribute, error) {
	if given == nil {
		return nil, nil
	}
	byName, ok := given.(map[string]any)
	if !ok {
		return nil, wrongParameter("MessageAttributes", "must be a MAP")
	}
	attributes := map[string]Attribute{}
	for name, value := range byName {
		members, ok := value.(map[string]any)
		if !ok {
			return nil, wrongParameter("MessageAttributes."+name, "must be a STRUCTURE")
		}
		texts := map[string]string{}
		for member, v := range members {
			if texts[member], ok = v.(string); !ok {
				return nil, wrongParameter("MessageAttributes."+name+"."+member, "must be a STRING")
			}
			if member != "DataType" && member != "StringValue" && member != "BinaryValue" {
				return nil, &integration.Error{Name: "States.Runtime", Cause: fmt.Sprintf("The field 'MessageAttributes.%s.%s' is not supported by Step Functions", name, member)}
			}
		}
		attributes[name] = typed(texts["DataType"], texts["StringValue"], texts["BinaryValue"])
	}
	return attributes, nil
}

func wrongParameter(name, why string) error {
	return &integration.Error{Name: "States.Runtime", Cause: fmt.Sprintf("The value for the field '%s' %s", name, why)}
}
