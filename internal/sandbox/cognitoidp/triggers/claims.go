package triggers

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"poolferry/internal/sandbox/wire"
)

// Groups is the group configuration that a user's tokens carry.
type Groups struct {
	Names     []string // cognito:groups, of ID and access token
	Roles     []string // cognito:roles
	Preferred string   // cognito:preferred_role
}

// Claims is what a pre token generation trigger changes in the ID token. Groups
// is nil where they stay as they are.
type Claims struct {
	Suppress []string
	Add      map[string]string
	Groups   *Groups
}

// untouchable are the claims that the trigger cannot change (Developer Guide, pre
// token generation trigger).
var untouchable = []string{"acr", "amr", "aud", "at_hash", "auth_time", "azp", "cognito:username", "exp", "iat", "identities",
	"iss", "jti", "nbf", "nonce", "origin_jti", "sub", "token_use"}

// Apply changes the claims of an ID token. A claim that is both suppressed and
// replaced is suppressed.
func (c Claims) Apply(claims map[string]any) {
	change := func(name string) bool { return !slices.Contains(untouchable, name) }
	for name, value := range c.Add {
		if change(name) {
			claims[name] = value
		}
	}
	for _, name := range c.Suppress {
		if change(name) {
			delete(claims, name)
		}
	}
}

// groupDetails is GroupOverrideDetails.
type groupDetails struct {
	Groups    []string `json:"groupsToOverride"`
	Roles     []string `json:"iamRolesToOverride"`
	Preferred *string  `json:"preferredRole"`
}

// PreTokenGeneration asks the trigger what the tokens should say. source is such
// as TokenGeneration_Authentication.
func (r *Runner) PreTokenGeneration(ctx context.Context, arn, source string, c Context, attributes map[string]string, groups Groups, metadata map[string]string) (Claims, error) {
	details := groupDetails{Groups: orEmpty(groups.Names), Roles: orEmpty(groups.Roles)}
	if groups.Preferred != "" {
		details.Preferred = &groups.Preferred
	}
	request := map[string]any{"userAttributes": attributes, "groupConfiguration": details}
	if len(metadata) > 0 {
		request["clientMetadata"] = metadata
	}
	members, err := r.run(ctx, arn, newEvent(c, source, request, map[string]any{"claimsOverrideDetails": nil}), false)
	if err != nil {
		return Claims{}, asError("PreTokenGeneration", err)
	}
	return readClaims(members["claimsOverrideDetails"])
}

// readClaims reads claimsOverrideDetails; absent and null change nothing.
func readClaims(raw json.RawMessage) (Claims, error) {
	var out Claims
	var members map[string]json.RawMessage
	if raw != nil && json.Unmarshal(raw, &members) != nil {
		return out, asError("PreTokenGeneration", errMalformed)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var err error
		switch name {
		case "claimsToSuppress":
			err = json.Unmarshal(members[name], &out.Suppress)
		case "claimsToAddOrOverride":
			err = json.Unmarshal(members[name], &out.Add)
		case "groupOverrideDetails":
			// An object that is empty or null suppresses the groups, says the guide;
			// where the member is left out they stay, as its first example shows.
			var details groupDetails
			if err = json.Unmarshal(members[name], &details); err == nil {
				out.Groups = &Groups{Names: details.Groups, Roles: details.Roles}
				if details.Preferred != nil {
					out.Groups.Preferred = *details.Preferred
				}
			}
		default:
			if string(members[name]) != "null" {
				return Claims{}, wire.Unsupported("claim override", name)
			}
		}
		if err != nil {
			return Claims{}, asError("PreTokenGeneration", errMalformed)
		}
	}
	return out, nil
}

// orEmpty keeps a list of nothing a list in the event.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
