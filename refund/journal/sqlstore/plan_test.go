package sqlstore_test

import (
	"database/sql"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
)

var finishedEntries = flag.Int("finished-entries", 1_000_000/slowness, "finished entries in the journal of TestPlans on PostgreSQL; on SQLite it is a tenth")

// fill writes n finished entries and a thousandth of them pending into the tables themselves, half of them on orders of
// their own, with an event of each.
func fill(t *testing.T, db *sql.DB, d database, n int) {
	t.Helper()
	const columns = `(provider, account, key, order_id, merchant_order_id, invoice_id, order_key, amount, currency, part, line, created, state, step,
		order_lock, attention, version, owner, due, checks, snapshot, answered, tries, looks, refund_id, refunded, refunded_currency, provider_status,
		failure_reason, kind, code, note, updated)`
	const values = `'toy', 'au', 'key-' || i, 'order-' || (i / 2), '', '', 'order-' || (i / 2), 1099, 'AUD', '', '', %[1]s,
		CASE WHEN i %% 1000 = 0 THEN 'pending' ELSE 'succeeded' END, '', false, CASE WHEN i %% 5000 = 0 THEN 'stuck' ELSE '' END, 2, '',
		CASE WHEN i %% 1000 = 0 THEN %[2]s END, 0, '', false, 1, 0, 'refund-' || i, 0, '', '', '', 0, '', '', %[1]s`
	const history = `INSERT INTO refund_events (entry, version, at, from_state, to_state, attention, refund_id, note, decided_by)
		SELECT id, 1, created, '', state, '', '', '', '' FROM refund_entries`
	insert := "INSERT INTO refund_entries " + columns + " SELECT "
	if d.driver == "pgx" {
		execute(t, db, insert+fmt.Sprintf(values, "now() - interval '1 second' * i", "now() + interval '1 hour'")+
			" FROM generate_series(1, $1::int) AS i", n)
		execute(t, db, history)
		return
	}
	execute(t, db, "PRAGMA synchronous = OFF") // for the filling only
	execute(t, db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "+
		insert+fmt.Sprintf(values, "1790000000000000 - 1000000 * i", "4000000000000000")+" FROM n", n)
	execute(t, db, history)
}

// explain returns the plan of a query, and the one that PostgreSQL makes without looking at the arguments.
func explain(t *testing.T, db *sql.DB, d database, query string, args []any) string {
	t.Helper()
	var plan strings.Builder
	read := func(query string, args ...any) {
		rows, err := db.QueryContext(t.Context(), query, args...)
		require.NoError(t, err, query)
		defer rows.Close() //nolint:errcheck // Err tells
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			var line string
			dest := make([]any, len(columns))
			for i := range dest {
				dest[i] = new(any)
			}
			dest[len(dest)-1] = &line // SQLite has numbers before it
			require.NoError(t, rows.Scan(dest...))
			plan.WriteString(line + "\n")
		}
		require.NoError(t, rows.Err())
	}
	if d.driver == "sqlite" {
		read("EXPLAIN QUERY PLAN "+query, args...)
		return plan.String()
	}
	read("EXPLAIN "+query, args...)
	execute(t, db, "SET plan_cache_mode = force_generic_plan")
	execute(t, db, "PREPARE looked_at AS "+query)
	nulls := ""
	if len(args) > 0 {
		nulls = "(" + strings.Repeat("NULL, ", len(args)-1) + "NULL)"
	}
	read("EXPLAIN EXECUTE looked_at" + nulls)
	execute(t, db, "DEALLOCATE looked_at")
	execute(t, db, "RESET plan_cache_mode")
	return plan.String()
}

// A journal with a million finished entries is as quick as an empty one: whatever reads looks up an index, and sorts nothing
// that grows. The plans of what writes are looked at by packages postgres and sqlite.
func TestPlans(t *testing.T) {
	for i, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.dsn(t)
			s, db := d.reopen(t, dsn), d.raw(t, dsn)
			fill(t, db, d, *finishedEntries/(1+9*i))
			if d.driver == "pgx" {
				execute(t, db, "ANALYZE refund_entries, refund_events") // as autovacuum does
			}
			before := rowsRead(t, db, d, "seq_tup_read")
			var queries []string
			args := map[string][]any{}
			s.Record(func(query string, with []any) {
				if _, ok := args[query]; !ok {
					queries = append(queries, query)
					args[query] = with
				}
			})

			ctx := t.Context()
			account := journal.Filter{Provider: "toy", Account: "au"}
			since := time.Now().Add(-15 * time.Minute) // of a fraction
			if d.driver == "sqlite" {
				since = time.UnixMicro(1790000000000000).Add(-15 * time.Minute)
			}
			with := func(change func(*journal.Filter)) journal.Filter {
				f := account
				change(&f)
				return f
			}
			for name, f := range map[string]journal.Filter{
				"order":            with(func(f *journal.Filter) { f.OrderKey = "order-4711" }),
				"since":            {From: since},
				"between":          {From: since, Before: since.Add(10 * time.Minute)},
				"account since":    with(func(f *journal.Filter) { f.From = since }),
				"finished since":   {From: since, States: []journal.State{journal.StateSucceeded}},
				"unfinished":       {States: []journal.State{journal.StateUnknown, journal.StatePending}},
				"unfinished since": {From: since, States: []journal.State{journal.StateUnknown, journal.StatePending}},
				"account pending":  with(func(f *journal.Filter) { f.States = []journal.State{journal.StatePending} }),
				"attention":        {Attention: true},
				"account attention": with(func(f *journal.Filter) {
					f.Attention, f.States, f.Before = true, []journal.State{journal.StateSucceeded}, time.Now()
				}),
			} {
				read := 0
				for _, err := range s.Entries(ctx, f) {
					require.NoError(t, err, name)
					read++
				}
				t.Log(name, read)
			}
			var last string
			read := 0
			for e, err := range s.Events(ctx, journal.EventFilter{}) {
				require.NoError(t, err)
				if last = e.Cursor; read > 1000 {
					break
				}
				read++
			}
			for _, err := range s.Events(ctx, journal.EventFilter{After: last}) {
				require.NoError(t, err)
				break
			}
			history := events(t, s, journal.EventFilter{ID: journal.ID{Provider: "toy", Account: "au", Key: "key-4711"}})
			require.Len(t, history, 1)
			events(t, s, journal.EventFilter{ID: history[0].ID(), After: history[0].Cursor})
			_, err := s.Stats(ctx)
			require.NoError(t, err)
			_, err = s.Get(ctx, history[0].ID())
			require.NoError(t, err)
			assert.InDelta(t, before, rowsRead(t, db, d, "seq_tup_read"), 100, "rows read without an index")

			for _, query := range queries {
				plan := explain(t, db, d, query, args[query])
				what := query + "\n" + plan
				assert.NotContains(t, plan, "Seq Scan", what)
				for line := range strings.Lines(plan) {
					// SQLite says SCAN also of a whole partial index, which is what there is to do, and no more than that.
					scan := strings.HasPrefix(strings.TrimSpace(line), "SCAN")
					assert.False(t, scan && !strings.Contains(line, "INDEX") && !strings.Contains(line, "SCAN oldest") && !strings.Contains(line, "SCAN v"), what)
				}
				if !strings.Contains(query, "order_key = ") && !strings.Contains(query, "e.key = ") && !strings.Contains(query, "UNION ALL") {
					assert.NotContains(t, plan, "Sort", what)
					assert.NotContains(t, plan, "TEMP B-TREE", what)
				}
			}
		})
	}
}

// What writes looks up indexes, too, whether one comes or many.
func TestWritesDoNotScan(t *testing.T) {
	for i, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.dsn(t)
			s, db := d.reopen(t, dsn), d.raw(t, dsn)
			writeAll(t, s, "before") // with an empty table, for which the first plans are made
			fill(t, db, d, *finishedEntries/(10+90*i))
			before := rowsRead(t, db, d, "seq_tup_read + idx_tup_fetch")
			writeAll(t, s, "after")
			require.NoError(t, s.Close())
			assert.InDelta(t, before, rowsRead(t, db, d, "seq_tup_read + idx_tup_fetch"), 20_000, "rows read")
		})
	}
}

// writeAll makes changes of each kind, alone and together, and work of an account.
func writeAll(t *testing.T, s *sqlstore.Store, prefix string) {
	t.Helper()
	for i := range 10 {
		var begin, end, again, lost []journal.Change
		for k := range 1 + 30*(i%2) {
			c := begun(fmt.Sprintf("%s-%d-%d", prefix, i, k), fmt.Sprintf("%s-%d-%d", prefix, i, k))
			begin, lost = append(begin, c), append(lost, c, begun(c.Entry.Key+"-busy", c.Entry.Order.ID))
			next := ended(c.Entry)
			end = append(end, next)
			next.Entry.OrderLock, next.Entry.Due = true, time.Now().Add(-time.Second)
			next.Entry.Version++
			next.Event = nil
			again = append(again, next)
		}
		write(t, s, begin...)
		_, err := s.Write(t.Context(), lost)
		require.NoError(t, err)
		write(t, s, end...)
		write(t, s, again...)
		claimed, err := s.Claim(t.Context(), journal.Claim{Provider: "toy", Account: "au", Owner: "worker", Limit: 100})
		require.NoError(t, err)
		require.Len(t, claimed, len(again))
		for n, e := range claimed {
			e.Due = time.Time{}
			claimed[n] = ended(e).Entry
		}
		for _, e := range claimed {
			write(t, s, journal.Change{Entry: e})
		}
	}
}

// rowsRead returns how many rows PostgreSQL has read in one of the ways that it counts.
func rowsRead(t *testing.T, db *sql.DB, d database, counter string) int {
	t.Helper()
	if d.driver != "pgx" {
		return 0
	}
	execute(t, db, "SELECT pg_sleep(1.5)") // a connection tells what it has done a second later
	return number(t, db, "SELECT sum("+counter+") FROM pg_stat_user_tables WHERE relname IN ('refund_entries', 'refund_events')")
}
