package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

func TestPartsComeBack(t *testing.T) {
	var sixtyOne []userpool.User
	for i := range 61 {
		sixtyOne = append(sixtyOne, ann(i))
	}
	for _, users := range [][]userpool.User{nil, {ann(1)}, sixtyOne[:60], sixtyOne, awkward()} {
		stored, ref := writePart(t, header, users...)
		again, refAgain := writePart(t, header, users...)
		if !bytes.Equal(stored, again) || ref != refAgain {
			t.Errorf("%d users: written twice, the bytes differ", len(users))
		}
		if ref.Count != len(users) || ref.Bytes != int64(len(stored)) || ref.SHA256 != DigestOf(stored) {
			t.Errorf("%d users: got %+v", len(users), ref)
		}
		got, err := readAll(stored, ref, header)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(users, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d users (-written +read):\n%s", len(users), diff)
		}
	}
}

func TestMembersComeBack(t *testing.T) {
	h := header
	h.Shard, h.Content = groups.ID, Members
	var buf bytes.Buffer
	w, err := NewPartWriter(&buf, h)
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{{"admins", "s-1"}, {"admins", "s-2"}, {"ü\n", "s-1"}}
	for _, m := range want {
		if err := w.Member(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Member(want[1]); fault.KindOf(err) != fault.AlreadyExists {
		t.Errorf("a member twice: %v", err)
	}
	if err := w.Member(Member{Group: "admins"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a member without sub: %v", err)
	}
	if err := w.Profile(ann(1)); fault.KindOf(err) != fault.Internal {
		t.Errorf("a profile among members: %v", err)
	}
	ref := closePart(t, w)
	var got []Member
	for m, err := range ReadMembers(buf.Bytes(), ref, h) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for m, err := range ReadMembers(buf.Bytes(), ref, h) {
		if err != nil || m != want[0] {
			t.Errorf("got %v, %v", m, err)
		}
		break // a reader may stop early
	}
	_, err = readAll(buf.Bytes(), ref, h)
	wantInvalid(t, "members read as profiles", err, ref.Key, "has members, not profiles")
}

// A profile that cannot be staged leaves the part as it was.
func TestWhatMustNotBeStaged(t *testing.T) {
	const value = "hunter2-canary"
	tests := []struct {
		name   string
		change func(*userpool.User)
		kind   fault.Kind
		want   string
	}{
		{"no sub", func(u *userpool.User) { u.Sub = "" }, fault.Invalid, "no sub"},
		{"no username", func(u *userpool.User) { u.Username = "" }, fault.Invalid, "lacks username"},
		{"no status", func(u *userpool.User) { u.Status = "" }, fault.Invalid, "status"},
		{"sub twice", func(u *userpool.User) { u.Sub = ann(0).Sub }, fault.AlreadyExists, string(ann(0).Sub)},
		{"another sub", func(u *userpool.User) { u.Attributes["sub"] = value }, fault.Invalid, "another sub"},
		{"password", func(u *userpool.User) { u.Attributes["password"] = value }, fault.Invalid, `"password" sounds like a secret`},
		{"old hash", func(u *userpool.User) { u.Attributes["custom:pw_hash"] = value }, fault.Invalid, `"custom:pw_hash"`},
		{"bad value", func(u *userpool.User) { u.Attributes["name"] = value + "\xff" }, fault.Invalid, `"name" is not valid UTF-8`},
		{"bad name", func(u *userpool.User) { u.Attributes["n\xff"] = value }, fault.Invalid, "attribute name"},
		{"empty name", func(u *userpool.User) { u.Attributes[""] = value }, fault.Invalid, "attribute name"},
		{"bad username", func(u *userpool.User) { u.Username = "\xff" }, fault.Invalid, "UTF-8"},
		{"bad group", func(u *userpool.User) { u.Groups = []string{"\xff"} }, fault.Invalid, "UTF-8"},
		{"too long", func(u *userpool.User) { u.Attributes["name"] = strings.Repeat("x", MaxLine) }, fault.Invalid, "bytes, at most"},
	}
	want, wantRef := writePart(t, header, ann(0), ann(1))
	for _, tt := range tests {
		var buf bytes.Buffer
		w, err := NewPartWriter(&buf, header)
		if err != nil {
			t.Fatal(err)
		}
		bad := ann(7)
		tt.change(&bad)
		if err := w.Profile(ann(0)); err != nil {
			t.Fatal(err)
		}
		err = w.Profile(bad)
		if fault.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if strings.Contains(fmt.Sprint(err), value) {
			t.Errorf("%s: the error quotes a value: %v", tt.name, err)
		}
		if err := w.Profile(ann(1)); err != nil {
			t.Fatal(err)
		}
		if ref := closePart(t, w); ref != wantRef || !bytes.Equal(buf.Bytes(), want) {
			t.Errorf("%s: the refused profile changed the part", tt.name)
		}
	}
}

func TestSecretLike(t *testing.T) {
	for _, name := range []string{
		"password", "Password", "custom:password", "custom:oldPassword", "custom:pass_word_hint", "custom:legacy_pwd", "dev:custom:PASSWD", "passphrase",
		"client_secret", "custom:mySecret", "custom:api-key", "apiKey", "custom:credentials", "custom:private_key",
		"token", "custom:refresh_token", "refreshToken", "custom:idtokens", "custom:pw_hash", "passwordHash", "custom:md5hash", "custom:bcrypt", "custom:Argon2id",
		"custom:jwt", "custom:otp", "custom:totp", "custom:salt",
	} {
		if !SecretLike(name) {
			t.Errorf("%q does not look like a secret", name)
		}
	}
	standard := []string{
		"sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "email",
		"email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified", "address", "updated_at", "identities",
		"custom:legacy_sub",
	}
	for _, name := range append(standard, "custom:hashtag", "custom:tokenized", "custom:pin_code", "custom:salted_fish", "custom:passport_no", "custom:key_account", "custom:compass") {
		if SecretLike(name) {
			t.Errorf("%q looks like a secret", name)
		}
	}
}

func TestPartLimits(t *testing.T) {
	var count countingWriter
	w, err := NewPartWriter(&count, header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range MaxCount {
		if err := w.Profile(ann(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Profile(ann(MaxCount)); fault.KindOf(err) != fault.Internal {
		t.Errorf("one line too many: %v", err)
	}
	ref, err := w.Close()
	if err != nil || w.Count() != MaxCount || ref.Count != MaxCount || ref.Bytes != int64(count) || ref.ContentBytes != w.ContentBytes() {
		t.Errorf("got %+v and %v", ref, err)
	}
	if _, err := NewPartWriter(io.Discard, Header{}); fault.KindOf(err) != fault.Internal {
		t.Errorf("a part of nothing: %v", err)
	}
}

type countingWriter int64

func (c *countingWriter) Write(p []byte) (int, error) {
	*c += countingWriter(len(p))
	return len(p), nil
}

// full fails after some bytes.
type full int

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAFailedWriteIsNotForgotten(t *testing.T) {
	for _, room := range []full{0, 5, 200} {
		w, err := NewPartWriter(&room, header)
		for _, u := range awkward() {
			if err != nil {
				break
			}
			err = w.Profile(u)
		}
		if err == nil {
			_, err = w.Close()
		}
		if !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
}

func BenchmarkPart(b *testing.B) {
	users := make([]userpool.User, 6000)
	for i := range users {
		users[i] = ann(i)
	}
	stored, ref := writePart(b, header, users...)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			writePart(b, header, users...)
		}
		b.ReportMetric(float64(b.N*len(users))/b.Elapsed().Seconds(), "profiles/s")
		b.ReportMetric(float64(ref.Bytes)/float64(len(users)), "bytes/profile")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := readAll(stored, ref, header); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*len(users))/b.Elapsed().Seconds(), "profiles/s")
	})
}
