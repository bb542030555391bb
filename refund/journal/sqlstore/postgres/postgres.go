package postgres

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/dialect"
)

//go:embed schema.sql
var schema string

const (
	// connections is how many connections a Store from Open uses at most, and keeps.
	connections = 16
	// migrationLock is an arbitrary number: every migration of the journal takes the advisory lock with it.
	migrationLock = "7236718329847"
	// uniqueViolation is the SQLSTATE of a value that a unique index has already.
	uniqueViolation = "23505"
)

// Open opens a database of PostgreSQL 12 or newer, with up to 16 connections. The dsn is a URL or a list of key=value, as
// libpq takes it; pgx also reads the PG* environment variables and the files that libpq reads. Call Migrate before
// anything else. Use New for a pool of your own.
func Open(ctx context.Context, dsn string) (*sqlstore.Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlstore: %w", err), db.Close())
	}
	return sqlstore.New(newDialect(), db, db, true), nil
}

// New makes a Store on an open database, which Close leaves open. The driver's errors must have the method SQLState, as
// those of github.com/jackc/pgx/v5/stdlib have. Transactions must be READ COMMITTED, the default. New does no I/O.
func New(db *sql.DB) *sqlstore.Store { return sqlstore.New(newDialect(), db, db, false) }

func newDialect() dialect.Dialect {
	return dialect.Dialect{
		Schema: schema,
		Bind:   numbered,
		Time:   func(t time.Time) any { return t.UTC().Truncate(time.Microsecond) },
		Duplicate: func(err error) bool {
			var state interface{ SQLState() string }
			return errors.As(err, &state) && state.SQLState() == uniqueViolation
		},
		Begin:      "BEGIN; SELECT pg_advisory_xact_lock(" + migrationLock + ")",
		Durability: "SHOW synchronous_commit",
		Lossy:      []string{"off"},
	}
}

// numbered replaces each ? by $1, $2 and so on.
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
