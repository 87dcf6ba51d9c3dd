// Package preflight looks, before a migration starts, for what would go wrong in
// it. It reads the settings of both pools, their app clients, the trigger, roles,
// quotas, the staging bucket and the configuration, and, once profiles are
// staged, holds every one of them against the target's schema. It changes nothing
// unless it is told to.
//
// Vocabulary: facts are what was read; a refusal is something that could not be;
// a finding is what somebody ought to know, with its code, severity and advice; a
// blocker is a finding with which a migration must not start; a fix is a change
// that preflight itself can make; a hook is a function of the run that the target
// pool calls beside the migration trigger, and the guard the one of them that
// registrations ask. What a preflight has verified is kept with the run.
package preflight
