package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/store"
)

// RunVersions runs what every store.Versioned must do. open returns an empty
// bucket, with versioning or without, for each case anew.
func RunVersions(t *testing.T, open func(t *testing.T, versioning bool) store.Versioned) {
	t.Run("without versioning an object is a version", func(t *testing.T) { anObjectIsAVersion(t, open(t, false)) })
	t.Run("what is replaced or deleted is kept", func(t *testing.T) { whatIsReplacedIsKept(t, open(t, true)) })
	t.Run("the version before comes back", func(t *testing.T) { theVersionBeforeComesBack(t, open(t, true)) })
	t.Run("conditions are about the latest", func(t *testing.T) { conditionsAreAboutTheLatest(t, open(t, true)) })
	t.Run("lists are complete, and may be left or deleted", func(t *testing.T) { versionsMayBeDeleted(t, open(t, true)) })
	t.Run("a cancelled context", func(t *testing.T) { versionsOfACancelledContext(t, open(t, true)) })
}

func anObjectIsAVersion(t *testing.T, b store.Versioned) {
	put(t, b, "k", []byte("one"), store.Condition{})
	tag := put(t, b, "k", []byte("two"), store.Condition{})
	all := versions(t, b, "")
	if len(all) != 1 || all[0] != (store.Version{Key: "k", ID: all[0].ID, Tag: tag, Bytes: 3, Latest: true}) {
		t.Fatalf("%+v", all)
	}
	if o, err := b.GetVersion(t.Context(), "k", all[0].ID); err != nil || string(o.Body) != "two" || o.Tag != tag {
		t.Errorf("%q %s, %v", o.Body, o.Tag, err)
	}
	for range 2 { // the second time there is nothing any more
		if err := b.DeleteVersion(t.Context(), "k", all[0].ID); err != nil {
			t.Error(err)
		}
	}
	if left := versions(t, b, ""); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	_, err := b.Get(t.Context(), "k")
	wantKind(t, "after delete", err, fault.NotFound, "k")
}

// shown are versions as "KEY=BODY", a delete marker as "KEY-", the latest with an
// asterisk, sorted.
func shown(t *testing.T, b store.Versioned, prefix string) (names []string) {
	t.Helper()
	for _, v := range versions(t, b, prefix) {
		name := v.Key + "-"
		if !v.Marker {
			o, err := b.GetVersion(t.Context(), v.Key, v.ID)
			if err != nil || int64(len(o.Body)) != v.Bytes || o.Tag != v.Tag {
				t.Errorf("%+v: %q of tag %s, %v", v, o.Body, o.Tag, err)
			}
			name = v.Key + "=" + string(o.Body)
		}
		if v.Latest {
			name += "*"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func wantShown(t *testing.T, b store.Versioned, want ...string) {
	t.Helper()
	if diff := gocmp.Diff(want, shown(t, b, "")); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func whatIsReplacedIsKept(t *testing.T, b store.Versioned) {
	put(t, b, "a/k", []byte("1"), store.Condition{})
	put(t, b, "a/k", []byte("2"), store.Condition{})
	put(t, b, "b", nil, store.Condition{})
	if err := b.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	wantShown(t, b, "a/k=1", "a/k=2*", "b-*", "b=")
	if diff := gocmp.Diff([]string{"a/k=1", "a/k=2*"}, shown(t, b, "a/")); diff != "" {
		t.Error(diff)
	}
	if keys := list(t, b, ""); !slices.Equal(keys, []string{"a/k"}) {
		t.Errorf("listed: %q", keys)
	}
	_, err := b.GetVersion(t.Context(), "nothing", versions(t, b, "a/")[0].ID)
	wantKind(t, "a version of nothing", err, fault.NotFound, "nothing")
}

// version finds the version of a body.
func version(t *testing.T, b store.Versioned, key, body string) store.Version {
	t.Helper()
	for _, v := range versions(t, b, key) {
		if v.Marker {
			if body == "" {
				return v
			}
			continue
		}
		o, err := b.GetVersion(t.Context(), key, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(o.Body, []byte(body)) {
			return v
		}
	}
	t.Fatalf("%s has no version %q", key, body)
	return store.Version{}
}

func theVersionBeforeComesBack(t *testing.T, b store.Versioned) {
	for n := range 4 {
		put(t, b, "k", []byte(strconv.Itoa(n)), store.Condition{})
	}
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	remove := func(body string) {
		t.Helper()
		if err := b.DeleteVersion(t.Context(), "k", version(t, b, "k", body).ID); err != nil {
			t.Error(err)
		}
	}
	remove("1")
	wantShown(t, b, "k-*", "k=0", "k=2", "k=3")
	remove("") // the marker
	wantShown(t, b, "k=0", "k=2", "k=3*")
	if o := get(t, b, "k"); string(o.Body) != "3" {
		t.Errorf("got %q", o.Body)
	}
	remove("3")
	if o := get(t, b, "k"); string(o.Body) != "2" {
		t.Errorf("got %q", o.Body)
	}
	remove("0")
	remove("2")
	wantShown(t, b)
	put(t, b, "k", []byte("anew"), store.IfAbsent())
}

func conditionsAreAboutTheLatest(t *testing.T, b store.Versioned) {
	one := put(t, b, "k", []byte("one"), store.IfAbsent())
	two := put(t, b, "k", []byte("two"), store.IfMatch(one))
	_, err := b.Put(t.Context(), "k", []byte("three"), store.IfMatch(one))
	wantKind(t, "the tag of an older version", err, fault.Conflict, "k")
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Put(t.Context(), "k", []byte("three"), store.IfMatch(two))
	wantKind(t, "behind a delete marker", err, fault.Conflict, "k")
	put(t, b, "k", []byte("four"), store.IfAbsent())
	wantShown(t, b, "k-", "k=four*", "k=one", "k=two")
}

// versionsMayBeDeleted needs more than one page of S3's, 1,000 versions.
func versionsMayBeDeleted(t *testing.T, b store.Versioned) {
	for n := range 520 {
		key := fmt.Sprintf("many/%03d", n)
		put(t, b, key, []byte("x"), store.Condition{})
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	put(t, b, "other", []byte("x"), store.Condition{})
	for _, err := range b.ListVersions(t.Context(), "many/") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	n, last := 0, ""
	for v, err := range b.ListVersions(t.Context(), "many/") {
		if err == nil {
			err = b.DeleteVersion(t.Context(), v.Key, v.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		if v.Key < last {
			t.Errorf("%s is behind %s", v.Key, last)
		}
		last = v.Key
		n++
	}
	if n != 1040 {
		t.Errorf("%d versions were listed", n)
	}
	wantShown(t, b, "other=x*")
}

func versionsOfACancelledContext(t *testing.T, b store.Versioned) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.GetVersion(ctx, "k", "1")
	wantKind(t, "get", err, fault.Unavailable, "k")
	wantKind(t, "delete", b.DeleteVersion(ctx, "k", "1"), fault.Unavailable, "k")
	for _, err := range b.ListVersions(ctx, "k") {
		wantKind(t, "list", err, fault.Unavailable, "k")
	}
}

func versions(t *testing.T, b store.Versioned, prefix string) (all []store.Version) {
	t.Helper()
	for v, err := range b.ListVersions(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b store.Version) int { return cmp.Compare(a.Key, b.Key) })
	return all
}
