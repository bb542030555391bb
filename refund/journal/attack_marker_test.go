package journal_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// spoilers change what a refund is found by, in every read.
func spoilers() map[string]func(*scene) {
	omitted := func(any) any { return nil }
	reference := func(change func(string) string) func(*scene) {
		return func(s *scene) {
			s.wire.editReads("Reference", func(old any) any {
				if text, ok := old.(string); ok {
					return change(text)
				}
				return old
			})
		}
	}
	return map[string]func(*scene){
		"digitalriver: omitted": func(s *scene) { s.wire.editReads("metadata", omitted) },
		"digitalriver: cut": func(s *scene) {
			s.wire.editReads("idempotency_key", func(any) any { return "key" })
		},
		"afterpay: omitted": func(s *scene) {
			s.wire.editReads("refunds", func(list any) any {
				for _, name := range []string{"requestId", "merchantReference", "refundMerchantReference"} {
					edited(list, name, omitted)
				}
				return list
			})
		},
		"orderrows: omitted":    func(s *scene) { s.wire.editReads("Reference", omitted) },
		"orderrows: cut":        reference(func(r string) string { return r[:min(len(r), 4)] }),
		"orderrows: upper case": reference(strings.ToUpper),
		"orderrows: prefixed":   reference(func(r string) string { return "shop-" + r }),
	}
}

// TestMarkerIsLostOrChanged (8): a refund of the amount that nobody knows may be the one that is looked for, whatever marker it
// carries. It is for a person, and is not sent again.
func TestMarkerIsLostOrChanged(t *testing.T) {
	for name, spoil := range spoilers() {
		vendors := map[string]vendor{}
		for of, v := range readableVendors() {
			if strings.HasPrefix(of, strings.Split(name, ":")[0]) {
				vendors[of] = v
			}
		}
		t.Run(name, func(t *testing.T) {
			onStage(t, vendors, func(t *testing.T, s *scene) {
				spoil(s)
				s.net.Inject(refundtest.LostAnswer)
				s.unclear(t)
				require.Equal(t, 1, s.paid())
				pass(25 * time.Hour) // Afterpay's key is too old to be sent again
				s.work(t, 9*24*time.Hour)
				e := s.entry(t)
				assert.Equal(t, journal.StateNeedsReview, e.State, e.Note)
				assert.Equal(t, journal.AttentionReview, e.Attention)
				_, err := s.refund(t)
				require.ErrorIs(t, err, journal.ErrNeedsReview)
				assert.Equal(t, 1, s.paid())
			})
			t.Run("and shown late", func(t *testing.T) { // the look before a repeat sees what earlier ones did not
				onStage(t, vendors, func(t *testing.T, s *scene) {
					spoil(s)
					s.setReadLag(t, 31*time.Hour)
					s.net.Inject(refundtest.LostAnswer)
					s.unclear(t)
					pass(25 * time.Hour)
					s.workUntil(t, 3*time.Hour, func() bool { return s.entry(t).State == journal.StateNotFound })
					pass(10 * time.Hour)
					_, _ = s.refund(t) //nolint:errcheck // it is unknown, or for a person
					assert.Equal(t, 1, s.paid())
					s.work(t, 9*24*time.Hour)
					assert.Equal(t, 1, s.paid())
					assert.NotEmpty(t, s.entry(t).Attention)
				})
			})
			t.Run("and sent again", func(t *testing.T) { // a refund is no reason to doubt itself
				onStage(t, vendors, func(t *testing.T, s *scene) {
					spoil(s)
					s.net.Inject(refundtest.ResetBeforeWrite)
					s.unclear(t)
					pass(25 * time.Hour)
					s.workUntilState(t, 3*time.Hour, journal.StateNotFound)
					_, err := s.refund(t)
					require.NoError(t, err)
					s.work(t, 9*24*time.Hour)
					assert.Contains(t, []journal.Attention{"", journal.AttentionStuck}, s.entry(t).Attention, s.entry(t).Note)
				})
			})
			t.Run("and paid again", func(t *testing.T) { // what arrives late is seen beside the one that is known
				onStage(t, vendors, func(t *testing.T, s *scene) {
					spoil(s)
					s.wire.mu.Lock()
					spoiled := s.wire.meddler
					s.wire.mu.Unlock()
					s.wire.hold(40 * time.Hour)
					s.unclear(t)
					s.wire.meddle(spoiled)
					pass(25 * time.Hour)
					s.workUntil(t, 3*time.Hour, func() bool { return s.entry(t).State == journal.StateNotFound })
					_, err := s.refund(t)
					require.NoError(t, err)
					s.work(t, 9*24*time.Hour)
					s.honest(t)
				})
			})
		})
	}
}

// TestMarkersLeaveOthersAlone (8): a refund that the journal knows is no reason for doubt, so that a shop's equal partial
// refunds do not end with a person.
func TestMarkersLeaveOthersAlone(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		if !s.processes[0].client.Capabilities().MultipleRefunds {
			t.Skip("an order has one refund")
		}
		_, err := s.refund(t)
		require.NoError(t, err)
		s.req.IdempotencyKey = "key-2"
		s.net.Inject(refundtest.ResetBeforeWrite)
		s.unclear(t)
		pass(25 * time.Hour)
		s.workUntilState(t, 3*time.Hour, journal.StateNotFound)
		assert.Equal(t, 1, s.paid())
		_, err = s.refund(t)
		require.NoError(t, err)
		assert.Equal(t, 2, s.paid())
		s.work(t, 9*24*time.Hour)
		assert.Contains(t, []journal.Attention{"", journal.AttentionStuck}, s.entry(t).Attention) // nobody settles orderrows' refunds
	})
}

// TestMarkerIsRepeated (8): the provider shows a key on a refund that another key has already. That one is not taken for it, made
// or not.
func TestMarkerIsRepeated(t *testing.T) {
	for member, vendors := range map[string]map[string]vendor{
		"idempotency_key": {"digitalriver": digitalRiverVendor(), "digitalriver, blind": blindDigitalRiver()},
		"Reference":       {"orderrows": orderRowsVendor(), "orderrows, blind": blindOrderRows()},
	} {
		for _, fault := range []refundtest.Fault{refundtest.LostAnswer, refundtest.ResetBeforeWrite} {
			t.Run(member+"/"+string(fault), func(t *testing.T) {
				onStage(t, vendors, func(t *testing.T, s *scene) {
					_, err := s.refund(t)
					require.NoError(t, err)
					s.req.IdempotencyKey = "key-2"
					s.net.Inject(fault)
					s.unclear(t)
					s.wire.editReads(member, func(any) any { return "key-2" })
					s.work(t, 9*24*time.Hour)
					e := s.entry(t)
					assert.Contains(t, []journal.Attention{journal.AttentionPaidTwice, journal.AttentionReview}, e.Attention)
					_, _ = s.refund(t) //nolint:errcheck // it is for a person, or recorded with a warning
					assert.LessOrEqual(t, s.paid(), 2)
				})
			})
		}
	}
}

// TestRefusedByItsOwnRefund (9): a request is delivered twice, and the answer to the second is that there is not enough left.
func TestRefusedByItsOwnRefund(t *testing.T) {
	vendors := readableVendors()
	maps.DeleteFunc(vendors, func(name string, _ vendor) bool { return strings.HasPrefix(name, "orderrows") }) // it refuses nothing
	onStage(t, vendors, func(t *testing.T, s *scene) {
		s.req.Amount = s.money("100.00")
		s.wire.twice()
		_, _ = s.refund(t) //nolint:errcheck // whatever it says, see below
		s.work(t, 9*24*time.Hour)
		s.honest(t)
		assert.NotEqual(t, journal.StateRejected, s.entry(t).State)
		assert.NotEqual(t, journal.StateNotSent, s.entry(t).State)
	})
}

// TestDeliveredTwiceAndLost (9): two refunds with the key are there, and the journal says so.
func TestDeliveredTwiceAndLost(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		s.net.Inject(refundtest.LostAnswer)
		s.wire.twice()
		s.unclear(t)
		s.work(t, 9*24*time.Hour)
		s.honest(t)
		if s.paid() > 1 {
			got, err := s.refund(t)
			require.NoError(t, err)
			assert.NotEmpty(t, got.Warnings)
			assert.Contains(t, s.entry(t).Note, got.ID)
		}
	})
}

// TestDeliveredTwiceAndAnswered (9): nobody has a reason to look for a refund whose answer has come. What is pending is, once.
func TestDeliveredTwiceAndAnswered(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		s.wire.twice()
		_, _ = s.refund(t) //nolint:errcheck // whatever it says, see below
		s.work(t, time.Hour)
		s.honest(t)
	})
}

// TestBackdHidesARefundedOrder (10): whether an order that was refunded still shows its requests is not documented.
func TestBackdHidesARefundedOrder(t *testing.T) {
	onStage(t, map[string]vendor{"backd": backdVendor()}, func(t *testing.T, s *scene) {
		s.net.Inject(refundtest.LostAnswer)
		s.unclear(t)
		sim, ok := s.sim.(*backdtest.Simulator)
		require.True(t, ok)
		sim.SetOrderStatus(s.req.Order, backd.OrderStatus("refund"))
		s.wire.editReads("refunds", func(any) any { return []any{} })
		s.work(t, 9*24*time.Hour)
		assert.Equal(t, journal.StateNeedsReview, s.entry(t).State)
		_, err := s.refund(t)
		require.ErrorIs(t, err, journal.ErrNeedsReview)
	})
}

// TestFoundWithAnotherAmount (23): Afterpay's payment shows the key with another amount than was asked for.
func TestFoundWithAnotherAmount(t *testing.T) {
	onStage(t, map[string]vendor{"afterpay": afterpayVendor()}, func(t *testing.T, s *scene) {
		s.net.Inject(refundtest.LostAnswer)
		s.unclear(t)
		s.wire.editReads("refunds", func(list any) any {
			edited(list, "amount", func(any) any { return map[string]any{"amount": "5.00", "currency": s.sim.Currency()} })
			return list
		})
		pass(25 * time.Hour)
		s.work(t, 24*time.Hour)
		e := s.entry(t)
		assert.Equal(t, journal.StateNeedsReview, e.State, e.Note)
		assert.NotEmpty(t, e.Attention)
	})
	// And whatever a provider of somebody else's says.
	b := newBench(t, &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		got := made(req, refund.StatusSucceeded)
		got.Amount = refund.MustParseMoney("5.00", "AUD")
		return got, nil
	}})
	_, err := b.ask(t, "k")
	requireErrorIs(t, err, journal.ErrNeedsReview)
	assert.Equal(t, journal.AttentionMismatch, b.attention(t, "k"))
}
