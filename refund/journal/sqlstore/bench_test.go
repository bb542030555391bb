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

const (
	benchWorkers = 64
	benchBatch   = 256
)

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

// bare is a table as it is written without a journal: what was asked for, and what became of it.
const bare = `CREATE TABLE bare (
	provider text NOT NULL, key text NOT NULL, order_id text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
	state text NOT NULL, refund_id text, created %[1]s NOT NULL, updated %[1]s NOT NULL, PRIMARY KEY (provider, key))`

// BenchmarkRefunds compares refunds through the journal with a loop that inserts a row and updates it, on the same
// database and connections. Batches take turns, so that noise strikes both alike. x-bare is the ratio of the refunds
// that the two make in a second.
func BenchmarkRefunds(b *testing.B) {
	for _, database := range databases {
		b.Run(database.name, func(b *testing.B) {
			s := database.store(b)
			execute(b, s.DB(), fmt.Sprintf(bare, map[string]string{"PostgreSQL": "timestamptz", "SQLite": "integer"}[database.name]))
			insert := prepare(b, s.DB(), s.Dialect().Bind("INSERT INTO bare VALUES (?, ?, ?, ?, ?, 'sending', NULL, ?, ?)"))
			update := prepare(b, s.DB(), s.Dialect().Bind("UPDATE bare SET state = 'succeeded', refund_id = ?, updated = ? WHERE provider = ? AND key = ?"))
			client, err := journal.New(s, journal.Options{}).Wrap(atOnce{})
			require.NoError(b, err)
			var orders atomic.Int64
			request := func() refund.Request {
				return refund.Request{
					IdempotencyKey: refund.NewIdempotencyKey(), Amount: refund.MustParseMoney("10.99", "AUD"),
					Order: refund.Order{ID: fmt.Sprintf("1001%08d", orders.Add(1)), MerchantID: "order-4711"},
				}
			}
			ctx := b.Context()
			byJournal := func() error {
				_, err := client.Refund(ctx, request())
				return err
			}
			byHand := func() error {
				req, now := request(), time.Now()
				at := s.Dialect().Time(now)
				if _, err := insert.ExecContext(ctx, "bench", req.IdempotencyKey, req.Order.ID, req.Amount.Minor(), req.Amount.Currency(), at, at); err != nil {
					return err
				}
				got, err := atOnce{}.Refund(ctx, req)
				if err != nil {
					return err
				}
				_, err = update.ExecContext(ctx, got.ID, s.Dialect().Time(time.Now()), "bench", req.IdempotencyKey)
				return err
			}
			run(b, benchBatch, byJournal) // prepares the statements
			run(b, benchBatch, byHand)
			var journalTime, bareTime time.Duration
			n := 0
			b.ResetTimer()
			for b.Loop() {
				journalTime += run(b, benchBatch, byJournal)
				bareTime += run(b, benchBatch, byHand)
				n += benchBatch
			}
			b.ReportMetric(0, "ns/op") // of both together it says nothing
			b.ReportMetric(bareTime.Seconds()/journalTime.Seconds(), "x-bare")
			b.ReportMetric(float64(n)/journalTime.Seconds(), "refunds/s")
			b.ReportMetric(float64(n)/bareTime.Seconds(), "bare/s")
		})
	}
}

func prepare(b *testing.B, db *sql.DB, query string) *sql.Stmt {
	b.Helper()
	stmt, err := db.PrepareContext(b.Context(), query)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, stmt.Close()) })
	return stmt
}

// run does work n times with 64 workers and returns how long it took.
func run(b *testing.B, n int, work func() error) time.Duration {
	b.Helper()
	errs := make([]error, benchWorkers)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range benchWorkers {
		wg.Go(func() {
			for range n / benchWorkers {
				if err := work(); err != nil {
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
