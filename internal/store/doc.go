// Package store keeps a run's staged truth in S3, through aws-sdk-go-v2, of
// which it is the only user for S3. Packages manifest and reconcile say what is
// in the objects, this package where they are and who may replace which.
//
// Vocabulary: a Bucket is as much of S3 as a run needs; a condition is what must
// hold of an object for a write to happen; a tag is the ETag of an object, which
// says nothing but whether it is still the same; a Run is one run's objects in
// a bucket. A part's key holds the beginning of its digest, so that two
// executions of one batch never write to one key what the other has not
// written: whose part counts is decided by the checkpoint alone.
package store
