package lookup

import (
	"container/list"
	"context"
	"sync"

	"golang.org/x/sync/singleflight"
)

// memory remembers what was read, as far as there is room.
type memory struct {
	flights singleflight.Group

	mu    sync.Mutex
	room  int64
	used  int64
	known map[string]*list.Element // of *thing
	order *list.List               // the most recently used first
}

type thing struct {
	key   string
	value any
	bytes int64
}

func newMemory(room int64) *memory {
	return &memory{room: room, known: map[string]*list.Element{}, order: list.New()}
}

func (m *memory) get(key string) (any, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.known[key]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(e)
	return e.Value.(*thing).value, true //nolint:forcetypeassert // nothing else is in the list
}

func (m *memory) put(key string, value any, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.known[key]; ok || bytes > m.room {
		return
	}
	m.known[key] = m.order.PushFront(&thing{key, value, bytes})
	m.used += bytes
	for m.used > m.room {
		last := m.order.Back()
		t := m.order.Remove(last).(*thing) //nolint:forcetypeassert // as above
		delete(m.known, t.key)
		m.used -= t.bytes
	}
}

// clear gives everything up.
func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	m.order.Init()
	m.used = 0
}

// sized is something that can be remembered.
type sized interface {
	bytes() int64 // about how many it takes
}

// remembered returns what is known under a key, or reads it: once, however many
// ask.
func remembered[V sized](ctx context.Context, m *memory, key string, read func() (V, error)) (V, error) {
	if known, ok := m.get(key); ok {
		return known.(V), nil //nolint:forcetypeassert // a key says what is under it
	}
	return shared(ctx, &m.flights, key, func() (V, error) {
		if known, ok := m.get(key); ok { // somebody else was just done
			return known.(V), nil //nolint:forcetypeassert // as above
		}
		v, err := read()
		if err == nil {
			m.put(key, v, v.bytes())
		}
		return v, err
	})
}

// shared does something once for all who want it at a time. It is done with the
// context of the first: when that one gives up, the next goes on.
func shared[V any](ctx context.Context, flights *singleflight.Group, key string, do func() (V, error)) (V, error) {
	for {
		v, err, others := flights.Do(key, func() (any, error) { return do() })
		if err != nil && others && ctx.Err() == nil && isCancelled(err) {
			continue
		}
		return v.(V), err //nolint:forcetypeassert // a key says what is done
	}
}
