// Package scheduler is EventBridge Scheduler in the sandbox: its API (REST
// JSON), schedules and their firings.
//
// Words: a schedule says when which target is to be invoked; an occurrence is a
// moment at which it is due, see package expression; a firing is what becomes of
// an occurrence; a delivery is one firing on its way to the target, of which a
// firing that is delivered twice has two; an attempt is one call of the target.
//
// Targets are state machines. Schedules are in the group "default". What else
// the API takes is refused loudly.
package scheduler
