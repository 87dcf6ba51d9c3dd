// Package lambda is the sandbox's AWS Lambda: functions that are invoked
// through the REST API or by another service of the sandbox.
//
// Words: a function is a name in an account and region; its runner is what
// executes it, in this process or as the built binary behind a Runtime API
// server; an invocation is one execution; a function error is what went wrong
// inside the function, as opposed to an API error of Lambda itself.
//
// Payloads of a migration trigger hold passwords: nothing here logs a payload
// or quotes one in an error.
package lambda
