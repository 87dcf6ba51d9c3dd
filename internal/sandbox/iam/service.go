package iam

import (
	"fmt"
	"time"

	"poolferry/internal/sandbox/iam/policy"
	"poolferry/internal/sandbox/wire"
)

// AssumeForService opens a session of a role for a service of AWS, such as
// cognito-idp.amazonaws.com, that acts on behalf of a resource of the account:
// the role must be of that account and its trust policy must admit the service.
func (d *Directory) AssumeForService(service, account, sourceARN, roleARN, sessionName string, life time.Duration) (wire.Caller, error) {
	if !nameShape.MatchString(sessionName) || life <= 0 {
		return wire.Caller{}, fmt.Errorf("session %q of %s for %s: want a name of 1 to 64 letters, digits or +=,.@_- and a life", sessionName, roleARN, life)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	role, err := d.role(roleARN)
	if err != nil {
		return wire.Caller{}, err
	}
	r := policy.NewRequest(wire.Caller{}, "sts:AssumeRole", roleARN)
	r.Context["aws:sourceaccount"], r.Context["aws:sourcearn"] = account, sourceARN
	if role.account != account || !r.TrustsService(role.trust, service) {
		return wire.Caller{}, fmt.Errorf("role %s does not trust %s", roleARN, service)
	}
	return d.open(role, sessionName, life, nil).caller, nil
}
