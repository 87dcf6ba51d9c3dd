package s3

import (
	"io"
	"sync/atomic"

	"github.com/johannesboyne/gofakes3"
)

// conditional gives conditional writes the answers of S3 (S3 User Guide,
// conditional writes) where gofakes3 has others: If-Match on a key without an
// object is 404 NoSuchKey, not 412.
type conditional struct {
	*versions
	conflicts atomic.Int64 // how many conditional writes are still to meet a delete
}

// PutObject writes an object.
func (c *conditional) PutObject(
	bucket, key string, meta map[string]string, body io.Reader, size int64, when *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	if when != nil && c.takeConflict() {
		return gofakes3.PutObjectResult{}, gofakes3.ErrConditionalRequestConflict
	}
	out, err := c.versions.PutObject(bucket, key, meta, body, size, when)
	if gofakes3.HasErrorCode(err, gofakes3.ErrPreconditionFailed) && when.IfMatch != nil {
		if _, gone := c.HeadObject(bucket, key); gofakes3.HasErrorCode(gone, gofakes3.ErrNoSuchKey) {
			err = gone
		}
	}
	return out, err
}

func (c *conditional) takeConflict() bool {
	for {
		left := c.conflicts.Load()
		if left == 0 {
			return false
		}
		if c.conflicts.CompareAndSwap(left, left-1) {
			return true
		}
	}
}
