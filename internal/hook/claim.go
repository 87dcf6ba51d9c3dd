package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"poolferry/internal/trigger/envelope"
	"poolferry/internal/userpool"
)

// DefaultClaim is the name of the claim.
const DefaultClaim = "legacy_sub"

// ClaimOptions configure a Claim.
type ClaimOptions struct {
	Name string // of the claim; CheckClaim says which will do
	// AccessToken puts it into access tokens, too. Only events of version 2 and
	// later can (Cognito Developer Guide, pre token generation Lambda trigger).
	AccessToken bool
}

// Claim puts the source sub of a user who has moved into the tokens. It is safe
// for concurrent use.
type Claim struct {
	o ClaimOptions
}

// NewClaim returns a Claim.
func NewClaim(o ClaimOptions) *Claim { return &Claim{o} }

// claimShape is what is taken as the name of a claim: a word, or a URL.
var claimShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./:-]{0,127}$`)

// reserved are the claims that Cognito lets no trigger write, in ID or access
// tokens (Cognito Developer Guide, pre token generation Lambda trigger), or that
// it makes itself.
var reserved = []string{"acr", "amr", "at_hash", "aud", "auth_time", "azp", "client_id", "device_key", "event_id", "exp", "iat", "identities",
	"iss", "jti", "nbf", "nonce", "origin_jti", "scope", "sub", "token_use", "username", "version"}

// CheckClaim returns a plain error unless a claim can have a name.
func CheckClaim(name string) error {
	switch {
	case !claimShape.MatchString(name):
		return errors.New("is not 1 to 128 letters, digits and _./:- that begin with a letter")
	case slices.Contains(reserved, name), strings.HasPrefix(name, "cognito:"), strings.HasPrefix(name, "dev:"):
		return errors.New("is a claim of Cognito's own")
	case slices.Contains(userpool.StandardAttributes(), name), strings.HasPrefix(name, "custom:"):
		return errors.New("is the name of an attribute, which tokens have already")
	}
	return nil
}

// The members of a response that the guide names.
const (
	claimsV1 = "claimsOverrideDetails"
	claimsV2 = "claimsAndScopeOverrideDetails" // of version 2 and 3
	groupsOf = "groupOverrideDetails"
	idToken  = "idTokenGeneration"
	access   = "accessTokenGeneration"
	toAdd    = "claimsToAddOrOverride"
)

// Handle answers a pre token generation event, whatever the version. It never
// returns an error: without the claim somebody can sign in all the same.
func (c *Claim) Handle(_ context.Context, payload []byte) ([]byte, error) {
	if answer, ok := c.answer(payload); ok {
		return answer, nil
	}
	return payload, nil
}

// answer returns the event with the claim; ok is false where there is nothing to
// say.
//
// The response is written member by member. Cognito takes a groupOverrideDetails
// that is empty or null for an order to leave out the groups, so there is none,
// and the groups stay (Cognito Developer Guide, pre token generation Lambda
// trigger; the struct of aws-lambda-go always has one).
func (c *Claim) answer(payload []byte) (answer []byte, ok bool) {
	var event struct {
		envelope.Header
		Request struct {
			UserAttributes attributes `json:"userAttributes"`
		} `json:"request"`
		Response members `json:"response"`
	}
	if envelope.Read("token generation", payload, &event) != nil {
		return nil, false
	}
	legacy := event.Request.UserAttributes[userpool.AttrLegacySub]
	if legacy == "" {
		return nil, false
	}
	response := event.Response.clone()
	details, tokens := claimsV1, []string{""}
	if isV2(event.Version, response) {
		details, tokens = claimsV2, []string{idToken}
		if c.o.AccessToken {
			tokens = append(tokens, access)
		}
	}
	within, err := response.below(details)
	for i := 0; err == nil && i < len(tokens); i++ {
		err = within.add(tokens[i], c.o.Name, legacy)
	}
	if err != nil {
		return nil, false
	}
	delete(within, groupsOf)
	if response[details], err = json.Marshal(within); err != nil {
		return nil, false
	}
	answer, err = envelope.Keep(payload).Answer(response)
	return answer, err == nil
}

// isV2 goes by the member that is there, and otherwise by the version.
func isV2(version string, response members) bool {
	_, v2 := response[claimsV2]
	_, v1 := response[claimsV1]
	return v2 || !v1 && version != "" && version != "1"
}

// members is a JSON object of which little has to be known.
type members map[string]json.RawMessage

func (m members) clone() members {
	out := make(members, len(m)+1)
	for name, value := range m {
		out[name] = value
	}
	return out
}

// below returns the object under a name; an empty one where there is none, or
// null.
func (m members) below(name string) (members, error) {
	var inner members
	if raw, ok := m[name]; ok {
		if err := json.Unmarshal(raw, &inner); err != nil {
			return nil, fmt.Errorf("%s is no object", name)
		}
	}
	return inner.clone(), nil
}

// add adds a claim to those of a token; an empty token stands for m itself.
func (m members) add(token, name, value string) (err error) {
	of := m
	if token != "" {
		if of, err = m.below(token); err != nil {
			return err
		}
	}
	claims, err := of.below(toAdd)
	if err != nil {
		return err
	}
	if claims[name], err = json.Marshal(value); err != nil {
		return err
	}
	if of[toAdd], err = json.Marshal(claims); err != nil {
		return err
	}
	if token != "" {
		m[token], err = json.Marshal(of)
	}
	return err
}
