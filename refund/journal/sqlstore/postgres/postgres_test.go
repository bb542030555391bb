package postgres

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/journaltest"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres/postgrestest"
)

var cluster *postgrestest.Cluster

func TestMain(m *testing.M) {
	cluster = postgrestest.Start()
	code := m.Run()
	cluster.Stop()
	os.Exit(code)
}

func TestStore(t *testing.T) {
	journaltest.RunStore(t, func(t *testing.T) journal.Store {
		return opened(t, cluster.DSN(t))
	})
}

// A store with one connection blocks if a method holds a connection for too long.
func TestStoreWithOneConnection(t *testing.T) {
	journaltest.RunStore(t, func(t *testing.T) journal.Store {
		pool := connect(t, cluster.DSN(t), func(config *pgxpool.Config) { config.MaxConns = 1 })
		s := New(pool)
		require.NoError(t, s.Migrate(t.Context()))
		t.Cleanup(func() {
			require.NoError(t, s.Close())
			require.NoError(t, pool.Ping(context.WithoutCancel(t.Context())), "Close leaves the pool open")
		})
		return s
	})
}

// connect opens a pool as a program does that brings its own.
func connect(t *testing.T, dsn string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	change(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestOpenRefuses(t *testing.T) {
	for _, dsn := range []string{
		"postgres://user:hunter2@127.0.0.1:1/none?sslmode=disable",
		"postgres://user:hunter2@127.0.0.1:99999/none",
	} {
		_, err := Open(t.Context(), dsn)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}
