package pool

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/userpool"
)

// ClientSettings are the members that CreateUserPoolClient and
// UpdateUserPoolClient share, under Cognito's names; Kept as in
// Settings.
type ClientSettings struct {
	ClientName                      string   `json:",omitempty"`
	RefreshTokenValidity            int      `json:""` // in units, days by default; 0 means 30 days
	AccessTokenValidity             int      `json:",omitempty"`
	IdTokenValidity                 int      `json:",omitempty"`
	TokenValidityUnits              *Units   `json:",omitempty"`
	ReadAttributes                  []string `json:",omitempty"`
	WriteAttributes                 []string `json:",omitempty"`
	ExplicitAuthFlows               []string `json:",omitempty"`
	SupportedIdentityProviders      []string `json:",omitempty"`
	CallbackURLs                    []string `json:",omitempty"`
	LogoutURLs                      []string `json:",omitempty"`
	DefaultRedirectURI              string   `json:",omitempty"`
	AllowedOAuthFlows               []string `json:",omitempty"`
	AllowedOAuthScopes              []string `json:",omitempty"`
	AllowedOAuthFlowsUserPoolClient bool     `json:""`
	AnalyticsConfiguration          Kept     `json:",omitempty"`
	PreventUserExistenceErrors      string   `json:",omitempty"` // ENABLED or LEGACY
	EnableTokenRevocation           *bool    `json:",omitempty"`

	EnablePropagateAdditionalUserContextData bool `json:""`
	AuthSessionValidity                      int  `json:",omitempty"` // minutes, 3 to 15

	RefreshTokenRotation Kept `json:",omitempty"`
}

// Units is TokenValidityUnitsType: seconds, minutes, hours or days.
type Units struct {
	AccessToken  string `json:",omitempty"`
	IdToken      string `json:",omitempty"`
	RefreshToken string `json:",omitempty"`
}

// Client is an app client. It is not changed after it was stored.
type Client struct {
	ID       string
	Secret   userpool.Secret // empty: a public client
	Settings ClientSettings
	Created  time.Time
	Modified time.Time
}

// The two generations of names for sign-in flows; a client uses one of them.
var (
	modernFlows = []string{"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH",
		"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_AUTH"}
	legacyFlows = []string{"ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH"}
)

func (c *ClientSettings) complete(attributes *schema.Set) error {
	if c.ClientName == "" || len(c.ClientName) > 128 {
		return Constraint("clientName", "have length between 1 and 128")
	}
	if c.PreventUserExistenceErrors == "" {
		c.PreventUserExistenceErrors = "LEGACY"
	}
	if err := each("preventUserExistenceErrors", []string{c.PreventUserExistenceErrors}, "LEGACY", "ENABLED"); err != nil {
		return err
	}
	if c.AuthSessionValidity == 0 {
		c.AuthSessionValidity = 3
	}
	if c.AuthSessionValidity < 3 || c.AuthSessionValidity > 15 {
		return Constraint("authSessionValidity", "have value between 3 and 15")
	}
	if c.RefreshTokenValidity == 0 {
		c.RefreshTokenValidity = 30
		if c.TokenValidityUnits != nil && c.TokenValidityUnits.RefreshToken != "days" && c.TokenValidityUnits.RefreshToken != "" {
			return Invalid("RefreshTokenValidity is required where its unit is not days")
		}
	}
	if c.EnableTokenRevocation == nil {
		c.EnableTokenRevocation = new(true)
	}
	if rotation, err := c.rotation(); err != nil {
		return err
	} else if rotation != "" {
		if err := each("refreshTokenRotation.feature", []string{rotation}, "ENABLED", "DISABLED"); err != nil {
			return err
		}
	}
	modern, legacy := 0, 0
	for _, flow := range c.ExplicitAuthFlows {
		switch {
		case slices.Contains(modernFlows, flow):
			modern++
		case slices.Contains(legacyFlows, flow):
			legacy++
		default:
			return Constraint("explicitAuthFlows", "satisfy enum value set: ["+strings.Join(append(slices.Clone(modernFlows), legacyFlows...), ", ")+"]")
		}
	}
	if modern > 0 && legacy > 0 {
		return Invalid("Cannot specify both ALLOW_ and legacy values in ExplicitAuthFlows")
	}
	for _, names := range [][]string{c.ReadAttributes, c.WriteAttributes} {
		for _, name := range names {
			if _, ok := attributes.Find(name); !ok || name == "identities" {
				return Invalid("Invalid attribute %s specified while creating or updating a client", name)
			}
		}
	}
	return c.lifetimes()
}

func (c *ClientSettings) rotation() (feature string, err error) {
	var rotation struct{ Feature string }
	if c.RefreshTokenRotation != nil && json.Unmarshal(c.RefreshTokenRotation, &rotation) != nil {
		return "", Constraint("refreshTokenRotation", "be an object of its type")
	}
	return rotation.Feature, nil
}

// Rotates reports whether refresh tokens of the client are good for one use, for
// which there is an operation that the sandbox does not have.
func (c *ClientSettings) Rotates() bool {
	feature, err := c.rotation()
	return err == nil && feature == "ENABLED"
}

func (c *ClientSettings) lifetimes() error {
	for _, t := range []struct {
		name      string
		life      time.Duration
		low, high time.Duration
	}{
		{"accessTokenValidity", c.AccessLife(), 5 * time.Minute, 24 * time.Hour},
		{"idTokenValidity", c.IDLife(), 5 * time.Minute, 24 * time.Hour},
		{"refreshTokenValidity", c.RefreshLife(), 60 * time.Minute, 3650 * 24 * time.Hour},
	} {
		if t.life < t.low || t.life > t.high {
			return Invalid("Invalid range for token validity: %s must be between %v and %v", t.name, t.low, t.high)
		}
	}
	return nil
}

// AccessLife is the validity of access tokens.
func (c *ClientSettings) AccessLife() time.Duration {
	return life(c.AccessTokenValidity, c.units().AccessToken, "hours", time.Hour)
}

// IDLife is the validity of ID tokens.
func (c *ClientSettings) IDLife() time.Duration {
	return life(c.IdTokenValidity, c.units().IdToken, "hours", time.Hour)
}

// RefreshLife is the validity of refresh tokens.
func (c *ClientSettings) RefreshLife() time.Duration {
	return life(c.RefreshTokenValidity, c.units().RefreshToken, "days", 30*24*time.Hour)
}

func (c *ClientSettings) units() Units {
	if c.TokenValidityUnits == nil {
		return Units{}
	}
	return *c.TokenValidityUnits
}

// life is -1 for an unknown unit, which no range allows.
func life(n int, unit, usual string, none time.Duration) time.Duration {
	if n == 0 {
		return none
	}
	if unit == "" {
		unit = usual
	}
	one, ok := map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour}[unit]
	if !ok {
		return -1
	}
	return time.Duration(n) * one
}

// Allows reports whether the client may use a flow, such as USER_PASSWORD_AUTH.
// A client without flows has SRP, custom and refresh (CreateUserPoolClient
// reference); refreshing is always allowed for clients of the legacy names.
func (c *Client) Allows(flow string) bool {
	flows := c.Settings.ExplicitAuthFlows
	if len(flows) == 0 {
		flows = []string{"ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
	}
	if slices.ContainsFunc(flows, func(f string) bool { return slices.Contains(legacyFlows, f) }) {
		switch flow {
		case "ADMIN_USER_PASSWORD_AUTH":
			return slices.Contains(flows, "ADMIN_NO_SRP_AUTH")
		case "CUSTOM_AUTH":
			return slices.Contains(flows, "CUSTOM_AUTH_FLOW_ONLY")
		case "REFRESH_TOKEN_AUTH":
			return true
		case "USER_SRP_AUTH":
			return !slices.Contains(flows, "CUSTOM_AUTH_FLOW_ONLY")
		}
		return slices.Contains(flows, flow)
	}
	return slices.Contains(flows, "ALLOW_"+flow)
}

// HidesUsers reports whether the client's errors must not tell who exists.
func (c *Client) HidesUsers() bool { return c.Settings.PreventUserExistenceErrors == "ENABLED" }

// Reads reports whether tokens and GetUser of this client carry an attribute:
// the listed ones or, without a list, the standard ones (CreateUserPoolClient
// reference, ReadAttributes). sub is always readable.
func (c *Client) Reads(name string) bool {
	return name == "sub" || name == "identities" || listed(c.Settings.ReadAttributes, name)
}

// Writes reports whether SignUp through this client may set an attribute.
func (c *Client) Writes(name string) bool {
	return listed(c.Settings.WriteAttributes, name)
}

func listed(names []string, name string) bool {
	if len(names) == 0 {
		return !strings.Contains(name, ":") // standard attributes have no prefix
	}
	return slices.Contains(names, name)
}

// CheckHash verifies a SECRET_HASH for the name as it was sent: Base64 of
// HMAC-SHA256 with the client secret over name and client id (Cognito Developer
// Guide, computing secret hash values).
func (c *Client) CheckHash(name, hash string) error {
	if c.Secret.Empty() && hash == "" {
		return nil
	}
	if hash == "" {
		return NotAuthorized("Client %s is configured with secret but SECRET_HASH was not received", c.ID)
	}
	if c.Secret.Empty() || !hmac.Equal([]byte(hash), []byte(SecretHash(c.Secret, name, c.ID))) {
		return NotAuthorized("Unable to verify secret hash for client %s", c.ID)
	}
	return nil
}

// SecretHash computes SECRET_HASH.
func SecretHash(secret userpool.Secret, name, clientID string) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(name + clientID))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
