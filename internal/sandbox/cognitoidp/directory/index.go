package directory

import (
	"slices"
	"strings"

	"poolferry/internal/userpool"
)

// keys is a sorted set of strings in chunks: adding, removing and finding a
// place cost about a binary search, however many users a pool has, and reading
// on from a place costs nothing extra.
type keys struct {
	chunks [][]string // none empty, each sorted, all in order
}

const chunkSize = 512

// place returns the chunk in which key is or belongs.
func (k *keys) place(key string) int {
	i, found := slices.BinarySearchFunc(k.chunks, key, func(c []string, key string) int { return strings.Compare(c[0], key) })
	if !found && i > 0 {
		i--
	}
	return i
}

func (k *keys) insert(key string) {
	if len(k.chunks) == 0 {
		k.chunks = [][]string{{key}}
		return
	}
	c := k.place(key)
	i, found := slices.BinarySearch(k.chunks[c], key)
	if found {
		return
	}
	k.chunks[c] = slices.Insert(k.chunks[c], i, key)
	if n := len(k.chunks[c]); n > chunkSize {
		half := slices.Clone(k.chunks[c][n/2:])
		k.chunks[c] = k.chunks[c][:n/2]
		k.chunks = slices.Insert(k.chunks, c+1, half)
	}
}

func (k *keys) remove(key string) {
	if len(k.chunks) == 0 {
		return
	}
	c := k.place(key)
	i, found := slices.BinarySearch(k.chunks[c], key)
	if !found {
		return
	}
	k.chunks[c] = slices.Delete(k.chunks[c], i, i+1)
	if len(k.chunks[c]) == 0 {
		k.chunks = slices.Delete(k.chunks, c, c+1)
	}
}

// page returns up to limit keys that start with prefix and come after the key
// after, and whether there are more.
func (k *keys) page(prefix, after string, limit int) (found []string, more bool) {
	if len(k.chunks) == 0 {
		return nil, false
	}
	from := max(prefix, after)
	c := k.place(from)
	i, exact := slices.BinarySearch(k.chunks[c], from)
	if exact && from == after {
		i++
	}
	for ; c < len(k.chunks); c, i = c+1, 0 {
		for ; i < len(k.chunks[c]); i++ {
			key := k.chunks[c][i]
			if !strings.HasPrefix(key, prefix) {
				return found, false
			}
			if len(found) == limit {
				return found, true
			}
			found = append(found, key)
		}
	}
	return found, false
}

// Query selects users by one attribute.
type Query struct {
	Attribute string // as in a ListUsers filter; sub for all users
	Value     string
	Exact     bool // else Value is a prefix
}

// Page returns up to limit users of a query in the order of its attribute, from
// behind the place that an earlier page returned as next; "" is the start, and
// next is "" at the end.
func (d *Directory) Page(q Query, after string, limit int) (users []*User, next string) {
	d.mu.RLock()
	index := d.indexes[q.Attribute]
	if index == nil {
		d.mu.RUnlock()
		d.build(q.Attribute)
		d.mu.RLock()
		index = d.indexes[q.Attribute]
	}
	defer d.mu.RUnlock()
	prefix := q.Value
	if q.Exact {
		prefix += "\x00"
	}
	found, more := index.page(prefix, after, limit)
	for _, key := range found {
		users = append(users, d.bySub[userpool.Sub(key[strings.LastIndexByte(key, 0)+1:])])
	}
	switch {
	case !more:
		return users, ""
	case len(found) == 0:
		return users, after
	}
	return users, found[len(found)-1]
}

// build makes the index of an attribute, which put then keeps.
func (d *Directory) build(attribute string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.indexes[attribute] != nil {
		return
	}
	var all []string
	for _, u := range d.bySub {
		if key := indexKey(u, attribute); key != "" {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	index := &keys{}
	for chunk := range slices.Chunk(all, chunkSize/2) {
		index.chunks = append(index.chunks, slices.Clone(chunk))
	}
	d.indexes[attribute] = index
}
