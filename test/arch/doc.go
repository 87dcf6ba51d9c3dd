// Package arch has no code, only tests: the rules of the design that a compiler
// does not check. Each rule names in its failure what to do about it.
//
// Vocabulary: a layer is a set of packages and the layers that it may import; a
// tracked file is one that is, or is about to be, under version control.
package arch
