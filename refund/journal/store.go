package journal

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Store keeps entries and their history. It is the only part of the journal that is shared between processes, and must be
// durable: what Write has accepted survives a crash of the process and of the machine. It decides nothing: rules, leases
// and batches are the journal's. Times are kept to the microsecond. A context that is over is an error of every method, and
// nothing is written. Safe for concurrent use. Package journaltest has its contract as a test suite.
//
// The interface may grow: a Store of your own should embed UnimplementedStore.
type Store interface {
	// Now is the store's clock, which all processes share. It does not stand still and does not go back by itself.
	Now(ctx context.Context) (time.Time, error)

	// Write makes all changes in one commit, and answers each by itself, in their order: one that is refused does not keep
	// back the others. An OrderLock that one frees is free for the others, wherever they stand; of two that take it one is
	// made. No two changes of a call are of one ID. An error means that nothing can be said of any of them: each may have
	// been made.
	Write(ctx context.Context, changes []Change) ([]Result, error)

	// Claim gives entries with work to do to one caller, who works on them under a lease.
	Claim(ctx context.Context, c Claim) ([]Entry, error)

	// Get returns the entry with this ID, or ErrNoEntry. It sees what was written before.
	Get(ctx context.Context, id ID) (Entry, error)

	// Entries returns what f selects, by Created and then Provider, Account and Key in the order of their bytes. A filter
	// that would read everything is ErrFilter. The sequence holds no lock and no connection while the caller works on an
	// entry, ends after its first error, and can be ranged over again. An entry that changes meanwhile may be left out, or
	// come as it was.
	Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error]

	// Events returns the history that f selects, in an order that never changes: what appears later never sorts earlier.
	// Otherwise as Entries.
	Events(ctx context.Context, f EventFilter) iter.Seq2[Event, error]

	// Stats counts the unfinished work.
	Stats(ctx context.Context) (Stats, error)

	// Accounts returns the accounts that were added, by Provider and Name.
	Accounts(ctx context.Context) ([]Account, error)
	// AddAccount adds an account, or gives it another Target. If first is set it does so only if the provider has no
	// account yet, and is ErrUnknownAccount otherwise; that is decided atomically.
	AddAccount(ctx context.Context, a Account, first bool) error
	// RenameAccount gives an account another name, and its entries with it, in one commit. ErrUnknownAccount if there is no
	// such account, or if the new name is taken.
	RenameAccount(ctx context.Context, provider, from, to string) error

	// Writers is how many Writes at once are fastest. More are allowed.
	Writers() int
}

// Change is one entry as it shall be.
type Change struct {
	// Entry is new if its Version is 1. Else it replaces the one with its ID, whose Version must be one less; Order, Amount,
	// Part, Line and Created stay as they were, whatever it has there.
	Entry Entry
	// Event goes into the history in the same commit; nil for none. Its Provider, Account, Key
	// and Version are the Entry's, whatever it has there.
	Event *Event
}

// Result is what became of a Change.
type Result struct {
	// Err is nil if it was made; ErrKeyExists if it is new and its ID is not; ErrStale if the entry has another version, or
	// is not there; or else ErrOrderBusy if it has an OrderLock and another entry of its Provider, Account and OrderKey has
	// one. All are decided atomically. Any other error is about this change alone: it was not made.
	Err error
	// Entry is the entry in the way, with ErrKeyExists, ErrStale (if it is there) and ErrOrderBusy.
	Entry Entry
}

// Claim selects entries with work to do: Due, by the store's clock, and not leased, earliest first. What others claim at the
// same moment is left out, not waited for. Each gets Owner, a Lease by the store's clock and a new Version. If its old Lease
// ended without a word of its owner, that one may have sent something until then: LastSent is not before the end of it.
type Claim struct {
	Provider, Account string
	Overdue           time.Duration // only what has been due that long
	Owner             string
	Lease             time.Duration
	Limit             int // at most so many
}

// Filter selects entries. Zero fields select all, but OrderKey, Attention, States that are unfinished, or From has to be set.
type Filter struct {
	// Provider and Account select the entries of one account. An empty Provider selects all accounts of all providers,
	// and Account does not count.
	Provider, Account string

	OrderKey     string // see Entry.OrderKey; needs Provider
	States       []State
	Attention    bool      // those that have one
	From, Before time.Time // Created is not earlier than From, and earlier than Before
}

// indexed reports whether f can be answered without reading everything.
func (f *Filter) indexed() bool {
	if f.OrderKey != "" {
		return f.Provider != ""
	}
	unfinished := len(f.States) > 0
	for _, s := range f.States {
		unfinished = unfinished && s.Unfinished()
	}
	return f.Attention || unfinished || !f.From.IsZero()
}

// Check returns ErrFilter if f would read everything. It is for stores.
func (f *Filter) Check() error {
	if !f.indexed() {
		return ErrFilter
	}
	return nil
}

// Event is a line of the history: a change of state, or of Attention.
type Event struct {
	Cursor    string    `json:"cursor"` // its place in the history; opaque, the store's
	Provider  string    `json:"provider"`
	Account   string    `json:"account,omitzero"`
	Key       string    `json:"key"`
	Version   int64     `json:"version"` // of the entry
	At        time.Time `json:"at"`
	From      State     `json:"from,omitzero"` // "" for a new entry
	To        State     `json:"to"`
	Attention Attention `json:"attention,omitzero"`
	RefundID  string    `json:"refund_id,omitzero"`
	Note      string    `json:"note,omitzero"`
	By        string    `json:"by,omitzero"` // who decided; "" for the journal itself
}

// ID returns the name of the event's entry.
func (e *Event) ID() ID { return ID{e.Provider, e.Account, e.Key} }

// EventFilter selects events. Zero fields select all.
type EventFilter struct {
	ID    ID     // the history of one entry; the zero ID selects all
	After string // a Cursor: only what comes after it. Any other text is an error.
}

// Stats is the unfinished work of all accounts. Only what there is is listed, by Provider, Account and State.
type Stats struct {
	States    []Stat // entries in the states that are unfinished
	Attention []Stat // entries that have one; State is empty
}

// Stat is one count of Stats.
type Stat struct {
	Provider, Account string
	State             State
	Count             int       // at most MaxCount: then there may be more
	Oldest            time.Time // Created of the oldest; exact
}

// MaxCount is how far Stats counts.
const MaxCount = 10_000

// Account is a merchant account that the store has entries of.
type Account struct {
	Provider string `json:"provider"`
	Name     string `json:"name"`   // refund.Options.Account of the client
	Target   string `json:"target"` // refund.Capabilities.Target of the client
}

// The errors of a Store.
var (
	ErrKeyExists      = errors.New("journal: the key has an entry")
	ErrStale          = errors.New("journal: the entry has changed")
	ErrNoEntry        = errors.New("journal: no such entry")
	ErrOrderBusy      = errors.New("journal: another refund of the order is in flight or unresolved")
	ErrFilter         = errors.New("journal: the filter would read everything; set OrderKey with Provider, Attention, From or unfinished States")
	ErrUnknownAccount = errors.New("journal: the store does not know the account")
	ErrUnimplemented  = errors.New("journal: the store cannot do that")
)

// UnimplementedStore is for a Store of your own to embed, so that it compiles when the interface has grown. Its methods are
// ErrUnimplemented.
type UnimplementedStore struct{}

// Now implements Store.
func (UnimplementedStore) Now(context.Context) (time.Time, error) {
	return time.Time{}, ErrUnimplemented
}

// Write implements Store.
func (UnimplementedStore) Write(context.Context, []Change) ([]Result, error) {
	return nil, ErrUnimplemented
}

// Claim implements Store.
func (UnimplementedStore) Claim(context.Context, Claim) ([]Entry, error) {
	return nil, ErrUnimplemented
}

// Get implements Store.
func (UnimplementedStore) Get(context.Context, ID) (Entry, error) { return Entry{}, ErrUnimplemented }

// Entries implements Store.
func (UnimplementedStore) Entries(context.Context, Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { yield(Entry{}, ErrUnimplemented) }
}

// Events implements Store.
func (UnimplementedStore) Events(context.Context, EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) { yield(Event{}, ErrUnimplemented) }
}

// Stats implements Store.
func (UnimplementedStore) Stats(context.Context) (Stats, error) { return Stats{}, ErrUnimplemented }

// Accounts implements Store.
func (UnimplementedStore) Accounts(context.Context) ([]Account, error) {
	return nil, ErrUnimplemented
}

// AddAccount implements Store.
func (UnimplementedStore) AddAccount(context.Context, Account, bool) error { return ErrUnimplemented }

// RenameAccount implements Store.
func (UnimplementedStore) RenameAccount(context.Context, string, string, string) error {
	return ErrUnimplemented
}

// Writers implements Store.
func (UnimplementedStore) Writers() int { return 1 }
