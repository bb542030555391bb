package postgres_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/journaltest"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres"
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
		s, err := postgres.Open(t.Context(), cluster.DSN(t))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		require.NoError(t, s.Migrate(t.Context()))
		return s
	})
}

// A store with one connection blocks if a method holds a connection for too long.
func TestStoreWithOneConnection(t *testing.T) {
	journaltest.RunStore(t, func(t *testing.T) journal.Store {
		db := pool(t, cluster.DSN(t))
		db.SetMaxOpenConns(1)
		s := postgres.New(db)
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
	dsn, err := url.Parse(cluster.DSN(t))
	require.NoError(t, err)
	plain := dsn.RawQuery
	for setting, lossy := range map[string]bool{"off": true, "local": false, "on": false} {
		dsn.RawQuery = plain + "&options=-c%20synchronous_commit%3D" + setting
		s, err := postgres.Open(t.Context(), dsn.String())
		require.NoError(t, err)
		assert.Equal(t, lossy, s.Migrate(t.Context()) != nil, setting)
		require.NoError(t, s.Close())
	}
	dsn.RawQuery = plain
	s, err := postgres.Open(t.Context(), dsn.String())
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()), "the default is durable")
	require.NoError(t, s.Close())
}

func TestOpenRefuses(t *testing.T) {
	for _, dsn := range []string{
		"postgres://user:hunter2@127.0.0.1:1/none?sslmode=disable",
		"postgres://user:hunter2@127.0.0.1:99999/none",
	} {
		_, err := postgres.Open(t.Context(), dsn)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

// pool opens a database as a program does that brings its own.
func pool(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
