// Package sandbox is AWS on loopback: one HTTP endpoint that speaks the wire
// protocols of the services that a migration uses, for several accounts and
// regions at once. The same SDK clients and handlers run against it as against
// AWS.
//
// Words: a service is one AWS service (a wire.Service); a call is one signed or
// public request to it; the account and region of a call come from the access
// key and the SigV4 credential scope, or for a public operation of Cognito from
// the app client that it names; a label is a short name of an account, used to
// aim faults ("source", "target"); a knob makes the sandbox worse on purpose.
//
// What the sandbox does not implement it refuses loudly. It never logs a body.
package sandbox
