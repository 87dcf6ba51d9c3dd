package s3_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/s3"
)

// asked is what an SDK client is told of a bucket, or the code of a refusal.
func asked(t *testing.T, c *sdk.Client) map[string]string {
	t.Helper()
	name := aws.String(bucket)
	out := map[string]string{}
	policy, err := c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: name})
	if out["policy"] = code(t, err); err == nil {
		out["policy"] = aws.ToString(policy.Policy)
	}
	block, err := c.GetPublicAccessBlock(t.Context(), &sdk.GetPublicAccessBlockInput{Bucket: name})
	if out["public"] = code(t, err); err == nil && aws.ToBool(block.PublicAccessBlockConfiguration.RestrictPublicBuckets) {
		out["public"] = "blocked"
	}
	encryption, err := c.GetBucketEncryption(t.Context(), &sdk.GetBucketEncryptionInput{Bucket: name})
	if out["encryption"] = code(t, err); err == nil {
		by := encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault
		out["encryption"] = string(by.SSEAlgorithm) + " " + aws.ToString(by.KMSMasterKeyID)
	}
	versioning, err := c.GetBucketVersioning(t.Context(), &sdk.GetBucketVersioningInput{Bucket: name})
	if out["versioning"] = code(t, err); err == nil {
		out["versioning"] = string(versioning.Status)
	}
	lifecycle, err := c.GetBucketLifecycleConfiguration(t.Context(), &sdk.GetBucketLifecycleConfigurationInput{Bucket: name})
	if out["lifecycle"] = code(t, err); err == nil {
		rule := lifecycle.Rules[0]
		out["lifecycle"] = string(rule.Status) + " " + aws.ToString(rule.Filter.Prefix)
	}
	return out
}

func TestConfiguration(t *testing.T) {
	w := start(t, "")
	operator := w.operator(t)
	want := map[string]string{
		"policy": "404 NoSuchBucketPolicy", "public": "blocked", "encryption": "AES256 ", "versioning": "", "lifecycle": "404 NoSuchLifecycleConfiguration",
	}
	if diff := cmp.Diff(want, asked(t, operator)); diff != "" {
		t.Errorf("a new bucket (-want +got)\n%s", diff)
	}
	if err := w.s3.Configure(bucket, func(c *s3.Configuration) {
		*c = s3.Configuration{Policy: `{"Version":"2012-10-17"}`, KMSKey: "key-1", PublicAccessOpen: true, Versioned: true, ExpireDays: 3, ExpirePrefix: "runs/", ExpireNoncurrent: 1}
	}); err != nil {
		t.Fatal(err)
	}
	want = map[string]string{
		"policy": `{"Version":"2012-10-17"}`, "public": "404 NoSuchPublicAccessBlockConfiguration", "encryption": "aws:kms key-1",
		"versioning": "Enabled", "lifecycle": "Enabled runs/",
	}
	if diff := cmp.Diff(want, asked(t, operator)); diff != "" {
		t.Errorf("configured (-want +got)\n%s", diff)
	}
	denied := map[string]string{
		"policy": "403 AccessDenied", "public": "403 AccessDenied", "encryption": "403 AccessDenied", "versioning": "403 AccessDenied", "lifecycle": "403 AccessDenied",
	}
	reader := w.client(w.user(t, account, "reader", `{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}`))
	if diff := cmp.Diff(denied, asked(t, reader)); diff != "" {
		t.Errorf("without permissions (-want +got)\n%s", diff)
	}
	if err := w.s3.Hand(bucket, other, region); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(denied, asked(t, operator)); diff != "" {
		t.Errorf("somebody else's (-want +got)\n%s", diff)
	}
	w.s3.Forget(bucket)
	if got := asked(t, operator)["policy"]; got != "404 NoSuchBucket" {
		t.Errorf("forgotten: %s", got)
	}
	if w.s3.Configure(bucket, func(*s3.Configuration) {}) == nil || w.s3.Hand(bucket, other, region) == nil {
		t.Error("changed a bucket that there is not")
	}
	// What is not served stays refused.
	_, err := operator.GetBucketOwnershipControls(t.Context(), &sdk.GetBucketOwnershipControlsInput{Bucket: aws.String(bucket)})
	if got := code(t, err); got != "400 SandboxUnsupported" {
		t.Errorf("ownership controls: %s", got)
	}
}

// TestKeyIsNeeded: where a bucket has a key of KMS, S3 uses it in the caller's
// name.
func TestKeyIsNeeded(t *testing.T) {
	w := start(t, "")
	const key = "arn:aws:kms:" + region + ":" + account + ":key/1"
	put(t, w.operator(t), "before", "x")
	if err := w.s3.Configure(bucket, func(c *s3.Configuration) { c.KMSKey = key }); err != nil {
		t.Fatal(err)
	}
	key1 := func(actions, via string) string {
		return `,{"Effect":"Allow","Action":[` + actions + `],"Resource":"` + key + `","Condition":{"StringEquals":{"kms:ViaService":"` + via + `"}}}`
	}
	const s3InRegion = "s3." + region + ".amazonaws.com"
	const granted, refused = "", "403 AccessDenied"
	for name, tt := range map[string]struct{ statements, write, read string }{
		"no-key":    {anything, refused, refused},
		"elsewhere": {anything + key1(`"kms:*"`, "s3.us-east-1.amazonaws.com"), refused, refused},
		"reader":    {anything + key1(`"kms:Decrypt"`, s3InRegion), refused, granted},
		"writer":    {anything + key1(`"kms:GenerateDataKey"`, s3InRegion), granted, refused},
		"both":      {anything + key1(`"kms:Decrypt","kms:GenerateDataKey"`, s3InRegion), granted, granted},
	} {
		c := w.client(w.user(t, account, name, tt.statements))
		_, err := c.PutObject(t.Context(), putInput("by-"+name, "x"))
		if got := code(t, err); got != tt.write {
			t.Errorf("%s writes: %q, want %q", name, got, tt.write)
		}
		_, err = c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("before")})
		if got := code(t, err); got != tt.read {
			t.Errorf("%s reads: %q, want %q", name, got, tt.read)
		}
		_, err = c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("before")})
		if got := code(t, err); got != "" {
			t.Errorf("%s looks at the headers: %q", name, got)
		}
	}
}
