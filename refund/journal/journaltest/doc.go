// Package journaltest is the contract of a journal.Store as a test suite. Run it on a store of your own:
//
//	func TestStore(t *testing.T) {
//		journaltest.RunStore(t, func(t *testing.T) journal.Store { return mystore.New(t.TempDir()) })
//	}
//
// Every sentence of journal.Store's documentation is a case, but for two that a test in the same process cannot see: that
// what was accepted survives a crash, and that Claim does not wait for what others claim. Nothing is expected of the wording
// of errors, of the order of events in one Write, or of how soon after its Write an event comes into sight.
//
// Run it also on a store with a single connection, if it has connections: one that is held where it must not be then shows.
// It takes a second or two where a Write takes a millisecond. No case waits for more than a lease of some milliseconds.
package journaltest
