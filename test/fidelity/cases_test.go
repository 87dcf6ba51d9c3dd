package fidelity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

// recording is a file of cases.
type recording struct {
	Cases []recorded `json:"cases"`
}

// recorded is one case. Fields that are not needed to play it are left out.
type recorded struct {
	ID             string                     `json:"id"`
	Group          string                     `json:"group"`
	Kind           string                     `json:"kind"` // execution, syncExecution, create, start, startSync, validate or describe
	Type           string                     `json:"type"` // of the machine; empty means STANDARD
	Definition     json.RawMessage            `json:"definition"`
	DefinitionText *string                    `json:"definitionText"` // where the definition is no JSON object
	Input          json.RawMessage            `json:"input"`
	InputText      *string                    `json:"inputText"`
	InputOmitted   bool                       `json:"inputOmitted"`
	Lambdas        map[string]behaviour       `json:"lambdas"`
	StateMachines  map[string]json.RawMessage `json:"stateMachines"` // by ARN
	Stop           *struct{ Error, Cause string }
	Buckets        []string `json:"buckets"`
	Objects        []object `json:"s3"`
	Expect         expected `json:"expect"`
}

// object is an object in S3 that is there before the execution.
type object struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Text   string `json:"body"`
	Base64 []byte `json:"bodyBase64"` // where it is no text
}

func (o object) body() []byte {
	if o.Base64 != nil {
		return o.Base64
	}
	return []byte(o.Text)
}

// behaviour is what a function does.
type behaviour struct {
	Kind       string          `json:"kind"` // echo, return, rawResponse, raise or sleep
	Value      json.RawMessage `json:"value"`
	Body       string          `json:"body"`
	BodyRepeat *struct {
		Text  string `json:"text"`
		Count int    `json:"count"`
	} `json:"bodyRepeat"`
	ErrorType    string          `json:"errorType"`
	ErrorMessage string          `json:"errorMessage"`
	StackTrace   json.RawMessage `json:"stackTrace"`
	Seconds      int             `json:"seconds"`
}

// expected is what AWS answered; what is absent was not recorded.
type expected struct {
	Status             string              `json:"status"`
	Output             json.RawMessage     `json:"output"`
	Error              string              `json:"error"`
	Cause              *string             `json:"cause"`
	CauseJSON          json.RawMessage     `json:"causeJSON"`
	Message            string              `json:"message"`
	Diagnostics        json.RawMessage     `json:"diagnostics"`
	VariableReferences map[string][]string `json:"variableReferences"`
	MapRun             json.RawMessage     `json:"mapRun"` // DescribeMapRun of the only one
	Events             []event             `json:"events"`
	Sorted             bool                `json:"eventsSortedInParallel"`
}

// event is one of a history: its type, the state's name for events of states
// and iterations, and the index for those of iterations.
type event struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Index *int   `json:"index"`
}

func (e event) String() string {
	text := e.Type
	if e.Name != "" {
		text += " " + e.Name
	}
	if e.Index != nil {
		text += "#" + strconv.Itoa(*e.Index)
	}
	return text
}

func load(file string) (recording, error) {
	var r recording
	raw, err := os.ReadFile(file) //nolint:gosec // the file that the operator names
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Cases) == 0 {
		return r, fmt.Errorf("%s has no cases", file)
	}
	return r, nil
}

var later = regexp.MustCompile(`«now\+([0-9]+)d»`)

// input is the text that the execution gets, nil for none.
func (c recorded) input(now time.Time) *string {
	switch {
	case c.InputOmitted:
		return nil
	case c.InputText != nil:
		return c.InputText
	case c.Input == nil:
		return nil
	}
	text := later.ReplaceAllStringFunc(string(c.Input), func(found string) string {
		days, _ := strconv.Atoi(later.FindStringSubmatch(found)[1]) // digits only
		return now.AddDate(0, 0, days).UTC().Format("2006-01-02T15:04:05.000Z")
	})
	return &text
}

// definition is the text that CreateStateMachine gets. The names of states
// that are not ASCII do not matter here, so it is sent as it is in the file.
func (c recorded) definition() string {
	if c.DefinitionText != nil {
		return *c.DefinitionText
	}
	var text string
	if len(c.Definition) > 0 && c.Definition[0] == '"' && json.Unmarshal(c.Definition, &text) == nil {
		return text
	}
	return string(c.Definition)
}

// nested is the definition of a further machine.
func nested(raw json.RawMessage) (definition, kind string, err error) {
	var m struct {
		Definition json.RawMessage `json:"definition"`
		Type       string          `json:"type"`
	}
	err = json.Unmarshal(raw, &m)
	return string(m.Definition), m.Type, err
}

// pythonError is the error document of a function that raised, as the Python
// runtime writes it: with blanks, and with the id of the request.
func (b behaviour) pythonError(requestID string) []byte {
	trace := b.StackTrace
	if trace == nil {
		trace = json.RawMessage("[]")
	}
	var list []string
	var out bytes.Buffer
	_ = json.Unmarshal(trace, &list) // an array of strings in every case
	fmt.Fprintf(&out, `{"errorMessage": %s, "errorType": %s, "requestId": %s, "stackTrace": [`, quote(b.ErrorMessage), quote(b.ErrorType), quote(requestID))
	for i, line := range list {
		if i > 0 {
			out.WriteString(", ")
		}
		out.WriteString(quote(line))
	}
	out.WriteString("]}")
	return out.Bytes()
}

func quote(text string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // strings can be encoded
	return string(bytes.TrimSpace(out.Bytes()))
}
