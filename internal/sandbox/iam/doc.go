// Package iam is the sandbox's directory of who may do what: users, roles,
// role sessions and the policy documents that bind them.
//
// Words: an identity is a user or a role; a session is what AssumeRole makes
// of a role; a use is one action on one resource that the policies of an
// identity allowed; policies and requests are those of package policy.
package iam
