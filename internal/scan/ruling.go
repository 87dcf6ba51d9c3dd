package scan

import (
	"errors"
	"regexp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// Reasons for a serial shard.
const (
	WhyConfigured  = "configured"
	WhySmallPool   = "small_pool"
	WhyOneIsEnough = "one_chain_uses_the_pace"
	WhyRefused     = "filter_refused"
	WhyNotHonoured = "filter_not_honoured"
	WhyNotProven   = "filter_not_proven"
	WhyDisagree    = "counts_disagree"
)

// Reasons why a shard is given up, beside those for a serial shard.
const (
	ReasonCursor = "cursor_refused"   // as often as cursorAttempts
	reasonStuck  = "cursor_not_moved" // the same page would come for ever
)

// WantsSerial reports whether a shard was given up for want of a prefix filter,
// so that a serial shard has to take its place.
func WantsSerial(reason string) bool { return reason == WhyRefused || reason == WhyNotHonoured }

// Refusal is why a shard cannot be scanned.
type Refusal struct {
	Reason string // a word, or for an operator; never personal data
}

func (r *Refusal) Error() string { return r.Reason }

// Ruling is what becomes of a shard of which a batch has read nothing. The zero
// Ruling is to try again later.
type Ruling struct {
	Restart bool              // under the next attempt
	GiveUp  *manifest.Failure // until somebody does something
}

// cursorAttempts is how many attempts may end with a cursor that is not taken
// before a person has to look.
const cursorAttempts = 5

// Judge rules on the error of a batch that began at a cursor of an attempt at a
// shard.
//
//	error                                     ruling
//	a refusal                                 give up: its reason
//	the cursor is not taken                   restart, each fifth time give up
//	invalid, first page of a filtered list    give up: the filter is refused
//	denied, invalid, not found                give up: the directory's code
//	anything else                             try again later
func Judge(err error, shard manifest.Shard, attempt int, cursor manifest.Cursor) Ruling {
	giveUp := func(kind fault.Kind, reason string) Ruling {
		return Ruling{GiveUp: &manifest.Failure{Kind: kind, Reason: reason}}
	}
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return giveUp(fault.Invalid, refused.Reason)
	}
	switch kind := fault.KindOf(err); {
	case errors.Is(err, ErrCursor) && cursor != "":
		if attempt%cursorAttempts == 0 {
			return giveUp(fault.Conflict, ReasonCursor)
		}
		return Ruling{Restart: true}
	case kind == fault.Invalid && shard.Filter != "" && cursor == "":
		return giveUp(kind, WhyRefused)
	case kind == fault.Denied, kind == fault.Invalid, kind == fault.NotFound:
		return giveUp(kind, "directory: "+codeOf(err))
	}
	return Ruling{}
}

var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,80}$`)

// CodeWord lets through what has the form of an error name, since nothing else
// may get into a checkpoint: texts of others may quote a user.
func CodeWord(text string) string {
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
		return CodeWord(coded.ErrorCode())
	}
	return string(fault.KindOf(err))
}
