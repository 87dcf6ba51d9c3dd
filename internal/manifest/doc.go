// Package manifest is the format of a run's staged truth: what the documents
// and parts in the staging bucket look like, and what may follow what. It is
// pure: it reads and writes bytes, and knows neither S3 nor how keys are built.
//
// Vocabulary: a plan says once and for all what a run copies from where; a
// generation is one scan of the source pool, by its shards; a shard is a
// disjoint slice of what is scanned; a batch is one Lambda's worth of pages of
// a shard; a part is what a batch wrote, gzipped JSON lines below a header; a
// checkpoint is how far a shard has come; an attempt is one pass over a shard
// from its beginning; a commit is the final word on a shard, a manifest that on
// a generation. A line is one profile, or one membership of a user in a group.
//
// Every document and every part says its version. A reader refuses any version
// but its own, and within it every member that it does not know: a member is
// only added with a new version, since whoever leaves out what a writer thought
// worth saying may act on half of the truth.
//
// What refers to bytes holds their SHA-256, so that the manifest of a
// generation proves, through its commits, every line that was staged.
package manifest
