package s3

import (
	"context"
	"net/http"
	"time"

	"github.com/johannesboyne/gofakes3"

	"poolferry/internal/sandbox/wire"
)

// Object is an object as a list shows it.
type Object struct {
	Key          string
	ETag         string // with its quotes
	Size         int64
	LastModified time.Time
	StorageClass string
}

// The calls below are those of other services of the sandbox, on behalf of an
// account in a region. Whether a role may make them its service asks itself.
// Errors are *wire.Error.

// GetObject returns an object's body.
func (s *Service) GetObject(account, region, bucket, key string) ([]byte, error) {
	if err := s.reach(&wire.Call{Account: account, Region: region}, bucket); err != nil {
		return nil, err
	}
	body, err := s.read(bucket, key)
	return body, direct(err)
}

// ListObjects lists the objects whose keys have a prefix, in the order of their
// keys.
func (s *Service) ListObjects(account, region, bucket, prefix string) ([]Object, error) {
	if err := s.reach(&wire.Call{Account: account, Region: region}, bucket); err != nil {
		return nil, err
	}
	begins := gofakes3.NewPrefix(&prefix, nil)
	list, err := s.objects.ListBucket(bucket, &begins, gofakes3.ListBucketPage{})
	if err != nil {
		return nil, direct(err)
	}
	var out []Object
	for _, o := range list.Contents {
		class := string(o.StorageClass)
		if class == "" {
			class = "STANDARD"
		}
		out = append(out, Object{Key: o.Key, ETag: o.ETag, Size: o.Size, LastModified: o.LastModified.Time, StorageClass: class})
	}
	return out, nil
}

// PutObject writes a JSON object.
func (s *Service) PutObject(ctx context.Context, account, region, bucket, key string, body []byte) error {
	call := &wire.Call{Account: account, Region: region, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
	if err := s.reach(call, bucket); err != nil {
		return err
	}
	_, err := s.forward(ctx, call, request{shape: shapes[opPutObject], operation: opPutObject, bucket: bucket, key: key})
	return err
}

// direct is an error of gofakes3 as S3's.
func direct(err error) error {
	switch {
	case err == nil:
		return nil
	case gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey):
		return wire.Errorf(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchBucket):
		return wire.Errorf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	}
	return wire.AsError(err)
}
