package asl

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/template"
)

// Limits of definitions (Step Functions quotas).
const (
	maxDefinition = 1 << 20
	maxName       = 80
	maxSeconds    = 99999999 // of seconds, and of what else is counted
)

// Resources are the integrations that a Task may name.
type Resources interface {
	// Parameters are those that a resource such as "lambda:invoke" takes; ok is
	// false for one that is not there.
	Parameters(resource string) (required, optional []string, ok bool)
	// Objects reports whether there is an S3 for ItemReader and ResultWriter.
	Objects() bool
}

// Parse reads a definition for a state machine of type EXPRESS or STANDARD. The
// error is a *DefinitionError for what AWS refuses and otherwise an
// *UnsupportedError for what the sandbox does not know.
func Parse(definition []byte, express bool, resources Resources) (*Machine, error) {
	r := &reader{express: express, resources: resources, names: map[string]string{}}
	v, err := data.Parse(definition)
	top, isObject := v.(map[string]any)
	blank := len(bytes.TrimSpace(definition)) == 0 // to AWS's parser that is JSON, though nothing
	switch {
	case err != nil && !blank:
		return nil, &DefinitionError{[]Diagnostic{{Code: InvalidJSON, Message: err.Error()}}}
	case !isObject:
		return nil, &DefinitionError{[]Diagnostic{{Code: SchemaFailed, Message: "Definition must be a valid JSON object"}}}
	case len(definition) > maxDefinition:
		return nil, &DefinitionError{[]Diagnostic{{Code: SchemaFailed, Message: fmt.Sprintf("Definition must not be longer than %d bytes", maxDefinition)}}}
	}
	o := object{reader: r, fields: maps.Clone(top)}
	o.text("Comment")
	if version := o.text("Version"); version != "" && version != "1.0" {
		r.refuse("/Version", "Value must be '1.0'")
	}
	o.queryLanguage()
	m := &Machine{Timeout: o.number("TimeoutSeconds", 1, maxSeconds, 0)}
	r.states(o, m)
	o.done()
	if len(r.diagnostics) == 0 {
		r.checkTransitions("", m)
		r.checkVariables(m, nil)
	}
	switch {
	case len(r.diagnostics) > 0:
		return nil, &DefinitionError{r.diagnostics}
	case r.unsupported != nil:
		return nil, r.unsupported
	}
	return m, nil
}

// queryLanguage takes the field: only JSONPath is supported.
func (o object) queryLanguage() {
	switch language := o.text("QueryLanguage"); language {
	case "", "JSONPath":
	case "JSONata":
		o.unsupport(o.below("QueryLanguage"), "QueryLanguage JSONata")
	default:
		o.refuse(o.below("QueryLanguage"), "Value is not one of [JSONPath, JSONata]")
	}
}

// states reads StartAt and States.
func (r *reader) states(o object, m *Machine) {
	m.StartAt, m.States = o.required("StartAt"), map[string]*State{}
	raw, ok := o.take("States")
	if !ok {
		r.refuse(o.at, "Missing required field 'States'")
		return
	}
	states, ok := r.object(o.below("States"), raw)
	if ok && len(states.fields) == 0 {
		r.refuse(states.at, "The state machine must have at least one state")
	}
	for _, name := range slices.Sorted(maps.Keys(states.fields)) {
		at := states.below(name)
		if other, taken := r.names[name]; taken {
			r.diagnostics = append(r.diagnostics, Diagnostic{Code: DuplicateName, Message: fmt.Sprintf("Duplicate State name: %s (see %s)", name, other), Location: at})
		}
		r.names[name] = at
		if utf8.RuneCountInString(name) > maxName {
			r.refuse(at, "State names must not be longer than %d characters", maxName)
		}
		if state, ok := r.object(at, states.fields[name]); ok {
			m.States[name] = r.state(name, state)
		}
	}
}

// jsonataFields are valid in states of the other query language alone.
var jsonataFields = []string{"Arguments", "Output", "Items"}

func (r *reader) state(name string, o object) *State {
	s := &State{Name: name, Type: Type(o.required("Type"))}
	o.text("Comment")
	o.queryLanguage()
	for _, field := range jsonataFields {
		if o.has(field) {
			o.take(field)
			r.refuse(o.at, "The QueryLanguage is set to 'JSONPath', but field '%s' is only supported for the 'JSONata' QueryLanguage", field)
		}
	}
	fields, known := map[Type]func(object, *State){
		Pass: r.pass, Task: r.task, Choice: r.choice, Wait: r.wait, Succeed: r.succeed, Fail: r.fail, Parallel: r.parallel, Map: r.mapState,
	}[s.Type]
	if !known {
		r.refuse(o.below("Type"), "Value is not one of [Pass, Task, Choice, Wait, Succeed, Fail, Parallel, Map]")
		return s
	}
	fields(o, s)
	o.done()
	return s
}

// transition takes Next or End.
func (o object) transition(s *State) {
	next := o.has("Next")
	s.Next, s.End = o.text("Next"), o.flag("End")
	if next == s.End {
		o.refuse(o.at, "Exactly one of 'Next' and 'End' is required")
	}
}

// filters takes InputPath and OutputPath.
func (o object) filters(s *State) {
	s.Input = o.filter("InputPath", o.path)
	s.Output = o.filter("OutputPath", o.path)
}

// assign takes the field Assign.
func (o object) assign() *template.Template {
	t := o.objectTemplate("Assign")
	if t != nil {
		for _, name := range t.Names() {
			if !variableName.MatchString(name) || name == "states" {
				o.refuse(o.below("Assign"), "'%s' is not a valid variable name", name)
			}
		}
	}
	return t
}
