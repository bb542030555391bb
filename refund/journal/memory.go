package journal

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
)

// NewMemory makes a Store that forgets everything with the process: for tests, and for trying the journal out.
func NewMemory() Store { return &memory{entries: map[id]Entry{}} }

type id struct{ provider, key string }

type memory struct {
	mu      sync.Mutex
	entries map[id]Entry
}

func (m *memory) Insert(ctx context.Context, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[id{e.Provider, e.Key}]; ok {
		return ErrExists
	}
	return m.put(ctx, e)
}

func (m *memory) Update(ctx context.Context, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.entries[id{e.Provider, e.Key}]
	if known.Version != e.Version-1 || e.Version == 1 {
		return ErrConflict
	}
	e.Order, e.Amount, e.Part, e.Line, e.Created = known.Order, known.Amount, known.Part, known.Line, known.Created
	return m.put(ctx, e)
}

func (m *memory) put(ctx context.Context, e Entry) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the context's own
	}
	if e.State.Open() {
		for _, other := range m.entries {
			if other.State.Open() && other.Key != e.Key && other.Provider == e.Provider && other.OrderKey() == e.OrderKey() {
				return ErrOrderBusy
			}
		}
	}
	m.entries[id{e.Provider, e.Key}] = e
	return nil
}

func (m *memory) Get(ctx context.Context, provider, key string) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err //nolint:wrapcheck // the context's own
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[id{provider, key}]
	if !ok {
		return Entry{}, ErrNotFound
	}
	return e, nil
}

func (m *memory) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Entry{}, err)
			return
		}
		m.mu.Lock()
		var found []Entry
		for _, e := range m.entries {
			if f.selects(&e) {
				found = append(found, e)
			}
		}
		m.mu.Unlock()
		slices.SortFunc(found, func(a, b Entry) int {
			return cmp.Or(a.Due.Compare(b.Due), a.Created.Compare(b.Created), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Key, b.Key))
		})
		for _, e := range found {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (f *Filter) selects(e *Entry) bool {
	return (f.Provider == "" || f.Provider == e.Provider) &&
		(f.OrderKey == "" || f.OrderKey == e.OrderKey()) &&
		(len(f.States) == 0 || slices.Contains(f.States, e.State)) &&
		(f.DueBy.IsZero() || !e.Due.IsZero() && !e.Due.After(f.DueBy)) &&
		(f.Before.IsZero() || e.Created.Before(f.Before))
}
