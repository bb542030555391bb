package journal_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// cancelBench is a bench around a provider that takes refunds back, with a pending one of the key "k".
type cancelBench struct {
	*bench
	able *able

	mu    sync.Mutex
	asked []refund.Ref
}

func newCancelBench(t *testing.T) *cancelBench {
	t.Helper()
	b := &cancelBench{able: &able{fake: &fake{refund: pending}}}
	b.answers(refund.StatusCanceled, nil)
	b.bench = newBenchOf(t, b.able.fake, b.able)
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	return b
}

// answers lets the provider cancel, or not.
func (b *cancelBench) answers(status refund.Status, err error) {
	b.does(func(context.Context) (*refund.Refund, error) {
		if err != nil {
			return nil, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		got := made(request("k"), status)
		got.ID = b.asked[len(b.asked)-1].ID
		return got, nil
	})
}

func (b *cancelBench) does(script func(context.Context) (*refund.Refund, error)) {
	b.able.cancel = func(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
		b.mu.Lock()
		b.asked = append(b.asked, ref)
		b.mu.Unlock()
		return script(ctx)
	}
}

func (b *cancelBench) take(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	canceler, ok := refund.As[refund.Canceler](b.client)
	if !ok {
		return nil, errWire
	}
	return canceler.CancelRefund(ctx, ref)
}

func (b *cancelBench) rounds(t *testing.T, want journal.Summary) {
	t.Helper()
	require.Equal(t, want, b.round(t))
}

// reads is what Round finds.
func (b *cancelBench) reads(status refund.Status) {
	b.able.get = func(context.Context, refund.Ref) (*refund.Refund, error) { return made(request("k"), status), nil }
}

func refOf(key string) refund.Ref { return refund.Ref{Order: request(key).Order, ID: "r-" + key} }

// requireNotCanceled is for an error of a cancellation that did not reach the provider.
func (b *cancelBench) requireNotCanceled(t *testing.T, err error, kind refund.Kind) refund.Error {
	t.Helper()
	re := errorOf(t, err, refund.OutcomeNotSent)
	require.Equal(t, []any{kind, "cancel refund"}, []any{re.Kind, re.Op})
	return *re
}

// requireUnknown is for an error of a cancellation that may have happened.
func (b *cancelBench) requireUnknown(t *testing.T, err error) {
	t.Helper()
	var re *refund.Error
	require.ErrorAs(t, err, &re)
	require.Equal(t, []any{refund.OutcomeUnknown, "fake", "cancel refund", "k"}, []any{re.Outcome, re.Provider, re.Op, re.IdempotencyKey})
}

// TestCancelRefund: the journal claims the entry, asks, and records.
func TestCancelRefund(t *testing.T) {
	for name, ref := range map[string]refund.Ref{
		"by its id":                            refOf("k"),
		"by the order":                         {Order: request("k").Order},
		"by the order with another of its ids": {Order: refund.Order{ID: "1", MerchantID: "m"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCancelBench(t)
				pass(time.Minute)
				b.does(func(ctx context.Context) (*refund.Refund, error) {
					e := b.entry(t, "k")
					assert.Equal(t, []any{journal.StatePending, time.Now().Add(15 * time.Minute), time.Now()}, []any{e.State, e.Lease, e.Due})
					deadline, ok := ctx.Deadline()
					assert.True(t, ok)
					assert.Equal(t, e.Lease.Add(-time.Minute), deadline)
					return made(request("k"), refund.StatusCanceled), nil
				})
				got, err := b.take(t.Context(), ref)
				require.NoError(t, err)
				assert.Equal(t, refund.StatusCanceled, got.Status)
				assert.Equal(t, []refund.Ref{refOf("k")}, b.asked, "the entry's own names")
				e := b.entry(t, "k")
				assert.Equal(t, journal.StateCanceled, e.State)
				assert.True(t, e.Lease.IsZero())
				assert.True(t, e.Due.IsZero())
				assert.False(t, e.State.Reserves())
				assert.Equal(t, []string{">sending", "sending>pending", "pending>canceled"}, b.transitions(), "a claim is no transition")

				again, err := b.ask(t, "k")
				require.NoError(t, err)
				assert.Equal(t, []any{refund.StatusCanceled, true, 1}, []any{again.Status, again.Replayed, b.sent()})
			})
		})
	}
}

// TestCancelIsNotFoundBehindTheJournal: As never leads to the provider's own CancelRefund.
func TestCancelIsNotFoundBehindTheJournal(t *testing.T) {
	b := newCancelBench(t)
	for _, client := range []refund.Refunder{b.client, traced{Refunder: b.client, calls: new(int)}} {
		canceler, ok := refund.As[refund.Canceler](client)
		require.True(t, ok)
		_, behind := canceler.(*able)
		assert.False(t, behind)
	}
	readable := &readable{fake: &fake{}}
	_, ok := refund.As[refund.Canceler](newBenchOf(t, readable.fake, readable).client)
	assert.False(t, ok, "a provider that cannot cancel")
}

// TestCancelAnswers: the provider may also say that it was too late.
func TestCancelAnswers(t *testing.T) {
	for status, state := range map[refund.Status]journal.State{
		refund.StatusCanceled: journal.StateCanceled, refund.StatusSucceeded: journal.StateSucceeded,
		refund.StatusFailed: journal.StateFailed, refund.StatusExpired: journal.StateExpired,
		refund.StatusPending: journal.StatePending, refund.StatusUnknown: journal.StatePending,
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCancelBench(t)
				b.answers(status, nil)
				got, err := b.take(t.Context(), refOf("k"))
				require.NoError(t, err)
				assert.Equal(t, status, got.Status)
				e := b.entry(t, "k")
				assert.Equal(t, state, e.State)
				assert.True(t, e.Lease.IsZero())
				want := time.Time{}
				if state == journal.StatePending {
					want = time.Now().Add(15 * time.Minute)
				}
				assert.Equal(t, want, e.Due)
			})
		})
	}
}

// TestCancelAtOnce: one of two asks the provider, whether the other comes before or after the first has claimed the entry.
func TestCancelAtOnce(t *testing.T) {
	for name, hook := range map[string]bool{"both have read the entry": true, "the first is asking": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCancelBench(t)
				b.does(func(context.Context) (*refund.Refund, error) {
					pass(time.Minute)
					return made(request("k"), refund.StatusCanceled), nil
				})
				if hook {
					b.store.hook = func(op string) {
						if op == "update" {
							pass(time.Second)
						}
					}
				}
				errs := make([]error, 2)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() {
						if !hook {
							pass(time.Duration(i) * time.Second)
						}
						_, errs[i] = b.take(t.Context(), refOf("k"))
					})
				}
				wg.Wait()
				if errs[0] != nil {
					errs[0], errs[1] = errs[1], errs[0]
				}
				require.NoError(t, errs[0])
				b.requireNotCanceled(t, errs[1], refund.ErrInFlight)
				assert.Len(t, b.asked, 1)
				assert.Equal(t, journal.StateCanceled, b.entry(t, "k").State)
			})
		})
	}
}

// TestCancelWithoutAnEntry: what the journal does not have as pending is not taken back behind it.
func TestCancelWithoutAnEntry(t *testing.T) {
	for name, ref := range map[string]refund.Ref{
		"another order":  {Order: refund.Order{ID: "2"}, ID: "r-k"},
		"another refund": {Order: request("k").Order, ID: "r-other"},
		"no order":       {ID: "r-k"},
		"nothing":        {},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCancelBench(t)
			_, err := b.take(t.Context(), ref)
			b.requireNotCanceled(t, err, refund.ErrOrderNotFound)
			assert.Empty(t, b.asked)
			assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
		})
	}
	for name, script := range map[string]func(context.Context, refund.Request) (*refund.Refund, error){
		"succeeded": nil, "unknown": lose, "rejected": fails(refund.OutcomeRejected), "not sent": fails(refund.OutcomeNotSent),
		"canceled": func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			return made(req, refund.StatusCanceled), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCancelBench(t)
			b.refund = script
			req := request("other")
			req.Order.ID = "2"
			_, _ = b.client.Refund(t.Context(), req) //nolint:errcheck // some of them fail
			before := b.entry(t, "other")
			_, err := b.take(t.Context(), refund.Ref{Order: req.Order})
			b.requireNotCanceled(t, err, refund.ErrOrderNotFound)
			assert.Empty(t, b.asked)
			assert.Equal(t, before, b.entry(t, "other"))
		})
	}
}

// TestCancelAtAnotherAccount: a pending refund of the same order and id at another account is another refund.
func TestCancelAtAnotherAccount(t *testing.T) {
	b := newCancelBench(t)
	nz := &able{fake: &fake{account: "nz"}}
	nz.cancel = func(context.Context, refund.Ref) (*refund.Refund, error) {
		assert.Fail(t, "the wrong account is asked")
		return nil, errWire
	}
	require.NoError(t, b.journal.AddAccount(t.Context(), journal.Account{Provider: "fake", Name: "nz"}))
	canceler, ok := refund.As[refund.Canceler](wrap(t, b.journal, nz))
	require.True(t, ok)
	_, err := canceler.CancelRefund(t.Context(), refOf("k"))
	assert.Equal(t, "nz", b.requireNotCanceled(t, err, refund.ErrOrderNotFound).Account)
	assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
}

// TestCancelOneOfSeveral: who does not say which might get the wrong one.
func TestCancelOneOfSeveral(t *testing.T) {
	b := newCancelBench(t)
	_, err := b.ask(t, "second")
	require.NoError(t, err)
	_, err = b.take(t.Context(), refund.Ref{Order: request("k").Order})
	assert.Equal(t, "ID", b.requireNotCanceled(t, err, refund.ErrInvalidRequest).Field)
	assert.Empty(t, b.asked)

	_, err = b.take(t.Context(), refOf("second"))
	require.NoError(t, err)
	assert.Equal(t, []refund.Ref{refOf("second")}, b.asked)
	assert.Equal(t, journal.StateCanceled, b.entry(t, "second").State)
	_, err = b.take(t.Context(), refund.Ref{Order: request("k").Order})
	require.NoError(t, err, "one is left")
}

// TestCancelFails: whether it was taken back is not known, or not done. The entry stays pending, and Round reads it at once.
func TestCancelFails(t *testing.T) {
	for name, problem := range map[string]error{
		"unknown":  &refund.Error{Provider: "fake", Op: "cancel refund", Kind: refund.ErrUnavailable, Err: errWire},
		"rejected": &refund.Error{Provider: "fake", Op: "cancel refund", Kind: refund.ErrLocked, Outcome: refund.OutcomeRejected},
		"not sent": &refund.Error{Provider: "fake", Op: "cancel refund", Kind: refund.ErrUnavailable, Outcome: refund.OutcomeNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCancelBench(t)
				b.answers("", problem)
				got, err := b.take(t.Context(), refOf("k"))
				assert.Nil(t, got)
				assert.Same(t, problem, err, "the provider's own")
				e := b.entry(t, "k")
				assert.Equal(t, []any{journal.StatePending, time.Now(), true}, []any{e.State, e.Due, e.Lease.IsZero()})
				b.reads(refund.StatusCanceled)
				b.rounds(t, journal.Summary{Settled: 1})
				assert.Equal(t, journal.StateCanceled, b.entry(t, "k").State)
			})
		})
	}
}

// TestCancelReturnsNothing: a client that says nothing has not said that it was taken back.
func TestCancelReturnsNothing(t *testing.T) {
	b := newCancelBench(t)
	b.does(func(context.Context) (*refund.Refund, error) { return nil, nil })
	got, err := b.take(t.Context(), refOf("k"))
	assert.Nil(t, got)
	require.ErrorIs(t, err, refund.ErrUnexpected)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
	assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
}

// TestCancelAgain after an error.
func TestCancelAgain(t *testing.T) {
	b := newCancelBench(t)
	b.answers("", &refund.Error{Provider: "fake", Outcome: refund.OutcomeNotSent})
	_, err := b.take(t.Context(), refOf("k"))
	require.Error(t, err)
	b.answers(refund.StatusCanceled, nil)
	_, err = b.take(t.Context(), refOf("k"))
	require.NoError(t, err)
	assert.Len(t, b.asked, 2)
	assert.Equal(t, journal.StateCanceled, b.entry(t, "k").State)
}

// TestCancelWithoutTheStore: what is not claimed is not asked for.
func TestCancelWithoutTheStore(t *testing.T) {
	for _, op := range []string{"entries", "update", "update lost"} {
		t.Run(op, func(t *testing.T) {
			b := newCancelBench(t)
			b.store.breaks(op)
			_, err := b.take(t.Context(), refOf("k"))
			b.requireNotCanceled(t, err, refund.ErrUnavailable)
			require.ErrorIs(t, err, errStore)
			assert.Empty(t, b.asked)
			b.store.breaks()
			assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
		})
	}
	t.Run("context over", func(t *testing.T) {
		b := newCancelBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.take(ctx, refOf("k"))
		b.requireNotCanceled(t, err, refund.ErrUnavailable)
		require.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, b.asked)
	})
}

// TestCancelNotRecorded: the provider has taken it back, or not; Round reads it when the lease is over.
func TestCancelNotRecorded(t *testing.T) {
	for name, problem := range map[string]error{
		"canceled": nil,
		"rejected": &refund.Error{Provider: "fake", Op: "cancel refund", Outcome: refund.OutcomeRejected, Err: errWire},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCancelBench(t)
				b.does(func(context.Context) (*refund.Refund, error) {
					b.store.breaks("update")
					if problem != nil {
						return nil, problem
					}
					return made(request("k"), refund.StatusCanceled), nil
				})
				got, err := b.take(t.Context(), refOf("k"))
				assert.Equal(t, problem == nil, got != nil, "what was taken back is returned beside the error")
				require.ErrorIs(t, err, journal.ErrNotRecorded)
				require.ErrorIs(t, err, errStore)
				b.requireUnknown(t, err)
				if problem != nil {
					require.ErrorIs(t, err, errWire)
				}

				b.store.breaks()
				b.reads(refund.StatusCanceled)
				pass(time.Until(b.entry(t, "k").Lease) - 1)
				b.rounds(t, journal.Summary{})
				pass(1)
				b.rounds(t, journal.Summary{Settled: 1})
				assert.Equal(t, journal.StateCanceled, b.entry(t, "k").State)
			})
		})
	}
}

// TestCancelDies: a process that dies in the middle leaves the entry claimed. When the lease is over Round reads it.
func TestCancelDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCancelBench(t)
		pass(5 * time.Minute)
		b.does(func(context.Context) (*refund.Refund, error) {
			runtime.Goexit()
			return nil, nil //nolint:nilnil // not reached
		})
		_, err := b.take(t.Context(), refOf("k"))
		b.requireUnknown(t, err)
		require.ErrorIs(t, err, refund.ErrInFlight)
		b.wrap(t, b.able) // another process
		b.reads(refund.StatusCanceled)
		pass(15*time.Minute - 1)
		b.rounds(t, journal.Summary{})
		_, err = b.take(t.Context(), refOf("k"))
		b.requireNotCanceled(t, err, refund.ErrInFlight)
		pass(1)
		b.rounds(t, journal.Summary{Settled: 1})
		e := b.entry(t, "k")
		assert.Equal(t, journal.StateCanceled, e.State)
		assert.Len(t, b.asked, 1)
	})
}

// TestCancelAfterDeath: the claim of a dead process does not keep the next from canceling.
func TestCancelAfterDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCancelBench(t)
		b.does(func(context.Context) (*refund.Refund, error) {
			runtime.Goexit()
			return nil, nil //nolint:nilnil // not reached
		})
		_, err := b.take(t.Context(), refOf("k"))
		b.requireUnknown(t, err)
		pass(15 * time.Minute)
		b.reads(refund.StatusPending)
		b.rounds(t, journal.Summary{Waiting: 1})
		b.answers(refund.StatusCanceled, nil)
		_, err = b.take(t.Context(), refOf("k"))
		require.NoError(t, err)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateCanceled, true}, []any{e.State, e.Lease.IsZero()})
	})
}

// TestCancelIsRecordedThoughNobodyWaits for the answer any more.
func TestCancelIsRecordedThoughNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCancelBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		b.does(func(inner context.Context) (*refund.Refund, error) {
			cancel()
			pass(time.Minute)
			require.NoError(t, inner.Err())
			return made(request("k"), refund.StatusCanceled), nil
		})
		began := time.Now()
		_, err := b.take(ctx, refOf("k"))
		assert.Zero(t, time.Since(began), "at once")
		b.requireUnknown(t, err)
		require.ErrorIs(t, err, refund.ErrInFlight)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
		pass(time.Minute)
		synctest.Wait()
		assert.Equal(t, journal.StateCanceled, b.entry(t, "k").State)
	})
}

// TestCancelPanics: that says nothing, and the entry is read at once.
func TestCancelPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCancelBench(t)
		b.does(func(context.Context) (*refund.Refund, error) { panic("card 4111") })
		_, err := b.take(t.Context(), refOf("k"))
		b.requireUnknown(t, err)
		require.NotContains(t, err.Error(), "4111")
		b.reads(refund.StatusCanceled)
		b.rounds(t, journal.Summary{Settled: 1})
	})
}

// TestCancelAfterShutdown: nothing new begins.
func TestCancelAfterShutdown(t *testing.T) {
	b := newCancelBench(t)
	b.shutdown(t)
	_, err := b.take(t.Context(), refOf("k"))
	b.requireNotCanceled(t, err, refund.ErrUnavailable)
	require.ErrorIs(t, err, journal.ErrClosed)
	assert.Empty(t, b.asked)
}
