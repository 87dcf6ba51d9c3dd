package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"poolferry/internal/account"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// limits of one request. Five attempts with their pauses take less than ten
// seconds where S3 answers at all.
var limits = account.Limits{Attempt: 20 * time.Second, Attempts: 5, Backoff: 2 * time.Second}

// maxObject bounds what Get reads into memory: no object of ours is larger.
const maxObject = manifest.MaxBytes

// S3Options say which bucket, and as whom.
type S3Options struct {
	Bucket string
	Region string // of the bucket
	// Owner is the account, of 12 digits, that the bucket must belong to: a
	// bucket of the same name in somebody else's account must not get profiles.
	// Empty means any.
	Owner string
	Env   account.Environment
}

// S3 is a bucket of Amazon S3, or of what speaks its protocol.
type S3 struct {
	client *s3.Client
	bucket string
	owner  *string
}

var _ Versioned = (*S3)(nil)

// OpenS3 returns a bucket. No call is made.
func OpenS3(ctx context.Context, o S3Options) (*S3, error) { return open(ctx, o, limits) }

func open(ctx context.Context, o S3Options, l account.Limits) (*S3, error) {
	cfg, err := account.Load(ctx, o.Region, o.Env, l)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		// Host names such as BUCKET.127.0.0.1 do not resolve.
		so.UsePathStyle = cfg.BaseEndpoint != nil
		// A conditional write that met a concurrent delete is to be repeated (S3
		// User Guide, conditional writes).
		so.Retryer = retry.AddWithErrorCodes(cfg.Retryer(), codeConflict)
		// Parts carry digests of their own, so this is nothing to warn of.
		so.DisableLogOutputChecksumValidationSkipped = true
	})
	bucket := &S3{client: client, bucket: o.Bucket}
	if o.Owner != "" {
		bucket.owner = aws.String(o.Owner)
	}
	return bucket, nil
}

// Get reads an object.
func (b *S3) Get(ctx context.Context, key string) (Object, error) {
	return b.get(ctx, key, nil)
}

// GetVersion reads a version.
func (b *S3) GetVersion(ctx context.Context, key, id string) (Object, error) {
	return b.get(ctx, key, &id)
}

func (b *S3) get(ctx context.Context, key string, version *string) (Object, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key, VersionId: version, ExpectedBucketOwner: b.owner})
	if err != nil {
		return Object{}, b.failed("get", key, err)
	}
	defer out.Body.Close() //nolint:errcheck // everything that is wanted was read
	body, err := io.ReadAll(io.LimitReader(out.Body, maxObject+1))
	if err != nil {
		return Object{}, fault.New(fault.Unavailable, "get %s: %w", b.url(key), err)
	}
	if len(body) > maxObject {
		return Object{}, fault.New(fault.Invalid, "get %s: it has more than %d bytes, no object of poolferry's has", b.url(key), maxObject)
	}
	return Object{Body: body, Tag: aws.ToString(out.ETag)}, nil
}

// GetRange reads a piece of an object.
func (b *S3) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	switch {
	case offset < 0 || length < 0 || length > maxObject:
		return nil, fault.New(fault.Internal, "get %s: %d bytes from %d on are no piece of an object", b.url(key), length, offset)
	case length == 0: // there is no such range in HTTP
		return []byte{}, nil
	}
	wanted := fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key, Range: &wanted, ExpectedBucketOwner: b.owner})
	if err != nil {
		return nil, b.failed("get", key, err)
	}
	defer out.Body.Close() //nolint:errcheck // everything that is wanted was read
	// A server may send less than a range, and may send everything (RFC 9110,
	// range requests).
	if got := aws.ToString(out.ContentRange); !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", offset, offset+length-1)) {
		return nil, fault.New(fault.Invalid, "get %s: asked for %s, got %q: torn or replaced", b.url(key), wanted, got)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(out.Body, body); err != nil {
		return nil, fault.New(fault.Unavailable, "get %s: %w", b.url(key), err)
	}
	return body, nil
}

// Put writes an object.
func (b *S3) Put(ctx context.Context, key string, body []byte, when Condition) (string, error) {
	in := &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(body), ExpectedBucketOwner: b.owner}
	if when.absent {
		in.IfNoneMatch = aws.String("*")
	}
	if when.matches {
		if when.tag == "" { // an empty header is no condition
			return "", fault.New(fault.Internal, "put %s: if it matches no tag", b.url(key))
		}
		in.IfMatch = aws.String(when.tag)
	}
	out, err := b.client.PutObject(ctx, in)
	if err != nil {
		return "", b.failedPut(key, when, err)
	}
	return aws.ToString(out.ETag), nil
}

// List yields objects.
func (b *S3) List(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &prefix, ExpectedBucketOwner: b.owner})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Entry{}, b.failed("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				if !yield(Entry{Key: aws.ToString(o.Key), Bytes: aws.ToInt64(o.Size)}, nil) {
					return
				}
			}
		}
	}
}

// ListVersions yields versions, those of a page before its delete markers.
func (b *S3) ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		pages := s3.NewListObjectVersionsPaginator(b.client, &s3.ListObjectVersionsInput{Bucket: &b.bucket, Prefix: &prefix, ExpectedBucketOwner: b.owner})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Version{}, b.failed("list versions of", prefix, err))
				return
			}
			var all []Version
			for _, v := range page.Versions {
				all = append(all, Version{
					Key: aws.ToString(v.Key), ID: aws.ToString(v.VersionId), Tag: aws.ToString(v.ETag), Bytes: aws.ToInt64(v.Size), Latest: aws.ToBool(v.IsLatest),
				})
			}
			for _, m := range page.DeleteMarkers {
				all = append(all, Version{Key: aws.ToString(m.Key), ID: aws.ToString(m.VersionId), Latest: aws.ToBool(m.IsLatest), Marker: true})
			}
			slices.SortStableFunc(all, func(a, b Version) int { return cmp.Compare(a.Key, b.Key) })
			for _, v := range all {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Delete removes an object.
func (b *S3) Delete(ctx context.Context, key string) error { return b.remove(ctx, key, nil) }

// DeleteVersion removes a version for good.
func (b *S3) DeleteVersion(ctx context.Context, key, id string) error { return b.remove(ctx, key, &id) }

func (b *S3) remove(ctx context.Context, key string, version *string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: &key, VersionId: version, ExpectedBucketOwner: b.owner})
	if err != nil && fault.KindOf(b.failed("delete", key, err)) != fault.NotFound {
		return b.failed("delete", key, err)
	}
	return nil
}

func (b *S3) url(key string) string { return fmt.Sprintf("s3://%s/%s", b.bucket, key) }
