// Package live has no code, only tests, of what the sandbox can only claim: a
// migration between two real accounts, and what AWS answers where its
// documentation says nothing. The very same tests run against the sandbox, so
// that they still work on the day on which somebody has two accounts.
//
// Vocabulary: the ground is where a test stands, two accounts or a sandbox; the
// story is a migration of throw-away users on it; a probe asks AWS one question
// in a throw-away user pool and writes the answer down, whatever it is; a script
// is what the throw-away function behind such a pool does. Whatever is made has a
// name that begins with poolferry-live, and is deleted at the end.
package live
