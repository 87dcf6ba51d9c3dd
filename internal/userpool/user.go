package userpool

import (
	"maps"
	"strings"
	"time"
)

// Sub is a user's immutable id in one pool, a UUID that the pool generates. The
// same person has another Sub in another pool.
type Sub string

// Forgotten stands where the sub, or another name, of somebody stood who was
// forgotten. It is no sub.
const Forgotten Sub = "[forgotten]"

// Status is Cognito's UserStatus.
type Status string

// The statuses that Cognito still gives (aws-sdk-go-v2 cognitoidentityprovider
// types.UserStatusType; ARCHIVED, COMPROMISED and UNKNOWN are no longer used).
const (
	StatusUnconfirmed         Status = "UNCONFIRMED"
	StatusConfirmed           Status = "CONFIRMED"
	StatusResetRequired       Status = "RESET_REQUIRED"
	StatusForceChangePassword Status = "FORCE_CHANGE_PASSWORD"
	StatusExternalProvider    Status = "EXTERNAL_PROVIDER"
)

// Names of attributes that the migration treats by name.
const (
	AttrSub               = "sub"
	AttrEmail             = "email"
	AttrEmailVerified     = "email_verified"
	AttrPhoneNumber       = "phone_number"
	AttrPhoneVerified     = "phone_number_verified"
	AttrPreferredUsername = "preferred_username"
	AttrIdentities        = "identities"
	AttrLegacySub         = "custom:legacy_sub"
)

// Attributes maps attribute names to values. Values are strings, as everywhere
// in the Cognito API: a boolean is "true" or "false", a number its digits.
type Attributes map[string]string

// Clone returns a copy that shares nothing with a.
func (a Attributes) Clone() Attributes { return maps.Clone(a) }

// Verified reports whether the attribute has a value and is marked verified.
// Only email and phone_number can be.
func (a Attributes) Verified(name string) bool {
	return a[name] != "" && strings.EqualFold(a[name+"_verified"], "true")
}

// User is one user of one pool: attributes, status and groups, never a
// password.
type User struct {
	Sub        Sub
	Username   string
	Attributes Attributes
	Enabled    bool
	Status     Status
	Groups     []string
	MFA        []string // SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP
	Created    time.Time
	Modified   time.Time
}
