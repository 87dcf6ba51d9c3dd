// Package storetest is what every store.Bucket must do, as a test. It is run
// over the one in memory, over Amazon's client on the sandbox and on a gateway
// that others wrote.
//
// Vocabulary: as in package store; a mortal is a process that is killed at a
// chosen step, for tests of what works on a bucket.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/store"
)

// Run runs the suite. open returns an empty bucket, for each case anew.
func Run(t *testing.T, open func(t *testing.T) store.Bucket) {
	cases := map[string]func(*testing.T, store.Bucket){
		"what is put is got":                whatIsPutIsGot,
		"nothing is there":                  nothingIsThere,
		"a range is all of it or an error":  aRangeIsAllOfIt,
		"if absent, the first wins":         ifAbsentTheFirstWins,
		"if it matches, it is replaced":     ifItMatchesItIsReplaced,
		"if it is gone, nothing matches":    ifItIsGoneNothingMatches,
		"of many who swap, one wins":        ofManyWhoSwapOneWins,
		"of many who create, one wins":      ofManyWhoCreateOneWins,
		"lists are sorted":                  listsAreSorted,
		"lists are complete":                listsAreComplete,
		"a list may be left, or go nowhere": listsMayBeLeft,
		"a cancelled context":               aCancelledContext,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func whatIsPutIsGot(t *testing.T, b store.Bucket) {
	bodies := map[string][]byte{
		"runs/r/plan.json": []byte("{}\n"),
		"runs/r/empty":     {},
		"runs/r/gen-1/shards/all/1/part-00000-ab.gz": bytes.Repeat([]byte{0, 1, 2, 0xff, '\r', '\n'}, 200_000), // 1.2 MB
		"runs/r/a key with spaces + ünï=code?&%2F":   []byte("x"),
	}
	for key, body := range bodies {
		tag := put(t, b, key, body, store.Condition{})
		got := get(t, b, key)
		if !bytes.Equal(got.Body, body) || got.Tag != tag || tag == "" {
			t.Errorf("%s: got %d bytes of tag %s, put %d of tag %s", key, len(got.Body), got.Tag, len(body), tag)
		}
	}
	const key = "runs/r/plan.json"
	first := get(t, b, key)
	if second := put(t, b, key, []byte("other"), store.Condition{}); second == first.Tag {
		t.Errorf("another body has the same tag %s", second)
	}
	if got := get(t, b, key); string(got.Body) != "other" {
		t.Errorf("got %q after it was replaced", got.Body)
	}
	for range 2 { // the second time there is nothing any more
		if err := b.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	_, err := b.Get(t.Context(), key)
	wantKind(t, "after delete", err, fault.NotFound, key)
}

func nothingIsThere(t *testing.T, b store.Bucket) {
	_, err := b.Get(t.Context(), "no/such/key")
	wantKind(t, "get", err, fault.NotFound, "no/such/key")
	_, err = b.GetRange(t.Context(), "no/such/key", 0, 1)
	wantKind(t, "get a range", err, fault.NotFound, "no/such/key")
	if keys := list(t, b, ""); len(keys) > 0 {
		t.Errorf("an empty bucket has %q", keys)
	}
}

func aRangeIsAllOfIt(t *testing.T, b store.Bucket) {
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	size := int64(len(body))
	put(t, b, "k", body, store.Condition{})
	put(t, b, "empty", nil, store.Condition{})
	for _, r := range [][2]int64{{0, 1}, {0, size}, {1, size - 1}, {size - 1, 1}, {size / 2, 12}, {7, 0}, {size, 0}} {
		got, err := b.GetRange(t.Context(), "k", r[0], r[1])
		if err != nil || !bytes.Equal(got, body[r[0]:r[0]+r[1]]) {
			t.Errorf("%d bytes from %d on: got %d, %v", r[1], r[0], len(got), err)
		}
	}
	for _, r := range [][2]int64{{0, size + 1}, {size - 1, 2}, {size, 1}, {size + 1, 1}, {1 << 40, 10}} {
		_, err := b.GetRange(t.Context(), "k", r[0], r[1])
		wantKind(t, fmt.Sprintf("%d bytes from %d on", r[1], r[0]), err, fault.Invalid, "k")
	}
	_, err := b.GetRange(t.Context(), "empty", 0, 1)
	wantKind(t, "of nothing", err, fault.Invalid, "empty")
	for _, r := range [][2]int64{{-1, 1}, {0, -1}} {
		_, err := b.GetRange(t.Context(), "k", r[0], r[1])
		wantKind(t, fmt.Sprintf("%d bytes from %d on", r[1], r[0]), err, fault.Internal, "k")
	}
}

func ifAbsentTheFirstWins(t *testing.T, b store.Bucket) {
	put(t, b, "k", []byte("first"), store.IfAbsent())
	for _, body := range []string{"second", "first"} {
		_, err := b.Put(t.Context(), "k", []byte(body), store.IfAbsent())
		wantKind(t, "put "+body, err, fault.AlreadyExists, "k")
	}
	if got := get(t, b, "k"); string(got.Body) != "first" {
		t.Errorf("got %q", got.Body)
	}
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	put(t, b, "k", []byte("after delete"), store.IfAbsent())
}

func ifItMatchesItIsReplaced(t *testing.T, b store.Bucket) {
	one := put(t, b, "k", []byte("one"), store.IfAbsent())
	two := put(t, b, "k", []byte("two"), store.IfMatch(one))
	if two == one {
		t.Fatalf("two bodies have the tag %s", one)
	}
	_, err := b.Put(t.Context(), "k", []byte("three"), store.IfMatch(one))
	wantKind(t, "an old tag", err, fault.Conflict, "k")
	put(t, b, "k", []byte("three"), store.IfMatch(get(t, b, "k").Tag))
	if got := get(t, b, "k"); string(got.Body) != "three" {
		t.Errorf("got %q", got.Body)
	}
}

func ifItIsGoneNothingMatches(t *testing.T, b store.Bucket) {
	tag := put(t, b, "k", []byte("one"), store.IfAbsent())
	_, err := b.Put(t.Context(), "other", []byte("x"), store.IfMatch(tag))
	wantKind(t, "never there", err, fault.Conflict, "other")
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Put(t.Context(), "k", []byte("two"), store.IfMatch(tag))
	wantKind(t, "gone", err, fault.Conflict, "k")
	if keys := list(t, b, ""); len(keys) > 0 {
		t.Errorf("refused writes left %q", keys)
	}
}

const rivals = 8

func ofManyWhoSwapOneWins(t *testing.T, b store.Bucket) {
	tag := put(t, b, "k", []byte("start"), store.IfAbsent())
	race(t, b, store.IfMatch(tag), fault.Conflict)
}

func ofManyWhoCreateOneWins(t *testing.T, b store.Bucket) {
	race(t, b, store.IfAbsent(), fault.AlreadyExists)
}

// race lets many write under one condition: one of them wins, and what it wrote
// is there.
func race(t *testing.T, b store.Bucket, when store.Condition, lost fault.Kind) {
	t.Helper()
	errs := make([]error, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() { _, errs[i] = b.Put(t.Context(), "k", fmt.Appendf(nil, "writer %d", i), when) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("writers %d and %d have both won", winner, i)
		default:
			wantKind(t, "a loser", err, lost, "k")
		}
	}
	if got, want := string(get(t, b, "k").Body), fmt.Sprintf("writer %d", winner); got != want {
		t.Errorf("%q is there, the winner was %s", got, want)
	}
}

func listsAreSorted(t *testing.T, b store.Bucket) {
	// No key is a folder of another: a bucket may be made of files.
	for _, key := range []string{"a/b.c", "a/B", "a-b", "a/b/c", "b", "a/10", "a/9"} {
		put(t, b, key, []byte(key), store.Condition{})
	}
	for prefix, want := range map[string][]string{
		"":    {"a-b", "a/10", "a/9", "a/B", "a/b.c", "a/b/c", "b"},
		"a/":  {"a/10", "a/9", "a/B", "a/b.c", "a/b/c"},
		"a/b": {"a/b.c", "a/b/c"},
		"c":   nil,
	} {
		if diff := cmp.Diff(want, list(t, b, prefix)); diff != "" {
			t.Errorf("prefix %q (-want +got):\n%s", prefix, diff)
		}
	}
}

// listsAreComplete needs more than one page of S3's, 1,000 keys.
func listsAreComplete(t *testing.T, b store.Bucket) {
	var want []string
	var wg sync.WaitGroup
	for i := range 1005 {
		key := fmt.Sprintf("many/%04d", i)
		want = append(want, key)
		wg.Go(func() { put(t, b, key, []byte("x"), store.Condition{}) })
		if i%rivals == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	put(t, b, "zzz", []byte("x"), store.Condition{})
	if diff := cmp.Diff(want, list(t, b, "many/")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func listsMayBeLeft(t *testing.T, b store.Bucket) {
	put(t, b, "a", []byte("four"), store.Condition{})
	put(t, b, "b", nil, store.Condition{})
	for entry, err := range b.List(t.Context(), "") {
		if err != nil || entry != (store.Entry{Key: "a", Bytes: 4}) {
			t.Errorf("got %v, %v", entry, err)
		}
		break
	}
}

func aCancelledContext(t *testing.T, b store.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Put(ctx, "k", []byte("x"), store.Condition{})
	wantKind(t, "put", err, fault.Unavailable, "k")
	_, err = b.Get(ctx, "k")
	wantKind(t, "get", err, fault.Unavailable, "k")
	_, err = b.GetRange(ctx, "k", 0, 1)
	wantKind(t, "get a range", err, fault.Unavailable, "k")
	wantKind(t, "delete", b.Delete(ctx, "k"), fault.Unavailable, "k")
	for _, err := range b.List(ctx, "k") {
		wantKind(t, "list", err, fault.Unavailable, "k")
	}
}

func put(t *testing.T, b store.Bucket, key string, body []byte, when store.Condition) string {
	t.Helper()
	tag, err := b.Put(t.Context(), key, body, when)
	if err != nil {
		t.Error(err) // not Fatal: also called from other goroutines
	}
	return tag
}

func get(t *testing.T, b store.Bucket, key string) store.Object {
	t.Helper()
	o, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func list(t *testing.T, b store.Bucket, prefix string) (keys []string) {
	t.Helper()
	for entry, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, entry.Key)
	}
	return slices.Clip(keys)
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind, key string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || !strings.Contains(err.Error(), key) {
		t.Errorf("%s: got %v (%s), want an error of kind %s that names %s", what, err, fault.KindOf(err), kind, key)
	}
}
