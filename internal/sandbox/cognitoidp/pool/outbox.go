package pool

import (
	"strings"
	"sync"
	"time"

	"poolferry/internal/userpool"
)

// Message is what Cognito would have sent.
type Message struct {
	Medium      string // SMS or EMAIL
	Destination string // phone number or address, in full
	Purpose     Purpose
	Code        userpool.Secret // the code, or the temporary password of an invitation
	Sent        time.Time
}

// Purpose is what a message is for. A code is good for its purpose only.
type Purpose string

// The purposes.
const (
	PurposeSignIn   Purpose = "sign-in"
	PurposeRecovery Purpose = "recovery"
	PurposeConfirm  Purpose = "confirm"
	PurposeInvite   Purpose = "invite"
	PurposeWelcome  Purpose = "welcome" // of a migrated user; carries no code
)

// Outbox keeps the last message per user, and per user and purpose. The zero
// Outbox is empty; it is safe for concurrent use.
type Outbox struct {
	mu    sync.Mutex
	last  map[userpool.Sub]Message
	codes map[outboxKey]Message
}

type outboxKey struct {
	sub     userpool.Sub
	purpose Purpose
}

// Send puts a message into the outbox. It replaces an earlier one of the same
// purpose, whose code is no longer good.
func (o *Outbox) Send(sub userpool.Sub, m Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last, o.codes = map[userpool.Sub]Message{}, map[outboxKey]Message{}
	}
	o.last[sub] = m
	o.codes[outboxKey{sub, m.Purpose}] = m
}

// Last returns the last message to a user.
func (o *Outbox) Last(sub userpool.Sub) (Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.last[sub]
	return m, ok
}

// Pending returns the message whose code is still good for a purpose.
func (o *Outbox) Pending(sub userpool.Sub, purpose Purpose) (Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.codes[outboxKey{sub, purpose}]
	return m, ok
}

// Use takes a code out of use. It reports false where the code is not the
// pending one any more: of two users of one code one wins.
func (o *Outbox) Use(sub userpool.Sub, purpose Purpose, code userpool.Secret) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.codes[outboxKey{sub, purpose}]
	if !ok || !m.Code.Equal(code) {
		return false
	}
	delete(o.codes, outboxKey{sub, purpose})
	return true
}

// Mask hides most of a destination, as CodeDeliveryDetails shows it.
func Mask(medium, destination string) string {
	if medium == "SMS" {
		if len(destination) < 5 {
			return "+*******"
		}
		return "+*******" + destination[len(destination)-4:]
	}
	user, domain, _ := strings.Cut(destination, "@")
	return first(user) + "***@" + first(domain) + "***"
}

// first is the first character of a text that has one.
func first(text string) string {
	for _, r := range text {
		return string(r)
	}
	return ""
}
