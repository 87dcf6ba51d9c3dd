package preflight

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

func verified() Verified {
	return Verified{
		Run: "2026-11-prod", At: time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC),
		Source:   manifest.Pool{Account: "111122223333", Region: "us-east-1", ID: "us-east-1_AbCdEf123"},
		Target:   manifest.Pool{Region: "eu-west-1", ID: "eu-west-1_ZyXwVu987"},
		ClientID: "1example23456789abcdefghij", MappingSHA256: document.DigestOf([]byte("mapping")),
		Profile: FromLookup, Loses: []string{"custom:plan"},
		Read:     []Read{{"source pool", document.DigestOf([]byte("pool"))}},
		Blockers: 1, Codes: map[Code]int{ProfileLoses: 1},
	}
}

// TestVerifiedGolden: what was kept by an earlier version is read by this one.
func TestVerifiedGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/preflight.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeVerified(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(verified(), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	again, err := verified().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(again)); diff != "" {
		t.Errorf("(-golden +written)\n%s", diff)
	}
}

func TestVerifiedRefuses(t *testing.T) {
	for name, change := range map[string]func(*Verified){
		"no run":            func(v *Verified) { v.Run = "" },
		"no time":           func(v *Verified) { v.At = time.Time{} },
		"no profile":        func(v *Verified) { v.Profile = "" },
		"safe and losing":   func(v *Verified) { v.Profile = FromIDToken },
		"losing nothing":    func(v *Verified) { v.Loses = []string{} },
		"null":              func(v *Verified) { v.Codes = nil },
		"unknown code":      func(v *Verified) { v.Codes = map[Code]int{"nothing": 1} },
		"no findings of it": func(v *Verified) { v.Codes = map[Code]int{ProfileLoses: 0} },
		"no digest":         func(v *Verified) { v.Read[0].SHA256 = "x" },
		"nothing read":      func(v *Verified) { v.Read = nil },
		"no mapping":        func(v *Verified) { v.MappingSHA256 = "" },
		"fewer than none":   func(v *Verified) { v.Warnings = -1 },
	} {
		v := verified()
		change(&v)
		if _, err := v.Encode(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func FuzzDecodeVerified(f *testing.F) {
	data, err := verified().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := DecodeVerified(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("kind %s", fault.KindOf(err))
			}
			return
		}
		again, err := v.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s becomes %s, %v", data, again, err)
		}
	})
}

func TestWorst(t *testing.T) {
	for want, r := range map[Severity]Report{
		Blocker: {Blockers: 1, Warnings: 2, Infos: 3}, Warning: {Warnings: 2, Infos: 3}, Info: {Infos: 3}, "": {},
	} {
		if got := r.Worst(); got != want {
			t.Errorf("worst of %+v is %q, want %q", r, got, want)
		}
	}
}
