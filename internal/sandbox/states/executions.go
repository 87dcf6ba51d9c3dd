package states

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/run"
	"poolferry/internal/sandbox/wire"
)

type startInput struct {
	StateMachineARN string `json:"stateMachineArn"`
	Name            string `json:"name"`
	Input           string `json:"input"`
}

func (s *Service) startExecution(ctx context.Context, call *wire.Call, in startInput) (any, error) {
	m, err := s.authorized(call, "states:StartExecution", in.StateMachineARN)
	if err != nil {
		return nil, err
	}
	e, err := s.start(ctx, m, in.Name, in.Input)
	if err != nil {
		return nil, err
	}
	return map[string]any{"executionArn": e.arn, "startDate": history.Seconds(e.started)}, nil
}

// startSyncExecution runs an EXPRESS execution while the caller waits. It is
// delivered once at most, and ends when the caller goes away.
func (s *Service) startSyncExecution(ctx context.Context, call *wire.Call, in startInput) (any, error) {
	m, err := s.authorized(call, "states:StartSyncExecution", in.StateMachineARN)
	if err != nil {
		return nil, err
	}
	return s.runSync(ctx, m, in.Name, in.Input)
}

func (s *Service) runSync(ctx context.Context, m *machine, name, input string) (map[string]any, error) {
	if m.kind != express {
		return nil, errType()
	}
	e, err := s.prepare(m, name, input)
	if err != nil {
		return nil, err
	}
	if _, err := s.begin(ctx, e, 1); err != nil {
		return nil, err
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		e.stop(&run.Stop{})
		return nil, ctx.Err()
	}
	outcome, ended := s.outcomeOf(e)
	took := ended.Sub(e.started)
	out := e.describe(outcome, ended)
	delete(out, "redriveCount")
	const slice = 100 * time.Millisecond // what time is billed in
	out["billingDetails"] = map[string]any{
		"billedMemoryUsedInMB":         64,
		"billedDurationInMilliseconds": max(took+slice-1, slice).Truncate(slice).Milliseconds(),
	}
	return out, nil
}

func errType() error {
	return refuse("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
}

// describe is what the API says about an execution.
func (e *execution) describe(outcome run.Outcome, ended time.Time) map[string]any {
	included := map[string]any{"included": true}
	out := map[string]any{
		"executionArn": e.arn, "stateMachineArn": e.machine.arn, "name": e.name, "status": outcome.Status,
		"startDate": history.Seconds(e.started), "input": e.inputText, "inputDetails": included, "redriveCount": 0,
	}
	if outcome.Status != run.Running {
		out["stopDate"] = history.Seconds(ended)
	}
	if outcome.Status == run.Succeeded {
		out["output"], out["outputDetails"] = string(data.Encode(outcome.Output)), included
	}
	if outcome.Error != "" {
		out["error"] = outcome.Error
	}
	if outcome.Cause != "" {
		out["cause"] = outcome.Cause
	}
	if e.mapRun != nil {
		out["mapRunArn"] = e.mapRun.arn
	}
	return out
}

// execution checks that the caller may and finds a STANDARD execution. EXPRESS
// executions cannot be asked about.
func (s *Service) execution(call *wire.Call, action, arn string) (*execution, error) {
	parts := strings.Split(arn, ":")
	switch {
	case len(parts) < 8 || parts[0] != "arn" || parts[2] != signingName:
		return nil, refuse("InvalidArn", "Invalid Arn: 'Invalid ARN: %s'", arn)
	case parts[5] != "execution":
		return nil, refuse("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: %s'", parts[5])
	}
	if err := call.Authorize(action, arn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.executions[arn]
	if e == nil || e.machine.region != call.Region {
		return nil, refuse("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
	}
	return e, nil
}

type executionInput struct {
	ExecutionARN string `json:"executionArn"`
	IncludedData string `json:"includedData"`
}

func (s *Service) describeExecution(_ context.Context, call *wire.Call, in executionInput) (any, error) {
	e, err := s.execution(call, "states:DescribeExecution", in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	if in.IncludedData != "" && in.IncludedData != "ALL_DATA" {
		return nil, wire.Unsupported("parameter includedData", in.IncludedData)
	}
	return e.describe(s.outcomeOf(e)), nil
}

type stopInput struct {
	ExecutionARN string `json:"executionArn"`
	Error        string `json:"error"`
	Cause        string `json:"cause"`
}

// stopExecution answers when the execution has ended. One that had ended before
// is left as it is.
func (s *Service) stopExecution(ctx context.Context, call *wire.Call, in stopInput) (any, error) {
	e, err := s.execution(call, "states:StopExecution", in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	e.stop(&run.Stop{Name: in.Error, Cause: in.Cause})
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	_, ended := s.outcomeOf(e)
	return map[string]any{"stopDate": history.Seconds(ended)}, nil
}

type listExecutionsInput struct {
	StateMachineARN string `json:"stateMachineArn"`
	MapRunARN       string `json:"mapRunArn"`
	StatusFilter    string `json:"statusFilter"`
	MaxResults      int    `json:"maxResults"`
	NextToken       string `json:"nextToken"`
}

// listExecutions lists the latest first, of a machine or of a Map Run.
func (s *Service) listExecutions(_ context.Context, call *wire.Call, in listExecutionsInput) (any, error) {
	m, parent, err := s.lists(call, in)
	if err != nil {
		return nil, err
	}
	if m.kind == express {
		return nil, errType()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.DeleteFunc(slices.Collect(maps.Values(s.executions)), func(e *execution) bool {
		return e.machine.arn != m.arn || e.mapRun != parent || in.StatusFilter != "" && string(e.outcome.Status) != in.StatusFilter
	})
	slices.SortFunc(found, func(a, b *execution) int {
		if order := b.started.Compare(a.started); order != 0 {
			return order
		}
		return strings.Compare(a.arn, b.arn)
	})
	return page("executions", found, func(e *execution) any {
		one := map[string]any{
			"executionArn": e.arn, "stateMachineArn": m.arn, "name": e.name,
			"status": e.outcome.Status, "startDate": history.Seconds(e.started), "redriveCount": 0,
		}
		if e.outcome.Status != run.Running {
			one["stopDate"] = history.Seconds(e.ended)
		}
		if parent != nil {
			one["mapRunArn"], one["itemCount"] = parent.arn, e.items
		}
		return one
	}, in.MaxResults, in.NextToken)
}

// lists finds out whose executions are to be listed; parent is nil unless they
// are those of a Map Run.
func (s *Service) lists(call *wire.Call, in listExecutionsInput) (m *machine, parent *mapRun, err error) {
	switch {
	case (in.StateMachineARN == "") == (in.MapRunARN == ""):
		return nil, nil, refuse("ValidationException", "Exactly one of stateMachineArn and mapRunArn must be specified")
	case in.MapRunARN == "":
		m, err = s.authorized(call, "states:ListExecutions", in.StateMachineARN)
		return m, nil, err
	}
	if parent, err = s.mapRun(call, "states:ListExecutions", in.MapRunARN); err != nil {
		return nil, nil, err
	}
	return parent.children, parent, nil
}

type historyInput struct {
	ExecutionARN         string `json:"executionArn"`
	MaxResults           int    `json:"maxResults"`
	NextToken            string `json:"nextToken"`
	ReverseOrder         bool   `json:"reverseOrder"`
	IncludeExecutionData *bool  `json:"includeExecutionData"`
}

func (s *Service) getExecutionHistory(_ context.Context, call *wire.Call, in historyInput) (any, error) {
	e, err := s.execution(call, "states:GetExecutionHistory", in.ExecutionARN)
	if err != nil {
		return nil, err
	}
	include := in.IncludeExecutionData == nil || *in.IncludeExecutionData
	s.mu.Lock()
	events := e.history.Events()
	s.mu.Unlock()
	if in.ReverseOrder {
		events = slices.Clone(events)
		slices.Reverse(events)
	}
	return page("events", events, func(e history.Event) any { return e.Wire(include) }, in.MaxResults, in.NextToken)
}

// page cuts a list into pages of up to 1000, 100 where nothing else is said.
// The token is the place where the next page begins.
func page[T any](name string, all []T, show func(T) any, size int, token string) (any, error) {
	start := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, refuse("InvalidToken", "Invalid Token: '%s'", token)
		}
		start = n
	}
	if size == 0 {
		size = 100
	}
	if size < 0 || size > 1000 {
		return nil, refuse("ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 0 and 1000", size)
	}
	end := min(start+size, len(all))
	shown := []any{}
	for _, one := range all[start:end] {
		shown = append(shown, show(one))
	}
	out := map[string]any{name: shown}
	if end < len(all) {
		out["nextToken"] = strconv.Itoa(end)
	}
	return out, nil
}
