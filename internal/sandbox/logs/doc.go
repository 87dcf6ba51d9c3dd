// Package logs is the sandbox's Amazon CloudWatch Logs as far as reading what
// other services have written goes: groups, their streams, and events.
//
// Vocabulary: a group belongs to an account and a region; a stream is a sequence
// of events in it; a delivery is a service of AWS that writes in a role which it
// was given, such as user pools with their import jobs. Clients only read.
package logs
