package seeding

import (
	"strings"

	"poolferry/internal/fault"
	"poolferry/internal/scan"
)

// WantsSerial reports whether a shard was given up for want of a prefix filter.
// That is no end: the generation is followed by one with a serial shard.
func WantsSerial(reason string) bool { return scan.WantsSerial(reason) }

// kindNamed returns the kind of an error name in a state machine.
func kindNamed(name string) fault.Kind {
	switch kind := fault.Kind(name); kind {
	case fault.Throttled, fault.NotFound, fault.AlreadyExists, fault.Denied, fault.Invalid, fault.Conflict, fault.Unavailable, fault.Internal:
		return kind
	}
	for _, prefix := range []string{"Lambda.", "Sandbox.", "Runtime.", "States.Timeout", "States.Http"} {
		if strings.HasPrefix(name, prefix) {
			return fault.Unavailable
		}
	}
	return fault.Internal
}
