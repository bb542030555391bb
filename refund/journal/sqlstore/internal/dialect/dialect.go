// Package dialect has what the databases of package sqlstore do each in its own way.
package dialect

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/multirefund/refund-go/refund/journal"
)

// Database is an open database. Its queries have the placeholders $1, $2 and so on, which both databases know.
type Database interface {
	// Now, Write, Claim and Writers are those of journal.Store.
	Now(ctx context.Context) (time.Time, error)
	Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error)
	Claim(ctx context.Context, c journal.Claim) ([]journal.Entry, error)
	Writers() int

	// Query calls each with every row of a query that reads.
	Query(ctx context.Context, query string, args []any, each func(scan func(dest ...any) error) error) error
	// Exclusively runs work in a durable transaction, and nothing else that runs in one meanwhile, in any process.
	Exclusively(ctx context.Context, work func(tx Tx) error) error
	// Durable returns an error if a power cut could undo what was committed.
	Durable(ctx context.Context) error
	// Time returns the value that a time is compared as.
	Time(t time.Time) any
	// Duplicate reports whether err is the violation of a unique index.
	Duplicate(err error) bool
	Close() error

	Dialect() Dialect
}

// Tx is a transaction of Exclusively.
type Tx interface {
	// Exec executes a statement, or a script that has no args, and returns how many rows it has changed.
	Exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	// Int returns the number that a query reads.
	Int(ctx context.Context, query string) (int, error)
}

// Dialect is what the texts of the databases differ in.
type Dialect struct {
	// Migrations are the scripts that make version 1, 2 and so on of the schema. The first does nothing to tables that exist.
	Migrations []string
	// EventOrder are the columns of refund_events that its order goes by. All are integers.
	EventOrder string
	// EventShown is the condition for an event that nothing earlier will appear beside.
	EventShown string
}

// Scripts returns the migrations in a database's folder "schema", by name. It panics if one cannot be read: they are part of
// the program.
func Scripts(files embed.FS) []string {
	names, err := fs.Glob(files, "schema/*.sql")
	if err != nil {
		panic(err)
	}
	scripts := make([]string, len(names))
	for i, name := range names {
		script, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		scripts[i] = string(script)
	}
	return scripts
}
