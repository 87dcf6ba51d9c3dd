package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"poolferry/internal/document"
	"poolferry/internal/userpool"
)

// whole fails unless a damaged part yields nothing but an error that names the
// key.
func refused(t *testing.T, name string, stored []byte, ref PartRef, want Header, words ...string) {
	t.Helper()
	users, err := readAll(stored, ref, want)
	if len(users) > 0 {
		t.Errorf("%s: %d users came out of a damaged part", name, len(users))
	}
	wantInvalid(t, name, err, append(words, ref.Key)...)
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	stored, ref := writePart(t, header, ann(1), ann(2), ann(3))
	for i := range stored {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			damaged := bytes.Clone(stored)
			damaged[i] ^= flip
			refused(t, fmt.Sprintf("byte %d ^ %#x", i, flip), damaged, ref, header)
		}
	}
}

func TestTornPartsAreNoticed(t *testing.T) {
	stored, ref := writePart(t, header, ann(1), ann(2), ann(3))
	for i := range stored {
		refused(t, fmt.Sprintf("%d bytes", i), stored[:i], ref, header, "torn")
	}
	refused(t, "more", append(bytes.Clone(stored), 0), ref, header, "torn or replaced")
	refused(t, "twice", append(bytes.Clone(stored), stored...), ref, header)
}

// A part that is somebody else's says whose, though its digest is wrong too.
func TestForeignPartsAreNamed(t *testing.T) {
	_, ref := writePart(t, header, ann(1), ann(2))
	tests := []struct {
		name   string
		change func(*Header)
		want   string
	}{
		{"run", func(h *Header) { h.Run = "2025-01-test" }, `is of run "2025-01-test", not of "2026-11-prod"`},
		{"generation", func(h *Header) { h.Generation = 2 }, "is of generation 2, not of 1"},
		{"plan", func(h *Header) { h.PlanSHA256 = DigestOf(nil) }, "the run id was used before"},
		{"shard", func(h *Header) { h.Shard = "0a" }, "of shard 0a"},
		{"attempt", func(h *Header) { h.Attempt = 2 }, "attempt 2"},
		{"part", func(h *Header) { h.Part = 4 }, "is part 4"},
	}
	for _, tt := range tests {
		h := header
		tt.change(&h)
		stored, theirs := writePart(t, h, ann(1), ann(2))
		refused(t, tt.name, stored, ref, header, tt.want)
		refused(t, tt.name+", vouched for", stored, theirs, header, tt.want)
	}
	stored, ref := zipped(t, `{"version":2,"shape":{"any":true}}`+"\n", 0)
	refused(t, "newer", stored, ref, header, "is of version 2, this poolferry knows version 1")
	ref.SHA256 = DigestOf(nil)
	refused(t, "newer and changed", stored, ref, header, "is of version 2")
	refused(t, "another program's", []byte("hello"), ref, header, "torn or replaced")
}

// What a reference vouches for must still be a part.
func TestPartsThatAreVouchedForAreRead(t *testing.T) {
	_, ref := writePart(t, header)
	if _, err := readAll(nil, ref, header); err == nil {
		t.Error("no bytes at all are read")
	}
	head, err := document.JSON(header)
	if err != nil {
		t.Fatal(err)
	}
	const (
		good  = `{"sub":"s-1","username":"u","enabled":true,"status":"CONFIRMED","attributes":{}}` + "\n"
		other = `{"sub":"s-2","username":"u","enabled":true,"status":"CONFIRMED","attributes":{}}` + "\n"
	)
	line := func(members string) string { return strings.TrimSuffix(good, "}\n") + "," + members + "}\n" }
	tests := []struct {
		name  string
		text  string
		count int
		want  string // of the error, empty for none
	}{
		{"no lines", "", 0, ""},
		{"one line", good, 1, ""},
		{"lines missing", good, 2, "the 2 lines"},
		{"lines over", good + other, 1, "the 1 lines"},
		{"sub twice", good + good, 2, `line 3: "s-1" is there twice`},
		{"no line feed", strings.TrimSpace(good), 1, "not whole"},
		{"empty line", "\n", 1, "line 2 is not valid"},
		{"no object", "[]\n", 1, "line 2 has the wrong type"},
		{"password", line(`"password":"x"`), 1, `line 2 has the member "password"`},
		{"token", line(`"refreshToken":"x"`), 1, `has the member "refreshToken"`},
		{"password attribute", strings.Replace(good, "{}", `{"custom:password":"x"}`, 1), 1, `"custom:password" sounds like a secret`},
		{"no sub", strings.Replace(good, `"s-1"`, `""`, 1), 1, "no sub"},
		{"no attributes", strings.Replace(good, `{}`, `null`, 1), 1, "lacks username, status or attributes"},
		{"number", strings.Replace(good, `"u"`, `7`, 1), 1, `wrong type of value in member "username"`},
		{"time", line(`"created":"yesterday of ann@example.com"`), 1, "line 2 is not valid"},
		{"two values", strings.TrimSpace(good) + good, 1, "something behind its end"},
		{"bad UTF-8", strings.Replace(good, `"u"`, "\"\xff\"", 1), 1, "line 2 is not valid UTF-8"},
		{"too long", strings.Replace(good, `"u"`, `"`+strings.Repeat("u", MaxLine)+`"`, 1), 1, "ends badly after line 1"},
	}
	for _, tt := range tests {
		stored, ref := zipped(t, string(head)+tt.text, tt.count)
		users, err := readAll(stored, ref, header)
		if tt.want == "" {
			if err != nil || len(users) != tt.count {
				t.Errorf("%s: got %d users and %v", tt.name, len(users), err)
			}
			continue
		}
		wantInvalid(t, tt.name, err, ref.Key, tt.want)
		if err != nil && strings.Contains(err.Error(), "ann@example.com") {
			t.Errorf("%s: the error quotes a value: %v", tt.name, err)
		}
	}
	for name, text := range map[string]string{
		"no header": "", "empty header": "\n", "no version": "{}\n", "line first": good,
		"header member": strings.Replace(string(head), `"part":0`, `"part":0,"more":1`, 1),
	} {
		if stored, ref := zipped(t, text, 0); true {
			_, err := readAll(stored, ref, header)
			wantInvalid(t, name, err, ref.Key)
		}
	}
	for name, change := range map[string]func(*PartRef){
		"content digest": func(r *PartRef) { r.ContentSHA256 = DigestOf(nil) },
		"content size":   func(r *PartRef) { r.ContentBytes++ },
		"smaller":        func(r *PartRef) { r.ContentBytes-- },
		"count":          func(r *PartRef) { r.Count++ },
		"key":            func(r *PartRef) { r.Key = "../other" },
		"no digest":      func(r *PartRef) { r.SHA256 = "" },
	} {
		stored, ref := zipped(t, string(head)+good, 1)
		change(&ref)
		_, err := readAll(stored, ref, header)
		wantInvalid(t, name, err, ref.Key)
	}
	stored, ref := zipped(t, string(head)+good, 1)
	stored = append(stored, "tail"...)
	ref.Bytes, ref.SHA256 = int64(len(stored)), DigestOf(stored)
	_, err = readAll(stored, ref, header)
	wantInvalid(t, "tail", err, "something behind its end")
}

func FuzzReadPart(f *testing.F) {
	head, err := document.JSON(header)
	if err != nil {
		f.Fatal(err)
	}
	for _, u := range append(awkward()[:1], ann(1)) {
		data, err := document.JSON(newProfile(u))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(head)+string(data), 1)
	}
	f.Add(string(head)+`{"group":"g","sub":"s"}`+"\n", 1)
	f.Fuzz(func(t *testing.T, text string, count int) {
		stored, ref := zipped(t, text, count)
		users, err := readAll(stored, ref, header)
		if err == nil {
			again, refAgain := writePart(t, header, users...)
			if got, err := readAll(again, refAgain, header); err != nil || len(got) != len(users) {
				t.Errorf("read, written and read again: %v", err)
			}
		} else if !strings.Contains(err.Error(), ref.Key) {
			t.Errorf("%v does not name the key", err)
		}
		h := header
		h.Content = Members
		for _, err := range ReadMembers(stored, ref, h) {
			if err != nil && !strings.Contains(err.Error(), ref.Key) {
				t.Errorf("%v does not name the key", err)
			}
		}
	})
}

// Bytes that nobody vouches for, as a torn or foreign object is.
func FuzzReadStored(f *testing.F) {
	stored, ref := writePart(f, header, ann(1))
	f.Add(stored)
	f.Add(stored[:len(stored)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		users, err := readAll(data, ref, header)
		if same := bytes.Equal(data, stored); same != (err == nil) || !same && len(users) > 0 {
			t.Errorf("got %d users and %v", len(users), err)
		}
		own := ref
		own.Bytes, own.SHA256 = int64(len(data)), DigestOf(data)
		var last userpool.Sub
		for u, err := range ReadProfiles(data, own, header) {
			if err == nil && u.Sub == last {
				t.Error("a sub twice")
			}
			last = u.Sub
		}
	})
}
