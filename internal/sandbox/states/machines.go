package states

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/wire"
)

const (
	standard = "STANDARD"
	express  = "EXPRESS"
)

// machine is a state machine. A revision replaces its parts as a whole, so that
// running executions keep theirs.
type machine struct {
	account, region, name, arn, kind string
	created                          time.Time

	revision // guarded by Service.mu
}

type revision struct {
	id         string
	definition string
	parsed     *asl.Machine
	role       string
	caller     wire.Caller // a session of the role
	logging    *logging
}

// logging is a machine's loggingConfiguration.
type logging struct {
	Level                string           `json:"level,omitempty"` // ALL, ERROR, FATAL or OFF
	IncludeExecutionData bool             `json:"includeExecutionData"`
	Destinations         []map[string]any `json:"destinations,omitempty"`
}

// wants reports whether an event is to be logged.
func (l *logging) wants(e history.Event) bool {
	if l == nil {
		return false
	}
	switch l.Level {
	case "ALL":
		return true
	case "ERROR":
		return e.Failed()
	case "FATAL":
		return e.Fatal()
	}
	return false
}

func machineARN(account, region, name string) string {
	return fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", region, account, name)
}

// badName are the characters that names must not have, besides control
// characters (Step Functions API reference).
const badName = " <>{}[]?*\"#%\\^|~`$&,;:/"

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 80 || strings.ContainsAny(name, badName) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return refuse("InvalidName", "Invalid Name: '%s'", name)
	}
	return nil
}

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)

// session opens a session of a machine's role.
func (s *Service) session(role string) (wire.Caller, error) {
	const life = 365 * 24 * time.Hour // as long as the longest execution
	if !roleARN.MatchString(role) {
		return wire.Caller{}, refuse("InvalidArn", "Invalid Arn: 'Invalid Role Arn: %s'", role)
	}
	credentials, err := s.o.Roles.Session(role, "states-"+wire.NewID()[:8], life)
	if err != nil {
		return wire.Caller{}, refuse("AccessDeniedException", "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.")
	}
	caller, _, err := s.o.Roles.Lookup(credentials.AccessKeyID, credentials.SessionToken.Reveal())
	return caller, err
}

// parse reads a definition; the error is a *wire.Error.
func (s *Service) parse(definition, kind string) (*asl.Machine, error) {
	m, err := asl.Parse([]byte(definition), kind == express, s.resources)
	if wrong, ok := errors.AsType[*asl.DefinitionError](err); ok {
		return nil, refuse("InvalidDefinition", "Invalid State Machine Definition: '%s'", wrong)
	}
	if missing, ok := errors.AsType[*asl.UnsupportedError](err); ok {
		return nil, wire.Unsupported("in state machines", missing.Error())
	}
	return m, err
}

func checkKind(kind string) (string, error) {
	switch kind {
	case "":
		return standard, nil
	case standard, express:
		return kind, nil
	}
	return "", refuse("ValidationException", "1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]", kind)
}

func checkLogging(l *logging) error {
	if l != nil && !slices.Contains([]string{"", "ALL", "ERROR", "FATAL", "OFF"}, l.Level) {
		return refuse("InvalidLoggingConfiguration", "Invalid Logging Configuration: level '%s'", l.Level)
	}
	return nil
}

type createInput struct {
	Name                 string   `json:"name"`
	Definition           string   `json:"definition"`
	RoleARN              string   `json:"roleArn"`
	Type                 string   `json:"type"`
	LoggingConfiguration *logging `json:"loggingConfiguration"`
}

// createStateMachine is idempotent: for the same name, definition, type and
// logging it answers as if it had just created the machine, and leaves the role
// as it is (Step Functions API reference).
func (s *Service) createStateMachine(_ context.Context, call *wire.Call, in createInput) (any, error) {
	kind, err := checkKind(in.Type)
	if err != nil {
		return nil, err
	}
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if err := checkLogging(in.LoggingConfiguration); err != nil {
		return nil, err
	}
	m := &machine{account: call.Account, region: call.Region, name: in.Name, arn: machineARN(call.Account, call.Region, in.Name), kind: kind, created: s.o.Now()}
	if err := call.Authorize("states:CreateStateMachine", m.arn); err != nil {
		return nil, err
	}
	if err := call.Authorize("iam:PassRole", in.RoleARN); err != nil {
		return nil, err
	}
	m.revision = revision{id: wire.NewID(), definition: in.Definition, role: in.RoleARN, logging: in.LoggingConfiguration}
	if m.parsed, err = s.parse(in.Definition, kind); err != nil {
		return nil, err
	}
	if m.caller, err = s.session(in.RoleARN); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.machines[m.arn]; old != nil {
		if old.definition != m.definition || old.kind != m.kind || !reflect.DeepEqual(old.logging, m.logging) {
			return nil, refuse("StateMachineAlreadyExists", "State Machine Already Exists: '%s'", m.arn)
		}
		m = old
	}
	s.machines[m.arn] = m
	return map[string]any{"stateMachineArn": m.arn, "creationDate": history.Seconds(m.created)}, nil
}

type updateInput struct {
	StateMachineARN      string   `json:"stateMachineArn"`
	Definition           string   `json:"definition"`
	RoleARN              string   `json:"roleArn"`
	LoggingConfiguration *logging `json:"loggingConfiguration"`
}

// updateStateMachine changes what is given. Executions that run go on with what
// they began with.
func (s *Service) updateStateMachine(_ context.Context, call *wire.Call, in updateInput) (any, error) {
	m, err := s.authorized(call, "states:UpdateStateMachine", in.StateMachineARN)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	next := m.revision
	s.mu.Unlock()
	next.id = wire.NewID()
	switch {
	case in.Definition == "" && in.RoleARN == "" && in.LoggingConfiguration == nil:
		return nil, refuse("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	case in.Definition != "":
		next.definition = in.Definition
		if next.parsed, err = s.parse(in.Definition, m.kind); err != nil {
			return nil, err
		}
	}
	if in.RoleARN != "" {
		if err := call.Authorize("iam:PassRole", in.RoleARN); err != nil {
			return nil, err
		}
		next.role = in.RoleARN
		if next.caller, err = s.session(in.RoleARN); err != nil {
			return nil, err
		}
	}
	if in.LoggingConfiguration != nil {
		if err := checkLogging(in.LoggingConfiguration); err != nil {
			return nil, err
		}
		next.logging = in.LoggingConfiguration
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.revision = next
	return map[string]any{"updateDate": history.Seconds(s.o.Now()), "revisionId": next.id}, nil
}

type machineInput struct {
	StateMachineARN string `json:"stateMachineArn"`
}

// deleteStateMachine takes a machine that is not there, too. Executions that
// run go on to their ends.
func (s *Service) deleteStateMachine(_ context.Context, call *wire.Call, in machineInput) (any, error) {
	if err := call.Authorize("states:DeleteStateMachine", in.StateMachineARN); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.machines, in.StateMachineARN)
	return map[string]any{}, nil
}

func (s *Service) describeStateMachine(_ context.Context, call *wire.Call, in machineInput) (any, error) {
	m, err := s.authorized(call, "states:DescribeStateMachine", in.StateMachineARN)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	r := m.revision
	s.mu.Unlock()
	if r.logging == nil {
		r.logging = &logging{Level: "OFF"}
	}
	out := map[string]any{
		"stateMachineArn": m.arn, "name": m.name, "type": m.kind, "status": "ACTIVE", "creationDate": history.Seconds(m.created),
		"definition": r.definition, "roleArn": r.role, "revisionId": r.id, "loggingConfiguration": r.logging,
		"tracingConfiguration": map[string]any{"enabled": false}, "encryptionConfiguration": map[string]any{"type": "AWS_OWNED_KEY"},
	}
	if references := r.parsed.References(); len(references) > 0 {
		out["variableReferences"] = references
	}
	return out, nil
}

type listInput struct {
	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

func (s *Service) listStateMachines(_ context.Context, call *wire.Call, in listInput) (any, error) {
	if err := call.Authorize("states:ListStateMachines", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var own []*machine
	for _, arn := range slices.Sorted(maps.Keys(s.machines)) {
		if m := s.machines[arn]; m.account == call.Account && m.region == call.Region {
			own = append(own, m)
		}
	}
	return page("stateMachines", own, func(m *machine) any {
		return map[string]any{"stateMachineArn": m.arn, "name": m.name, "type": m.kind, "creationDate": history.Seconds(m.created)}
	}, in.MaxResults, in.NextToken)
}

// authorized checks that the caller may and finds the machine.
func (s *Service) authorized(call *wire.Call, action, arn string) (*machine, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return nil, refuse("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", arn)
	}
	if err := call.Authorize(action, arn); err != nil {
		return nil, err
	}
	return s.machine(arn, call.Region)
}

func (s *Service) machine(arn, region string) (*machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[arn]
	if m == nil || m.region != region {
		return nil, refuse("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
	}
	return m, nil
}

type validateInput struct {
	Definition string `json:"definition"`
	Type       string `json:"type"`
	Severity   string `json:"severity"`
	MaxResults int    `json:"maxResults"`
}

func (s *Service) validateDefinition(_ context.Context, call *wire.Call, in validateInput) (any, error) {
	kind, err := checkKind(in.Type)
	if err != nil {
		return nil, err
	}
	if err := call.Authorize("states:ValidateStateMachineDefinition", "*"); err != nil {
		return nil, err
	}
	_, err = asl.Parse([]byte(in.Definition), kind == express, s.resources)
	if missing, ok := errors.AsType[*asl.UnsupportedError](err); ok {
		return nil, wire.Unsupported("in state machines", missing.Error())
	}
	result, diagnostics := "OK", []any{}
	if wrong, ok := errors.AsType[*asl.DefinitionError](err); ok {
		result = "FAIL"
		for _, d := range wrong.Diagnostics {
			one := map[string]any{"severity": "ERROR", "code": d.Code, "message": d.Message}
			if d.Location != "" {
				one["location"] = d.Location
			}
			diagnostics = append(diagnostics, one)
		}
	}
	limit := in.MaxResults
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	truncated := len(diagnostics) > limit
	return map[string]any{"result": result, "diagnostics": diagnostics[:min(len(diagnostics), limit)], "truncated": truncated}, nil
}
