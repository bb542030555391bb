package sqlstore_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
)

var finishedEntries = flag.Int("finished-entries", 1_000_000/slowness, "finished entries in the journal of TestPlans on PostgreSQL; on SQLite it is a tenth")

// fill writes n finished entries and a thousand pending ones into the table itself, half of them on orders of their own.
func fill(t *testing.T, s *sqlstore.Store, name string, n int) {
	t.Helper()
	const columns = `(provider, account, key, order_id, merchant_order_id, invoice_id, order_key, amount, currency, part, line, created, state, version,
		snapshot, answered, due, checks, tries, refund_id, refunded, refunded_currency, provider_status, failure_reason, kind, code, note, updated)`
	const values = `'toy', 'au', 'key-' || i, 'order-' || (i / 2), '', '', 'order-' || (i / 2), 1099, 'AUD', '', '', %[1]s,
		CASE WHEN i %% 1000 = 0 THEN 'pending' ELSE 'succeeded' END, 2,
		'', false, CASE WHEN i %% 1000 = 0 THEN %[2]s END, 0, 1, 'refund-' || i, 0, '', '', '', 0, '', '', %[1]s`
	insert := "INSERT INTO refund_journal " + columns + " SELECT "
	if name == "PostgreSQL" {
		execute(t, s.DB(), insert+fmt.Sprintf(values, "now() - interval '1 second' * i", "now() + interval '1 hour'")+
			" FROM generate_series(1, $1::int) AS i", n)
		execute(t, s.DB(), "ANALYZE refund_journal") // as autovacuum does
		return
	}
	execute(t, s.DB(), "PRAGMA synchronous = OFF") // for the filling only
	execute(t, s.DB(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "+
		insert+fmt.Sprintf(values, "1790000000000000 - 1000000 * i", "4000000000000000")+" FROM n", n)
	execute(t, s.DB(), "PRAGMA synchronous = FULL")
}

// explain returns the plan of a query, and the one that PostgreSQL makes without looking at the arguments.
func explain(t *testing.T, s *sqlstore.Store, name, query string, args []any) string {
	t.Helper()
	conn, err := s.DB().Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	var plan strings.Builder
	read := func(query string, args ...any) {
		rows, err := conn.QueryContext(t.Context(), query, args...)
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
	if name == "SQLite" {
		read("EXPLAIN QUERY PLAN "+query, args...)
		return plan.String()
	}
	read("EXPLAIN "+query, args...)
	for _, statement := range []string{"SET plan_cache_mode = force_generic_plan", "PREPARE looked_at AS " + query} {
		_, err := conn.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	nulls := ""
	if len(args) > 0 {
		nulls = "(" + strings.Repeat("NULL, ", len(args)-1) + "NULL)"
	}
	read("EXPLAIN EXECUTE looked_at" + nulls)
	_, err = conn.ExecContext(t.Context(), "DEALLOCATE looked_at; RESET plan_cache_mode")
	require.NoError(t, err)
	return plan.String()
}

// A journal with a million finished entries is as quick as an empty one: everything that begins, finishes, reads and
// recovers refunds looks up an index.
func TestPlans(t *testing.T) {
	for i, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			s := database.store(t)
			fill(t, s, database.name, *finishedEntries/(1+9*i))
			now := time.Now()
			e := journal.Entry{
				Provider: "toy", Account: "au", Key: "new", Order: refund.Order{ID: "order-new"}, State: journal.StateSending, Version: 1,
				Lease: now.Add(-time.Second), Due: now.Add(-time.Second), Created: now,
			}
			require.NoError(t, s.Insert(t.Context(), e))
			dueNow := journal.Filter{States: []journal.State{journal.StateSending, journal.StateUnknown}, DueBy: now}

			type query struct {
				text  string
				args  []any
				index string // that is used
			}
			selection := func(f journal.Filter, due bool, last *journal.Entry, index string) query {
				text, args := s.Selection(&f, due, last)
				return query{text, args, index}
			}
			primary := map[string]string{"PostgreSQL": "refund_journal_pkey", "SQLite": "sqlite_autoindex_refund_journal_1"}[database.name]
			states := func(states ...journal.State) journal.Filter { return journal.Filter{States: states} }
			account := journal.Filter{Provider: "toy", Account: "au"}
			pending, review := account, account
			pending.States, pending.DueBy = []journal.State{journal.StatePending}, now
			review.States = []journal.State{journal.StateNeedsReview}
			update, updateArgs := s.UpdateQuery(&e)
			for name, q := range map[string]query{
				"update":       {update, updateArgs, primary},
				"get":          {s.GetQuery(), []any{e.Provider, e.Account, e.Key}, primary},
				"recover":      selection(dueNow, true, nil, ""),
				"recover more": selection(dueNow, true, &e, ""),
				"sync":         selection(journal.Filter{States: []journal.State{journal.StatePending}, DueBy: now}, true, nil, "refund_journal_due"),
				"unresolved":   selection(states(journal.StateNeedsReview), false, nil, "refund_journal_open"),
				"unknown, due": selection(states(journal.StateUnknown), true, nil, ""),
				"order":        selection(journal.Filter{Provider: "toy", Account: "au", OrderKey: "order-4711"}, false, nil, "refund_journal_order"),
				"order, due":   selection(journal.Filter{Provider: "toy", Account: "au", OrderKey: "order-4711"}, true, nil, ""),
				"any account":  selection(journal.Filter{OrderKey: "order-4711"}, false, nil, "refund_journal_order"),
				"account":      selection(account, false, nil, "refund_journal_created"),
				"account, due": selection(account, true, nil, "refund_journal_due"),
				"account sync": selection(pending, true, nil, "refund_journal_due"),
				"review":       selection(review, false, nil, "refund_journal_open"),
				"all":          selection(journal.Filter{}, false, nil, "refund_journal_created"),
				"all, next":    selection(journal.Filter{}, false, &e, "refund_journal_created"),
				"all, due":     selection(journal.Filter{}, true, &e, "refund_journal_due"),
			} {
				plan := explain(t, s, database.name, q.text, q.args)
				assert.NotContains(t, plan, "Seq Scan", name)
				for line := range strings.Lines(plan) {
					// SQLite says SCAN also of a whole partial index, which is what there is to do, and no more than that.
					assert.False(t, strings.HasPrefix(line, "SCAN refund_journal") && !strings.Contains(line, "INDEX refund_journal_"), "%s: %s", name, plan)
				}
				assert.Contains(t, plan, q.index, name)
			}

			// Insert has no plan to look at: what it looks up are the unique indexes. The whole is looked at by what it reads.
			var found []string
			for e, err := range s.Entries(t.Context(), dueNow) {
				require.NoError(t, err)
				found = append(found, e.Key)
			}
			assert.Equal(t, []string{"new"}, found)
			if database.name == "PostgreSQL" {
				countReads(t, s)
			}
		})
	}
}

// countReads makes the calls of a journal, and asks PostgreSQL what they have read.
func countReads(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	s.DB().SetMaxOpenConns(1) // so that one connection has all there is to count
	type counts struct{ seqScans, fetched int }
	count := func() (c counts) {
		execute(t, s.DB(), "SELECT pg_stat_force_next_flush()")
		require.NoError(t, s.DB().QueryRowContext(t.Context(),
			"SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'refund_journal'").Scan(&c.seqScans, &c.fetched))
		return c
	}
	j := journal.New(s, journal.Options{})
	client, err := j.Wrap(atOnce{})
	require.NoError(t, err)
	const refunds = 20
	before := count()
	for i := range refunds {
		req := refund.Request{
			IdempotencyKey: fmt.Sprintf("read-%d", i), Order: refund.Order{ID: fmt.Sprintf("read-%d", i)}, Amount: refund.MustParseMoney("1.00", "AUD"),
		}
		for range 2 { // the second one is answered from the journal
			_, err := client.Refund(t.Context(), req)
			require.NoError(t, err)
		}
	}
	_, err = j.Recover(t.Context())
	require.ErrorIs(t, err, journal.ErrNoClient) // it has found the entry of another provider
	after := count()
	assert.Equal(t, before.seqScans, after.seqScans)
	assert.Less(t, after.fetched-before.fetched, refunds*6, "rows that were read")
}
