package items

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/states/data"
)

func TestParse(t *testing.T) {
	firstRow, given := Format{Kind: CSV, Delimiter: ','}, Format{Kind: CSV, Delimiter: '\t', Headers: []string{"a", "b"}}
	tests := map[string]struct {
		format     Format
		limit      int64
		body, want string
	}{
		"array":            {Format{Kind: JSON}, 9, ` [1, {"a": [2]}] `, `[1,{"a":[2]}]`},
		"empty array":      {Format{Kind: JSON}, 9, `[]`, `[]`},
		"array, limited":   {Format{Kind: JSON}, 1, `[1,2]`, `[1]`},
		"object":           {Format{Kind: JSON}, 9, `{}`, `Attempting to map over non-iterable node.`},
		"nothing":          {Format{Kind: JSON}, 9, ``, `Unable to parse JSON data: Unexpected end-of-input`},
		"two arrays":       {Format{Kind: JSON}, 9, `[][]`, `Unable to parse JSON data: Unexpected text`},
		"lines":            {Format{Kind: JSONL}, 9, "1\r\n \n[2]\n\"3\"", `[1,[2],"3"]`},
		"no lines":         {Format{Kind: JSONL}, 9, "\n\n", `[]`},
		"lines, limited":   {Format{Kind: JSONL}, 2, "1\n2\nno JSON\n", `[1,2]`},
		"two in a line":    {Format{Kind: JSONL}, 9, "1\n1 2\n", `Unable to parse JSON data at line 2: `},
		"rows":             {firstRow, 9, "a,b\n1,\"x,y\"\n", `[{"a":"1","b":"x,y"}]`},
		"rows, limited":    {firstRow, 1, "a\n1\n2\n", `[{"a":"1"}]`},
		"headers alone":    {firstRow, 9, "a,b\n", `[]`},
		"no rows":          {firstRow, 9, "", `[]`},
		"short and long":   {given, 9, "1\n1\t2\t3\n", `[{"a":"1","b":""},{"a":"1","b":"2"}]`},
		"the same headers": {firstRow, 9, "a,a\n", `CSV headers cannot contain duplicates.`},
		"a quote is open":  {firstRow, 9, "a\n\"1\n", `[{"a":"1\n"}]`},
	}
	for name, tt := range tests {
		got, err := tt.format.Parse([]byte(tt.body), tt.limit)
		text := string(data.Encode(got))
		if err != nil {
			text = err.Error()
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%s: %T", name, err)
			}
		}
		if text != tt.want && (err == nil || !strings.HasPrefix(text, tt.want)) {
			t.Errorf("%s: got %s, want %s", name, text, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	list := func(sizes ...int) []any {
		var all []any
		for _, n := range sizes {
			all = append(all, strings.Repeat("x", n-2)) // with its quotes
		}
		return all
	}
	// {"Items":[]} is 12 bytes, {"BatchInput":7,"Items":[]} is 27.
	tests := []struct {
		batcher Batcher
		all     []any
		want    string // items of the batches, or where the first one is that is too large
	}{
		{Batcher{Items: 2}, list(3, 3, 3, 3, 3), "[2 2 1]"},
		{Batcher{Items: 2}, nil, "[]"},
		{Batcher{Bytes: 33}, list(10, 10, 10), "[2 1]"},
		{Batcher{Bytes: 32}, list(10, 10, 10), "[1 1 1]"},
		{Batcher{Bytes: 22}, list(10, 10), "[1 1]"},
		{Batcher{Bytes: 21}, list(9, 10), "1"},
		{Batcher{Bytes: 48, Input: data.Number(7)}, list(10, 10, 10), "[2 1]"},
		{Batcher{Bytes: 47, Input: data.Number(7)}, list(10, 10), "[1 1]"},
		{Batcher{Bytes: 33, Items: 1}, list(10, 10), "[1 1]"},
		{Batcher{Items: 10}, list(data.Limit-12-4, 3, 3), "[2 1]"},
		{Batcher{Items: 10}, list(data.Limit-12, 3), "[1 1]"},
		{Batcher{Items: 10}, list(data.Limit - 11), "0"},
		{Batcher{Bytes: data.Limit + 1}, list(data.Limit-12, 3), "[1 1]"},
	}
	for i, tt := range tests {
		batches, err := tt.batcher.Cut(tt.all)
		sizes := []int64{}
		for _, b := range batches {
			sizes = append(sizes, b.Items)
		}
		got := fmt.Sprint(sizes)
		if large, ok := errors.AsType[*OversizeError](err); ok {
			got = fmt.Sprint(large.Index)
		}
		if got != tt.want {
			t.Errorf("%d: got %s, want %s", i, got, tt.want)
		}
		checkBatches(t, tt.batcher, tt.all, batches, err)
	}
}

// checkBatches: all items are in the batches, in their order, and no batch is
// larger than it may be.
func checkBatches(t *testing.T, b Batcher, all []any, batches []Batch, err error) {
	t.Helper()
	if err != nil {
		return
	}
	limit := b.Bytes
	if limit <= 0 || limit > data.Limit {
		limit = data.Limit
	}
	var again []any
	for _, one := range batches {
		some := one.Input.(map[string]any)["Items"].([]any)
		if n := int64(len(some)); n == 0 || n != one.Items || b.Items > 0 && n > b.Items || int64(len(data.Encode(one.Input))) > limit {
			t.Errorf("a batch of %d items and %d bytes", n, len(data.Encode(one.Input)))
		}
		again = append(again, some...)
	}
	if diff := cmp.Diff(all, again); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse: whatever an object holds is read, up to the limit, or refused; and
// what was read can be cut into batches.
func FuzzParse(f *testing.F) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(`[1]`)) // memory
	_ = w.Close()
	for _, body := range []string{`[1,{"a":[2]}]`, "1\n{}\n", "a,b\n1,\"2\n", zipped.String(), "\x1f\x8b"} {
		f.Add([]byte(body), int64(2), int64(40))
	}
	f.Fuzz(func(t *testing.T, body []byte, limit, size int64) {
		limit = max(limit, 1)
		for _, format := range []Format{{Kind: JSON}, {Kind: JSONL}, {Kind: CSV, Delimiter: ','}, {Kind: CSV, Delimiter: ';', Headers: []string{"a", "b"}}} {
			all, err := format.Parse(body, limit)
			if (all == nil) == (err == nil) || int64(len(all)) > limit {
				t.Fatalf("%+v: %d items, %v", format, len(all), err)
			}
			if err != nil || len(all) == 0 {
				continue
			}
			b := Batcher{Items: limit, Bytes: max(size, 1)}
			batches, err := b.Cut(all)
			checkBatches(t, b, all, batches, err)
		}
	})
}
