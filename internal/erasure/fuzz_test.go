package erasure

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"poolferry/internal/document"
	"poolferry/internal/userpool"
)

var somebody = Person{Sub: "5d3c6a1e-0000-4000-8000-000000000001", Targets: []userpool.Sub{"t-1"}, Usernames: []string{"ann"}}

// FuzzTree: what is not about the person stays as it was, byte by byte, and nobody
// is mentioned afterwards.
func FuzzTree(f *testing.F) {
	f.Add(`{"version":1,"rows":[{"key":"a","count":2}],"count":2}`)
	f.Add(`{"sample":[{"source_sub":"5d3c6a1e-0000-4000-8000-000000000001"},{"target_sub":"t-10"}],"why":"user t-1 <&> é"}`)
	f.Add(`[null,true,1e400,-0.0,"\u2028",{"a":{"a":[]}}]`)
	f.Add(`{"t-1":"t-1 t-1","x":"t-1-t-1"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var any any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if dec.Decode(&any) != nil {
			return
		}
		tree, err := parseTree([]byte(text))
		if err != nil {
			return // something stands behind it
		}
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(text)) != nil {
			t.Fatalf("%q is read and is no JSON", text)
		}
		again, err := parseTree(tree.bytes())
		if err != nil || !bytes.Equal(again.bytes(), tree.bytes()) {
			t.Fatalf("%q became %q, and then %q, %v", text, tree.bytes(), again.bytes(), err)
		}
		edited, changed, err := edit{person: somebody}.document(append(tree.bytes(), '\n'))
		if err != nil || !json.Valid(edited) {
			t.Fatalf("%q became %q, %v", text, edited, err)
		}
		if changed != !bytes.Equal(edited, append(tree.bytes(), '\n')) {
			t.Errorf("%q became %q, changed: %v", text, edited, changed)
		}
		left, err := parseTree(edited)
		if err != nil {
			t.Fatal(err)
		}
		values(left, func(value string) {
			if somebody.mentioned([]byte(value)) {
				t.Errorf("%q still says %q", text, value)
			}
		})
	})
}

func values(n *node, do func(string)) {
	if text, ok := n.text(); ok {
		do(text)
	}
	for _, one := range n.elements {
		values(one, do)
	}
	for _, m := range n.members {
		values(m.node, do)
	}
}

// FuzzRedact: a text without the person stays, and one that was redacted does not
// mention them.
func FuzzRedact(f *testing.F) {
	f.Add("user t-1 and t-10, t-1")
	f.Add("t-1t-1 t-1")
	f.Add("5d3c6a1e-0000-4000-8000-000000000001")
	f.Fuzz(func(t *testing.T, text string) {
		got := somebody.redact(text)
		if somebody.mentioned([]byte(got)) || !somebody.mentioned([]byte(text)) && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// FuzzBlankLines: a file of an import job keeps its lines and their columns.
func FuzzBlankLines(f *testing.F) {
	f.Add("a,b\n1,t-1\n2,x\\,t-1\n")
	f.Add("t-1")
	f.Add("\n\n,t-1,\\,\n")
	f.Fuzz(func(t *testing.T, text string) {
		left, count := somebody.withBlankLines([]byte(text))
		if somebody.mentioned(left) {
			t.Errorf("%q became %q", text, left)
		}
		lines := strings.Count(text, "\n")
		if !strings.HasSuffix(text, "\n") && text != "" {
			lines++
		}
		if count != lines-1 {
			t.Errorf("%q has %d lines, not %d", text, lines, count+1)
		}
	})
}

// FuzzNotesAndReceipts: what is read is written again as it was.
func FuzzNotesAndReceipts(f *testing.F) {
	sum := document.DigestOf(nil)
	f.Add([]byte(`{"version":1,"run":"r","sub_sha256":"` + sum + `","begun":"2026-11-03T12:00:00Z","target_subs":[],"usernames":["ann"]}` + "\n"))
	f.Add([]byte(`{"version":1,"run":"r","sub_sha256":"` + sum + `","target_subs_sha256":[],"begun":"2026-11-03T12:00:00Z","ended":"2026-11-03T12:00:00Z","by":"x","generations":[],"searched":{"objects":1,"versions":1,"bytes":1}}` + "\n"))
	f.Add([]byte(`{"version":1,"run":"r","begun":"2026-11-03T12:00:00Z","by":"x","cut_over":true,"purged":[],"total":{"objects":0,"versions":0,"markers":0,"bytes":0},"inventory_sha256":"` + sum + `","encryption_keys":[],"kept":[]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, decode := range []func() ([]byte, error, error){
			func() ([]byte, error, error) {
				n, err := DecodeNote(data)
				again, bad := n.Encode()
				return again, bad, err
			},
			func() ([]byte, error, error) {
				r, err := DecodeReceipt(data)
				again, bad := r.Encode()
				return again, bad, err
			},
			func() ([]byte, error, error) {
				r, err := DecodePurge(data)
				again, bad := r.Encode()
				return again, bad, err
			},
		} {
			again, bad, err := decode()
			if err == nil && (bad != nil || !bytes.Equal(again, data)) {
				t.Errorf("%s became %s, %v", data, again, bad)
			}
		}
	})
}
