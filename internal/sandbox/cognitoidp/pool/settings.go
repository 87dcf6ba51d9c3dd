// Package pool is a user pool as a whole: its settings, its app clients, its
// users, its keys, and what it has sent by e-mail and SMS.
//
// Vocabulary: settings are what CreateUserPool and UpdateUserPool set and what
// an update resets where it leaves a member out; the frozen part cannot change
// after creation; the outbox holds the messages that Cognito would have sent.
package pool

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/schema"
)

// Settings are the members that CreateUserPool and UpdateUserPool share, under
// Cognito's names. Members of type Kept change nothing that the sandbox
// does: they are returned as they came. A setting that would change something,
// and that the sandbox does not play, is kept too; what it would change is
// refused when somebody comes to it.
type Settings struct {
	AccountRecoverySetting      *Recovery         `json:",omitempty"`
	AdminCreateUserConfig       AdminCreateUser   `json:""`
	AutoVerifiedAttributes      []string          `json:",omitempty"` // email, phone_number
	DeletionProtection          string            `json:",omitempty"` // ACTIVE or INACTIVE
	DeviceConfiguration         Kept              `json:",omitempty"`
	EmailConfiguration          Kept              `json:",omitempty"`
	EmailVerificationMessage    string            `json:",omitempty"`
	EmailVerificationSubject    string            `json:",omitempty"`
	IssuerConfiguration         Kept              `json:",omitempty"`
	KeyConfiguration            Kept              `json:",omitempty"`
	LambdaConfig                Triggers          `json:""`
	MfaConfiguration            string            `json:",omitempty"` // OFF, OPTIONAL or ON
	Policies                    Policies          `json:""`
	SmsAuthenticationMessage    string            `json:",omitempty"`
	SmsConfiguration            Kept              `json:",omitempty"` // present: the pool can send SMS
	SmsVerificationMessage      string            `json:",omitempty"`
	UserAttributeUpdateSettings Kept              `json:",omitempty"`
	UserPoolAddOns              Kept              `json:",omitempty"`
	UserPoolTags                map[string]string `json:",omitempty"`
	UserPoolTier                string            `json:",omitempty"` // LITE, ESSENTIALS or PLUS
	VerificationMessageTemplate Kept              `json:",omitempty"`
}

// Kept is JSON that is returned as it came; null and absent are both nil.
type Kept []byte

// MarshalJSON writes it as it came.
func (k Kept) MarshalJSON() ([]byte, error) {
	if k == nil {
		return []byte("null"), nil
	}
	return k, nil
}

// UnmarshalJSON keeps a copy.
func (k *Kept) UnmarshalJSON(data []byte) error {
	*k = nil
	if string(data) != "null" {
		*k = bytes.Clone(data)
	}
	return nil
}

// Frozen are the members that only CreateUserPool has.
type Frozen struct {
	AliasAttributes       []string       `json:",omitempty"` // email, phone_number, preferred_username
	UsernameAttributes    []string       `json:",omitempty"` // email, phone_number
	UsernameConfiguration *UsernameRules `json:",omitempty"`
}

// UsernameRules is UsernameConfigurationType.
type UsernameRules struct {
	CaseSensitive bool
}

// Recovery is AccountRecoverySettingType.
type Recovery struct {
	RecoveryMechanisms []RecoveryOption
}

// RecoveryOption is one way to reset a password; 1 is tried first.
type RecoveryOption struct {
	Name     string // verified_email, verified_phone_number or admin_only
	Priority int
}

// AdminCreateUser is AdminCreateUserConfigType.
type AdminCreateUser struct {
	AllowAdminCreateUserOnly  bool
	UnusedAccountValidityDays int  `json:",omitempty"`
	InviteMessageTemplate     Kept `json:",omitempty"`
}

// Policies is UserPoolPolicyType.
type Policies struct {
	PasswordPolicy *schema.PasswordPolicy `json:",omitempty"`
	SignInPolicy   Kept                   `json:",omitempty"` // USER_AUTH only
}

// Triggers is LambdaConfigType: function ARNs. The sandbox calls PreSignUp,
// PostConfirmation, UserMigration, PreAuthentication, PostAuthentication and
// PreTokenGeneration (version 1 event); the others are kept and returned, and not
// called.
type Triggers struct {
	PreSignUp                   string        `json:",omitempty"`
	CustomMessage               string        `json:",omitempty"`
	PostConfirmation            string        `json:",omitempty"`
	PreAuthentication           string        `json:",omitempty"`
	PostAuthentication          string        `json:",omitempty"`
	DefineAuthChallenge         string        `json:",omitempty"`
	CreateAuthChallenge         string        `json:",omitempty"`
	VerifyAuthChallengeResponse string        `json:",omitempty"`
	PreTokenGeneration          string        `json:",omitempty"`
	PreTokenGenerationConfig    *TokenTrigger `json:",omitempty"`
	UserMigration               string        `json:",omitempty"`
	CustomSMSSender             Kept          `json:",omitempty"`
	CustomEmailSender           Kept          `json:",omitempty"`
	InboundFederation           Kept          `json:",omitempty"`
	KMSKeyID                    string        `json:",omitempty"`
}

// TokenTrigger is PreTokenGenerationVersionConfigType.
type TokenTrigger struct {
	LambdaArn     string
	LambdaVersion string // V1_0, V2_0 or V3_0
}

// MFAConfig is what SetUserPoolMfaConfig sets besides MfaConfiguration.
type MFAConfig struct {
	TOTP     bool
	Email    *EmailMFA
	WebAuthn Kept
}

// EmailMFA is EmailMfaConfigType.
type EmailMFA struct {
	Message string `json:",omitempty"`
	Subject string `json:",omitempty"`
}

// complete sets the defaults of members that were left out and checks the rest.
func (s *Settings) complete() error {
	byDefault := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	byDefault(&s.MfaConfiguration, "OFF")
	byDefault(&s.DeletionProtection, "INACTIVE")
	byDefault(&s.UserPoolTier, "ESSENTIALS")
	if s.Policies.PasswordPolicy == nil {
		s.Policies.PasswordPolicy = new(schema.DefaultPolicy())
		s.Policies.PasswordPolicy.TemporaryPasswordValidityDays = 0 // see below
	}
	policy := s.Policies.PasswordPolicy
	// One is the other's older name, and both are not taken (AdminCreateUserConfigType
	// reference); what is described has both again, see Described.
	switch unused := s.AdminCreateUserConfig.UnusedAccountValidityDays; {
	case unused > 0 && policy.TemporaryPasswordValidityDays > 0:
		return Invalid("Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays")
	case unused > 0:
		policy.TemporaryPasswordValidityDays = unused
	case policy.TemporaryPasswordValidityDays == 0:
		policy.TemporaryPasswordValidityDays = 7
	}
	s.AdminCreateUserConfig.UnusedAccountValidityDays = 0
	if policy.MinimumLength == 0 {
		policy.MinimumLength = 8
	}
	for _, check := range []struct {
		name, value string
		allowed     []string
	}{
		{"mfaConfiguration", s.MfaConfiguration, []string{"OFF", "OPTIONAL", "ON"}},
		{"deletionProtection", s.DeletionProtection, []string{"ACTIVE", "INACTIVE"}},
		{"userPoolTier", s.UserPoolTier, []string{"LITE", "ESSENTIALS", "PLUS"}},
	} {
		if !slices.Contains(check.allowed, check.value) {
			return Constraint(check.name, "satisfy enum value set: ["+strings.Join(check.allowed, ", ")+"]")
		}
	}
	if err := each("autoVerifiedAttributes", s.AutoVerifiedAttributes, "email", "phone_number"); err != nil {
		return err
	}
	if policy.MinimumLength < 6 || policy.MinimumLength > 99 {
		return Constraint("policies.passwordPolicy.minimumLength", "have value between 6 and 99")
	}
	if policy.PasswordHistorySize < 0 || policy.PasswordHistorySize > 24 {
		return Constraint("policies.passwordPolicy.passwordHistorySize", "have value between 0 and 24")
	}
	if err := s.exclusive(); err != nil {
		return err
	}
	if s.AccountRecoverySetting != nil {
		for _, option := range s.AccountRecoverySetting.RecoveryMechanisms {
			if err := each("accountRecoverySetting", []string{option.Name}, "verified_email", "verified_phone_number", "admin_only"); err != nil {
				return err
			}
		}
	}
	return s.LambdaConfig.complete()
}

// Described is what DescribeUserPool shows of the settings.
func (s Settings) Described() Settings {
	s.AdminCreateUserConfig.UnusedAccountValidityDays = s.Policies.PasswordPolicy.TemporaryPasswordValidityDays
	return s
}

// SMSRole is the role by which the pool sends SMS, "" for none.
func (s Settings) SMSRole() string {
	var sms struct{ SnsCallerArn string }
	_ = json.Unmarshal(s.SmsConfiguration, &sms) // what is none of the type is refused elsewhere
	return sms.SnsCallerArn
}

// exclusive refuses members of which a pool has one or the other
// (VerificationMessageTemplateType and SmsConfigurationType references).
func (s *Settings) exclusive() error {
	var template struct{ EmailMessage, EmailMessageByLink string }
	var sms struct {
		SnsCallerArn string
		EumsSms      Kept
	}
	for _, kept := range []struct {
		name string
		json Kept
		into any
	}{{"verificationMessageTemplate", s.VerificationMessageTemplate, &template}, {"smsConfiguration", s.SmsConfiguration, &sms}} {
		if kept.json != nil && json.Unmarshal(kept.json, kept.into) != nil {
			return Constraint(kept.name, "be an object of its type")
		}
	}
	if template.EmailMessage != "" && template.EmailMessageByLink != "" {
		return Invalid("EmailMessage and EmailMessageByLink cannot both be set")
	}
	if sms.SnsCallerArn != "" && sms.EumsSms != nil {
		return Invalid("SnsCallerArn and EumsSms cannot both be set")
	}
	return nil
}

func (t *Triggers) complete() error {
	if c := t.PreTokenGenerationConfig; c != nil {
		if err := each("lambdaConfig.preTokenGenerationConfig.lambdaVersion", []string{c.LambdaVersion}, "V1_0", "V2_0", "V3_0"); err != nil {
			return err
		}
		if t.PreTokenGeneration != "" && t.PreTokenGeneration != c.LambdaArn {
			return Invalid("PreTokenGeneration and PreTokenGenerationConfig.LambdaArn must be the same function")
		}
		t.PreTokenGeneration = c.LambdaArn
	}
	for name, arn := range map[string]string{"preSignUp": t.PreSignUp, "postConfirmation": t.PostConfirmation, "userMigration": t.UserMigration, "preTokenGeneration": t.PreTokenGeneration,
		"preAuthentication": t.PreAuthentication, "postAuthentication": t.PostAuthentication} {
		if arn != "" && !strings.HasPrefix(arn, "arn:") {
			return Constraint("lambdaConfig."+name, "satisfy regular expression pattern: arn:...")
		}
	}
	return nil
}

// each refuses values that are not among the allowed ones.
func each(name string, values []string, allowed ...string) error {
	for _, v := range values {
		if !slices.Contains(allowed, v) {
			return Constraint(name, "satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
		}
	}
	return nil
}

// rules are the naming rules that the frozen part makes; it checks them.
func (f Frozen) rules() (directory.Rules, error) {
	if err := each("aliasAttributes", f.AliasAttributes, "email", "phone_number", "preferred_username"); err != nil {
		return directory.Rules{}, err
	}
	if err := each("usernameAttributes", f.UsernameAttributes, "email", "phone_number"); err != nil {
		return directory.Rules{}, err
	}
	if len(f.AliasAttributes) > 0 && len(f.UsernameAttributes) > 0 {
		return directory.Rules{}, Invalid("Only one of the aliasAttributes or usernameAttributes can be set in a user pool.")
	}
	// A pool made through the API without UsernameConfiguration is case-sensitive
	// (CreateUserPool reference).
	return directory.Rules{Aliases: f.AliasAttributes, UsernameAttributes: f.UsernameAttributes,
		CaseSensitive: f.UsernameConfiguration == nil || f.UsernameConfiguration.CaseSensitive}, nil
}
