package verdict

import (
	"slices"

	"poolferry/internal/userpool"
)

// Severity says how soon somebody ought to look at a finding.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // somebody is locked out, or may be let in as somebody else
	Warning  Severity = "warning"  // somebody will have trouble if nothing is done
	Info     Severity = "info"     // good to know
)

// Severities lists the severities, the worst first.
func Severities() []Severity { return []Severity{Critical, Warning, Info} }

// Finding is something about a user that the verdicts do not tell. It holds
// names of attributes and code words, never a value.
type Finding struct {
	Kind       FindingKind  `json:"kind"`
	Severity   Severity     `json:"severity"`
	SourceSub  userpool.Sub `json:"source_sub,omitempty"`
	TargetSub  userpool.Sub `json:"target_sub,omitempty"`
	Attributes []string     `json:"attributes,omitempty"` // sorted
	Detail     string       `json:"detail,omitempty"`     // code words, separated by commas
}

// FindingKind is what a finding is about.
type FindingKind string

// The kinds of findings.
const (
	// IdentityTaken: a target user who is not theirs is found under a pending
	// user's name, so that the trigger is never called for them.
	IdentityTaken FindingKind = "identity_taken"
	// DuplicateTarget: one source user has become several target users.
	DuplicateTarget FindingKind = "duplicate_target"
	// AliasCollision: a pending user's name at the target is also that of another
	// source user; only one of them can have it.
	AliasCollision FindingKind = "alias_collision"
	// CaseDuplicate: as AliasCollision, but the names differ in case, which the
	// source pool tells apart and the target pool does not.
	CaseDuplicate FindingKind = "case_duplicate"
	// AmbiguousJoin: a user without legacy sub could be one of several.
	AmbiguousJoin FindingKind = "ambiguous_join"
	// SchemaViolation: the target's schema refuses a pending user.
	SchemaViolation FindingKind = "schema_violation"
	// MFADowngrade: a second factor that the source asked for is not asked for at
	// the target.
	MFADowngrade FindingKind = "mfa_downgrade"
	// StatusSurprise: the user's status at the target, or being enabled, does not
	// go with the source.
	StatusSurprise FindingKind = "status_surprise"
	// SourceAhead: the source was changed after the user had moved, and the
	// target has not followed.
	SourceAhead FindingKind = "source_ahead"
	// Drift: the source was changed between the scan and the move; the target has
	// the newer value.
	Drift FindingKind = "drift"
	// AttributeDropped: the trigger will leave out an attribute that the target
	// cannot hold.
	AttributeDropped FindingKind = "attribute_dropped"
)

type kindWords struct {
	kind            FindingKind
	severity        Severity
	meaning, advice string
}

// kinds holds every kind, in the order in which they are shown.
var kinds = []kindWords{
	{IdentityTaken, Critical,
		"A user of the target pool that is not theirs is found under the name of a user who has not moved yet: sign-in reaches that user, and the trigger is never called.",
		"Find out who created the target user. Delete it, or take the name from it, and keep self-registration off until the migration is done."},
	{DuplicateTarget, Critical,
		"One source user has become several users of the target pool; the oldest counts.",
		"Decide which of them the person uses, merge what belongs to the others, and delete those."},
	{AliasCollision, Warning,
		"Several source users have the same name at the target, and only one of them can have it there: the others cannot move under it.",
		"Ask whom it belongs to, and change it for the others at the source."},
	{CaseDuplicate, Warning,
		"Several source users have names that differ only in upper and lower case. The target pool takes them for one: the first to sign in has it, and the others reach that user.",
		"Rename all but one of them at the source, or delete those that nobody uses."},
	{AmbiguousJoin, Warning,
		"A target user without custom:legacy_sub shares names with source users, but not with exactly one of them, so nobody was joined.",
		"Compare the users by hand, and write custom:legacy_sub at the target where they are one person, or make the shared names different."},
	{SchemaViolation, Warning,
		"The target's schema refuses the user: an attribute that may not be left out is missing or does not fit.",
		"Change the value at the source, or map the attribute differently; poolferry explain shows the user."},
	{MFADowngrade, Warning,
		"The source asks the user for a second factor, and the target does not.",
		"Enrol the user's second factor at the target, or make MFA required there."},
	{StatusSurprise, Warning,
		"The user's status at the target does not go with the source: disabled on one side only, not confirmed, or of an identity provider.",
		"Compare the user on both sides. A user who was disabled at the source after moving has to be disabled at the target, too."},
	{SourceAhead, Warning,
		"The source was changed after the user had moved; the target user has not been changed since and has the older value.",
		"Find out what still writes to the source pool, and repeat the change at the target. Poolferry does not: the target wins."},
	{Drift, Info,
		"The source was changed after it was scanned and before the user moved, so the target has a newer value than the manifest.",
		"Nothing: the target has it right. Many of them call for a new seeding."},
	{AttributeDropped, Info,
		"The target's schema cannot hold an attribute of the user, who will move without it.",
		"Map or correct the attribute before the user moves, or write it at the target afterwards."},
}

// FindingKinds lists the kinds in the order in which they are shown.
func FindingKinds() []FindingKind {
	all := make([]FindingKind, len(kinds))
	for i, words := range kinds {
		all[i] = words.kind
	}
	return all
}

// Severity returns the severity that findings of this kind have at most, empty
// for an unknown kind.
func (k FindingKind) Severity() Severity { return k.words().severity }

// Meaning returns what findings of this kind are, empty for an unknown kind.
func (k FindingKind) Meaning() string { return k.words().meaning }

// Advice returns what to do about findings of this kind, empty for an unknown
// kind.
func (k FindingKind) Advice() string { return k.words().advice }

func (k FindingKind) words() kindWords {
	for _, words := range kinds {
		if words.kind == k {
			return words
		}
	}
	return kindWords{}
}

// NewFinding returns a finding of a kind, with the kind's severity. It sorts the
// names of the attributes.
func NewFinding(kind FindingKind, source, target userpool.Sub, detail string, attributes ...string) Finding {
	slices.Sort(attributes)
	return Finding{Kind: kind, Severity: kind.Severity(), SourceSub: source, TargetSub: target, Attributes: attributes, Detail: detail}
}
