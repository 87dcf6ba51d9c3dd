package s3_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/wire"
)

// TestDirect: what other services of the sandbox read and write is what clients
// see, within the account and the region of the bucket.
func TestDirect(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	put(t, c, "in/b key+ü", "hello")
	body, err := w.s3.GetObject(account, region, bucket, "in/b key+ü")
	if err != nil || string(body) != "hello" {
		t.Errorf("read %q, %v", body, err)
	}
	if err := w.s3.PutObject(t.Context(), account, region, bucket, "in/a", []byte(`{}`)); err != nil {
		t.Error(err)
	}
	if body, out := get(t, c, "in/a"); body != "{}" || out.LastModified.IsZero() || *out.ContentType != "application/json" {
		t.Errorf("a client gets %q and %+v", body, out)
	}
	put(t, c, "inside", "")
	list, err := w.s3.ListObjects(account, region, bucket, "in/")
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if list[i].LastModified.IsZero() {
			t.Errorf("no time: %+v", list[i])
		}
		list[i].LastModified = list[0].LastModified
	}
	at := list[0].LastModified
	want := []s3.Object{
		{Key: "in/a", ETag: `"99914b932bd37a50b983c5e7c90ae93b"`, Size: 2, LastModified: at, StorageClass: "STANDARD"},
		{Key: "in/b key+ü", ETag: `"5d41402abc4b2a76b9719d911017c592"`, Size: 5, LastModified: at, StorageClass: "STANDARD"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}

func TestDirectRefusals(t *testing.T) {
	w := start(t, "")
	for _, tt := range []struct{ account, region, bucket, want string }{
		{account, region, bucket, "NoSuchKey"},
		{account, region, "nobody", "NoSuchBucket"},
		{other, region, bucket, "AccessDenied"},
		{account, "us-east-1", bucket, "AuthorizationHeaderMalformed"},
	} {
		_, get := w.s3.GetObject(tt.account, tt.region, tt.bucket, "none")
		_, list := w.s3.ListObjects(tt.account, tt.region, tt.bucket, "")
		put := w.s3.PutObject(t.Context(), tt.account, tt.region, tt.bucket, "key", nil)
		for call, err := range map[string]error{"get": get, "list": list, "put": put} {
			switch {
			case tt.want == "NoSuchKey" && call != "get":
				if err != nil {
					t.Errorf("%s: %v", call, err)
				}
			case err == nil || wire.AsError(err).Code != tt.want:
				t.Errorf("%s of %s in %s: got %v, want %s", call, tt.bucket, tt.region, err, tt.want)
			}
		}
	}
}
