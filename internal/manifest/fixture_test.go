package manifest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

var (
	noon   = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	origin = Origin{Run: "2026-11-prod", Generation: 1, PlanSHA256: DigestOf([]byte("plan"))}
	all    = Shard{ID: "all", Content: Profiles}
	groups = Shard{ID: "groups", Content: Members}
	header = Header{Origin: origin, Shard: "all", Content: Profiles, Attempt: 1, Part: 0}
)

// ann is an ordinary user.
func ann(n int) userpool.User {
	return userpool.User{
		Sub: userpool.Sub(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)), Username: fmt.Sprintf("ann-%d", n),
		Attributes: userpool.Attributes{"email": fmt.Sprintf("ann-%d@example.com", n), "email_verified": "true"},
		Enabled:    true, Status: userpool.StatusConfirmed,
		Created: noon.Add(-time.Hour), Modified: noon.Add(123 * time.Millisecond),
	}
}

// awkward are users whose values have broken something somewhere.
func awkward() []userpool.User {
	values := userpool.Attributes{
		"name":             "line\nfeed\r\n\ttab",
		"nickname":         "nul\x00bell\x07",
		"given_name":       "👩‍👩‍👧 e\u0301 \u2028 \u202e",
		"family_name":      `<script>&amp;"\'</script>`,
		"profile":          strings.Repeat("ж", 1024), // 2,048 bytes
		"custom:empty":     "",
		"custom:json":      `{"password":"no member of ours"}`,
		"custom:all_bytes": strings.Repeat("\x01", 2048),
	}
	many := userpool.Attributes{}
	for i := range 50 {
		many[fmt.Sprintf("custom:field_%02d", i)] = strings.Repeat(string(rune('a'+i%26)), 2048)
	}
	return []userpool.User{
		{Sub: "s-1", Username: "awkward", Attributes: values, Status: userpool.StatusResetRequired, Groups: []string{"a b", "ü"}, MFA: []string{"SMS_MFA"}},
		{Sub: "s-2", Username: "many", Attributes: many, Enabled: true, Status: userpool.StatusExternalProvider},
		{Sub: "s-3", Username: "none", Attributes: userpool.Attributes{}, Status: userpool.StatusUnconfirmed},
	}
}

// writePart writes a part of profiles and gives it a key.
func writePart(t testing.TB, h Header, users ...userpool.User) ([]byte, PartRef) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewPartWriter(&buf, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if err := w.Profile(u); err != nil {
			t.Fatal(err)
		}
	}
	ref := closePart(t, w)
	return buf.Bytes(), ref
}

func closePart(t testing.TB, w *PartWriter) PartRef {
	t.Helper()
	ref, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	ref.Key = "gen-1/shards/all/1/part-00000.jsonl.gz"
	return ref
}

// zipped is a part with any text, and a reference that vouches for it.
func zipped(t testing.TB, text string, count int) ([]byte, PartRef) {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), PartRef{
		Key: "gen-1/k", Count: count, Bytes: int64(buf.Len()), SHA256: DigestOf(buf.Bytes()),
		ContentBytes: int64(len(text)), ContentSHA256: DigestOf([]byte(text)),
	}
}

// readAll reads a part of profiles.
func readAll(stored []byte, ref PartRef, want Header) (users []userpool.User, err error) {
	for u, err := range ReadProfiles(stored, ref, want) {
		if err != nil {
			return users, err
		}
		users = append(users, u)
	}
	return users, nil
}

// wantInvalid checks an error's kind and words.
func wantInvalid(t *testing.T, name string, err error, words ...string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%s: got %v, want an error of kind Invalid", name, err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %q, want %q in it", name, err, word)
		}
	}
}
