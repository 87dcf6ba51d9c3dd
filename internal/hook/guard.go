package hook

import (
	"cmp"
	"context"
	"slices"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/trigger/envelope"
	"poolferry/internal/userpool"
)

// GuardBudget is how long a registration may take. Cognito gives up after 5 s, and
// the start of a cold function is among them.
const GuardBudget = 2500 * time.Millisecond

// SourceSignUp is the trigger source of a registration. It may be that of a user
// who is being migrated, too: Cognito lists PreSignUp among the triggers of a
// sign-in (Cognito API reference, InitiateAuth) and does not say with which
// source.
const SourceSignUp = "PreSignUp_SignUp"

// WhenUnsure says what becomes of a registration when it cannot be found out
// whether a name belongs to somebody.
type WhenUnsure string

// The two ways.
const (
	UnsureRefuse WhenUnsure = "refuse" // nobody registers until it can; the default
	UnsureAllow  WhenUnsure = "allow"  // anybody does, and may take a name from somebody who is still to come
)

// Owners finds whom names belong to; lookup.Lookup does.
type Owners interface {
	Owners(ctx context.Context, u userpool.User) ([]lookup.Owner, error)
}

// GuardOptions configure a Guard.
type GuardOptions struct {
	PoolID     string // of the target pool
	WhenUnsure WhenUnsure
	Owners     Owners
	Recorder   Recorder
	Now        func() time.Time
}

// Guard keeps people from registering under a name of somebody who is still to
// come. Whoever did could not be moved any more: Cognito asks the migration
// trigger about names only that it does not know (Cognito Developer Guide,
// migrate user Lambda trigger). It is safe for concurrent use.
type Guard struct {
	o GuardOptions
}

// NewGuard returns a Guard.
func NewGuard(o GuardOptions) *Guard { return &Guard{o} }

// The texts that people see. They are the same for everybody.
const (
	textTaken = "There is already an account with this e-mail address, phone number or username. Sign in with it instead of registering."
	textLater = "Registration is not available at the moment. Try again later."
)

// Reasons of decisions.
const (
	reasonMigrated  = "migrated_user" // the event is about the owner, who is being moved
	reasonUnmovable = "owner_cannot_move"
	reasonWrongPool = "wrong_pool"
	reasonNoEvent   = "not_an_event"
	reasonUnchecked = "migrated_user_unchecked"
	reasonAllowed   = "allowed" // of what is unsure
	reasonRefused   = "refused"
)

// signUpEvent is a PreSignUp event, as far as the guard wants to know it (Cognito
// Developer Guide, pre sign-up Lambda trigger).
type signUpEvent struct {
	envelope.Header
	Request struct {
		UserAttributes attributes `json:"userAttributes"`
	} `json:"request"`
}

// Handle decides a PreSignUp event. The event goes back as it was received, or
// there is an error: of kind fault.AlreadyExists where a name belongs to somebody
// whom the migration trigger can move, of kind fault.Unavailable where it is
// unsure and WhenUnsure is to refuse.
//
//	trigger source                   a name belongs to            answer
//	PreSignUp_SignUp                 nobody                       the event
//	                                 the user of custom:legacy_sub the event: this is the migration
//	                                 somebody who can move        refused
//	                                 others who cannot            the event
//	                                 (cannot be found out)        as WhenUnsure; the event with custom:legacy_sub
//	any other, known or not          (nobody asks)                the event
//
// Nobody is locked out for the sake of somebody whom the trigger cannot move:
// lookup.Movable, and comes.
func (g *Guard) Handle(ctx context.Context, payload []byte) ([]byte, error) {
	invoke := fault.Boundary(func(ctx context.Context, payload []byte) ([]byte, error) {
		if err := g.handle(ctx, payload); err != nil {
			return nil, err
		}
		return payload, nil
	})
	return invoke(ctx, payload)
}

func (g *Guard) handle(ctx context.Context, payload []byte) error {
	start := g.o.Now()
	var event signUpEvent
	s := SignUp{At: start, TriggerSource: SourceSignUp}
	if envelope.Read("sign-up", payload, &event) != nil {
		s.Outcome, s.Reason = SignUpUnsure, reasonNoEvent
	} else if event.TriggerSource != SourceSignUp {
		return nil
	} else {
		s.ClientID = event.CallerContext.ClientID
		g.decide(ctx, event, &s)
	}
	allowed := s.Outcome == SignUpAllowed
	if s.Outcome == SignUpUnsure {
		// Who is being moved has proven a password: better an unproven name than a
		// sign-in that fails.
		moving := event.Request.UserAttributes[userpool.AttrLegacySub] != ""
		allowed = g.o.WhenUnsure == UnsureAllow || moving
		s.Reason = cmp.Or(s.Reason, reasonOf(allowed, moving))
	}
	s.Took = g.o.Now().Sub(start)
	g.o.Recorder.RecordSignUp(ctx, s)
	switch {
	case allowed:
		return nil
	case s.Outcome == SignUpUnsure:
		return fault.New(fault.Unavailable, textLater)
	}
	return fault.New(fault.AlreadyExists, textTaken)
}

func reasonOf(allowed, moving bool) string {
	switch {
	case moving:
		return reasonUnchecked
	case allowed:
		return reasonAllowed
	}
	return reasonRefused
}

// decide fills in the outcome.
func (g *Guard) decide(ctx context.Context, event signUpEvent, s *SignUp) {
	if event.UserPoolID != g.o.PoolID {
		s.Outcome, s.Reason = SignUpUnsure, reasonWrongPool
		return
	}
	// The user has no sub yet. The username of a pool that makes its own is no name.
	u := userpool.User{Username: event.UserName, Attributes: userpool.Attributes(event.Request.UserAttributes)}
	s.Name = cmp.Or(u.Attributes[userpool.AttrEmail], u.Attributes[userpool.AttrPhoneNumber], u.Username)
	ctx, cancel := context.WithTimeout(ctx, GuardBudget)
	defer cancel()
	owners, err := g.o.Owners.Owners(ctx, u)
	typed, first := addressed(u), len(owners) // whom typed has a name of come from here on
	if err == nil && typed.Attributes != nil {
		var more []lookup.Owner
		more, err = g.o.Owners.Owners(ctx, typed)
		owners = append(owners, more...)
	}
	if err != nil {
		s.Outcome, s.Code = SignUpUnsure, string(fault.KindOf(err))
		return
	}
	s.Outcome = SignUpAllowed
	if len(owners) == 0 {
		return
	}
	// No client can write custom:legacy_sub, and no person knows it of another: it
	// is there because the migration trigger has put it there.
	legacy := userpool.Sub(u.Attributes[userpool.AttrLegacySub])
	if i := slices.IndexFunc(owners, func(o lookup.Owner) bool { return o.Sub == legacy }); i >= 0 {
		s.Reason = reasonMigrated
		s.of(owners[i])
		return
	}
	i := slices.IndexFunc(owners, comes)
	if i < 0 {
		s.Reason = reasonUnmovable
		s.of(owners[0])
		return
	}
	s.Outcome = SignUpRefused
	s.of(owners[i])
	if i >= first {
		u = typed
	}
	s.Name = nameOf(u, s.Kind)
}

// addressed is somebody who has nothing but the address or number that stands in
// place of the username; without attributes where that is none, or is among u's.
//
// Pools that sign in by address take it as username at a registration, make
// another username up, and no page says in which members of the event it is then.
func addressed(u userpool.User) (typed userpool.User) {
	attribute := ""
	switch {
	case userpool.IsEmail(u.Username):
		attribute = userpool.AttrEmail
	case userpool.IsPhone(u.Username):
		attribute = userpool.AttrPhoneNumber
	}
	if attribute != "" && u.Attributes[attribute] != u.Username {
		typed.Attributes = userpool.Attributes{attribute: u.Username}
	}
	return typed
}

// comes reports whether a name is kept for its owner. The source demands a new
// password of whoever has no verified address, and can send no code: they can move
// by nothing that they do themselves. Their address is for whoever proves to have
// it, for Cognito confirms nobody without; their username is kept, for nobody
// proves that.
func comes(o lookup.Owner) bool {
	if o.Reason == verdict.NoVerifiedContact && (o.Kind == names.Email || o.Kind == names.Phone) {
		return false
	}
	return lookup.Movable(o.Reason)
}

// of fills in who the owner is.
func (s *SignUp) of(o lookup.Owner) {
	s.Owner, s.OwnerReason, s.Kind = o.Sub, o.Reason, o.Kind.String()
}

// nameOf is the name of a kind with which somebody registers.
func nameOf(u userpool.User, kind string) string {
	switch kind {
	case "email":
		return u.Attributes[userpool.AttrEmail]
	case "phone":
		return u.Attributes[userpool.AttrPhoneNumber]
	case "preferred_username":
		return cmp.Or(u.Attributes[userpool.AttrPreferredUsername], u.Username)
	}
	return u.Username
}
