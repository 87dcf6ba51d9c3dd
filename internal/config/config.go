// Package config is poolferry.yaml: one document, one validated struct, shared
// by the command line tool, the Lambda functions and Terraform (yamldecode).
//
// Vocabulary: a document is the text, in YAML or JSON; a field is named by its
// path, such as source.pool_id; a problem is one thing wrong with a document,
// with the line it is on; a secret reference says where a secret is, and is all
// that a document may hold of one. A Config that exists is valid: nothing else
// returns one but Parse, Load and FromEnv.
package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// EnvName is the environment variable that holds a Lambda function's document.
const EnvName = "POOLFERRY_CONFIG"

// MaxEnv is how many bytes Lambda allows for all environment variables of a
// function together (Lambda Developer Guide, quotas).
const MaxEnv = 4096

// Config is a valid poolferry.yaml, with defaults where the document is silent.
type Config struct {
	Version   int               `yaml:"version" json:"version"`       // 1
	Run       string            `yaml:"run" json:"run"`               // run id, such as 2026-11-prod
	Source    Source            `yaml:"source" json:"source"`         // where users are
	Target    Target            `yaml:"target" json:"target"`         // where users go
	Mapping   userpool.Mapping  `yaml:"mapping" json:"mapping"`       // attribute rules
	MFAPolicy trigger.MFAPolicy `yaml:"mfa_policy" json:"mfa_policy"` // default verify
	Audit     Audit             `yaml:"audit" json:"audit"`
	Pace      Pace              `yaml:"pace" json:"pace"`
	Staging   Staging           `yaml:"staging" json:"staging"`
	Seeding   Seeding           `yaml:"seeding" json:"seeding"`
	Reconcile Reconcile         `yaml:"reconcile" json:"reconcile"`
	Settle    Settle            `yaml:"settle" json:"settle"`
	Tail      Tail              `yaml:"tail" json:"tail,omitzero"`
	Guard     Guard             `yaml:"guard" json:"guard"`
	Claim     Claim             `yaml:"claim" json:"claim"`
	Cutover   Cutover           `yaml:"cutover" json:"cutover,omitzero"`
}

// Source is the user pool that users leave, and how it is reached.
type Source struct {
	Region   string `yaml:"region" json:"region"`
	Account  string `yaml:"account" json:"account"` // 12 digits
	PoolID   string `yaml:"pool_id" json:"pool_id"` // REGION_ID
	ClientID string `yaml:"client_id" json:"client_id"`
	// ClientSecret is empty where the app client has none.
	ClientSecret SecretRef `yaml:"client_secret" json:"client_secret,omitempty"`
	// LoginRoleARN is the role, in Account, that may authenticate and read one
	// user. ExportRoleARN is the one that may list them all; it is empty until
	// the run has a seeding. They differ: who signs users in must not be able
	// to read the directory.
	LoginRoleARN  string `yaml:"login_role_arn" json:"login_role_arn"`
	ExportRoleARN string `yaml:"export_role_arn" json:"export_role_arn,omitempty"`
	ExternalID    string `yaml:"external_id" json:"external_id"` // as in both roles' trust policies
	// Profile is where the trigger reads attributes: lookup, the default, asks
	// AdminGetUser once the password is proven. id_token saves that round trip
	// and is only right where preflight has recorded that the client reads every
	// mapped attribute and the source has no PreTokenGeneration trigger: a token
	// silently lacks what either withholds.
	Profile trigger.ProfileFrom `yaml:"profile" json:"profile"`
}

// PoolARN is the pool's ARN, in the partition of the login role.
func (s Source) PoolARN() string {
	partition := strings.Split(s.LoginRoleARN, ":")[1]
	return fmt.Sprintf("arn:%s:cognito-idp:%s:%s:userpool/%s", partition, s.Region, s.Account, s.PoolID)
}

// Target is the user pool that users go to, in the account that runs poolferry.
type Target struct {
	Region string `yaml:"region" json:"region"`
	PoolID string `yaml:"pool_id" json:"pool_id"` // REGION_ID
	// SMSMFA says that the pool asks for second factors by SMS, so that a user
	// whose second factor is SMS can be migrated and asked there.
	SMSMFA bool `yaml:"sms_mfa" json:"sms_mfa,omitempty"`
}

// Audit is about the audit trail.
type Audit struct {
	// NameKey refers to the key, of MinNameKey bytes or more, with which
	// submitted names are hashed: whoever holds the trail and not the key cannot
	// test whether a name is in it.
	NameKey SecretRef `yaml:"name_key" json:"name_key"`
}

// Staging is where the manifest of the run lives.
type Staging struct {
	Bucket string `yaml:"bucket" json:"bucket"`
}

// Seeding is how the source pool is read into the manifest. The defaults are
// right for most pools.
type Seeding struct {
	// Shards says how the pool is sliced. auto, the default, reads it by sixteen
	// prefixes of sub where that is of use and the pool proves to filter by them.
	Shards      seeding.Sharding `yaml:"shards" json:"shards"`
	Concurrency int              `yaml:"concurrency" json:"concurrency"` // batches at a time
}

// Reconcile is how the manifest and the target pool are compared. The defaults
// are right for most pools.
type Reconcile struct {
	// StaleAfterHours is how old a manifest may grow before a reconciliation has
	// the source pool staged once more.
	StaleAfterHours int `yaml:"stale_after_hours" json:"stale_after_hours"`
	// Exclude are the reasons for which a pending user is not to be moved. A list
	// takes the place of the default, federated; an empty one excludes nobody.
	Exclude     []verdict.Reason `yaml:"exclude" json:"exclude"`
	Concurrency int              `yaml:"concurrency" json:"concurrency"` // buckets, and parts of the manifest, at a time
}

// Settle is what becomes at the target of what the migration trigger cannot
// carry.
type Settle struct {
	Groups userpool.GroupRules `yaml:"groups" json:"groups"` // mode default add
	// Disabled has users disabled at the target who are disabled at the source;
	// the default.
	Disabled bool `yaml:"disabled" json:"disabled"`
	// MFA has users asked for a code by SMS at the target who are at the source,
	// where the target can; the default.
	MFA bool `yaml:"mfa" json:"mfa"`
}

// normal makes equal what means the same.
func (s *Settle) normal() {
	if len(s.Groups.Ignore) == 0 {
		s.Groups.Ignore = nil
	}
	if len(s.Groups.Rename) == 0 {
		s.Groups.Rename = nil
	}
	if len(s.Groups.Roles) == 0 {
		s.Groups.Roles = nil
	}
	if s.Groups.Mode == "" {
		s.Groups.Mode = userpool.GroupsAdd
	}
}

// Tail is the import of who never signs in.
type Tail struct {
	// ImportLogRoleARN is the role with which Cognito writes the log of import
	// jobs. It is empty until the tail is imported; plans need none.
	ImportLogRoleARN string `yaml:"import_log_role_arn" json:"import_log_role_arn,omitempty"`
}

// Guard is what keeps people from registering at the target under a name of
// somebody who has not moved yet.
type Guard struct {
	// WhenUnsure says what becomes of a registration while it cannot be found out
	// whether a name belongs to somebody: refuse, the default, or allow.
	WhenUnsure hook.WhenUnsure `yaml:"when_unsure" json:"when_unsure"`
}

// Claim is the claim in tokens that says who somebody was at the source.
type Claim struct {
	Name string `yaml:"name" json:"name"` // default legacy_sub
	// AccessToken puts it into access tokens, too.
	AccessToken bool `yaml:"access_token" json:"access_token,omitempty"`
}

// Cutover is how the end of the migration is made and proven.
type Cutover struct {
	// ManagedBy is terraform where Terraform owns the target pool, and would take
	// back what anybody else changes. Empty goes by the pool's tags.
	ManagedBy string `yaml:"managed_by" json:"managed_by,omitempty"`
	// The probe is a user of the target pool made for it, and the app client
	// through which it signs in: all three or none.
	ProbeUsername string    `yaml:"probe_username" json:"probe_username,omitempty"`
	ProbePassword SecretRef `yaml:"probe_password" json:"probe_password,omitempty"`
	ProbeClientID string    `yaml:"probe_client_id" json:"probe_client_id,omitempty"`
}

// Probes reports whether there is a probe.
func (c Cutover) Probes() bool { return c.ProbeUsername != "" }

// maxStaleAfterHours is a year. maxWorkers keeps a reconciliation from taking
// all of an account's concurrent Lambdas, a thousand, from production.
const (
	maxStaleAfterHours = 365 * 24
	maxWorkers         = 500
)

// maxConcurrency is what an inline Map state runs at a time (AWS Step Functions
// Developer Guide, Map state).
const maxConcurrency = 40

// Parse reads one document. name is the file's name, for errors. The error is
// of kind fault.Invalid and wraps the Problems; it never holds a secret.
func Parse(name string, data []byte) (*Config, error) {
	c := &Config{
		Source:    Source{Profile: trigger.FromLookup},
		MFAPolicy: trigger.MFAVerify,
		Pace:      defaultPace(),
		Seeding:   Seeding{Shards: seeding.ShardsAuto, Concurrency: seeding.DefaultConcurrency},
		Reconcile: Reconcile{StaleAfterHours: 24, Exclude: verdict.DefaultExclude(), Concurrency: 40},
		Settle:    Settle{Groups: userpool.GroupRules{Mode: userpool.GroupsAdd}, Disabled: true, MFA: true},
		Guard:     Guard{WhenUnsure: hook.UnsureRefuse},
		Claim:     Claim{Name: hook.DefaultClaim},
	}
	doc := read(name, data, c)
	if len(doc.problems) == 0 {
		c.validate(doc)
	}
	if err := doc.err(); err != nil {
		return nil, err
	}
	if c.Reconcile.Exclude == nil { // null, which is as good as absent
		c.Reconcile.Exclude = verdict.DefaultExclude()
	}
	if len(c.Mapping.Rules) == 0 {
		c.Mapping.Rules = nil // "rules: []" and no rules are the same Config
	}
	c.Settle.normal()
	return c, nil
}

// Load reads the document in a file.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read configuration: %w", err)
	}
	return Parse(path, data)
}

// FromEnv reads the document in the environment of a Lambda function, through
// lookup, which is os.LookupEnv or behaves like it.
func FromEnv(lookup func(string) (string, bool)) (*Config, error) {
	text, ok := lookup(EnvName)
	switch {
	case !ok || strings.TrimSpace(text) == "":
		return nil, fault.New(fault.Invalid, "environment variable %s is missing: set it to the content of poolferry.yaml, as YAML or JSON", EnvName)
	case len(text) > MaxEnv:
		return nil, fault.New(fault.Invalid, "environment variable %s has %d bytes: Lambda allows %d for all variables together; shorten the mapping", EnvName, len(text), MaxEnv)
	}
	return Parse(EnvName, []byte(text))
}

// Marshal writes the document as compact JSON, for the environment of a Lambda
// function. Parse of it gives an equal Config.
func (c *Config) Marshal() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return escapeForYAML(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// escapeForYAML escapes the characters that JSON allows in a string as they are
// and YAML does not, or reads as a line break (YAML 1.2, chapter 5.1).
func escapeForYAML(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}
