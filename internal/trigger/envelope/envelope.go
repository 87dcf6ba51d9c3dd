// Package envelope is what the events of all of Cognito's triggers have in
// common, and how an event is answered (Cognito Developer Guide, Lambda
// triggers: common parameters).
//
// Vocabulary: the header are the members that every event has; an answer is the
// event as it was received, every member of it, known or not, with another
// response.
package envelope

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Header are the members that every event has. It is made to be embedded in the
// struct that an event is read into.
type Header struct {
	Version       string `json:"version"`
	TriggerSource string `json:"triggerSource"`
	Region        string `json:"region"`
	UserPoolID    string `json:"userPoolId"`
	UserName      string `json:"userName"`
	CallerContext struct {
		ClientID string `json:"clientId"`
	} `json:"callerContext"`
}

// Read reads an event. Its errors are of kind fault.Invalid and quote nothing of
// it; what names the kind of event, such as "migration".
func Read(what string, payload []byte, into any) error {
	if !utf8.Valid(payload) {
		return fault.New(fault.Invalid, "read %s event: it is not valid UTF-8", what)
	}
	if json.Unmarshal(payload, into) != nil {
		return fault.New(fault.Invalid, "read %s event: it does not have the form of a Cognito trigger event", what)
	}
	return nil
}

// Received is an event as it was received. It is kept as a Secret, for a
// migration event has the password in it. The zero value has no members.
type Received struct {
	event userpool.Secret
}

// Keep returns the event of some bytes, which are copied.
func Keep(payload []byte) Received { return Received{userpool.NewSecret(string(payload))} }

// Answer returns the whole event, as Cognito asks, with a response. An error
// quotes nothing of the event.
func (r Received) Answer(response any) ([]byte, error) {
	members := map[string]json.RawMessage{}
	if !r.event.Empty() {
		if json.Unmarshal([]byte(r.event.Reveal()), &members) != nil || members == nil {
			return nil, fault.New(fault.Invalid, "answer event: what was received is no JSON object")
		}
	}
	text, err := json.Marshal(response)
	if err != nil {
		return nil, fault.New(fault.Internal, "answer event: the response is no JSON: %w", err)
	}
	members["response"] = text
	return json.Marshal(members)
}

// Format prints nothing of the event.
func (Received) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[event]") }
