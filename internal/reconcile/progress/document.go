package progress

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
)

const kind = "progress"

// Encode returns the bytes of the document.
func (h History) Encode() ([]byte, error) {
	return document.Encode(kind, h, h.check)
}

// Decode reads a history. The error is of kind fault.Invalid.
func Decode(data []byte) (h History, err error) {
	err = document.Decode(kind, data, &h, History.check)
	return h, err
}

// Of returns an error of kind fault.Invalid unless h is the history of a run.
func (h History) Of(run string) error {
	if h.Run != run {
		return fault.New(fault.Invalid, "%s is that of run %q, not of run %q", kind, h.Run, run)
	}
	return nil
}

func (h History) check() error {
	switch {
	case h.Run == "":
		return errors.New("run is missing")
	case h.Points == nil:
		return errors.New("points are missing")
	case len(h.Points) > mostPoints:
		return fmt.Errorf("points: %d, at most %d", len(h.Points), mostPoints)
	}
	seen := make(map[string]bool, len(h.Points))
	for i, p := range h.Points {
		if err := p.check(); err != nil {
			return fmt.Errorf("points[%d]: %w", i, err)
		}
		if seen[p.ID] {
			return fmt.Errorf("points[%d]: id %q is there twice", i, p.ID)
		}
		seen[p.ID] = true
		if i > 0 && p.Ended.Before(h.Points[i-1].Ended) {
			return fmt.Errorf("points[%d]: ended before the one in front of it", i)
		}
	}
	return nil
}

func (p Point) check() error {
	switch {
	case p.ID == "":
		return errors.New("id is missing")
	case p.Started.IsZero() || p.Ended.Before(p.Started):
		return errors.New("started and ended are no span of time")
	case p.Started.Location() != time.UTC || p.Ended.Location() != time.UTC:
		return errors.New("started or ended is not in UTC")
	case p.Generation < 0 || p.Profiles < 0 || p.Critical < 0:
		return errors.New("generation, profiles or critical is negative")
	case p.Percent != p.percent():
		return fmt.Errorf("percent %v does not go with the verdicts", p.Percent)
	case p.Complete && !p.Done():
		return errors.New("is complete, and is not whole or has pending users")
	case len(p.Partial) > mostPartial || utf8.RuneCountInString(p.Failure) > mostText:
		return fmt.Errorf("has more than %d words of what is missing, or a failure of more than %d characters", mostPartial, mostText)
	}
	if p.Verdicts == nil {
		return errors.New("verdicts are missing")
	}
	return errors.Join(
		checkCounts("verdicts", p.Verdicts, verdict.Verdicts()),
		checkCounts("reasons", p.Reasons, verdict.PendingReasons()),
		checkCounts("findings", p.Findings, verdict.FindingKinds()),
	)
}

func checkCounts[K ~string](member string, counts map[K]int, known []K) error {
	for name, n := range counts {
		if n < 0 || !slices.Contains(known, name) {
			return fmt.Errorf("%s: %q is not known, or negative", member, name)
		}
	}
	return nil
}

// percent is the percentage of a point; one that has counted nothing, because
// something was missing, has none.
func (p Point) percent() float64 {
	if !p.Whole() && len(p.Verdicts) == 0 {
		return 0
	}
	return verdict.Percent(p.Verdicts)
}
