package sns

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"poolferry/internal/sandbox/wire"
)

// Limits of a message (SNS API reference, Publish).
const (
	maxMessage = 256 << 10 // bytes, attributes included
	maxSubject = 100       // characters
)

// publication is what somebody wants to publish.
type publication struct {
	topic, text, structure string
	subject                *string // nil means none
	attributes             map[string]Attribute
}

type publishResult struct {
	XMLName   xml.Name `xml:"PublishResult"`
	MessageID string   `xml:"MessageId"`
}

func (s *Service) publishCall(call *wire.Call, form url.Values) (any, error) {
	p := publication{topic: form.Get("TopicArn"), text: form.Get("Message"), structure: form.Get("MessageStructure")}
	if form.Has("Subject") {
		subject := form.Get("Subject")
		p.subject = &subject
	}
	var err error
	if p.attributes, err = formAttributes(form); err != nil {
		return nil, err
	}
	id, err := s.publish(call.Authorize, call.Region, p)
	if err != nil {
		return nil, err
	}
	return publishResult{MessageID: id}, nil
}

// publish keeps a message and returns its id. ask asks the caller's policies.
func (s *Service) publish(ask func(action, resource string) error, region string, p publication) (string, error) {
	if err := p.check(); err != nil {
		return "", err
	}
	t, err := s.find(ask, "sns:Publish", p.topic, region)
	if err != nil {
		return "", err
	}
	m := Message{ID: wire.NewID(), Text: p.text, Structure: p.structure, Attributes: p.attributes}
	if p.subject != nil {
		m.Subject = *p.subject
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Time = s.now()
	t.messages = append(t.messages, m)
	return m.ID, nil
}

func (p publication) check() error {
	size := len(p.text)
	for name, a := range p.attributes {
		if err := a.check(name); err != nil {
			return err
		}
		size += len(name) + len(a.Type) + len(a.Value)
	}
	switch {
	case p.text == "":
		return invalid("Empty message")
	case !utf8.ValidString(p.text):
		return invalid("Message")
	case size > maxMessage:
		return invalid("Message too long")
	case p.subject != nil && !isSubject(*p.subject):
		return invalid("Subject")
	}
	switch p.structure {
	case "":
		return nil
	case "json":
		return checkStructure(p.text)
	}
	return invalid("MessageStructure")
}

// isSubject: text without line breaks or control characters.
func isSubject(text string) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxSubject && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkStructure reads one text per protocol, of which there must be one for
// all others.
func checkStructure(text string) error {
	var texts map[string]any
	if json.Unmarshal([]byte(text), &texts) != nil || texts == nil {
		return invalid("Message Structure - JSON message body failed to parse")
	}
	if _, ok := texts["default"].(string); !ok {
		return invalid("Message Structure - No default entry in JSON message body")
	}
	return nil
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary|String\.Array)(\.[A-Za-z0-9_.-]+)?$`)
)

func (a Attribute) check(name string) error {
	refuse := func(why string) error {
		return wire.Errorf(http.StatusBadRequest, "ParameterValueInvalid", "The message attribute '%s' %s.", name, why)
	}
	binary := strings.HasPrefix(a.Type, "Binary")
	_, err := base64.StdEncoding.DecodeString(a.Value)
	switch {
	case !attributeName.MatchString(name):
		return refuse("has an invalid name")
	case !attributeType.MatchString(a.Type):
		return refuse("has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String")
	case a.Value == "" || !utf8.ValidString(a.Value):
		return refuse("must contain a non-empty message attribute value for its type")
	case binary && err != nil:
		return refuse("has a binary value that is not base64")
	}
	return nil
}

// typed is the attribute of a type that has one of two values.
func typed(kind, text, binary string) Attribute {
	if strings.HasPrefix(kind, "Binary") {
		return Attribute{Type: kind, Value: binary}
	}
	return Attribute{Type: kind, Value: text}
}

// formAttributes reads MessageAttributes.entry.1, .2 and so on.
func formAttributes(form url.Values) (map[string]Attribute, error) {
	var attributes map[string]Attribute
	used := 0
	for n := 1; ; n++ {
		prefix := fmt.Sprintf("MessageAttributes.entry.%d.", n)
		if !form.Has(prefix + "Name") {
			break
		}
		if attributes == nil {
			attributes = map[string]Attribute{}
		}
		attributes[form.Get(prefix+"Name")] = typed(form.Get(prefix+"Value.DataType"), form.Get(prefix+"Value.StringValue"), form.Get(prefix+"Value.BinaryValue"))
		for _, part := range []string{"Name", "Value.DataType", "Value.StringValue", "Value.BinaryValue"} {
			if form.Has(prefix + part) {
				used++
			}
		}
		if len(attributes) != n {
			return nil, invalid("MessageAttributes")
		}
	}
	for name := range form {
		if strings.HasPrefix(name, "MessageAttributes.") {
			used--
		}
	}
	if used != 0 { // a number was left out
		return nil, invalid("MessageAttributes")
	}
	return attributes, nil
}
