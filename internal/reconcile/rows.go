package reconcile

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/klauspost/compress/gzip"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// IDRow says who a source user is at the target. Applications need it to re-key
// what they have stored under the source sub.
type IDRow struct {
	LegacySub      userpool.Sub    `json:"legacy_sub"`
	Sub            userpool.Sub    `json:"sub"`
	LegacyUsername string          `json:"legacy_username"` // empty where the source does not have the user any more
	Username       string          `json:"username"`
	Verdict        verdict.Verdict `json:"verdict"`
	Reason         verdict.Reason  `json:"reason"`
	JoinedBy       string          `json:"joined_by"` // legacy_sub, email, phone or username
}

// joinedByLegacySub is what joins all whom the trigger has moved.
const joinedByLegacySub = "legacy_sub"

// idColumns are those of the CSV, in order.
var idColumns = []string{"legacy_sub", "sub", "legacy_username", "username", "verdict", "reason", "joined_by"}

func (r IDRow) columns() []string {
	return []string{string(r.LegacySub), string(r.Sub), r.LegacyUsername, r.Username, string(r.Verdict), string(r.Reason), r.JoinedBy}
}

// PendingRow is a user who is not in the target pool and is, or was, in the
// source pool.
type PendingRow struct {
	Sub     userpool.Sub    `json:"sub"`
	Verdict verdict.Verdict `json:"verdict"`
	Reason  verdict.Reason  `json:"reason"`
	// Groups are those of the user at the source, as staged, sorted; empty for
	// somebody who is not staged.
	Groups []string `json:"groups,omitempty"`
}

// PendingUser is a user who is not in the target pool, with what was staged of
// them: attributes as mapped. The groups are in the row, not in the user.
type PendingUser struct {
	PendingRow
	User userpool.User
}

// SettleRow is a user who has arrived in the target pool, and what the trigger
// could not bring with them.
type SettleRow struct {
	LegacySub userpool.Sub `json:"legacy_sub"`
	Sub       userpool.Sub `json:"sub"`
	Username  string       `json:"username"`           // at the target
	Groups    []string     `json:"groups,omitempty"`   // at the source, as staged, sorted
	Disabled  bool         `json:"disabled,omitempty"` // at the source, and not at the target
	MFA       []string     `json:"mfa,omitempty"`      // factors at the source, as staged
}

// sheet writes rows of one kind and one format, in as many objects as it takes.
type sheet struct {
	rows       Rows
	format     string
	bucket, of int
	put        func(ctx context.Context, rows Rows, data []byte, ref RowsRef) (RowsRef, error)

	stored bytes.Buffer
	zip    *gzip.Writer
	json   *json.Encoder
	csv    *csv.Writer
	count  int // in the object that is open
	refs   []RowsRef
}

// What bounds what a reader of rows has in memory. Rows of who is to be settled
// take longer than a Lambda lives, and are read again by the next one.
const (
	rowsPerObject       = 250_000
	settleRowsPerObject = 20_000
)

// add writes a row; a CSV takes columns.
func (s *sheet) add(ctx context.Context, row any) error {
	if s.zip == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	var err error
	if s.csv != nil {
		columns, ok := row.([]string)
		if !ok {
			return fault.New(fault.Internal, "write %s: a row without columns", s.rows)
		}
		err = s.csv.Write(columns)
	} else {
		err = s.json.Encode(row)
	}
	if err != nil {
		return fault.New(fault.Internal, "write %s: %w", s.rows, err)
	}
	most := rowsPerObject
	if s.rows == SettleRows {
		most = settleRowsPerObject
	}
	if s.count++; s.count >= most {
		return s.flush(ctx)
	}
	return nil
}

func (s *sheet) begin() (err error) {
	s.stored = bytes.Buffer{}
	if s.zip, err = gzip.NewWriterLevel(&s.stored, gzip.BestSpeed); err != nil {
		return fault.New(fault.Internal, "write %s: %w", s.rows, err)
	}
	if s.format == FormatCSV {
		s.csv = csv.NewWriter(s.zip)
		return s.csv.Write(idColumns)
	}
	s.json = json.NewEncoder(s.zip)
	s.json.SetEscapeHTML(false)
	return nil
}

// flush ends the object that is open.
func (s *sheet) flush(ctx context.Context) error {
	if s.zip == nil {
		return nil
	}
	if s.csv != nil {
		s.csv.Flush()
		if err := s.csv.Error(); err != nil {
			return fault.New(fault.Internal, "write %s: %w", s.rows, err)
		}
	}
	if err := s.zip.Close(); err != nil {
		return fault.New(fault.Internal, "write %s: %w", s.rows, err)
	}
	ref, err := s.put(ctx, s.rows, s.stored.Bytes(), RowsRef{Count: s.count, Format: s.format, Bucket: s.bucket, Of: s.of})
	if err != nil {
		return err
	}
	s.refs, s.zip, s.csv, s.json, s.count = append(s.refs, ref), nil, nil, nil, 0
	return nil
}

// sheets are what is written about some users.
type sheets struct {
	jsonl, csv, pending, findings, settle sheet
	written                               int64
}

func (r *Reconciliation) sheets(id string, key, bucket, of int) *sheets {
	all := &sheets{}
	put := func(ctx context.Context, rows Rows, data []byte, ref RowsRef) (RowsRef, error) {
		all.written += int64(len(data))
		return r.o.Store.WriteRows(ctx, id, rows, key, data, ref)
	}
	for _, s := range []struct {
		sheet  *sheet
		rows   Rows
		format string
	}{{&all.jsonl, IDMapRows, FormatJSONL}, {&all.csv, IDMapRows, FormatCSV}, {&all.pending, PendingRows, FormatJSONL}, {&all.findings, FindingRows, FormatJSONL}, {&all.settle, SettleRows, FormatJSONL}} {
		*s.sheet = sheet{rows: s.rows, format: s.format, bucket: bucket, of: of, put: put, refs: []RowsRef{}}
	}
	return all
}

func (s *sheets) id(ctx context.Context, row IDRow) error {
	return errors.Join(s.jsonl.add(ctx, row), s.csv.add(ctx, row.columns()))
}

func (s *sheets) flush(ctx context.Context) error {
	return errors.Join(s.jsonl.flush(ctx), s.csv.flush(ctx), s.pending.flush(ctx), s.findings.flush(ctx), s.settle.flush(ctx))
}

// readRows yields the rows of JSONL objects, each of which is checked before any
// of its rows is yielded. The error, of kind fault.Invalid where an object is
// damaged, is the last that is yielded.
func readRows[Row any](ctx context.Context, store Store, refs []RowsRef) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var none Row
		for _, ref := range refs {
			if ref.Format != FormatJSONL {
				continue
			}
			data, err := store.ReadRows(ctx, ref)
			if err != nil {
				yield(none, err)
				return
			}
			stopped, err := rowsOf(data, ref, func(row Row) bool { return yield(row, nil) })
			if err != nil {
				yield(none, err)
			}
			if err != nil || stopped {
				return
			}
		}
	}
}

// DecodeRows returns the rows of a JSONL object, which was checked against its
// digest. The error is of kind fault.Invalid where they are not what the reference
// speaks of.
func DecodeRows[Row any](data []byte, ref RowsRef) (rows []Row, err error) {
	_, err = rowsOf(data, ref, func(row Row) bool {
		rows = append(rows, row)
		return true
	})
	return rows, err
}

// EncodeRows returns the bytes of a JSONL object of rows.
func EncodeRows[Row any](rows []Row) (data []byte, err error) {
	s := sheet{format: FormatJSONL}
	if err := s.begin(); err != nil {
		return nil, err
	}
	for _, row := range rows {
		if err := s.json.Encode(row); err != nil {
			return nil, fault.New(fault.Internal, "write rows: %w", err)
		}
	}
	if err := s.zip.Close(); err != nil {
		return nil, fault.New(fault.Internal, "write rows: %w", err)
	}
	return s.stored.Bytes(), nil
}

func rowsOf[Row any](data []byte, ref RowsRef, yield func(Row) bool) (stopped bool, err error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return false, fault.New(fault.Invalid, "rows %s are not gzip: foreign", ref.Key)
	}
	lines := json.NewDecoder(zip)
	lines.DisallowUnknownFields()
	for n := 0; ; n++ {
		var row Row
		err := lines.Decode(&row)
		if errors.Is(err, io.EOF) {
			if n != ref.Count {
				return false, fault.New(fault.Invalid, "rows %s have %d lines, not %d: foreign", ref.Key, n, ref.Count)
			}
			return false, nil
		}
		if err != nil {
			return false, fault.New(fault.Invalid, "rows %s: line %d is no row: foreign", ref.Key, n+1)
		}
		if !yield(row) {
			return true, nil
		}
	}
}
