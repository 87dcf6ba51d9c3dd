// Package forecast says when a migration will end by waiting, or that it will
// not, from the history of its reconciliations.
//
// Vocabulary: a move is a user more who is migrated or imported; the rate is
// moves per day; it decays where each day brings fewer moves than the one
// before; the curve flattens where a decaying rate leaves users behind for ever.
package forecast

import "time"

// State is what can be said of the end of a migration.
type State string

// The states.
const (
	Complete State = "complete"  // nobody is pending
	OnCourse State = "on_course" // the rate holds: the dates say when it ends
	Slowing  State = "slowing"   // the rate decays: the dates say when it ends, Remaining how many are left where it does not
	Stalled  State = "stalled"   // nobody has moved for days
	TooEarly State = "too_early" // too few days or too few moves to say
)

// States lists the states.
func States() []State { return []State{Complete, OnCourse, Slowing, Stalled, TooEarly} }

// Forecast is what the history tells of the end. Dates are in UTC; a zero date
// is one that cannot be told, or never comes. Of those that are told, Earliest
// is not after Expected and Expected not after Latest, and in four of five cases
// the end is to come between Earliest and Latest.
type Forecast struct {
	State     State     `json:"state"`
	PerDay    float64   `json:"per_day"` // the rate now
	Daily     []Day     `json:"daily,omitempty"`
	Earliest  time.Time `json:"earliest,omitzero"`
	Expected  time.Time `json:"expected,omitzero"`
	Latest    time.Time `json:"latest,omitzero"`
	Remaining int       `json:"remaining"` // users who are expected to be left when the curve flattens
	Why       string    `json:"why"`       // one or two sentences for an operator
}

// Day is how many moved on one day.
type Day struct {
	Date  time.Time `json:"date"` // its beginning, in UTC
	Moved int       `json:"moved"`
}
