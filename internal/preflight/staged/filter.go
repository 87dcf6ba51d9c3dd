package staged

import "hash/maphash"

// filter tells what it has seen twice, in memory that is set beforehand: two bits
// for each slot, and two slots for each text. It never misses a text that was
// there twice, and takes one in a hundred of the others for such.
type filter struct {
	once, twice []uint64
	seeds       [2]maphash.Seed
	mask        uint64
}

// Sizes of a filter: sixteen slots for each text, so that one in a hundred is
// wrong, of 1 MB in all up to 128 MB, which is right for 30 million texts.
const (
	slotsPerText = 16
	fewestSlots  = 1 << 22
	mostSlots    = 1 << 29
)

func newFilter(texts int) *filter {
	slots := uint64(fewestSlots)
	for slots < mostSlots && slots < uint64(texts)*slotsPerText {
		slots *= 2
	}
	return &filter{
		once: make([]uint64, slots/64), twice: make([]uint64, slots/64), mask: slots - 1,
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
}

func (f *filter) slots(text string) (a, b uint64) {
	return maphash.String(f.seeds[0], text) & f.mask, maphash.String(f.seeds[1], text) & f.mask
}

// add notes a text.
func (f *filter) add(text string) {
	a, b := f.slots(text)
	f.mark(a)
	if b != a {
		f.mark(b)
	}
}

func (f *filter) mark(slot uint64) {
	word, bit := slot/64, uint64(1)<<(slot%64)
	f.twice[word] |= f.once[word] & bit
	f.once[word] |= bit
}

// again reports whether a text may have been added more than once.
func (f *filter) again(text string) bool {
	a, b := f.slots(text)
	return f.has(a) && f.has(b)
}

func (f *filter) has(slot uint64) bool { return f.twice[slot/64]&(1<<(slot%64)) != 0 }
