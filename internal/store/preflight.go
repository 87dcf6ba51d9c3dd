package store

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"poolferry/internal/fault"
	"poolferry/internal/preflight"
)

var (
	_ preflight.Run     = (*Run)(nil)
	_ preflight.Buckets = (*Surveyed)(nil)
)

// WritePreflight keeps what a preflight has verified, in place of what another
// has.
func (r *Run) WritePreflight(ctx context.Context, v preflight.Verified) error {
	data, err := v.Encode()
	if err != nil {
		return err
	}
	_, err = r.bucket.Put(ctx, r.prefix+preflightKey, data, Condition{})
	return err
}

// ReadPreflight reads what the latest preflight has verified.
func (r *Run) ReadPreflight(ctx context.Context) (preflight.Verified, error) {
	data, _, err := r.get(ctx, preflightKey)
	if err != nil {
		return preflight.Verified{}, err
	}
	v, err := preflight.DecodeVerified(data)
	if err == nil && v.Run != r.id {
		err = fault.New(fault.Invalid, "preflight is of run %q", v.Run)
	}
	return v, r.about(preflightKey, err)
}

// Surveyed is a bucket as preflight looks at it.
type Surveyed struct {
	bucket *S3
	run    string
}

// Survey returns how the bucket is set, as far as it matters to a run.
func (b *S3) Survey(run string) *Surveyed { return &Surveyed{b, run} }

// Bucket reads the settings. What the caller may not read is in the refusals.
func (s *Surveyed) Bucket(ctx context.Context) (preflight.Bucket, []preflight.Refusal, error) {
	b, about := s.bucket, "bucket "+s.bucket.bucket
	out, err := s.reach(ctx)
	if err != nil || !out.Usable() {
		return out, nil, err
	}
	var refusals []preflight.Refusal
	for _, read := range []struct {
		action string // as policies name it
		do     func() error
		none   string // the code of a bucket that has none
	}{
		{"s3:GetBucketPolicy", func() error {
			policy, err := b.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
			if err == nil {
				out.Policy = aws.ToString(policy.Policy)
			}
			return err
		}, "NoSuchBucketPolicy"},
		{"s3:GetBucketPublicAccessBlock", func() error {
			block, err := b.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
			if err == nil {
				out.PublicBlocked = allBlocked(block.PublicAccessBlockConfiguration)
			}
			return err
		}, "NoSuchPublicAccessBlockConfiguration"},
		{"s3:GetEncryptionConfiguration", func() error {
			encryption, err := b.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
			if err == nil {
				out.KMS = byKMS(encryption.ServerSideEncryptionConfiguration)
			}
			return err
		}, "ServerSideEncryptionConfigurationNotFoundError"},
		{"s3:GetBucketVersioning", func() error {
			versioning, err := b.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
			if err == nil {
				out.Versioned = versioning.Status == types.BucketVersioningStatusEnabled
			}
			return err
		}, ""},
		{"s3:GetLifecycleConfiguration", func() error {
			lifecycle, err := b.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
			if err == nil {
				out.Expires = expires(lifecycle.Rules, runPrefix(s.run))
			}
			return err
		}, "NoSuchLifecycleConfiguration"},
	} {
		err := read.do()
		switch code := codeOf(err); {
		case err == nil || read.none != "" && code == read.none:
		case kindOf(err) == fault.Denied:
			refusals = append(refusals, preflight.Refusal{As: preflight.AsOwn, Action: read.action, About: about, Kind: fault.Denied, Code: code})
			out = assume(out, read.action)
		default:
			return out, refusals, fault.New(kindOf(err), "read settings of bucket %s: %w", b.bucket, err)
		}
	}
	return out, refusals, nil
}

// assume takes for good what could not be read: that it could not is said.
func assume(b preflight.Bucket, action string) preflight.Bucket {
	switch action {
	case "s3:GetBucketPolicy":
		b.PolicyUnread = true
	case "s3:GetBucketPublicAccessBlock":
		b.PublicBlocked = true
	case "s3:GetEncryptionConfiguration":
		b.KMS = true
	case "s3:GetBucketVersioning":
		b.Versioned = true
	case "s3:GetLifecycleConfiguration":
		b.Expires = true
	}
	return b
}

// reach asks whether the bucket is there, is ours and is here. S3 answers a HEAD
// with a status alone (S3 API reference, HeadBucket).
func (s *Surveyed) reach(ctx context.Context) (preflight.Bucket, error) {
	b := s.bucket
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
	switch statusOf(err) {
	case http.StatusNotFound:
		return preflight.Bucket{Missing: true}, nil
	case http.StatusForbidden:
		return preflight.Bucket{Foreign: true}, nil
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return preflight.Bucket{Elsewhere: true}, nil
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		err = fault.New(kindOf(err), "look for bucket %s: %w", b.bucket, err)
	}
	return preflight.Bucket{}, err
}

func allBlocked(c *types.PublicAccessBlockConfiguration) bool {
	return c != nil && aws.ToBool(c.BlockPublicAcls) && aws.ToBool(c.BlockPublicPolicy) && aws.ToBool(c.IgnorePublicAcls) && aws.ToBool(c.RestrictPublicBuckets)
}

func byKMS(c *types.ServerSideEncryptionConfiguration) bool {
	if c == nil {
		return false
	}
	for _, rule := range c.Rules {
		d := rule.ApplyServerSideEncryptionByDefault
		if d != nil && (d.SSEAlgorithm == types.ServerSideEncryptionAwsKms || d.SSEAlgorithm == types.ServerSideEncryptionAwsKmsDsse) {
			return true
		}
	}
	return false
}

// expires reports whether an enabled rule deletes everything below a prefix.
func expires(rules []types.LifecycleRule, prefix string) bool {
	for _, rule := range rules {
		of, all := rulePrefix(rule)
		if rule.Status == types.ExpirationStatusEnabled && all && strings.HasPrefix(prefix, of) &&
			rule.Expiration != nil && (aws.ToInt32(rule.Expiration.Days) > 0 || rule.Expiration.Date != nil) {
			return true
		}
	}
	return false
}

// rulePrefix returns the prefix that a rule is for; all is false where it is not
// for everything below that.
func rulePrefix(rule types.LifecycleRule) (prefix string, all bool) {
	f := rule.Filter
	switch {
	case f == nil:
		return aws.ToString(rule.Prefix), true //nolint:staticcheck // the older form of a rule, which buckets still have
	case f.And != nil || f.Tag != nil || f.ObjectSizeGreaterThan != nil || f.ObjectSizeLessThan != nil:
		return "", false
	}
	return aws.ToString(f.Prefix), true
}
