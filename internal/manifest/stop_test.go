package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStop(t *testing.T) {
	want := Stop{Run: "2026-11-prod", Stopped: noon, StoppedBy: "ann"}
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"version":1,"run":"2026-11-prod","stopped":"2026-11-03T12:00:00Z","stopped_by":"ann"}` + "\n"
	if diff := cmp.Diff(text, string(data)); diff != "" {
		t.Error(diff)
	}
	got, err := DecodeStop(data)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	_, err = DecodeStop([]byte(`{"version":2}`))
	wantInvalid(t, "another version", err, "stop switch is of version 2")
	_, err = DecodeStop([]byte(`{"version":1,"run":"X","stopped":"2026-11-03T12:00:00Z"}` + "\n"))
	wantInvalid(t, "a bad run", err, `run "X"`)
}

func TestPrefix(t *testing.T) {
	for filter, want := range map[string]string{
		PrefixFilter("0a"): "0a", PrefixFilter(""): "", "": "", `sub = "0a"`: "", `username ^= "0a"`: "", `sub ^= "0a`: "",
	} {
		if got := (Shard{Filter: filter}).Prefix(); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	if got := PrefixFilter("f"); got != `sub ^= "f"` {
		t.Error(got)
	}
}
