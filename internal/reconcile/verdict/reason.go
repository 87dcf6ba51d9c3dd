package verdict

import "slices"

// Reason says why a verdict is what it is: a code word of the lists below.
type Reason string

// Why a user is migrated.
const (
	SignedIn          Reason = "signed_in"                // CONFIRMED at the target
	MustReset         Reason = "must_reset"               // RESET_REQUIRED or FORCE_CHANGE_PASSWORD at the target
	StatusUnconfirmed Reason = "status_unconfirmed"       // UNCONFIRMED at the target: a surprise
	StatusExternal    Reason = "status_external_provider" // EXTERNAL_PROVIDER at the target: a surprise
	StatusUnknown     Reason = "status_unknown"           // a status that Cognito does not document
	NotStaged         Reason = "not_staged"               // signed up at the source after the scan, then moved
	JoinedByEmail     Reason = "joined_by_email"          // no legacy sub; the same verified e-mail address
	JoinedByPhone     Reason = "joined_by_phone"          // no legacy sub; the same verified phone number
	JoinedByUsername  Reason = "joined_by_username"       // no legacy sub; the same username, uncontradicted
)

// Tail is why a user is imported.
const Tail Reason = "tail"

// Why a user is pending, or excluded where the rules say so.
const (
	Federated         Reason = "federated"           // EXTERNAL_PROVIDER: has no password
	Disabled          Reason = "disabled"            // the trigger refuses the user
	Unconfirmed       Reason = "unconfirmed"         // the trigger refuses the user
	SchemaBlocks      Reason = "schema_violation"    // the target's schema refuses what may not be left out
	NoNameCarried     Reason = "no_name_carried"     // the target would know the user under no name
	UsernameUnusable  Reason = "username_unusable"   // the target would know the user, but can be given no username
	NoVerifiedContact Reason = "no_verified_contact" // has to reset, and no code can be sent
	ResetRequired     Reason = "reset_required"      // only forgot-password moves the user
	TemporaryPassword Reason = "temporary_password"  // moves, and has to choose a password then
	MFA               Reason = "mfa"                 // moves only with a code of the second factor
	NotSignedIn       Reason = "not_signed_in"       // can move
)

// Why a user is missing in the source.
const (
	Vanished            Reason = "vanished"              // and had not moved
	VanishedAfterMoving Reason = "vanished_after_moving" // and had moved
)

// Own is why a user is in the target only.
const Own Reason = "own"

type reasonWords struct {
	reason          Reason
	meaning, advice string
}

// reasons holds every reason, in the order in which they are shown. Those of
// pending users stand in the order in which Decide looks for them.
var reasons = []reasonWords{
	{SignedIn, "In the target pool, and able to sign in.", "Nothing."},
	{MustReset, "In the target pool, and has to choose a new password before signing in.", "Nothing: the app's forgot-password page does it."},
	{StatusUnconfirmed, "In the target pool, but not confirmed there: the user cannot sign in.", "Find out who signed the user up at the target, and confirm or delete that user."},
	{StatusExternal, "In the target pool as a user of an identity provider.", "Check that the user signs in through the identity provider now."},
	{StatusUnknown, "In the target pool with a status that Cognito does not document.", "Look the user up at the target."},
	{NotStaged, "Signed up at the source after it was scanned, and moved then.", "Nothing: the next seeding stages the user."},
	{JoinedByEmail, "Not moved by the trigger; known by the same verified e-mail address on both sides.", "Check how the user came to the target if you did not create them."},
	{JoinedByPhone, "Not moved by the trigger; known by the same verified phone number on both sides.", "Check how the user came to the target if you did not create them."},
	{JoinedByUsername, "Not moved by the trigger; known by the same username on both sides, and nothing contradicts it.", "Check how the user came to the target if you did not create them."},

	{Tail, "Imported with the tail; has not signed in since.", "Nothing: the user chooses a password at the next sign-in."},

	{Federated, "Signs in through an identity provider and has no password at the source.", "Connect the identity provider to the target pool; the user appears there at the next sign-in."},
	{Disabled, "Disabled at the source: the trigger refuses the user.", "Enable the user at the source, or have such users excluded."},
	{Unconfirmed, "Never confirmed at the source: the trigger refuses the user.", "Confirm or delete the user at the source, or have such users excluded."},
	{SchemaBlocks, "The target's schema refuses the user, and the trigger may not leave out what it refuses.", "See the finding schema_violation: change the value at the source, the mapping, or the schema."},
	{NoNameCarried, "Under no name that the user has would the target pool know the user afterwards.", "Give the user an e-mail address, phone number or username that the target pool accepts as a name, or map one."},
	{UsernameUnusable, "No username can be made for the user at the target: longer than 128 characters, or empty.", "Change the user's name at the source, or import the user by hand."},
	{NoVerifiedContact, "The source demands a new password, and there is no verified e-mail address or phone number to send a code to.", "Verify one at the source, or set a password there for the user."},
	{ResetRequired, "The source demands a new password: only forgot-password moves the user.", "Point the user to the forgot-password page of the new app."},
	{TemporaryPassword, "Has a temporary password at the source: signing in with it moves the user, who then has to choose a new one.", "Remind the user; where the temporary password has expired, send a new one at the source."},
	{MFA, "Has a second factor at the source that the target cannot ask for, and mfa_policy is verify.", "Have the app send mfa_code with the sign-in, or choose another mfa_policy."},
	{NotSignedIn, "Can move and has not signed in yet.", "Wait or remind the user; the tail import takes who never comes."},

	{Vanished, "Staged earlier, and no longer in the source pool; never moved.", "Nothing if the user was deleted at the source; otherwise seed again."},
	{VanishedAfterMoving, "Moved, and no longer in the source pool.", "Nothing: the target pool has the user."},
	{Own, "A user of the target pool alone.", "Nothing."},
}

// Reasons lists every reason in the order in which they are shown.
func Reasons() []Reason {
	all := make([]Reason, len(reasons))
	for i, words := range reasons {
		all[i] = words.reason
	}
	return all
}

// PendingReasons lists the reasons of pending users in the order in which Decide
// looks for them. Any can be excluded, NotSignedIn only by people.
func PendingReasons() []Reason {
	return []Reason{Federated, Disabled, Unconfirmed, SchemaBlocks, NoNameCarried, UsernameUnusable,
		NoVerifiedContact, ResetRequired, TemporaryPassword, MFA, NotSignedIn}
}

// Excludable reports whether the configuration may exclude users of a reason: who
// can move is not to be called done from the first day on.
func (r Reason) Excludable() bool {
	return r != NotSignedIn && slices.Contains(PendingReasons(), r)
}

// Meaning returns one sentence for an operator, empty for an unknown reason.
func (r Reason) Meaning() string { return r.words().meaning }

// Advice returns what to do about users of this reason, empty for an unknown
// reason.
func (r Reason) Advice() string { return r.words().advice }

func (r Reason) words() reasonWords {
	for _, words := range reasons {
		if words.reason == r {
			return words
		}
	}
	return reasonWords{}
}
