// Package states is Step Functions in the sandbox: its API (JSON 1.0), state
// machines and their executions.
//
// Words: a machine is a state machine, STANDARD or EXPRESS; an execution is one
// run of it, named by its ARN; a copy is one of the two runs that an EXPRESS
// execution has when it is delivered twice; a resource is what a Task calls, see
// package integration; a child is an execution that a Map Run starts for a
// Distributed Map, see package maprun.
//
// The language is JSONPath. Of a Distributed Map, items come from the input, a
// list of S3 or objects of JSON, JSONL or CSV; Parquet, inventories and redrives
// are not there. What the interpreter does not know it refuses at
// CreateStateMachine, by the name of the field: code SandboxUnsupported. What
// AWS refuses it refuses in AWS's words.
package states
