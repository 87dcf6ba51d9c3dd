package signin

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/tokens"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/sandbox/wire"
)

// subject is what the tokens say about a user, after the pre token generation
// trigger.
func (e *Engine) subject(ctx context.Context, p *pool.Pool, c *pool.Client, u *directory.User, source string, metadata map[string]string) (tokens.Subject, error) {
	claims := map[string]any{}
	for name, value := range u.Attributes {
		if c.Reads(name) && value != "" {
			claims[name] = claim(name, value)
		}
	}
	var groups triggers.Groups
	for _, g := range p.Users.GroupsOf(u) {
		groups.Names = append(groups.Names, g.Name)
		if g.RoleARN != "" {
			groups.Roles = append(groups.Roles, g.RoleARN)
		}
	}
	if len(groups.Roles) > 0 {
		groups.Preferred = groups.Roles[0]
	}
	var change triggers.Claims
	if arn := p.State().Settings.LambdaConfig.PreTokenGeneration; arn != "" {
		if version := p.State().Settings.LambdaConfig.PreTokenGenerationConfig; version != nil && version.LambdaVersion != "V1_0" {
			return tokens.Subject{}, wire.Unsupported("PreTokenGenerationConfig.LambdaVersion", version.LambdaVersion)
		}
		var err error
		if change, err = e.triggers.PreTokenGeneration(ctx, arn, source, origin(p, c, u), eventAttributes(u), groups, metadata); err != nil {
			return tokens.Subject{}, err
		}
	}
	if change.Groups != nil {
		groups = *change.Groups
	}
	if len(groups.Names) > 0 {
		claims["cognito:groups"] = groups.Names
	}
	if len(groups.Roles) > 0 {
		claims["cognito:roles"] = groups.Roles
	}
	if groups.Preferred != "" {
		claims["cognito:preferred_role"] = groups.Preferred
	}
	change.Apply(claims)
	return tokens.Subject{Username: u.Username, Claims: claims, Groups: groups.Names,
		ID: c.Settings.IDLife(), Access: c.Settings.AccessLife()}, nil
}

// claim is an attribute as the ID token shows it: flags as booleans, address as
// an object, custom attributes as strings whatever their type. updated_at is a
// number, as OpenID Connect has it.
func claim(name, value string) any {
	switch name {
	case "email_verified", "phone_number_verified":
		return strings.EqualFold(value, "true")
	case "address":
		return map[string]string{"formatted": value}
	case "updated_at":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return n
		}
	case "identities":
		var list []any
		if json.Unmarshal([]byte(value), &list) == nil {
			return list
		}
	}
	return value
}
