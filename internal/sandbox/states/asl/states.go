package asl

import (
	"errors"
	"fmt"
	"regexp"

	"poolferry/internal/sandbox/states/choice"
	"poolferry/internal/sandbox/states/path"
	"poolferry/internal/sandbox/states/template"
)

var variableName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_]{0,79}$`)

func (r *reader) pass(o object, s *State) {
	o.transition(s)
	o.filters(s)
	s.Assign = o.assign()
	s.Template = o.template("Parameters")
	s.Result = o.filter("ResultPath", o.reference)
	if v, ok := o.take("Result"); ok {
		s.Fixed = &Fixed{v}
	}
}

func (r *reader) succeed(o object, s *State) { o.filters(s) }

func (r *reader) wait(o object, s *State) {
	o.transition(s)
	o.filters(s)
	s.Assign = o.assign()
	given := 0
	for _, name := range []string{"Seconds", "SecondsPath", "Timestamp", "TimestampPath"} {
		if o.has(name) {
			given++
		}
	}
	if given != 1 {
		r.refuse(o.at, "Exactly one of 'Seconds', 'SecondsPath', 'Timestamp' and 'TimestampPath' is required")
	}
	s.Seconds = o.quantity("Seconds", 0)
	s.Until = o.reference("TimestampPath")
	if !o.has("Timestamp") {
		return
	}
	s.Timestamp = o.text("Timestamp")
	if _, ok := choice.ParseTimestamp(s.Timestamp); !ok {
		r.refuse(o.below("Timestamp"), "String does not match RFC3339 timestamp")
	}
}

func (r *reader) fail(o object, s *State) {
	for _, name := range []string{"Error", "Cause"} {
		if o.has(name) && o.has(name+"Path") {
			r.refuse(o.at, "Only one of '%s' and '%sPath' is allowed", name, name)
		}
	}
	s.Error, s.Cause = o.text("Error"), o.text("Cause")
	s.ErrorPath, s.CausePath = o.expression("ErrorPath"), o.expression("CausePath")
}

// expression takes a path or an intrinsic function, nil where there is none.
func (o object) expression(name string) *template.Expression {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	text, isText := v.(string)
	e, err := template.ParseExpression(name, text)
	if !isText || err != nil {
		o.refuse(o.below(name), "Value must be a valid JSONPath or a valid intrinsic function call")
		return nil
	}
	return &e
}

func (r *reader) choice(o object, s *State) {
	o.filters(s)
	s.Assign = o.assign()
	s.Next = o.text("Default")
	rules := o.list("Choices")
	if len(rules) == 0 {
		r.refuse(o.below("Choices"), "Expected value of type [Array] that is not empty")
	}
	for i, raw := range rules {
		rule, ok := r.object(fmt.Sprintf("%s[%d]", o.below("Choices"), i), raw)
		if !ok {
			continue
		}
		rule.text("Comment")
		parsed := Rule{Next: rule.required("Next"), Assign: rule.assign()}
		if rule.has("Condition") {
			r.refuse(rule.at, "The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for the 'JSONata' QueryLanguage")
			continue
		}
		condition, err := choice.Parse(rule.fields)
		if wrong, ok := errors.AsType[*choice.SchemaError](err); ok {
			r.refuse(rule.at+wrong.At, "%s", wrong.Text)
		}
		parsed.Condition = condition
		s.Choices = append(s.Choices, parsed)
	}
}

func (r *reader) parallel(o object, s *State) {
	o.transition(s)
	o.filters(s)
	s.Assign = o.assign()
	o.results(s)
	o.handlers(s)
	s.Template = o.template("Parameters")
	branches := o.list("Branches")
	if len(branches) == 0 {
		r.refuse(o.below("Branches"), "Expected value of type [Array] that is not empty")
	}
	for i, raw := range branches {
		if branch, ok := r.object(fmt.Sprintf("%s[%d]", o.below("Branches"), i), raw); ok {
			s.Branches = append(s.Branches, r.subMachine(branch))
			branch.done()
		}
	}
}

func (r *reader) subMachine(o object) *Machine {
	m := &Machine{}
	o.text("Comment")
	r.states(o, m)
	return m
}

func (r *reader) mapState(o object, s *State) {
	o.transition(s)
	o.filters(s)
	s.Assign = o.assign()
	o.results(s)
	o.handlers(s)
	if o.has("Parameters") && o.has("ItemSelector") {
		r.refuse(o.at, "Only one of 'Parameters' and 'ItemSelector' is allowed")
	}
	if s.Template = o.template("ItemSelector"); s.Template == nil {
		s.Template = o.template("Parameters")
	}
	s.Items = path.Root()
	if p := o.reference("ItemsPath"); p != nil {
		s.Items = *p
	}
	s.Concurrency = o.quantity("MaxConcurrency", 0)
	name := "ItemProcessor"
	if o.has("Iterator") {
		name = "Iterator"
	}
	if !o.has(name) {
		r.refuse(o.at, "Missing required field 'ItemProcessor'")
		return
	}
	processor, ok := o.part(name)
	if !ok {
		return
	}
	outer := r.express
	switch mode, kind := processor.config(); {
	case mode != "DISTRIBUTED":
		o.inline()
	case outer:
		r.refuse(processor.below("ProcessorConfig/Mode"), "Express state machine does not support 'DISTRIBUTED' mode")
		o.distributed(false)
	default:
		s.Distributed = o.distributed(kind == "EXPRESS")
		r.express = s.Distributed.Express
	}
	s.Branches = []*Machine{r.subMachine(processor)}
	r.express = outer
	processor.done()
}

// config takes a ProcessorConfig.
func (o object) config() (mode, kind string) {
	config, ok := o.part("ProcessorConfig")
	if !ok {
		return "INLINE", ""
	}
	switch mode = config.text("Mode"); mode {
	case "", "INLINE":
		mode = "INLINE"
	case "DISTRIBUTED":
		switch kind = config.required("ExecutionType"); kind {
		case "STANDARD", "EXPRESS":
		default:
			o.refuse(config.below("ExecutionType"), "Value is not one of [STANDARD, EXPRESS]")
		}
	default:
		o.refuse(config.below("Mode"), "Value is not one of [INLINE, DISTRIBUTED]")
	}
	config.done()
	return mode, kind
}

// results takes ResultSelector and ResultPath.
func (o object) results(s *State) {
	s.Selector = o.objectTemplate("ResultSelector")
	s.Result = o.filter("ResultPath", o.reference)
}
