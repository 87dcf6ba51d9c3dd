// Package fidelity has no code, only a test: it plays recorded cases, what AWS
// itself answered, through the sandbox's Step Functions API and compares.
//
//	make fidelity ASL_CASES=FILE
//
// Words: a case is a definition, what it runs on and what AWS answered; it
// passes, or it is refused at creation since the sandbox does not support a
// field of it, or the sandbox is wrong. Only the last fails the test. The file
// says in its own "convention" how it is to be read; any file of that form will
// do, and none is part of the project.
package fidelity
