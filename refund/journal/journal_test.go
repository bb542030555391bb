package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// TestIntentBeforeTheFirstByte: when the provider is called, the journal has the intent.
func TestIntentBeforeTheFirstByte(t *testing.T) {
	f := &fake{}
	b := newBench(t, f)
	req := request("k")
	req.Part, req.Line = refund.PartTax, "7"
	req.Reason, req.Metadata = "asked for by jane@example.com", map[string]string{"name": "Jane"}
	f.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		e := b.entry(t, "k")
		assert.Equal(t, journal.StateSending, e.State)
		assert.Equal(t, []any{"fake", "k", req.Order, req.Amount, req.Part, req.Line}, []any{e.Provider, e.Key, e.Order, e.Amount, e.Part, e.Line})
		assert.Equal(t, int64(1), e.Version)
		assert.True(t, e.Lease.After(time.Now()))
		return made(req, refund.StatusSucceeded), nil
	}
	got, err := b.client.Refund(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, refund.StatusSucceeded, got.Status)
	e := b.entry(t, "k")
	assert.Equal(t, journal.StateSucceeded, e.State)
	assert.True(t, e.Lease.IsZero())
	assert.True(t, e.Due.IsZero())
	assert.Equal(t, []string{">sending", "sending>succeeded"}, b.transitions())
	require.Len(t, f.requests, 1)
	assert.Equal(t, req, f.requests[0], "the provider gets what is not stored, too")
}

// TestInvalidRequests leave no entry, and hide none: only a key that is none is refused without a look.
func TestInvalidRequests(t *testing.T) {
	f := &fake{}
	b := newBench(t, f)
	_, err := b.client.Refund(t.Context(), refund.Request{IdempotencyKey: "k"})
	requireError(t, err, refund.OutcomeNotSent)
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	_, err = b.store.Get(t.Context(), idOf("k"))
	require.ErrorIs(t, err, journal.ErrNoEntry)

	tooMuch := request("k") // of what was captured, which is no part of the key's identity
	tooMuch.Captured = refund.MustParseMoney("9.00", "AUD")
	_, err = b.client.Refund(t.Context(), tooMuch)
	requireError(t, err, refund.OutcomeNotSent)
	b.store.breaks("get")
	_, err = b.client.Refund(t.Context(), tooMuch)
	requireErrorIs(t, err, errStore)
	b.store.breaks()

	want, err := b.ask(t, "k")
	require.NoError(t, err)
	got, err := b.client.Refund(t.Context(), tooMuch)
	require.NoError(t, err)
	want.Replayed = true
	assert.Equal(t, want, got)
	_, err = b.client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: request("k").Order})
	requireKeyReused(t, err)

	f.refund = lose
	other := request("unknown")
	other.Order.ID = "2"
	_, err = b.client.Refund(t.Context(), other)
	requireErrorIs(t, err, errWire)
	other.Captured = tooMuch.Captured
	_, err = b.client.Refund(t.Context(), other)
	requireErrorIs(t, err, refund.ErrAmountExceeded)
	assert.Equal(t, 2, f.sent())

	b.store.hook = func(op string) { assert.Fail(t, "the store was asked", op) }
	for _, key := range []string{"", "with space"} {
		_, err := b.client.Refund(t.Context(), request(key))
		requireError(t, err, refund.OutcomeNotSent)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
	}
}

// TestRepeatReturnsTheRecord, for every state in which the provider has the refund.
func TestRepeatReturnsTheRecord(t *testing.T) {
	for _, status := range []refund.Status{
		refund.StatusSucceeded, refund.StatusPending, refund.StatusFailed, refund.StatusCanceled, refund.StatusExpired,
	} {
		f := &fake{}
		b := newBench(t, f)
		at := time.Now()
		f.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			r := made(req, status)
			r.CreatedAt, r.LocksAt, r.ExpiresAt, r.FailureReason = at, at.Add(1), at.Add(2), "closed"
			return r, nil
		}
		first, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.False(t, first.Replayed)
		again, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.True(t, again.Replayed, "nothing was sent now")
		again.Replayed = false
		assert.Equal(t, first, again)
		assert.Equal(t, 1, f.sent(), status)
	}
}

// TestUnknownStatusIsPending: what waits for somebody, or says what nobody knows, is not over.
func TestUnknownStatusIsPending(t *testing.T) {
	for _, status := range []refund.Status{"", refund.StatusNeedsAction} {
		f := &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) { return made(req, status), nil }}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
	}
}

// TestKeyReused: every field that decides how much money moves, and where, belongs to the key.
func TestKeyReused(t *testing.T) {
	change := map[string]func(*refund.Request){
		"amount":   func(r *refund.Request) { r.Amount = refund.MustParseMoney("10.01", "AUD") },
		"currency": func(r *refund.Request) { r.Amount = refund.MustParseMoney("10.00", "NZD") },
		"order":    func(r *refund.Request) { r.Order.ID = "2" },
		"no id":    func(r *refund.Request) { r.Order = refund.Order{MerchantID: "1"} },
		"part":     func(r *refund.Request) { r.Part = refund.PartTax },
		"line":     func(r *refund.Request) { r.Line = "2" },
	}
	for name, change := range change {
		for state, script := range map[string]func(context.Context, refund.Request) (*refund.Refund, error){
			"succeeded": nil, "unknown": lose, "rejected": fails(refund.OutcomeRejected),
		} {
			t.Run(name+" of "+state, func(t *testing.T) {
				f := &fake{refund: script}
				b := newBench(t, f)
				b.try(t, "k")
				other := request("k")
				change(&other)
				_, err := b.client.Refund(t.Context(), other)
				requireKeyReused(t, err)
				assert.Equal(t, 1, f.sent())

				_, err = b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: other, FirstSent: time.Now(), LastSent: time.Now(), Tries: 1})
				requireKeyReused(t, err)
				assert.Empty(t, f.asked())
			})
		}
	}
}

// TestInformationDoesNotBelongToTheKey: nor does what moves no money, or names the same order once more.
func TestInformationDoesNotBelongToTheKey(t *testing.T) {
	f := &fake{}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	req := request("k")
	req.Reason, req.Metadata = "x", map[string]string{"a": "b"}
	req.PurchasedAt, req.Captured = time.Now(), refund.MustParseMoney("50.00", "AUD")
	req.Order.MerchantID, req.Order.InvoiceID = "m", "i"
	_, err = b.client.Refund(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, 1, f.sent())
}

// TestSentAgainAfterNothingMoved: rejected and not sent are no end for a key.
func TestSentAgainAfterNothingMoved(t *testing.T) {
	for outcome, state := range map[refund.Outcome]journal.State{
		refund.OutcomeRejected: journal.StateRejected, refund.OutcomeNotSent: journal.StateNotSent,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{refund: fails(outcome)}
			b := newBench(t, f)
			_, err := b.ask(t, "k")
			re := errorOf(t, err, outcome)
			assert.Equal(t, "no", re.Code, "the client's own error")
			first := b.entry(t, "k")
			assert.Equal(t, []any{state, refund.ErrNotRefundable, "no"}, []any{first.State, first.Kind, first.Code})

			pass(time.Hour)
			f.refund = lose
			_, err = b.ask(t, "k")
			requireError(t, err, refund.OutcomeUnknown)
			e := b.entry(t, "k")
			assert.Equal(t, journal.StateUnknown, e.State)
			assert.Equal(t, first.Created, e.Created)
			assert.Equal(t, first.Order, e.Order)
			assert.Equal(t, time.Now(), e.FirstSent, "what moved nothing does not age the key")
			assert.Equal(t, 2, f.sent())
			assert.Equal(t, []string{">sending", "sending>" + string(state), string(state) + ">sending", "sending>unknown"}, b.transitions())
		})
	}
}

// TestUnknownStaysUnknown: only Resolve changes it, and every other error than a definite one is unknown.
func TestUnknownStaysUnknown(t *testing.T) {
	for name, script := range map[string]func(context.Context, refund.Request) (*refund.Refund, error){
		"lost":          lose,
		"foreign error": func(context.Context, refund.Request) (*refund.Refund, error) { return nil, errWire },
		"nothing":       func(context.Context, refund.Request) (*refund.Refund, error) { return nil, nil },
		"context":       func(context.Context, refund.Request) (*refund.Refund, error) { return nil, context.DeadlineExceeded },
		"error without an attempt": func(context.Context, refund.Request) (*refund.Refund, error) {
			return nil, &refund.Error{Provider: "fake", IdempotencyKey: "k", Attempt: refund.Attempt{
				Request: request("k"), FirstSent: time.Now(), LastSent: time.Now(), Tries: 1,
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: script}
				b := newBench(t, f)
				got, err := b.ask(t, "k")
				assert.Nil(t, got)
				re := errorOf(t, err, refund.OutcomeUnknown)
				assert.Equal(t, refund.AdviceResolve, re.Advice())
				if name == "lost" || name == "foreign error" {
					require.ErrorIs(t, err, errWire)
				}
				e := b.entry(t, "k")
				assert.Equal(t, journal.StateUnknown, e.State)
				assert.Equal(t, 1, e.Tries)
				assert.True(t, e.OrderLock)
				assert.True(t, e.State.Reserves())
				for i := range 3 {
					_, err = b.ask(t, "k")
					requireError(t, err, refund.OutcomeUnknown)
					assert.Len(t, f.asked(), i, "not before it is due")
					b.due(t, "k")
					_, err = b.ask(t, "k")
					requireError(t, err, refund.OutcomeUnknown)
					assert.Len(t, f.asked(), i+1)
				}
				assert.Equal(t, 1, f.sent())
				assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
			})
		})
	}
}

// TestErrorsAreComplete: whatever a client, or what is around it, makes of an error, it is an *refund.Error with all that Resolve
// needs, and no less certain than it was.
func TestErrorsAreComplete(t *testing.T) {
	bare := &refund.Error{Kind: refund.ErrLocked, Code: "no"}
	for name, tt := range map[string]struct {
		err     error
		outcome refund.Outcome
	}{
		"bare":             {bare, refund.OutcomeUnknown},
		"wrapped":          {fmt.Errorf("traced: %w", bare), refund.OutcomeUnknown},
		"rejected":         {&refund.Error{Kind: refund.ErrLocked, Code: "no", Outcome: refund.OutcomeRejected}, refund.OutcomeRejected},
		"rejected, traced": {fmt.Errorf("traced: %w", &refund.Error{Kind: refund.ErrLocked, Code: "no", Outcome: refund.OutcomeRejected}), refund.OutcomeRejected},
		"not sent, traced": {fmt.Errorf("traced: %w", &refund.Error{Kind: refund.ErrLocked, Code: "no", Outcome: refund.OutcomeNotSent}), refund.OutcomeNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{account: "au", refund: func(context.Context, refund.Request) (*refund.Refund, error) {
					pass(time.Second)
					return nil, tt.err
				}}
				b := newBench(t, f)
				began := time.Now()
				_, err := b.ask(t, "k")
				re := errorOf(t, err, tt.outcome)
				require.ErrorIs(t, err, tt.err)
				assert.Equal(t, []any{"au", "refund", "k", "no", refund.ErrLocked}, []any{re.Account, re.Op, re.IdempotencyKey, re.Code, re.Kind})
				e, err := b.journal.Get(t.Context(), journal.ID{Provider: "fake", Account: "au", Key: "k"})
				require.NoError(t, err)
				assert.Equal(t, []any{"no", refund.ErrLocked}, []any{e.Code, e.Kind})
				if tt.outcome == refund.OutcomeUnknown {
					assert.Equal(t, []any{began, time.Now(), 1}, []any{e.FirstSent, e.LastSent, e.Tries})
				}
			})
		})
	}
}

// TestAttemptIsTakenOver: the client knows best when it sent, and what the order looked like.
func TestAttemptIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, last time.Time
		f := &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			pass(time.Second)
			first = time.Now()
			pass(time.Second)
			last = time.Now()
			pass(time.Second)
			return nil, &refund.Error{Provider: "fake", IdempotencyKey: "k", Attempt: refund.Attempt{
				Request: req, FirstSent: first, LastSent: last, Tries: 3, Snapshot: "closer",
			}}
		}}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		e := b.entry(t, "k")
		assert.Equal(t, []any{first, last, 3, refund.Snapshot("closer")}, []any{e.FirstSent, e.LastSent, e.Tries, e.Snapshot})

		b.due(t, "k")
		b.try(t, "k")
		want := refund.Attempt{
			Request: request("k"), FirstSent: first, LastSent: last, Tries: 3, Snapshot: "closer", Known: []refund.Known{},
		}
		assert.Equal(t, []refund.Attempt{want}, f.asked())
	})
}

// TestAttemptWithoutTimes is taken as late as can be.
func TestAttemptWithoutTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBench(t, &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) {
			pass(time.Minute)
			return nil, errWire
		}})
		_, err := b.ask(t, "k")
		require.ErrorIs(t, err, errWire)
		e := b.entry(t, "k")
		assert.Equal(t, began, e.FirstSent)
		assert.Equal(t, time.Now(), e.LastSent)
	})
}

// TestNothingIsSentWithoutTheStore: and because an earlier call may have, the outcome is unknown.
func TestNothingIsSentWithoutTheStore(t *testing.T) {
	for op, moves := range map[string][]string{"insert": nil, "insert lost": {"sending>not_sent"}} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			b := newBench(t, f)
			b.store.breaks(op, "update", "get")
			got, err := b.ask(t, "k")
			assert.Nil(t, got)
			requireErrorIs(t, err, errStore)
			assert.Zero(t, f.sent())
			pass(time.Minute)
			assert.Empty(t, b.transitions())

			b.store.breaks()
			pass(time.Minute)
			assert.Equal(t, moves, b.transitions(), "what was stored after all is withdrawn")
			_, err = b.ask(t, "k")
			require.NoError(t, err, "the same key tells")
			assert.Equal(t, 1, f.sent())
			assert.Empty(t, f.asked())
			b.shutdown(t)
		})
	}
}

// TestWithdrawnIntent: where nothing can be asked, a lost answer of the store must not cost a person's time.
func TestWithdrawnIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolvedBy: refund.ResolvedByPerson}
		b := newBenchOf(t, f, struct{ refund.Refunder }{f})
		b.store.breaks("insert lost")
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errStore)
		b.shutdown(t)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotSent, journal.Attention(""), false, true}, []any{e.State, e.Attention, e.OrderLock, e.Lease.IsZero()})

		b.wrap(t, struct{ refund.Refunder }{f})
		_, err = b.ask(t, "other")
		require.NoError(t, err, "the order is free")
		pass(time.Hour)
		assert.Equal(t, journal.Summary{}, b.round(t))
		assert.Equal(t, e, b.entry(t, "k"))
	})
}

// TestPaidKeyIsNotCalledUnsent: a store that fails during a repeat hides what the key has done.
func TestPaidKeyIsNotCalledUnsent(t *testing.T) {
	for _, op := range []string{"insert", "insert lost", "now"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &fake{})
			_, err := b.ask(t, "k")
			require.NoError(t, err)
			paid := b.entry(t, "k")
			pass(time.Hour)
			b.store.breaks(op)
			_, err = b.ask(t, "k")
			requireErrorIs(t, err, errStore)
			assert.Equal(t, 1, b.sent())
			b.shutdown(t)
			assert.Equal(t, paid, b.entry(t, "k"))
		})
	}
}

// TestRepeatWithoutTheStore: what is not recorded as being sent again is not sent again.
func TestRepeatWithoutTheStore(t *testing.T) {
	for op, state := range map[string]journal.State{"update": journal.StateRejected, "update lost": journal.StateNotSent} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{refund: fails(refund.OutcomeRejected)}
			b := newBench(t, f)
			_, err := b.ask(t, "k")
			requireError(t, err, refund.OutcomeRejected)
			b.store.breaks(op)
			_, err = b.ask(t, "k")
			requireErrorIs(t, err, errStore)
			b.shutdown(t)
			assert.Equal(t, 1, f.sent())
			assert.Equal(t, state, b.entry(t, "k").State)
		})
	}
}

// TestNotRecorded: the caller gets the refund and an error that says so, and it is written when the store is back.
func TestNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		f.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			b.store.breaks("update", "get")
			return made(req, refund.StatusSucceeded), nil
		}
		began := time.Now()
		got, err := b.ask(t, "k")
		require.NotNil(t, got)
		assert.Equal(t, "r-k", got.ID)
		requireErrorIs(t, err, journal.ErrNotRecorded)
		require.ErrorIs(t, err, errStore)
		assert.GreaterOrEqual(t, time.Since(began), 10*time.Second)
		assert.Less(t, time.Since(began), time.Minute)
		assert.Equal(t, []string{">sending"}, b.transitions(), "what is not recorded is not reported")

		pass(5 * time.Minute)
		b.store.breaks()
		assert.Equal(t, journal.Summary{}, b.round(t), "the entry is leased")
		pass(time.Minute)
		again, err := b.ask(t, "k")
		require.NoError(t, err)
		got.Replayed = true
		assert.Equal(t, got, again)
		assert.Equal(t, 1, f.sent())
		assert.Equal(t, []string{">sending", "sending>succeeded"}, b.transitions())
		b.shutdown(t)
	})
}

// TestTakenOver: a process that cannot reach the store for longer than its lease finds that another one has looked.
func TestTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		b := newBench(t, f)
		b.store.breaks("update")
		got, err := b.ask(t, "k")
		require.NotNil(t, got)
		requireErrorIs(t, err, journal.ErrNotRecorded)
		other := b.other(t, f)
		assert.Equal(t, journal.Summary{}, other.round(t), "the entry is leased")
		pass(time.Hour)
		assert.Equal(t, journal.Summary{Settled: 1}, other.round(t))
		b.shutdown(t)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateSucceeded, journal.Attention(""), "r-k"}, []any{e.State, e.Attention, e.RefundID})
		again, err := other.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, "r-k", again.ID)
		assert.Equal(t, 1, f.sent())
	})
}

// TestNotRecordedIsNeverDefinite: the provider's refusal is no end as long as another process may send the same key again.
func TestNotRecordedIsNeverDefinite(t *testing.T) {
	for name, tt := range map[string]struct {
		script func(context.Context, refund.Request) (*refund.Refund, error)
		state  journal.State
	}{
		"rejected": {fails(refund.OutcomeRejected), journal.StateRejected},
		"not sent": {fails(refund.OutcomeNotSent), journal.StateNotSent},
		"unknown":  {lose, journal.StateUnknown},
		"foreign":  {func(context.Context, refund.Request) (*refund.Refund, error) { return nil, errWire }, journal.StateUnknown},
	} {
		for taken, want := range map[bool]journal.State{false: tt.state, true: journal.StateSucceeded} {
			t.Run(fmt.Sprintf("%s, taken over: %t", name, taken), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{refund: tt.script, resolve: applied} // a resolver may repeat the request, and now it is accepted
					b := newBench(t, f)
					b.store.breaks("update")
					got, err := b.ask(t, "k")
					assert.Nil(t, got)
					re := errorOf(t, err, refund.OutcomeUnknown)
					require.ErrorIs(t, err, journal.ErrNotRecorded)
					require.ErrorIs(t, err, errStore)
					if name == "rejected" {
						assert.Equal(t, []any{"no", refund.ErrNotRefundable}, []any{re.Code, re.Kind})
					}
					if taken {
						pass(time.Hour)
						assert.Equal(t, journal.Summary{Settled: 1}, b.other(t, f).round(t))
					}
					b.shutdown(t)
					assert.Equal(t, want, b.entry(t, "k").State)
				})
			})
		}
	}
}

// TestRecordedButTheStoreDidNotSaySo: a lost answer of the store is no harm.
func TestRecordedButTheStoreDidNotSaySo(t *testing.T) {
	for name, once := range map[string]bool{"once": true, "again and again": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &fake{})
				b.store.breaks("update lost")
				if once {
					b.store.hook = func(op string) {
						if op == "update" && b.entry(t, "k").Version == 2 {
							b.store.breaks()
						}
					}
				}
				got, err := b.ask(t, "k")
				require.NotNil(t, got)
				if once {
					require.NoError(t, err)
				} else {
					requireErrorIs(t, err, journal.ErrNotRecorded)
				}
				b.shutdown(t)
				again, err := b.ask(t, "k")
				require.NoError(t, err)
				got.Replayed = true
				assert.Equal(t, got, again)
				assert.Equal(t, 1, b.sent())
				assert.Equal(t, []string{">sending", "sending>succeeded"}, b.transitions())
			})
		})
	}
}

// TestContextOverBeforeTheCall: nothing is written, nothing is sent; what an earlier call has done is not known.
func TestContextOverBeforeTheCall(t *testing.T) {
	b := newBench(t, &fake{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.client.Refund(ctx, request("k"))
	requireErrorIs(t, err, context.Canceled)
	assert.Zero(t, b.sent())
	_, err = b.store.Get(t.Context(), idOf("k"))
	require.ErrorIs(t, err, journal.ErrNoEntry)
}

// TestContextOverDuringTheCall: the caller hears at once that it goes on, and the result is recorded although nobody waits
// for it.
func TestContextOverDuringTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.refund = func(inner context.Context, req refund.Request) (*refund.Refund, error) {
			pass(time.Minute)
			require.NoError(t, inner.Err())
			return made(req, refund.StatusSucceeded), nil
		}
		began := time.Now()
		got, err := b.client.Refund(ctx, request("k"))
		assert.Nil(t, got)
		assert.Equal(t, time.Second, time.Since(began))
		requireErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, refund.ErrInFlight)
		assert.Equal(t, 30*time.Second, errorOf(t, err, refund.OutcomeUnknown).RetryAfter)
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, refund.ErrInFlight)

		pass(time.Minute)
		got, err = b.ask(t, "k")
		require.NoError(t, err)
		assert.True(t, got.Replayed)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		assert.Equal(t, 1, f.sent())
	})
}

// TestPanicOfTheClient is one more way not to answer. Its value may have anything in it, and is not shown.
func TestPanicOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) { panic("card 4111") }}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, refund.ErrUnexpected)
		require.NotContains(t, err.Error(), "4111")
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, 1, true}, []any{e.State, e.Tries, e.Lease.IsZero()})
		f.resolve = applied
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		assert.Equal(t, 1, f.sent())
	})
}

// TestClientThatNeverReturns: its caller hears that it is in flight, and the next process finds out.
func TestClientThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		b := newBench(t, f)
		b.crash(t, "k")
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, refund.ErrInFlight)
		require.NoError(t, b.journal.Shutdown(b.ctx), "nothing is left of it")
	})
}

// TestCallEndsBeforeItsLease: whoever finds an expired lease may rely on nobody sending any more.
func TestCallEndsBeforeItsLease(t *testing.T) {
	for lease, margin := range map[time.Duration]time.Duration{0: time.Minute, time.Hour: time.Minute, 40 * time.Second: 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			b := newBench(t, f)
			b.opts.Lease = lease
			b.wrap(t, f)
			f.refund = func(ctx context.Context, _ refund.Request) (*refund.Refund, error) {
				deadline, ok := ctx.Deadline()
				require.True(t, ok)
				assert.Equal(t, b.entry(t, "k").Lease.Add(-margin), deadline)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			_, err := b.ask(t, "k")
			requireErrorIs(t, err, context.DeadlineExceeded)

			b.due(t, "k")
			f.resolve = func(ctx context.Context, _ refund.Attempt) (refund.Resolution, error) {
				deadline, ok := ctx.Deadline()
				require.True(t, ok)
				assert.Equal(t, b.entry(t, "k").Lease.Add(-margin), deadline)
				<-ctx.Done()
				return refund.Resolution{}, ctx.Err()
			}
			_, err = b.ask(t, "k")
			requireErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// TestSameKeyAtOnce: one call reaches the provider, the others hear that it is under way.
func TestSameKeyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			pass(time.Second)
			return made(req, refund.StatusSucceeded), nil
		}}
		b := newBench(t, f)
		other := wrap(t, journal.New(b.store, b.opts), f) // another process
		var mu sync.Mutex
		var done, waiting int
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				_, err := []refund.Refunder{b.client, other}[i%2].Refund(t.Context(), request("k"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
					return
				}
				var re *refund.Error
				if errors.As(err, &re) && re.Kind == refund.ErrInFlight && re.Outcome == refund.OutcomeUnknown && re.RetryAfter == 30*time.Second {
					waiting++
				}
			})
		}
		wg.Wait()
		assert.Equal(t, []int{1, 15, 1}, []int{done, waiting, f.sent()})
	})
}

// TestRejectedKeyAtOnce: a key that may be sent again is sent once.
func TestRejectedKeyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: fails(refund.OutcomeRejected)}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeRejected)
		f.refund = nil
		b.store.hook = func(op string) { // both have read the rejected entry when the first writes
			if op == "update" {
				pass(time.Second)
			}
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = b.ask(t, "k") })
		}
		wg.Wait()
		assert.Equal(t, 2, f.sent(), "the rejected one, and one more")
		assert.NotEqual(t, errs[0] == nil, errs[1] == nil)
		require.ErrorIs(t, errors.Join(errs...), refund.ErrInFlight)
	})
}

// TestOrderBusy: while nobody knows what became of a refund, no other of its order is sent. Who asks hears which one it is, and
// when to ask again.
func TestOrderBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		_, err := b.ask(t, "first-1")
		requireError(t, err, refund.OutcomeUnknown)
		busy := func(wait time.Duration) {
			t.Helper()
			_, err := b.ask(t, "b")
			re := errorOf(t, err, refund.OutcomeNotSent)
			require.ErrorIs(t, err, journal.ErrOrderBusy)
			require.ErrorIs(t, err, refund.ErrConflict)
			assert.Contains(t, re.Message, "first-1")
			assert.Equal(t, wait, re.RetryAfter)
			_, err = b.journal.Get(t.Context(), idOf("b"))
			require.ErrorIs(t, err, journal.ErrNoEntry)
		}
		busy(15 * time.Second) // unknown
		f.resolve = answers(refund.Resolution{Why: "look"})
		b.due(t, "first-1")
		_, err = b.ask(t, "first-1")
		requireErrorIs(t, err, journal.ErrNeedsReview)
		require.ErrorContains(t, err, "look", "the note says where")
		busy(24 * time.Hour) // needs review
		f.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			busy(30 * time.Second) // sending
			return made(req, refund.StatusPending), nil
		}
		pass(time.Hour)
		require.NoError(t, b.decide("first-1", refund.VerdictNotApplied))
		_, err = b.ask(t, "first-1")
		require.NoError(t, err)

		f.refund = nil
		_, err = b.ask(t, "b")
		require.NoError(t, err, "pending is known: the next one may go")
		_, err = b.ask(t, "c")
		require.NoError(t, err, "equal partial refunds are different refunds")
		assert.Equal(t, 4, f.sent())
	})
}

// TestOneRefundAtATime: at Backd a second request replaces the first, so that a pending one keeps its order, until the provider
// changes it no more.
func TestOneRefundAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locks := time.Now().Add(5 * time.Hour)
		f := &fake{single: true, refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			r := made(req, refund.StatusPending)
			r.LocksAt = locks
			return r, nil
		}}
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) {
			r := made(request("k"), refund.StatusPending)
			r.LocksAt = locks
			return r, nil
		}}
		b := newBenchOf(t, f, r)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.True(t, b.entry(t, "k").OrderLock)
		for _, passed := range []time.Duration{0, time.Hour, 4*time.Hour - 1} {
			pass(passed)
			b.round(t)
			_, err = b.ask(t, "second")
			re := errorOf(t, err, refund.OutcomeNotSent)
			require.ErrorIs(t, err, journal.ErrOrderBusy)
			assert.Equal(t, time.Until(locks), re.RetryAfter)
		}
		pass(1)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StatePending, false}, []any{e.State, e.OrderLock})
		_, err = b.ask(t, "second")
		require.NoError(t, err)
		assert.Equal(t, 2, f.sent())
	})
}

// TestOneRefundAtATimeEnds: a pending refund without a time to wait for keeps its order until it has come to its end.
func TestOneRefundAtATimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{single: true, refund: pending}
		status := refund.StatusPending
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) { return made(request("k"), status), nil }}
		b := newBenchOf(t, f, r)
		b.try(t, "k")
		for range 10 {
			b.due(t, "k")
			b.round(t)
			_, err := b.ask(t, "second")
			require.ErrorIs(t, err, journal.ErrOrderBusy)
		}
		status = refund.StatusCanceled
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		_, err := b.ask(t, "second")
		require.NoError(t, err)
	})
}

// TestOrderBusyWhenSentAgain: a rejected key waits like a new one.
func TestOrderBusyWhenSentAgain(t *testing.T) {
	f := &fake{refund: fails(refund.OutcomeRejected)}
	b := newBench(t, f)
	_, err := b.ask(t, "a")
	requireError(t, err, refund.OutcomeRejected)
	f.refund = lose
	_, err = b.ask(t, "b")
	requireError(t, err, refund.OutcomeUnknown)
	_, err = b.ask(t, "a")
	requireError(t, err, refund.OutcomeNotSent)
	require.ErrorIs(t, err, journal.ErrOrderBusy)
	assert.Equal(t, 2, f.sent())
}

// TestOrderIdentity: what is one order, and what is not.
func TestOrderIdentity(t *testing.T) {
	b := newBench(t, &fake{refund: lose})
	ask := func(key string, o refund.Order) error {
		req := request(key)
		req.Order = o
		_, err := b.client.Refund(t.Context(), req)
		return err
	}
	require.ErrorIs(t, ask("a", refund.Order{ID: "1", MerchantID: "m"}), errWire)
	require.ErrorIs(t, ask("b", refund.Order{ID: "1"}), journal.ErrOrderBusy)
	require.ErrorIs(t, ask("c", refund.Order{ID: "2", MerchantID: "m"}), errWire)
	require.ErrorIs(t, ask("d", refund.Order{InvoiceID: "1", MerchantID: "x"}), errWire)
	require.ErrorIs(t, ask("e", refund.Order{InvoiceID: "1"}), journal.ErrOrderBusy)
	require.ErrorIs(t, ask("f", refund.Order{MerchantID: "1"}), errWire)
	require.ErrorIs(t, ask("g", refund.Order{MerchantID: "1"}), journal.ErrOrderBusy)

	other := wrap(t, b.journal, &fake{name: "other", refund: lose})
	_, err := other.Refund(t.Context(), request("a"))
	require.ErrorIs(t, err, errWire, "another provider, another order, another key")
}

// TestLateFinishLoses: the error of a call that outlived its lease does not overwrite what was found meanwhile.
func TestLateFinishLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		b := newBench(t, f)
		f.refund = func(context.Context, refund.Request) (*refund.Refund, error) { // ignores its context
			pass(20 * time.Minute)
			return nil, &refund.Error{Provider: "fake", Outcome: refund.OutcomeRejected, IdempotencyKey: "k"}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			got, err := b.ask(t, "k")
			require.NoError(t, err)
			assert.Equal(t, []any{"r-k", true}, []any{got.ID, got.Replayed}, "what is recorded")
		})
		pass(16 * time.Minute)
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		found := b.entry(t, "k")
		wg.Wait()
		assert.Equal(t, journal.StateSucceeded, found.State)
		assert.Equal(t, found, b.entry(t, "k"))
	})
}

// TestSnapshot: it is recorded before the request, and read when no other refund of the order can come between.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		c := &comparing{fake: f}
		b := newBenchOf(t, f, c)
		c.snapshot = func(ctx context.Context, _ refund.Request) (refund.Snapshot, error) {
			e := b.entry(t, "k")
			assert.Equal(t, []any{journal.StateSending, journal.StepIntent}, []any{e.State, e.Step})
			_, err := b.ask(t, "other")
			require.ErrorIs(t, err, journal.ErrOrderBusy)
			_, ok := ctx.Deadline()
			assert.True(t, ok, "it is bounded by the lease, too")
			return "before", nil
		}
		f.refund = func(context.Context, refund.Request) (*refund.Refund, error) {
			e := b.entry(t, "k")
			assert.Equal(t, []any{journal.StepSending, refund.Snapshot("before")}, []any{e.Step, e.Snapshot})
			return nil, errWire
		}
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		b.due(t, "k")
		_, err = b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, refund.Snapshot("before"), f.asked()[0].Snapshot)
		assert.Equal(t, []string{">sending", "sending>unknown", "unknown>succeeded"}, b.transitions())
	})
}

// TestSnapshotFails: nothing is sent, and the key may be used again, with a snapshot of its own.
func TestSnapshotFails(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		outcome refund.Outcome
		state   journal.State
	}{
		"read refused": {
			&refund.Error{Provider: "fake", Outcome: refund.OutcomeRejected, IdempotencyKey: "k"}, refund.OutcomeRejected, journal.StateRejected,
		},
		"read failed": {&refund.Error{Provider: "fake", Outcome: refund.OutcomeNotSent}, refund.OutcomeNotSent, journal.StateNotSent},
		"unknown":     {&refund.Error{Provider: "fake"}, refund.OutcomeNotSent, journal.StateNotSent},
		"foreign":     {errWire, refund.OutcomeNotSent, journal.StateNotSent},
		"empty":       {nil, refund.OutcomeNotSent, journal.StateNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			c := &comparing{fake: f, snapshot: func(context.Context, refund.Request) (refund.Snapshot, error) { return "", tt.err }}
			b := newBenchOf(t, f, c)
			_, err := b.ask(t, "k")
			requireError(t, err, tt.outcome)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
			}
			assert.Zero(t, f.sent())
			assert.Equal(t, tt.state, b.entry(t, "k").State)

			c.snapshot = func(context.Context, refund.Request) (refund.Snapshot, error) { return "now", nil }
			_, err = b.ask(t, "k")
			require.NoError(t, err)
			assert.Equal(t, refund.Snapshot("now"), b.entry(t, "k").Snapshot)
			assert.Equal(t, 1, f.sent())
		})
	}
}

// TestSnapshotNotRecorded: without it nothing is sent.
func TestSnapshotNotRecorded(t *testing.T) {
	for _, op := range []string{"update", "update lost"} {
		for name, mended := range map[string]bool{"mended at once": true, "mended later": false} {
			t.Run(op+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{resolve: absent}
					c := &comparing{fake: f}
					b := newBenchOf(t, f, c)
					c.snapshot = func(context.Context, refund.Request) (refund.Snapshot, error) {
						b.store.breaks(op)
						if mended {
							go func() {
								pass(time.Millisecond)
								b.store.breaks()
							}()
						}
						return "before", nil
					}
					_, err := b.ask(t, "k")
					require.ErrorIs(t, err, errStore)
					if mended {
						requireError(t, err, refund.OutcomeNotSent)
					} else {
						requireErrorIs(t, err, journal.ErrNotRecorded)
					}
					b.shutdown(t)
					assert.Zero(t, f.sent())
					e := b.entry(t, "k")
					assert.Equal(t, []any{journal.StateNotSent, true}, []any{e.State, e.Due.IsZero()})
					assert.Empty(t, f.asked(), "who could not record the snapshot has sent nothing")
				})
			})
		}
	}
}

// TestSnapshotTooLate: whoever took over may send by now.
func TestSnapshotTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		c := &comparing{fake: f}
		b := newBenchOf(t, f, c)
		c.snapshot = func(context.Context, refund.Request) (refund.Snapshot, error) { // ignores its context
			pass(time.Hour)
			assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
			return "old", nil
		}
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, refund.ErrInFlight)
		assert.Zero(t, f.sent())
		e := b.entry(t, "k")
		assert.Equal(t, journal.StateNotSent, e.State, "who has no snapshot has sent nothing")
		assert.Empty(t, f.asked())
	})
}

// TestAnotherAmountIsRefunded: that is neither what was asked for, nor nothing.
func TestAnotherAmountIsRefunded(t *testing.T) {
	b := newBench(t, &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		got := made(req, refund.StatusSucceeded)
		got.Amount = refund.MustParseMoney("9.00", "AUD")
		return got, nil
	}})
	got, err := b.ask(t, "k")
	assert.Nil(t, got)
	requireErrorIs(t, err, journal.ErrNeedsReview)
	e := b.entry(t, "k")
	assert.Equal(t, []any{journal.StateNeedsReview, journal.AttentionMismatch, true}, []any{e.State, e.Attention, e.OrderLock})
	assert.Contains(t, e.Note, "r-k")
}

// TestNothingIsSentAfterTheDeadline: what was done before it took so long that others will soon take over.
func TestNothingIsSentAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		c := &comparing{fake: f, snapshot: func(context.Context, refund.Request) (refund.Snapshot, error) {
			pass(14*time.Minute + 1) // heeds no deadline
			return "late", nil
		}}
		b := newBenchOf(t, f, c)
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeNotSent)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, f.sent())
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}

// TestCapabilities of a journalled client are the client's own, but for the repeat.
func TestCapabilities(t *testing.T) {
	f := &fake{account: "nz", resolvedBy: refund.ResolvedByPerson}
	want := f.Capabilities()
	want.Repeat = refund.RepeatSame
	client := newBench(t, f).client
	got := client.Capabilities()
	assert.Equal(t, want, got)
	got.Parts[0] = "changed"
	assert.Equal(t, want, client.Capabilities(), "it is the caller's own copy")
}
