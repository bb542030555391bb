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
	patience time.Duration // with what must not block, and with what may take a moment
	n        int
}

// noon is when the suite takes place, where the store's clock does not matter.
func noon() time.Time { return time.Date(2026, 2, 28, 12, 0, 0, 123456000, time.UTC) }

// entry makes a new entry, of an order of its own, that locks nothing and is never due.
func (e *env) entry() journal.Entry {
	e.n++
	return journal.Entry{
		Provider: "toy", Key: fmt.Sprintf("key-%d", e.n), Order: orderID(fmt.Sprintf("order-%d", e.n)), Amount: aud(1099),
		State: journal.StateSending, Version: 1, FirstSent: noon(), Created: noon(), Updated: noon(),
	}
}

// with makes a new entry that is different.
func (e *env) with(change func(*journal.Entry)) journal.Entry {
	entry := e.entry()
	change(&entry)
	return entry
}

// locking makes a new entry that locks the order.
func (e *env) locking(order string) journal.Entry {
	return e.with(func(entry *journal.Entry) { entry.Order, entry.OrderLock = orderID(order), true })
}

// next is what follows on entry.
func next(entry journal.Entry, change func(*journal.Entry)) journal.Entry {
	entry.Version++
	entry.Updated = entry.Updated.Add(time.Second)
	change(&entry)
	return entry
}

func lock(entry *journal.Entry)   { entry.OrderLock = true }
func unlock(entry *journal.Entry) { entry.OrderLock = false }

// note says something else, and nothing more.
func note(text string) func(*journal.Entry) {
	return func(entry *journal.Entry) { entry.Note = text }
}
