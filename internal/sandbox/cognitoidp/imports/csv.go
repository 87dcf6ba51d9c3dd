package imports

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/userpool"
)

// The columns beside the pool's attributes.
const (
	columnMFA      = "cognito:mfa_enabled"
	columnUsername = "cognito:username"
)

// Limits of a file (Developer Guide, importing users from a CSV file).
const (
	mostRows       = 500_000
	mostBytes      = 100_000_000
	mostCharacters = 16_000 // of a row
)

// Header lists the columns that a file for a pool must have.
func Header(set *schema.Set) []string {
	var columns []string
	for _, a := range set.Attributes() {
		if a.Name != userpool.AttrSub && a.Name != "identities" {
			columns = append(columns, a.Name)
		}
	}
	return append(columns, columnMFA, columnUsername)
}

// file is an uploaded file whose header is right.
type file struct {
	columns []string // in the order of the file
	body    []byte   // behind the header
}

// open checks what concerns a file as a whole. Whether it can be read at all AWS
// says for a job, not for a row; its words for it are not documented.
func open(data []byte, header []string) (file, error) {
	switch {
	case len(data) > mostBytes:
		return file{}, fmt.Errorf("the file is larger than %d bytes", mostBytes)
	case !utf8.Valid(data):
		return file{}, errors.New("the file is not UTF-8")
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return file{}, errors.New("the file begins with a byte order mark")
	}
	first, body, _ := bytes.Cut(data, []byte("\n"))
	f := file{columns: split(string(first)), body: body}
	if !slices.Equal(slices.Sorted(slices.Values(f.columns)), slices.Sorted(slices.Values(header))) {
		return file{}, errors.New("the header is not the one of the user pool")
	}
	if n := f.count(); n > mostRows {
		return file{}, fmt.Errorf("the file has %d rows, at most %d are allowed", n, mostRows)
	}
	return f, nil
}

// count counts the rows.
func (f file) count() int {
	n := 0
	for range f.lines() {
		n++
	}
	return n
}

// lines ranges over the rows and their numbers. The first row behind the header
// is line 1: so counts the mapping file of AWS's own reference architecture for
// exporting user profiles. Line ends at the end of the file begin no row.
func (f file) lines() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range bytes.Lines(bytes.TrimRight(f.body, "\r\n")) {
			number++
			if !yield(number, strings.TrimRight(string(line), "\r\n")) {
				return
			}
		}
	}
}

// row reads a line as values by column, without those that are empty. The error
// says what the log says of the row, and holds no value.
func (f file) row(line string) (map[string]string, error) {
	if utf8.RuneCountInString(line) > mostCharacters {
		return nil, fmt.Errorf("The row is longer than %d characters.", mostCharacters) //nolint:staticcheck // a sentence of the log
	}
	values := split(line)
	if len(values) != len(f.columns) {
		return nil, fmt.Errorf("The row has %d columns, the header has %d.", len(values), len(f.columns)) //nolint:staticcheck // likewise
	}
	row := map[string]string{}
	for i, value := range values {
		if value != "" {
			row[f.columns[i]] = value
		}
	}
	return row, nil
}

// split takes a line apart: commas separate, a backslash before a comma makes it
// part of the value, quotation marks mean nothing, and space around a value is
// dropped. Any other backslash stands for itself: nothing else can be escaped.
func split(line string) []string {
	var values []string
	var value strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == ',':
			i++
			value.WriteByte(',')
		case line[i] == ',':
			values = append(values, strings.TrimSpace(value.String()))
			value.Reset()
		default:
			value.WriteByte(line[i])
		}
	}
	return append(values, strings.TrimSpace(value.String()))
}

// birthdate turns the date of a file, mm/dd/yyyy, into that of the attribute,
// yyyy-mm-dd. That it is stored so is not documented.
func birthdate(value string) (string, bool) {
	day, err := time.Parse("01/02/2006", value)
	if err != nil || len(value) != len("mm/dd/yyyy") {
		return "", false
	}
	return day.Format(time.DateOnly), true
}
