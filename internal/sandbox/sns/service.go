package sns

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/wire"
)

const (
	signingName = "sns"
	version     = "2010-03-31"
	namespace   = "http://sns.amazonaws.com/doc/2010-03-31/"
	pageSize    = 100 // topics of one ListTopics
)

// Service is SNS in all accounts and regions. It is safe for concurrent use.
type Service struct {
	now func() time.Time

	mu     sync.Mutex
	topics map[string]*topic // by ARN
}

type topic struct {
	account, region string
	messages        []Message
}

// Message is one publication.
type Message struct {
	ID         string
	Subject    string // empty means none
	Text       string
	Structure  string // "json" where Text holds one text per protocol, by name; else empty
	Attributes map[string]Attribute
	Time       time.Time
}

// Attribute is a typed value beside a message.
type Attribute struct {
	Type  string // such as "String" or "Number"
	Value string // base64 where the type is Binary
}

var _ wire.Service = (*Service)(nil)

// New returns an SNS without topics.
func New(now func() time.Time) *Service {
	return &Service{now: now, topics: map[string]*topic{}}
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// CreateTopic makes a topic, where there is none of that name yet, and returns
// its ARN.
func (s *Service) CreateTopic(account, region, name string) (string, error) {
	if !topicName.MatchString(name) {
		return "", invalid("Topic Name")
	}
	arn := fmt.Sprintf("arn:aws:sns:%s:%s:%s", region, account, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[arn] == nil {
		s.topics[arn] = &topic{account: account, region: region}
	}
	return arn, nil
}

// Messages returns what was published to a topic, in order; nothing for a topic
// that does not exist. A topic that is deleted takes its messages with it.
func (s *Service) Messages(topicARN string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[topicARN]; t != nil {
		return slices.Clone(t.messages)
	}
	return nil
}

// Name is the signing name.
func (*Service) Name() string { return signingName }

// Protocol is the query protocol.
func (*Service) Protocol() wire.Protocol { return wire.Query }

// Operations are the operations of the API that are served.
func (*Service) Operations() []string { return slices.Sorted(maps.Keys(operations)) }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is the rate of Publish in the smallest regions, and that of the
// operations on topics (SNS endpoints and quotas).
func (*Service) Quota(operation string) (category string, perSecond float64) {
	if operation == "Publish" {
		return operation, 300
	}
	return operation, 30
}

// operation is what serves an Action, and the parameters that it takes beside
// Action and Version.
type operation struct {
	serve      func(s *Service, call *wire.Call, form url.Values) (any, error)
	parameters *regexp.Regexp
}

var operations = map[string]operation{
	"CreateTopic":        {(*Service).createTopic, regexp.MustCompile(`^Name$`)},
	"DeleteTopic":        {(*Service).deleteTopic, regexp.MustCompile(`^TopicArn$`)},
	"GetTopicAttributes": {(*Service).getTopicAttributes, regexp.MustCompile(`^TopicArn$`)},
	"ListTopics":         {(*Service).listTopics, regexp.MustCompile(`^NextToken$`)},
	"Publish": {(*Service).publishCall, regexp.MustCompile(
		`^(TopicArn|Message|Subject|MessageStructure|MessageAttributes\.entry\.[0-9]+\.(Name|Value\.(DataType|StringValue|BinaryValue)))$`)},
}

// Operation reads the Action of a form.
func (*Service) Operation(r *http.Request, body []byte) (string, error) {
	form, err := wire.Form(body)
	if err != nil {
		return "", err
	}
	action := form.Get("Action")
	if _, known := operations[action]; !known || r.Method != http.MethodPost {
		return "", wire.Unsupported("SNS action", r.Method+" "+action)
	}
	return action, nil
}

// Serve answers a call.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	form, err := wire.Form(call.Body)
	if err != nil {
		return nil, err
	}
	op, known := operations[call.Operation]
	if !known {
		return nil, wire.Unsupported("SNS action", call.Operation)
	}
	if got := form.Get("Version"); got != version {
		return nil, wire.Unsupported("SNS version", got)
	}
	for name, values := range form {
		switch {
		case name == "Action" || name == "Version":
		case !op.parameters.MatchString(name):
			return nil, wire.Unsupported("parameter", name)
		case len(values) > 1:
			return nil, invalid(name + " is there twice")
		}
	}
	result, err := op.serve(s, call, form)
	if err != nil {
		return nil, err
	}
	return xmlReply(call.Operation, call.RequestID, result)
}

// xmlReply wraps a result, which may be nil, in the elements that every answer
// has.
func xmlReply(operation, requestID string, result any) (*wire.Reply, error) {
	answer := struct {
		XMLName   xml.Name
		Namespace string `xml:"xmlns,attr"`
		Result    any
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}{XMLName: xml.Name{Local: operation + "Response"}, Namespace: namespace, Result: result, RequestID: requestID}
	body, err := xml.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &wire.Reply{Body: body}, nil
}

// Errors, as SNS words them.

func invalid(what string) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameter", "Invalid parameter: %s", what)
}

func notFound() error { return wire.Errorf(http.StatusNotFound, "NotFound", "Topic does not exist") }

// authorize asks for a permission. SNS has a code of its own for a refusal.
func authorize(ask func(action, resource string) error, action, resource string) error {
	err := ask(action, resource)
	if err == nil {
		return nil
	}
	if refused := wire.AsError(err); refused.Code == "AccessDeniedException" {
		return wire.Errorf(http.StatusForbidden, "AuthorizationError", "%s", refused.Message)
	}
	return err
}

// find returns the topic of an ARN, as far as the caller may; s.mu is not held.
func (s *Service) find(ask func(action, resource string) error, action, arn, region string) (*topic, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != "aws" || parts[2] != signingName || parts[3] != region || !topicName.MatchString(parts[5]) {
		return nil, invalid("TopicArn")
	}
	if err := authorize(ask, action, arn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[arn]
	if t == nil {
		return nil, notFound()
	}
	return t, nil
}

func (s *Service) createTopic(call *wire.Call, form url.Values) (any, error) {
	name := form.Get("Name")
	if strings.HasSuffix(name, ".fifo") {
		return nil, wire.Unsupported("FIFO topic", name)
	}
	if err := authorize(call.Authorize, "sns:CreateTopic", fmt.Sprintf("arn:aws:sns:%s:%s:%s", call.Region, call.Account, name)); err != nil {
		return nil, err
	}
	arn, err := s.CreateTopic(call.Account, call.Region, name)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName  xml.Name `xml:"CreateTopicResult"`
		TopicArn string
	}{TopicArn: arn}, nil
}

// deleteTopic takes a topic that does not exist, too.
func (s *Service) deleteTopic(call *wire.Call, form url.Values) (any, error) {
	arn := form.Get("TopicArn")
	if _, err := s.find(call.Authorize, "sns:DeleteTopic", arn, call.Region); err != nil {
		if wire.AsError(err).Code == "NotFound" {
			return nil, nil
		}
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics, arn)
	return nil, nil
}

type entry struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func (s *Service) getTopicAttributes(call *wire.Call, form url.Values) (any, error) {
	arn := form.Get("TopicArn")
	t, err := s.find(call.Authorize, "sns:GetTopicAttributes", arn, call.Region)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName    xml.Name `xml:"GetTopicAttributesResult"`
		Attributes []entry  `xml:"Attributes>entry"`
	}{Attributes: []entry{
		{"TopicArn", arn}, {"Owner", t.account}, {"DisplayName", ""},
		{"SubscriptionsConfirmed", "0"}, {"SubscriptionsPending", "0"}, {"SubscriptionsDeleted", "0"},
	}}, nil
}

func (s *Service) listTopics(call *wire.Call, form url.Values) (any, error) {
	if err := authorize(call.Authorize, "sns:ListTopics", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var own []string
	for _, arn := range slices.Sorted(maps.Keys(s.topics)) {
		if t := s.topics[arn]; t.account == call.Account && t.region == call.Region {
			own = append(own, arn)
		}
	}
	start := 0
	if token := form.Get("NextToken"); token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(own) {
			return nil, invalid("NextToken")
		}
		start = n
	}
	end := min(start+pageSize, len(own))
	type member struct{ TopicArn string }
	out := struct {
		XMLName   xml.Name `xml:"ListTopicsResult"`
		Topics    []member `xml:"Topics>member"`
		NextToken string   `xml:",omitempty"`
	}{}
	for _, arn := range own[start:end] {
		out.Topics = append(out.Topics, member{arn})
	}
	if end < len(own) {
		out.NextToken = strconv.Itoa(end)
	}
	return out, nil
}
