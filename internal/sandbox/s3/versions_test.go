package s3_test

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/s3"
)

// versionsOf lists versions as "KEY=BODY", a delete marker as "KEY-", the latest
// with an asterisk, and their ids.
func versionsOf(t *testing.T, c *sdk.Client, page int32) (names, ids []string) {
	t.Helper()
	pages := sdk.NewListObjectVersionsPaginator(c, &sdk.ListObjectVersionsInput{Bucket: aws.String(bucket), MaxKeys: &page})
	type entry struct {
		id     string
		latest bool
		marker bool
	}
	all := map[string][]entry{}
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Versions {
			all[*v.Key] = append(all[*v.Key], entry{*v.VersionId, *v.IsLatest, false})
			if v.ETag == nil || v.Size == nil || v.LastModified.IsZero() {
				t.Errorf("%+v", v)
			}
		}
		for _, m := range out.DeleteMarkers {
			all[*m.Key] = append(all[*m.Key], entry{*m.VersionId, *m.IsLatest, true})
		}
	}
	var keys []string
	for key := range all {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		// The SDK tells versions and markers apart; ids of the sandbox sort as S3 lists.
		slices.SortFunc(all[key], func(a, b entry) int { return cmp.Compare(a.id, b.id) })
		for _, e := range all[key] {
			name := key + "-"
			if !e.marker {
				name = key + "=" + getVersion(t, c, key, e.id)
			}
			if e.latest {
				name += "*"
			}
			names, ids = append(names, name), append(ids, e.id)
		}
	}
	return names, ids
}

func versionInput(key, id string) *sdk.GetObjectInput {
	in := getInput(key)
	in.VersionId = &id
	return in
}

func getVersion(t *testing.T, c *sdk.Client, key, id string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), versionInput(key, id))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(out.Body)
	if err != nil || aws.ToString(out.VersionId) != id {
		t.Errorf("%s of version %s, %v", aws.ToString(out.VersionId), id, err)
	}
	return string(body)
}

func remove(t *testing.T, c *sdk.Client, key, id string) *sdk.DeleteObjectOutput {
	t.Helper()
	in := &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key}
	if id != "" {
		in.VersionId = &id
	}
	out, err := c.DeleteObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func versioned(t *testing.T, w *world) {
	t.Helper()
	if err := w.s3.Configure(bucket, func(c *s3.Configuration) { c.Versioned = true }); err != nil {
		t.Fatal(err)
	}
}

func wantVersions(t *testing.T, c *sdk.Client, want ...string) (ids []string) {
	t.Helper()
	for _, page := range []int32{1, 2, 1000} {
		var got []string
		got, ids = versionsOf(t, c, page)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", page, diff)
		}
	}
	return ids
}

func TestVersions(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	put(t, c, "before", "1")
	put(t, c, "replaced", "1")
	if ids := wantVersions(t, c, "before=1*", "replaced=1*"); !slices.Equal(ids, []string{"null", "null"}) {
		t.Errorf("ids without versioning: %q", ids)
	}
	versioned(t, w)
	tag := put(t, c, "replaced", "2")
	in := putInput("replaced", "3")
	in.IfMatch, in.Metadata = &tag, map[string]string{"author": "us"}
	stored, err := c.PutObject(t.Context(), in)
	if err != nil || aws.ToString(stored.VersionId) == "" {
		t.Fatalf("%+v, %v", stored, err)
	}
	put(t, c, "deleted", "1")
	if out := remove(t, c, "deleted", ""); !aws.ToBool(out.DeleteMarker) || aws.ToString(out.VersionId) == "" {
		t.Errorf("%+v", out)
	}
	remove(t, c, "never", "") // leaves a marker, too
	if _, err := c.GetObject(t.Context(), getInput("deleted")); code(t, err) != "404 NoSuchKey" {
		t.Errorf("got %v", err)
	}
	ids := wantVersions(t, c, "before=1*", "deleted-*", "deleted=1", "never-*", "replaced=3*", "replaced=2", "replaced=1")
	if ids[0] != "null" || ids[6] != "null" || ids[4] != aws.ToString(stored.VersionId) {
		t.Errorf("ids %q", ids)
	}

	// A delete marker counts as absent, and a tag of what it hides matches nothing.
	created := putInput("deleted", "2")
	created.IfNoneMatch = aws.String("*")
	if _, err := c.PutObject(t.Context(), created); err != nil {
		t.Error(err)
	}
	ids = wantVersions(t, c, "before=1*", "deleted=2*", "deleted-", "deleted=1", "never-*", "replaced=3*", "replaced=2", "replaced=1")

	// The latest version that is deleted brings the one before back.
	remove(t, c, "deleted", ids[1])
	if _, err := c.GetObject(t.Context(), getInput("deleted")); code(t, err) != "404 NoSuchKey" {
		t.Errorf("got %v", err)
	}
	if out := remove(t, c, "deleted", ids[2]); !aws.ToBool(out.DeleteMarker) {
		t.Errorf("%+v", out)
	}
	if body, _ := get(t, c, "deleted"); body != "1" {
		t.Errorf("got %q", body)
	}
	remove(t, c, "replaced", ids[7]) // from before versioning
	remove(t, c, "replaced", ids[5])
	if body, out := get(t, c, "replaced"); body != "2" || len(out.Metadata) > 0 || aws.ToString(out.ETag) != tag {
		t.Errorf("got %q, %+v", body, out)
	}
	remove(t, c, "replaced", ids[5]) // that it is gone is no error
	wantVersions(t, c, "before=1*", "deleted=1*", "never-*", "replaced=2*")

	for key, want := range map[string]string{"never": "405 MethodNotAllowed", "replaced": "404 NoSuchVersion"} {
		id := ids[4]
		if _, err := c.GetObject(t.Context(), versionInput(key, id)); code(t, err) != want {
			t.Errorf("%s: got %v", key, err)
		}
	}
	left, ids := versionsOf(t, c, 1000)
	for i, name := range left {
		remove(t, c, strings.TrimRight(strings.Split(name, "=")[0], "-*"), ids[i])
	}
	if left, _ := versionsOf(t, c, 1000); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for name := range w.s3.Objects() {
		t.Errorf("%s is there", name)
	}
}

// TestVersionsAreDeletedWhileTheyAreListed: a page goes on where the one before
// ended, be that version gone.
func TestVersionsAreDeletedWhileTheyAreListed(t *testing.T) {
	w := start(t, "")
	c := w.operator(t)
	versioned(t, w)
	for i := range 5 {
		put(t, c, "a", fmt.Sprint(i))
		put(t, c, "b", fmt.Sprint(i))
	}
	pages := sdk.NewListObjectVersionsPaginator(c, &sdk.ListObjectVersionsInput{Bucket: aws.String(bucket), MaxKeys: aws.Int32(3)})
	n := 0
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Versions {
			remove(t, c, *v.Key, *v.VersionId)
			n++
		}
	}
	if left, _ := versionsOf(t, c, 1000); n != 10 || len(left) > 0 {
		t.Errorf("%d deleted, left %q", n, left)
	}
	for _, in := range []*sdk.ListObjectVersionsInput{{VersionIdMarker: aws.String("x")}, {MaxKeys: aws.Int32(-1)}} {
		in.Bucket = aws.String(bucket)
		if _, err := c.ListObjectVersions(t.Context(), in); code(t, err) != "400 InvalidArgument" {
			t.Errorf("%+v: got %v", in, err)
		}
	}
}

// TestPoliciesOfVersions: each has an action of its own.
func TestPoliciesOfVersions(t *testing.T) {
	w := start(t, "")
	versioned(t, w)
	ops := w.operator(t)
	put(t, ops, "k", "1")
	put(t, ops, "k", "2")
	_, ids := versionsOf(t, ops, 1000)
	statement := func(actions, resource string) string {
		return fmt.Sprintf(`{"Effect":"Allow","Action":[%s],"Resource":"arn:aws:s3:::%s"}`, actions, resource)
	}
	calls := map[string]func(*sdk.Client) error{
		"list": func(c *sdk.Client) error {
			_, err := c.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String(bucket)})
			return err
		},
		"get": func(c *sdk.Client) error { _, err := c.GetObject(t.Context(), versionInput("k", ids[1])); return err },
		"delete": func(c *sdk.Client) error {
			_, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), VersionId: aws.String("0000")})
			return err
		},
	}
	for name, tt := range map[string]struct {
		statement string
		may       string
	}{
		"objects":  {statement(`"s3:GetObject","s3:DeleteObject","s3:PutObject"`, bucket+"/*") + "," + statement(`"s3:ListBucket"`, bucket), ""},
		"lists":    {statement(`"s3:ListBucketVersions"`, bucket), "list"},
		"gets":     {statement(`"s3:GetObjectVersion"`, bucket+"/*"), "get"},
		"deletes":  {statement(`"s3:DeleteObjectVersion"`, bucket+"/*"), "delete"},
		"somebody": {statement(`"s3:*"`, "another/*"), ""},
	} {
		c := w.client(w.user(t, account, name, tt.statement))
		for call, do := range calls {
			want := "403 AccessDenied"
			if call == tt.may {
				want = ""
			}
			if got := code(t, do(c)); got != want {
				t.Errorf("%s, %s: got %q, want %q", name, call, got, want)
			}
		}
	}
}
