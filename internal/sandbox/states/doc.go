// Package states is Step Functions in the sandbox: its API (JSON 1.0), state
// machines and their executions.
//
// Words: a machine is a state machine, STANDARD or EXPRESS; an execution is one
// run of it, named by its ARN; a copy is one of the two runs that an EXPRESS
// execution has when it is delivered twice; a resource is what a Task calls, see
// package integration.
//
// The language is JSONPath. What the interpreter does not know it refuses at
// CreateStateMachine, by the name of the field: code SandboxUnsupported. What
// AWS refuses it refuses in AWS's words.
package states
