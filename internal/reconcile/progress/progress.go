// Package progress is the history of a migration: one point for each
// reconciliation, kept as one document that stays small for years.
//
// Vocabulary: a point is what one reconciliation counted; it is whole when
// nothing was missing when it counted, done when it is whole and nobody is
// pending; the migration is complete when its last two points are done; to thin
// is to keep fewer points of long ago.
package progress

import (
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/reconcile/verdict"
)

// Point is what one reconciliation counted.
type Point struct {
	ID         string                      `json:"id"`
	Started    time.Time                   `json:"started"`
	Ended      time.Time                   `json:"ended"`
	Generation int                         `json:"generation"` // of the manifest
	Profiles   int                         `json:"profiles"`   // users in it
	Verdicts   map[verdict.Verdict]int     `json:"verdicts"`
	Reasons    map[verdict.Reason]int      `json:"reasons,omitempty"` // of pending users
	Findings   map[verdict.FindingKind]int `json:"findings,omitempty"`
	Critical   int                         `json:"critical"`          // findings of that severity
	Percent    float64                     `json:"percent"`           // as verdict.Percent; 0 where nothing was counted
	Partial    []string                    `json:"partial,omitempty"` // why the point is not whole
	Complete   bool                        `json:"complete"`          // the migration was complete with this point
	Failure    string                      `json:"failure,omitempty"` // why nothing was counted
}

// History is the points of a run, oldest first.
type History struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	Points  []Point     `json:"points"`
}

// Whole reports whether nothing was missing when the point was counted.
func (p Point) Whole() bool { return p.Failure == "" && len(p.Partial) == 0 }

// Done reports whether the point is whole and nobody is pending: everybody has
// moved, was imported or is excluded.
func (p Point) Done() bool { return p.Whole() && p.Verdicts[verdict.Pending] == 0 }

// Complete reports whether the migration is complete: the last two points are
// done. One is not enough, because both pools' lists are eventually consistent.
func (h History) Complete() bool {
	n := len(h.Points)
	return n >= 2 && h.Points[n-1].Done() && h.Points[n-2].Done()
}

// Last returns the newest point, false where there is none.
func (h History) Last() (Point, bool) {
	if len(h.Points) == 0 {
		return Point{}, false
	}
	return h.Points[len(h.Points)-1], true
}

// Figures returns the point whose figures stand for the migration: the newest
// whole one or, before there is one, the newest that counted anybody; false where
// there is neither.
func (h History) Figures() (Point, bool) {
	if p, ok := h.LastWhole(); ok {
		return p, true
	}
	for _, p := range slices.Backward(h.Points) {
		if len(p.Verdicts) > 0 {
			return p, true
		}
	}
	return Point{}, false
}

// LastWhole returns the newest whole point, false where there is none.
func (h History) LastWhole() (Point, bool) {
	for i := len(h.Points) - 1; i >= 0; i-- {
		if h.Points[i].Whole() {
			return h.Points[i], true
		}
	}
	return Point{}, false
}
