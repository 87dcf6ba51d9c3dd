// Package s3 is the sandbox's Amazon S3: gofakes3, in memory, behind what it
// does not do itself: accounts, policies, the answers of conditional writes,
// versions, and refusals of all that it would silently ignore.
//
// Vocabulary: a bucket belongs to one account and is in one region, but its
// name is unique in the sandbox, as on AWS; an operation is one of the S3 API,
// told by method, path and query; buckets are addressed by path alone; a
// version is what an object was until it was replaced or deleted, and a delete
// marker is the version that says it was deleted.
//
// There are no bucket policies: only the account that owns a bucket gets at it.
// Nothing is encrypted, but where a bucket has a key of KMS whoever reads or writes
// an object needs permission to use it.
package s3
