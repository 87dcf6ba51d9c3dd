// Package iam is the sandbox's directory of who may do what: users, roles,
// role sessions and the policy documents that bind them.
//
// Words: an identity is a user or a role; a session is what AssumeRole makes
// of a role; a policy document is IAM's JSON, either an identity policy (what
// an identity may do) or a trust policy (who may become a role); a use is one
// action on one resource that a policy allowed.
//
// Policy documents are the very files that are deployed, so they are read
// strictly: what the sandbox does not evaluate, it refuses when the document is
// added, never when it is too late to notice.
package iam
