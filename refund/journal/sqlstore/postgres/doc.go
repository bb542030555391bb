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
// refund_entries and refund_accounts, SELECT and INSERT on refund_events, and SELECT on refund_schema. The Store reads what
// it has just written, so it must always reach the primary, never a replica, and no proxy may send its reads to one. pgxpool
// opens as many connections as there are cores, and 4 at least; pool_max_conns in the dsn says otherwise.
//
// # PgBouncer
//
// In its transaction mode PgBouncer has to know prepared statements: version 1.21 or newer, with max_prepared_statements
// greater than 0. Before an older one, add default_query_exec_mode=cache_describe (or exec) to the dsn; that costs some speed.
// Without it calls fail with an error that says so, and nothing is written.
//
// # Events
//
// An event is shown once every transaction that began before its own has ended, in any database of the server: a long one
// that writes holds the history up for that time. The history of a single entry waits for nobody.
//
// The order of the history goes by the server's transaction numbers. A dump that is restored into another server brings the
// old server's numbers with it, and what the new one writes would sort before them. After restoring one:
//
//	UPDATE refund_events SET tx = 0
//
// Cursors from before that are void.
//
// Package sqlstore describes what is stored. Package postgrestest starts a temporary PostgreSQL for tests.
package postgres
