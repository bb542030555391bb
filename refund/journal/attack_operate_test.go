package journal_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// TestStoreIsAwayWhenTheAnswerComes (16): the result is written again and again, so that an answer of Instant's, which nobody can
// ask again, is not lost in a database's failover.
func TestStoreIsAwayWhenTheAnswerComes(t *testing.T) {
	for _, outage := range []time.Duration{time.Millisecond, 30 * time.Second, 10 * time.Minute} {
		for _, op := range []string{"update", "update lost"} {
			t.Run(op+" for "+outage.String(), func(t *testing.T) {
				onStage(t, map[string]vendor{"instant": instantVendor()}, func(t *testing.T, s *scene) {
					broken := &flaky{Store: s.store, broken: map[string]bool{}}
					p := &instance{journal: journal.New(broken, journal.Options{})}
					p.client = wrap(t, p.journal, s.bare(t, refund.Options{}))
					s.only(p)
					broken.breaks(op)
					go func() {
						pass(outage)
						broken.breaks()
					}()
					_, err := s.refund(t)
					if outage > 10*time.Second {
						require.ErrorIs(t, err, journal.ErrNotRecorded)
						assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
					}
					pass(outage + time.Minute)
					assert.Equal(t, journal.StateSucceeded, s.entry(t).State)
					got, err := s.refund(t)
					require.NoError(t, err)
					assert.True(t, got.Replayed)
					assert.Equal(t, 1, s.paid())
					assert.Empty(t, s.entry(t).Attention)
				})
			})
		}
	}
}

// TestIntentOfWhichNobodyKnows (17): nothing was sent, and the process knows it, so that no person has to find it out.
func TestIntentOfWhichNobodyKnows(t *testing.T) {
	t.Run("the commit's answer is lost once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &fake{})
			var writes atomic.Int32
			b.store.hook = func(op string) {
				if op == "insert lost" && writes.Add(1) == 1 {
					b.store.breaks("insert lost")
				} else {
					b.store.breaks()
				}
			}
			_, err := b.ask(t, "k")
			if err != nil {
				requireError(t, err, refund.OutcomeUnknown)
				pass(time.Minute)
				assert.Zero(t, b.sent())
				assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
				_, err = b.ask(t, "k")
			}
			require.NoError(t, err)
			assert.Equal(t, 1, b.sent())
		})
	})
	t.Run("the store is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &fake{})
			b.store.breaks("insert lost", "update")
			b.try(t, "k")
			pass(time.Minute)
			b.store.breaks()
			pass(time.Minute)
			assert.Zero(t, b.sent())
			assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
			_, err := b.ask(t, "another")
			require.NoError(t, err, "the order is free")
		})
	})
	t.Run("the context ends meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &fake{})
			ctx, cancel := context.WithCancel(b.ctx)
			b.store.hook = func(op string) {
				if op == "insert" {
					cancel()
				}
			}
			if _, err := b.client.Refund(ctx, request("k")); err != nil { // it may have ended by then, too
				requireError(t, err, refund.OutcomeUnknown)
			}
			pass(time.Minute)
			e := b.entry(t, "k")
			assert.Empty(t, e.Attention)
			assert.False(t, e.OrderLock)
			got, err := b.ask(t, "k")
			require.NoError(t, err)
			assert.Equal(t, 1, b.sent(), "%+v", got)
		})
	})
	t.Run("an observer panics", func(t *testing.T) {
		b := newBench(t, &fake{})
		b.opts.Observer = panicking()
		b.wrap(t, b.fake)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
	})
}

func panicking() journal.Observer {
	return journal.Observer{
		Start:      func(context.Context, journal.Operation) context.Context { panic("observer") },
		Attempt:    func(context.Context, journal.Operation) { panic("observer") },
		End:        func(context.Context, journal.Operation, error) { panic("observer") },
		Transition: func(context.Context, journal.Transition) { panic("observer") },
	}
}

// TestPendingThatCannotBeRead (19): what cannot be read for a week is for a person, and is not read all the time.
func TestPendingThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		f := &fake{refund: pending}
		b := newBenchOf(t, f, &readable{f, func(context.Context, refund.Ref) (*refund.Refund, error) {
			reads.Add(1)
			return nil, &refund.Error{Provider: "fake", Op: "get refund", Kind: refund.ErrOrderNotFound, Outcome: refund.OutcomeRejected}
		}})
		b.try(t, "k")
		for range 30 * 24 * 4 {
			pass(15 * time.Minute)
			_, _ = b.journal.Round(b.ctx) //nolint:errcheck // it cannot be read
		}
		e := b.entry(t, "k")
		assert.Equal(t, journal.StatePending, e.State)
		assert.Equal(t, journal.AttentionStuck, e.Attention)
		assert.NotEmpty(t, e.Note)
		assert.Less(t, reads.Load(), int32(60))
	})
}

// TestPendingForAWeek (19): as the finding, for one that can be read and does not move.
func TestPendingForAWeek(t *testing.T) {
	for name, reads := range map[string]bool{"that can be read": true, "that cannot": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: pending}
				var client refund.Refunder = f
				var asked atomic.Int32
				if reads {
					client = &readable{f, func(ctx context.Context, _ refund.Ref) (*refund.Refund, error) {
						asked.Add(1)
						return pending(ctx, request("k"))
					}}
				}
				b := newBenchOf(t, f, client)
				b.try(t, "k")
				for range 6 * 24 {
					pass(time.Hour)
					b.round(t)
				}
				assert.Empty(t, b.attention(t, "k"))
				for range 3 * 24 {
					pass(time.Hour)
					b.round(t)
				}
				assert.Equal(t, journal.AttentionStuck, b.attention(t, "k"))
				assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
				assert.Less(t, asked.Load(), int32(80))
			})
		})
	}
}

// TestHangingProviderHoldsUpNoOther (20): 500 entries of a provider that hangs, and one of another.
func TestHangingProviderHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := journal.New(store, journal.Options{})
		stuck := &fake{name: "stuck", refund: lose, resolve: func(ctx context.Context, _ refund.Attempt) (refund.Resolution, error) {
			select {
			case <-time.After(80 * time.Second):
			case <-ctx.Done():
			}
			return refund.Resolution{}, errWire
		}}
		quick := &fake{name: "quick", refund: lose, resolve: applied}
		stuckClient, quickClient := wrap(t, j, stuck), wrap(t, j, quick)
		for i := range 500 {
			req := request(fmt.Sprint("k", i))
			req.Order.ID = strconv.Itoa(i)
			_, err := stuckClient.Refund(t.Context(), req)
			require.Error(t, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { j.Run(ctx) })
		pass(5 * time.Minute) // it hangs now
		_, err := quickClient.Refund(t.Context(), request("k"))
		require.Error(t, err)
		due, err := j.Get(t.Context(), journal.ID{Provider: "quick", Key: "k"})
		require.NoError(t, err)
		pass(time.Until(due.Due) + time.Minute)
		e, err := j.Get(t.Context(), due.ID())
		require.NoError(t, err)
		assert.Equal(t, journal.StateSucceeded, e.State)
		cancel()
		running.Wait()
	})
}

// TestManyProcessesReadOnce (21): ten processes poll; each refund is read by one.
func TestManyProcessesReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const processes, refunds = 10, 100
		var reads atomic.Int32
		f := &fake{refund: pending}
		client := &readable{f, func(_ context.Context, ref refund.Ref) (*refund.Refund, error) {
			reads.Add(1)
			pass(time.Second)
			req := request("")
			req.Order = ref.Order
			got := made(req, refund.StatusPending)
			got.ID = ref.ID
			return got, nil
		}}
		store := journal.NewMemory()
		var all []*journal.Journal
		for range processes {
			j := journal.New(store, journal.Options{})
			first := wrap(t, j, client)
			if all = append(all, j); len(all) > 1 {
				continue
			}
			for i := range refunds {
				req := request(fmt.Sprint("k", i))
				req.Order.ID = strconv.Itoa(i)
				_, err := first.Refund(t.Context(), req)
				require.NoError(t, err)
			}
		}
		pass(20 * time.Minute)
		var working sync.WaitGroup
		for _, j := range all {
			working.Go(func() { _, _ = j.Round(t.Context()) }) //nolint:errcheck // see the reads
		}
		working.Wait()
		assert.Equal(t, int32(refunds), reads.Load())
	})
}

// TestPoison (22): an entry that makes the client panic ends neither Run nor the process. It is tried ever more seldom, and a
// person is called.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			if a.Request.IdempotencyKey == "poison" {
				tries.Add(1)
				panic("poison")
			}
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		b.opts.Observer = panicking()
		b.wrap(t, f)
		b.try(t, "poison")
		other := request("k")
		other.Order.ID = "2"
		_, _ = b.client.Refund(b.ctx, other) //nolint:errcheck // it is lost
		ctx, cancel := context.WithCancel(b.ctx)
		var running sync.WaitGroup
		running.Go(func() { b.journal.Run(ctx) })
		pass(24 * time.Hour)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		e := b.entry(t, "poison")
		assert.Equal(t, journal.AttentionPoison, e.Attention)
		assert.Equal(t, journal.StateUnknown, e.State)
		assert.Less(t, tries.Load(), int32(12))
		cancel()
		running.Wait()
	})
}

// TestPoisonWhilePolling (22): as TestPoison, for a pending refund.
func TestPoisonWhilePolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: pending}
		b := newBenchOf(t, f, &readable{f, func(context.Context, refund.Ref) (*refund.Refund, error) { panic("poison") }})
		b.try(t, "k")
		ctx, cancel := context.WithCancel(b.ctx)
		var running sync.WaitGroup
		running.Go(func() { b.journal.Run(ctx) })
		pass(24 * time.Hour)
		assert.Equal(t, journal.AttentionPoison, b.attention(t, "k"))
		assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
		cancel()
		running.Wait()
	})
}

// TestPanicWhilePaying (22): the provider may have acted, so the outcome is unknown.
func TestPanicWhilePaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{resolve: applied, refund: func(context.Context, refund.Request) (*refund.Refund, error) { panic("bug") }})
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		pass(time.Hour)
		b.round(t)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
	})
}

// TestHistoryIsKept (24): why somebody decided is there after the key was sent again.
func TestHistoryIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose})
		b.try(t, "k")
		pass(2 * time.Hour)
		d := decision("k", refund.VerdictNotApplied)
		require.NoError(t, b.journal.Decide(b.ctx, d))
		b.refund = nil
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		var states []journal.State
		var by, why string
		for event, err := range b.journal.Events(b.ctx, journal.EventFilter{ID: idOf("k")}) {
			require.NoError(t, err)
			if states = append(states, event.To); event.By != "" {
				by, why = event.By, event.Note
			}
		}
		assert.Equal(t, []journal.State{
			journal.StateSending, journal.StateUnknown, journal.StateNotSent, journal.StateSending, journal.StateSucceeded,
		}, states)
		assert.Equal(t, []string{d.Who, d.Why}, []string{by, why})
	})
}

// TestAlarmSurvivesACrash (25): a process that ends between writing that somebody should look and saying so has lost nothing. The
// entry is listed, and its history has it.
func TestAlarmSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: answers(refund.Resolution{Why: "nobody can tell"})})
		b.try(t, "k")
		b.opts.Observer = journal.Observer{Transition: func(context.Context, journal.Transition) { runtime.Goexit() }}
		b.wrap(t, b.fake)
		pass(time.Hour)
		go func() { _, _ = b.journal.Round(b.ctx) }() //nolint:errcheck // it dies
		pass(time.Minute)
		listed := 0
		for e, err := range b.journal.Entries(b.ctx, journal.Filter{Attention: true}) {
			require.NoError(t, err)
			assert.Equal(t, journal.AttentionReview, e.Attention)
			listed++
		}
		assert.Equal(t, 1, listed)
		var last journal.Event
		for event, err := range b.journal.Events(b.ctx, journal.EventFilter{}) {
			require.NoError(t, err)
			last = event
		}
		assert.Equal(t, journal.AttentionReview, last.Attention)
	})
}

// TestWhyItCouldNotBeAsked (F18): the entry has the kind and the code of the error.
func TestWhyItCouldNotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{}, &refund.Error{Provider: "fake", Op: "resolve", Kind: refund.ErrUnauthorized, Code: "key_expired", Attempt: a}
		}})
		b.try(t, "k")
		pass(time.Minute)
		_, err := b.journal.Round(b.ctx)
		require.ErrorIs(t, err, refund.ErrUnauthorized)
		e := b.entry(t, "k")
		assert.Equal(t, refund.ErrUnauthorized, e.Kind)
		assert.Equal(t, "key_expired", e.Code)
		assert.NotEmpty(t, e.Note)
	})
}

// TestDecisionOfNobody (F19): what is wrong with a decision can be told from a store that is away.
func TestDecisionOfNobody(t *testing.T) {
	b := newBench(t, &fake{refund: lose})
	b.try(t, "k")
	d := decision("k", refund.VerdictApplied)
	d.Who = ""
	require.ErrorIs(t, b.journal.Decide(b.ctx, d), journal.ErrDecision)
	d = decision("k", refund.VerdictApplied)
	d.Why = ""
	require.ErrorIs(t, b.journal.Decide(b.ctx, d), journal.ErrDecision)
	require.ErrorIs(t, b.decide("another", refund.VerdictApplied), journal.ErrNoEntry)
	b.store.breaks("get")
	err := b.decide("k", refund.VerdictApplied)
	require.ErrorIs(t, err, errStore)
	require.NotErrorIs(t, err, journal.ErrDecision)
}
