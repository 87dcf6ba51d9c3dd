package trigger

import (
	"context"
	"time"

	"poolferry/internal/userpool"
)

// Outcome is the name of a decision in metrics and in the audit trail.
type Outcome string

// The outcomes. The first group migrates or refuses; the second means that
// nothing could be decided and that Cognito got an error.
const (
	Migrated            Outcome = "Migrated"
	NeedsReset          Outcome = "NeedsReset"          // the old password is no use any more: the user has to choose a new one
	MfaRefused          Outcome = "MfaRefused"          // password proven, second factor not
	RejectedCredentials Outcome = "RejectedCredentials" // wrong password, or nothing typed
	NotInSource         Outcome = "NotInSource"
	Disabled            Outcome = "Disabled"
	Unconfirmed         Outcome = "Unconfirmed"
	Federated           Outcome = "Federated"         // signs in at an identity provider: has no password here
	NoVerifiedContact   Outcome = "NoVerifiedContact" // forgotten password, and nowhere to send a code
	Unmappable          Outcome = "Unmappable"        // the target pool cannot hold the user: see Decision.Reason

	LockedOut     Outcome = "LockedOut" // the source has locked the user out; the password was not looked at
	Throttled     Outcome = "Throttled"
	Deadline      Outcome = "Deadline"
	Misconfigured Outcome = "Misconfigured" // the event is not ours, or a role, client or pool is wrong
	Unavailable   Outcome = "Unavailable"
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{Migrated, NeedsReset, MfaRefused, RejectedCredentials, NotInSource, Disabled, Unconfirmed,
		Federated, NoVerifiedContact, Unmappable, LockedOut, Throttled, Deadline, Misconfigured, Unavailable}
}

// Failed reports the outcomes in which nothing was decided: trouble of ours or
// of AWS, never of the person who signs in.
func (o Outcome) Failed() bool {
	switch o {
	case LockedOut, Throttled, Deadline, Misconfigured, Unavailable:
		return true
	}
	return false
}

// Decision is one decision, for the audit trail and the metrics. It holds no
// attribute value. Name is the submitted name: a Recorder may only write a
// keyed hash of it.
type Decision struct {
	At            time.Time
	TriggerSource string
	Outcome       Outcome
	Reason        string // detail of the outcome, from a closed list; often empty
	Sub           userpool.Sub
	Name          string
	ClientID      string
	Steps         []Step
	Total         time.Duration
	Dropped       []string // names of attributes that the target cannot hold
	Code          string   // AWS error code behind a failure
}

// Step is one wait for AWS.
type Step struct {
	Name StepName
	Took time.Duration
}

// StepName names a wait for AWS.
type StepName string

// The steps.
const (
	StepAuthenticate StepName = "authenticate"
	StepChallenge    StepName = "challenge"
	StepLookup       StepName = "lookup"
	StepTarget       StepName = "target"
)

// Recorder writes decisions down. It must not block on anything but its writer
// and must not fail a sign-in.
type Recorder interface {
	Record(ctx context.Context, d Decision)
}
