package s3

import (
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"poolferry/internal/sandbox/wire"
)

// Service is S3 in all accounts and regions. It is safe for concurrent use.
type Service struct {
	objects *conditional
	handler http.Handler

	mu      sync.Mutex
	buckets map[string]owner
}

// owner says whose a bucket is, and how it is set.
type owner struct {
	account, region string
	configuration   Configuration
}

var _ wire.Service = (*Service)(nil)

// New returns an S3 without buckets.
func New(now func() time.Time) *Service {
	clock := clock(now)
	objects := &conditional{versions: newVersions(s3mem.New(s3mem.WithTimeSource(clock)), now)}
	fake := gofakes3.New(objects, gofakes3.WithTimeSource(clock), gofakes3.WithTimeSkewLimit(0), gofakes3.WithoutVersioning())
	return &Service{objects: objects, handler: fake.Server(), buckets: map[string]owner{}}
}

type clock func() time.Time

func (c clock) Now() time.Time                  { return c() }
func (c clock) Since(t time.Time) time.Duration { return c().Sub(t) }

// CreateBucket makes a bucket that belongs to an account and is in a region.
func (s *Service) CreateBucket(account, region, name string) error {
	if err := gofakes3.ValidateBucketName(name); err != nil {
		return wire.Errorf(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if there, ok := s.buckets[name]; ok {
		if there.account == account {
			return wire.Errorf(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
		}
		return wire.Errorf(http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available.")
	}
	if err := s.objects.CreateBucket(name); err != nil {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	s.buckets[name] = owner{account: account, region: region}
	return nil
}

// ConflictNext makes the next n conditional writes meet a concurrent delete:
// they are answered with 409 ConditionalRequestConflict and write nothing.
func (s *Service) ConflictNext(n int) { s.objects.conflicts.Add(int64(n)) }

// Objects yields every object of every bucket, by "BUCKET/KEY", sorted. The
// order within a bucket is that of its keys.
func (s *Service) Objects() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, bucket := range s.names() {
			keys, err := s.keys(bucket)
			for _, key := range keys {
				body, readErr := s.read(bucket, key)
				if readErr == nil && !yield(bucket+"/"+key, body) {
					return
				}
			}
			if err != nil { // the memory of this process
				panic(fmt.Sprintf("list bucket %s: %v", bucket, err))
			}
		}
	}
}

func (s *Service) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.buckets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *Service) keys(bucket string) (keys []string, err error) {
	list, err := s.objects.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil, err
	}
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// read returns an object, which may be deleted by now.
func (s *Service) read(bucket, key string) ([]byte, error) {
	o, err := s.objects.GetObject(bucket, key, nil)
	if err != nil {
		return nil, err
	}
	defer o.Contents.Close() //nolint:errcheck // memory
	return io.ReadAll(o.Contents)
}

// Name is the signing name.
func (*Service) Name() string { return "s3" }

// Protocol is REST XML.
func (*Service) Protocol() wire.Protocol { return wire.RESTXML }

// Operations are the operations of the API that are served.
func (*Service) Operations() []string {
	var names []string
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is unlimited: S3's rates, 3,500 writes and 5,500 reads per second and
// prefix, are out of reach here (S3 User Guide, performance).
func (*Service) Quota(string) (category string, perSecond float64) { return "", 0 }

// Operation tells the operation from method, path and query.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	q, err := parse(r.Method, "", r.URL.EscapedPath(), r.URL.RawQuery)
	return q.operation, err
}

func arn(bucket, key string) string {
	return strings.TrimSuffix("arn:aws:s3:::"+bucket+"/"+key, "/")
}
