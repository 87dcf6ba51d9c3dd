package shuffle_test

import (
	"cmp"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/userpool"
)

// FuzzFooter: whatever is taken for a footer is about the object that it is in.
func FuzzFooter(f *testing.F) {
	l := shuffle.Layout{Buckets: 2, NameBuckets: 1, Side: shuffle.Staged}
	f.Add(write(f, l, person(1), person(2), person(3)))
	f.Add(write(f, l))
	f.Add([]byte(shuffle.Magic))
	f.Fuzz(func(t *testing.T, object []byte) {
		o := objects{"k": object}
		footer, err := shuffle.ReadFooter(t.Context(), o.get, "k", int64(len(object)), "", 3)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, s := range footer.Segments {
			if s.Offset < 0 || s.Length < 0 || s.Offset+s.Length > int64(len(object)) {
				t.Fatalf("segment %+v of %d bytes", s, len(object))
			}
			if s.Content > 1<<24 {
				continue // memory for it is asked for by what proves the footer
			}
			stored, _ := o.get(t.Context(), "k", s.Offset, s.Length)
			if content, err := shuffle.Unpack("k", s, stored); err == nil && int64(len(content)) != s.Content {
				t.Fatalf("%d bytes of content, not %d", len(content), s.Content)
			}
		}
	})
}

// FuzzBucket: whatever is taken for the content of a segment is written again as
// it was, but for what a later line has replaced.
func FuzzBucket(f *testing.F) {
	for _, side := range []shuffle.Side{shuffle.Staged, shuffle.Arrived} {
		l := shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: side}
		users := people(3)
		users[1].Groups, users[2].MFA, users[2].Modified = []string{"a", "b"}, []string{}, time.Unix(-1, 5).UTC()
		delete(users[2].Attributes, userpool.AttrLegacySub)
		o := objects{"k": write(f, l, users...)}
		s := footer(f, o, "k", l).Bucket(0)
		f.Add(segment(f, o, "k", s), s.Lines, 0, side == shuffle.Arrived)
	}
	f.Add([]byte{2 << 1, 'x', 'y'}, 1, 0, false)
	f.Add(binary.AppendUvarint(nil, 1<<62), 1, 1, true)
	f.Fuzz(func(t *testing.T, content []byte, lines, unlinked int, arrived bool) {
		if lines < 0 || lines > 100 {
			return
		}
		side := shuffle.Staged
		if arrived {
			side = shuffle.Arrived
		}
		b := shuffle.NewBucket(side)
		if err := b.Add("k", shuffle.Segment{Lines: lines, Unlinked: unlinked}, content); err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		var users []userpool.User
		for _, w := range []*shuffle.Walk{b.Linked(), b.Unlinked()} {
			for {
				if _, ok := w.Identity(); !ok {
					break
				}
				same, err := w.Next()
				if err != nil {
					if fault.KindOf(err) != fault.Invalid {
						t.Fatal(err)
					}
					return
				}
				users = append(users, same...)
			}
		}
		again := shuffle.NewWriter(shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: side, Pool: target})
		for _, u := range users {
			if err := again.Add(u); err != nil {
				return // a user whom nobody would have written, such as one without sub
			}
		}
		object, count, err := again.Close()
		if err != nil || count != len(users) {
			t.Fatalf("%d of %d users, %v", count, len(users), err)
		}
		o := objects{"k": object}
		l := shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: side}
		second := map[string][]userpool.User{}
		b = load(t, o, l, 0, "k")
		walk(t, b.Linked(), second)
		walk(t, b.Unlinked(), second)
		got := map[userpool.Sub]userpool.User{}
		for _, same := range second {
			for _, u := range same {
				got[u.Sub] = u
			}
		}
		for _, u := range users {
			if diff := gocmp.Diff(u, got[u.Sub]); diff != "" {
				t.Fatalf("user %q: %s", u.Sub, diff)
			}
		}
	})
}

// FuzzNames: whatever is taken for names is sorted.
func FuzzNames(f *testing.F) {
	l := shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: shuffle.Staged}
	o := objects{"k": write(f, l, people(5)...)}
	s := footer(f, o, "k", l).NameBucket(0)
	f.Add(segment(f, o, "k", s), s.Lines)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, 1)
	f.Fuzz(func(t *testing.T, content []byte, lines int) {
		records, err := shuffle.Names("k", shuffle.Segment{Lines: lines}, content)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		if len(records) != lines || !slices.IsSortedFunc(records, func(a, b names.Record) int { return cmp.Compare(a.Hash(), b.Hash()) }) {
			t.Fatalf("%d records of %d lines, not sorted", len(records), lines)
		}
	})
}
