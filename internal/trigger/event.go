package trigger

import (
	"encoding/json"
	"fmt"
	"io"

	"poolferry/internal/trigger/envelope"
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

	received envelope.Received
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
func ParseEvent(payload []byte) (e Event, err error) {
	if err := envelope.Read("migration", payload, &e); err != nil {
		return Event{}, err
	}
	return e, nil
}

// UnmarshalJSON reads an event; unknown members are kept for MarshalJSON.
func (e *Event) UnmarshalJSON(data []byte) error {
	var in struct {
		envelope.Header
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
		received:      envelope.Keep(data),
	}
	for _, from := range []map[string]string{in.Request.ValidationData, in.Request.ClientMetadata} {
		for k, v := range from {
			e.Metadata[k] = v
		}
	}
	return nil
}

// MarshalJSON writes the whole event, as Cognito asks, with the response.
func (e Event) MarshalJSON() ([]byte, error) { return e.received.Answer(e.Response) }

// Format prints what kind of event it is: everything else is personal.
func (e Event) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "["+e.TriggerSource+" event]") }
