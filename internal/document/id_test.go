package document_test

import (
	"strings"
	"testing"
	"time"

	"poolferry/internal/document"
)

func TestIDs(t *testing.T) {
	at := time.Date(2026, 11, 21, 6, 0, 0, 0, time.FixedZone("CET", 3600))
	id, later := document.NewID("tail", at), document.NewID("tail", at.Add(time.Second))
	if !strings.HasPrefix(id, "tail-20261121T050000Z-") || id >= later || document.CheckID(id) != nil || len(id) > 40 {
		t.Errorf("%s, %s", id, later)
	}
	for bad := range strings.SplitSeq("|a b|a/b|a:b|ä|../x|"+strings.Repeat("x", 81), "|") {
		if err := document.CheckID(bad); err == nil || !strings.Contains(err.Error(), "1 to 80 letters") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
