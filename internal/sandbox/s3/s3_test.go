package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"poolferry/internal/sandbox/s3"
)

func TestObjects(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	const key = "runs/r/a key + ünï=code?&%2F//x"
	in := putInput(key, "hello")
	in.ContentType, in.Metadata = aws.String("application/json"), map[string]string{"author": "us"}
	stored, err := c.PutObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	body, out := get(t, c, key)
	if body != "hello" || aws.ToString(out.ETag) != aws.ToString(stored.ETag) || aws.ToString(out.ContentType) != "application/json" || out.Metadata["author"] != "us" {
		t.Errorf("got %q and %+v", body, out)
	}
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil || aws.ToInt64(head.ContentLength) != 5 || aws.ToString(head.ETag) != aws.ToString(stored.ETag) {
		t.Errorf("got %+v, %v", head, err)
	}
	ranged := getInput(key)
	ranged.Range = aws.String("bytes=1-3")
	if part, err := c.GetObject(t.Context(), ranged); err != nil || aws.ToInt64(part.ContentLength) != 3 {
		t.Errorf("got %+v, %v", part, err)
	}
	same := getInput(key)
	same.IfNoneMatch = stored.ETag
	if _, err := c.GetObject(t.Context(), same); code(t, err) != "304 NotModified" {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.GetObject(t.Context(), getInput(key)); code(t, err) != "404 NoSuchKey" {
		t.Errorf("got %v", err)
	}
	if _, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}); code(t, err) != "404 NotFound" {
		t.Errorf("got %v", err)
	}
}

// TestLargeObject: an object may be larger than what any other service takes.
func TestLargeObject(t *testing.T) {
	c := start(t, "").operator(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	if _, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("large"), Body: bytes.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
	out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("large"), Range: aws.String("bytes=16777200-16777215")})
	if err != nil {
		t.Fatal(err)
	}
	if tail, err := io.ReadAll(out.Body); err != nil || string(tail) != "0123456789abcdef" {
		t.Errorf("%q, %v", tail, err)
	}
}

func TestConditionalWrites(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	write := func(key, body string, absent bool, tag string) error {
		in := putInput(key, body)
		if absent {
			in.IfNoneMatch = aws.String("*")
		}
		if tag != "" {
			in.IfMatch = aws.String(tag)
		}
		_, err := c.PutObject(t.Context(), in)
		return err
	}
	first := put(t, c, "k", "first")
	second := put(t, c, "k", "second")
	for _, tt := range []struct {
		name, key, tag string
		absent         bool
		want           string
	}{
		{"create what is there", "k", "", true, "412 PreconditionFailed"},
		{"create", "new", "", true, ""},
		{"create twice", "new", "", true, "412 PreconditionFailed"},
		{"replace an older one", "k", first, false, "412 PreconditionFailed"},
		{"replace what was never there", "never", first, false, "404 NoSuchKey"},
		{"replace", "k", second, false, ""},
		{"replace twice", "k", second, false, "412 PreconditionFailed"},
		{"both conditions", "k", second, true, "400 SandboxUnsupported"},
	} {
		if got := code(t, write(tt.key, tt.name, tt.absent, tt.tag)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if body, _ := get(t, c, "k"); body != "replace" {
		t.Errorf("got %q", body)
	}
	if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}); err != nil {
		t.Fatal(err)
	}
	if got := code(t, write("k", "x", false, second)); got != "404 NoSuchKey" {
		t.Errorf("replace what is deleted: %q", got)
	}
	w.s3.ConflictNext(1)
	put(t, c, "k", "unconditional writes meet no conflict")
	for _, want := range []string{"409 ConditionalRequestConflict", ""} {
		if got := code(t, write("met", "x", true, "")); got != want {
			t.Errorf("meeting a delete: got %q, want %q", got, want)
		}
	}
}

// Of many who write under one condition one wins.
func TestRaces(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	tag := put(t, c, "k", "start")
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		in := putInput("k", fmt.Sprint(i))
		in.IfMatch = &tag
		wg.Go(func() { _, errs[i] = c.PutObject(t.Context(), in) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if got := code(t, err); got == "" {
			won++
		} else if got != "412 PreconditionFailed" {
			t.Errorf("got %s", got)
		}
	}
	if won != 1 {
		t.Errorf("%d have won", won)
	}
}

func TestListsAndMultipleDeletes(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("p/%02d", i))
		put(t, c, want[i], "x")
	}
	put(t, c, "o", "x")
	put(t, c, "q/r/s", "x")
	var got []string
	pages := sdk.NewListObjectsV2Paginator(c, &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("p/"), MaxKeys: aws.Int32(10)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, aws.ToString(o.Key))
		}
	}
	if !slices.Equal(got, want) || n < 3 {
		t.Errorf("got %q in %d pages", got, n)
	}
	folders, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Delimiter: aws.String("/")})
	if err != nil || len(folders.CommonPrefixes) != 2 || len(folders.Contents) != 1 {
		t.Errorf("got %+v, %v", folders, err)
	}
	var ids []types.ObjectIdentifier
	for _, key := range append(want[:24], "never") {
		ids = append(ids, types.ObjectIdentifier{Key: aws.String(key)})
	}
	if _, err := c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: ids}}); err != nil {
		t.Fatal(err)
	}
	var left []string
	for name, body := range w.s3.Objects() {
		left = append(left, name+"="+string(body))
	}
	if got, want := strings.Join(left, " "), bucket+"/o=x "+bucket+"/p/24=x "+bucket+"/q/r/s=x"; got != want {
		t.Errorf("got %s", got)
	}
	for range w.s3.Objects() {
		break
	}
}

func TestBuckets(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	theirs := w.client(w.user(t, other, "ops", anything))
	create := func(c *sdk.Client, name, where string) string {
		in := &sdk.CreateBucketInput{Bucket: &name}
		if where != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(where)}
		}
		_, err := c.CreateBucket(t.Context(), in)
		return code(t, err)
	}
	head := func(c *sdk.Client, name string) string {
		_, err := c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: &name})
		return code(t, err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"create", create(c, "another", region), ""},
		{"create twice", create(c, "another", region), "409 BucketAlreadyOwnedByYou"},
		{"somebody else's name", create(theirs, "another", region), "409 BucketAlreadyExists"},
		{"elsewhere", create(c, "third", "eu-west-1"), "400 IllegalLocationConstraintException"},
		{"nowhere", create(c, "third", ""), "400 IllegalLocationConstraintException"},
		{"bad name", create(c, "no_such-Name", region), "400 InvalidBucketName"},
		{"head", head(c, "another"), ""},
		{"head of none", head(c, "none"), "404 NotFound"},
		{"head of somebody else's", head(theirs, "another"), "403 Forbidden"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if _, err := theirs.GetObject(t.Context(), getInput("k")); code(t, err) != "403 AccessDenied" {
		t.Errorf("somebody else's object: %v", err)
	}
	in := getInput("k")
	in.ExpectedBucketOwner = aws.String(other)
	if _, err := c.GetObject(t.Context(), in); code(t, err) != "403 AccessDenied" {
		t.Errorf("another owner expected: %v", err)
	}
	in.ExpectedBucketOwner, in.Bucket = aws.String(account), aws.String("none")
	if _, err := c.GetObject(t.Context(), in); code(t, err) != "404 NoSuchBucket" {
		t.Errorf("no bucket: %v", err)
	}
	if _, err := c.GetObject(t.Context(), getInput("k"), func(o *sdk.Options) { o.Region = "eu-west-1" }); code(t, err) != "400 AuthorizationHeaderMalformed" {
		t.Errorf("another region: %v", err)
	}
}

func TestDamageOnTheWay(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	in := putInput("k", "x")
	in.ChecksumCRC32 = aws.String("AAAAAA==")
	if _, err := c.PutObject(t.Context(), in); code(t, err) != "400 BadDigest" {
		t.Errorf("got %v", err)
	}
	in = putInput("k", "x")
	in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==")
	if _, err := c.PutObject(t.Context(), in); code(t, err) != "400 BadDigest" {
		t.Errorf("got %v", err)
	}
	put(t, c, "k", "x")
	if _, out := get(t, c, "k"); aws.ToString(out.ChecksumCRC32) == "" {
		t.Error("no checksum comes back")
	}
}

func TestSignatures(t *testing.T) {
	w := start(t, "")
	ops := w.user(t, account, "ops", anything)
	wrong := ops
	wrong.AccessKeyID = "AKIAAAAAAAAAAAAAAAAA"
	if _, err := w.client(wrong).GetObject(t.Context(), getInput("k")); code(t, err) != "403 InvalidAccessKeyId" {
		t.Errorf("got %v", err)
	}
	wrong = ops
	wrong.SecretAccessKey = w.user(t, account, "another", anything).SecretAccessKey
	if _, err := w.client(wrong).GetObject(t.Context(), getInput("k")); code(t, err) != "403 SignatureDoesNotMatch" {
		t.Errorf("got %v", err)
	}
	role, err := w.IAM.AddRole(account, "r", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`),
		[]byte(`{"Version":"2012-10-17","Statement":[`+anything+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	session, err := w.IAM.Session(role, "s", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := w.client(session)
	put(t, c, "k", "hello-body")
	_, out := get(t, c, "k")
	if len(out.Metadata) > 0 {
		t.Errorf("metadata %v", out.Metadata)
	}
	if id, ok := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata); !ok || id == "" {
		t.Error("the answer has no request id")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, secret := range []string{"hello-body", session.SessionToken.Reveal(), session.SecretAccessKey.Reveal()} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(w.log.String(), `"operation":"PutObject"`) {
		t.Errorf("the log has no call: %s", w.log.String())
	}
}

func TestFaults(t *testing.T) {
	w := start(t, "s3.PutObject=error:100%,s3.GetObject=throttle:100%,target.HeadBucket=throttle:100%")
	c := w.operator(t)
	if _, err := c.PutObject(t.Context(), putInput("k", "x")); code(t, err) != "500 InternalError" {
		t.Errorf("got %v", err)
	}
	if _, err := c.GetObject(t.Context(), getInput("k")); code(t, err) != "503 SlowDown" {
		t.Errorf("got %v", err)
	}
	if _, err := c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String(bucket)}); err == nil {
		t.Error("no fault for the account")
	}
}

// An object shows nothing of who wrote it.
func TestNothingOfTheWriterIsKept(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	put(t, c, "k", "x")
	var seen http.Header
	_, err := c.GetObject(t.Context(), getInput("k"), func(o *sdk.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("see", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
				out, metadata, err := next.HandleDeserialize(ctx, in)
				seen = out.RawResponse.(*smithyhttp.Response).Header
				return out, metadata, err
			}), middleware.After)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-User-Agent", "Authorization"} {
		if seen.Get(name) != "" {
			t.Errorf("the answer has %s", name)
		}
	}
}

func FuzzOperation(f *testing.F) {
	f.Add("GET", "/bucket/a/b%20c?x-id=GetObject")
	f.Add("GET", "/bucket?list-type=2&prefix=a%2F")
	f.Add("PUT", "//bucket//?acl")
	f.Add("POST", "/bucket?delete")
	service := s3.New(time.Now)
	f.Fuzz(func(t *testing.T, method, target string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+target, nil)
		if err != nil {
			return
		}
		name, err := service.Operation(r, nil)
		if (err == nil) != slices.Contains(service.Operations(), name) {
			t.Errorf("%s %s: %q, %v", method, target, name, err)
		}
	})
}
