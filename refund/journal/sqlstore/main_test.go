package sqlstore

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/pgtest"
)

var cluster *pgtest.Cluster

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" { //nolint:forbidigo // how a test starts a process of itself
		os.Exit(play(role))
	}
	cluster = pgtest.Start()
	code := m.Run()
	cluster.Stop()
	os.Exit(code)
}

// databases are what every test runs on. open gives a migrated store, dsn what another process opens it by.
var databases = []database{
	{
		"PostgreSQL",
		func(tb testing.TB) string { return cluster.DSN(tb) },
		OpenPostgreSQL,
	},
	{
		"SQLite",
		func(tb testing.TB) string { return filepath.Join(tb.TempDir(), "journal.db") },
		OpenSQLite,
	},
}

type database struct {
	name string
	dsn  func(testing.TB) string
	open func(ctx context.Context, dsn string) (*Store, error)
}

// store opens a new, migrated store.
func (d database) store(tb testing.TB) *Store {
	tb.Helper()
	return d.reopen(tb, d.dsn(tb))
}

func (d database) reopen(tb testing.TB, dsn string) *Store {
	tb.Helper()
	s, err := d.open(tb.Context(), dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	require.NoError(tb, s.Migrate(tb.Context()))
	return s
}

func execute(tb testing.TB, db *sql.DB, statement string, args ...any) {
	tb.Helper()
	_, err := db.ExecContext(tb.Context(), statement, args...)
	require.NoError(tb, err, statement)
}
