package hook

import (
	"context"
	"time"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Outcome is the name of a decision in metrics and in the audit trail.
type Outcome string

// The outcomes of the guard.
const (
	SignUpAllowed Outcome = "SignUpAllowed"
	SignUpRefused Outcome = "SignUpRefused" // a name belongs to somebody who is still to come
	SignUpUnsure  Outcome = "SignUpUnsure"  // it could not be found out: refused or allowed, as Options.WhenUnsure has it
)

// The outcomes of welcoming.
const (
	Welcomed      Outcome = "Welcomed"
	WelcomeFailed Outcome = "WelcomeFailed" // some of the groups were not added; settling does it later
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{SignUpAllowed, SignUpRefused, SignUpUnsure, Welcomed, WelcomeFailed}
}

// SignUp is what the guard decided about a registration. It holds no attribute
// value but Name, of which a Recorder may only write a keyed hash.
type SignUp struct {
	At            time.Time
	TriggerSource string
	Outcome       Outcome
	Reason        string // detail, from a closed list; often empty
	Owner         userpool.Sub
	OwnerReason   verdict.Reason // why the owner has not moved
	Kind          string         // of the owner's name, such as email
	Name          string         // with which somebody wanted to register
	ClientID      string
	Took          time.Duration
	Code          string // kind of the error behind what is unsure
}

// Welcome is what was done for somebody who has just moved.
type Welcome struct {
	At        time.Time
	Outcome   Outcome
	LegacySub userpool.Sub
	Sub       userpool.Sub // at the target
	Groups    []string     // to which the user was added
	Missed    []string     // to which not
	Took      time.Duration
	Code      string // kind of the error behind the first that was missed, or behind a look-up that failed
}

// Recorder writes down what hooks decide. It must not block on anything but its
// writer and must not fail anybody.
type Recorder interface {
	RecordSignUp(ctx context.Context, s SignUp)
	RecordWelcome(ctx context.Context, w Welcome)
}
