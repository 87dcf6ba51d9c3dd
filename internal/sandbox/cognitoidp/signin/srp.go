package signin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/srp"
	"poolferry/internal/userpool"
)

// srp begins USER_SRP_AUTH. The pool sees no password, so that nobody can be
// migrated. What proves the user later is bound to the secret block: there is no
// session besides.
func (e *Engine) srp(ctx context.Context, a Attempt) (*Outcome, error) {
	if err := known(a.Parameters, "USERNAME", "SRP_A", "SECRET_HASH"); err != nil {
		return nil, err
	}
	name := a.Parameters["USERNAME"].Reveal()
	switch {
	case name == "":
		return nil, pool.Invalid("Missing required parameter USERNAME")
	case a.Parameters["SRP_A"].Empty():
		return nil, pool.Invalid("Missing required parameter SRP_A")
	}
	number, err := srp.Number(a.Parameters["SRP_A"].Reveal())
	if err != nil {
		return nil, pool.Invalid("%v", err)
	}
	if err := pool.CheckName("username", name); err != nil {
		return nil, err
	}
	if err := a.Client.CheckHash(name, a.Parameters["SECRET_HASH"].Reveal()); err != nil {
		return nil, err
	}
	u, ok := a.Pool.Users.Find(name)
	switch {
	case !ok && !a.Client.HidesUsers():
		return nil, pool.Fail("UserNotFoundException", "User does not exist.")
	case !ok:
		u = &directory.User{Username: pretended(a.Pool, name)}
	default:
		if err := e.preAuthentication(ctx, a, u); err != nil {
			return nil, err
		}
		if resets(a.Client, u) {
			return nil, errReset()
		}
	}
	password := u.Password
	if password.Empty() {
		password = directory.Hash{Salt: a.Pool.Pretend("salt", u.Username, 16), Sum: a.Pool.Pretend("password", u.Username, 32)}
	}
	exchange, err := srp.Begin(a.Pool.Identity(u.Username), password.Sum, number)
	if err != nil {
		return nil, err
	}
	v := session{challenge: PasswordVerifier, exchange: exchange, password: password}
	out := e.challenge(a.Client, u, v, map[string]string{"USERNAME": u.Username, "USER_ID_FOR_SRP": u.Username,
		"SRP_B": exchange.B(), "SALT": hex.EncodeToString(password.Salt)})
	out.Parameters["SECRET_BLOCK"], out.Session = out.Session.Reveal(), userpool.Secret{}
	return out, nil
}

// pretended is the username of a user whom nobody knows: a UUID, the same for the
// same name and pool (Developer Guide, managing error responses).
func pretended(p *pool.Pool, name string) string {
	b := p.Pretend("username", name, 16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// claimTime is how clients write TIMESTAMP. How old it may be is not documented
// and not checked: a secret block does not live long.
const claimTime = "Mon Jan 2 15:04:05 MST 2006"

// verify checks the proof of the password that ends an SRP exchange.
func (e *Engine) verify(ctx context.Context, a Answer) (*Outcome, error) {
	fields := []string{"USERNAME", "PASSWORD_CLAIM_SIGNATURE", "PASSWORD_CLAIM_SECRET_BLOCK", "TIMESTAMP"}
	if err := known(a.Responses, append(fields, "SECRET_HASH")...); err != nil {
		return nil, err
	}
	for _, field := range fields {
		if a.Responses[field].Empty() {
			return nil, pool.Invalid("Missing required parameter %s", field)
		}
	}
	name, timestamp := a.Responses["USERNAME"].Reveal(), a.Responses["TIMESTAMP"].Reveal()
	if _, err := time.Parse(claimTime, timestamp); err != nil {
		return nil, pool.Invalid("TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english")
	}
	if err := a.Client.CheckHash(name, a.Responses["SECRET_HASH"].Reveal()); err != nil {
		return nil, err
	}
	if !a.Session.Empty() {
		return nil, pool.NotAuthorized("Invalid session for the user.") // none was handed out
	}
	block := a.Responses["PASSWORD_CLAIM_SECRET_BLOCK"]
	v, err := e.sessions.find(block, a.Client.ID, PasswordVerifier, e.now())
	if err != nil {
		return nil, err
	}
	u, ok := a.Pool.Users.Get(v.sub)
	if !ok {
		return nil, errWrong() // nobody, or deleted since
	}
	if named, found := a.Pool.Users.Find(name); !found || named.Sub != u.Sub {
		return nil, pool.NotAuthorized("Invalid session for the user.")
	}
	right := func() bool {
		claim, err := base64.StdEncoding.DecodeString(a.Responses["PASSWORD_CLAIM_SIGNATURE"].Reveal())
		secret, blockErr := base64.StdEncoding.DecodeString(block.Reveal())
		current := !u.Password.Empty() && bytes.Equal(u.Password.Sum, v.password.Sum)
		return err == nil && blockErr == nil && current && u.Status != userpool.StatusExternalProvider && v.exchange.Proves(claim, secret, timestamp)
	}
	if err := e.prove(a.Pool, u, right); err != nil {
		return nil, err
	}
	if !e.sessions.end(block) {
		return nil, errUsed()
	}
	return e.proven(ctx, a.Pool, a.Client, u, a.Metadata)
}
