package signin

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/srp"
	"poolferry/internal/userpool"
)

// session is a challenge that waits for its answer.
type session struct {
	clientID  string
	sub       userpool.Sub
	challenge string
	code      userpool.Secret // that was sent, for SMS_MFA and EMAIL_OTP
	choices   []string        // for SELECT_MFA_TYPE
	exchange  *srp.Exchange   // for PASSWORD_VERIFIER
	password  directory.Hash  // that the exchange is about
	expires   time.Time
}

// sessions keeps the open sessions. A session can be answered rightly once; a
// wrong code leaves it open until it expires.
type sessions struct {
	mu    sync.Mutex
	open  map[string]session
	used  map[string]time.Time // answered, until they would have expired
	swept time.Time
}

// begin stores a session and returns its token.
func (s *sessions) begin(v session, now time.Time) userpool.Secret {
	raw := make([]byte, 48)
	_, _ = rand.Read(raw)                           // never fails
	token := base64.StdEncoding.EncodeToString(raw) // which clients decode where it is a SECRET_BLOCK
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open, s.used = map[string]session{}, map[string]time.Time{}
	}
	if now.Sub(s.swept) > time.Minute {
		s.sweep(now)
	}
	s.open[token] = v
	return userpool.NewSecret(token)
}

// sweep drops what expired a while ago: until then the error says that it
// expired, later only that it is not valid.
func (s *sessions) sweep(now time.Time) {
	s.swept = now
	for token, v := range s.open {
		if now.Sub(v.expires) > time.Hour {
			delete(s.open, token)
		}
	}
	for token, expires := range s.used {
		if now.Sub(expires) > time.Hour {
			delete(s.used, token)
		}
	}
}

// find returns an open session that belongs to the client and the challenge.
func (s *sessions) find(token userpool.Secret, clientID, challenge string, now time.Time) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.open[token.Reveal()]
	_, used := s.used[token.Reveal()]
	switch {
	case used:
		return v, pool.NotAuthorized("Invalid session for the user, session can only be used once.")
	case !ok || v.clientID != clientID || v.challenge != challenge:
		return v, pool.NotAuthorized("Invalid session for the user.")
	case !now.Before(v.expires):
		return v, pool.NotAuthorized("Invalid session for the user, session is expired.")
	}
	return v, nil
}

// end closes a session; it reports false where another answer was faster.
func (s *sessions) end(token userpool.Secret) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.open[token.Reveal()]
	if ok {
		delete(s.open, token.Reveal())
		s.used[token.Reveal()] = v.expires
	}
	return ok
}

// challenge asks the user something in a new session.
func (e *Engine) challenge(c *pool.Client, u *directory.User, v session, parameters map[string]string) *Outcome {
	v.clientID, v.sub = c.ID, u.Sub
	v.expires = e.now().Add(time.Duration(c.Settings.AuthSessionValidity) * time.Minute)
	return &Outcome{Challenge: v.challenge, Parameters: parameters, Session: e.sessions.begin(v, e.now())}
}
