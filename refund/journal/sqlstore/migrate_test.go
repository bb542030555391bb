package sqlstore

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// Many processes start at once on a database that nobody has used before.
func TestMigrateConcurrently(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			dsn := database.dsn(t)
			const processes = 8
			errs := make([]error, processes)
			var wg sync.WaitGroup
			for i := range processes {
				wg.Go(func() {
					s, err := database.open(t.Context(), dsn)
					if err == nil {
						err = s.Migrate(t.Context())
						assert.NoError(t, s.Migrate(t.Context()), "twice")
						assert.NoError(t, s.Close())
					}
					errs[i] = err
				})
			}
			wg.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
			s := database.reopen(t, dsn)
			var rows, version int
			require.NoError(t, s.read.QueryRowContext(t.Context(), "SELECT count(*), max(version) FROM refund_journal_schema").Scan(&rows, &version))
			assert.Equal(t, 1, rows)
			assert.Equal(t, schemaVersion, version)
		})
	}
}

func TestMigrateKeepsEntries(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			dsn := database.dsn(t)
			s := database.reopen(t, dsn)
			require.NoError(t, s.Insert(t.Context(), journal.Entry{Provider: "toy", Key: "k", State: journal.Sending, Version: 1}))
			execute(t, s.write, "DELETE FROM refund_journal_schema") // as if the file had been applied half by hand
			again := database.reopen(t, dsn)
			_, err := again.Get(t.Context(), "toy", "k")
			require.NoError(t, err)
		})
	}
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			execute(t, s.write, "INSERT INTO refund_journal_schema (version) VALUES (99)")
			require.ErrorContains(t, s.Migrate(t.Context()), "99")
			// The failed migration has left its transaction and its lock.
			execute(t, s.write, "DELETE FROM refund_journal_schema WHERE version = 99")
			require.NoError(t, s.Migrate(t.Context()))
		})
	}
}

func TestNotMigrated(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			dsn := database.dsn(t)
			s, err := database.open(t.Context(), dsn)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			e := journal.Entry{Provider: "toy", Key: "k", State: journal.Sending, Version: 1}
			require.Error(t, s.Insert(t.Context(), e))
			require.NoError(t, s.Migrate(t.Context()))
			require.NoError(t, s.Insert(t.Context(), e)) // the same store goes on
		})
	}
}

// What a commit has to survive is a power cut.
func TestDurability(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		s := databases[1].store(t)
		for query, want := range map[string]string{"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA busy_timeout": "30000"} {
			var got string
			require.NoError(t, s.write.QueryRowContext(t.Context(), query).Scan(&got))
			assert.Equal(t, want, got, query)
		}
		_, err := s.read.ExecContext(t.Context(), "DELETE FROM refund_journal")
		require.Error(t, err, "a connection for reading writes")
		for setting, lossy := range map[string]bool{"OFF": true, "NORMAL": true, "FULL": false, "EXTRA": false} {
			execute(t, s.write, "PRAGMA synchronous = "+setting)
			assert.Equal(t, lossy, s.Migrate(t.Context()) != nil, setting)
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		s := databases[0].store(t)
		var got string
		require.NoError(t, s.write.QueryRowContext(t.Context(), "SHOW synchronous_commit").Scan(&got))
		assert.Equal(t, "on", got)
		dsn := databases[0].dsn(t)
		off, err := OpenPostgreSQL(t.Context(), dsn+"&options="+"-c%20synchronous_commit%3Doff")
		require.NoError(t, err)
		require.ErrorContains(t, off.Migrate(t.Context()), "synchronous_commit")
		require.NoError(t, off.Close())
	})
}

func TestOpenRefuses(t *testing.T) {
	for _, path := range []string{"", ":memory:", filepath.Join(t.TempDir(), "missing", "journal.db")} {
		_, err := OpenSQLite(t.Context(), path)
		require.Error(t, err, path)
	}
	_, err := OpenPostgreSQL(t.Context(), "postgres://user:hunter2@127.0.0.1:1/none?sslmode=disable")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
	_, err = OpenPostgreSQL(t.Context(), "postgres://user:hunter2@127.0.0.1:99999/none")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

// A file may be called anything.
func TestSQLitePaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b=c.db", "a#b.db", "a%20b.db", "ä&_pragma=synchronous(OFF).db"} {
		path := filepath.Join(t.TempDir(), name)
		s := databases[1].reopen(t, path)
		require.NoError(t, s.Insert(t.Context(), journal.Entry{Provider: "toy", Key: "k", Version: 1}))
		assert.FileExists(t, path)
	}
}

// What a provider says must not keep a refund from being recorded.
func TestTextThatNoDatabaseTakes(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			e := journal.Entry{Provider: "toy", Key: "k", Order: refund.Order{ID: "o"}, State: journal.Sending, Version: 1, Created: time.Now()}
			require.NoError(t, s.Insert(t.Context(), e))
			const odd = "a\x00b\xffc"
			e.State, e.Version = journal.Succeeded, 2
			e.RefundID, e.ProviderStatus, e.FailureReason, e.Code, e.Note = odd, odd, odd, odd, odd
			require.NoError(t, s.Update(t.Context(), e))
			got, err := s.Get(t.Context(), "toy", "k")
			require.NoError(t, err)
			for _, text := range []string{got.RefundID, got.ProviderStatus, got.FailureReason, got.Code, got.Note} {
				assert.Equal(t, strings.NewReplacer("\x00", "\uFFFD", "\xff", "\uFFFD").Replace(odd), text)
			}
		})
	}
}

// A row that somebody has changed by hand is an error, and not another amount.
func TestImpossibleRow(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			require.NoError(t, s.Insert(t.Context(), journal.Entry{
				Provider: "toy", Key: "k", Amount: refund.MustParseMoney("1.00", "AUD"), Version: 1,
			}))
			execute(t, s.write, "UPDATE refund_journal SET currency = 'XXX'")
			_, err := s.Get(t.Context(), "toy", "k")
			require.ErrorIs(t, err, refund.ErrInvalidRequest)
			for _, err := range s.Entries(t.Context(), journal.Filter{}) {
				require.ErrorIs(t, err, refund.ErrInvalidRequest)
			}
		})
	}
}
