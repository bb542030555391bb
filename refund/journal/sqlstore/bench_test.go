package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// bare is a table as it is written without a journal: what was asked for, and what became of it.
const bare = `CREATE TABLE bare (
	provider text NOT NULL, key text NOT NULL, order_id text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
	state text NOT NULL, refund_id text, created %[1]s NOT NULL, updated %[1]s NOT NULL, PRIMARY KEY (provider, key))`

// byHand makes the loop that the store is compared with: it inserts a row and updates it.
func byHand(b *testing.B, d database, dsn string) func(ctx context.Context, n int64) error {
	b.Helper()
	if d.driver == "sqlite" {
		dsn = "file:" + dsn + "?_pragma=busy_timeout(30000)&_pragma=synchronous(FULL)"
	}
	db, err := sql.Open(d.driver, dsn)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	connections, timestamp := 16, "timestamptz"
	at := func() any { return time.Now() }
	if d.driver == "sqlite" {
		connections, timestamp = 1, "integer"
		at = func() any { return time.Now().UnixMicro() }
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	execute(b, db, fmt.Sprintf(bare, timestamp))
	prepare := func(query string) *sql.Stmt {
		stmt, err := db.PrepareContext(b.Context(), query)
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, stmt.Close()) })
		return stmt
	}
	insert := prepare("INSERT INTO bare VALUES ($1, $2, $3, $4, $5, 'sending', NULL, $6, $6)")
	update := prepare("UPDATE bare SET state = 'succeeded', refund_id = $1, updated = $2 WHERE provider = $3 AND key = $4")
	return func(ctx context.Context, n int64) error {
		key := fmt.Sprintf("key-%d", n)
		if _, err := insert.ExecContext(ctx, "bench", key, fmt.Sprintf("1001%08d", n), 1099, "AUD", at()); err != nil {
			return err
		}
		_, err := update.ExecContext(ctx, "refund-1934419", at(), "bench", key)
		return err
	}
}

// atOnce is a client without a provider: the journal is what is measured.
type atOnce struct{}

func (atOnce) Refund(_ context.Context, req refund.Request) (*refund.Refund, error) {
	return &refund.Refund{
		ID: "refund-1934419", IdempotencyKey: req.IdempotencyKey, Provider: "bench", Order: req.Order, Amount: req.Amount,
		Status: refund.StatusSucceeded, CreatedAt: time.Now(),
	}, nil
}

func (atOnce) Capabilities() refund.Capabilities {
	return refund.Capabilities{Provider: "bench", Partial: true, MultipleRefunds: true, ResolvedBy: refund.ResolvedByPerson}
}

// BenchmarkRefunds compares refunds through the journal, which are two changes and two events each, with a loop that inserts a
// row and updates it, on the same database. Batches take turns, so that noise strikes both alike. x-bare is the ratio of the refunds that the two make
// in a second.
func BenchmarkRefunds(b *testing.B) {
	for _, d := range databases {
		for _, callers := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", d.name, callers), func(b *testing.B) {
				dsn := d.dsn(b)
				s := d.reopen(b, dsn)
				hand := byHand(b, d, dsn)
				client, err := journal.New(s, journal.Options{InFlight: callers}).Wrap(atOnce{})
				require.NoError(b, err)
				amount := refund.MustParseMoney("10.99", "AUD")
				journalled := func(ctx context.Context, n int64) error {
					_, err := client.Refund(ctx, refund.Request{
						IdempotencyKey: fmt.Sprintf("key-%d", n), Order: refund.Order{ID: fmt.Sprintf("1001%08d", n)}, Amount: amount,
					})
					return err
				}
				batch := 32 * callers
				if callers == 1 {
					batch = 512
				}
				var number atomic.Int64
				run(b, callers, batch, &number, journalled) // prepares the statements
				run(b, callers, batch, &number, hand)
				var journalTime, bareTime time.Duration
				n := 0
				b.ResetTimer()
				for b.Loop() {
					journalTime += run(b, callers, batch, &number, journalled)
					bareTime += run(b, callers, batch, &number, hand)
					n += batch
				}
				b.ReportMetric(0, "ns/op") // of both together it says nothing
				b.ReportMetric(bareTime.Seconds()/journalTime.Seconds(), "x-bare")
				b.ReportMetric(float64(n)/journalTime.Seconds(), "refunds/s")
				b.ReportMetric(float64(n)/bareTime.Seconds(), "bare/s")
			})
		}
	}
}

// run does work n times, with a number that nobody else has, and returns how long it took.
func run(b *testing.B, callers, n int, number *atomic.Int64, work func(ctx context.Context, n int64) error) time.Duration {
	b.Helper()
	errs := make([]error, callers)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range callers {
		wg.Go(func() {
			for range n / callers {
				if err := work(b.Context(), number.Add(1)); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	for _, err := range errs {
		require.NoError(b, err)
	}
	return took
}
