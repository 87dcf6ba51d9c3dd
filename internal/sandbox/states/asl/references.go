package asl

import (
	"maps"
	"slices"

	"poolferry/internal/sandbox/states/path"
	"poolferry/internal/sandbox/states/template"
)

// References lists the variables that states read, by state name, as
// DescribeStateMachine reports them. States that read none are not in it.
func (m *Machine) References() map[string][]string {
	out := map[string][]string{}
	for name, s := range m.States {
		read := map[string]bool{}
		s.variables(func(variable string) { read[variable] = true })
		if len(read) > 0 {
			out[name] = slices.Sorted(maps.Keys(read))
		}
		for _, inner := range s.Branches {
			maps.Copy(out, inner.References())
		}
	}
	return out
}

func (s *State) variables(add func(string)) {
	paths := []*path.Path{s.Input.Path, s.Output.Path, s.Timeout.Path, s.Heartbeat.Path, s.Seconds.Path, s.Until, &s.Items, s.Concurrency.Path}
	templates := append(assigns(s), s.Template, s.Selector)
	if s.Distributed != nil {
		morePaths, moreTemplates := s.Distributed.reads()
		paths, templates = append(paths, morePaths...), append(templates, moreTemplates...)
	}
	for _, p := range paths {
		if p != nil && p.Variable() != "" {
			add(p.Variable())
		}
	}
	for _, t := range templates {
		if t != nil {
			t.Variables(add)
		}
	}
	for _, e := range []*template.Expression{s.ErrorPath, s.CausePath} {
		if e != nil {
			e.Variables(add)
		}
	}
	for _, rule := range s.Choices {
		rule.Condition.Variables(add)
	}
}

// reads are the paths and templates of a Distributed Map alone; some are nil.
func (d *Distributed) reads() (paths []*path.Path, templates []*template.Template) {
	paths = []*path.Path{d.ToleratedCount.Path, d.ToleratedPercentage.Path}
	if d.Reader != nil {
		paths, templates = append(paths, d.Reader.MaxItems.Path), append(templates, d.Reader.Parameters)
	}
	if d.Batcher != nil {
		paths, templates = append(paths, d.Batcher.Items.Path, d.Batcher.Bytes.Path), append(templates, d.Batcher.Input)
	}
	if d.Writer != nil {
		templates = append(templates, d.Writer.Parameters)
	}
	return paths, templates
}

// assigns are all templates of a state that assign variables.
func assigns(s *State) []*template.Template {
	all := []*template.Template{s.Assign}
	for _, rule := range s.Choices {
		all = append(all, rule.Assign)
	}
	for _, c := range s.Catch {
		all = append(all, c.Assign)
	}
	return slices.DeleteFunc(all, func(t *template.Template) bool { return t == nil })
}
