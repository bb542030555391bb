// Package sqlstore keeps the journal of refunds in a database. Package postgres opens a PostgreSQL database, which many
// machines share; package sqlite opens an SQLite file, which the processes of one machine share. Both return the Store of
// this package, and a program compiles only the driver that it imports.
//
//	store, err := sqlite.Open(ctx, "refunds.db") // or postgres.Open(ctx, "postgres://...")
//	if err != nil { ... }
//	defer store.Close()
//	if err := store.Migrate(ctx); err != nil { ... }
//	j := journal.New(store, journal.Options{})
//
// The three packages are a module of their own, so programs without a database do not pull in the drivers.
//
// # What is stored
//
// The table refund_journal has one row for each refund, and refund_journal_schema has the version of the schema. The files
// postgres/schema.sql and sqlite/schema.sql describe each column. A row has the names of the provider, the account, the
// order and the refund (yours and the provider's), the amount, the part or line of the order, when and how often the
// refund was sent, its result in the provider's codes and failure reason, and why it is in its state. Request.Reason,
// Request.Metadata, the provider's bodies, and credentials are not stored. No column is for personal data: order ids, line
// ids and keys must not contain any, such as e-mail addresses. The column note names whoever made a Decision.
//
// Rows are never deleted: a key means the same refund forever. Delete old finished rows yourself, once nobody can send
// their keys again. Amounts are in minor units. Times are in UTC, to the microsecond. In text from a provider, NUL and
// invalid UTF-8 become U+FFFD.
//
// # What the database ensures
//
// Two unique indexes ensure that an order has one open refund at a time and a key one row. Every change is one statement
// and one commit, flushed to the disk before the journal goes on: synchronous_commit must not be off in PostgreSQL, and
// SQLite runs with WAL and synchronous = FULL. Migrate refuses settings that can lose commits.
package sqlstore
