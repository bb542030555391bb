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
// The table refund_entries has one row for each refund, refund_events its history, refund_accounts the accounts, and
// refund_schema the version of the schema. The files postgres/schema/0001.sql and sqlite/schema/0001.sql describe each column.
// A row has the names of the provider, the account, the order and the refund (yours and the provider's), the amount, the part
// or line of the order, when and how often the refund was sent, its result in the provider's codes and failure reason, and
// why it is in its state. Request.Reason, Request.Metadata, the provider's bodies, and credentials are not stored. No column
// is for personal data: order ids, line ids and keys must not contain any, such as e-mail addresses. The columns note and
// decided_by name whoever made a Decision.
//
// Entries are never deleted: a key means the same refund forever. Amounts are in minor units. Times are in UTC, to the
// microsecond. In text from a provider, NUL and invalid UTF-8 become U+FFFD.
//
// # What the database ensures
//
// Two unique indexes ensure that an order has one lock at a time and a key one row. A Write is one commit, with the history of
// what it changes, and is flushed to the disk before the journal goes on: the store sets synchronous_commit itself in
// PostgreSQL where it is off, and SQLite runs with WAL and synchronous = FULL. Migrate refuses settings that can lose commits.
// If the database refuses a value of one change, the others of its Write are made in commits of their own.
package sqlstore
