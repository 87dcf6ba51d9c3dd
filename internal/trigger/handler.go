package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Budget is how long a decision may take. Cognito gives up after 5 s and calls
// again, which would try the password at the source once more; a clean error
// before that is the better end. The rest is for the invoke itself.
const Budget = 4300 * time.Millisecond

// Limits of the Cognito API on what a user can type (Cognito API reference,
// InitiateAuth). Longer input cannot be right and is not sent on.
const (
	maxName     = 128 // characters
	maxPassword = 256 // characters
)

// mfaCodeKey is the ClientMetadata member in which an app sends the code of the
// second factor.
const mfaCodeKey = "mfa_code"

// ProfileFrom says where the attributes of a proven user are read.
type ProfileFrom string

// The two places. FromIDToken saves a round trip and is right only where the
// client reads every mapped attribute and no trigger changes the claims; see
// userpool.Pool.IDTokenLoses.
const (
	FromLookup  ProfileFrom = "lookup"
	FromIDToken ProfileFrom = "id_token"
)

// Options configures a Handler.
type Options struct {
	PoolID   string // of the target pool
	Mapping  userpool.Mapping
	MFA      MFAPolicy
	Profile  ProfileFrom
	Source   Source
	Target   Target
	Recorder Recorder
	Now      func() time.Time
}

// Handler decides migration events. It is safe for concurrent use.
type Handler struct {
	o Options
}

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o: o} }

// Invoke is the Lambda handler: an event in JSON for an event in JSON. Its
// errors have a kind of package fault and a fixed text, since Cognito may show
// the text to the person who signs in.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	invoke := fault.Boundary(func(ctx context.Context, payload []byte) ([]byte, error) {
		event, err := ParseEvent(payload)
		if err != nil {
			h.o.Recorder.Record(ctx, Decision{At: h.o.Now(), Outcome: Misconfigured, Reason: "not_an_event"})
			return nil, failure(Misconfigured)
		}
		event, err = h.Handle(ctx, event)
		if err != nil {
			return nil, err
		}
		return json.Marshal(event)
	})
	return invoke(ctx, payload)
}

// Handle decides one event. It returns the event with the response filled to
// migrate the user, with an empty response to refuse, or an error where nothing
// was decided.
func (h *Handler) Handle(ctx context.Context, event Event) (Event, error) {
	start := h.o.Now()
	ctx, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()

	t := &trace{now: h.o.Now}
	ruling, sub, err := h.decide(ctx, t, event)
	decision := Decision{
		At: start, TriggerSource: event.TriggerSource, Outcome: ruling.Outcome, Reason: ruling.Reason, Sub: sub,
		Name: event.UserName, ClientID: event.ClientID, Steps: t.steps, Dropped: ruling.Dropped,
	}
	if err != nil {
		decision.Outcome, decision.Code = outcomeOf(err), codeOf(err)
	}
	decision.Total = h.o.Now().Sub(start)
	h.o.Recorder.Record(ctx, decision)

	event.Response = ruling.Response
	if decision.Outcome.Failed() {
		return Event{}, failure(decision.Outcome)
	}
	return event, nil
}

// decide returns the ruling, and the source sub where it is known.
func (h *Handler) decide(ctx context.Context, t *trace, e Event) (Ruling, userpool.Sub, error) {
	if e.UserPoolID != h.o.PoolID {
		return Ruling{Outcome: Misconfigured, Reason: "wrong_pool"}, "", nil
	}
	switch e.TriggerSource {
	case SourceAuthentication, SourceForgotPassword:
	default:
		return Ruling{Outcome: Misconfigured, Reason: "unknown_trigger_source"}, "", nil
	}
	if reason := typedBadly(e); reason != "" {
		return Ruling{Outcome: RejectedCredentials, Reason: reason}, "", nil
	}
	pool, err := h.target(ctx, t)
	if err != nil {
		return Ruling{}, "", err
	}
	policy := Policy{Mapping: h.o.Mapping, MFA: h.o.MFA, Target: pool}
	if e.TriggerSource == SourceForgotPassword {
		return h.forgotPassword(ctx, t, e, policy)
	}
	return h.authenticate(ctx, t, e, policy)
}

// typedBadly refuses what no source user can have typed.
func typedBadly(e Event) string {
	name := utf8.RuneCountInString(e.UserName)
	password := utf8.RuneCountInString(e.Password.Reveal())
	switch {
	case name == 0:
		return "empty_name"
	case name > maxName:
		return "name_too_long"
	case password == 0 && e.TriggerSource == SourceAuthentication:
		return "empty_password"
	case password > maxPassword:
		return "password_too_long"
	}
	return ""
}

func (h *Handler) authenticate(ctx context.Context, t *trace, e Event, policy Policy) (Ruling, userpool.Sub, error) {
	var reply Reply
	err := t.step(StepAuthenticate, func() (err error) {
		reply, err = h.o.Source.Authenticate(ctx, e.UserName, e.Password)
		return err
	})
	if err != nil {
		return Ruling{}, "", err
	}
	how, refused := proofOf(reply)
	if refused.Outcome == "" && policy.wantsCode(how) {
		how, refused, err = h.verify(ctx, t, &reply, e.Metadata[mfaCodeKey])
	}
	if err != nil || refused.Outcome != "" {
		return refused, "", err
	}
	user, err := h.profile(ctx, t, e.UserName, reply)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return Ruling{Outcome: NotInSource, Reason: "gone_after_sign_in"}, "", nil
	}
	if err != nil {
		return Ruling{}, "", err
	}
	return policy.Migrate(e.UserName, user, how), user.Sub, nil
}

// verify answers the pending second-factor challenge; reply becomes the
// source's last word. A user with nothing enrolled (MFA_SETUP) has no code.
func (h *Handler) verify(ctx context.Context, t *trace, reply *Reply, code string) (proof, Ruling, error) {
	challenge := reply.Challenge
	if code == "" || challenge.Name == ChallengeMFASetup {
		return proofNone, Ruling{Outcome: MfaRefused, Reason: "no_code"}, nil
	}
	err := t.step(StepChallenge, func() (err error) {
		*reply, err = h.o.Source.Answer(ctx, challenge, userpool.NewSecret(code))
		return err
	})
	if err != nil {
		return proofNone, Ruling{}, err
	}
	how, refused := proofOf(*reply)
	if refused.Outcome == "" && how != proofFull {
		refused = Ruling{Outcome: MfaRefused, Reason: "further_challenge"}
	}
	return how, refused, nil
}

// proofOf says how far a reply proves the user, or why it refuses.
func proofOf(reply Reply) (proof, Ruling) {
	switch reply.Standing {
	case Proven:
		return proofFull, Ruling{}
	case Challenged:
		switch reply.Challenge.Name {
		case ChallengeSMS:
			return proofSMS, Ruling{}
		case ChallengeTOTP, ChallengeEmail, ChallengeSelectMFA, ChallengeMFASetup:
			return proofPassword, Ruling{}
		case ChallengeNewPassword:
			return proofTempPass, Ruling{}
		}
		// A challenge that we do not know may come before the password.
		return proofNone, Ruling{Outcome: RejectedCredentials, Reason: "unknown_challenge"}
	case NoSuchUser:
		return proofNone, Ruling{Outcome: NotInSource}
	case UserDisabled:
		return proofNone, Ruling{Outcome: Disabled}
	case UserUnconfirmed:
		return proofNone, Ruling{Outcome: Unconfirmed}
	case ResetRequired:
		return proofNone, Ruling{Outcome: NeedsReset, Reason: reasonResetAtSource}
	case AttemptsExceeded:
		return proofNone, Ruling{Outcome: LockedOut}
	case WrongCode:
		return proofNone, Ruling{Outcome: MfaRefused, Reason: "wrong_code"}
	default:
		return proofNone, Ruling{Outcome: RejectedCredentials}
	}
}

func (h *Handler) forgotPassword(ctx context.Context, t *trace, e Event, policy Policy) (Ruling, userpool.Sub, error) {
	user, err := h.lookup(ctx, t, e.UserName)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return Ruling{Outcome: NotInSource}, "", nil
	}
	if err != nil {
		return Ruling{}, "", err
	}
	return policy.Migrate(e.UserName, user, proofNone), user.Sub, nil
}

// profile reads the attributes of a user whose password is proven: from the ID
// token where that is allowed and the token can be read, otherwise by a lookup.
// A token that cannot be read costs a round trip, never an attribute.
func (h *Handler) profile(ctx context.Context, t *trace, typed string, reply Reply) (userpool.User, error) {
	name := typed
	if reply.Challenge.Username != "" {
		name = reply.Challenge.Username
	}
	if !reply.IDToken.Empty() {
		user, err := userpool.ParseIDToken(reply.IDToken)
		if err == nil && h.o.Profile == FromIDToken {
			return user, nil
		}
		if err == nil {
			name = user.Username // the user that was proven, whatever becomes of the alias meanwhile
		}
	}
	return h.lookup(ctx, t, name)
}

func (h *Handler) lookup(ctx context.Context, t *trace, name string) (user userpool.User, err error) {
	err = t.step(StepLookup, func() error {
		user, err = h.o.Source.User(ctx, name)
		return err
	})
	return user, err
}

func (h *Handler) target(ctx context.Context, t *trace) (pool userpool.Pool, err error) {
	err = t.step(StepTarget, func() error {
		pool, err = h.o.Target.Pool(ctx)
		return err
	})
	return pool, err
}

// trace times the waits for AWS.
type trace struct {
	now   func() time.Time
	steps []Step
}

func (t *trace) step(name StepName, wait func() error) error {
	start := t.now()
	err := wait()
	t.steps = append(t.steps, Step{name, t.now().Sub(start)})
	return err
}

// outcomeOf turns an error of Source or Target into an outcome.
func outcomeOf(err error) Outcome {
	if errors.Is(err, context.DeadlineExceeded) {
		return Deadline
	}
	switch fault.KindOf(err) {
	case fault.Throttled:
		return Throttled
	case fault.Denied, fault.Invalid, fault.NotFound:
		return Misconfigured
	default:
		return Unavailable
	}
}

// codeOf returns the AWS error code, which names no user, where err has one.
func codeOf(err error) string {
	if coded, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		return coded.ErrorCode()
	}
	return string(fault.KindOf(err))
}

// failure is the error that Cognito gets. Its text is the same for every user
// and says nothing about this one.
func failure(o Outcome) error {
	switch o {
	case LockedOut, Throttled:
		return fault.New(fault.Throttled, "sign-in is busy, try again in a moment")
	case Misconfigured:
		return fault.New(fault.Invalid, "sign-in is not available, contact support")
	default:
		return fault.New(fault.Unavailable, "sign-in is not available, try again in a moment")
	}
}
