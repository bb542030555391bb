package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/journaltest"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
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

// A commit must survive a power cut.
func TestDurability(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s := opened(t, path)
	d, err := open(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	for query, want := range map[string]string{"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA fullfsync": "1"} {
		var got string
		require.NoError(t, d.write.QueryRowContext(t.Context(), query).Scan(&got))
		assert.Equal(t, want, got, query)
	}
	_, err = d.read.ExecContext(t.Context(), "DELETE FROM refund_entries")
	require.Error(t, err, "a connection for reading writes")
	for setting, lossy := range map[string]bool{"OFF": true, "NORMAL": true, "FULL": false, "EXTRA": false} {
		_, err := d.write.ExecContext(t.Context(), "PRAGMA synchronous = "+setting)
		require.NoError(t, err)
		assert.Equal(t, lossy, d.Durable(t.Context()) != nil, setting)
	}
	require.NoError(t, s.Close())
	require.NoError(t, d.read.Close()) // SQLite leaves WAL only if nobody else has the file
	_, err = d.write.ExecContext(t.Context(), "PRAGMA journal_mode = DELETE")
	require.NoError(t, err)
	require.ErrorContains(t, sqlstore.New(d).Migrate(t.Context()), "delete")
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
		opened(t, path)
		assert.FileExists(t, path)
	}
}

// What writes looks up an index. SQLite plans without knowing how much there is.
func TestPlans(t *testing.T) {
	d, err := open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	require.NoError(t, err)
	s := sqlstore.New(d)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Migrate(t.Context()))
	const key = "SEARCH refund_entries USING INDEX sqlite_autoindex_refund_entries_1 (provider=? AND account=? AND key=?)"
	for query, want := range map[string][]string{
		findQuery:           {key},
		row.Get:             {key},
		row.Holder:          {"SEARCH refund_entries USING INDEX refund_entries_order_lock (provider=? AND account=? AND order_key=?)"},
		d.stmts.updateQuery: {"SEARCH refund_entries USING INTEGER PRIMARY KEY (rowid=?)"},
		claimQuery: {
			"SEARCH refund_entries USING INTEGER PRIMARY KEY (rowid=?)", "LIST SUBQUERY 1",
			"SEARCH refund_entries USING INDEX refund_entries_due (provider=? AND account=? AND due>? AND due<?)",
		},
	} {
		args := make([]any, 30)
		rows, err := d.write.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
		require.NoError(t, err, query)
		var plan []string
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(new(any), new(any), new(any), &line))
			plan = append(plan, line)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		assert.Equal(t, want, plan, query)
	}
}

// Somebody else who does not end his transaction costs a caller no more time than he has.
func TestSomebodyElseWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s := opened(t, path)
	other, err := connect(path, 1, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	_, err = other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	change := journal.Change{Entry: journal.Entry{Provider: "toy", Key: "k", State: journal.StateSending, Version: 1}}
	_, err = s.Write(ctx, []journal.Change{change})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 5*time.Second)
	_, err = s.Get(t.Context(), journal.ID{Provider: "toy", Key: "k"})
	require.ErrorIs(t, err, journal.ErrNoEntry, "reading waits for nobody")
	done := make(chan error)
	go func() {
		_, err := s.Write(t.Context(), []journal.Change{change})
		done <- err
	}()
	_, err = other.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, <-done)
}
