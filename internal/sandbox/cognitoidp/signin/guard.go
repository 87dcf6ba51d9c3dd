package signin

import (
	"sync"
	"time"

	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/userpool"
)

// guard is the lockout for failed sign-in attempts (Cognito Developer Guide,
// authentication): after the fifth wrong password the user is locked for one
// second, then twice as long for every further one, about 15 minutes at most.
// Attempts while locked are not evaluated and do not count. A right password
// after the lock or 15 minutes without any attempt start over.
type guard struct {
	mu    sync.Mutex
	users map[userpool.Sub]*failures
}

type failures struct {
	count  int
	locked time.Time // until
	last   time.Time // any attempt
}

const (
	freeAttempts = 5
	longestLock  = 15 * time.Minute
	quiet        = 15 * time.Minute
)

// ErrLocked is the error of an attempt that is not evaluated.
var ErrLocked error = pool.NotAuthorized("Password attempts exceeded")

// attempt evaluates a password unless the user is locked.
func (g *guard) attempt(sub userpool.Sub, now time.Time, right func() bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.users[sub]
	if f != nil && now.Sub(f.last) >= quiet {
		f = nil
	}
	if f != nil && now.Before(f.locked) {
		f.last = now
		return ErrLocked
	}
	if right() {
		delete(g.users, sub)
		return nil
	}
	if f == nil {
		f = &failures{}
		if g.users == nil {
			g.users = map[userpool.Sub]*failures{}
		}
		g.users[sub] = f
	}
	f.count++
	f.last = now
	if over := f.count - freeAttempts; over >= 0 {
		lock := longestLock
		if over < 10 { // 2^10 s is over 15 minutes already
			lock = min(lock, time.Second<<over)
		}
		f.locked = now.Add(lock)
	}
	return errWrong()
}

// reset forgets a user's failures: the password is another one now.
func (g *guard) reset(sub userpool.Sub) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.users, sub)
}
