package artifact

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"
)

func TestPack(t *testing.T) {
	for _, binary := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("\x7fELF and so on "), 100_000)} {
		packed, err := pack(binary)
		if err != nil {
			t.Fatal(err)
		}
		again, err := pack(binary)
		if err != nil || !bytes.Equal(packed, again) {
			t.Errorf("%d bytes: packed twice, not the same (%v)", len(binary), err)
		}
		r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.File) != 1 || r.Comment != "" {
			t.Fatalf("%d files, comment %q", len(r.File), r.Comment)
		}
		f := r.File[0]
		if f.Name != "bootstrap" || f.Mode() != 0o755 || len(f.Extra) > 0 || f.Comment != "" || f.Flags != 0 {
			t.Errorf("%q %s, extra %x, comment %q, flags %x", f.Name, f.Mode(), f.Extra, f.Comment, f.Flags)
		}
		if at := f.Modified.Format("2006-01-02 15:04:05"); at != "1980-01-01 00:00:00" {
			t.Errorf("modified at %s", at)
		}
		if first, _, _ := bytes.Cut(packed[30:], []byte("bootstrap")); len(first) > 0 || packed[28] != 0 || packed[29] != 0 {
			t.Errorf("the header before the data has more than a name: %x", packed[:40])
		}
		file, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, binary) {
			t.Errorf("unpacked %d bytes of %d: %v", len(got), len(binary), err)
		}
	}
}
