package cognitoidp

import (
	"context"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/pool"
)

// deleteUserPool takes a pool with its users and clients away, unless it is
// protected.
func (s *Service) deleteUserPool(_ context.Context, p *pool.Pool, _ account.OfPool) (any, error) {
	if p.State().Settings.DeletionProtection == "ACTIVE" {
		return nil, pool.Fail("InvalidParameterException", "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.")
	}
	if err := s.imports.Busy(p); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pools, p.ID)
	for _, c := range p.Clients() {
		delete(s.clients, c.ID)
	}
	return none{}, nil
}

func (s *Service) deleteUserPoolClient(_ context.Context, p *pool.Pool, in ofPoolClient) (any, error) {
	if err := p.DeleteClient(in.ClientId); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, in.ClientId)
	return none{}, nil
}
