// Package history records what happens in an execution, in the events that
// GetExecutionHistory and, for EXPRESS, CloudWatch Logs show.
//
// Words: an event has an id, counted from 1, a type such as "TaskSucceeded",
// the id of the event before it in its branch, and details.
package history

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Details are what an event says beyond its type.
type Details map[string]any

// Event is one event.
type Event struct {
	ID, Previous int64
	At           time.Time
	Type         string
	Details      Details // nil where the type has none
}

// Log is the history of one execution. It is safe for concurrent use.
type Log struct {
	now   func() time.Time
	watch func(Event)

	mu     sync.Mutex
	events []Event
	count  int64
	keep   bool
}

// New returns an empty log. watch, where not nil, is called with every event in
// order; without keep the log itself holds none.
func New(now func() time.Time, keep bool, watch func(Event)) *Log {
	return &Log{now: now, keep: keep, watch: watch}
}

// Add records an event and returns its id.
func (l *Log) Add(previous int64, kind string, details Details) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	e := Event{ID: l.count, Previous: previous, At: l.now(), Type: kind, Details: details}
	if l.keep {
		l.events = append(l.events, e)
	}
	if l.watch != nil {
		l.watch(e)
	}
	return e.ID
}

// Len is the number of events.
func (l *Log) Len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Events returns the events in order.
func (l *Log) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[:len(l.events):len(l.events)]
}

// withoutData copies details without what flows through the execution.
func (d Details) withoutData() Details {
	out := maps.Clone(d)
	for _, name := range []string{"input", "output", "parameters"} {
		delete(out, name)
		delete(out, name+"Details")
	}
	return out
}

// Wire is the event as GetExecutionHistory answers it, without the data that
// flows through the execution unless it is included.
func (e Event) Wire(include bool) map[string]any {
	out := map[string]any{"id": e.ID, "previousEventId": e.Previous, "timestamp": Seconds(e.At), "type": e.Type}
	if e.Details != nil {
		details := e.Details
		if !include {
			details = details.withoutData()
		}
		out[member(e.Type)] = details
	}
	return out
}

// member is the name under which the details of a type stand.
func member(kind string) string {
	for _, phase := range []string{"Entered", "Exited"} {
		if strings.HasSuffix(kind, "State"+phase) {
			return "state" + phase + "EventDetails"
		}
	}
	return strings.ToLower(kind[:1]) + kind[1:] + "EventDetails"
}

// Line is the event as CloudWatch Logs gets it, one JSON object with a newline.
func (e Event) Line(executionARN string, include bool) []byte {
	details := e.Details
	if details == nil {
		details = Details{}
	}
	if !include {
		details = details.withoutData()
	}
	line, err := json.Marshal(map[string]any{
		"id": strconv.FormatInt(e.ID, 10), "previous_event_id": strconv.FormatInt(e.Previous, 10),
		"event_timestamp": strconv.FormatInt(e.At.UnixMilli(), 10), "type": e.Type,
		"details": details, "execution_arn": executionARN, "redrive_count": "0",
	})
	if err != nil {
		panic("history: details that are not JSON: " + err.Error()) // they are built from strings and numbers
	}
	return append(line, '\n')
}

// Failed reports whether the event says that something went wrong.
func (e Event) Failed() bool {
	for _, end := range []string{"Failed", "TimedOut", "Aborted"} {
		if strings.HasSuffix(e.Type, end) {
			return true
		}
	}
	return false
}

// Fatal reports whether the event says that the execution did not succeed.
func (e Event) Fatal() bool { return e.Failed() && strings.HasPrefix(e.Type, "Execution") }

// Seconds is a time as the API's JSON has it.
func Seconds(t time.Time) json.Number {
	return json.Number(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64))
}
