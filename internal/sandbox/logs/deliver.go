package logs

import (
	"fmt"
	"time"

	"poolferry/internal/sandbox/wire"
)

// Roles are IAM's: iam.Directory.
type Roles interface {
	AssumeForService(service, account, sourceARN, roleARN, sessionName string, life time.Duration) (wire.Caller, error)
	Authorize(c wire.Caller, action, resource string) error
}

// Delivery is one stream into which a service of AWS writes.
type Delivery struct {
	Service         string // such as cognito-idp.amazonaws.com
	SourceARN       string // on whose behalf it writes
	RoleARN         string
	Account, Region string
	Group, Stream   string
}

// Open assumes the role of a delivery and makes its group and stream. What it
// returns writes messages, each at the time at which it comes, for as long as the
// role may.
func (s *Service) Open(roles Roles, d Delivery) (write func(messages []string) error, err error) {
	const life = 12 * time.Hour // more than an import job may take
	caller, err := roles.AssumeForService(d.Service, d.Account, d.SourceARN, d.RoleARN, "delivery-"+wire.NewID()[:8], life)
	if err != nil {
		return nil, err
	}
	p := place{d.Account, d.Region, d.Group}
	for _, right := range []struct{ action, resource string }{
		{"logs:CreateLogGroup", arn(p, "")}, {"logs:CreateLogStream", arn(p, "")}, {"logs:DescribeLogStreams", arn(p, "")}, {"logs:PutLogEvents", arn(p, d.Stream)},
	} {
		if err := roles.Authorize(caller, right.action, right.resource); err != nil {
			return nil, fmt.Errorf("open %s of %s: %w", d.Stream, d.Group, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[p] == nil {
		s.groups[p] = map[string]*stream{}
	}
	if s.groups[p][d.Stream] == nil {
		s.groups[p][d.Stream] = &stream{name: d.Stream, created: s.now().UnixMilli()}
	}
	return func(messages []string) error {
		if err := roles.Authorize(caller, "logs:PutLogEvents", arn(p, d.Stream)); err != nil {
			return fmt.Errorf("write to %s of %s: %w", d.Stream, d.Group, err)
		}
		s.append(p, d.Stream, messages)
		return nil
	}, nil
}

func (s *Service) append(p place, name string, messages []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, at := s.groups[p][name], s.now().UnixMilli()
	for _, message := range messages {
		s.count++
		to.events = append(to.events, event{s.count, at, message})
	}
}

// Messages returns what a stream holds, for the program that runs the sandbox.
func (s *Service) Messages(account, region, group, stream string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.groups[place{account, region, group}][stream]
	if at == nil {
		return nil
	}
	var out []string
	for _, e := range at.events {
		out = append(out, e.message)
	}
	return out
}
