package shuffle_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/userpool"
)

// objects plays a bucket of S3, of which ranges are read.
type objects map[string][]byte

func (o objects) get(_ context.Context, key string, offset, length int64) ([]byte, error) {
	body, ok := o[key]
	if !ok {
		return nil, fault.New(fault.NotFound, "get %s: no such key", key)
	}
	if offset < 0 || length < 0 || offset+length > int64(len(body)) {
		return nil, fault.New(fault.Invalid, "get %s: it ends before", key)
	}
	return body[offset : offset+length], nil
}

func write(tb testing.TB, l shuffle.Layout, users ...userpool.User) []byte {
	tb.Helper()
	l.Pool = target
	w := shuffle.NewWriter(l)
	for _, u := range users {
		if err := w.Add(u); err != nil {
			tb.Fatal(err)
		}
	}
	if w.Lines() != len(users) {
		tb.Errorf("%d lines of %d users", w.Lines(), len(users))
	}
	held := w.Bytes()
	object, count, err := w.Close()
	if err != nil || count != len(users) {
		tb.Fatalf("closed with %d of %d users, %v", count, len(users), err)
	}
	if len(users) > 100 && held < int64(len(object)) {
		tb.Errorf("the writer said that it held %d bytes, of which it made %d", held, len(object))
	}
	return object
}

func footer(tb testing.TB, o objects, key string, l shuffle.Layout) shuffle.Footer {
	tb.Helper()
	ref, err := shuffle.NewRef(o[key], 0)
	if err != nil {
		tb.Fatal(err)
	}
	f, err := shuffle.ReadFooter(tb.Context(), o.get, key, ref.Bytes, ref.Footer, l.Buckets+l.NameBuckets)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func segment(tb testing.TB, o objects, key string, s shuffle.Segment) []byte {
	tb.Helper()
	stored, err := o.get(tb.Context(), key, s.Offset, s.Length)
	if err != nil {
		tb.Fatal(err)
	}
	content, err := shuffle.Unpack(key, s, stored)
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// load reads a bucket of some objects, in order.
func load(tb testing.TB, o objects, l shuffle.Layout, bucket int, keys ...string) *shuffle.Bucket {
	tb.Helper()
	b := shuffle.NewBucket(l.Side)
	for _, key := range keys {
		s := footer(tb, o, key, l).Bucket(bucket)
		if err := b.Add(key, s, segment(tb, o, key, s)); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

// walk returns the users of a walk by identity, and checks its order.
func walk(tb testing.TB, w *shuffle.Walk, into map[string][]userpool.User) {
	tb.Helper()
	var last []byte
	for {
		identity, ok := w.Identity()
		if !ok {
			return
		}
		if bytes.Compare(last, identity) >= 0 {
			tb.Errorf("%s comes after %s", identity, last)
		}
		last = slices.Clone(identity)
		users, err := w.Next()
		if err != nil {
			tb.Fatal(err)
		}
		if _, twice := into[string(last)]; twice {
			tb.Errorf("%s comes twice", last)
		}
		into[string(last)] = users
	}
}

// TestDealtOut writes both sides in several objects, reads all buckets, and
// wants everybody, where they belong, as they were.
func TestDealtOut(t *testing.T) {
	users := awkward(people(700))
	for _, buckets := range []int{1, 2, 8, 64} {
		l := shuffle.Layout{Buckets: buckets, NameBuckets: max(buckets/8, 1), Side: shuffle.Staged}
		o := objects{"a": write(t, l, users[:400]...), "b": write(t, l, users[400:]...), "c": write(t, l)}
		got := map[string][]userpool.User{}
		for bucket := range buckets {
			b := load(t, o, l, bucket, "a", "b", "c")
			before := len(got)
			walk(t, b.Linked(), got)
			if n := len(got) - before; n != b.Lines() {
				t.Errorf("bucket %d of %d has %d users and %d lines", bucket, buckets, n, b.Lines())
			}
			for identity := range got {
				if at := shuffle.BucketOf(identity, buckets); at > bucket {
					t.Errorf("%s is in bucket %d, not %d", identity, bucket, at)
				}
			}
			if _, ok := b.Unlinked().Identity(); ok {
				t.Error("somebody staged is not linked")
			}
		}
		want := map[string][]userpool.User{}
		for _, u := range users {
			want[string(u.Sub)] = []userpool.User{u}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d buckets: %s", buckets, diff)
		}
	}
}

// awkward adds users whose values have broken something somewhere.
func awkward(users []userpool.User) []userpool.User {
	values := []string{"", "line\nfeed\r\n", "nul\x00", "👩‍👩‍👧 \u2028", strings.Repeat("ж", 1024), "\xff\xfe", `{"sub":"x"}`}
	for i, value := range values {
		u := person(100_000 + i)
		u.Username = value + "x"
		for n := range 50 {
			u.Attributes[fmt.Sprintf("custom:field_%02d", n)] = value
		}
		u.Groups, u.MFA = []string{value, "b"}, []string{}
		u.Created, u.Modified = time.Time{}, time.Unix(-1, 999_999_999).UTC()
		users = append(users, u)
	}
	bare := userpool.User{Sub: "bare", Created: time.Unix(1, 0).UTC()}
	elsewhere := person(200_000)
	elsewhere.Attributes[userpool.AttrLegacySub] = "somebody else"
	return append(users, bare, elsewhere)
}

// TestArrived: users without a sub of the source are on a list of their own, and
// several may say the same one.
func TestArrived(t *testing.T) {
	l := shuffle.Layout{Buckets: 4, NameBuckets: 2, Side: shuffle.Arrived}
	wantLinked, wantUnlinked := map[string][]userpool.User{}, map[string][]userpool.User{}
	var users []userpool.User
	for i, u := range people(300) {
		a := arrived(u)
		switch {
		case i%3 == 0:
			delete(a.Attributes, userpool.AttrLegacySub)
			wantUnlinked[string(a.Sub)] = []userpool.User{a}
		case i%10 == 1: // and a double
			double := a
			double.Sub += "-double"
			users = append(users, double)
			wantLinked[string(u.Sub)] = []userpool.User{a, double}
		default:
			wantLinked[string(u.Sub)] = []userpool.User{a}
		}
		users = append(users, a)
	}
	o := objects{"a": write(t, l, users...)}
	f := footer(t, o, "a", l)
	if f.Users() != len(users) {
		t.Errorf("the footer has %d users of %d", f.Users(), len(users))
	}
	linked, unlinked := map[string][]userpool.User{}, map[string][]userpool.User{}
	count := 0
	for bucket := range l.Buckets {
		b := load(t, o, l, bucket, "a")
		walk(t, b.Linked(), linked)
		walk(t, b.Unlinked(), unlinked)
		count += f.Bucket(bucket).Unlinked
	}
	if diff := cmp.Diff(wantLinked, linked); diff != "" {
		t.Errorf("linked: %s", diff)
	}
	if diff := cmp.Diff(wantUnlinked, unlinked); diff != "" {
		t.Errorf("unlinked: %s", diff)
	}
	if count != len(wantUnlinked) {
		t.Errorf("the footer has %d unlinked of %d", count, len(wantUnlinked))
	}
}

// TestMembers: lines that say one thing of an identity each are all taken, in
// several objects, once.
func TestMembers(t *testing.T) {
	l := shuffle.Layout{Buckets: 2, NameBuckets: 1, Side: shuffle.Members}
	member := func(n int, group string) userpool.User {
		return userpool.User{Sub: person(n).Sub, Groups: []string{group}}
	}
	o := objects{
		"a": write(t, l, member(1, "staff"), member(2, "staff"), member(1, "admins"), member(1, "staff")),
		"b": write(t, l, member(3, "admins"), member(1, "ünï"), member(2, "staff")),
	}
	got := map[string][]string{}
	for bucket := range l.Buckets {
		b := load(t, o, l, bucket, "a", "b")
		if _, ok := b.Unlinked().Identity(); ok {
			t.Error("a member is not linked")
		}
		w := b.Linked()
		for n := range 5 { // of whom some are in the other bucket, or nowhere
			identity := []byte(slices.Sorted(slices.Values([]string{string(person(0).Sub), string(person(1).Sub), string(person(2).Sub), string(person(3).Sub), string(person(4).Sub)}))[n])
			if !w.Seek(identity) {
				continue
			}
			groups, err := w.Groups()
			if err != nil {
				t.Fatal(err)
			}
			if w.Seek(identity) {
				t.Errorf("%s comes again", identity)
			}
			got[string(identity)] = groups
		}
		if groups, err := w.Groups(); err != nil || len(groups) > 0 || w.Seek([]byte("x")) {
			t.Errorf("behind the end there are %q, %v", groups, err)
		}
	}
	want := map[string][]string{
		string(person(1).Sub): {"admins", "staff", "ünï"}, string(person(2).Sub): {"staff"}, string(person(3).Sub): {"admins"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTheLastLineCounts, be it in one object or in a later one.
func TestTheLastLineCounts(t *testing.T) {
	for _, side := range []shuffle.Side{shuffle.Staged, shuffle.Arrived} {
		l := shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: side}
		u := person(1)
		version := func(n int) userpool.User {
			v := u
			v.Attributes = u.Attributes.Clone()
			v.Attributes["name"] = fmt.Sprint(n)
			return v
		}
		o := objects{
			"a": write(t, l, version(1), person(2), version(2)),
			"b": write(t, l, person(3), version(3), version(4)),
			"c": write(t, l, person(4)),
		}
		got := map[string][]userpool.User{}
		walk(t, load(t, o, l, 0, "a", "b", "c").Linked(), got)
		if diff := cmp.Diff([]userpool.User{version(4)}, got[string(u.Sub)]); diff != "" || len(got) != 4 {
			t.Errorf("%s: %d users, %s", side, len(got), diff)
		}
	}
}

// TestBucketsNest: whoever was in a bucket of many is in the one with the same
// low bits of fewer; and the buckets of an identity never change.
func TestBucketsNest(t *testing.T) {
	counts := make([]int, 16)
	for _, u := range people(4000) {
		many := shuffle.BucketOf(string(u.Sub), 16)
		counts[many]++
		if few := shuffle.BucketOf(string(u.Sub), 4); few != many&3 {
			t.Fatalf("%s is in bucket %d of 16 and %d of 4", u.Sub, many, few)
		}
	}
	if slices.Min(counts) < 180 || slices.Max(counts) > 320 {
		t.Errorf("of 4000 users the buckets have %v", counts)
	}
	if got := shuffle.BucketOf("2f1c6f0e-0000-4000-8000-000000000001", 4096); got != 3190 {
		t.Errorf("bucket %d: indexes that are stored speak of another", got)
	}
}

// TestNames: the records of all users, sorted, over all name buckets.
func TestNames(t *testing.T) {
	for _, nameBuckets := range []int{1, 4, 32} {
		l := shuffle.Layout{Buckets: 8, NameBuckets: nameBuckets, Side: shuffle.Staged}
		users := people(300)
		var want []names.Record
		for _, u := range users {
			for _, n := range names.Of(u, target) {
				r := names.RecordOf(n, string(u.Sub))
				want = append(want, r)
				if got, want := shuffle.BucketOfRecord(r, shuffle.MaxBuckets), shuffle.BucketOf(string(u.Sub), shuffle.MaxBuckets); got != want {
					t.Fatalf("a record of bucket %d, an identity of bucket %d", got, want)
				}
			}
		}
		slices.SortFunc(want, func(a, b names.Record) int { return bytes.Compare(a[:], b[:]) })
		o := objects{"a": write(t, l, append(users, users[:50]...)...)}
		f := footer(t, o, "a", l)
		var got []names.Record
		for n := range nameBuckets {
			s := f.NameBucket(n)
			records, err := shuffle.Names("a", s, segment(t, o, "a", s))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, records...)
		}
		if !slices.Equal(got, slices.Compact(want)) || len(got) == 0 {
			t.Errorf("%d name buckets: %d records, want %d", nameBuckets, len(got), len(want))
		}
	}
}

// TestSameBytes: what was written in vain by a rival has the same key.
func TestSameBytes(t *testing.T) {
	l := shuffle.Layout{Buckets: 8, NameBuckets: 2, Side: shuffle.Staged}
	if users := people(200); !bytes.Equal(write(t, l, users...), write(t, l, users...)) {
		t.Error("the same users gave other bytes")
	}
}

func TestRefuses(t *testing.T) {
	for name, l := range map[string]shuffle.Layout{
		"no buckets":     {Buckets: 0, NameBuckets: 1, Side: shuffle.Staged},
		"three buckets":  {Buckets: 3, NameBuckets: 1, Side: shuffle.Staged},
		"many buckets":   {Buckets: 8192, NameBuckets: 1, Side: shuffle.Staged},
		"no side":        {Buckets: 1, NameBuckets: 1},
		"a claimed side": {Buckets: 1, NameBuckets: 1, Side: shuffle.Claimed},
	} {
		w := shuffle.NewWriter(l)
		if err := w.Add(person(1)); fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: add gave %v", name, err)
		}
		if _, _, err := w.Close(); fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: close gave %v", name, err)
		}
	}
	w := shuffle.NewWriter(shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: shuffle.Arrived})
	nobody := person(1)
	nobody.Sub = ""
	if err := w.Add(nobody); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a user without sub: %v", err)
	}
}

// TestDamage changes, cuts and swaps objects everywhere and wants an error that
// names the key, or what was written.
func TestDamage(t *testing.T) {
	l := shuffle.Layout{Buckets: 4, NameBuckets: 1, Side: shuffle.Staged}
	users := people(24)
	whole := write(t, l, users...)
	ref, err := shuffle.NewRef(whole, len(users))
	if err != nil {
		t.Fatal(err)
	}
	read := func(o objects) error {
		f, err := shuffle.ReadFooter(t.Context(), o.get, "the-key", ref.Bytes, ref.Footer, 5)
		if err != nil {
			return err
		}
		for n := range 5 {
			s := f.Segments[n]
			stored, err := o.get(t.Context(), "the-key", s.Offset, s.Length)
			if err != nil {
				return err
			}
			if _, err := shuffle.Unpack("the-key", s, stored); err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(objects{"the-key": whole}); err != nil {
		t.Fatal(err)
	}
	check := func(what string, object []byte) {
		t.Helper()
		err := read(objects{"the-key": object})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "the-key") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x10
		check(fmt.Sprintf("byte %d changed", i), changed)
	}
	for i := range whole {
		check(fmt.Sprintf("cut at %d", i), whole[:i])
	}
	other := users[3]
	other.Username = strings.Replace(other.Username, "p", "q", 1)
	swapped := slices.Clone(users)
	swapped[3] = other
	check("another object", write(t, l, swapped...))
	if ref.Check() == nil {
		t.Error("a reference without a key is taken")
	}
	ref.Key = "gen-1/index-4/a.seg"
	if err := ref.Check(); err != nil {
		t.Error(err)
	}
	ref.Footer = document.Digest("x")
	if ref.Check() == nil {
		t.Error("a reference with a bad digest is taken")
	}
}

// TestLongFooter: a footer that is longer than was guessed takes one request
// more.
func TestLongFooter(t *testing.T) {
	l := shuffle.Layout{Buckets: 512, NameBuckets: 64, Side: shuffle.Staged}
	o := objects{"a": write(t, l, people(5000)...)}
	ref, err := shuffle.NewRef(o["a"], 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ guess, requests int }{{576, 1}, {1, 2}} {
		requests := 0
		counted := func(ctx context.Context, key string, offset, length int64) ([]byte, error) {
			requests++
			return o.get(ctx, key, offset, length)
		}
		f, err := shuffle.ReadFooter(t.Context(), counted, "a", ref.Bytes, ref.Footer, c.guess)
		if err != nil || f.Users() != 5000 || requests != c.requests {
			t.Errorf("guessed %d segments: %d users by %d requests, %v", c.guess, f.Users(), requests, err)
		}
	}
}

func TestPackNames(t *testing.T) {
	contents := [][]byte{[]byte("one"), nil, bytes.Repeat([]byte("many"), 1000), nil}
	object, err := shuffle.PackNames(contents, []int{1, 0, 1000, 0})
	if err != nil {
		t.Fatal(err)
	}
	o := objects{"claims": object}
	f := footer(t, o, "claims", shuffle.Layout{NameBuckets: 4})
	for n, want := range contents {
		if got := segment(t, o, "claims", f.NameBucket(n)); !bytes.Equal(got, want) {
			t.Errorf("name bucket %d has %q, want %q", n, got, want)
		}
	}
	if f.Side != shuffle.Claimed || f.Users() != 0 {
		t.Errorf("footer %+v", f)
	}
}
