package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/klauspost/compress/gzip"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// mostStored keeps the objects of a file below the size that any object of ours
// has, however little their values can be compressed.
const mostStored = 56 << 20

// WriteInput says of which import to write a file.
type WriteInput struct {
	Run string `json:"run"`
	ID  string `json:"id"`
}

// WriteOutput says how far the files are.
type WriteOutput struct {
	Run   string `json:"run"`
	ID    string `json:"id"`
	More  bool   `json:"more"`
	Files int    `json:"files"` // written so far
	Rows  int    `json:"rows"`  // in all of them
}

// Write writes the next file of an import: as much as a job takes, or as its time
// allows. What is in a file is decided by its commit alone, of several the first.
// A file without anybody in it is one, too: its place is where the next begins.
func (t *Tail) Write(ctx context.Context, in WriteInput) (WriteOutput, error) {
	if err := t.ofRun("write files of", in.Run, in.ID); err != nil {
		return WriteOutput{}, err
	}
	out, err := t.write(ctx, in.ID)
	out.Run, out.ID = in.Run, in.ID
	return out, t.about("write files of", in.ID, err)
}

func (t *Tail) write(ctx context.Context, id string) (WriteOutput, error) {
	p, s, err := t.load(ctx, id)
	if err != nil || s.Written {
		return written(s), err
	}
	from := &Cursor{}
	if n := len(s.Files); n > 0 {
		last, err := t.o.Store.ReadTailFile(ctx, id, n-1)
		if err != nil {
			return written(s), err
		}
		from = last.Next
	}
	if from == nil {
		return written(s), fault.New(fault.Invalid, "its last file is followed by none, and its state does not say so: changed by somebody else")
	}
	f, err := t.o.Store.ReadTailFile(ctx, id, len(s.Files))
	if is(err, fault.NotFound) {
		if f, err = t.fill(ctx, p, len(s.Files), *from); err == nil {
			f, err = t.o.Store.WriteTailFile(ctx, f)
		}
	}
	if err != nil {
		return written(s), err
	}
	err = t.change(ctx, id, func(now *State) (changed bool) {
		s = *now
		if now.Written || !now.add(f) {
			return false
		}
		now.Written = f.Next == nil
		s = *now
		return true
	})
	return written(s), err
}

func written(s State) WriteOutput {
	sum := s.Totals()
	return WriteOutput{More: !s.Written, Files: len(s.Files), Rows: sum.Rows}
}

// fill writes the objects of a file, from a place on.
func (t *Tail) fill(ctx context.Context, p Plan, file int, from Cursor) (File, error) {
	began := t.o.Now()
	d := newDraft(p)
	users := t.o.Users(p.Reconciliation)
	buckets, err := users.Buckets(ctx)
	if err != nil {
		return File{}, err
	}
	var next *Cursor
	for at := from; ; {
		if next, err = t.fillFrom(ctx, p, d, users, at); err != nil {
			return File{}, err
		}
		if next != nil || at.Bucket+1 >= buckets {
			break // it is full, or has everybody
		}
		at = Cursor{Bucket: at.Bucket + 1}
		if t.o.Now().Sub(began) >= t.o.WriteTime {
			next = &at
			break
		}
	}
	f := File{Run: p.Run, ID: p.ID, File: file, Of: file, Attempt: 1, Rows: d.room.rows, Why: d.why, Next: next}
	return f, t.store(ctx, d, &f)
}

// fillFrom goes through the rest of a bucket. It returns where the next file
// begins where this one is full, and nil at the end of the bucket.
func (t *Tail) fillFrom(ctx context.Context, p Plan, d *draft, users Users, from Cursor) (next *Cursor, err error) {
	if from.Sub == string(userpool.Forgotten) { // nobody knows the place any more, and who is there already is skipped
		from.Sub = ""
	}
	behind := from.Sub
	for u, err := range users.Users(ctx, from.Bucket) {
		if err != nil {
			return nil, err
		}
		if string(u.Sub) <= from.Sub || !p.takes(u.PendingRow) {
			continue
		}
		line, refused := d.rules.take(u)
		switch {
		case d.full() || refused == "" && !d.room.fits(line):
			return &Cursor{Bucket: from.Bucket, Sub: behind}, nil
		case refused != "":
			err = d.refuse(u.Sub, refused)
		default:
			err = d.add(u.Sub, line)
		}
		if err != nil {
			return nil, err
		}
		behind = string(u.Sub)
	}
	return nil, nil
}

// draft is a file that is being written.
type draft struct {
	rules   rules
	room    room
	csv     packed
	lines   packed
	refused packed
	why     map[Refusal]int
}

func newDraft(p Plan) *draft {
	made := p.rules()
	return &draft{rules: made, room: room{limits: p.Limits, head: int64(len(made.head()) + 1)}.next(), why: map[Refusal]int{}}
}

// full reports whether an object is as large as it may be. Who is refused is many
// where few have verified an address.
func (d *draft) full() bool {
	return d.csv.stored.Len() >= mostStored || d.refused.stored.Len() >= mostStored
}

func (d *draft) add(sub userpool.Sub, line string) error {
	if d.room.rows == 0 {
		if err := d.csv.write([]byte(d.rules.head() + "\n")); err != nil {
			return err
		}
	}
	d.room = d.room.with(line)
	if err := d.csv.write([]byte(line + "\n")); err != nil {
		return err
	}
	return d.lines.json(Line{d.room.rows, string(sub)})
}

func (d *draft) refuse(sub userpool.Sub, why Refusal) error {
	d.why[why]++
	return d.refused.json(Refused{string(sub), why})
}

// store writes the objects of a draft and refers to them.
func (t *Tail) store(ctx context.Context, d *draft, f *File) (err error) {
	if f.Rows > 0 {
		f.Bytes = d.room.bytes
		if f.CSV, err = t.object(ctx, f, CSVRows, &d.csv, f.Rows); err != nil {
			return err
		}
		if f.Lines, err = t.object(ctx, f, SubLines, &d.lines, f.Rows); err != nil {
			return err
		}
	}
	refused := 0
	for _, n := range f.Why {
		refused += n
	}
	if refused > 0 {
		f.Refused, err = t.object(ctx, f, RefusedRows, &d.refused, refused)
	}
	return err
}

func (t *Tail) object(ctx context.Context, f *File, kind Kind, of *packed, count int) (*Object, error) {
	data, err := of.close()
	if err != nil {
		return nil, err
	}
	o, err := t.o.Store.WriteTailObject(ctx, f.ID, f.File, kind, data, count)
	return &o, err
}

// packed are bytes that are compressed as they are written.
type packed struct {
	stored bytes.Buffer
	zip    *gzip.Writer
}

func (p *packed) write(data []byte) (err error) {
	if p.zip == nil {
		if p.zip, err = gzip.NewWriterLevel(&p.stored, gzip.BestSpeed); err != nil {
			return fault.New(fault.Internal, "compress: %w", err)
		}
	}
	if _, err = p.zip.Write(data); err != nil {
		return fault.New(fault.Internal, "compress: %w", err)
	}
	return nil
}

func (p *packed) json(row any) error {
	data, err := json.Marshal(row)
	if err != nil {
		return fault.New(fault.Internal, "write a row: %w", err)
	}
	return p.write(append(data, '\n'))
}

func (p *packed) close() ([]byte, error) {
	if err := p.write(nil); err != nil {
		return nil, err
	}
	if err := p.zip.Close(); err != nil {
		return nil, fault.New(fault.Internal, "compress: %w", err)
	}
	return p.stored.Bytes(), nil
}

// unpack reads the rows of an object, which was checked against its digest.
func unpack[Row any](data []byte, o Object, each func(Row) error) error {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fault.New(fault.Invalid, "%s is not gzip: foreign", o.Key)
	}
	rows := json.NewDecoder(zip)
	rows.DisallowUnknownFields()
	for n := 0; ; n++ {
		var row Row
		switch err := rows.Decode(&row); {
		case err == io.EOF && n == o.Count:
			return nil
		case err != nil || n >= o.Count:
			return fault.New(fault.Invalid, "%s: line %d is no row, or one too many: foreign", o.Key, n+1)
		}
		if err := each(row); err != nil {
			return err
		}
	}
}
