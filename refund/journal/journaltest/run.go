package journaltest

import (
	"fmt"
	"testing"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// RunStore runs every case of the contract, each as a subtest with a store of its own. newStore makes an empty store, and
// cleans up with t.Cleanup.
func RunStore(t *testing.T, newStore func(t *testing.T) journal.Store) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			c.run(&env{reporter: t, Store: newStore(t), patience: time.Minute})
		})
	}
}

// reporter is the part of testing.TB that cases use, so that the suite itself can be tested.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

type testCase struct {
	name string
	run  func(*env)
}

// env is what one case works with.
type env struct {
	reporter
	journal.Store
	patience time.Duration // with what must not block
	n        int
}

// noon is when the suite takes place.
func noon() time.Time { return time.Date(2026, 2, 28, 12, 0, 0, 123456000, time.UTC) }

// entry makes a new entry, of an order of its own.
func (e *env) entry() journal.Entry {
	e.n++
	return journal.Entry{
		Provider: "toy", Key: fmt.Sprintf("key-%d", e.n), Order: orderID(fmt.Sprintf("order-%d", e.n)), Amount: aud(1099),
		State: journal.StateSending, Version: 1, Lease: noon().Add(time.Hour), Due: noon().Add(time.Hour),
		FirstSent: noon(), Created: noon(), Updated: noon(),
	}
}

// with makes a new entry that is different.
func (e *env) with(change func(*journal.Entry)) journal.Entry {
	entry := e.entry()
	change(&entry)
	return entry
}

// next is what follows on entry.
func next(entry journal.Entry, state journal.State) journal.Entry {
	entry.State = state
	entry.Version++
	entry.Updated = entry.Updated.Add(time.Second)
	if !state.Open() {
		entry.Lease, entry.Due = time.Time{}, time.Time{}
	}
	return entry
}
