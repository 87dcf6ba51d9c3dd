package logs

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/wire"
)

const (
	signingName = "logs"
	target      = "Logs_20140328."
)

// event is one line of a stream; at is milliseconds since 1970, number counts all
// events of the service.
type event struct {
	number  int64
	at      int64
	message string
}

// place is where a group is.
type place struct{ account, region, group string }

// stream is a log stream; events are in the order in which they came.
type stream struct {
	name    string
	created int64
	events  []event
}

// Service is CloudWatch Logs in all accounts and regions. It is safe for
// concurrent use.
type Service struct {
	now func() time.Time

	mu     sync.Mutex
	groups map[place]map[string]*stream
	count  int64 // of events
}

var _ wire.Service = (*Service)(nil)

// New returns a Service without groups.
func New(now func() time.Time) *Service {
	return &Service{now: now, groups: map[place]map[string]*stream{}}
}

// Name is the signing name.
func (*Service) Name() string { return signingName }

// Protocol is JSON 1.1.
func (*Service) Protocol() wire.Protocol { return wire.JSON11 }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is the rate of an operation in the smaller regions (CloudWatch Logs User
// Guide, quotas).
func (*Service) Quota(operation string) (category string, perSecond float64) {
	return operation, map[string]float64{"DescribeLogStreams": 25, "FilterLogEvents": 5, "GetLogEvents": 10}[operation]
}

var operations = map[string]func(*Service, *wire.Call) (any, error){
	"DescribeLogStreams": (*Service).describeStreams,
	"FilterLogEvents":    (*Service).filterEvents,
	"GetLogEvents":       (*Service).getEvents,
}

// Operations are those of the API that are served.
func (*Service) Operations() []string { return slices.Sorted(maps.Keys(operations)) }

// Operation reads X-Amz-Target.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	header := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(header, target)
	if operations[name] == nil || !ok {
		return "", wire.Unsupported("operation", header)
	}
	return name, nil
}

// Serve answers a call.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	op := operations[call.Operation]
	if op == nil {
		return nil, wire.Unsupported("operation", call.Operation)
	}
	out, err := op(s, call)
	if err != nil {
		return nil, err
	}
	return wire.JSONReply(out)
}

// arn is the resource of a right on a stream. IAM asks about a group as about a
// stream without a name.
func arn(p place, stream string) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s:log-stream:%s", p.region, p.account, p.group, stream)
}

// streams returns the streams of the group that a call names, as they are now,
// after the caller's policies allow the operation on what it asks for.
func (s *Service) streams(call *wire.Call, group, name string) (map[string]stream, error) {
	if n := len(group); n < 1 || n > 512 {
		return nil, invalid("1 validation error detected: Value at 'logGroupName' failed to satisfy constraint: Member must have length between 1 and 512")
	}
	p := place{call.Account, call.Region, group}
	if err := call.Authorize(signingName+":"+call.Operation, arn(p, name)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.groups[p]
	if !ok {
		return nil, notFound("group")
	}
	out := make(map[string]stream, len(found))
	for name, at := range found {
		out[name] = *at // whose events are only ever appended to
	}
	return out, nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameterException", format, args...)
}

func notFound(what string) error {
	return wire.Errorf(http.StatusBadRequest, "ResourceNotFoundException", "The specified log %s does not exist.", what)
}
