package trigger

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// The trigger sources of a migration event.
const (
	SourceAuthentication = "UserMigration_Authentication"
	SourceForgotPassword = "UserMigration_ForgotPassword"
)

// Event is Cognito's user migration event (Cognito Developer Guide, migrate
// user Lambda trigger). It is our own type because the one of aws-lambda-go
// has no enableSMSMFA, drops members that it does not know, holds the password
// as a string and cannot give an empty response.
//
// Marshalling gives back every member as it was received, known or not, with
// Response in place of the received response.
type Event struct {
	TriggerSource string
	Region        string
	UserPoolID    string
	UserName      string // as typed: a username or an alias
	ClientID      string
	Password      userpool.Secret // empty for a forgotten password
	// Metadata is what the app sent as ClientMetadata: it arrives as
	// validationData from InitiateAuth and as clientMetadata from
	// ForgotPassword.
	Metadata map[string]string
	Response Response

	received userpool.Secret // the whole event; a Secret because the password is in it
}

// Response is the answer to Cognito. The zero Response refuses, and marshals
// to {}.
type Response struct {
	UserAttributes         userpool.Attributes `json:"userAttributes,omitempty"`
	FinalUserStatus        string              `json:"finalUserStatus,omitempty"` // CONFIRMED or absent
	MessageAction          string              `json:"messageAction,omitempty"`   // SUPPRESS or absent
	DesiredDeliveryMediums []string            `json:"desiredDeliveryMediums,omitempty"`
	ForceAliasCreation     bool                `json:"forceAliasCreation,omitempty"`
	EnableSMSMFA           bool                `json:"enableSMSMFA,omitempty"`
}

// ParseEvent reads an event. Its errors are Invalid and quote nothing of it.
func ParseEvent(payload []byte) (Event, error) {
	if !utf8.Valid(payload) {
		return Event{}, fault.New(fault.Invalid, "read migration event: it is not valid UTF-8")
	}
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return Event{}, fault.New(fault.Invalid, "read migration event: it does not have the form of a Cognito trigger event")
	}
	return e, nil
}

// UnmarshalJSON reads an event; unknown members are kept for MarshalJSON.
func (e *Event) UnmarshalJSON(data []byte) error {
	var in struct {
		TriggerSource string `json:"triggerSource"`
		Region        string `json:"region"`
		UserPoolID    string `json:"userPoolId"`
		UserName      string `json:"userName"`
		CallerContext struct {
			ClientID string `json:"clientId"`
		} `json:"callerContext"`
		Request struct {
			Password       userpool.Secret   `json:"password"`
			ValidationData map[string]string `json:"validationData"`
			ClientMetadata map[string]string `json:"clientMetadata"`
		} `json:"request"`
		Response Response `json:"response"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*e = Event{
		TriggerSource: in.TriggerSource,
		Region:        in.Region,
		UserPoolID:    in.UserPoolID,
		UserName:      in.UserName,
		ClientID:      in.CallerContext.ClientID,
		Password:      in.Request.Password,
		Metadata:      make(map[string]string),
		Response:      in.Response,
		received:      userpool.NewSecret(string(data)),
	}
	for _, from := range []map[string]string{in.Request.ValidationData, in.Request.ClientMetadata} {
		for k, v := range from {
			e.Metadata[k] = v
		}
	}
	return nil
}

// MarshalJSON writes the whole event, as Cognito asks, with the response.
func (e Event) MarshalJSON() ([]byte, error) {
	members := map[string]json.RawMessage{}
	if !e.received.Empty() {
		if err := json.Unmarshal([]byte(e.received.Reveal()), &members); err != nil {
			return nil, fault.New(fault.Internal, "write migration event: the received event is gone")
		}
	}
	response, err := json.Marshal(e.Response)
	if err != nil {
		return nil, err
	}
	members["response"] = response
	return json.Marshal(members)
}

// Format prints what kind of event it is: everything else is personal.
func (e Event) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "["+e.TriggerSource+" event]") }
