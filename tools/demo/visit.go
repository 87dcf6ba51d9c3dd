package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/telemetry"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// visit is what one person does at the target, and what the target knows of the
// person by then.
type visit struct {
	*demo
	person   crowd.Person
	moved    bool            // the person is a user of the target and can sign in
	created  bool            // the target has the user, whether or not the person can sign in
	password userpool.Secret // the one that works, once moved
}

// answer is what came back from one attempt at the target.
type answer struct {
	in      bool     // the person is signed in
	err     error    // of Cognito, as the person's app sees it
	asked   []string // the trigger's outcomes, in order; none where it was not asked
	outcome string   // the last of them
	wait    time.Duration
	idToken userpool.Secret
}

// arrive is a person's first visit: perhaps a slip of the finger, then the
// right password, and whatever a refused person does next.
func (v *visit) arrive() {
	p := v.person
	if mistypes(p) {
		v.judge(v.signIn(p.Wrong), "wrong password", false, v.refusals()...)
	}
	if forgets(p) {
		v.forgotPassword()
		return
	}
	if hopes(p) { // for a new password that cannot be sent anywhere
		v.forgotPassword()
	}
	a := v.signIn(p.Password)
	if !v.judge(a, "right password", p.Migrates(), string(p.Outcome)) {
		return
	}
	switch p.Kind {
	case crowd.ForcedChange:
		v.created = true
		v.moved = v.newPassword("after a temporary password")
	case crowd.ResetRequired, crowd.SwitchedOff, crowd.Federated, crowd.NotConfirmed:
		v.forgotPassword()
	default:
		if p.Migrates() {
			v.created, v.moved, v.password = true, true, p.Password
		}
	}
}

// mistypes, forgets and hopes share out the habits of people.
func mistypes(p crowd.Person) bool { return p.Index%4 == 3 }

func forgets(p crowd.Person) bool {
	return p.Index%7 == 3 && slices.Contains([]crowd.Kind{crowd.Plain, crowd.EmailName, crowd.PhoneName, crowd.WeakPassword}, p.Kind)
}

func hopes(p crowd.Person) bool { return p.Kind == crowd.UnverifiedEmail && p.Index%2 == 0 }

// refusals are the outcomes that a wrong password may have: what Cognito says of
// a user whose status rules out any password, it may say before it looks.
func (v *visit) refusals() []string {
	outcomes := []string{string(trigger.RejectedCredentials)}
	if v.person.User.Status != userpool.StatusConfirmed || !v.person.User.Enabled {
		outcomes = append(outcomes, string(v.person.Outcome))
	}
	return outcomes
}

// comeBack is a later visit of a person who has moved: the source must not be
// asked any more, and the person must have brought every attribute along.
func (v *visit) comeBack() {
	if v.person.Index%8 == 5 {
		if a := v.signIn(v.person.Wrong); a.in || len(a.asked) > 0 {
			v.surprise("wrong password after the move", a)
		}
	}
	a := v.signIn(v.password)
	switch {
	case v.stopped(), v.excused(a):
		return
	case !a.in || len(a.asked) > 0:
		v.surprise("second sign-in", a)
		return
	}
	v.tally.returnedOnce()
	if lost := v.lost(a.idToken); len(lost) > 0 {
		v.tally.surprise(fmt.Sprintf("%s %d: attributes differ at the target: %s", v.person.Kind, v.person.Index, strings.Join(lost, ", ")))
	}
}

// lost names the attributes that the ID token of the target does not have as
// the mapping says. The target holds a name in the case in which it was typed.
func (v *visit) lost(idToken userpool.Secret) []string {
	there, err := userpool.ParseIDToken(idToken)
	if err != nil {
		return []string{err.Error()}
	}
	var lost []string
	for name, value := range v.world.Config.Mapping.Apply(v.person.User) {
		got := there.Attributes[name]
		asTyped := strings.EqualFold(got, value) && got == v.person.Name
		if got != value && !asTyped {
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	return lost
}

// forgotPassword asks for a new password under a name that the target does not
// know.
func (v *visit) forgotPassword() {
	p := v.person
	start := v.now()
	err := v.app.ForgotPassword(v.ctx, p.Name, nil)
	a := v.answered(err, start)
	if !p.ResetMoves {
		v.judge(a, "forgotten password", false, unreachable(p))
		return
	}
	a.in = a.outcome == string(trigger.Migrated) && err == nil
	if !v.judge(a, "forgotten password", true, string(trigger.Migrated)) || !a.in {
		return
	}
	v.created = true
	v.moved = v.confirm("with the code that was sent")
}

// unreachable is the outcome of a forgotten password that moves nobody.
func unreachable(p crowd.Person) string {
	switch p.Kind {
	case crowd.Federated:
		return string(trigger.Federated)
	case crowd.SwitchedOff:
		return string(trigger.Disabled)
	case crowd.NotConfirmed:
		return string(trigger.Unconfirmed)
	default:
		return string(trigger.NoVerifiedContact)
	}
}

// newPassword is the forgot-password flow of a user whom the target has: the
// trigger is not asked.
func (v *visit) newPassword(when string) bool {
	start := v.now()
	if a := v.answered(v.app.ForgotPassword(v.ctx, v.person.Name, nil), start); a.err != nil || len(a.asked) > 0 {
		v.surprise("ask for a new password "+when, a)
		return false
	}
	return v.confirm(when)
}

// confirm sets the person's fresh password and signs in with it.
func (v *visit) confirm(when string) bool {
	code, ok := v.world.LastCode(v.person)
	if !ok {
		v.surprise("no code was sent", answer{})
		return false
	}
	start := v.now()
	if err := v.app.ConfirmForgotPassword(v.ctx, v.person.Name, code, v.person.Fresh); err != nil {
		v.surprise("new password "+when, v.answered(err, start))
		return false
	}
	if a := v.signIn(v.person.Fresh); !a.in || len(a.asked) > 0 {
		v.surprise("sign-in with the new password "+when, a)
		return false
	}
	v.password = v.person.Fresh
	return true
}

// signIn types the name and a password, and answers the second factor.
func (v *visit) signIn(password userpool.Secret) answer {
	p := v.person
	var metadata map[string]string
	if p.SendsCode {
		metadata = map[string]string{"mfa_code": v.world.TOTP(p).Reveal()}
	}
	start := v.now()
	s, err := v.app.SignIn(v.ctx, p.Name, password, metadata)
	if err == nil && s.Challenge == trigger.ChallengeSMS {
		code, ok := v.world.LastCode(p)
		if !ok {
			err = fmt.Errorf("%s without a message", s.Challenge)
		} else {
			s, err = v.app.Answer(v.ctx, s, code)
		}
	}
	a := v.answered(err, start)
	a.in, a.idToken = s.Done && err == nil, s.IDToken
	if err == nil && !s.Done {
		a.err = fmt.Errorf("unexpected challenge %s", s.Challenge)
	}
	return a
}

// answered collects what is known after a call.
func (v *visit) answered(err error, start time.Time) answer {
	a := answer{err: err, wait: v.now().Sub(start), asked: v.audit.take(telemetry.NameHash(v.world.Secrets.NameKey, v.person.Name))}
	if len(a.asked) > 0 {
		a.outcome = a.asked[len(a.asked)-1]
	}
	return a
}

// judge counts an attempt and reports whether it ended as it should: signed in
// or not, with one of the outcomes.
func (v *visit) judge(a answer, what string, in bool, outcomes ...string) bool {
	switch {
	case v.stopped():
		return false
	case a.in == in && slices.Contains(outcomes, a.outcome) && !a.triggerFailed():
		if in {
			v.tally.migrated(a.wait)
		} else {
			v.tally.refused(a.outcome, a.wait)
		}
		return true
	case v.excused(a):
		v.tally.refused(a.reason(), a.wait)
		return false
	}
	v.tally.failed(v.tell(fmt.Sprintf("%s (want %s, signed in: %v)", what, strings.Join(outcomes, " or "), in), a), a.wait)
	return false
}

// stopped reports that the answer is worth nothing because the demo was stopped.
func (v *visit) stopped() bool { return v.ctx.Err() != nil }

// triggerFailed reports what the client sees of a trigger that failed, whatever
// the trigger thinks that it has decided. The target's client hides who exists,
// so it never says UserNotFoundException otherwise.
func (a answer) triggerFailed() bool { return cognito.Code(a.err) == "UserNotFoundException" }

// excused reports failures that were asked for: where faults are injected, some
// sign-ins cannot be decided.
func (v *visit) excused(a answer) bool {
	if v.options.Faults == "" || a.in {
		return false
	}
	return trigger.Outcome(a.outcome).Failed() || a.kind() == fault.Throttled || a.kind() == fault.Unavailable ||
		a.triggerFailed() || a.usedUp()
}

// usedUp reports that Cognito had to ask the trigger again after an attempt that
// came to nothing. A code of a second factor works once, so the next attempt of
// the same sign-in is refused for it.
func (a answer) usedUp() bool {
	return a.outcome == string(trigger.MfaRefused) && len(a.asked) > 1
}

func (a answer) kind() fault.Kind {
	if a.err == nil {
		return ""
	}
	return fault.KindOf(a.err)
}

// reason is the outcome of a failure, or what the client saw of it where the
// trigger was not asked or did not come to an end.
func (a answer) reason() string {
	switch {
	case trigger.Outcome(a.outcome).Failed():
		return a.outcome
	case a.kind() == fault.Throttled:
		return string(trigger.Throttled)
	default:
		return string(trigger.Unavailable)
	}
}

func (v *visit) surprise(what string, a answer) {
	if v.stopped() || v.excused(a) {
		return
	}
	v.tally.surprise(v.tell(what, a))
}

// tell says what happened without naming anybody but by kind and number.
func (v *visit) tell(what string, a answer) string {
	text := fmt.Sprintf("%s %d: %s: signed in: %v", v.person.Kind, v.person.Index, what, a.in)
	if len(a.asked) > 0 {
		text += ", trigger said " + strings.Join(a.asked, ", ")
	}
	if code := cognito.Code(a.err); code != "" {
		text += ", Cognito said " + code
	} else if a.err != nil {
		text += ", " + a.err.Error()
	}
	return text
}
