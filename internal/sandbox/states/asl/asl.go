// Package asl reads definitions in the Amazon States Language: what
// CreateStateMachine gets, checked as AWS checks it.
//
// Words: a definition is the text; a machine is what was read from it, and a
// sub-machine that of a Map's processor or of a branch; a diagnostic is why AWS
// refuses a definition; an unsupported field is valid on AWS and refused by the
// sandbox alone.
package asl

import (
	"fmt"
	"strings"

	"poolferry/internal/sandbox/states/choice"
	"poolferry/internal/sandbox/states/path"
	"poolferry/internal/sandbox/states/template"
)

// Machine is a state machine or a sub-machine.
type Machine struct {
	StartAt string
	States  map[string]*State
	Timeout int // seconds; 0 means none
}

// Type is a type of state.
type Type string

// The types.
const (
	Pass     Type = "Pass"
	Task     Type = "Task"
	Choice   Type = "Choice"
	Wait     Type = "Wait"
	Succeed  Type = "Succeed"
	Fail     Type = "Fail"
	Parallel Type = "Parallel"
	Map      Type = "Map"
)

// State is one state. Fields that its type does not have are zero.
type State struct {
	Name string
	Type Type
	Next string // empty for the last state of a machine
	End  bool

	Input    Filter             // InputPath
	Output   Filter             // OutputPath
	Result   Filter             // ResultPath
	Template *template.Template // Parameters; of a Map ItemSelector
	Selector *template.Template // ResultSelector
	Assign   *template.Template
	Fixed    *Fixed // Result of a Pass
	Retry    []Retrier
	Catch    []Catcher

	Resource  Resource // of a Task
	Timeout   Quantity // TimeoutSeconds of a Task
	Heartbeat Quantity // HeartbeatSeconds of a Task

	Choices []Rule // of a Choice; Next is then the Default

	Seconds   Quantity   // of a Wait
	Timestamp string     // of a Wait
	Until     *path.Path // TimestampPath of a Wait

	Error, Cause         string // of a Fail
	ErrorPath, CausePath *template.Expression

	Branches    []*Machine // of a Parallel; of a Map its processor
	Items       path.Path  // ItemsPath of a Map
	Concurrency Quantity   // MaxConcurrency of a Map; 0 means as the interpreter likes

	Distributed *Distributed // of a Map in that mode
}

// Filter is InputPath, OutputPath or ResultPath. The zero Filter lets
// everything through.
type Filter struct {
	Discard bool // null
	Path    *path.Path
}

// Fixed is a constant value.
type Fixed struct{ Value any }

// Quantity is a number that is constant or found by a path.
type Quantity struct {
	Value int
	Path  *path.Path
	Given bool
}

// Rule is one of a Choice's Choices.
type Rule struct {
	Condition choice.Condition
	Next      string
	Assign    *template.Template
}

// Retrier is one of a state's Retry.
type Retrier struct {
	Errors      []string
	Interval    int     // seconds
	MaxAttempts int     // without the first
	BackoffRate float64 // at least 1
	MaxDelay    int     // seconds; 0 means none
	FullJitter  bool
}

// Catcher is one of a state's Catch.
type Catcher struct {
	Errors []string
	Next   string
	Result Filter
	Assign *template.Template
}

// Resource is what a Task calls.
type Resource struct {
	ARN string
	// Name is what follows "arn:aws:states:::", such as "lambda:invoke"; empty
	// where the ARN is that of a function.
	Name string
}

// Diagnostic is a reason of AWS to refuse a definition.
type Diagnostic struct {
	Code     string
	Message  string
	Location string // such as "/States/Wait/Timestamp"; empty where there is none
}

func (d Diagnostic) String() string {
	if d.Location == "" {
		return d.Code + ": " + d.Message
	}
	return fmt.Sprintf("%s: %s at %s", d.Code, d.Message, d.Location)
}

// Codes of diagnostics.
const (
	SchemaFailed  = "SCHEMA_VALIDATION_FAILED"
	MissingTarget = "MISSING_TRANSITION_TARGET"
	MissingEnd    = "MISSING_END_STATE"
	DuplicateName = "DUPLICATE_STATE_NAME"
	InvalidJSON   = "INVALID_JSON_DESCRIPTION"
)

// DefinitionError is a definition that AWS refuses.
type DefinitionError struct{ Diagnostics []Diagnostic }

func (e *DefinitionError) Error() string {
	texts := make([]string, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		texts[i] = d.String()
	}
	return strings.Join(texts, ", ")
}

// UnsupportedError is a definition that AWS takes and the sandbox does not.
type UnsupportedError struct {
	Field string // such as "Credentials", or "Resource arn:aws:states:::sqs:sendMessage"
	At    string
}

func (e *UnsupportedError) Error() string { return e.Field + " at " + e.At }
