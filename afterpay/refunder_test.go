package afterpay_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// shop is a simulator, a network in front of it, and a client.
type shop struct {
	sim    *afterpaytest.Simulator
	net    *refundtest.Network
	client *afterpay.Client
	order  refund.Order
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{sim: afterpaytest.New()}
	s.net = refundtest.NewNetwork(refundtest.InMemory(s.sim))
	s.client = newClient(t, s.net)
	s.order = s.sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	return s
}

func (s *shop) request(key, amount string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: s.order, Amount: refund.MustParseMoney(amount, "AUD")}
}

// settle resolves an attempt until it is known or a person has to look, as a careful caller does.
func (s *shop) settle(t *testing.T, a refund.Attempt) refund.Resolution {
	t.Helper()
	for range 32 {
		got, err := s.client.Resolve(t.Context(), a)
		require.NoError(t, err)
		if got.Verdict != refund.VerdictUndetermined || got.NotBefore.IsZero() {
			return got
		}
		a = got.Attempt
		<-time.After(time.Until(got.NotBefore))
	}
	require.FailNow(t, "never resolved")
	return refund.Resolution{}
}

// lose makes a refund whose responses are all lost.
func (s *shop) lose(t *testing.T, req refund.Request) refund.Attempt {
	t.Helper()
	s.net.Always(refundtest.LostAnswer)
	defer s.net.Always("")
	_, err := s.client.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	return e.Attempt
}

func TestResolveWhileTheKeyIsYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		attempt := s.lose(t, s.request("k", "10.00"))
		assert.Equal(t, 3, attempt.Tries)
		got, err := s.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, "k", got.Refund.IdempotencyKey)
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// TestResolveOldKeyOnlyReads: past its life the key protects nothing, and a repeat would be a second refund.
func TestResolveOldKeyOnlyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		attempt := s.lose(t, s.request("k", "10.00"))
		<-time.After(25 * time.Hour)
		got, err := s.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, refund.MustParseMoney("10.00", "AUD"), got.Refund.Amount)
		assert.Len(t, s.sim.Ledger(s.order), 1, "the key is forgotten: sending it again would have paid twice")

		never := attempt
		never.Request.IdempotencyKey = "never-arrived"
		began := time.Now()
		got = s.settle(t, never)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
		assert.Equal(t, time.Minute, time.Since(began), "the hour is over, but a second look has to agree")
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

func TestResolveWithoutTimesOnlyReads(t *testing.T) {
	s := newShop(t)
	got := s.settle(t, refund.Attempt{Request: s.request("k", "10.00")})
	assert.Equal(t, refund.VerdictUndetermined, got.Verdict, "absence counts from when it was last sent, which is not known")
	assert.Empty(t, s.sim.Ledger(s.order))
}

// TestResolveDoesNotBelieveAbsenceAtOnce: reads lag behind writes.
func TestResolveDoesNotBelieveAbsenceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		<-time.After(time.Hour)
		attempt := s.lose(t, s.request("k", "10.00"))
		attempt.FirstSent = attempt.FirstSent.Add(-25 * time.Hour) // too old to be sent again
		s.sim.SetReadLag(time.Minute)
		got, err := s.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		require.True(t, got.NotBefore.After(time.Now()))
		assert.Equal(t, refund.VerdictApplied, s.settle(t, got.Attempt).Verdict)
	})
}

// TestAbsenceAfter: the option says when absence counts.
func TestAbsenceAfter(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{0: time.Hour, 2 * time.Hour: 2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := newShop(t)
			client, err := s.sim.Client(refund.Options{AbsenceAfter: after})
			require.NoError(t, err)
			assert.Equal(t, want, client.Capabilities().AbsenceAfter)
			s.client = client
			got := s.settle(t, refund.Attempt{
				Request: s.request("k", "10.00"), FirstSent: time.Now().Add(-24 * time.Hour), LastSent: time.Now(), Tries: 2,
			})
			assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
			assert.Equal(t, want+time.Minute, time.Since(got.Attempt.LastSent))
		})
	}
}

// TestResolveRefusedRepeat: a repeat that is refused says that the original was not made only if the payment agrees.
func TestResolveRefusedRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.net.Always(refundtest.ServerErrorBeforeCommit)
		_, err := s.client.Refund(t.Context(), s.request("lost", "60.00"))
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		s.net.Always("")
		_, err = s.client.Refund(t.Context(), s.request("other", "60.00"))
		require.NoError(t, err)

		got, err := s.client.Resolve(t.Context(), e.Attempt) // 422: no 60.00 are left
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		got = s.settle(t, got.Attempt)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
		assert.GreaterOrEqual(t, time.Since(e.Attempt.LastSent), time.Hour+time.Minute)
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// TestRefusalAfterALostAttempt: what refuses the second attempt may be the success of the first.
func TestRefusalAfterALostAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.net.Inject(refundtest.LostAnswer, refundtest.HTMLBlockPage)
		_, err := s.client.Refund(t.Context(), s.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrForbidden)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// TestResolveFailureKeepsTheAttempt: a repeat whose fate is unknown as well makes the attempt younger, one that was never
// sent does not, and neither is forgotten. A page proves nothing about the repeat.
func TestResolveFailureKeepsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		attempt := s.lose(t, s.request("k", "10.00"))
		<-time.After(time.Hour)
		for _, fault := range []refundtest.Fault{refundtest.LostAnswer, refundtest.DialError, refundtest.HTMLBlockPage} {
			s.net.Always(fault)
			_, err := s.client.Resolve(t.Context(), attempt)
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, fault)
			assert.Equal(t, attempt.FirstSent, e.Attempt.FirstSent, fault)
			assert.Equal(t, fault != refundtest.DialError, e.Attempt.LastSent.After(attempt.LastSent), fault)
			assert.Equal(t, attempt.Request.IdempotencyKey, e.Attempt.Request.IdempotencyKey)
		}
	})
}

func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.sim.SetProcessing(3 * time.Minute)
		_, err := s.client.Refund(t.Context(), s.request("k", "10.00")) // times out, and the repeats meet 409
		require.ErrorIs(t, err, refund.ErrInFlight)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, refund.OutcomeUnknown, e.Outcome)

		_, err = s.client.Resolve(t.Context(), e.Attempt)
		require.ErrorIs(t, err, refund.ErrInFlight)
		first := e.Attempt
		require.ErrorAs(t, err, &e)
		assert.Equal(t, first.FirstSent, e.Attempt.FirstSent)
		assert.True(t, e.Attempt.LastSent.After(first.LastSent), "it was sent again")
		<-time.After(3 * time.Minute)
		got, err := s.client.Resolve(t.Context(), e.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// TestResolveReads has what a payment can show of a refund whose key is too old to be sent again.
func TestResolveReads(t *testing.T) {
	const (
		ours  = `"merchantReference":"k","amount":{"amount":"10.00","currency":"AUD"}`
		other = `"requestId":"r","merchantReference":"k2","amount":{"amount":"10.00","currency":"AUD"}`
		bare  = `"amount":{"amount":"10.00","currency":"AUD"}`
	)
	key := `"requestId":"` + wire.UUID("afterpay", "k") + `"`
	for name, tt := range map[string]struct {
		refunds, events string
		verdict         refund.Verdict
	}{
		"the refund":                                 {`[{"refundId":"9",` + key + `,` + ours + `}]`, ``, refund.VerdictApplied},
		"the refund by its reference":                {`[{"refundId":"9",` + ours + `}]`, ``, refund.VerdictApplied},
		"the refund by its requestId":                {`[{"refundId":"9",` + key + `}]`, ``, refund.VerdictApplied},
		"nothing":                                    {`[]`, ``, refund.VerdictNotApplied},
		"no list":                                    {`null`, ``, refund.VerdictUndetermined},
		"a refund of another key":                    {`[{"refundId":"9",` + other + `}]`, ``, refund.VerdictNotApplied},
		"a refund of another requestId alone":        {`[{"refundId":"9","requestId":"r",` + bare + `}]`, ``, refund.VerdictNotApplied},
		"a refund of the amount from before":         {`[{"refundId":"9","refundedAt":"1999-12-29T22:59:59Z",` + bare + `}]`, ``, refund.VerdictNotApplied},
		"a refund of the amount made since":          {`[{"refundId":"9","refundedAt":"1999-12-29T23:00:00Z",` + bare + `}]`, ``, refund.VerdictUndetermined},
		"a refund of the amount without any key":     {`[{"refundId":"9",` + bare + `}]`, ``, refund.VerdictUndetermined},
		"an entry of the amount that is a void":      {`[{"refundId":"9",` + bare + `}]`, `{"id":"9","type":"VOIDED"}`, refund.VerdictNotApplied},
		"two refunds of the key":                     {`[{"refundId":"8",` + ours + `},{"refundId":"9",` + ours + `}]`, ``, refund.VerdictApplied},
		"two refunds of the key, and another amount": {`[{"refundId":"8",` + ours + `},{"refundId":"9",` + ours + `},{"refundId":"7","merchantReference":"k","amount":{"amount":"9.00","currency":"AUD"}}]`, ``, refund.VerdictUndetermined},
		"the key on another amount":                  {`[{"refundId":"9","merchantReference":"k","amount":{"amount":"9.00","currency":"AUD"}}]`, ``, refund.VerdictUndetermined},
		"the refund by numbers":                      {`[{"refundId":9,` + key + `,"merchantReference":"k","amount":{"amount":10,"currency":"AUD"}}]`, ``, refund.VerdictApplied},
		"the refund beside one without an amount":    {`[{"refundId":"8",` + other + `},{"refundId":"9",` + ours + `},{"refundId":"7","amount":{}}]`, ``, refund.VerdictApplied},
		"the key on an amount that cannot be read":   {`[{"refundId":"9","merchantReference":"k","amount":{"amount":{},"currency":"AUD"}}]`, ``, refund.VerdictUndetermined},
		"the key on an amount that is no object":     {`[{"refundId":"9",` + key + `,"amount":10}]`, ``, refund.VerdictUndetermined},
		"no key on an amount that cannot be read":    {`[{"refundId":"9","amount":"ten"}]`, ``, refund.VerdictUndetermined},
		"no key and no amount":                       {`[{"refundId":"9"}]`, ``, refund.VerdictUndetermined},
		"no key and another amount":                  {`[{"refundId":"9","amount":{"amount":"9.00","currency":"AUD"}}]`, ``, refund.VerdictNotApplied},
		"an entry that says nothing":                 {`[null]`, ``, refund.VerdictUndetermined},
		"an entry without an id beside such a void":  {`[{` + bare + `}]`, `{"type":"VOIDED"}`, refund.VerdictUndetermined},
		"the requestId on somebody else's reference": {`[{"refundId":"9",` + key + `,"merchantReference":"k2"}]`, ``, refund.VerdictUndetermined},
		"the reference on somebody else's requestId": {`[{"refundId":"9","requestId":"r",` + ours + `}]`, ``, refund.VerdictUndetermined},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1","refunds":` + tt.refunds + `,"events":[` + tt.events + `]}`}
				s := &shop{client: newClient(t, wire)}
				old := time.Now().Add(-48 * time.Hour)
				got := s.settle(t, refund.Attempt{FirstSent: old, LastSent: old, Tries: 1, Request: refund.Request{
					IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD"),
				}})
				assert.Equal(t, tt.verdict, got.Verdict)
				assert.Equal(t, tt.verdict == refund.VerdictApplied, got.Refund != nil)
				if got.Refund != nil {
					assert.Equal(t, "k", got.Refund.IdempotencyKey)
				}
				if name == "two refunds of the key" {
					require.Len(t, got.Duplicates, 1)
					assert.Equal(t, []string{"8", "9", "k"}, []string{got.Refund.ID, got.Duplicates[0].ID, got.Duplicates[0].IdempotencyKey})
				} else {
					assert.Empty(t, got.Duplicates)
				}
				for _, dump := range wire.Dumps {
					assert.Contains(t, dump, "GET ")
				}
			})
		})
	}
}

// TestForeignRefundsHaveNoKey: others refund the same orders, with references of their own.
func TestForeignRefundsHaveNoKey(t *testing.T) {
	s := newShop(t)
	_, err := s.client.CreateRefund(t.Context(), s.order.ID, nativeRequest())
	require.NoError(t, err)
	_, err = s.client.Refund(t.Context(), s.request("k", "5.00"))
	require.NoError(t, err)
	var keys []string
	for r, err := range s.client.Refunds(t.Context(), refund.Query{Order: s.order}) {
		require.NoError(t, err)
		keys = append(keys, r.IdempotencyKey)
	}
	assert.Equal(t, []string{"", "k"}, keys)
}

// TestKeyOfForeignRefunds: a reference that is none of our keys is none, wherever it is read.
func TestKeyOfForeignRefunds(t *testing.T) {
	id := wire.UUID("afterpay", "k")
	for name, tt := range map[string]struct{ members, key string }{
		"ours":                        {`"requestId":"` + id + `","merchantReference":"k"`, "k"},
		"ours, without a requestId":   {`"merchantReference":"k"`, "k"},
		"another's requestId":         {`"requestId":"r","merchantReference":"k"`, ""},
		"our requestId, another's":    {`"requestId":"` + id + `","merchantReference":"k2"`, ""},
		"a requestId alone":           {`"requestId":"` + id + `"`, ""},
		"a reference that is no key":  {`"merchantReference":"foreign ref"`, ""},
		"a reference beyond ASCII":    {`"merchantReference":"ré"`, ""},
		"a reference of 65":           {`"merchantReference":"` + strings.Repeat("k", 65) + `"`, ""},
		"a reference that is a list":  {`"merchantReference":["k"]`, ""},
		"an empty one":                {`"merchantReference":""`, ""},
		"no reference":                {`"refundMerchantReference":"k"`, ""},
		"a reference that is numeric": {`"merchantReference":17`, "17"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1","refunds":[{"refundId":"9",` + tt.members + `}]}`})
			got, err := client.GetRefund(t.Context(), refund.Ref{Order: refund.Order{ID: "1"}, ID: "9"})
			require.NoError(t, err)
			assert.Equal(t, tt.key, got.IdempotencyKey)
			for r, err := range client.Refunds(t.Context(), refund.Query{Order: refund.Order{ID: "1"}}) {
				require.NoError(t, err)
				assert.Equal(t, tt.key, r.IdempotencyKey)
			}
		})
	}
}

// TestUnrelatedMembersHideNothing: whatever cannot be read in a payment, its refunds are shown.
func TestUnrelatedMembersHideNothing(t *testing.T) {
	for _, odd := range []string{`null`, `{}`, `[]`, `5`, `1e999`, `"ten"`, `true`, `{"amount":{},"currency":[]}`, `{"amount":"ten","currency":"AUD"}`, `[5]`, `[{"id":{},"amount":5}]`} {
		t.Run(odd, func(t *testing.T) {
			var body strings.Builder
			body.WriteString(`{"id":1,"refunds":[{"refundId":1934419,"refundedAt":` + odd + `,"merchantReference":"k","refundMerchantReference":` + odd +
				`,"amount":{"amount":"10.00","currency":"AUD"}},{"refundId":"8","amount":` + odd + `}]`)
			for _, member := range []string{
				"token", "status", "created", "originalAmount", "openToCaptureAmount", "paymentState", "merchantReference", "events", "orderDetails", "agreements",
			} {
				fmt.Fprintf(&body, `,%q:%s`, member, odd)
			}
			body.WriteString(`}`)
			client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body.String()})
			var all []*refund.Refund
			for r, err := range client.Refunds(t.Context(), refund.Query{Order: refund.Order{ID: "1"}}) {
				require.NoError(t, err)
				all = append(all, r)
			}
			require.Len(t, all, 2)
			assert.Equal(t, "1934419", all[0].ID)
			assert.Equal(t, "k", all[0].IdempotencyKey)
			assert.Equal(t, refund.MustParseMoney("10.00", "AUD"), all[0].Amount)
			assert.Equal(t, refund.Money{}, all[1].Amount)
			got, err := client.GetRefund(t.Context(), refund.Ref{Order: refund.Order{ID: "1"}, ID: "1934419"})
			require.NoError(t, err)
			assert.Equal(t, all[0], got)
		})
	}
}

// TestNoListIsNotNone: a payment without its refunds, or with refunds that are none, shows nothing.
func TestNoListIsNotNone(t *testing.T) {
	for _, refunds := range []string{``, `,"refunds":null`, `,"refunds":{}`, `,"refunds":"none"`, `,"refunds":[5]`, `,"refunds":["1"]`, `,"refunds":[[]]`} {
		client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1"` + refunds + `}`})
		require.ErrorIs(t, drain(client.Refunds(t.Context(), refund.Query{Order: refund.Order{ID: "1"}})), refund.ErrUnexpected, refunds)
		_, err := client.GetRefund(t.Context(), refund.Ref{Order: refund.Order{ID: "1"}, ID: "9"})
		require.ErrorIs(t, err, refund.ErrUnexpected, refunds)
	}
	for _, results := range []string{`{}`, `{"results":null}`, `{"results":[null]}`, `{"results":[5]}`} {
		client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: results})
		require.ErrorIs(t, drain(client.ListPayments(t.Context(), afterpay.PaymentFilter{})), refund.ErrUnexpected, results)
	}
}

// TestSimulatorTakesWhatWasRecorded sends a refund as solidus_afterpay recorded one that the real sandbox made
// (credit/valid), User-Agent included.
func TestSimulatorTakesWhatWasRecorded(t *testing.T) {
	sim := afterpaytest.NewIn("USD")
	order := sim.AddOrder(refund.MustParseMoney("20.00", "USD"))
	send := func(agent string) int {
		body := `{"requestId":null,"merchantReference":null,"refundMerchantReference":null,"amount":{"amount":"10.0","currency":"USD"}}`
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v2/payments/"+order.ID+"/refund", strings.NewReader(body))
		req.SetBasicAuth(afterpaytest.MerchantID, afterpaytest.SecretKey)
		req.Header = http.Header{
			"Authorization": req.Header["Authorization"], "Content-Type": {"application/json"}, "Accept": {"*/*"}, "User-Agent": {agent},
		}
		got := httptest.NewRecorder()
		sim.ServeHTTP(got, req)
		return got.Code
	}
	assert.Equal(t, http.StatusCreated, send("SolidusAfterpay/0.0.1 (Solidus/3.0.1; Ruby/2.6.6; Merchant/100101481) https://"))
	assert.Equal(t, http.StatusForbidden, send(""), "it is mandatory")
	assert.Equal(t, []refund.Money{refund.MustParseMoney("10.00", "USD")}, sim.Ledger(order))
}

func TestWindow(t *testing.T) {
	s := newShop(t)
	req := s.request("k", "10.00")
	req.PurchasedAt = time.Now().Add(-121 * 24 * time.Hour)
	got, err := s.client.Refund(t.Context(), req)
	require.NoError(t, err, "the provider decides")
	assert.Len(t, got.Warnings, 1)

	req.IdempotencyKey, req.PurchasedAt = "k2", time.Now().Add(-119*24*time.Hour)
	got, err = s.client.Refund(t.Context(), req)
	require.NoError(t, err)
	assert.Empty(t, got.Warnings)

	cfg := s.sim.Config()
	cfg.EnforceWindow, cfg.Transport = true, &wiretest.Transport{}
	strict, err := afterpay.New(cfg)
	require.NoError(t, err)
	req.PurchasedAt = time.Now().Add(-121 * 24 * time.Hour)
	_, err = strict.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrWindowExpired)
	assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))

	s.sim.Advance(121 * 24 * time.Hour)
	req.IdempotencyKey = "k3"
	_, err = s.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrWindowExpired)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
}

func TestOrders(t *testing.T) {
	s := newShop(t)
	ten := refund.MustParseMoney("10.00", "AUD")
	req := s.request("k", "10.00")

	req.Order = s.sim.AddDeclinedOrder(ten)
	_, err := s.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrNotRefundable)

	req.Order = s.sim.UnknownOrder()
	s.sim.AnswerUnknownWith404()
	_, err = s.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))

	// Only what was captured can be refunded.
	req.Order = s.sim.AddDeferredOrder(ten, refund.MustParseMoney("4.00", "AUD"))
	_, err = s.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	assert.True(t, afterpay.HasCode(err, afterpay.CodeInvalidAmount))
}

// TestRefundsLeavesVoidsOut: they stand in the same list.
func TestRefundsLeavesVoidsOut(t *testing.T) {
	s := newShop(t)
	s.order = s.sim.AddDeferredOrder(refund.MustParseMoney("50.00", "AUD"), refund.MustParseMoney("20.00", "AUD"))
	s.sim.Void(s.order, refund.MustParseMoney("30.00", "AUD"))
	made, err := s.client.Refund(t.Context(), s.request("k", "5.00"))
	require.NoError(t, err)
	list := func(q refund.Query) (ids []string) {
		q.Order = s.order
		for r, err := range s.client.Refunds(t.Context(), q) {
			require.NoError(t, err)
			ids = append(ids, r.ID)
		}
		return ids
	}
	assert.Equal(t, []string{made.ID}, list(refund.Query{}))
	assert.Equal(t, []string{made.ID}, list(refund.Query{Since: made.CreatedAt, Status: refund.StatusSucceeded}))
	assert.Empty(t, list(refund.Query{Until: made.CreatedAt}))
	assert.Empty(t, list(refund.Query{Since: made.CreatedAt.Add(time.Second)}))
	assert.Empty(t, list(refund.Query{Status: refund.StatusPending}))

	p, err := s.client.RetrievePayment(t.Context(), s.order.ID)
	require.NoError(t, err)
	assert.Len(t, p.Refunds, 2)
	_, err = s.client.GetRefund(t.Context(), refund.Ref{Order: s.order, ID: "none"})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
}

// TestResolveReadsAfterAnUnreadableRepeat: a success that does not show the refund says no more than none.
// TestResolveWithoutAPayment: that a payment is not found, in Afterpay's own words, is not the absence of its refund. The
// credentials may be another account's.
func TestResolveWithoutAPayment(t *testing.T) {
	for status, body := range map[int]string{
		http.StatusNotFound:           `{"errorCode":"not_found","errorId":"1","message":"no such payment","httpStatusCode":404}`,
		http.StatusPreconditionFailed: `{"errorCode":"precondition_failed","errorId":"1","message":"no such payment","httpStatusCode":412}`,
	} {
		for _, age := range []time.Duration{time.Hour, 48 * time.Hour} { // sent again first, and not
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, &wiretest.Transport{Status: status, Body: body})
				old := time.Now().Add(-age)
				attempt := refund.Attempt{FirstSent: old, LastSent: old, Tries: 1, Request: refund.Request{
					IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD"),
				}}
				for range 3 {
					_, err := client.Resolve(t.Context(), attempt)
					var e *refund.Error
					require.ErrorAs(t, err, &e, "%d after %s", status, age)
					assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
					attempt = e.Attempt
					<-time.After(2 * time.Hour)
				}
			})
		}
	}
}

func TestResolveReadsAfterAnUnreadableRepeat(t *testing.T) {
	client := newClient(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: `{"refundId":"9","amount":{}}`}
		if req.Method == http.MethodGet {
			wire = &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1","refunds":[{"refundId":"9","merchantReference":"k"}]}`}
		}
		return wire.RoundTrip(req)
	}))
	got, err := client.Resolve(t.Context(), refund.Attempt{
		Request:   refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD")},
		FirstSent: time.Now().Add(-time.Hour), LastSent: time.Now().Add(-time.Hour), Tries: 1,
	})
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictApplied, got.Verdict)
}
