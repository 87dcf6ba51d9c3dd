// Package hook is the triggers that stand beside the migration trigger while a
// migration lasts: what the target pool's guard-signup, welcome-user and
// legacy-claim Lambdas decide.
//
// Vocabulary: the guard keeps people from registering under a name of somebody
// who is still to come; welcoming is to put somebody who has just moved into
// their groups; the claim says in tokens who somebody was at the source. An event
// goes back as it was received where a hook has nothing to say.
//
// Cognito waits five seconds for a trigger and asks up to three times (Cognito
// Developer Guide, Lambda triggers). The guard's errors are shown to people and
// have a fixed text each; welcome and claim never fail a sign-in.
package hook
