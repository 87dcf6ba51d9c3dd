// Package knobs makes the sandbox worse on purpose: faults, latency and
// request quotas.
//
// Words: a target is what a fault is for (an operation of a service or of an
// account, a Lambda function, a whole service or account); a kind is what goes
// wrong; a rule is one kind with its amount for one target; an injection is
// what the rules decided for one call.
//
// What is drawn depends on the seed and on how many draws the same rule made
// before, so a sequence of calls to one target meets the same faults each time.
package knobs
