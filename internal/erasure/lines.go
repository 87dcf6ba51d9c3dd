package erasure

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// unzip returns what is in a gzip object.
func unzip(key string, stored []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s is not gzip: torn or foreign", key)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s ends badly: torn or foreign", key)
	}
	return text, nil
}

// zip packs lines as those who wrote them do: the same lines give the same bytes.
func zip(text []byte) ([]byte, error) {
	var stored bytes.Buffer
	w, err := gzip.NewWriterLevel(&stored, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fault.New(fault.Internal, "pack lines: %w", err)
	}
	return stored.Bytes(), nil
}

// isCSV tells the two formats of lines apart.
func isCSV(key string) bool { return strings.HasSuffix(key, ".csv.gz") }

// rewrite takes the person out of an object of lines, and writes what is left
// under its own key. changed is false where the person is not in it.
func (e *Erasure) rewrite(ctx context.Context, key string, means Means, p Person) (to moved, changed bool, err error) {
	stored, _, err := e.o.Store.Read(ctx, key)
	if err != nil {
		return to, false, err
	}
	text, err := unzip(key, stored)
	if err != nil || !p.mentioned(text) {
		return to, false, err
	}
	var left []byte
	switch {
	case isCSV(key) && means == Removed:
		left, to.Count, err = p.withoutRecords(text)
	case isCSV(key):
		left, to.Count = p.withBlankLines(text)
	default:
		left, to.Count, err = p.withoutLines(text, means == Redacted)
	}
	if err != nil {
		return to, false, fault.New(fault.Invalid, "%s: %w", key, err)
	}
	if to.Count == 0 {
		return moved{}, true, nil
	}
	if stored, err = zip(left); err != nil {
		return to, false, err
	}
	to.Bytes, to.SHA256, to.Text = int64(len(stored)), document.DigestOf(stored), int64(len(left))
	to.Key = e.o.Store.Redigested(key, to.SHA256)
	if to.Key == key {
		return to, false, fault.New(fault.Internal, "%s is to be rewritten under its own key", key)
	}
	return to, true, e.o.Store.Create(ctx, to.Key, stored)
}

// withoutLines takes the JSON lines about the person out, or redacts them.
func (p Person) withoutLines(text []byte, redact bool) (left []byte, count int, err error) {
	for line := range bytes.Lines(text) {
		if !p.mentioned(line) {
			left = append(left, line...)
			count++
			continue
		}
		n, err := parseTree(line)
		if err != nil {
			return nil, 0, err
		}
		about := p.isAbout(n)
		if about && !redact {
			continue
		}
		if about {
			err = p.redactLine(n)
		}
		if err == nil {
			err = edit{person: p}.node(n)
		}
		if err != nil {
			return nil, 0, err
		}
		left = append(append(left, n.bytes()...), '\n')
		count++
	}
	return left, count, nil
}

// withoutRecords takes the records about the person out of a CSV with a header.
func (p Person) withoutRecords(text []byte) (left []byte, count int, err error) {
	var out bytes.Buffer
	r, w := csv.NewReader(bytes.NewReader(text)), csv.NewWriter(&out)
	for n := 0; ; n++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, errors.New("is no CSV: torn or foreign")
		}
		if n > 0 && slices.ContainsFunc(record, p.hasSub) {
			continue
		}
		if n > 0 {
			count++
		}
		if err := w.Write(record); err != nil {
			return nil, 0, err
		}
	}
	w.Flush()
	return out.Bytes(), count, w.Error()
}

// withBlankLines leaves the lines about the person in a file of an import job
// where they are, without anything in their columns. Such a file quotes nothing,
// and a comma in a value has a backslash (Cognito Developer Guide, importing users
// from a CSV file).
func (p Person) withBlankLines(text []byte) (left []byte, count int) {
	for line := range bytes.Lines(text) {
		count++
		if !p.mentioned(line) {
			left = append(left, line...)
			continue
		}
		for i, b := range line {
			if b == ',' && (i == 0 || line[i-1] != '\\') {
				left = append(left, ',')
			}
		}
		left = append(left, '\n')
	}
	return left, count - 1
}
