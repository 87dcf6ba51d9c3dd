package items

import (
	"fmt"

	"poolferry/internal/sandbox/states/data"
)

// Batcher is an ItemBatcher of which all is known.
type Batcher struct {
	Items int64 // at most in a batch; 0 means as many as fit
	Bytes int64 // at most in a child's input; 0 means as many as an input may have
	Input any   // BatchInput; nil means none
}

// Batch is the input of one child.
type Batch struct {
	Input any
	Items int64 // in it
}

// OversizeError is an item that is too large to be handed to a child.
type OversizeError struct {
	Index int
	Limit int64
}

func (e *OversizeError) Error() string {
	return fmt.Sprintf("The item at index %d makes an input that is larger than %d bytes.", e.Index, e.Limit)
}

// Single makes an input of every item. The error is an *OversizeError.
func Single(all []any) ([]Batch, error) {
	out := make([]Batch, len(all))
	for i, item := range all {
		if data.TooLarge(item) {
			return nil, &OversizeError{Index: i, Limit: data.Limit}
		}
		out[i] = Batch{Input: item, Items: 1}
	}
	return out, nil
}

// Cut puts items into batches, in their order. The error is an *OversizeError.
func (b Batcher) Cut(all []any) ([]Batch, error) {
	limit := b.Bytes
	if limit <= 0 || limit > data.Limit {
		limit = data.Limit
	}
	empty := int64(len(data.Encode(b.wrap([]any{}))))
	out, from, size := []Batch{}, 0, empty
	flush := func(to int) {
		if to > from {
			out = append(out, Batch{Input: b.wrap(all[from:to:to]), Items: int64(to - from)})
		}
		from, size = to, empty
	}
	for i, item := range all {
		more := int64(len(data.Encode(item)))
		if empty+more > limit {
			return nil, &OversizeError{Index: i, Limit: limit}
		}
		if i > from {
			more++ // the comma
		}
		if size+more > limit || b.Items > 0 && int64(i-from) >= b.Items {
			flush(i)
			more = int64(len(data.Encode(item)))
		}
		size += more
	}
	flush(len(all))
	return out, nil
}

func (b Batcher) wrap(some []any) map[string]any {
	input := map[string]any{"Items": some}
	if b.Input != nil {
		input["BatchInput"] = b.Input
	}
	return input
}
