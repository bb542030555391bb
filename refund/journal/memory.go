package journal

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
)

// NewMemory makes a Store that forgets everything with the process: for tests, and for trying the journal out.
func NewMemory() Store { return &memory{entries: map[ID]Entry{}} }

type memory struct {
	mu      sync.Mutex
	entries map[ID]Entry
}

func (m *memory) Insert(ctx context.Context, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[e.ID()]; ok {
		return ErrKeyExists
	}
	return m.put(ctx, e)
}

func (m *memory) Update(ctx context.Context, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.entries[e.ID()]
	if known.Version != e.Version-1 || e.Version == 1 {
		return ErrStale
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
			if other.State.Open() && other.ID() != e.ID() && other.Provider == e.Provider && other.Account == e.Account &&
				other.OrderKey() == e.OrderKey() {
				return ErrOrderBusy
			}
		}
	}
	m.entries[e.ID()] = e
	return nil
}

func (m *memory) Get(ctx context.Context, id ID) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err //nolint:wrapcheck // the context's own
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[id]
	if !ok {
		return Entry{}, ErrNoEntry
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
			return cmp.Or(a.Due.Compare(b.Due), a.Created.Compare(b.Created), a.ID().compare(b.ID()))
		})
		for _, e := range found {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (f *Filter) selects(e *Entry) bool {
	return (f.Provider == "" || f.Provider == e.Provider && f.Account == e.Account) &&
		(f.OrderKey == "" || f.OrderKey == e.OrderKey()) &&
		(len(f.States) == 0 || slices.Contains(f.States, e.State)) &&
		(f.DueBy.IsZero() || !e.Due.IsZero() && !e.Due.After(f.DueBy)) &&
		(f.Before.IsZero() || e.Created.Before(f.Before))
}
