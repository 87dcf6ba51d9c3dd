// Package trigger is the user migration trigger: what the target pool's
// migrate-user Lambda decides when someone signs in, or asks for a new
// password, under a name that the target pool does not know.
//
// Vocabulary: the source answers a name and a password with a standing; a
// policy turns a proven user into an answer for Cognito or a refusal; the
// outcome is what metrics and the audit trail call the decision. A clean
// refusal is the event back with an empty response and no error; a Go error
// means that nothing was decided, and Cognito may ask again.
//
// Cognito waits five seconds and asks up to three times (Cognito Developer
// Guide, Lambda triggers). Budget keeps every decision inside one wait.
package trigger
