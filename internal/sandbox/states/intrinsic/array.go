package intrinsic

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"poolferry/internal/sandbox/states/data"
)

// maxRange is the most elements that States.ArrayRange makes.
const maxRange = 1000

func list(v any) ([]any, error) {
	l, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("the first argument is not an array")
	}
	return l, nil
}

// whole rounds a number half up, as Step Functions does with fractions that it
// gets where it wants whole numbers.
func whole(v any) (int64, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, fmt.Errorf("an argument is not a number")
	}
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if f = math.Floor(f + 0.5); err != nil || math.Abs(f) >= 1<<63 {
		return 0, fmt.Errorf("the number %s is too large", n)
	}
	return int64(f), nil
}

func arrayPartition(args []any) (any, error) {
	items, err := list(args[0])
	if err != nil {
		return nil, err
	}
	size, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, fmt.Errorf("the chunk size is not positive")
	}
	out := []any{}
	for chunk := range slices.Chunk(items, int(min(size, math.MaxInt32))) {
		out = append(out, chunk)
	}
	return out, nil
}

func arrayContains(args []any) (any, error) {
	items, err := list(args[0])
	if err != nil {
		return nil, err
	}
	return slices.ContainsFunc(items, func(item any) bool { return data.Equal(item, args[1]) }), nil
}

// arrayRange counts from the first to the second argument, both included.
func arrayRange(args []any) (any, error) {
	var bounds [3]int64
	for i := range bounds {
		var err error
		if bounds[i], err = whole(args[i]); err != nil {
			return nil, err
		}
		if bounds[i] < math.MinInt32 || bounds[i] > math.MaxInt32 {
			return nil, fmt.Errorf("the number %d is too large", bounds[i])
		}
	}
	first, last, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, fmt.Errorf("the increment is zero")
	}
	out := []any{}
	for n := first; step > 0 && n <= last || step < 0 && n >= last; n += step {
		if len(out) == maxRange {
			return nil, fmt.Errorf("the range has more than %d elements", maxRange)
		}
		out = append(out, data.Number(n))
	}
	return out, nil
}

func arrayGetItem(args []any) (any, error) {
	items, err := list(args[0])
	if err != nil {
		return nil, err
	}
	i, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(items)) {
		return nil, fmt.Errorf("the index %d is out of bounds of an array of %d", i, len(items))
	}
	return items[i], nil
}

func arrayLength(args []any) (any, error) {
	items, err := list(args[0])
	return data.Number(int64(len(items))), err
}

func arrayUnique(args []any) (any, error) {
	items, err := list(args[0])
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, item := range items {
		if !slices.ContainsFunc(out, func(seen any) bool { return data.Equal(seen, item) }) {
			out = append(out, item)
		}
	}
	return out, nil
}
