package store_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
)

// cloud is the sandbox with S3 and somebody who may do everything.
type cloud struct {
	*sandbox.Sandbox
	s3       *s3.Service
	endpoint string
	ops      iam.Credentials
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{Sandbox: sandbox.New(sandbox.Options{}), s3: s3.New(time.Now)}
	err := c.Register(c.s3)
	if err == nil {
		c.ops, err = c.IAM.AddUser(account, "ops", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`))
	}
	if err == nil {
		c.endpoint, err = c.Start("127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func env(endpoint string, c iam.Credentials) func(string) (string, bool) {
	values := map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": c.SecretAccessKey.Reveal(), "AWS_SESSION_TOKEN": c.SessionToken.Reveal(),
	}
	return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
}

func open(t *testing.T, o store.S3Options) *store.S3 {
	t.Helper()
	b, err := store.OpenImpatiently(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestS3OnTheSandbox(t *testing.T) {
	c := newCloud(t)
	n := 0
	storetest.Run(t, func(t *testing.T) store.Bucket {
		n++
		name := fmt.Sprintf("bucket-%d", n)
		if err := c.s3.CreateBucket(account, region, name); err != nil {
			t.Fatal(err)
		}
		return open(t, store.S3Options{Bucket: name, Region: region, Owner: account, Env: env(c.endpoint, c.ops)})
	})
}

func TestVersionsOnTheSandbox(t *testing.T) {
	c := newCloud(t)
	n := 0
	storetest.RunVersions(t, func(t *testing.T, versioning bool) store.Versioned {
		n++
		name := fmt.Sprintf("bucket-%d", n)
		err := c.s3.CreateBucket(account, region, name)
		if err == nil {
			err = c.s3.Configure(name, func(set *s3.Configuration) { set.Versioned = versioning })
		}
		if err != nil {
			t.Fatal(err)
		}
		return open(t, store.S3Options{Bucket: name, Region: region, Owner: account, Env: env(c.endpoint, c.ops)})
	})
}

// A missing bucket, or somebody else's, must not look like a run that is to be
// begun.
func TestWrongBuckets(t *testing.T) {
	c := newCloud(t)
	if err := c.s3.CreateBucket(account, region, "theirs"); err != nil {
		t.Fatal(err)
	}
	reader, err := c.IAM.AddUser(account, "reader", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		o     store.S3Options
		want  fault.Kind
		words string
	}{
		{"no bucket", store.S3Options{Bucket: "none", Env: env(c.endpoint, c.ops)}, fault.Invalid, "s3://none/k"},
		{"another owner", store.S3Options{Bucket: "theirs", Owner: "111122223333", Env: env(c.endpoint, c.ops)}, fault.Denied, "s3://theirs/k"},
		{"may not list", store.S3Options{Bucket: "theirs", Env: env(c.endpoint, reader)}, fault.Denied, "lacks s3:ListBucket"},
	} {
		tt.o.Region = region
		b := open(t, tt.o)
		if _, err := b.Get(t.Context(), "k"); fault.KindOf(err) != tt.want || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: get: %v", tt.name, err)
		}
		if _, err := b.Put(t.Context(), "k", nil, store.IfMatch("tag")); fault.KindOf(err) != tt.want {
			t.Errorf("%s: put: %v", tt.name, err)
		}
		for _, err := range b.List(t.Context(), "k") {
			if fault.KindOf(err) != tt.want {
				t.Errorf("%s: list: %v", tt.name, err)
			}
		}
		if err := b.Delete(t.Context(), "k"); fault.KindOf(err) != tt.want {
			t.Errorf("%s: delete: %v", tt.name, err)
		}
	}
	b := open(t, store.S3Options{Bucket: "theirs", Region: region, Env: env(c.endpoint, c.ops)})
	if _, err := b.Put(t.Context(), "k", nil, store.IfMatch("")); fault.KindOf(err) != fault.Internal {
		t.Errorf("an empty tag: %v", err)
	}
}

// A conditional write that meets a concurrent delete is repeated, and so is what
// S3 was too busy for.
func TestS3Retries(t *testing.T) {
	c := newCloud(t)
	if err := c.s3.CreateBucket(account, region, "bucket"); err != nil {
		t.Fatal(err)
	}
	b := open(t, store.S3Options{Bucket: "bucket", Region: region, Env: env(c.endpoint, c.ops)})
	c.s3.ConflictNext(1)
	tag, err := b.Put(t.Context(), "k", []byte("one"), store.IfAbsent())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "k", []byte("two"), store.IfMatch(tag)); err != nil {
		t.Error(err)
	}
	o, err := b.Get(t.Context(), "k")
	if err != nil || string(o.Body) != "two" {
		t.Errorf("got %q, %v", o.Body, err)
	}
}

// anybody has credentials that nobody checks.
var anybody = iam.Credentials{AccessKeyID: "AKIA", SecretAccessKey: userpool.NewSecret("x")}

// canned answers every request in the same way and keeps what was asked.
type canned struct {
	status int
	body   string
	mu     sync.Mutex
	seen   []*http.Request
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.seen = append(c.seen, r)
	c.mu.Unlock()
	w.WriteHeader(c.status)
	_, _ = w.Write([]byte(c.body))
}

func (c *canned) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

func TestErrorsOfS3(t *testing.T) {
	errorOf := func(code string) string { return "<Error><Code>" + code + "</Code><Message>m</Message></Error>" }
	for _, tt := range []struct {
		status int
		body   string
		want   fault.Kind
		times  int // requests, 0 for more than one
	}{
		{503, errorOf("SlowDown"), fault.Throttled, 0},
		{500, errorOf("InternalError"), fault.Unavailable, 0},
		{503, "", fault.Unavailable, 0},
		{409, errorOf("ConditionalRequestConflict"), fault.Conflict, 0},
		{412, errorOf("PreconditionFailed"), fault.AlreadyExists, 1},
		{403, errorOf("AccessDenied"), fault.Denied, 1},
		{403, errorOf("SomethingNew"), fault.Denied, 1},
		{400, errorOf("EntityTooLarge"), fault.Invalid, 1},
		{404, errorOf("NoSuchBucket"), fault.Invalid, 1},
		{409, errorOf("OperationAborted"), fault.Invalid, 1},
	} {
		t.Run(fmt.Sprint(tt.status, tt.body), func(t *testing.T) {
			answers := &canned{status: tt.status, body: tt.body}
			server := httptest.NewServer(answers)
			defer server.Close()
			b := open(t, store.S3Options{Bucket: "bucket", Region: region, Env: env(server.URL, anybody)})
			_, err := b.Put(t.Context(), "k", []byte("x"), store.IfAbsent())
			if got := fault.KindOf(err); got != tt.want || !strings.Contains(err.Error(), "s3://bucket/k") {
				t.Errorf("got %v (%s), want %s", err, got, tt.want)
			}
			if n := answers.times(); n != tt.times && (tt.times > 0 || n < 2) {
				t.Errorf("asked %d times, want %d", n, tt.times)
			}
			for _, r := range answers.seen {
				if r.Header.Get("If-None-Match") != "*" || r.Header.Get("If-Match") != "" || r.URL.Path != "/bucket/k" {
					t.Errorf("asked %s with %v", r.URL, r.Header)
				}
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	b := open(t, store.S3Options{Bucket: "bucket", Region: region, Env: env(server.URL, anybody)})
	if _, err := b.Get(t.Context(), "k"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}
