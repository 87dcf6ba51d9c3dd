package knobs

import (
	"context"
	"fmt"
	"time"
)

// Latency names a latency profile.
type Latency string

// The profiles. WAN stands for a migration between two distant regions.
const (
	None Latency = "none"
	WAN  Latency = "wan"
)

// ParseLatency reads the name of a profile; empty means None.
func ParseLatency(name string) (Latency, error) {
	switch l := Latency(name); l {
	case None, WAN:
		return l, nil
	case "":
		return None, nil
	}
	return "", fmt.Errorf("latency %q: want none or wan", name)
}

// Round trips of the WAN profile: orders of magnitude between two continents,
// not measurements. It is the network alone. What AWS itself takes for an
// operation comes on top and is not known; a fault such as
// source.AdminInitiateAuth=delay:80ms adds it.
const (
	sameRegion  = 12 * time.Millisecond
	otherRegion = 90 * time.Millisecond
	jitter      = 0.15 // of the whole, up or down
)

// Clock makes calls last as long as a profile says.
type Clock struct {
	profile Latency
	home    string
	draws   family
}

// NewClock returns a Clock for callers in the home region.
func NewClock(profile Latency, home string, seed uint64) *Clock {
	return &Clock{profile: profile, home: home, draws: family{seed: seed, byName: map[string]draws{}}}
}

// Of returns how long a call of the operation in the region lasts, over what
// the sandbox needs for it.
func (c *Clock) Of(service, operation, region string) time.Duration {
	if c.profile != WAN {
		return 0
	}
	trip := otherRegion
	if region == c.home || c.home == "" {
		trip = sameRegion
	}
	draw := c.draws.next(service + "." + operation + "@" + region)
	return time.Duration(float64(trip) * (1 + jitter*(2*draw-1)))
}

// Sleep waits for d or until ctx ends, and returns ctx's error then.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
