package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestPolicies(t *testing.T) {
	w := start(t, "")
	put(t, w.operator(t), "runs/r/k", "x")
	statement := func(actions, resource string) string {
		return fmt.Sprintf(`{"Effect":"Allow","Action":[%s],"Resource":"arn:aws:s3:::%s"}`, actions, resource)
	}
	object := bucket + "/runs/r/*"
	who := map[string]*sdk.Client{
		"writer": w.client(w.user(t, account, "writer", statement(`"s3:PutObject"`, object))),
		"reader": w.client(w.user(t, account, "reader", statement(`"s3:GetObject"`, object))),
		"both":   w.client(w.user(t, account, "both", statement(`"s3:GetObject","s3:PutObject"`, object)+","+statement(`"s3:ListBucket"`, bucket))),
		"eraser": w.client(w.user(t, account, "eraser", statement(`"s3:DeleteObject"`, object))),
	}
	calls := map[string]func(*sdk.Client) error{
		"put": func(c *sdk.Client) error { _, err := c.PutObject(t.Context(), putInput("runs/r/k", "x")); return err },
		"create": func(c *sdk.Client) error {
			in := putInput("runs/r/k", "x")
			in.IfNoneMatch = aws.String("*")
			_, err := c.PutObject(t.Context(), in)
			return err
		},
		"swap": func(c *sdk.Client) error {
			in := putInput("runs/r/k", "x")
			in.IfMatch = aws.String("an old one")
			_, err := c.PutObject(t.Context(), in)
			return err
		},
		"get":         func(c *sdk.Client) error { _, err := c.GetObject(t.Context(), getInput("runs/r/k")); return err },
		"get nothing": func(c *sdk.Client) error { _, err := c.GetObject(t.Context(), getInput("runs/r/none")); return err },
		"get beside":  func(c *sdk.Client) error { _, err := c.GetObject(t.Context(), getInput("runs/s/k")); return err },
		"list": func(c *sdk.Client) error {
			_, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket)})
			return err
		},
		"delete": func(c *sdk.Client) error {
			_, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("runs/r/none")})
			return err
		},
		"delete some": func(c *sdk.Client) error {
			ids := []types.ObjectIdentifier{{Key: aws.String("runs/r/none")}, {Key: aws.String("runs/s/none")}}
			_, err := c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: ids}})
			return err
		},
	}
	want := map[string]map[string]string{
		"writer": {"put": "", "create": "412 PreconditionFailed"},
		"reader": {"get": ""}, // and of nothing: denied, for want of s3:ListBucket
		"both":   {"put": "", "create": "412 PreconditionFailed", "swap": "412 PreconditionFailed", "get": "", "get nothing": "404 NoSuchKey", "list": ""},
		"eraser": {"delete": ""},
	}
	for user, client := range who {
		for name, call := range calls {
			expected, ok := want[user][name]
			if !ok {
				expected = "403 AccessDenied"
			}
			if got := code(t, call(client)); got != expected {
				t.Errorf("%s, %s: got %q, want %q", user, name, got, expected)
			}
		}
	}
}

// What gofakes3 would ignore is refused, and nothing happens.
func TestUnsupported(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	put(t, c, "k", "x")
	for name, call := range map[string]func() error{
		"list buckets": func() error { _, err := c.ListBuckets(t.Context(), nil); return err },
		"list v1": func() error {
			_, err := c.ListObjects(t.Context(), &sdk.ListObjectsInput{Bucket: aws.String(bucket)})
			return err
		},
		"list encoded": func() error {
			_, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), EncodingType: types.EncodingTypeUrl})
			return err
		},
		"copy": func() error {
			_, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("l"), CopySource: aws.String(bucket + "/k")})
			return err
		},
		"multipart": func() error {
			_, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("l")})
			return err
		},
		"tags": func() error {
			_, err := c.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			return err
		},
		"range of a version": func() error {
			in := getInput("k")
			in.VersionId, in.Range = aws.String("v"), aws.String("bytes=0-0")
			_, err := c.GetObject(t.Context(), in)
			return err
		},
		"versions by folder": func() error {
			_, err := c.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String(bucket), Delimiter: aws.String("/")})
			return err
		},
		"conditional read": func() error {
			in := getInput("k")
			in.IfMatch = aws.String("x")
			_, err := c.GetObject(t.Context(), in)
			return err
		},
		"conditional delete": func() error {
			_, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfMatch: aws.String("x")})
			return err
		},
		"conditional deletes": func() error {
			_, err := c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
				Objects: []types.ObjectIdentifier{{Key: aws.String("k"), ETag: aws.String("x")}}}})
			return err
		},
		"encryption": func() error {
			in := putInput("l", "x")
			in.ServerSideEncryption = types.ServerSideEncryptionAes256
			_, err := c.PutObject(t.Context(), in)
			return err
		},
		"content encoding": func() error {
			in := putInput("l", "x")
			in.ContentEncoding = aws.String("gzip")
			_, err := c.PutObject(t.Context(), in)
			return err
		},
		"another checksum": func() error {
			in := putInput("l", "x")
			in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
			_, err := c.PutObject(t.Context(), in)
			return err
		},
		"if not that one": func() error {
			in := putInput("l", "x")
			in.IfNoneMatch = aws.String(`"x"`)
			_, err := c.PutObject(t.Context(), in)
			return err
		},
		"lock": func() error {
			_, err := c.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("locked"), ObjectLockEnabledForBucket: aws.Bool(true)})
			return err
		},
		"delete bucket": func() error {
			_, err := c.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String(bucket)})
			return err
		},
	} {
		if err := call(); err == nil || !strings.HasSuffix(code(t, err), " SandboxUnsupported") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if body, _ := get(t, c, "k"); body != "x" {
		t.Errorf("got %q", body)
	}
	if n := len(slices.Collect(func(yield func(string) bool) {
		for name := range w.s3.Objects() {
			if !yield(name) {
				return
			}
		}
	})); n != 1 {
		t.Errorf("%d objects are there", n)
	}
}

// A body that is signed chunk by chunk is not taken for what it says.
func TestStreamedBodiesAreRefused(t *testing.T) {
	w := start(t, "")
	const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.endpoint+"/"+bucket+"/k", strings.NewReader("1;chunk-signature=0\r\nx"))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("X-Amz-Content-Sha256", payload)
	keys := w.user(t, account, "streamer", anything)
	signing := aws.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey.Reveal()}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(), signing, q, payload, "s3", region, time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "<Code>SandboxUnsupported</Code>") {
		t.Errorf("got %s %s, %v", answer.Status, body, err)
	}
}
