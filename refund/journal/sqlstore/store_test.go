package sqlstore

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/journaltest"
)

func TestStore(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			journaltest.RunStore(t, func(t *testing.T) journal.Store { return database.store(t) })
		})
	}
}

// A connection that is held where it must not be blocks a store that has only one.
func TestStoreWithOneConnection(t *testing.T) {
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			journaltest.RunStore(t, func(t *testing.T) journal.Store {
				dsn := database.dsn(t)
				driver, newStore := "pgx", NewPostgreSQL
				if database.name == "SQLite" {
					driver, newStore = "sqlite", NewSQLite
				}
				db, err := sql.Open(driver, dsn)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, db.Close()) })
				db.SetMaxOpenConns(1)
				s := newStore(db)
				require.NoError(t, s.Migrate(t.Context()))
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				return s
			})
		})
	}
}
