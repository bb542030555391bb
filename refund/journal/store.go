package journal

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Store keeps entries. It is the only part of the journal that is shared between processes, and must be durable: an
// entry that Insert or Update has accepted survives a crash of the process and of the machine. Times are kept to the
// microsecond. A context that is over is an error of every method, and nothing is written. Safe for concurrent use.
// Package journaltest has its contract as a test suite.
type Store interface {
	// Insert adds e. It is ErrKeyExists if an entry has its ID, or else ErrOrderBusy if e is open and another open entry
	// has its Provider, Account and OrderKey. Both are decided atomically.
	Insert(ctx context.Context, e Entry) error
	// Update replaces the entry with e's ID, if its Version is e.Version-1. It is ErrStale if it is not, and ErrOrderBusy as
	// for Insert. The ID, Order, Amount, Part, Line and Created stay as they were inserted, whatever e has there.
	Update(ctx context.Context, e Entry) error
	// Get returns the entry with this ID, or ErrNoEntry.
	Get(ctx context.Context, id ID) (Entry, error)
	// Entries returns what f selects, by Due (those without one first) and then Created, Provider, Account and Key in the
	// order of their bytes. The sequence holds no lock and no connection while the caller works on an entry, ends after its
	// first error, and can be ranged over again. An entry that changes meanwhile may be left out, or come as it was.
	Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error]
}

// Filter selects entries. Zero fields select all.
type Filter struct {
	// Provider and Account select the entries of one account. An empty Provider selects all accounts of all providers,
	// and Account does not count.
	Provider, Account string

	OrderKey string // see Entry.OrderKey
	States   []State
	DueBy    time.Time // Due is set and not later
	Before   time.Time // Created is earlier
}

// The errors of a Store.
var (
	ErrKeyExists = errors.New("journal: the key has an entry")
	ErrStale     = errors.New("journal: the entry has changed")
	ErrNoEntry   = errors.New("journal: no such entry")
	ErrOrderBusy = errors.New("journal: another refund of the order is in flight or unresolved")
)
