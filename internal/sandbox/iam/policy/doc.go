// Package policy reads and evaluates IAM policy documents.
//
// Words: an identity policy says what a user or role may do; a trust policy who
// may become a role; a request is one question to them, and its verdict the
// answer; a permission is one action pattern on one resource pattern.
//
// Documents are the very files that are deployed, so they are read strictly:
// what the sandbox does not evaluate, it refuses when the document is read,
// never when it is too late to notice.
package policy
