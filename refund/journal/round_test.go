package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// TestRoundWaitsForTheLease: a process may still be sending. When the lease is over it is not, but it may have sent until then.
func TestRoundWaitsForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		b := newBench(t, f)
		began := time.Now()
		b.crash(t, "k")
		pass(15*time.Minute - 1)
		assert.Equal(t, journal.Summary{}, b.round(t))
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, refund.ErrInFlight)
		got, err := b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("k")})
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		e := b.entry(t, "k")
		assert.Equal(t, e.Lease, got.NotBefore)
		assert.Empty(t, f.asked())

		e.Due = time.Now() // the lease is what counts
		b.put(t, e)
		assert.Equal(t, journal.Summary{}, b.round(t))

		pass(1)
		b.wrap(t, f) // the new process
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		want := refund.Attempt{
			Request: request("k"), FirstSent: began, LastSent: began.Add(15 * time.Minute), Tries: 1, Known: []refund.Known{},
		}
		assert.Equal(t, []refund.Attempt{want}, f.asked())
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		assert.Equal(t, 1, f.sent())
		assert.Equal(t, journal.Summary{}, b.round(t), "what is finished is not looked at")
	})
}

// TestDeadSenderCountsFromTheEndOfItsLease: an absence that is believed earlier pays twice.
func TestDeadSenderCountsFromTheEndOfItsLease(t *testing.T) {
	for lag, absence := range map[time.Duration]time.Duration{0: 0, time.Hour: 0, 2 * time.Hour: 2 * time.Hour} {
		t.Run(lag.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{absence: absence, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
					if until := a.LastSent.Add(lag); time.Now().Before(until) {
						return refund.Resolution{NotBefore: until, Why: "reads lag"}, nil
					}
					return absent(ctx, a)
				}}
				b := newBench(t, f)
				b.crash(t, "k")
				pass(15 * time.Minute)
				assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
				e := b.entry(t, "k")
				settled := time.Now().Add(max(lag, time.Hour))
				assert.Equal(t, settled, e.Due, "not before it should have appeared, although the backoff is shorter")
				assert.Equal(t, time.Now(), e.LastSent)
				pass(time.Until(settled) - 1)
				assert.Equal(t, journal.Summary{}, b.round(t))
				pass(1)
				assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
				assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
				pass(time.Minute - 1)
				assert.Equal(t, journal.Summary{}, b.round(t))
				pass(1)
				assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
				assert.Equal(t, journal.StateNotFound, b.entry(t, "k").State)
			})
		})
	}
}

// TestRepeatAfterCrashResolvesFirst: and sends only what is known not to be there.
func TestRepeatAfterCrashResolvesFirst(t *testing.T) {
	for name, resolve := range map[string]func(context.Context, refund.Attempt) (refund.Resolution, error){"applied": applied, "absent": absent} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{resolve: resolve}
			b := newBench(t, f)
			b.crash(t, "k")
			pass(time.Hour)
			got, err := b.ask(t, "k")
			for range 2 {
				if name == "applied" {
					break
				}
				requireError(t, err, refund.OutcomeUnknown)
				assert.Equal(t, 1, f.sent())
				b.due(t, "k")
				got, err = b.ask(t, "k")
			}
			require.NoError(t, err)
			assert.Equal(t, "r-k", got.ID)
			assert.Equal(t, map[string]int{"applied": 1, "absent": 2}[name], f.sent())
		})
	}
}

// TestCrashDuringResolve: a resolver may have sent the request again until the end of its lease.
func TestCrashDuringResolve(t *testing.T) {
	for name, resolve := range map[string]func(*testing.T, *bench){
		"in a round": func(t *testing.T, b *bench) { t.Helper(); b.round(t) },
		"in a repeat": func(t *testing.T, b *bench) {
			t.Helper()
			_, err := b.ask(t, "k")
			requireErrorIs(t, err, refund.ErrInFlight)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: lose}
				b := newBench(t, f)
				_, err := b.ask(t, "k")
				requireError(t, err, refund.OutcomeUnknown)
				pass(time.Hour)
				f.resolve = goexit
				resolve(t, b)
				e := b.entry(t, "k")
				assert.Equal(t, journal.StateUnknown, e.State)
				assert.Equal(t, time.Now().Add(15*time.Minute), e.Lease)

				f.resolve = applied
				assert.Equal(t, journal.Summary{}, b.round(t))
				pass(15 * time.Minute)
				assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
				assert.Equal(t, e.Lease, f.asked()[1].LastSent)
				assert.Equal(t, e.FirstSent, f.asked()[1].FirstSent)
			})
		})
	}
}

// TestBackoff: one step for each look, then a person, and a look a day for a week.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		b.opts.Backoff = []time.Duration{time.Second, time.Minute, time.Hour}
		b.wrap(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		for i, wait := range []time.Duration{time.Second, time.Second, time.Minute, time.Hour} {
			assert.Equal(t, time.Now().Add(wait), b.entry(t, "k").Due)
			pass(wait - 1)
			assert.Equal(t, journal.Summary{}, b.round(t))
			pass(1)
			want := journal.Summary{Waiting: 1}
			if i == 3 {
				want = journal.Summary{Attention: 1}
			}
			assert.Equal(t, want, b.round(t))
		}
		assert.Equal(t, journal.StateNeedsReview, b.entry(t, "k").State)
		assert.Equal(t, journal.AttentionReview, b.attention(t, "k"))
		assert.Len(t, f.asked(), 4)
		for range 7 {
			pass(24*time.Hour - 1)
			assert.Equal(t, journal.Summary{}, b.round(t))
			pass(1)
			assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		}
		assert.True(t, b.entry(t, "k").Due.IsZero(), "a person decides now")
		assert.Equal(t, []string{">sending", "sending>unknown", "unknown>needs_review"}, b.transitions(), "a look is no transition")
		for i, a := range f.asked() {
			assert.Equal(t, i >= 4, a.LookOnly, "only the resolution of an unknown refund may send")
		}
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, journal.ErrNeedsReview)
		assert.Len(t, f.asked(), 4+7)
		assert.Equal(t, 1, f.sent())
	})
}

// TestReviewFindsIt: what a person was called for may still turn up by itself.
func TestReviewFindsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})}
		b := newBench(t, f)
		b.try(t, "k")
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		f.resolve = applied
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateSucceeded, journal.Attention(""), false}, []any{e.State, e.Attention, e.OrderLock})
	})
}

// TestDefaultBackoff takes more than five days of outage to leave an entry to a person.
func TestDefaultBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(context.Context, refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{}, errWire
		}}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		began := time.Now()
		for b.entry(t, "k").State == journal.StateUnknown {
			b.due(t, "k")
			_, err := b.journal.Round(t.Context())
			require.ErrorIs(t, err, errWire)
		}
		assert.Equal(t, journal.StateNeedsReview, b.entry(t, "k").State)
		assert.Greater(t, time.Since(began), 5*24*time.Hour)
		assert.Len(t, f.asked(), 12)
	})
}

// TestTwoRounds: one of them resolves, the other leaves it alone.
func TestTwoRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			pass(time.Second)
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		b.crash(t, "k")
		other := journal.New(b.store, b.opts)
		wrap(t, other, f)
		pass(time.Hour)
		b.store.hook = func(op string) {
			if op == "claim" || op == "update" {
				pass(time.Second)
			}
		}
		var wg sync.WaitGroup
		sums := make([]journal.Summary, 3)
		for i, j := range []*journal.Journal{b.journal, other} {
			wg.Go(func() {
				var err error
				sums[i], err = j.Round(t.Context())
				require.NoError(t, err)
			})
		}
		wg.Go(func() {
			_, err := b.ask(t, "k")
			if err != nil {
				requireErrorIs(t, err, refund.ErrInFlight)
				return
			}
			sums[2].Settled++
		})
		wg.Wait()
		assert.Equal(t, 1, sums[0].Settled+sums[1].Settled+sums[2].Settled)
		assert.Len(t, f.asked(), 1)
	})
}

// TestRoundGoesOn after entries that cannot be resolved.
func TestRoundGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			switch a.Request.IdempotencyKey {
			case "a":
				return refund.Resolution{}, errWire
			case "b":
				return refund.Resolution{Why: "look"}, nil
			}
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		for _, key := range []string{"a", "b", "c"} {
			_, err := b.client.Refund(t.Context(), ofOrder(key, key))
			require.ErrorIs(t, err, errWire)
		}
		pass(time.Hour)
		sum, err := b.journal.Round(t.Context())
		require.ErrorIs(t, err, errWire)
		assert.Equal(t, journal.Summary{Settled: 1, Attention: 1, Waiting: 1}, sum)

		b.store.breaks("claim")
		_, err = b.journal.Round(t.Context())
		require.ErrorIs(t, err, errStore)
		b.store.breaks()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = b.journal.Round(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// TestNobodyHasAClient: the work on an account that nobody asks for any more is not done by another's client, and after a day
// somebody is called.
func TestWorkWithoutAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		gone := &fake{name: "gone", refund: lose}
		client := wrap(t, b.journal, gone)
		_, err := client.Refund(t.Context(), ofOrder("k", "1"))
		require.ErrorIs(t, err, errWire)
		id := journal.ID{Provider: "gone", Key: "k"}
		entry := func() journal.Entry {
			e, err := b.journal.Get(t.Context(), id)
			require.NoError(t, err)
			return e
		}
		b.wrap(t, f) // a process without a client for the other provider
		pass(24*time.Hour + 15*time.Second - 1)
		before := entry()
		assert.Equal(t, journal.Summary{}, b.round(t))
		assert.Equal(t, before, entry())
		pass(1)
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		assert.Equal(t, journal.Summary{}, b.round(t), "once a day is enough")
		e := entry()
		assert.Equal(t, []any{journal.StateUnknown, journal.AttentionNoClient, true}, []any{e.State, e.Attention, e.OrderLock})
		assert.Empty(t, f.asked())

		gone.resolve = applied
		wrap(t, b.journal, gone)
		pass(48 * time.Hour)
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t), "what it was called for stays until somebody has decided")
		assert.Equal(t, journal.StateSucceeded, entry().State)
	})
}

// TestRoundStops when its context ends, and says so.
func TestRoundStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose})
		b.opts.Workers = 1
		b.wrap(t, b.fake)
		for _, key := range []string{"a", "b"} {
			_, err := b.client.Refund(t.Context(), ofOrder(key, key))
			requireErrorIs(t, err, errWire)
		}
		pass(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		b.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			cancel()
			return applied(ctx, a)
		}
		sum, err := b.journal.Round(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, journal.Summary{Settled: 1}, sum)
		assert.Equal(t, journal.StateUnknown, b.entry(t, "b").State)
		assert.Len(t, b.asked(), 1)
	})
}

// TestWorkers is how many entries of an account are worked on at once.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		at, most := 0, 0
		f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			mu.Lock()
			at++
			most = max(most, at)
			mu.Unlock()
			pass(time.Second)
			mu.Lock()
			at--
			mu.Unlock()
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		b.opts.Workers = 3
		b.wrap(t, f)
		for i := range 10 {
			_, err := b.client.Refund(t.Context(), ofOrder(strconv.Itoa(i), strconv.Itoa(i)))
			requireErrorIs(t, err, errWire)
		}
		pass(time.Hour)
		assert.Equal(t, journal.Summary{Settled: 10}, b.round(t))
		assert.Equal(t, 3, most)
	})
}

// TestPoll follows a pending refund to each of its ends.
func TestPoll(t *testing.T) {
	for status, state := range map[refund.Status]journal.State{
		refund.StatusSucceeded: journal.StateSucceeded, refund.StatusFailed: journal.StateFailed,
		refund.StatusCanceled: journal.StateCanceled, refund.StatusExpired: journal.StateExpired,
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: pending}
				now := refund.StatusPending
				r := &readable{fake: f, get: func(_ context.Context, ref refund.Ref) (*refund.Refund, error) {
					assert.Equal(t, refund.Ref{Order: request("k").Order, ID: "r-k"}, ref)
					return made(request("k"), now), nil
				}}
				b := newBenchOf(t, f, r)
				_, err := b.ask(t, "k")
				require.NoError(t, err)
				assert.Equal(t, journal.Summary{}, b.round(t))
				pass(15 * time.Minute)
				assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
				assert.Equal(t, journal.Summary{}, b.round(t))
				now = status
				pass(15 * time.Minute)
				assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
				e := b.entry(t, "k")
				assert.Equal(t, []any{state, journal.Attention("")}, []any{e.State, e.Attention})
				got, err := b.ask(t, "k")
				require.NoError(t, err)
				assert.Equal(t, status, got.Status)
				assert.Equal(t, []string{">sending", "sending>pending", "pending>" + string(state)}, b.transitions())
				assert.False(t, e.State.Reserves() && state != journal.StateSucceeded)
				assert.Empty(t, f.asked())
			})
		})
	}
}

// TestPollOfALongPendingRefund gets rarer, down to once a day; after a week somebody is called, once.
func TestPollOfALongPendingRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: pending}
		reads := 0
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) {
			reads++
			return made(request("k"), refund.StatusPending), nil
		}}
		b := newBenchOf(t, f, r)
		b.try(t, "k")
		created := b.entry(t, "k").Created
		last := time.Duration(0)
		for time.Since(created) < 7*24*time.Hour {
			require.Empty(t, b.attention(t, "k"))
			due := b.entry(t, "k").Due
			wait := time.Until(due)
			assert.True(t, wait >= last || due.Equal(created.Add(7*24*time.Hour)), wait)
			assert.LessOrEqual(t, wait, 24*time.Hour)
			last = wait
			b.due(t, "k")
			b.round(t)
		}
		assert.Less(t, reads, 60)
		assert.Equal(t, journal.AttentionStuck, b.attention(t, "k"))

		d := decision("k", refund.VerdictApplied)
		d.Pending, d.RefundID = true, "r-k"
		require.NoError(t, b.journal.Decide(t.Context(), d))
		for range 30 {
			b.due(t, "k")
			assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t), "somebody has decided to wait")
		}
	})
}

// TestPollCannotRead: a refund that is not found, or not read, is as pending as before.
func TestPollCannotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) {
			return &refund.Refund{Status: refund.StatusPending}, nil // without an id
		}}
		var problem error
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) { return nil, problem }}
		b := newBenchOf(t, f, r)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		for i, wait := range []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute} {
			problem = []error{errWire, &refund.Error{Kind: refund.ErrOrderNotFound, Outcome: refund.OutcomeRejected}, nil}[i]
			b.due(t, "k")
			sum, err := b.journal.Round(t.Context())
			require.Error(t, err)
			if problem != nil {
				require.ErrorIs(t, err, problem)
			}
			assert.Equal(t, journal.Summary{Waiting: 1}, sum)
			e := b.entry(t, "k")
			assert.Equal(t, []any{journal.StatePending, journal.Attention(""), true}, []any{e.State, e.Attention, e.Lease.IsZero()})
			assert.Equal(t, time.Now().Add(wait), e.Due)
		}
		b.store.breaks("update")
		b.due(t, "k")
		_, err = b.journal.Round(t.Context())
		require.ErrorIs(t, err, errStore)
	})
}

// TestPollWithoutGetter: what cannot be read is not polled, also when another process thought it could. After a week somebody
// is called.
func TestPollWithoutGetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: pending}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		e := b.entry(t, "k")
		stuck := e.Created.Add(7 * 24 * time.Hour)
		assert.Equal(t, stuck, e.Due)
		e.Due = time.Now()
		b.put(t, e)
		for _, want := range []journal.Summary{{Waiting: 1}, {}} {
			assert.Equal(t, want, b.round(t))
		}
		e = b.entry(t, "k")
		assert.Equal(t, []any{journal.StatePending, stuck}, []any{e.State, e.Due})
		b.due(t, "k")
		for _, want := range []journal.Summary{{Attention: 1}, {}} {
			assert.Equal(t, want, b.round(t))
		}
		e = b.entry(t, "k")
		assert.Equal(t, []any{journal.StatePending, journal.AttentionStuck, true}, []any{e.State, e.Attention, e.Due.IsZero()})
	})
}

// TestPoison: work that makes the client panic is put off, keeps back no other, and after three times somebody is called.
func TestPoisonOfEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			if a.Request.IdempotencyKey == "bad" {
				panic("card 4111")
			}
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		b.try(t, "bad")
		_, err := b.client.Refund(t.Context(), ofOrder("good", "2"))
		requireErrorIs(t, err, errWire)
		for i := range 5 {
			b.due(t, "bad")
			sum, err := b.journal.Round(t.Context())
			require.Error(t, err)
			require.NotContains(t, err.Error(), "4111")
			want := journal.Summary{Waiting: 1}
			if i >= 2 {
				want = journal.Summary{Attention: 1}
			}
			if i == 0 {
				want.Settled = 1
			}
			assert.Equal(t, want, sum, i)
		}
		e := b.entry(t, "bad")
		assert.Equal(t, []any{journal.StateUnknown, journal.AttentionPoison, true, true}, []any{e.State, e.Attention, e.OrderLock, e.Lease.IsZero()})
		assert.False(t, e.Due.IsZero())
	})
}

// TestRun works on schedule, goes on after errors, logs them, and ends with its context.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(a.Request, refund.StatusPending)}, nil
		}}
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) {
			return made(request("k"), refund.StatusSucceeded), nil
		}}
		b := newBenchOf(t, f, r)
		var log bytes.Buffer
		b.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		b.wrap(t, r)
		_, err := b.ask(t, "k")
		require.ErrorIs(t, err, errWire)

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		b.store.breaks("claim")
		go func() {
			defer close(done)
			b.journal.Run(ctx)
		}()
		synctest.Wait()
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
		assert.Contains(t, log.String(), errStore.Error())
		b.store.breaks()
		pass(30*time.Second + 1)
		assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
		pass(15*time.Minute + 30*time.Second)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		cancel()
		<-done
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), "the end is no error")
	})
}

// TestRunInterval, without a logger.
func TestRunInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{})
		b.opts.Interval = time.Hour
		b.wrap(t, b.fake)
		b.store.breaks("claim")
		var mu sync.Mutex
		n := 0
		b.store.hook = func(op string) {
			mu.Lock()
			defer mu.Unlock()
			if op == "claim" {
				n++
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Minute)
		defer cancel()
		b.journal.Run(ctx)
		assert.Equal(t, 3, n, "at once, after one hour and after two")
		assert.Equal(t, context.DeadlineExceeded, ctx.Err())
	})
}

// TestRunOfAProviderThatHangs: it holds up no other, and gets no second round meanwhile.
func TestRunOfAProviderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &fake{refund: lose, resolve: func(ctx context.Context, _ refund.Attempt) (refund.Resolution, error) {
			<-ctx.Done()
			return refund.Resolution{}, ctx.Err()
		}}
		works := &fake{name: "works", refund: lose, resolve: applied}
		b := newBench(t, hangs)
		client := wrap(t, b.journal, works)
		b.try(t, "k")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.journal.Run(ctx) })
		for i := range 3 {
			pass(time.Minute)
			_, err := client.Refund(t.Context(), ofOrder(strconv.Itoa(i), strconv.Itoa(i)))
			require.ErrorIs(t, err, errWire)
			pass(time.Minute)
			e, err := b.journal.Get(t.Context(), journal.ID{Provider: "works", Key: strconv.Itoa(i)})
			require.NoError(t, err)
			assert.Equal(t, journal.StateSucceeded, e.State)
		}
		assert.Len(t, hangs.asked(), 1)
		cancel()
		wg.Wait()
	})
}

// TestEntries selects by every field of a Filter, and stops when the caller does.
func TestEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		other := wrap(t, b.journal, &fake{name: "other"})
		began := time.Now()
		for i := range 3 {
			if i == 2 {
				f.refund = lose
			}
			if _, err := b.client.Refund(t.Context(), ofOrder(fmt.Sprintf("k%d", i), strconv.Itoa(i))); i == 2 {
				require.ErrorIs(t, err, errWire)
			}
			pass(time.Second)
		}
		_, err := other.Refund(t.Context(), request("k0"))
		require.NoError(t, err)
		e := b.entry(t, "k1")
		e.Attention = journal.AttentionFailedLate
		b.put(t, e)

		list := func(f journal.Filter) (got []string) {
			for e, err := range b.journal.Entries(t.Context(), f) {
				require.NoError(t, err)
				got = append(got, e.Provider+" "+e.Key)
			}
			return got
		}
		assert.Equal(t, []string{"fake k0", "fake k1", "fake k2", "other k0"}, list(journal.Filter{From: began}), "by Created")
		assert.Equal(t, []string{"other k0"}, list(journal.Filter{Provider: "other", From: began}))
		assert.Empty(t, list(journal.Filter{Provider: "other", Account: "nz", From: began}))
		assert.Equal(t, []string{"fake k1"}, list(journal.Filter{Provider: "fake", OrderKey: "1"}))
		assert.Equal(t, []string{"fake k2"}, list(journal.Filter{States: []journal.State{journal.StateUnknown, journal.StateNeedsReview}}))
		assert.Equal(t, []string{"fake k1"}, list(journal.Filter{Attention: true}))
		assert.Equal(t, []string{"fake k0"}, list(journal.Filter{From: began, Before: began.Add(time.Second)}))
		assert.Equal(t, []string{"fake k1", "fake k2", "other k0"}, list(journal.Filter{From: began.Add(time.Second)}))
		for e, err := range b.journal.Entries(t.Context(), journal.Filter{From: began}) {
			require.NoError(t, err)
			assert.Equal(t, "k0", e.Key)
			break
		}
		for _, all := range []journal.Filter{
			{}, {Provider: "fake"}, {OrderKey: "1"}, {States: []journal.State{journal.StateUnknown, journal.StateSucceeded}}, {Before: time.Now()},
		} {
			for _, err := range b.journal.Entries(t.Context(), all) {
				require.ErrorIs(t, err, journal.ErrFilter)
			}
		}
	})
}

// TestMemoryChecksVersions: the compare-and-set that everything rests on.
func TestMemoryChecksVersions(t *testing.T) {
	store := journal.NewMemory()
	e := journal.Entry{Provider: "fake", Key: "k", Order: refund.Order{ID: "1"}, State: journal.StateSending}
	write := func(version int64) error {
		e.Version = version
		results, err := store.Write(t.Context(), []journal.Change{{Entry: e}})
		require.NoError(t, err)
		return results[0].Err
	}
	require.ErrorIs(t, write(2), journal.ErrStale)
	require.NoError(t, write(1))
	require.ErrorIs(t, write(1), journal.ErrKeyExists)
	require.ErrorIs(t, write(3), journal.ErrStale)
	require.NoError(t, write(2))
	require.ErrorIs(t, write(2), journal.ErrStale)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Version = 3
	_, err := store.Write(ctx, []journal.Change{{Entry: e}})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, write(3))
}

// TestFoundLateBeforeARepeat: what the look before a repeat finds had been made all along, which somebody should hear.
func TestFoundLateBeforeARepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: absent, resolvedBy: refund.ResolvedByMarker})
		b.try(t, "k")
		for b.entry(t, "k").State == journal.StateUnknown {
			pass(time.Hour)
			b.round(t)
		}
		require.Equal(t, journal.StateNotFound, b.entry(t, "k").State)
		b.resolve = applied
		got, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.True(t, got.Replayed)
		assert.Equal(t, 1, b.sent())
		assert.Equal(t, journal.AttentionFoundLate, b.attention(t, "k"))
	})
}
