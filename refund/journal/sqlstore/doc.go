// Package sqlstore keeps the journal of refunds in a database: PostgreSQL, which many processes on many machines share, or
// SQLite, a file that the processes of one machine share.
//
//	store, err := sqlstore.OpenSQLite(ctx, "refunds.db") // or OpenPostgreSQL(ctx, "postgres://...")
//	if err != nil { ... }
//	defer store.Close()
//	if err := store.Migrate(ctx); err != nil { ... }
//	j := journal.New(store, journal.Options{})
//
// It is a module of its own, so that who does not need a database does not get the drivers.
//
// # What is stored
//
// One row for each refund in the table refund_journal, and the version of the schema in refund_journal_schema. The files
// schema_postgresql.sql and schema_sqlite.sql say what each column is. Stored are the names of the provider, the order
// and the refund (yours and the provider's), the amount, what is refunded of the order, when and how often it was sent,
// what became of it in the provider's codes, and what the state rests on. Not stored are Request.Reason,
// Request.Metadata, the provider's bodies and messages, and credentials. No column is for personal data: order and
// line ids must not be any (no e-mail addresses), and who is named in Decide is named in the column note.
//
// Rows are never deleted: a key means the same refund for ever. Delete old finished ones yourself once nobody can send
// their keys again. Amounts are in minor units. Times are in UTC, to the microsecond. In what a provider said, NUL and
// bytes that are not UTF-8 become U+FFFD.
//
// # What the database promises
//
// That an order has one open refund at a time, and a key one row, are unique indexes. Every change is one statement and
// one commit, flushed to the disk before the journal goes on: synchronous_commit must not be off in PostgreSQL, SQLite
// runs with WAL and synchronous = FULL. Migrate refuses settings that would lose commits.
//
// # SQLite
//
// A file must be on a local disk. Within a process there is one connection that writes, for which goroutines queue, and
// a few that read; a process waits up to 30 seconds for another one to finish writing. More than a few writing
// processes, or more than one machine, are for PostgreSQL.
package sqlstore
