// Package sns is the sandbox's Amazon Simple Notification Service, in the query
// protocol: topics and what is published to them.
//
// Words: a topic is named by its ARN; a message is one publication. Nobody is
// subscribed: messages are kept for the program that runs the sandbox.
package sns
