package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/internal/row"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres/postgrestest"
)

func begun(key, order string) journal.Change {
	now := time.Now()
	return journal.Change{
		Entry: journal.Entry{
			Provider: "toy", Account: "au", Key: key, Order: refund.Order{ID: order}, Amount: refund.MustParseMoney("10.99", "AUD"),
			State: journal.StateSending, OrderLock: true, Version: 1, Due: now.Add(-time.Second), Created: now, Updated: now,
		},
		Event: &journal.Event{At: now, To: journal.StateSending},
	}
}

func many(n int, prefix string) []journal.Change {
	changes := make([]journal.Change, n)
	for i := range changes {
		changes[i] = begun(fmt.Sprintf("%s-%d", prefix, i), fmt.Sprintf("%s-%d", prefix, i))
	}
	return changes
}

func write(t *testing.T, s *sqlstore.Store, changes ...journal.Change) {
	t.Helper()
	results, err := s.Write(t.Context(), changes)
	require.NoError(t, err)
	for _, r := range results {
		require.NoError(t, r.Err)
	}
}

func opened(t *testing.T, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := Open(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// execute runs statements on a connection of their own. The name of their database is %s.
func execute(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), strings.ReplaceAll(statement, "%s", conn.Config().Database))
		require.NoError(t, err)
	}
}

// What is said to be written is on the disk, even where the database is set up not to wait for it.
func TestCommitsAreFlushed(t *testing.T) {
	dsn := cluster.DSN(t)
	execute(t, dsn, "ALTER DATABASE %s SET synchronous_commit = off")
	s := opened(t, dsn)
	lazy := connect(t, dsn, func(*pgxpool.Config) {})
	n := 0
	// flushed reports whether work has left nothing to flush. Others may write at the same moment, so it tries some times.
	flushed := func(work func()) bool {
		for range 10 {
			n++
			work()
			var left int
			require.NoError(t, lazy.QueryRow(t.Context(),
				"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn())::bigint").Scan(&left))
			if left == 0 {
				return true
			}
		}
		return false
	}
	for name, work := range map[string]func(){
		"one":  func() { write(t, s, many(1, fmt.Sprint("one-", n))...) },
		"many": func() { write(t, s, many(10, fmt.Sprint("many-", n))...) },
		"account": func() {
			require.NoError(t, s.AddAccount(t.Context(), journal.Account{Provider: "toy", Target: strconv.Itoa(n)}, false))
		},
		"one, no event": func() {
			c := begun(fmt.Sprint("no-event-", n), fmt.Sprint("no-event-", n))
			c.Event = nil
			write(t, s, c)
			c.Entry.Version++
			write(t, s, c)
		},
		"claim": func() {
			claimed, err := s.Claim(t.Context(), journal.Claim{Provider: "toy", Account: "au", Limit: 1})
			require.NoError(t, err)
			require.Len(t, claimed, 1)
		},
	} {
		if name == "claim" {
			write(t, s, many(20, "claimed")...)
		}
		assert.True(t, flushed(work), name)
	}
	assert.False(t, flushed(func() {
		_, err := lazy.Exec(t.Context(), "UPDATE refund_accounts SET target = $1", fmt.Sprint("lazy-", n))
		require.NoError(t, err)
	}), "this test sees nothing")
}

// A server that does not flush is refused, whatever it says about commits.
func TestMigrateRefusesAServerThatForgets(t *testing.T) {
	t.Setenv("REFUND_TEST_POSTGRES", "")
	c := postgrestest.Start()
	t.Cleanup(c.Stop) // after the database was dropped
	dsn := c.DSN(t)
	s := opened(t, dsn)
	for _, setting := range []string{"fsync", "full_page_writes"} {
		execute(t, dsn, "ALTER SYSTEM SET "+setting+" = off", "SELECT pg_reload_conf()")
		require.Eventually(t, func() bool {
			err := s.Migrate(t.Context())
			return err != nil && strings.Contains(err.Error(), setting+" is off")
		}, 10*time.Second, 20*time.Millisecond)
		execute(t, dsn, "ALTER SYSTEM RESET "+setting, "SELECT pg_reload_conf()")
		require.Eventually(t, func() bool { return s.Migrate(t.Context()) == nil }, 10*time.Second, 20*time.Millisecond)
	}
}

// Where transactions are SERIALIZABLE by default, those of the store are not, and losers are told what is in the way.
func TestIsolation(t *testing.T) {
	for _, isolation := range []string{"repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			dsn := cluster.DSN(t)
			execute(t, dsn, "ALTER DATABASE %s SET default_transaction_isolation = '"+isolation+"'")
			stores := []*sqlstore.Store{opened(t, dsn), opened(t, dsn)}
			var mu sync.Mutex
			counts := map[error]int{}
			var wg sync.WaitGroup
			const n = 100
			for i := range n {
				changes := []journal.Change{begun("k", fmt.Sprint("order-", i)), begun(fmt.Sprint("key-", i), "o"), begun(fmt.Sprint("other-", i), fmt.Sprint("other-", i))}
				wg.Go(func() {
					results, err := stores[i%2].Write(t.Context(), changes[:1+i%3])
					mu.Lock()
					defer mu.Unlock()
					if assert.NoError(t, err) {
						for _, r := range results {
							counts[r.Err]++
						}
					}
				})
			}
			wg.Wait()
			assert.Equal(t, map[error]int{nil: 2 + 33, journal.ErrKeyExists: n - 1, journal.ErrOrderBusy: 66 - 1}, counts)
			claimed, err := stores[0].Claim(t.Context(), journal.Claim{Provider: "toy", Account: "au", Limit: 1000, Lease: time.Hour})
			require.NoError(t, err)
			assert.Len(t, claimed, 35)
		})
	}
}

// Somebody else holds what a group needs, and needs what the group holds.
func TestDeadlock(t *testing.T) {
	dsn := cluster.DSN(t)
	execute(t, dsn, "ALTER DATABASE %s SET deadlock_timeout = '2s'") // a server looks once, and both have to wait by then
	s := opened(t, dsn)
	entries := many(2, "k")
	write(t, s, entries...)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	_, err = conn.Exec(t.Context(), "SET deadlock_timeout = '1min'") // it is not the one that gives way
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "UPDATE refund_entries SET note = 'held' WHERE key = 'k-1'")
	require.NoError(t, err)
	for i := range entries {
		entries[i].Entry.Version++
	}
	done := make(chan error, 1)
	go func() {
		results, err := s.Write(t.Context(), entries)
		for _, r := range results {
			if err == nil {
				err = r.Err
			}
		}
		done <- err
	}()
	require.Eventually(t, func() bool { // the group holds the first entry, and waits for the second
		var waiting int
		require.NoError(t, tx.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting))
		return waiting > 0
	}, 10*time.Second, 5*time.Millisecond)
	_, err = tx.Exec(t.Context(), "UPDATE refund_entries SET note = 'wanted' WHERE key = 'k-0'")
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-done)
}

// A pooler that hands the next transaction to another connection forgets statements. That is an error with its name.
func TestPoolerIsNamed(t *testing.T) {
	pool := connect(t, cluster.DSN(t), func(config *pgxpool.Config) { config.MaxConns = 1 })
	s := New(pool)
	require.NoError(t, s.Migrate(t.Context()))
	id := journal.ID{Provider: "toy", Account: "au", Key: "k"}
	for name, work := range map[string]func() error{
		"get":   func() error { _, err := s.Get(t.Context(), id); return err },
		"write": func() error { _, err := s.Write(t.Context(), many(1, "write")); return err },
		"many":  func() error { _, err := s.Write(t.Context(), many(2, "many")); return err },
		"claim": func() error { _, err := s.Claim(t.Context(), journal.Claim{}); return err },
	} {
		_ = work() //nolint:errcheck // it prepares its statements
		_, err := pool.Exec(t.Context(), "DISCARD ALL", pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		require.ErrorContains(t, work(), "PgBouncer", name)
	}
}

// The way out of that is another mode of pgx.
func TestModes(t *testing.T) {
	for _, mode := range []string{"cache_describe", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			s := opened(t, cluster.DSN(t)+"&default_query_exec_mode="+mode)
			one, group := many(1, "one"), many(20, "many")
			write(t, s, one...)
			write(t, s, group...)
			results, err := s.Write(t.Context(), append(group, one...))
			require.NoError(t, err)
			for _, r := range results {
				require.ErrorIs(t, r.Err, journal.ErrKeyExists)
			}
			for i := range group {
				group[i].Entry.Version++
			}
			write(t, s, group...)
			one[0].Entry.Version++
			write(t, s, one...)
			claimed, err := s.Claim(t.Context(), journal.Claim{Provider: "toy", Account: "au", Limit: 1000, Lease: time.Hour})
			require.NoError(t, err)
			assert.Len(t, claimed, 21)
			read := 0
			for e, err := range s.Entries(t.Context(), journal.Filter{States: []journal.State{journal.StateSending}, From: time.Now().Add(-time.Hour)}) {
				require.NoError(t, err)
				assert.Equal(t, int64(3), e.Version)
				read++
			}
			assert.Equal(t, 21, read)
			id := journal.ID{Provider: "toy", Account: "au", Key: "one-0"}
			for e, err := range s.Events(t.Context(), journal.EventFilter{ID: id}) {
				require.NoError(t, err)
				read--
				for _, err := range s.Events(t.Context(), journal.EventFilter{ID: id, After: e.Cursor}) {
					require.NoError(t, err)
				}
			}
			assert.Equal(t, 19, read)
			stats, err := s.Stats(t.Context())
			require.NoError(t, err)
			require.Len(t, stats.States, 1)
			assert.Equal(t, 21, stats.States[0].Count)
			require.NoError(t, s.AddAccount(t.Context(), journal.Account{Provider: "toy", Name: "au", Target: "live"}, true))
			require.NoError(t, s.RenameAccount(t.Context(), "toy", "au", "oz"))
		})
	}
}

// What writes looks up one row after the other, also with the plan for any arguments.
func TestPlans(t *testing.T) {
	dsn := cluster.DSN(t)
	s := opened(t, dsn)
	for i := range 4 {
		write(t, s, many(1000, fmt.Sprint("key-", i))...)
	}
	execute(t, dsn, "ANALYZE refund_entries")
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	statements := newStatements()
	const key, due, order = "refund_entries_provider_account_key_key", "refund_entries_due", "refund_entries_order"
	for name, q := range map[string]struct {
		text    string
		indexes []string
	}{
		"update":             {statements.update, []string{key}},
		"one":                {statements.updateOne[0], []string{key}},
		"one with an event":  {statements.updateOne[1], []string{key}},
		"take":               {statements.takeOne[0], []string{key}},
		"take with an event": {statements.takeOne[1], []string{key}},
		"claim":              {statements.claim, []string{due, "refund_entries_pkey"}},
		"get":                {row.Get, []string{key}},
		"holder":             {row.Holder, []string{order}},
	} {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		for _, statement := range []string{planUpdates, "PREPARE looked_at AS " + q.text} {
			_, err = tx.Exec(t.Context(), statement)
			require.NoError(t, err)
		}
		parameters := 1
		for strings.Contains(q.text, fmt.Sprintf("$%d", parameters+1)) {
			parameters++
		}
		rows, err := tx.Query(t.Context(), "EXPLAIN EXECUTE looked_at ("+strings.Repeat("NULL, ", parameters-1)+"NULL)", pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		plan := strings.Join(lines, "\n")
		assert.NotContains(t, plan, "Seq Scan", name)
		assert.NotContains(t, plan, "Sort", name)
		for _, index := range q.indexes {
			assert.Contains(t, plan, index, "%s\n%s", name, plan)
		}
		require.NoError(t, tx.Rollback(t.Context()))
		_, err = conn.Exec(t.Context(), "DEALLOCATE looked_at")
		require.NoError(t, err)
	}
}
