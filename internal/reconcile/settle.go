package reconcile

import (
	"time"

	"poolferry/internal/userpool"
)

// slack is by how much clocks may differ, and how long a scan may take to list
// somebody who moves meanwhile. Whoever is settled twice is none the worse for it.
const slack = time.Hour

// arrival tells who has arrived since the last whole reconciliation, and so was in
// none of its settle rows nor in those of any before it.
type arrival struct {
	everybody bool      // nobody counts as settled
	scan      time.Time // when the last scan of the target began, less slack
	signedUp  time.Time // when the generation that was compared was opened, less slack; zero where it is the same
}

func (b Basis) arrival() arrival {
	p := b.Previous
	if p == nil || p.Opened.IsZero() {
		return arrival{everybody: true}
	}
	a := arrival{scan: p.Opened.Add(-slack)}
	if b.Staged != nil && b.Staged.Generation > p.Generation {
		a.signedUp = p.GenerationOpened.Add(-slack)
	}
	return a
}

// newly reports whether a staged user counts as arrived since whenever it was
// that the partner was created: one who was not in the target pool the last time,
// and has a partner now, be it an old one that was given the legacy sub or a name
// that proves it; or one who had moved before being staged.
func (a arrival) newly(staged userpool.User, waited bool) bool {
	return a.everybody || waited || !a.signedUp.IsZero() && !staged.Created.Before(a.signedUp)
}

// since reports whether a user of the target pool was created since.
func (a arrival) since(created time.Time) bool { return !created.Before(a.scan) }

// settled returns what is to be settled of a user who has arrived; false where
// there is nothing.
func (r *Reconciliation) settled(row SettleRow, disabled, disabledAtTarget bool) (SettleRow, bool) {
	row.Disabled = disabled && !disabledAtTarget
	return row, r.o.SettleAll || len(row.Groups) > 0 || row.Disabled || len(row.MFA) > 0
}
