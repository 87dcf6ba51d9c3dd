// Package verdict says where one user of a migration stands, and what somebody
// has to look at: a pure function of what was staged of the user and of what has
// arrived in the target pool. It reads no names of other users; package names
// does.
//
// Vocabulary: a verdict is one of six, and every user has exactly one; a reason
// is the code word that says why; a finding is something about a user that the
// counts do not tell and an operator ought to look at; a partner is the target
// user that a source user has become; a pending user is reachable where there is
// a name under which the trigger would move them. No verdict, reason or finding
// holds an attribute value.
package verdict

import "math/bits"

// Verdict is where a user stands.
type Verdict string

// The verdicts. The first three make up the percentage.
const (
	Migrated        Verdict = "migrated"          // is in the target pool and has moved there alone
	Imported        Verdict = "imported"          // was put into the target pool by the tail import, has not signed in since
	Pending         Verdict = "pending"           // is in the source pool only
	Excluded        Verdict = "excluded"          // is in the source pool only, and is not to move
	MissingInSource Verdict = "missing-in-source" // was in the source pool once, and is not any more
	TargetOnly      Verdict = "target-only"       // is in the target pool only: no user of the migration
)

// Verdicts lists the verdicts in the order in which they are shown.
func Verdicts() []Verdict {
	return []Verdict{Migrated, Imported, Pending, Excluded, MissingInSource, TargetOnly}
}

// Meaning returns one sentence for an operator, empty for an unknown verdict.
func (v Verdict) Meaning() string {
	switch v {
	case Migrated:
		return "The user is in the target pool."
	case Imported:
		return "The tail import has put the user into the target pool; they have not signed in there yet."
	case Pending:
		return "The user is in the source pool and not yet in the target pool."
	case Excluded:
		return "The user is in the source pool and, by the configuration, is not to move."
	case MissingInSource:
		return "The user was staged or moved earlier and is no longer in the source pool."
	case TargetOnly:
		return "The user belongs to the target pool alone and to no user of the source pool."
	}
	return ""
}

// Percent returns which part of the users who are to move has moved, in percent:
// migrated and imported of migrated, imported and pending. It is cut after one
// decimal, never rounded up, so that 100 means all of them. Where nobody is to
// move it is 100.
func Percent(counts map[Verdict]int) float64 {
	moved := max(counts[Migrated], 0) + max(counts[Imported], 0)
	all := moved + max(counts[Pending], 0)
	if all <= 0 {
		return 100
	}
	high, low := bits.Mul64(uint64(moved), 1000)
	tenths, _ := bits.Div64(high, low, uint64(all)) // at most 1000, since moved <= all
	return float64(tenths) / 10
}
