// Package trial is how the migration trigger tells, when it is asked to, whether
// its roles let it work. Only the trigger may assume the login role, so nobody
// else can try it.
//
// Vocabulary: a request asks a function for a trial; it is no event of Cognito
// and holds nothing about a user; a try is one action that was tried, in a way
// that changes nothing; an answer lists the tries.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// request is what asks for a trial. Cognito's events have no such member, and
// what an app sends along is in members of its own.
type request struct {
	Version document.V1 `json:"version"`
	Trial   string      `json:"poolferry"`
}

// word is the member that makes a request.
const word = "trial"

// Request returns the payload that asks a function for a trial.
func Request() []byte {
	data, _ := json.Marshal(request{Trial: word}) // of text and a constant
	return data
}

// IsRequest reports whether a payload asks for a trial. An event of Cognito never
// does: it has more members, and not this one.
func IsRequest(payload []byte) bool {
	var r request
	return document.Strictly(payload, &r) == nil && r.Trial == word
}

// The actions that are tried.
const (
	Assume         = "sts:AssumeRole"                          // on the login role
	Authenticate   = "cognito-idp:AdminInitiateAuth"           // with a name that nobody has
	Read           = "cognito-idp:AdminGetUser"                // of that name
	Respond        = "cognito-idp:AdminRespondToAuthChallenge" // in a session that there is not
	DescribeTarget = "cognito-idp:DescribeUserPool"            // of the target pool
)

// Result is how a try went.
type Result string

// The results.
const (
	Works  Result = "works"
	Denied Result = "denied" // a policy or trust refuses it
	Wrong  Result = "wrong"  // it is permitted and fails: a client, flow, secret or pool is not as it should be
	Silent Result = "silent" // no answer, or throttled: nothing is known
)

// Try is one action and how it went.
type Try struct {
	Action string `json:"action"`
	Result Result `json:"result"`
	Code   string `json:"code,omitempty"` // what AWS said, unless it works
}

// Answer is what a trial has found.
type Answer struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	Tries   []Try       `json:"tries"`
}

// Roles are what the trigger tries. Each call returns nil where the action is
// permitted and does what it should, whatever the pool says of the user, or an
// error of a kind of package fault. That of a wrong client, flow or secret is of
// kind fault.Invalid.
type Roles interface {
	Assume(ctx context.Context) error
	Authenticate(ctx context.Context) error
	Read(ctx context.Context) error
	Respond(ctx context.Context) error
	DescribeTarget(ctx context.Context) error
}

// Run tries everything; respond says whether the trigger answers challenges at
// the source. code tells what AWS said. Without the login role what it is for is
// not tried.
func Run(ctx context.Context, run string, roles Roles, respond bool, code func(error) string) Answer {
	a := Answer{Run: run}
	try := func(action string, do func(context.Context) error) Result {
		t := Try{Action: action, Result: Works}
		if err := do(ctx); err != nil {
			t.Result, t.Code = resultOf(err), code(err)
		}
		a.Tries = append(a.Tries, t)
		return t.Result
	}
	try(DescribeTarget, roles.DescribeTarget)
	if try(Assume, roles.Assume) != Works {
		return a
	}
	try(Authenticate, roles.Authenticate)
	try(Read, roles.Read)
	if respond {
		try(Respond, roles.Respond)
	}
	return a
}

func resultOf(err error) Result {
	switch fault.KindOf(err) {
	case fault.Denied:
		return Denied
	case fault.Throttled, fault.Unavailable:
		return Silent
	}
	return Wrong
}

// Encode returns the bytes of the answer.
func (a Answer) Encode() ([]byte, error) { return document.Encode(kind, a, a.check) }

const kind = "trial"

// Decode reads an answer. The error is of kind fault.Invalid: whoever answered is
// not this version's trigger.
func Decode(data []byte) (a Answer, err error) {
	err = document.Decode(kind, append(slices.Clip(data), '\n'), &a, Answer.check)
	return a, err
}

func (a Answer) check() error {
	if a.Run == "" || len(a.Tries) == 0 {
		return errors.New("run or tries are missing")
	}
	for _, t := range a.Tries {
		if t.Action == "" || !slices.Contains([]Result{Works, Denied, Wrong, Silent}, t.Result) {
			return fmt.Errorf("try %q: result %q", t.Action, t.Result)
		}
	}
	return nil
}

// Of returns how an action went, false where it was not tried.
func (a Answer) Of(action string) (Try, bool) {
	i := slices.IndexFunc(a.Tries, func(t Try) bool { return t.Action == action })
	if i < 0 {
		return Try{}, false
	}
	return a.Tries[i], true
}
