// Package sqlite opens the journal's Store on an SQLite file, which the processes of one machine may share.
//
//	store, err := sqlite.Open(ctx, "refunds.db")
//	if err != nil { ... }
//	defer store.Close()
//	if err := store.Migrate(ctx); err != nil { ... }
//	j := journal.New(store, journal.Options{})
//
// The file must be on a local disk. Within a process, goroutines queue for the one connection that writes, and a few
// connections read. A process waits up to 30 seconds for another one to finish writing, or until the caller's context ends.
// Use package postgres for more than a few writing processes, or for more than one machine.
//
// The store's clock is the machine's.
//
// Package sqlstore describes what is stored.
package sqlite
