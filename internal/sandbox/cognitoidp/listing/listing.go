package listing

import "time"

// Faults say how listing misbehaves, as it may at AWS.
type Faults struct {
	Short        float64  // probability of a page with fewer users than asked for
	Empty        float64  // probability of an empty page before the end; below 1
	RefusePrefix []string // attributes whose ^= filter is refused
	WrongPrefix  []string // attributes whose ^= filter silently matches nothing
}

// Lists answers listing calls.
type Lists struct{}

func New(f Faults, seed uint64, now func() time.Time) *Lists { return &Lists{} }
