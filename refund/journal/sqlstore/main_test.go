package sqlstore_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres/postgrestest"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/sqlite"
)

var cluster *postgrestest.Cluster

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" { //nolint:forbidigo // how a test starts a process of itself
		os.Exit(play(role))
	}
	cluster = postgrestest.Start()
	code := m.Run()
	cluster.Stop()
	os.Exit(code)
}

// databases are what every test runs on.
var databases = []database{
	{
		"PostgreSQL", "pgx",
		func(tb testing.TB) string { return cluster.DSN(tb) },
		postgres.Open,
	},
	{
		"SQLite", "sqlite",
		func(tb testing.TB) string { return filepath.Join(tb.TempDir(), "journal.db") },
		sqlite.Open,
	},
}

type database struct {
	name, driver string
	dsn          func(testing.TB) string // makes a new database
	open         func(ctx context.Context, dsn string) (*sqlstore.Store, error)
}

// reopen opens a migrated store on a database that may have one already.
func (d database) reopen(tb testing.TB, dsn string) *sqlstore.Store {
	tb.Helper()
	s, err := d.open(tb.Context(), dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	require.NoError(tb, s.Migrate(tb.Context()))
	return s
}

// raw opens the database without a store.
func (d database) raw(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(d.driver, dsn)
	require.NoError(tb, err)
	db.SetMaxOpenConns(1) // so that what is set for a session stays
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	if d.driver == "sqlite" {
		execute(tb, db, "PRAGMA busy_timeout = 10000")
	}
	return db
}

func execute(tb testing.TB, db *sql.DB, statement string, args ...any) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), statement, args...)
	require.NoError(tb, err, statement)
}

func number(tb testing.TB, db *sql.DB, query string) int {
	tb.Helper()
	var n int
	require.NoError(tb, db.QueryRowContext(tb.Context(), query).Scan(&n), query)
	return n
}
