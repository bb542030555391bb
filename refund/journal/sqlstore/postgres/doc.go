// Package postgres opens the journal's Store on PostgreSQL 12 or newer, which any number of processes on any number of
// machines may share.
//
//	store, err := postgres.Open(ctx, "postgres://user:password@db.example/shop")
//	if err != nil { ... }
//	defer store.Close()
//	if err := store.Migrate(ctx); err != nil { ... }
//	j := journal.New(store, journal.Options{})
//
// Migrate needs the right to create tables only when they are missing. Every later call needs SELECT, INSERT and UPDATE on
// refund_journal, and SELECT on refund_journal_schema. The Store reads what it has just written, so it must always reach
// the primary, never a replica.
//
// Package sqlstore describes what is stored. Package postgrestest starts a temporary PostgreSQL for tests.
package postgres
