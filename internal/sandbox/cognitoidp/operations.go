package cognitoidp

import (
	"context"

	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
)

// operation is one API action.
type operation struct {
	category string // of the request-rate quota
	unsigned bool
	run      func(ctx context.Context, call *wire.Call) (any, error)
}

// none is the answer without members.
type none struct{}

// decoded reads the input and refuses members that the operation does not have.
func decoded[In any](category string, unsigned bool, run func(context.Context, *wire.Call, In) (any, error)) operation {
	return operation{category, unsigned, func(ctx context.Context, call *wire.Call) (any, error) {
		var in In
		if err := wire.Decode(call.Body, &in); err != nil {
			return nil, err
		}
		return run(ctx, call, in)
	}}
}

// onPool is a signed operation on the pool that its input names.
func onPool[In interface{ PoolID() string }](s *Service, category string, run func(context.Context, *pool.Pool, In) (any, error)) operation {
	return decoded(category, false, func(ctx context.Context, call *wire.Call, in In) (any, error) {
		p, err := s.pool(call, in.PoolID())
		if err != nil {
			return nil, err
		}
		return run(ctx, p, in)
	})
}

// byClient is an unsigned operation of an app client.
func byClient[In interface{ Client() string }](s *Service, category string, run func(context.Context, *pool.Pool, *pool.Client, In) (any, error)) operation {
	return decoded(category, true, func(ctx context.Context, _ *wire.Call, in In) (any, error) {
		p := s.ofClient(in.Client())
		if p == nil {
			return nil, pool.Fail("ResourceNotFoundException", "User pool client %s does not exist.", in.Client())
		}
		c, err := p.Client(in.Client())
		if err != nil {
			return nil, err
		}
		return run(ctx, p, c, in)
	})
}

// operations is the table of everything that is implemented.
func (s *Service) operations() map[string]operation {
	return map[string]operation{
		"InitiateAuth":                byClient(s, "UserAuthentication", s.initiateAuth),
		"RespondToAuthChallenge":      byClient(s, "UserAuthentication", s.respond),
		"AdminInitiateAuth":           onPool(s, "UserAuthentication", s.adminInitiateAuth),
		"AdminRespondToAuthChallenge": onPool(s, "UserAuthentication", s.adminRespond),
		"ForgotPassword":              byClient(s, "UserAccountRecovery", s.forgotPassword),
		"ConfirmForgotPassword":       byClient(s, "UserAccountRecovery", s.confirmForgotPassword),

		"AdminGetUser": onPool(s, "UserRead", s.accounts.Get),
	}
}
