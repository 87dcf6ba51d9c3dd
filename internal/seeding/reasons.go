package seeding

import (
	"errors"
	"regexp"
	"strings"

	"poolferry/internal/fault"
)

// refusal is why a shard cannot be staged, for an operator.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

// WantsSerial reports whether a shard was given up for want of a prefix filter.
// That is no end: the generation is followed by one with a serial shard.
func WantsSerial(reason string) bool { return reason == whyRefused || reason == whyNotHonoured }

var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,80}$`)

// codeWord lets through what has the form of an error name, since nothing else
// may get into a checkpoint: texts of others may quote a user.
func codeWord(text string) string {
	if word.MatchString(text) {
		return text
	}
	return "unrecognised"
}

// codeOf returns the error code that AWS gave, without its text, or the kind.
func codeOf(err error) string {
	if coded, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		return codeWord(coded.ErrorCode())
	}
	return string(fault.KindOf(err))
}

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
