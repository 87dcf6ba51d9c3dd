package verdict

import (
	"cmp"
	"slices"
	"time"

	"poolferry/internal/userpool"
)

// The policies for users whose second factor the target cannot ask for; package
// trigger says what each of them means.
const (
	MFAVerify = "verify"
	MFAReset  = "reset"
	MFAAccept = "accept"
)

// Rules are what a decision needs beside the user.
type Rules struct {
	Pool    userpool.Pool // the target
	MFA     string        // policy of the trigger; empty is MFAVerify
	Exclude []Reason      // reasons for which pending users are not to move
	// GenerationOpened is when the scan of the source pool began that the staged
	// side is of.
	GenerationOpened time.Time
}

// DefaultExclude returns what is excluded unless the configuration says
// otherwise: users of an identity provider have no password that could move.
func DefaultExclude() []Reason { return []Reason{Federated} }

// Case is what is known of one user.
type Case struct {
	Staged   *userpool.User  // attributes as mapped; nil where not staged
	Arrived  []userpool.User // all target users with this legacy sub, or one without any
	Known    bool            // was pending, or missing in the source, in the last whole run
	Imported bool            // was in a tail import
}

// Decision is what Decide answers.
type Decision struct {
	Verdict  Verdict
	Reason   Reason
	Partner  *userpool.User // the one of Case.Arrived that counts; nil where there is none
	Findings []Finding
}

// sameWrite is how much later than its creation a user may have been modified
// and still count as never changed: creation by the trigger is several writes.
const sameWrite = 5 * time.Second

// Decide gives the verdict on one user.
//
//	staged  arrived                       → verdict            reason
//	yes     one: CONFIRMED                → migrated           signed_in, imported or not: a target that
//	                                                           confirms imported users asks them no password
//	yes     one: RESET_REQUIRED or
//	        FORCE_CHANGE_PASSWORD         → migrated           must_reset; imported: tail where Imported
//	yes     one: any other status         → migrated           status_…, finding status_surprise
//	yes     several                       → by the oldest      finding duplicate_target
//	yes     none, a reason is in Exclude  → excluded           that reason
//	yes     none                          → pending            the first that applies of federated, disabled,
//	                                                           unconfirmed, schema_violation, no_name_carried,
//	                                                           username_unusable, no_verified_contact,
//	                                                           reset_required, temporary_password, mfa,
//	                                                           not_signed_in
//	no      none                          → missing-in-source  vanished
//	no      yes, since GenerationOpened   → migrated           not_staged; imported: tail as above
//	no      yes, created before           → missing-in-source  vanished_after_moving
//	no      one without a legacy sub      → target-only        own
//
// A case about nobody, not even Known, is answered as one who has vanished.
func (r Rules) Decide(c Case) Decision {
	switch {
	case len(c.Arrived) > 0:
		return r.arrived(c)
	case c.Staged != nil:
		return r.pending(*c.Staged)
	}
	return Decision{Verdict: MissingInSource, Reason: Vanished}
}

func (r Rules) arrived(c Case) Decision {
	partner := &c.Arrived[0]
	for i := range c.Arrived[1:] {
		if older(c.Arrived[i+1], *partner) {
			partner = &c.Arrived[i+1]
		}
	}
	d := Decision{Partner: partner}
	legacy := userpool.Sub(partner.Attributes[userpool.AttrLegacySub])
	if c.Staged != nil {
		legacy = c.Staged.Sub
	}
	if len(c.Arrived) > 1 {
		for _, u := range c.Arrived {
			if u.Sub != partner.Sub {
				d.Findings = append(d.Findings, NewFinding(DuplicateTarget, legacy, u.Sub, "not_the_oldest"))
			}
		}
	}
	mustReset := partner.Status == userpool.StatusResetRequired || partner.Status == userpool.StatusForceChangePassword
	switch {
	case c.Staged == nil && legacy == "":
		d.Verdict, d.Reason = TargetOnly, Own
	case c.Staged == nil && partner.Created.Before(r.GenerationOpened):
		d.Verdict, d.Reason = MissingInSource, VanishedAfterMoving
	case c.Imported && mustReset:
		d.Verdict, d.Reason = Imported, Tail
	case c.Staged == nil:
		d.Verdict, d.Reason = Migrated, NotStaged
	case mustReset:
		d.Verdict, d.Reason = Migrated, MustReset
	default:
		d.Verdict, d.Reason = Migrated, reasonOf(partner.Status)
	}
	if c.Staged != nil {
		d.Findings = append(d.Findings, r.compare(*c.Staged, *partner, c.Imported)...)
	}
	return d
}

// older orders the users that one source user has become. A user without a time
// of creation is the last.
func older(a, b userpool.User) bool {
	if a.Created.IsZero() != b.Created.IsZero() {
		return b.Created.IsZero()
	}
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Sub, b.Sub)) < 0
}

// reasonOf is the reason of a user who has arrived with a status.
func reasonOf(status userpool.Status) Reason {
	switch status {
	case userpool.StatusConfirmed:
		return SignedIn
	case userpool.StatusUnconfirmed:
		return StatusUnconfirmed
	case userpool.StatusExternalProvider:
		return StatusExternal
	}
	return StatusUnknown
}

func (r Rules) pending(u userpool.User) Decision {
	p := r.prospect(u)
	d := Decision{Verdict: Pending, Reason: p.reasons[0]}
	for _, reason := range p.reasons {
		if slices.Contains(r.Exclude, reason) {
			return Decision{Verdict: Excluded, Reason: reason}
		}
	}
	d.Findings = p.findings
	return d
}
