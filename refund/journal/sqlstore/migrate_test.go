package sqlstore_test

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
)

// Many processes start at once on a database that nobody has used before.
func TestMigrateConcurrently(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.dsn(t)
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					s, err := d.open(t.Context(), dsn)
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
			s, db := d.reopen(t, dsn), d.raw(t, dsn)
			assert.Equal(t, s.SchemaVersion(), number(t, db, "SELECT count(*) FROM refund_schema"))
			assert.Equal(t, s.SchemaVersion(), number(t, db, "SELECT max(version) FROM refund_schema"))
		})
	}
}

// Who has applied the files by hand, in part or in whole, may call Migrate all the same.
func TestMigrateAfterTheFiles(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.dsn(t)
			script, err := os.ReadFile(map[string]string{"pgx": "postgres", "sqlite": "sqlite"}[d.driver] + "/schema/0001.sql")
			require.NoError(t, err)
			db := d.raw(t, dsn)
			execute(t, db, string(script))
			s := d.reopen(t, dsn)
			write(t, s, begun("k", "o"))
			execute(t, db, "DELETE FROM refund_schema")
			execute(t, db, "DROP INDEX refund_entries_created")
			_, err = d.reopen(t, dsn).Get(t.Context(), journal.ID{Provider: "toy", Account: "au", Key: "k"})
			require.NoError(t, err)
			execute(t, db, "DROP INDEX refund_entries_created") // it was made
		})
	}
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.dsn(t)
			s, db := d.reopen(t, dsn), d.raw(t, dsn)
			execute(t, db, "INSERT INTO refund_schema (version) VALUES (99)")
			require.ErrorContains(t, s.Migrate(t.Context()), "99")
			// The failed migration has left its transaction and its lock.
			execute(t, db, "DELETE FROM refund_schema WHERE version = 99")
			require.NoError(t, s.Migrate(t.Context()))
			require.NoError(t, s.AddAccount(t.Context(), journal.Account{Provider: "toy"}, true))
		})
	}
}

func TestNotMigrated(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			s, err := d.open(t.Context(), d.dsn(t))
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			_, err = s.Write(t.Context(), []journal.Change{begun("k", "o")})
			require.Error(t, err)
			_, err = s.Write(t.Context(), []journal.Change{begun("k", "o"), begun("l", "p")})
			require.Error(t, err)
			require.NoError(t, s.Migrate(t.Context()))
			write(t, s, begun("k", "o")) // the same store goes on
			write(t, s, begun("l", "p"), begun("m", "q"))
		})
	}
}
