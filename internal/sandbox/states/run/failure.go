package run

import (
	"errors"
	"fmt"
	"slices"

	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/intrinsic"
)

// Names of errors that the interpreter itself reports (Amazon States Language,
// error names).
const (
	allErrors       = "States.ALL"
	taskFailed      = "States.TaskFailed"
	timeoutError    = "States.Timeout"
	heartbeatError  = "States.HeartbeatTimeout"
	runtimeError    = "States.Runtime"
	intrinsicError  = "States.IntrinsicFailure"
	resultPathError = "States.ResultPathMatchFailure"
	noChoiceError   = "States.NoChoiceMatched"
	limitError      = "States.DataLimitExceeded"
)

// failure is how something ended that did not succeed.
type failure struct {
	name, cause string // empty where AWS reports none
	fatal       bool
	aborted     bool // ended from outside: not a failure of its own
	silent      bool // the state has no event that says so
}

func aborted() *failure { return &failure{aborted: true, fatal: true} }

func (f *failure) details() history.Details {
	d := history.Details{}
	if f.name != "" {
		d["error"] = f.name
	}
	if f.cause != "" {
		d["cause"] = f.cause
	}
	return d
}

// output is what a Catcher hands on.
func (f *failure) output() any { return map[string]any{"Error": f.name, "Cause": f.cause} }

// matches reports whether a Retrier or Catcher for these errors is meant. The
// States.ALL of AWS does not match States.Runtime, which is always fatal.
func (f *failure) matches(names []string) bool {
	timedOut := f.name == timeoutError || f.name == heartbeatError
	return slices.ContainsFunc(names, func(name string) bool {
		return name == f.name || name == allErrors || name == taskFailed && !timedOut
	})
}

// fail is a fatal failure of the state itself.
func (v *visit) fail(name, format string, args ...any) *failure {
	return &failure{name: name, cause: v.where() + fmt.Sprintf(format, args...), fatal: true}
}

func (v *visit) where() string {
	return fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). ", v.state.Name, v.entered)
}

// broken is the failure of an evaluation.
func (v *visit) broken(err error) *failure {
	if wrong, ok := errors.AsType[*intrinsic.Error](err); ok {
		return &failure{name: intrinsicError, cause: v.where() + wrong.Error()}
	}
	return v.fail(runtimeError, "%s", err.Error())
}

func (v *visit) tooLarge() *failure {
	return &failure{name: limitError, cause: fmt.Sprintf("The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", v.state.Name), fatal: true}
}
