// Package telemetry writes what poolferry reports about itself: logs, metrics
// and the audit trail, all as lines of JSON.
//
// Vocabulary: a line is one JSON object and its line break, written by one
// Write; a metric line is CloudWatch's embedded metric format (Amazon
// CloudWatch User Guide, embedded metric format specification); an audit line
// is one per decision and says who, when and why without saying any attribute.
//
// Nothing personal gets out by construction. Names of metrics and of steps come
// from closed lists, the audit trail holds a keyed hash of the submitted name,
// and every other text in it must have the form of a code word.
package telemetry
