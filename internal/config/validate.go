package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"poolferry/internal/cutover"
	"poolferry/internal/hook"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

var (
	runID      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)
	region     = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	account    = regexp.MustCompile(`^[0-9]{12}$`)
	poolID     = regexp.MustCompile(`^([a-z0-9-]+)_[0-9A-Za-z]+$`)
	clientID   = regexp.MustCompile(`^[\w+]{1,128}$`)     // Cognito API reference
	username   = regexp.MustCompile(`^\S{1,128}$`)        // Cognito API reference
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`) // STS API reference
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]{1,576}$`)
	bucket     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	ipv4       = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
)

// Reserved by S3 (S3 User Guide, bucket naming rules).
var (
	bucketPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	bucketSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// Lengths in characters (Cognito and STS API references).
const (
	maxPoolID     = 55
	maxExternalID = 1224
)

// validate notes what is wrong with the values of c.
func (c *Config) validate(d *document) {
	if c.Version != 1 {
		d.addf("version", "is %d: this poolferry reads version 1", c.Version)
	}
	d.match("run", c.Run, runID, "2 to 63 lower-case letters, digits and hyphens, such as 2026-11-prod")
	c.Source.validate(d)
	d.pool("target", c.Target.Region, c.Target.PoolID)
	if c.Source.PoolID != "" && c.Source.PoolID == c.Target.PoolID {
		d.addf("target.pool_id", "%s is the source pool: users move to another pool", quote(c.Target.PoolID))
	}
	var rule *userpool.RuleError
	if errors.As(c.Mapping.Validate(), &rule) {
		d.rule("", rule)
	}
	oneOf(d, "mfa_policy", c.MFAPolicy, trigger.MFAVerify, trigger.MFAReset, trigger.MFAAccept)
	d.reference("audit.name_key", c.Audit.NameKey)
	c.Pace.check(func(field, why string) { d.addf(field, "%s", why) })
	c.Staging.validate(d)
	oneOf(d, "seeding.shards", c.Seeding.Shards, seeding.ShardsAuto, seeding.ShardsSerial, seeding.ShardsPrefix)
	if n := c.Seeding.Concurrency; n < 1 || n > maxConcurrency {
		d.addf("seeding.concurrency", "%d is not a number of batches from 1 to %d", n, maxConcurrency)
	}
	c.Reconcile.validate(d)
	if arn := c.Tail.ImportLogRoleARN; arn != "" {
		d.match("tail.import_log_role_arn", arn, roleARN, "a role ARN, such as arn:aws:iam::444455556666:role/poolferry-import-log")
	}
	oneOf(d, "guard.when_unsure", c.Guard.WhenUnsure, hook.UnsureRefuse, hook.UnsureAllow)
	if err := hook.CheckClaim(c.Claim.Name); err != nil {
		d.addf("claim.name", "%s %s", quote(c.Claim.Name), err)
	}
	c.Cutover.validate(d)
	var group *userpool.GroupRuleError
	if errors.As(c.Settle.Groups.Validate(), &group) {
		d.rule("settle.", group)
	}
}

func (r Reconcile) validate(d *document) {
	if n := r.StaleAfterHours; n < 1 || n > maxStaleAfterHours {
		d.addf("reconcile.stale_after_hours", "%d is not a number of hours from 1 to %d", n, maxStaleAfterHours)
	}
	if n := r.Concurrency; n < 1 || n > maxWorkers {
		d.addf("reconcile.concurrency", "%d is not a number of functions at a time from 1 to %d", n, maxWorkers)
	}
	for i, reason := range r.Exclude {
		field := fmt.Sprintf("reconcile.exclude[%d]", i)
		switch {
		case reason == verdict.NotSignedIn:
			d.addf(field, "%s can move: to exclude everybody who has not moved yet is to end the migration, which is not what this is for", quote(string(reason)))
		case !reason.Excludable():
			oneOf(d, field, reason, excludable()...)
		}
	}
}

func (c Cutover) validate(d *document) {
	if c.ManagedBy != "" {
		oneOf(d, "cutover.managed_by", c.ManagedBy, cutover.Terraform)
	}
	if c.ProbeUsername == "" && c.ProbePassword == "" && c.ProbeClientID == "" {
		return
	}
	d.match("cutover.probe_username", c.ProbeUsername, username, "a username of 1 to 128 characters without spaces")
	d.reference("cutover.probe_password", c.ProbePassword)
	d.match("cutover.probe_client_id", c.ProbeClientID, clientID, "an app client id of 1 to 128 letters and digits")
}

// excludable are the reasons that can be excluded.
func excludable() []verdict.Reason {
	return slices.DeleteFunc(verdict.PendingReasons(), func(r verdict.Reason) bool { return !r.Excludable() })
}

func (s Source) validate(d *document) {
	d.pool("source", s.Region, s.PoolID)
	d.match("source.account", s.Account, account, "an AWS account id of 12 digits")
	d.match("source.client_id", s.ClientID, clientID, "an app client id of 1 to 128 letters and digits")
	if s.ClientSecret != "" {
		d.reference("source.client_secret", s.ClientSecret)
	}
	d.role("source.login_role_arn", s.LoginRoleARN, s.Account)
	if s.ExportRoleARN != "" {
		d.role("source.export_role_arn", s.ExportRoleARN, s.Account)
		if s.ExportRoleARN == s.LoginRoleARN {
			d.addf("source.export_role_arn", "%s is the login role: who signs users in must not be able to list them all", quote(s.ExportRoleARN))
		}
	}
	if d.match("source.external_id", s.ExternalID, externalID, "2 or more letters, digits and _+=,.@:/-") && len(s.ExternalID) > maxExternalID {
		d.addf("source.external_id", "%s has %d characters, at most %d", quote(s.ExternalID), len(s.ExternalID), maxExternalID)
	}
	oneOf(d, "source.profile", s.Profile, trigger.FromLookup, trigger.FromIDToken)
}

func (s Staging) validate(d *document) {
	const field = "staging.bucket"
	if !d.match(field, s.Bucket, bucket, "an S3 bucket name of 3 to 63 lower-case letters, digits, dots and hyphens") {
		return
	}
	if strings.Contains(s.Bucket, "..") || ipv4.MatchString(s.Bucket) {
		d.addf(field, "%s is not an S3 bucket name: it has two dots in a row or looks like an IP address", quote(s.Bucket))
	}
	for _, prefix := range bucketPrefixes {
		if strings.HasPrefix(s.Bucket, prefix) {
			d.addf(field, "%s begins with %s, which S3 reserves", quote(s.Bucket), prefix)
		}
	}
	for _, suffix := range bucketSuffixes {
		if strings.HasSuffix(s.Bucket, suffix) {
			d.addf(field, "%s ends in %s, which S3 reserves", quote(s.Bucket), suffix)
		}
	}
}

// match checks a required text.
func (d *document) match(field, value string, pattern *regexp.Regexp, want string) bool {
	switch {
	case value == "":
		d.addf(field, "is missing: give %s", want)
	case !pattern.MatchString(value):
		d.addf(field, "%s is not %s", quote(value), want)
	default:
		return true
	}
	return false
}

// pool checks a region and the pool id in it.
func (d *document) pool(section, in, id string) {
	inRegion := d.match(section+".region", in, region, "an AWS region, such as eu-west-1")
	field := section + ".pool_id"
	if !d.match(field, id, poolID, "a pool id REGION_ID, such as eu-west-1_AbCdEf123") {
		return
	}
	if len(id) > maxPoolID {
		d.addf(field, "%s has %d characters, at most %d", quote(id), len(id), maxPoolID)
	}
	if of := poolID.FindStringSubmatch(id)[1]; inRegion && of != in {
		d.addf(field, "%s is a pool of region %q, but %s.region is %q", quote(id), of, section, in)
	}
}

// role checks a role ARN and that it is in the given account.
func (d *document) role(field, arn, of string) {
	if !d.match(field, arn, roleARN, "a role ARN, such as arn:aws:iam::111122223333:role/poolferry-login") {
		return
	}
	if in := roleARN.FindStringSubmatch(arn)[1]; account.MatchString(of) && in != of {
		d.addf(field, "%s is in account %s, but source.account is %s", quote(arn), in, of)
	}
}

// reference checks a required secret reference.
func (d *document) reference(field string, ref SecretRef) {
	if ref == "" {
		d.addf(field, "is missing: give %s", referenceForms)
	} else if err := ref.valid(); err != nil {
		d.addf(field, "%s", err)
	}
}

// rule notes what the rules of a section were refused for: its text is "FIELD:
// WHY".
func (d *document) rule(section string, e error) {
	field, why, _ := strings.Cut(e.Error(), ": ")
	d.addf(section+field, "%s", why)
}

func oneOf[T ~string](d *document, field string, value T, allowed ...T) {
	var names []string
	for _, a := range allowed {
		if value == a {
			return
		}
		names = append(names, string(a))
	}
	d.addf(field, "%s is not one of %s", quote(string(value)), strings.Join(names, ", "))
}
