package iam

import (
	"fmt"

	"poolferry/internal/sandbox/iam/policy"
)

// SetPolicies replaces the identity policies of a user or role. Sessions that
// are open have the new ones at once.
func (d *Directory) SetPolicies(arn string, policies ...[]byte) error {
	var parsed []policy.Document
	for i, document := range policies {
		p, err := policy.Parse(document, policy.Identity)
		if err != nil {
			return fmt.Errorf("%s: policy %d: %w", arn, i, err)
		}
		parsed = append(parsed, p)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	who := d.identities[arn]
	if who == nil {
		return fmt.Errorf("no user or role %s", arn)
	}
	who.policies = parsed
	return nil
}

// SetTrust replaces the trust policy of a role. Sessions that are open stay.
func (d *Directory) SetTrust(roleARN string, trust []byte) error {
	parsed, err := policy.Parse(trust, policy.Trust)
	if err != nil {
		return fmt.Errorf("%s: trust policy: %w", roleARN, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	role, err := d.role(roleARN)
	if err != nil {
		return err
	}
	role.trust = parsed
	return nil
}
