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
	// Insert adds e. It is ErrExists if an entry has its Provider and Key, or else ErrOrderBusy if e is open and another
	// open entry has its Provider and OrderKey. Both are decided atomically.
	Insert(ctx context.Context, e Entry) error
	// Update replaces the entry with e's Provider and Key, if its Version is e.Version-1. It is ErrConflict if it is
	// not, and ErrOrderBusy as for Insert. Provider, Key, Order, Amount, Part, Line and Created stay as they were
	// inserted, whatever e has there.
	Update(ctx context.Context, e Entry) error
	// Get returns the entry of a key, or ErrNotFound.
	Get(ctx context.Context, provider, key string) (Entry, error)
	// Entries returns what f selects, by Due (those without one first) and then Created, Provider and Key in the order of
	// their bytes. The sequence holds no lock and no connection while the caller works on an entry, ends after its
	// first error, and can be ranged over again. An entry that changes meanwhile may be left out, or come as it was.
	Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error]
}

// Filter selects entries. Zero fields select all.
type Filter struct {
	Provider string
	OrderKey string // see Entry.OrderKey
	States   []State
	DueBy    time.Time // Due is set and not later
	Before   time.Time // Created is earlier
}

// The errors of a Store.
var (
	ErrExists    = errors.New("journal: the key has an entry")
	ErrConflict  = errors.New("journal: the entry has changed")
	ErrNotFound  = errors.New("journal: no such entry")
	ErrOrderBusy = errors.New("journal: another refund of the order is in flight or unresolved")
)
