package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore"
)

// noon is before everything that the tests write.
var noon = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

// begun is a new entry as a journal writes it, with its event.
func begun(key, order string) journal.Change {
	now := time.Now()
	return journal.Change{
		Entry: journal.Entry{
			Provider: "toy", Account: "au", Key: key, Order: refund.Order{ID: order}, Amount: refund.MustParseMoney("10.99", "AUD"),
			State: journal.StateSending, Step: journal.StepSending, OrderLock: true, Version: 1, Owner: "me", Lease: now.Add(time.Minute),
			Due: now.Add(time.Minute), FirstSent: now, LastSent: now, Tries: 1, Created: now, Updated: now,
		},
		Event: &journal.Event{At: now, To: journal.StateSending},
	}
}

// ended is the next version of an entry: it is done.
func ended(e journal.Entry) journal.Change {
	from := e.State
	e.State, e.Step, e.OrderLock, e.Lease, e.Due = journal.StateSucceeded, "", false, time.Time{}, time.Time{}
	e.RefundID, e.Refunded, e.Updated = "refund-1934419", e.Amount, time.Now()
	e.Version++
	return journal.Change{Entry: e, Event: &journal.Event{At: e.Updated, From: from, To: e.State, RefundID: e.RefundID}}
}

// write makes changes, of which none may be refused.
func write(tb testing.TB, s *sqlstore.Store, changes ...journal.Change) {
	tb.Helper()
	results, err := s.Write(tb.Context(), changes)
	require.NoError(tb, err)
	for _, r := range results {
		require.NoError(tb, r.Err)
	}
}

func events(tb testing.TB, s *sqlstore.Store, f journal.EventFilter) []journal.Event {
	tb.Helper()
	var all []journal.Event
	for e, err := range s.Events(tb.Context(), f) {
		require.NoError(tb, err)
		all = append(all, e)
	}
	return all
}

func keys(tb testing.TB, s *sqlstore.Store, f journal.Filter) []string {
	tb.Helper()
	var all []string
	for e, err := range s.Entries(tb.Context(), f) {
		require.NoError(tb, err)
		all = append(all, e.Key)
	}
	return all
}

// onEach runs a test on each database, and hands it a store and the way to it.
func onEach(t *testing.T, test func(t *testing.T, s *sqlstore.Store, d database, dsn string)) {
	t.Helper()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.dsn(t)
			test(t, d.reopen(t, dsn), d, dsn)
		})
	}
}

// A provider's text must not keep a refund from being recorded.
func TestTextThatNoDatabaseTakes(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, _ database, _ string) {
		c := begun("k", "o")
		write(t, s, c)
		const odd = "a\x00b\xffc"
		c = ended(c.Entry)
		c.Entry.RefundID, c.Entry.ProviderStatus, c.Entry.FailureReason, c.Entry.Code, c.Entry.Note = odd, odd, odd, odd, odd
		c.Event.RefundID, c.Event.Note, c.Event.By = odd, odd, odd
		write(t, s, c)
		got, err := s.Get(t.Context(), c.Entry.ID())
		require.NoError(t, err)
		event := events(t, s, journal.EventFilter{ID: got.ID()})[1]
		for _, text := range []string{
			got.RefundID, got.ProviderStatus, got.FailureReason, got.Code, got.Note, event.RefundID, event.Note, event.By,
		} {
			assert.Equal(t, strings.NewReplacer("\x00", "\uFFFD", "\xff", "\uFFFD").Replace(odd), text)
		}
	})
}

// A row that was changed by hand is an error, not another amount.
func TestImpossibleRow(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		write(t, s, begun("k", "o"))
		execute(t, d.raw(t, dsn), "UPDATE refund_entries SET currency = 'XXX'")
		_, err := s.Get(t.Context(), journal.ID{Provider: "toy", Account: "au", Key: "k"})
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		for _, err := range s.Entries(t.Context(), journal.Filter{Provider: "toy", Account: "au", OrderKey: "o"}) {
			require.ErrorIs(t, err, refund.ErrInvalidRequest)
		}
	})
}

// A change that the database cannot take is refused alone.
func TestOneBadOfMany(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		const bad = 7
		var changes []journal.Change
		for i := range 100 {
			c := begun(fmt.Sprintf("key-%d", i), fmt.Sprintf("order-%d", i))
			if i%33 == bad {
				c.Entry.Line = "a\x00b"
			}
			changes = append(changes, c)
		}
		results, err := s.Write(t.Context(), changes)
		require.NoError(t, err)
		written := 0
		for i, r := range results {
			if r.Err == nil {
				written++
				continue
			}
			assert.Equal(t, bad, i%33, r.Err)
			for _, known := range []error{journal.ErrKeyExists, journal.ErrStale, journal.ErrOrderBusy} {
				require.NotErrorIs(t, r.Err, known)
			}
		}
		want := map[string]int{"PostgreSQL": 97, "SQLite": 100}[d.name] // SQLite takes NUL
		assert.Equal(t, want, written)
		db := d.raw(t, dsn)
		assert.Equal(t, want, number(t, db, "SELECT count(*) FROM refund_entries"))
		assert.Equal(t, want, number(t, db, "SELECT count(*) FROM refund_events"))
	})
}

// tally counts what becomes of changes that are written at once, each by itself.
func tally(tb testing.TB, stores []*sqlstore.Store, changes []journal.Change) map[error]int {
	tb.Helper()
	var mu sync.Mutex
	counts := map[error]int{}
	var wg sync.WaitGroup
	for i, c := range changes {
		wg.Go(func() {
			results, err := stores[i%len(stores)].Write(tb.Context(), []journal.Change{c})
			mu.Lock()
			defer mu.Unlock()
			if assert.NoError(tb, err) {
				counts[results[0].Err]++
				if results[0].Err != nil {
					assert.NotEmpty(tb, results[0].Entry.Key, "the entry in the way")
				}
			}
		})
	}
	wg.Wait()
	return counts
}

// together is tally for changes that come in groups.
func together(tb testing.TB, stores []*sqlstore.Store, changes []journal.Change, size int) map[error]int {
	tb.Helper()
	var mu sync.Mutex
	counts := map[error]int{}
	var wg sync.WaitGroup
	n := 0
	for group := range slices.Chunk(changes, size) {
		s := stores[n%len(stores)]
		n++
		wg.Go(func() {
			results, err := s.Write(tb.Context(), group)
			mu.Lock()
			defer mu.Unlock()
			if assert.NoError(tb, err) {
				for _, r := range results {
					counts[r.Err]++
				}
			}
		})
	}
	wg.Wait()
	return counts
}

const crowd = 2000 / slowness

func TestOneKeyAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		changes := make([]journal.Change, crowd)
		for i := range changes {
			changes[i] = begun("k", fmt.Sprintf("order-%d", i))
		}
		assert.Equal(t, map[error]int{nil: 1, journal.ErrKeyExists: crowd - 1}, tally(t, []*sqlstore.Store{s, d.reopen(t, dsn)}, changes))
		assert.Len(t, events(t, s, journal.EventFilter{ID: changes[0].Entry.ID()}), 1)
	})
}

func TestOneOrderAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		changes := make([]journal.Change, crowd)
		for i := range changes {
			changes[i] = begun(fmt.Sprintf("key-%d", i), "o")
		}
		stores := []*sqlstore.Store{s, d.reopen(t, dsn)}
		assert.Equal(t, map[error]int{nil: 1, journal.ErrOrderBusy: crowd - 1}, tally(t, stores, changes))
		assert.Equal(t, map[error]int{nil: 1, journal.ErrKeyExists: 1, journal.ErrOrderBusy: crowd - 1}, together(t, stores, append(changes, begun("other", "p")), 100))
		assert.Equal(t, 2, number(t, d.raw(t, dsn), "SELECT count(*) FROM refund_events"))
	})
}

func TestOneVersionAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		c := begun("k", "o")
		write(t, s, c)
		changes := slices.Repeat([]journal.Change{ended(c.Entry)}, crowd/4)
		assert.Equal(t, map[error]int{nil: 1, journal.ErrStale: crowd/4 - 1}, tally(t, []*sqlstore.Store{s, d.reopen(t, dsn)}, changes))
		assert.Len(t, events(t, s, journal.EventFilter{ID: c.Entry.ID()}), 2)
	})
}

// Many finished entries of an order become open again at once: one gets the lock.
func TestTakingTheLock(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		var again, neighbours []journal.Change
		const n = 200
		for i := range n {
			c := begun(fmt.Sprintf("key-%d", i), "o")
			c.Entry.OrderLock = false
			neighbour := begun(fmt.Sprintf("neighbour-%d", i), fmt.Sprintf("order-%d", i))
			write(t, s, c, neighbour)
			neighbours = append(neighbours, ended(neighbour.Entry))
			c.Entry.OrderLock = true
			c.Entry.Version++
			again = append(again, c)
		}
		var changes []journal.Change
		for i := range n {
			changes = append(changes, again[i], neighbours[i])
		}
		counts := together(t, []*sqlstore.Store{s, d.reopen(t, dsn)}, changes, 50)
		assert.Equal(t, map[error]int{nil: n + 1, journal.ErrOrderBusy: n - 1}, counts)
		assert.Equal(t, 1, number(t, d.raw(t, dsn), "SELECT count(*) FROM refund_entries WHERE order_lock"))
		assert.Equal(t, 3*n+1, number(t, d.raw(t, dsn), "SELECT count(*) FROM refund_events"))
	})
}

// An order goes from one refund to the next in one call.
func TestLockChangesHands(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, _ database, _ string) {
		c := begun("first", "o")
		write(t, s, c)
		write(t, s, begun("second", "o"), ended(c.Entry))
		results, err := s.Write(t.Context(), []journal.Change{begun("third", "o"), begun("fourth", "p")})
		require.NoError(t, err)
		require.ErrorIs(t, results[0].Err, journal.ErrOrderBusy)
		assert.Equal(t, "second", results[0].Entry.Key)
		require.NoError(t, results[1].Err)
	})
}

// Groups that need the same orders, from two pools and in any order, do not stop each other.
func TestCrosswise(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		stores := []*sqlstore.Store{s, d.reopen(t, dsn)}
		const rounds, orders = 20, 30
		start := time.Now()
		for round := range rounds {
			var first, second []journal.Change
			for i := range orders {
				first = append(first, begun(fmt.Sprintf("a-%d-%d", round, i), fmt.Sprintf("order-%d-%d", round, i)))
				second = append(second, begun(fmt.Sprintf("b-%d-%d", round, i), fmt.Sprintf("order-%d-%d", round, i)))
			}
			slices.Reverse(second)
			counts := together(t, stores, append(first, second...), orders)
			require.Equal(t, map[error]int{nil: orders, journal.ErrOrderBusy: orders}, counts)
		}
		assert.Less(t, time.Since(start), 20*time.Second*slowness, "every deadlock takes a second")
	})
}

// Whoever reads on from a cursor misses nothing, although what is written first may be committed last.
func TestEventsAppearInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		const writers, each = 8, 40
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					c := begun(fmt.Sprintf("key-%d-%d", w, i), fmt.Sprintf("order-%d-%d", w, i))
					if _, err := s.Write(t.Context(), []journal.Change{c, begun(c.Entry.Key+"-b", c.Entry.Order.ID+"-b")}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if d.name == "PostgreSQL" {
			slow(t, d.raw(t, dsn))
		}
		go func() {
			wg.Wait()
			cancel()
		}()
		var read []journal.Event
		for after, done := "", false; !done; {
			done = ctx.Err() != nil // one more time after the last was written
			for _, e := range events(t, s, journal.EventFilter{After: after}) {
				read = append(read, e)
				after = e.Cursor
			}
		}
		eventually := events(t, s, journal.EventFilter{})
		for len(eventually) < 2*writers*each && t.Context().Err() == nil { // somebody else's transaction still runs
			eventually = events(t, s, journal.EventFilter{})
		}
		assert.Equal(t, eventually[:len(read)], read)
		assert.Len(t, events(t, s, journal.EventFilter{After: read[len(read)/2].Cursor}), len(eventually)-len(read)/2-1)
		for _, after := range []string{"x", "1-2-3", "-"} {
			for _, err := range s.Events(t.Context(), journal.EventFilter{After: after}) {
				require.Error(t, err)
			}
		}
	})
}

// slow writes an event in a transaction that begins before those of others and ends after them, and looks that nobody is
// shown what is newer.
func slow(t *testing.T, db *sql.DB) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `INSERT INTO refund_events (entry, version, at, from_state, to_state, attention, refund_id, note, decided_by)
		VALUES (0, 1, now(), '', '', '', '', '', '')`)
	require.NoError(t, err)
	var mine, written, shown int
	for written < 50 {
		require.NoError(t, tx.QueryRowContext(t.Context(), `SELECT txid_current(), count(*),
			count(*) FILTER (WHERE tx < txid_snapshot_xmin(txid_current_snapshot()) AND tx > txid_current()) FROM refund_events`).Scan(&mine, &written, &shown))
		require.Zero(t, shown)
	}
	require.NoError(t, tx.Rollback())
}

// An account gets another name with its entries and their history.
func TestRenameAccount(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, _ database, _ string) {
		ctx := t.Context()
		require.NoError(t, s.AddAccount(ctx, journal.Account{Provider: "toy", Name: "au", Target: "live"}, true))
		require.ErrorIs(t, s.AddAccount(ctx, journal.Account{Provider: "toy", Name: "nz", Target: "live"}, true), journal.ErrUnknownAccount)
		require.NoError(t, s.AddAccount(ctx, journal.Account{Provider: "toy", Name: "nz", Target: "live"}, false))
		require.NoError(t, s.AddAccount(ctx, journal.Account{Provider: "toy", Name: "nz", Target: "test"}, false))
		write(t, s, begun("k", "o"))
		require.ErrorIs(t, s.RenameAccount(ctx, "toy", "au", "nz"), journal.ErrUnknownAccount)
		require.ErrorIs(t, s.RenameAccount(ctx, "toy", "uk", "us"), journal.ErrUnknownAccount)
		require.NoError(t, s.RenameAccount(ctx, "toy", "au", "oz"))
		accounts, err := s.Accounts(ctx)
		require.NoError(t, err)
		assert.Equal(t, []journal.Account{{Provider: "toy", Name: "nz", Target: "test"}, {Provider: "toy", Name: "oz", Target: "live"}}, accounts)
		renamed := journal.ID{Provider: "toy", Account: "oz", Key: "k"}
		_, err = s.Get(ctx, renamed)
		require.NoError(t, err)
		assert.Equal(t, "oz", events(t, s, journal.EventFilter{ID: renamed})[0].Account)
		_, err = s.Get(ctx, journal.ID{Provider: "toy", Account: "au", Key: "k"})
		require.ErrorIs(t, err, journal.ErrNoEntry)

		// The old name's key is there under the new one, which was never added.
		c := begun("k", "o")
		c.Entry.Account = "unknown"
		write(t, s, c)
		require.ErrorIs(t, s.RenameAccount(ctx, "toy", "oz", "unknown"), journal.ErrUnknownAccount)
		_, err = s.Get(ctx, renamed)
		require.NoError(t, err)
	})
}

// Only one of many processes adds the first account.
func TestFirstAccountAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, _ database, _ string) {
		errs := make([]error, 20)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.AddAccount(t.Context(), journal.Account{Provider: "toy", Name: fmt.Sprintf("au-%d", i)}, true)
			})
		}
		wg.Wait()
		added := 0
		for _, err := range errs {
			if err == nil {
				added++
			} else {
				require.ErrorIs(t, err, journal.ErrUnknownAccount)
			}
		}
		assert.Equal(t, 1, added)
	})
}

// Entries of several accounts and states come in one order, page by page and each once.
func TestEntriesOfAllAccounts(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, _ database, _ string) {
		states := []journal.State{journal.StateSending, journal.StateUnknown, journal.StatePending, journal.StateSucceeded}
		start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		var changes []journal.Change
		var unfinished, attention, rest []string
		const n = 5000
		for i := range n {
			c := begun(fmt.Sprintf("key-%04d", i), fmt.Sprintf("order-%d", i))
			c.Entry.Account = fmt.Sprint("account-", i%3)
			c.Entry.State = states[i%len(states)]
			c.Entry.Created = start.Add(time.Duration(i/10) * time.Second) // ten are of the same moment
			if i%5 == 0 {
				c.Entry.Attention = journal.AttentionStuck
			}
			changes = append(changes, c)
		}
		slices.SortFunc(changes, func(a, b journal.Change) int {
			return strings.Compare(a.Entry.Created.Format(time.RFC3339)+a.Entry.Account+a.Entry.Key, b.Entry.Created.Format(time.RFC3339)+b.Entry.Account+b.Entry.Key)
		})
		for _, c := range changes {
			if c.Entry.State.Unfinished() {
				unfinished = append(unfinished, c.Entry.Key)
			}
			if c.Entry.Attention != "" {
				attention = append(attention, c.Entry.Key)
			}
			if !c.Entry.Created.Before(start.Add(100*time.Second)) && c.Entry.Account == "account-1" {
				rest = append(rest, c.Entry.Key)
			}
		}
		for group := range slices.Chunk(changes, 500) {
			write(t, s, group...)
		}
		assert.Equal(t, unfinished, keys(t, s, journal.Filter{States: states[:3]}))
		assert.Equal(t, attention, keys(t, s, journal.Filter{Attention: true}))
		assert.Equal(t, rest, keys(t, s, journal.Filter{Provider: "toy", Account: "account-1", From: start.Add(100 * time.Second)}))
		assert.Len(t, keys(t, s, journal.Filter{From: start, Before: start.Add(10 * time.Second)}), 100)
		for _, err := range s.Entries(t.Context(), journal.Filter{States: states[:3]}) {
			require.NoError(t, err)
			break // closes what it has begun
		}

		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		assert.Len(t, stats.States, 9)
		assert.Len(t, stats.Attention, 3)
		assert.Equal(t, journal.Stat{Provider: "toy", Account: "account-0", State: journal.StatePending, Count: 417, Oldest: start}, stats.States[0])
	})
}

// Work is given to one of many, and what had a lease may have been sent until its end.
func TestClaimAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, d database, dsn string) {
		const n = 200
		now := time.Now()
		var changes []journal.Change
		for i := range n {
			c := begun(fmt.Sprintf("key-%d", i), fmt.Sprintf("order-%d", i))
			c.Entry.Lease, c.Entry.Due = now.Add(-time.Second), now.Add(-time.Second)
			c.Entry.LastSent = now.Add(-time.Minute)
			changes = append(changes, c)
		}
		write(t, s, changes...)
		stores := []*sqlstore.Store{s, d.reopen(t, dsn)}
		var mu sync.Mutex
		claimed := map[string]int{}
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for range n / 4 {
					entries, err := stores[w%2].Claim(t.Context(), journal.Claim{Provider: "toy", Account: "au", Owner: "worker", Lease: time.Hour, Limit: 7})
					assert.NoError(t, err) //nolint:testifylint // not the test's goroutine
					mu.Lock()
					for _, e := range entries {
						claimed[e.Key]++
						assert.Equal(t, int64(2), e.Version)
						assert.Equal(t, "worker", e.Owner)
						assert.Equal(t, now.Add(-time.Second).UnixMicro(), e.LastSent.UnixMicro())
						assert.WithinDuration(t, time.Now().Add(time.Hour), e.Lease, time.Minute)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		assert.Len(t, claimed, n)
		for key, times := range claimed {
			assert.Equal(t, 1, times, key)
		}
	})
}

// A context that is over writes nothing.
func TestContextIsOver(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store, _ database, _ string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Write(ctx, []journal.Change{begun("k", "o")})
		require.ErrorIs(t, err, context.Canceled)
		_, err = s.Write(ctx, nil)
		require.ErrorIs(t, err, context.Canceled)
		_, err = s.Claim(ctx, journal.Claim{Limit: 1})
		require.ErrorIs(t, err, context.Canceled)
		_, err = s.Get(t.Context(), journal.ID{Provider: "toy", Account: "au", Key: "k"})
		require.ErrorIs(t, err, journal.ErrNoEntry)
		results, err := s.Write(t.Context(), nil)
		require.NoError(t, err)
		assert.Empty(t, results)
	})
}
