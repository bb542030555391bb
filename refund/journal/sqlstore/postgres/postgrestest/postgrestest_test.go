package postgrestest

import (
	"database/sql"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func execute(t *testing.T, dsn, query string) error {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), query)
	return err
}

func TestCluster(t *testing.T) {
	c := Start()
	defer c.Stop()
	var kept string
	t.Run("each test has a database of its own", func(t *testing.T) {
		first, second := c.DSN(t), c.DSN(t)
		kept = first
		require.NoError(t, execute(t, first, "CREATE TABLE orders (id integer)"))
		require.NoError(t, execute(t, second, "CREATE TABLE orders (id integer)"))
	})
	if kept == "" {
		return // there is no server
	}
	require.Error(t, execute(t, kept, "SELECT 1"), "the database was dropped")

	dsn, drop, err := c.Database(t.Context())
	require.NoError(t, err)
	require.NoError(t, execute(t, dsn, "SELECT 1"))
	require.NoError(t, drop())
	require.Error(t, execute(t, dsn, "SELECT 1"))
}

func TestStopLeavesNothingBehind(t *testing.T) {
	t.Setenv(variable, "")
	c := Start()
	defer c.Stop()
	dsn, _, err := c.Database(t.Context())
	if err != nil && c.dsn == "" && !c.must {
		t.Skip(err)
	}
	require.NoError(t, err)
	parsed, err := url.Parse(dsn)
	require.NoError(t, err)
	folder := parsed.Query().Get("host")
	require.DirExists(t, folder)
	c.Stop()
	assert.NoDirExists(t, folder)
	require.Error(t, execute(t, dsn, "SELECT 1"))
	c.Stop() // again
}

// A program gets an error, which does not show the password of the URL.
func TestDatabaseWithoutAServer(t *testing.T) {
	for name, c := range map[string]*Cluster{
		"a server that cannot be reached": {dsn: "postgres://user:hunter2@127.0.0.1:1/none"},
		"a list of keys and values":       {dsn: "host=127.0.0.1 password=hunter2"},
		"a machine without PostgreSQL":    {reason: "initdb is not installed"},
	} {
		_, _, err := c.Database(t.Context())
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "hunter2", name)
	}
}
