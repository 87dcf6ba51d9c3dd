// Package runtimeapi runs a built Lambda function: a process and the Runtime
// API (Lambda Developer Guide, custom runtimes) that it fetches its invocations
// from.
//
// Words: work is one invocation; its outcome is the answer, or an error that
// the process reported, or how it ended without one.
package runtimeapi
