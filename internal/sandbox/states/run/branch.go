package run

import (
	"maps"
	"sync/atomic"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/path"
)

type runner struct {
	*Execution
	transitions atomic.Int64
}

// branch is one thread of an execution.
type branch struct {
	*runner
	previous  int64 // id of the last event
	variables *variables
	item      map[string]any // the context object's Map, inside of a Map
	inside    asl.Type       // of the state that it is in, empty between states
}

// fork starts a thread inside of a Parallel or Map.
func (b *branch) fork(item map[string]any) *branch {
	if item == nil {
		item = b.item
	}
	return &branch{runner: b.runner, previous: b.previous, variables: &variables{outer: b.variables}, item: item}
}

func (b *branch) add(kind string, details history.Details) int64 {
	b.previous = b.History.Add(b.previous, kind, details)
	return b.previous
}

// variables are those of a branch; it sees the ones around it, as they are.
type variables struct {
	outer  *variables
	values map[string]any
}

func (v *variables) get(name string) (any, bool) {
	for ; v != nil; v = v.outer {
		if value, ok := v.values[name]; ok {
			return value, true
		}
	}
	return nil, false
}

// assign is only called while no inner branch runs.
func (v *variables) assign(values map[string]any) {
	if v.values == nil {
		v.values = map[string]any{}
	}
	maps.Copy(v.values, values)
}

// visit is one stay in a state.
type visit struct {
	*branch
	state    *asl.State
	entered  int64 // id of the event
	context  map[string]any
	raw      any            // the state's input
	data     any            // the same after InputPath
	assigned map[string]any // to be assigned when the state is left
}

func (b *branch) enter(s *asl.State, input any) *visit {
	b.transitions.Add(1)
	v := &visit{branch: b, state: s, raw: input}
	b.inside = s.Type
	v.entered = b.add(string(s.Type)+"StateEntered", history.Details{"name": s.Name, "input": text(input), "inputDetails": whole()})
	state := map[string]any{"Name": s.Name, "EnteredTime": clock(b.Now())}
	if s.Type == asl.Task || s.Type == asl.Map || s.Type == asl.Parallel {
		state["RetryCount"] = data.Number(0)
	}
	v.context = maps.Clone(b.Identity)
	v.context["State"] = state
	if b.item != nil {
		v.context["Map"] = b.item
	}
	return v
}

// retried counts a retry in the context object.
func (v *visit) retried(n int) {
	state := maps.Clone(v.context["State"].(map[string]any))
	state["RetryCount"] = data.Number(int64(n))
	v.context = maps.Clone(v.context)
	v.context["State"] = state
}

// leave records that the state the branch is in was ended from outside.
func (b *branch) leave() {
	switch b.inside {
	case asl.Task, asl.Wait, asl.Map, asl.Parallel:
		b.add(string(b.inside)+"StateAborted", nil)
	}
}

func (v *visit) exit(output any) {
	v.inside = ""
	if v.assigned != nil {
		v.variables.assign(v.assigned)
	}
	if v.state.Type != asl.Fail {
		v.add(string(v.state.Type)+"StateExited", history.Details{"name": v.state.Name, "output": text(output), "outputDetails": whole()})
	}
}

// scope is what paths see, with some value as the state's data.
func (v *visit) scope(value any) path.Scope {
	return path.Scope{Data: value, Context: v.context, Variables: v.variables.get}
}
