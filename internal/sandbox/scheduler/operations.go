package scheduler

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/sandbox/wire"
)

// writeInput is what CreateSchedule and UpdateSchedule take.
type writeInput struct {
	definition
	ClientToken string
	GroupName   string
}

// check refuses a name, group or token that no operation on one schedule takes,
// and callers who may not.
func (c caller) check(action, name, group, token string) error {
	switch {
	case !nameShape.MatchString(name):
		return constraint("name", "regular expression pattern: ^[0-9a-zA-Z-_.]+$ and length less than or equal to 64")
	case token != "" && !tokenShape.MatchString(token):
		return constraint("clientToken", "regular expression pattern: ^[a-zA-Z0-9-_]+$ and length less than or equal to 64")
	}
	if err := checkGroup(group); err != nil {
		return err
	}
	return c.authorize(action, c.arn(name))
}

// checkGroup: no groups can be made, so there is one.
func checkGroup(name string) error {
	if name != "" && name != defaultGroup {
		return notFound("Schedule group %s does not exist.", name)
	}
	return nil
}

// find returns a schedule; s.mu is held.
func (s *Service) find(c caller, name string) (*schedule, error) {
	if sc := s.schedules[c.arn(name)]; sc != nil {
		return sc, nil
	}
	return nil, notFound("Schedule %s does not exist.", name)
}

// checkRole asks whether the caller may hand the role to the scheduler, and the
// scheduler may become it.
func (s *Service) checkRole(c caller, role string) error {
	if err := c.authorize("iam:PassRole", role); err != nil {
		return err
	}
	if _, err := s.assume(role); err != nil {
		return invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
	}
	return nil
}

// write makes a schedule of a definition that is about to be put in the place
// of another, nil where it is new; s.mu is held.
func (s *Service) write(c caller, name string, d definition, old *schedule) (*schedule, error) {
	now := s.clock()
	sc := &schedule{
		account: c.account, region: c.region, name: name, arn: c.arn(name),
		definition: d, created: now, modified: now,
		// A rate that has no start begins at once (EventBridge Scheduler User
		// Guide, schedule types).
		anchor: now,
	}
	var before definition
	if old != nil {
		before = old.definition
		sc.created, sc.token, sc.request = old.created, old.token, old.request
	}
	var err error
	if sc.rule, err = sc.check(before, now); err != nil {
		return nil, err
	}
	if !machineShape.MatchString(sc.Target.Arn) { // what AWS takes and the sandbox cannot invoke
		return nil, wire.Unsupported("target", sc.Target.Arn)
	}
	if err := s.checkRole(c, sc.Target.RoleArn); err != nil {
		return nil, err
	}
	// A change of something else does not move the occurrences.
	if sc.State == enabled && before.State == enabled && sc.ScheduleExpression == before.ScheduleExpression &&
		sc.ScheduleExpressionTimezone == before.ScheduleExpressionTimezone && sc.StartDate.equal(before.StartDate) {
		sc.anchor = old.anchor
	}
	return sc, nil
}

// put lets a schedule take its place and arms it; s.mu is held. What it does at
// once counts as due.
func (s *Service) put(sc *schedule) {
	if old := s.schedules[sc.arn]; old != nil {
		old.disarm()
	}
	s.schedules[sc.arn] = sc
	after := s.clock()
	if sc.anchor.Equal(sc.modified) {
		after = sc.anchor.Add(-time.Nanosecond)
	}
	s.arm(sc, after)
}

func (s *Service) createCall(c caller, r request) (any, error) {
	var in writeInput
	if err := wire.Decode(r.body, &in); err != nil {
		return nil, err
	}
	if err := c.check("scheduler:CreateSchedule", r.name, in.GroupName, in.ClientToken); err != nil {
		return nil, err
	}
	request, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.schedules[c.arn(r.name)]; old != nil {
		switch {
		case in.ClientToken == "" || old.token != in.ClientToken:
			return nil, conflict("Schedule %s already exists.", r.name)
		case old.request != string(request):
			return nil, conflict("Schedule %s was created by another request with the same client token.", r.name)
		}
		return map[string]any{"ScheduleArn": old.arn}, nil
	}
	sc, err := s.write(c, r.name, in.definition, nil)
	if err != nil {
		return nil, err
	}
	sc.token, sc.request = in.ClientToken, string(request)
	s.put(sc)
	return map[string]any{"ScheduleArn": sc.arn}, nil
}

func (s *Service) updateCall(c caller, r request) (any, error) {
	var in writeInput
	if err := wire.Decode(r.body, &in); err != nil {
		return nil, err
	}
	return s.update(c, r.name, in)
}

// update writes the whole schedule: what is left out goes back to the value
// that this means, whatever it was before (EventBridge Scheduler API reference,
// UpdateSchedule).
func (s *Service) update(c caller, name string, in writeInput) (map[string]any, error) {
	if err := c.check("scheduler:UpdateSchedule", name, in.GroupName, in.ClientToken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.find(c, name)
	if err != nil {
		return nil, err
	}
	sc, err := s.write(c, name, in.definition, old)
	if err != nil {
		return nil, err
	}
	s.put(sc)
	return map[string]any{"ScheduleArn": sc.arn}, nil
}

// getOutput is a schedule as GetSchedule shows it.
type getOutput struct {
	definition
	Arn                  string
	CreationDate         stamp
	GroupName            string
	LastModificationDate stamp
	Name                 string
}

func (s *Service) getCall(c caller, r request) (any, error) {
	return s.get(c, r.name, r.query.Get("groupName"))
}

func (s *Service) get(c caller, name, group string) (getOutput, error) {
	if err := c.check("scheduler:GetSchedule", name, group, ""); err != nil {
		return getOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sc, err := s.find(c, name)
	if err != nil {
		return getOutput{}, err
	}
	return getOutput{
		definition: sc.definition, Arn: sc.arn, Name: sc.name, GroupName: defaultGroup,
		CreationDate: stamp{sc.created}, LastModificationDate: stamp{sc.modified},
	}, nil
}

// deleteCall answers a repeated request as it answered the first.
func (s *Service) deleteCall(c caller, r request) (any, error) {
	token := r.query.Get("clientToken")
	if err := c.check("scheduler:DeleteSchedule", r.name, r.query.Get("groupName"), token); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := c.arn(r.name) + " " + token
	sc, err := s.find(c, r.name)
	switch {
	case err != nil && token != "" && s.deleted[done]:
		return map[string]any{}, nil
	case err != nil:
		return nil, err
	}
	s.remove(sc)
	s.deleted[done] = true
	return map[string]any{}, nil
}

// remove deletes a schedule; s.mu is held.
func (s *Service) remove(sc *schedule) {
	sc.disarm()
	delete(s.schedules, sc.arn)
}

// pageSize is the most that one ListSchedules shows.
const pageSize = 100

// listCall lists by name. The token is the name after which the next page
// begins.
func (s *Service) listCall(c caller, r request) (any, error) {
	size := pageSize
	if text := r.query.Get("MaxResults"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > pageSize {
			return nil, constraint("maxResults", "value between 1 and %d", pageSize)
		}
	}
	state := r.query.Get("State")
	if state != "" && state != enabled && state != disabled {
		return nil, constraint("state", "enum value set: [ENABLED, DISABLED]")
	}
	if err := checkGroup(r.query.Get("ScheduleGroup")); err != nil {
		return nil, err
	}
	if err := c.authorize("scheduler:ListSchedules", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown, next := []any{}, ""
	for _, arn := range slices.Sorted(maps.Keys(s.schedules)) {
		sc := s.schedules[arn]
		if sc.account != c.account || sc.region != c.region || !strings.HasPrefix(sc.name, r.query.Get("NamePrefix")) ||
			state != "" && sc.State != state || sc.name <= r.query.Get("NextToken") {
			continue
		}
		if len(shown) == size {
			return map[string]any{"Schedules": shown, "NextToken": next}, nil
		}
		next = sc.name
		shown = append(shown, map[string]any{
			"Arn": sc.arn, "Name": sc.name, "GroupName": defaultGroup, "State": sc.State, "Target": map[string]any{"Arn": sc.Target.Arn},
			"CreationDate": stamp{sc.created}, "LastModificationDate": stamp{sc.modified},
		})
	}
	return map[string]any{"Schedules": shown}, nil
}
