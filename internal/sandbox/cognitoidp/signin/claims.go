package signin

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/tokens"
)

// subject is what the tokens say about a user, after the pre token generation
// trigger.
func (e *Engine) subject(ctx context.Context, p *pool.Pool, c *pool.Client, u *directory.User, source string) (tokens.Subject, error) {
	claims := map[string]any{}
	for name, value := range u.Attributes {
		if c.Reads(name) && value != "" {
			claims[name] = claim(name, value)
		}
	}
	groups := []string{}
	var roles []string
	for _, g := range p.Users.GroupsOf(u) {
		groups = append(groups, g.Name)
		if g.RoleARN != "" {
			roles = append(roles, g.RoleARN)
		}
	}
	if len(groups) > 0 {
		claims["cognito:groups"] = groups
	}
	if len(roles) > 0 {
		claims["cognito:roles"], claims["cognito:preferred_role"] = roles, roles[0]
	}
	if arn := p.State().Settings.LambdaConfig.PreTokenGeneration; arn != "" {
		change, err := e.triggers.PreTokenGeneration(ctx, arn, source, origin(p, c, u), eventAttributes(u), groups)
		if err != nil {
			return tokens.Subject{}, err
		}
		for _, name := range change.Suppress {
			delete(claims, name)
		}
		for name, value := range change.Add {
			claims[name] = value
		}
	}
	return tokens.Subject{Username: u.Username, Claims: claims, Groups: groups,
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
