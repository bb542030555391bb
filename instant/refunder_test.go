package instant_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// bench is a simulator, a network in front of it, and two clients: one that resolves by hand, one that sends again.
type bench struct {
	sim       *instanttest.Simulator
	net       *refundtest.Network
	client    *instant.Client
	resending *instant.Client
	order     refund.Order
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{sim: instanttest.New()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	b.client = newClient(t, b.net)
	b.resending = newClient(t, b.net, func(cfg *instant.Config) { cfg.ResendToResolve = true })
	b.order = b.sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	return b
}

func (b *bench) request(key, amount string) refund.Request {
	req := request(key, amount)
	req.Order = b.order
	return req
}

// unknown makes a refund that meets a fault and whose outcome is unknown.
func (b *bench) unknown(t *testing.T, req refund.Request, f refundtest.Fault) refund.Attempt {
	t.Helper()
	b.net.Inject(f)
	_, err := b.resending.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	require.Equal(t, 1, e.Attempt.Tries)
	return e.Attempt
}

// byHand checks that a client leaves an attempt to a person, without sending anything.
func (b *bench) byHand(t *testing.T, c *instant.Client, a refund.Attempt) {
	t.Helper()
	sent := len(b.net.Requests())
	got, err := c.Resolve(t.Context(), a)
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
	assert.True(t, got.NotBefore.IsZero(), "asking again does not help")
	assert.Equal(t, a, got.Attempt)
	assert.Contains(t, got.Why, "dashboard")
	assert.Len(t, b.net.Requests(), sent)
}

// wait lets time pass until an attempt may be sent again.
func (b *bench) wait(t *testing.T, a refund.Attempt) {
	t.Helper()
	sent := len(b.net.Requests())
	got, err := b.resending.Resolve(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, refund.VerdictUndetermined, got.Verdict)
	require.True(t, got.NotBefore.After(time.Now()))
	require.Equal(t, a.LastSent.Add(15*time.Second), got.NotBefore)
	require.Equal(t, a, got.Attempt)
	require.Len(t, b.net.Requests(), sent)
	<-time.After(time.Until(got.NotBefore))
}

func TestResolveIsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
		b.byHand(t, b.client, attempt)
		<-time.After(20 * time.Second)
		b.byHand(t, b.client, attempt)
		<-time.After(time.Hour)
		b.byHand(t, b.client, attempt)
		b.byHand(t, b.client, refund.Attempt{Request: attempt.Request})
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResend: within the guard a second request tells what became of the first, whether it arrived or not.
func TestResend(t *testing.T) {
	for _, fault := range []refundtest.Fault{refundtest.LostAnswer, refundtest.ResetBeforeWrite, refundtest.DuplicateDelivery} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				attempt := b.unknown(t, b.request("k", "10.00"), fault)
				b.wait(t, attempt)
				got, err := b.resending.Resolve(t.Context(), attempt)
				require.NoError(t, err)
				assert.Equal(t, refund.VerdictApplied, got.Verdict)
				assert.Equal(t, "k", got.Refund.IdempotencyKey)
				assert.Equal(t, b.order, got.Refund.Order)
				assert.Equal(t, refund.StatusSucceeded, got.Refund.Status)
				assert.Equal(t, attempt, got.Attempt)
				assert.Equal(t, []refund.Money{refund.MustParseMoney("10.00", "AUD")}, b.sim.Ledger(b.order))

				requests := b.net.Requests()
				require.Len(t, requests, 2)
				assert.Equal(t, requests[0].Header, requests[1].Header, "the same key goes with both")
			})
		})
	}
}

// TestResendAtTheLastMoment: 45 seconds are not too late.
func TestResendAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
		<-time.After(45 * time.Second)
		got, err := b.resending.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResendUncounted: an attempt whose Tries its owner did not keep was sent at least once.
func TestResendUncounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.ResetBeforeWrite)
		attempt.Tries = 0
		b.wait(t, attempt)
		b.sim.AnswerNext(instant.CodeUnauthorized, false)
		_, err := b.resending.Resolve(t.Context(), attempt)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.Equal(t, 2, e.Attempt.Tries)
		b.byHand(t, b.resending, e.Attempt)
	})
}

// TestResendAfterATimeout: the first request may have left just before its attempt ended, so that the 15 seconds count from
// there. An attempt of 40 seconds leaves no time.
func TestResendAfterATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.NoAnswer)
		require.Equal(t, 40*time.Second, time.Since(attempt.FirstSent))
		b.byHand(t, b.resending, attempt)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
	for took, resent := range map[time.Duration]bool{30 * time.Second: true, 30*time.Second + time.Millisecond: false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.net.Inject(refundtest.NoAnswer)
			ctx, cancel := context.WithTimeout(t.Context(), took)
			defer cancel()
			_, err := b.resending.Refund(ctx, b.request("k", "10.00"))
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			if !resent {
				b.byHand(t, b.resending, e.Attempt)
				return
			}
			b.wait(t, e.Attempt)
			got, err := b.resending.Resolve(t.Context(), e.Attempt)
			require.NoError(t, err)
			assert.Equal(t, refund.VerdictApplied, got.Verdict)
			assert.Len(t, b.sim.Ledger(b.order), 1)
		})
	}
}

// TestResendAfterASlowDial: the first request left 9 seconds after its attempt began, and is processed for 10 more. The second
// waits until it is registered.
func TestResendAfterASlowDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sim.SetProcessing(10 * time.Second)
		slow := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			<-time.After(9 * time.Second)
			return b.net.RoundTrip(r)
		}), func(cfg *instant.Config) { cfg.ResendToResolve = true })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := slow.Refund(ctx, b.request("k", "10.00"))
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, refund.OutcomeUnknown, e.Outcome)
		b.sim.SetProcessing(0)
		for time.Since(e.Attempt.FirstSent) < time.Minute {
			_, _ = b.resending.Resolve(t.Context(), e.Attempt) //nolint:errcheck // the ledger shows
			<-time.After(time.Second)
		}
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResendWithoutLastSent: an attempt whose LastSent its owner did not keep.
func TestResendWithoutLastSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
		attempt.LastSent = time.Time{}
		got, err := b.resending.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, attempt.FirstSent.Add(15*time.Second), got.NotBefore)
	})
}

// TestResendWaitsForTheFirst: the guard does not see a refund that is still being processed.
func TestResendWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sim.SetProcessing(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.resending.Refund(ctx, b.request("k", "10.00"))
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, refund.OutcomeUnknown, e.Outcome)
		require.Empty(t, b.sim.Ledger(b.order))
		b.wait(t, e.Attempt)
		got, err := b.resending.Resolve(t.Context(), e.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestNoResend: too late, too often, or answered.
func TestNoResend(t *testing.T) {
	t.Run("after the guard", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
			<-time.After(46 * time.Second)
			b.byHand(t, b.resending, attempt)
			<-time.After(time.Minute)
			b.byHand(t, b.resending, attempt)
			assert.Len(t, b.sim.Ledger(b.order), 1)
		})
	})
	t.Run("by a clock that differs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
			attempt.FirstSent = attempt.FirstSent.Add(10 * time.Second)
			b.byHand(t, b.resending, attempt)
			attempt.FirstSent = time.Time{}
			b.byHand(t, b.resending, attempt)
		})
	})
	t.Run("a second time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
			b.wait(t, attempt)
			b.net.Inject(refundtest.LostAnswer)
			_, err := b.resending.Resolve(t.Context(), attempt)
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 2, e.Attempt.Tries)
			assert.Equal(t, attempt.FirstSent, e.Attempt.FirstSent)
			assert.True(t, e.Attempt.LastSent.After(attempt.LastSent))
			b.byHand(t, b.resending, e.Attempt)
			assert.Len(t, b.sim.Ledger(b.order), 1)
		})
	})
	for _, code := range []instant.ErrorCode{instant.CodeRefundFailure, instant.CodeIntenralServerError, instant.CodeInternalServerError} {
		for _, acted := range []bool{true, false} {
			t.Run(string(code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t)
					b.sim.AnswerNext(code, acted)
					attempt := b.unknown(t, b.request("k", "10.00"), "")
					<-time.After(20 * time.Second)
					b.byHand(t, b.resending, attempt)
				})
			})
		}
	}
	t.Run("after an answer of something in front", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			attempt := b.unknown(t, b.request("k", "10.00"), refundtest.ServerErrorAfterCommit)
			<-time.After(20 * time.Second)
			b.byHand(t, b.resending, attempt)
		})
	})
}

// TestResendRefused: any refusal but the duplicate says nothing of the first request.
func TestResendRefused(t *testing.T) {
	for _, code := range []instant.ErrorCode{
		instant.CodeRefundAmountGreaterThanAvailable, instant.CodeUnauthorized, instant.CodeNoEntityFound,
		instant.CodeInvalidAmountToRefund, instant.CodeInvalidCredentials, instant.CodeRefundFailure, instant.CodeIntenralServerError,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			attempt := b.unknown(t, b.request("k", "10.00"), refundtest.ResetBeforeWrite)
			b.wait(t, attempt)
			b.sim.AnswerNext(code, false)
			got, err := b.resending.Resolve(t.Context(), attempt)
			assert.Equal(t, refund.Resolution{}, got)
			assert.True(t, instant.HasCode(err, code))
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, code)
			assert.Equal(t, "resolve", e.Op)
			assert.Equal(t, "k", e.IdempotencyKey)
			want := attempt
			want.Answered, want.Tries, want.LastSent = true, 2, e.Attempt.LastSent
			assert.Equal(t, want, e.Attempt)
			b.byHand(t, b.resending, e.Attempt)
		})
	}
}

// TestResendContradicted: the code of the duplicate under a status that is no refusal proves nothing.
func TestResendContradicted(t *testing.T) {
	for _, status := range []int{200, 202, 302} {
		wire := &wiretest.Transport{Status: status, Body: `{"error":"POSSIBLE_DUPLICATE_REFUND","message":"no"}`}
		client := newClient(t, wire, func(cfg *instant.Config) { cfg.ResendToResolve = true })
		at := time.Now().Add(-20 * time.Second)
		got, err := client.Resolve(t.Context(), refund.Attempt{Request: request("k", "10.00"), FirstSent: at, LastSent: at, Tries: 1})
		assert.Equal(t, refund.Resolution{}, got)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.True(t, e.Attempt.Answered)
		assert.Len(t, wire.Dumps, 1)
	}
}

// TestAnswered: it is noted of a request that got a response, and only if the outcome is unknown.
func TestAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for fault, answered := range map[refundtest.Fault]bool{
			refundtest.LostAnswer: false, refundtest.NoAnswer: false, refundtest.ResetBeforeWrite: false,
			refundtest.ResetMidBody: true, refundtest.HTMLBlockPage: true, refundtest.ServerErrorAfterCommit: true, refundtest.Throttle: true,
		} {
			b := newBench(t)
			if fault == refundtest.ResetMidBody { // which needs a body
				b.sim.SetSuccess("application/json", `{"refunded":true}`)
			}
			assert.Equal(t, answered, b.unknown(t, b.request("k", "10.00"), fault).Answered, fault)
		}
		b := newBench(t)
		b.sim.AnswerNext(instant.CodeUnauthorized, false)
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeRejected, e.Outcome)
		assert.Equal(t, refund.Attempt{}, e.Attempt)
	})
}

// TestCapabilities: a person resolves, with either configuration, because nothing can be read.
func TestCapabilities(t *testing.T) {
	for _, resend := range []bool{false, true} {
		client := newClient(t, nil, func(cfg *instant.Config) { cfg.Account, cfg.ResendToResolve = "au-1", resend })
		want := refund.Capabilities{
			Provider: "instant", Account: "au-1", Target: "staging.api.instant.one",
			Partial: true, MultipleRefunds: true, RejectsExcess: true, Synchronous: true,
			Repeat: refund.RepeatRefundsAgain, ResolvedBy: refund.ResolvedByPerson, Currencies: []string{"AUD"},
		}
		got := client.Capabilities()
		assert.Equal(t, want, got)
		require.NoError(t, refund.CheckAbilities(client))
		got.Currencies[0] = "XXX"
		assert.Equal(t, want, client.Capabilities(), "the caller's own copy")
		_, err := client.Resolve(t.Context(), refund.Attempt{Request: request("k", "10.00")})
		require.NoError(t, err, "the currencies that are checked are no copy of the caller's")
	}
}

// TestResendThatNeverLeft may be tried again, while there is time.
func TestResendThatNeverLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
		b.wait(t, attempt)
		b.net.Always(refundtest.DialError)
		_, err := b.resending.Resolve(t.Context(), attempt)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.Equal(t, attempt, e.Attempt)
		b.net.Always("")
		got, err := b.resending.Resolve(t.Context(), e.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
	})
}

// TestResendIsNeverLate: a connection that takes its time must not carry the second request past the guard.
func TestResendIsNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
		<-time.After(44 * time.Second)
		late := newClient(t, slowToConnect{b.net}, func(cfg *instant.Config) { cfg.ResendToResolve = true })
		_, err := late.Resolve(t.Context(), attempt)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 50*time.Second, time.Since(attempt.FirstSent))
		assert.Len(t, b.net.Requests(), 1)
		<-time.After(time.Minute)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// slowToConnect takes 20 seconds to hand a request over, unless its context ends.
type slowToConnect struct{ next http.RoundTripper }

func (s slowToConnect) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(20 * time.Second):
		return s.next.RoundTrip(req)
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// TestRepeatFromAnotherProcess: a process that died before it recorded the refund, and one that knows no more than the
// key. For a minute the guard refuses it, and then it is a second refund: Capabilities.Repeat.
func TestRepeatFromAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		req := b.request("k", "10.00")
		b.unknown(t, req, refundtest.LostAnswer)
		another := newClient(t, b.net)
		<-time.After(time.Minute)
		_, err := another.Refund(t.Context(), req)
		require.ErrorIs(t, err, refund.ErrDuplicate)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "the refund was made, by the first process")
		assert.Len(t, b.sim.Ledger(b.order), 1)

		<-time.After(time.Second)
		_, err = another.Refund(t.Context(), req)
		require.NoError(t, err)
		assert.Len(t, b.sim.Ledger(b.order), 2)
		assert.Equal(t, refund.RepeatRefundsAgain, another.Capabilities().Repeat)
	})
}

// TestSameKeyAtOnce: the guard lets one of them through, and Resolve of two processes at once pays once.
func TestSameKeyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.ResetBeforeWrite)
		b.wait(t, attempt)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got, _ := b.resending.Resolve(t.Context(), attempt) //nolint:errcheck // the verdict would show
				assert.Equal(t, refund.VerdictApplied, got.Verdict)
			})
		}
		wg.Wait()
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestNeverSentAgain: no answer of any kind makes a refund go out twice; only a connection that never was is retried.
func TestNeverSentAgain(t *testing.T) {
	for _, fault := range refundtest.Faults() {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.net.Inject(fault)
			_, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
			want := 1
			if fault == refundtest.DialError {
				require.NoError(t, err)
				want = 2
			}
			assert.Len(t, b.net.Requests(), want, fault)
			assert.LessOrEqual(t, len(b.sim.Ledger(b.order)), 1)
		})
	}
}

func TestResolveKeepsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.unknown(t, b.request("k", "10.00"), refundtest.LostAnswer)
		b.wait(t, attempt)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.resending.Resolve(ctx, attempt)
		require.ErrorIs(t, err, context.Canceled)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.Equal(t, attempt, e.Attempt)
	})
}
