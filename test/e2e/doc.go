// Package e2e has no code, only tests: what is deployed, as it is deployed,
// against the sandbox.
//
// Vocabulary: a run is one of the two ways to run a function, in process or as
// the built binary behind a Runtime API server; both must give the same answer
// to the same event. A migration is a world with its operator, who types commands
// and may do what infra's policy says, and no more; its people are called by
// names, from which addresses, subs and passwords follow.
package e2e
