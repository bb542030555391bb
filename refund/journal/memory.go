package journal

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// NewMemory makes a Store that forgets everything with the process: for tests, and for trying the journal out.
func NewMemory() Store { return &memory{entries: map[ID]Entry{}, accounts: map[account]string{}} }

type memory struct {
	mu       sync.Mutex
	entries  map[ID]Entry
	events   []Event
	accounts map[account]string // their targets
}

// do runs f under the lock, unless ctx is over.
func (m *memory) do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the context's own
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

func (m *memory) Now(ctx context.Context) (time.Time, error) { return time.Now(), ctx.Err() }

func (m *memory) Write(ctx context.Context, changes []Change) ([]Result, error) {
	results := make([]Result, len(changes))
	return results, m.do(ctx, func() error {
		for _, locking := range []bool{false, true} { // what frees a lock comes first
			for i, c := range changes {
				if c.Entry.OrderLock == locking {
					results[i] = m.change(c)
				}
			}
		}
		return nil
	})
}

func (m *memory) change(c Change) Result {
	result := m.write(c.Entry)
	if result.Err == nil && c.Event != nil {
		event := *c.Event
		event.Provider, event.Account, event.Key, event.Version = c.Entry.Provider, c.Entry.Account, c.Entry.Key, c.Entry.Version
		event.Cursor = strconv.Itoa(len(m.events) + 1)
		m.events = append(m.events, event)
	}
	return result
}

func (m *memory) write(e Entry) Result {
	known, ok := m.entries[e.ID()]
	switch {
	case e.Version == 1 && ok:
		return Result{ErrKeyExists, known}
	case e.Version != 1 && known.Version != e.Version-1:
		return Result{ErrStale, known}
	}
	if ok {
		e.Order, e.Amount, e.Part, e.Line, e.Created = known.Order, known.Amount, known.Part, known.Line, known.Created
	}
	if e.OrderLock {
		for _, other := range m.entries {
			if other.OrderLock && other.ID() != e.ID() && other.Provider == e.Provider && other.Account == e.Account &&
				other.OrderKey() == e.OrderKey() {
				return Result{ErrOrderBusy, other}
			}
		}
	}
	m.entries[e.ID()] = e
	return Result{}
}

func (m *memory) Claim(ctx context.Context, c Claim) (found []Entry, err error) {
	err = m.do(ctx, func() error {
		now := time.Now()
		due := func(e *Entry) bool {
			return e.Provider == c.Provider && e.Account == c.Account && !e.Due.IsZero() && !e.Due.After(now.Add(-c.Overdue)) && !e.leased(now)
		}
		found = m.selected(due, func(a, b Entry) int { return cmp.Or(a.Due.Compare(b.Due), a.ID().compare(b.ID())) })
		found = found[:min(c.Limit, len(found))]
		for i := range found {
			e := claimed(found[i], c.Owner, now, c.Lease)
			e.Version, e.Updated = e.Version+1, now
			m.entries[e.ID()], found[i] = e, e
		}
		return nil
	})
	return found, err
}

func (m *memory) Get(ctx context.Context, id ID) (e Entry, err error) {
	err = m.do(ctx, func() error {
		var ok bool
		if e, ok = m.entries[id]; !ok {
			return ErrNoEntry
		}
		return nil
	})
	return e, err
}

func (m *memory) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := f.Check()
		var found []Entry
		if err == nil {
			err = m.do(ctx, func() error {
				found = m.selected(f.selects, func(a, b Entry) int { return cmp.Or(a.Created.Compare(b.Created), a.ID().compare(b.ID())) })
				return nil
			})
		}
		yieldAll(yield, found, err)
	}
}

// selected returns the entries that f is true of, in order.
func (m *memory) selected(f func(*Entry) bool, order func(a, b Entry) int) []Entry {
	var found []Entry
	for _, e := range m.entries {
		if f(&e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, order)
	return found
}

func yieldAll[T any](yield func(T, error) bool, all []T, err error) {
	for _, v := range all {
		if !yield(v, nil) {
			return
		}
	}
	if err != nil {
		var none T
		yield(none, err)
	}
}

func (f *Filter) selects(e *Entry) bool {
	return (f.Provider == "" || f.Provider == e.Provider && f.Account == e.Account) &&
		(f.OrderKey == "" || f.OrderKey == e.OrderKey()) &&
		(len(f.States) == 0 || slices.Contains(f.States, e.State)) &&
		(!f.Attention || e.Attention != "") &&
		!e.Created.Before(f.From) && (f.Before.IsZero() || e.Created.Before(f.Before))
}

func (m *memory) Events(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var found []Event
		err := m.do(ctx, func() error {
			after, err := strconv.Atoi(cmp.Or(f.After, "0"))
			if err != nil || after < 0 || after > len(m.events) {
				return fmt.Errorf("journal: there is no cursor %q", f.After)
			}
			for _, event := range m.events[after:] {
				if f.ID == (ID{}) || f.ID == event.ID() {
					found = append(found, event)
				}
			}
			return nil
		})
		yieldAll(yield, found, err)
	}
}

func (m *memory) Stats(ctx context.Context) (stats Stats, err error) {
	err = m.do(ctx, func() error {
		states, attention := map[Stat]*Stat{}, map[Stat]*Stat{}
		for _, e := range m.entries {
			if e.State.Unfinished() {
				count(states, Stat{Provider: e.Provider, Account: e.Account, State: e.State}, e.Created)
			}
			if e.Attention != "" {
				count(attention, Stat{Provider: e.Provider, Account: e.Account}, e.Created)
			}
		}
		stats = Stats{sorted(states), sorted(attention)}
		return nil
	})
	return stats, err
}

func count(stats map[Stat]*Stat, of Stat, created time.Time) {
	s := stats[of]
	if s == nil {
		s = &Stat{Provider: of.Provider, Account: of.Account, State: of.State, Oldest: created}
		stats[of] = s
	}
	s.Count = min(s.Count+1, MaxCount)
	if created.Before(s.Oldest) {
		s.Oldest = created
	}
}

func sorted(stats map[Stat]*Stat) []Stat {
	var all []Stat
	for _, s := range stats {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Stat) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Account, b.Account), cmp.Compare(a.State, b.State))
	})
	return all
}

func (m *memory) Accounts(ctx context.Context) (all []Account, err error) {
	err = m.do(ctx, func() error {
		for a, target := range m.accounts {
			all = append(all, Account{a.provider, a.name, target})
		}
		slices.SortFunc(all, func(a, b Account) int {
			return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
		})
		return nil
	})
	return all, err
}

func (m *memory) AddAccount(ctx context.Context, a Account, first bool) error {
	return m.do(ctx, func() error {
		if first {
			for known := range m.accounts {
				if known.provider == a.Provider {
					return ErrUnknownAccount
				}
			}
		}
		m.accounts[account{a.Provider, a.Name}] = a.Target
		return nil
	})
}

func (m *memory) RenameAccount(ctx context.Context, provider, from, to string) error {
	return m.do(ctx, func() error {
		old, renamed := account{provider, from}, account{provider, to}
		target, ok := m.accounts[old]
		if _, taken := m.accounts[renamed]; !ok || taken {
			return ErrUnknownAccount
		}
		for id := range m.entries {
			if id.Provider == provider && id.Account == to { // of an account that nobody has added
				return ErrUnknownAccount
			}
		}
		delete(m.accounts, old)
		m.accounts[renamed] = target
		entries := maps.Clone(m.entries)
		for id, e := range entries {
			if id.Provider == provider && id.Account == from {
				delete(m.entries, id)
				e.Account = to
				m.entries[e.ID()] = e
			}
		}
		for i := range m.events {
			if e := &m.events[i]; e.Provider == provider && e.Account == from {
				e.Account = to
			}
		}
		return nil
	})
}

func (m *memory) Writers() int { return 1 }
