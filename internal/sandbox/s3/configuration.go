package s3

import (
	"encoding/xml"
	"fmt"
	"net/http"

	"poolferry/internal/sandbox/wire"
)

// Configuration is what a bucket is set to, as far as it can be asked for. But for
// Versioned it is returned and changes nothing that the sandbox does: calls come
// over loopback and nothing is encrypted. The zero Configuration is a bucket of which nobody
// has set anything; S3 encrypts that with its own keys and blocks public access,
// since 2023.
type Configuration struct {
	Policy            string // JSON; empty for none
	KMSKey            string // ARN; empty: encrypted with S3's own keys
	PublicAccessOpen  bool
	Versioned         bool // from then on, what is replaced or deleted is kept, for good
	ExpireDays        int  // of objects below ExpirePrefix; 0: nothing expires
	ExpirePrefix      string
	ExpireNoncurrent  int // days
	LifecycleDisabled bool
}

// Configure changes the configuration of a bucket.
func (s *Service) Configure(bucket string, change func(*Configuration)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, ok := s.buckets[bucket]
	if !ok {
		return fmt.Errorf("there is no bucket %s", bucket)
	}
	change(&there.configuration)
	s.buckets[bucket] = there
	if there.configuration.Versioned {
		s.objects.enable(bucket)
	}
	return nil
}

// Hand gives a bucket with everything in it to another account, or puts it into
// another region.
func (s *Service) Hand(bucket, account, region string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, ok := s.buckets[bucket]
	if !ok {
		return fmt.Errorf("there is no bucket %s", bucket)
	}
	there.account, there.region = account, region
	s.buckets[bucket] = there
	return nil
}

// Forget makes a bucket one that never was, with everything in it.
func (s *Service) Forget(bucket string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets, bucket)
}

// The operations that read a configuration, with the actions that they need
// (Service Authorization Reference), which are not always their names.
var configurations = map[string]struct {
	action string
	answer func(Configuration) (any, error)
}{
	opGetPolicy:     {"s3:GetBucketPolicy", nil}, // the one that answers JSON
	opGetPublic:     {"s3:GetBucketPublicAccessBlock", publicAccess},
	opGetEncryption: {"s3:GetEncryptionConfiguration", encryption},
	opGetVersioning: {"s3:GetBucketVersioning", versioning},
	opGetLifecycle:  {"s3:GetLifecycleConfiguration", lifecycle},
}

// configuration answers what a bucket is set to. The caller may reach it.
func (s *Service) configuration(call *wire.Call, r request) (*wire.Reply, error) {
	of := configurations[r.operation]
	if err := call.Authorize(of.action, arn(r.bucket, "")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	there := s.buckets[r.bucket]
	s.mu.Unlock()
	if r.operation == opGetPolicy {
		if there.configuration.Policy == "" {
			return nil, wire.Errorf(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist")
		}
		return &wire.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(there.configuration.Policy)}, nil
	}
	out, err := of.answer(there.configuration)
	if err != nil {
		return nil, err
	}
	return inXML(out)
}

func inXML(v any) (*wire.Reply, error) {
	body, err := xml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &wire.Reply{Body: append([]byte(xml.Header), body...)}, nil
}

func publicAccess(c Configuration) (any, error) {
	if c.PublicAccessOpen {
		return nil, wire.Errorf(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
	}
	return struct {
		XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
		BlockPublicAcls       bool
		IgnorePublicAcls      bool
		BlockPublicPolicy     bool
		RestrictPublicBuckets bool
	}{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}, nil
}

func encryption(c Configuration) (any, error) {
	type byDefault struct {
		SSEAlgorithm   string
		KMSMasterKeyID string `xml:",omitempty"`
	}
	type rule struct {
		ByDefault        byDefault `xml:"ApplyServerSideEncryptionByDefault"`
		BucketKeyEnabled bool
	}
	out := struct {
		XMLName xml.Name `xml:"ServerSideEncryptionConfiguration"`
		Rule    rule
	}{Rule: rule{ByDefault: byDefault{SSEAlgorithm: "AES256"}}}
	if c.KMSKey != "" {
		out.Rule = rule{byDefault{"aws:kms", c.KMSKey}, true}
	}
	return out, nil
}

func versioning(c Configuration) (any, error) {
	out := struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Status  string   `xml:",omitempty"`
	}{}
	if c.Versioned {
		out.Status = "Enabled"
	}
	return out, nil
}

func lifecycle(c Configuration) (any, error) {
	if c.ExpireDays == 0 {
		return nil, wire.Errorf(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
	}
	type days struct{ Days int }
	type noncurrent struct{ NoncurrentDays int }
	type filter struct{ Prefix string }
	type rule struct {
		ID                          string
		Status                      string
		Filter                      filter
		Expiration                  days
		NoncurrentVersionExpiration *noncurrent `xml:",omitempty"`
	}
	r := rule{ID: "expires", Status: "Enabled", Filter: filter{c.ExpirePrefix}, Expiration: days{c.ExpireDays}}
	if c.ExpireNoncurrent > 0 {
		r.NoncurrentVersionExpiration = &noncurrent{c.ExpireNoncurrent}
	}
	if c.LifecycleDisabled {
		r.Status = "Disabled"
	}
	return struct {
		XMLName xml.Name `xml:"LifecycleConfiguration"`
		Rule    rule
	}{Rule: r}, nil
}
