package artifact

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"hash/crc32"
)

// entry is the one file of a package: Lambda's OS-only runtimes start the
// executable of this name (AWS Lambda Developer Guide, Building Lambda functions
// with Go).
const entry = "bootstrap"

// pack returns a zip file with the executable and nothing that depends on when
// and where it is made: no time, no user, no extra field.
func pack(binary []byte) ([]byte, error) {
	var compressed bytes.Buffer
	deflate, err := flate.NewWriter(&compressed, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	if _, err := deflate.Write(binary); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	if err := deflate.Close(); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	header := &zip.FileHeader{
		Name:               entry,
		Method:             zip.Deflate,
		CRC32:              crc32.ChecksumIEEE(binary),
		CompressedSize64:   uint64(compressed.Len()),
		UncompressedSize64: uint64(len(binary)),
		// The first day of the format. Modified would add a field with the time zone.
		ModifiedDate: 1<<5 | 1, //nolint:staticcheck // see above
	}
	header.SetMode(0o755)

	var out bytes.Buffer
	w := zip.NewWriter(&out)
	// Raw, since sizes that are known beforehand need no record after the data.
	file, err := w.CreateRaw(header)
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	if _, err := file.Write(compressed.Bytes()); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	return out.Bytes(), nil
}
