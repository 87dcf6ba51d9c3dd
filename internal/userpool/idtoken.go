package userpool

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrIDToken is what ParseIDToken's errors wrap. They never quote the token.
var ErrIDToken = errors.New("not a usable ID token")

// ParseIDToken returns the user of whom an ID token speaks: sub, username,
// groups, and every attribute claim in the form that AdminGetUser would give
// it. Status and MFA are not in a token and stay empty; Enabled is true, since
// Cognito gives no token to a disabled user.
//
// The signature is not checked: the caller has the token from AdminInitiateAuth
// itself, over TLS, and asks only what it says. A claim that has no form as an
// attribute makes the whole token unusable, so that a profile is never partial.
func ParseIDToken(token Secret) (User, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return User{}, fmt.Errorf("%w: %d parts instead of 3", ErrIDToken, len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return User{}, fmt.Errorf("%w: payload is not base64url", ErrIDToken)
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(payload, &claims); err != nil || claims == nil {
		return User{}, fmt.Errorf("%w: payload is not a JSON object", ErrIDToken)
	}
	u := User{Attributes: Attributes{}, Enabled: true}
	for name, raw := range claims {
		switch name {
		case AttrSub:
			err = json.Unmarshal(raw, &u.Sub)
		case "cognito:username":
			err = json.Unmarshal(raw, &u.Username)
		case "cognito:groups":
			err = json.Unmarshal(raw, &u.Groups)
		default:
			if !standardAttributes[name] && !strings.HasPrefix(name, "custom:") {
				continue // iss, aud, exp and the like are not attributes
			}
			u.Attributes[name], err = attributeOf(name, raw)
		}
		if err != nil {
			return User{}, fmt.Errorf("%w: claim %q has a form that no attribute has", ErrIDToken, name)
		}
	}
	if u.Sub == "" || u.Username == "" {
		return User{}, fmt.Errorf("%w: sub or cognito:username is missing", ErrIDToken)
	}
	return u, nil
}

// attributeOf turns a claim into an attribute value: text as it is, booleans
// and whole numbers by their text, and the address claim by its "formatted"
// member, in which Cognito puts the attribute (OpenID Connect Core 5.1.1).
func attributeOf(name string, raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text, nil
	}
	switch string(raw) {
	case "true", "false":
		return string(raw), nil
	}
	if _, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return string(raw), nil
	}
	if name == "address" {
		var address struct {
			Formatted *string `json:"formatted"`
		}
		if json.Unmarshal(raw, &address) == nil && address.Formatted != nil {
			return *address.Formatted, nil
		}
	}
	return "", ErrIDToken
}
