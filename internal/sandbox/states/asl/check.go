package asl

import (
	"fmt"
	"maps"
	"slices"
)

// target is a transition and where it is written.
type target struct{ name, at string }

// targets are all transitions out of a state.
func targets(at string, s *State) []target {
	var out []target
	switch {
	case s.Type == Choice:
		for i, rule := range s.Choices {
			out = append(out, target{rule.Next, fmt.Sprintf("%s/Choices[%d]/Next", at, i)})
		}
		if s.Next != "" {
			out = append(out, target{s.Next, at + "/Default"})
		}
	case s.Next != "":
		out = append(out, target{s.Next, at + "/Next"})
	}
	for i, c := range s.Catch {
		out = append(out, target{c.Next, fmt.Sprintf("%s/Catch[%d]/Next", at, i)})
	}
	return out
}

// checkTransitions finds targets that do not exist, states that are never
// reached and machines without an end.
func (r *reader) checkTransitions(at string, m *Machine) {
	missing := func(t target) bool {
		if m.States[t.name] != nil {
			return false
		}
		r.diagnostics = append(r.diagnostics, Diagnostic{Code: MissingTarget, Message: "Missing 'Next' target: " + t.name, Location: t.at})
		return true
	}
	reached, terminal := map[string]bool{}, false
	if start := (target{m.StartAt, at + "/StartAt"}); !missing(start) {
		reached[m.StartAt] = true
	}
	queue := slices.Collect(maps.Keys(reached))
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		s, here := m.States[name], at+"/States/"+name
		terminal = terminal || s.End || s.Type == Succeed || s.Type == Fail
		for _, t := range targets(here, s) {
			missing(t)
		}
		for i, inner := range s.Branches {
			below := fmt.Sprintf("%s/Branches[%d]", here, i)
			if s.Type == Map {
				below = here + "/ItemProcessor"
			}
			r.checkTransitions(below, inner)
		}
	}
	if !terminal {
		r.diagnostics = append(r.diagnostics, Diagnostic{Code: MissingEnd, Message: "Workflow has no terminal state"})
		return
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, t := range targets("", m.States[name]) {
			if m.States[t.name] != nil && !reached[t.name] {
				reached[t.name] = true
				queue = append(queue, t.name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		if !reached[name] {
			r.diagnostics = append(r.diagnostics, Diagnostic{Code: MissingTarget, Message: fmt.Sprintf("State %q is not reachable.", name), Location: at + "/States/" + name})
		}
	}
}

// checkVariables refuses that a sub-machine assigns a variable which is
// assigned around it: the two would be hard to tell apart.
func (r *reader) checkVariables(m *Machine, outer map[string]bool) {
	own := maps.Clone(outer)
	if own == nil {
		own = map[string]bool{}
	}
	for name, s := range m.States {
		for _, variable := range assigned(s) {
			if outer[variable] {
				r.refuse(r.names[name]+"/Assign", "Variable '%s' is assigned in an outer scope", variable)
			}
			own[variable] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		for _, inner := range m.States[name].Branches {
			r.checkVariables(inner, own)
		}
	}
}

// assigned are the variables that a state assigns.
func assigned(s *State) []string {
	var names []string
	for _, t := range assigns(s) {
		names = append(names, t.Names()...)
	}
	return names
}
