// Package seeding stages the profiles of a source pool into a manifest: it
// decides what is read when, and what that means for a run. It knows neither
// AWS nor Step Functions; a state machine calls Plan, Batch and Close again and
// again, any of them at any time, as often and as concurrently as it likes.
//
// Vocabulary: a seeding is the work on one run's manifest, of which each process
// has its own; a chain is the executions that follow each other until a
// generation is closed, and a link is one of them, the first begun by a person;
// a shard is open while there is more to read, complete when everything was
// read, committed when its parts are final, and failed when it was given up; a
// prefix is the beginning of all subs of a shard; repeats are lines about users
// who come up again later in the shard.
//
// What makes repetition harmless: plan, openings of generations, commits and
// manifests are created once, and whoever comes second takes what stands.
// Checkpoints move by compare-and-swap, and a part counts only once a checkpoint
// refers to it. So a batch that is killed leaves at most a part that nobody
// reads, and of two that do the same work one has worked in vain.
//
// Nothing that is returned, recorded as a failure or sent as a metric holds
// personal data, but for subs.
package seeding
