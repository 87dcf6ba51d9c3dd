package cognitoidp

import "fmt"

// ChangePool changes settings of a pool and leaves the others alone, unlike
// UpdateUserPool.
func (s *Service) ChangePool(poolID string, change func(*Settings)) error {
	p, err := s.known(poolID)
	if err != nil {
		return err
	}
	settings := p.State().Settings
	change(&settings)
	if err := p.Update("", settings, s.now()); err != nil {
		return fmt.Errorf("change pool %s: %w", poolID, err)
	}
	return nil
}

// ChangeClient changes settings of an app client and leaves the others alone.
func (s *Service) ChangeClient(poolID, clientID string, change func(*ClientSettings)) error {
	p, err := s.known(poolID)
	if err != nil {
		return err
	}
	c, err := p.Client(clientID)
	if err != nil {
		return fmt.Errorf("change client %s of pool %s: %w", clientID, poolID, err)
	}
	settings := c.Settings
	change(&settings)
	if _, err := p.UpdateClient(clientID, settings, s.now()); err != nil {
		return fmt.Errorf("change client %s of pool %s: %w", clientID, poolID, err)
	}
	return nil
}
