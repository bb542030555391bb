// Package dialect describes how the databases of package sqlstore differ.
package dialect

import "time"

// Dialect is all that differs between the databases.
type Dialect struct {
	// Schema makes the tables, and does nothing to tables that exist.
	Schema string
	// Bind turns the question marks of a statement into the database's placeholders. No statement has a question mark
	// in a literal.
	Bind func(query string) string
	// Time returns the value that a time is stored as. Both databases keep microseconds.
	Time func(time.Time) any
	// Duplicate reports whether err is the violation of a unique index.
	Duplicate func(err error) bool
	// Begin begins a transaction that excludes every other migration.
	Begin string
	// Durability is the query for how commits are flushed. With the settings in Lossy a power cut can undo a commit.
	Durability string
	Lossy      []string
}
