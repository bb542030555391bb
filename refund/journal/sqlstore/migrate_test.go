package sqlstore_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
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
			require.NoError(t, s.DB().QueryRowContext(t.Context(), "SELECT count(*), max(version) FROM refund_journal_schema").Scan(&rows, &version))
			assert.Equal(t, 1, rows)
			assert.Equal(t, sqlstore.SchemaVersion, version)
		})
	}
}

func TestMigrateKeepsEntries(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			dsn := database.dsn(t)
			s := database.reopen(t, dsn)
			require.NoError(t, s.Insert(t.Context(), journal.Entry{Provider: "toy", Key: "k", State: journal.StateSending, Version: 1}))
			execute(t, s.DB(), "DELETE FROM refund_journal_schema") // as if the file had been applied half by hand
			again := database.reopen(t, dsn)
			_, err := again.Get(t.Context(), journal.ID{Provider: "toy", Key: "k"})
			require.NoError(t, err)
		})
	}
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			execute(t, s.DB(), "INSERT INTO refund_journal_schema (version) VALUES (99)")
			require.ErrorContains(t, s.Migrate(t.Context()), "99")
			// The failed migration has left its transaction and its lock.
			execute(t, s.DB(), "DELETE FROM refund_journal_schema WHERE version = 99")
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
			e := journal.Entry{Provider: "toy", Key: "k", State: journal.StateSending, Version: 1}
			require.Error(t, s.Insert(t.Context(), e))
			require.NoError(t, s.Migrate(t.Context()))
			require.NoError(t, s.Insert(t.Context(), e)) // the same store goes on
		})
	}
}
