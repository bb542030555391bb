package sqlstore

import (
	_ "embed"
	"errors"
	"strconv"
	"strings"
	"time"
)

//go:embed schema_postgresql.sql
var schemaPostgreSQL string

//go:embed schema_sqlite.sql
var schemaSQLite string

// dialect is all that differs between the databases.
type dialect struct {
	schema string
	// bind turns the question marks of a statement into the database's placeholders.
	bind func(query string) string
	// time is what a time, which is not zero, is stored as. Both databases keep microseconds.
	time func(time.Time) any
	// duplicate reports whether err is the violation of a unique index.
	duplicate func(error) bool
	// begin starts a migration that excludes all others.
	begin string
	// durability asks how commits are flushed, and lossy is what must not be answered: a power cut would undo commits.
	durability string
	lossy      []string
}

// migrationLock is an arbitrary number that migrations of the journal agree on.
const migrationLock = "7236718329847"

func postgreSQL() dialect {
	return dialect{
		schema: schemaPostgreSQL,
		bind:   numbered,
		time:   func(t time.Time) any { return t.UTC().Truncate(time.Microsecond) },
		duplicate: func(err error) bool {
			var state interface{ SQLState() string }
			return errors.As(err, &state) && state.SQLState() == "23505" // unique_violation
		},
		begin:      "BEGIN; SELECT pg_advisory_xact_lock(" + migrationLock + ")",
		durability: "SHOW synchronous_commit",
		lossy:      []string{"off"},
	}
}

func sqlite() dialect {
	const constraintUnique = 2067 // SQLITE_CONSTRAINT_UNIQUE
	return dialect{
		schema: schemaSQLite,
		bind:   func(query string) string { return query },
		time:   func(t time.Time) any { return t.UnixMicro() },
		duplicate: func(err error) bool {
			var code interface{ Code() int }
			return errors.As(err, &code) && code.Code() == constraintUnique
		},
		begin:      "BEGIN IMMEDIATE",
		durability: "PRAGMA synchronous",
		lossy:      []string{"0", "1"}, // OFF, NORMAL
	}
}

// numbered replaces each ? by $1, $2 and so on. No statement has a question mark in a literal.
func numbered(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}
