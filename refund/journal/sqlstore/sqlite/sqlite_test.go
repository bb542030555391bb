package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/journaltest"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
)

// opened opens a migrated store on the file at path.
func opened(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	journaltest.RunStore(t, func(t *testing.T) journal.Store { return opened(t, filepath.Join(t.TempDir(), "journal.db")) })
}

// A store with one connection blocks if a method holds a connection for too long.
func TestStoreWithOneConnection(t *testing.T) {
	journaltest.RunStore(t, func(t *testing.T) journal.Store {
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "journal.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		db.SetMaxOpenConns(1)
		s := New(db)
		require.NoError(t, s.Migrate(t.Context()))
		t.Cleanup(func() {
			require.NoError(t, s.Close())
			require.NoError(t, db.PingContext(context.WithoutCancel(t.Context())), "Close leaves the database open")
		})
		return s
	})
}

// A commit must survive a power cut.
func TestDurability(t *testing.T) {
	write, read, err := open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	require.NoError(t, err)
	s := sqlstore.New(newDialect(), write, read, true)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Migrate(t.Context()))
	for query, want := range map[string]string{"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA busy_timeout": "30000"} {
		var got string
		require.NoError(t, write.QueryRowContext(t.Context(), query).Scan(&got))
		assert.Equal(t, want, got, query)
	}
	_, err = read.ExecContext(t.Context(), "DELETE FROM refund_journal")
	require.Error(t, err, "a connection for reading writes")
	for setting, lossy := range map[string]bool{"OFF": true, "NORMAL": true, "FULL": false, "EXTRA": false} {
		_, err := write.ExecContext(t.Context(), "PRAGMA synchronous = "+setting)
		require.NoError(t, err)
		assert.Equal(t, lossy, s.Migrate(t.Context()) != nil, setting)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, path := range []string{"", ":memory:", filepath.Join(t.TempDir(), "missing", "journal.db")} {
		_, err := Open(t.Context(), path)
		require.Error(t, err, path)
	}
}

// A file may have any name.
func TestPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b=c.db", "a#b.db", "a%20b.db", "ä&_pragma=synchronous(OFF).db"} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, opened(t, path).Insert(t.Context(), journal.Entry{Provider: "toy", Key: "k", Version: 1}))
		assert.FileExists(t, path)
	}
}
