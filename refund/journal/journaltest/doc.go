// Package journaltest is the contract of a journal.Store as a test suite. Run it on a store of your own:
//
//	func TestStore(t *testing.T) {
//		journaltest.RunStore(t, func(t *testing.T) journal.Store { return mystore.New(t.TempDir()) })
//	}
//
// Every sentence of journal.Store's documentation is a case, but for one: that what was accepted survives a crash, which
// a test in the same process cannot see. Run it also on a store with a single connection, if it has connections: one
// that is held where it must not be then shows.
package journaltest
