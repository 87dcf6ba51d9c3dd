// Package interop has no code, only tests: poolferry against components that
// others wrote. The README beside it says which.
//
// Vocabulary: cognito-local is an emulator of Cognito; as target it calls our
// function, as source our function signs in at it; a gap is something that
// cognito-local does otherwise than AWS, asserted so that the day it closes is
// noticed; the front is the one endpoint that a function sees, which sends each
// call to the sandbox or to cognito-local, as AWS's host names would.
package interop
