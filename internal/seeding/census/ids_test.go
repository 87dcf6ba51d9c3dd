package census

import (
	"fmt"
	"testing"

	"poolferry/internal/userpool"
)

func TestIDs(t *testing.T) {
	for _, same := range [][2]string{{"a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000001"}, {"x", "x"}, {"", ""}} {
		if subID(userpool.Sub(same[0])) != subID(userpool.Sub(same[1])) {
			t.Errorf("%q is not itself", same[0])
		}
	}
	seen := map[id]string{}
	for _, text := range []string{
		"a0000000-0000-4000-8000-000000000001", "A0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-00000000000g",
		"a0000000000040008000000000000001", "a0000000-0000-4000-8000-0000000000011", "a0000000+0000-4000-8000-000000000001", "", "x",
	} {
		at := subID(userpool.Sub(text))
		if other, twice := seen[at]; twice {
			t.Errorf("%q and %q are the same", text, other)
		}
		seen[at] = text
	}
}

func FuzzUUID(f *testing.F) {
	f.Add("a0000000-0000-4000-8000-000000000001")
	f.Add("00000000-0000-4000-8000-00000000000g")
	f.Fuzz(func(t *testing.T, text string) {
		raw, ok := uuid(text)
		if !ok {
			return
		}
		if again := fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]); again != text {
			t.Errorf("%q became %q", text, again)
		}
	})
}
