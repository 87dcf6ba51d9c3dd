package iam

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"poolferry/internal/sandbox/iam/policy"
	"poolferry/internal/sandbox/wire"
)

// Durations of sessions (STS API reference, AssumeRole).
const (
	shortestSession = 15 * time.Minute
	defaultSession  = time.Hour
	longestSession  = 12 * time.Hour
	chainedSession  = time.Hour // longest session of a role that was assumed from another role
)

// AssumeRoleInput is a request for a session.
type AssumeRoleInput struct {
	RoleARN     string
	SessionName string
	ExternalID  string        // empty means none was sent
	Duration    time.Duration // zero means an hour
	Policy      []byte        // session policy; empty means none
}

// AssumeRole opens a session of a role for a caller whose own policies and the
// role's trust policy both allow sts:AssumeRole. Inside one account a trust
// policy that names the caller is enough. The errors are *wire.Error of code
// AccessDenied, ValidationError or MalformedPolicyDocument.
func (d *Directory) AssumeRole(caller wire.Caller, in AssumeRoleInput) (Credentials, wire.Caller, error) {
	const action = "sts:AssumeRole"
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.keys[caller.AccessKey]
	if !ok {
		return Credentials{}, wire.Caller{}, wire.Errorf(http.StatusForbidden, "MissingAuthenticationToken", "Missing Authentication Token")
	}
	r := policy.NewRequest(k.caller, action, in.RoleARN)
	r.Context["sts:rolesessionname"] = in.SessionName
	if in.ExternalID != "" {
		r.Context["sts:externalid"] = in.ExternalID
	}
	// A role that does not exist answers as one that does not trust the caller.
	refused := wire.Errorf(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", k.caller.ARN, action, in.RoleARN)
	role, err := d.role(in.RoleARN)
	if err != nil {
		return Credentials{}, wire.Caller{}, refused
	}
	own := k.ask(r)
	trust, direct := r.Trust(role.trust)
	sameAccount := role.account == k.caller.Account
	if trust != policy.Allowed || own == policy.Denied || own == policy.Silent && (!sameAccount || !direct) {
		return Credentials{}, wire.Caller{}, refused
	}
	life, err := sessionLife(in.Duration, role.maxSession, k.caller.RoleARN != "")
	if err != nil {
		return Credentials{}, wire.Caller{}, err
	}
	var narrowed []policy.Document
	if len(in.Policy) > 0 {
		document, err := policy.Parse(in.Policy, policy.Identity)
		if err != nil {
			return Credentials{}, wire.Caller{}, wire.Errorf(http.StatusBadRequest, "MalformedPolicyDocument", "session policy: %v", err)
		}
		narrowed = []policy.Document{document}
	}
	d.uses[Use{Identity: k.identity.arn, Action: action, Resource: in.RoleARN}]++
	session := d.open(role, in.SessionName, life, narrowed)
	return session.credentials, session.caller, nil
}

// sessionLife checks a requested duration in the order and the words of STS.
func sessionLife(asked, longest time.Duration, chained bool) (time.Duration, error) {
	const code = "ValidationError"
	switch {
	case asked == 0:
		return defaultSession, nil
	case asked < shortestSession:
		return 0, wire.Errorf(http.StatusBadRequest, code, "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", asked/time.Second)
	case asked > longestSession:
		return 0, wire.Errorf(http.StatusBadRequest, code, "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200", asked/time.Second)
	case chained && asked > chainedSession:
		return 0, wire.Errorf(http.StatusBadRequest, code, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case asked > longest:
		return 0, wire.Errorf(http.StatusBadRequest, code, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return asked, nil
}

// Session opens a session of a role as AWS does for a function that runs in
// the role: nobody's policies are asked.
func (d *Directory) Session(roleARN, sessionName string, life time.Duration) (Credentials, error) {
	if !nameShape.MatchString(sessionName) {
		return Credentials{}, fmt.Errorf("session name %q: want 1 to 64 letters, digits or +=,.@_-", sessionName)
	}
	if life <= 0 {
		return Credentials{}, fmt.Errorf("session of %s: life %s is not positive", roleARN, life)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	role, err := d.role(roleARN)
	if err != nil {
		return Credentials{}, err
	}
	return d.open(role, sessionName, life, nil).credentials, nil
}

// open makes a session; d.mu is held.
func (d *Directory) open(role *identity, sessionName string, life time.Duration, narrowed []policy.Document) key {
	k := key{
		credentials: Credentials{
			AccessKeyID:     "ASIA" + randomID(),
			SecretAccessKey: randomSecret(30),
			SessionToken:    randomSecret(120),
			// STS answers in whole seconds; half a second less is nobody's loss.
			Expiration: d.now().Add(life).UTC().Truncate(time.Second),
		},
		identity: role,
		narrowed: narrowed,
	}
	k.caller = wire.Caller{
		Account:   role.account,
		ARN:       fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", role.account, role.name, sessionName),
		RoleARN:   role.arn,
		UserID:    strings.Join([]string{role.id, sessionName}, ":"),
		AccessKey: k.credentials.AccessKeyID,
	}
	d.keys[k.caller.AccessKey] = k
	return k
}
