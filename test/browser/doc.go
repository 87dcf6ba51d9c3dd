// Package browser has no code, only tests: the report as a browser shows it. The
// README beside it says with what.
//
// Vocabulary: a look is one page on one screen in one colour scheme; a lure is a
// page with everything that a look is meant to find.
package browser
