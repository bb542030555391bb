package digitalriver_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// shop is a simulator, a network in front of it, and a client.
type shop struct {
	sim    *digitalrivertest.Simulator
	net    *refundtest.Network
	client *digitalriver.Client
	order  refund.Order
}

func newShop(t *testing.T, change ...func(*digitalriver.Config)) *shop {
	t.Helper()
	s := &shop{sim: digitalrivertest.New()}
	s.net = refundtest.NewNetwork(refundtest.InMemory(s.sim))
	s.client = newClient(t, s.net, change...)
	s.order = s.sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	return s
}

func (s *shop) request(key, amount string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: s.order, Amount: refund.MustParseMoney(amount, "USD")}
}

// lose makes a refund that meets a fault.
func (s *shop) lose(t *testing.T, req refund.Request, fault refundtest.Fault) refund.Attempt {
	t.Helper()
	s.net.Always(fault)
	defer s.net.Always("")
	_, err := s.client.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	return e.Attempt
}

// settle resolves an attempt until it is known or a person has to look, as a careful caller does.
func settle(t *testing.T, client *digitalriver.Client, attempt refund.Attempt) refund.Resolution {
	t.Helper()
	for range 300 {
		got, err := client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		if got.Verdict != refund.VerdictUndetermined || got.NotBefore.IsZero() {
			return got
		}
		attempt = got.Attempt
		<-time.After(time.Until(got.NotBefore))
	}
	require.FailNow(t, "never resolved")
	return refund.Resolution{}
}

func (s *shop) writes() (n int) {
	for _, req := range s.net.Requests() {
		if req.Method == http.MethodPost {
			n++
		}
	}
	return n
}

func TestResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		attempt := s.lose(t, s.request("k", "10.00"), refundtest.LostAnswer)
		assert.Equal(t, 1, attempt.Tries, "it is never sent again")
		got, err := s.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, "k", got.Refund.IdempotencyKey)
		assert.Equal(t, attempt.Request.Amount, got.Refund.Amount)
		assert.Equal(t, refund.StatusPending, got.Refund.Status)

		never := s.lose(t, s.request("never", "10.00"), refundtest.ServerErrorBeforeCommit)
		got, err = s.client.Resolve(t.Context(), never)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict, "too early to believe in absence")
		assert.Equal(t, refund.VerdictNotApplied, settle(t, s.client, never).Verdict)
		assert.Equal(t, never.LastSent.Add(time.Hour+time.Minute), time.Now(), "two looks, the first of them an hour later")
		assert.Equal(t, 2, s.writes())
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// TestResolveLooksForWhatIsHidden: the order knows of a refund that the list does not show, or the list of one that may be
// this one.
func TestResolveLooksForWhatIsHidden(t *testing.T) {
	const (
		five    = `{"id":"1","currency":"USD","amount":5,"state":"pending"}`
		failed  = `{"id":"2","currency":"USD","amount":50,"state":"failed"}`
		percent = `{"id":"3","currency":"USD","items":[{"itemId":"7","percent":50}],"state":"pending","metadata":{"idempotency_key":"other"}}`
		paid    = `{"id":"4","currency":"USD","amount":50,"refundedAmount":5,"state":"succeeded"}`
		settled = `{"id":"8","currency":"USD","amount":5,"state":"succeeded"}`
	)
	ten := func(members string) string {
		return `{"id":"6","currency":"USD","amount":10,"state":"pending"` + members + `}`
	}
	for name, tt := range map[string]struct {
		list, order string
		doubt       bool
		person      bool // at once
	}{
		"all explained":           {five + "," + failed, `"capturedAmount":100,"availableToRefundAmount":95`, false, false},
		"too little for this one": {five + "," + failed, `"capturedAmount":100,"availableToRefundAmount":85.01`, false, false},
		"enough for this one":     {five + "," + failed, `"capturedAmount":100,"availableToRefundAmount":85`, true, false},
		"what was paid counts":    {paid, `"capturedAmount":100,"availableToRefundAmount":85`, true, false},
		"or what was asked for":   {settled, `"capturedAmount":100,"availableToRefundAmount":85`, true, false},
		"nothing is listed":       {"", `"capturedAmount":100,"availableToRefundAmount":90`, true, false},
		"nothing is gone":         {"", `"capturedAmount":100,"availableToRefundAmount":100`, false, false},
		"not stated":              {five, `"capturedAmount":null,"availableToRefundAmount":85`, true, false},
		"nor what is left":        {five, `"capturedAmount":100`, true, false},
		"in another currency":     {five, `"capturedAmount":100,"availableToRefundAmount":85,"currency":"AUD"`, true, false},
		// What is not stated is not nothing: 100 gone less 5 would leave enough for this one. With 9.99 gone nothing would.
		"the last does not say it":  {five + "," + percent, `"capturedAmount":100,"availableToRefundAmount":0`, true, false},
		"the first does not say it": {percent + "," + five, `"capturedAmount":100,"availableToRefundAmount":0`, true, false},
		"the only one does not":     {percent, `"capturedAmount":100,"availableToRefundAmount":0`, true, false},
		"too little is gone":        {percent, `"capturedAmount":100,"availableToRefundAmount":90.01`, false, false},
		// One without a key may be this one, unless it is from before.
		"one without a key":          {ten(""), `"capturedAmount":100,"availableToRefundAmount":90`, true, true},
		"one without an amount":      {`{"id":"7","state":"pending"}`, `"capturedAmount":100,"availableToRefundAmount":90`, true, true},
		"one made since":             {ten(`,"createdTime":"1999-12-31T21:00:00Z"`), `"capturedAmount":100,"availableToRefundAmount":90`, true, true},
		"one made before":            {ten(`,"createdTime":"1999-12-31T20:59:59Z"`), `"capturedAmount":100,"availableToRefundAmount":90`, false, false},
		"one with another key":       {ten(`,"metadata":{"idempotency_key":"other"}`), `"capturedAmount":100,"availableToRefundAmount":90`, false, false},
		"one of the shipping":        {ten(`,"type":"shipping"`), `"capturedAmount":100,"availableToRefundAmount":90`, true, true},
		"one of another amount":      {five, `"capturedAmount":100,"availableToRefundAmount":95`, false, false},
		"one that has failed":        {`{"id":"6","currency":"USD","amount":10,"state":"failed"}`, `"capturedAmount":100,"availableToRefundAmount":100`, false, false},
		"the order is not found":     {"", "", true, true},
		"the order hides its list":   {five, `"capturedAmount":100,"availableToRefundAmount":0`, true, false},
		"the order is over-refunded": {"", `"capturedAmount":100,"availableToRefundAmount":-10`, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // it is midnight, 2000-01-01
				answers := byPath{"/refunds": `{"hasMore":false,"data":[` + tt.list + `]}`}
				if tt.order != "" {
					answers["/orders/1"] = `{"id":"1","currency":"USD",` + tt.order + `}`
				}
				client := newClient(t, answers)
				sent := time.Now().Add(-2 * time.Hour)
				attempt := refund.Attempt{
					Request:   refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")},
					FirstSent: sent, LastSent: sent,
				}
				got, err := client.Resolve(t.Context(), attempt)
				require.NoError(t, err)
				assert.Equal(t, refund.VerdictUndetermined, got.Verdict, "one look is not enough")
				assert.Equal(t, tt.doubt, got.Attempt.MissedAt.IsZero(), "a doubtful miss does not count")
				assert.Equal(t, tt.person, got.NotBefore.IsZero())
				got = settle(t, client, got.Attempt)
				assert.Equal(t, tt.doubt, got.Verdict == refund.VerdictUndetermined)
				if tt.doubt && !tt.person {
					assert.WithinDuration(t, sent.Add(24*time.Hour), time.Now(), 5*time.Minute, "after a day a person has to look")
				}
			})
		})
	}
}

// byPath answers by the path of a request, anything else with 404.
type byPath map[string]string

func (b byPath) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, b[req.URL.Path]
	if body == "" {
		status, body = http.StatusNotFound, `{"type":"not_found"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func TestResolveReadsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		marked := `{"hasMore":false,"data":[{"id":"re_1","currency":"USD","amount":10,"metadata":{"idempotency_key":"k"}}]}`
		lists := []string{emptyList, marked}
		client := newClient(t, roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path != "/refunds" {
				return byPath{"/orders/1": `{"id":"1"}`}.RoundTrip(req) // it says too little for a doubt
			}
			list := lists[0]
			lists = lists[1:]
			return byPath{"/refunds": list}.RoundTrip(req)
		}))
		got := settle(t, client, refund.Attempt{
			Request:  refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")},
			LastSent: time.Now().Add(-time.Hour),
		})
		assert.Equal(t, refund.VerdictApplied, got.Verdict, "one stale listing is not believed")
		assert.Empty(t, lists)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestResolveCannotAsk: a read that fails leaves everything as it was.
func TestResolveCannotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
		attempt := refund.Attempt{Request: request, LastSent: time.Now().Add(-time.Hour), Tries: 1}
		for name, answers := range map[string]byPath{
			"no list":      {},
			"odd list":     {"/refunds": `{}`},
			"odd order":    {"/refunds": emptyList, "/orders/1": `<html>`},
			"other order":  {"/refunds": emptyList, "/orders/1": `{"id":"2","capturedAmount":10}`},
			"a list again": {"/refunds": `{"hasMore":true,"data":[{"id":"1"}]}`},
		} {
			got, err := newClient(t, answers).Resolve(t.Context(), attempt)
			require.Error(t, err, name)
			assert.Equal(t, refund.Resolution{}, got, name)
			var e *refund.Error
			require.ErrorAs(t, err, &e, name)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, name)
			assert.Equal(t, attempt, e.Attempt, name)
			assert.Equal(t, "k", e.IdempotencyKey, name)
		}
	})
}

// TestAnotherProcess: a second client, which knows the key only, as after a crash between the call and its record.
func TestAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.lose(t, s.request("k", "10.00"), refundtest.LostAnswer)
		got, err := newClient(t, s.net).Refund(t.Context(), s.request("k", "10.00"))
		require.NoError(t, err)
		assert.Equal(t, "k", got.IdempotencyKey)
		assert.True(t, got.Replayed)
		assert.Equal(t, 1, s.writes())
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// TestSameKeyAtOnce: what looks at the same moment pays twice, as the documentation says; every call tells the truth,
// and the next one says that something is wrong.
func TestSameKeyAtOnce(t *testing.T) {
	s := newShop(t)
	var both sync.WaitGroup // have looked
	both.Add(2)
	client := newClient(t, roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := s.net.RoundTrip(req)
		if req.Method == http.MethodGet {
			both.Done()
			both.Wait()
		}
		return resp, err
	}))
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() {
			_, err := client.Refund(t.Context(), s.request("k", "10.00"))
			assert.NoError(t, err)
		})
	}
	calls.Wait()
	assert.Len(t, s.sim.Ledger(s.order), 2)
	_, err := s.client.Refund(t.Context(), s.request("k", "10.00"))
	require.ErrorIs(t, err, refund.ErrDuplicate)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
	got, err := s.client.Resolve(t.Context(), refund.Attempt{Request: s.request("k", "10.00"), Tries: 1})
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictApplied, got.Verdict)
	require.Len(t, got.Duplicates, 1, "a person has to look")
	assert.NotEqual(t, got.Refund.ID, got.Duplicates[0].ID)
	assert.Len(t, s.sim.Ledger(s.order), 2)
}

func TestLookUpReadsAllPages(t *testing.T) {
	s := newShop(t)
	first, err := s.client.Refund(t.Context(), s.request("k", "1.00"))
	require.NoError(t, err)
	for i := range 99 {
		req := nativeRequest()
		req.OrderID, req.Amount = digitalriver.ID(s.order.ID), number("0.01")
		if i%2 == 0 {
			req.Metadata = digitalriver.Metadata{"idempotency_key": []string{"k-", "K", "kk"}[i%3]}
		}
		_, err := s.client.CreateRefund(t.Context(), req)
		require.NoError(t, err)
	}
	_, err = s.client.Refund(t.Context(), s.request("one-more", "0.01")) // the first is on the second page now
	require.NoError(t, err)
	again, err := s.client.Refund(t.Context(), s.request("k", "1.00"))
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
	assert.Len(t, s.sim.Ledger(s.order), 101)
}

func TestLookUpFindsAnotherRefund(t *testing.T) {
	s := newShop(t)
	item := s.sim.AddPart(s.order, refund.PartShipping, refund.MustParseMoney("50.00", "USD"))
	made, err := s.client.Refund(t.Context(), s.request("order", "10.00"))
	require.NoError(t, err)
	line := s.request("line", "10.00")
	line.Line, line.Part = item, refund.PartShipping
	_, err = s.client.Refund(t.Context(), line)
	require.NoError(t, err)
	for name, change := range map[string]func(*refund.Request){
		"amount":            func(r *refund.Request) { r.Amount = refund.MustParseMoney("9.00", "USD") },
		"currency":          func(r *refund.Request) { r.Amount = refund.MustParseMoney("10.00", "AUD") },
		"part":              func(r *refund.Request) { r.Part = refund.PartShipping },
		"line":              func(r *refund.Request) { r.Line = item },
		"line's amount":     func(r *refund.Request) { *r = line; r.Amount = refund.MustParseMoney("9.00", "USD") },
		"line's part":       func(r *refund.Request) { *r = line; r.Part = refund.PartOrder },
		"another line":      func(r *refund.Request) { *r = line; r.Line = "8" },
		"order of the line": func(r *refund.Request) { *r = line; r.Line = "" },
	} {
		req := s.request("order", "10.00")
		change(&req)
		_, err := s.client.Refund(t.Context(), req)
		require.ErrorIs(t, err, refund.ErrKeyReused, name)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), name)
		assert.Equal(t, refund.AdviceFix, refund.AdviceOf(err), name)
		got, err := s.client.Resolve(t.Context(), refund.Attempt{Request: req})
		require.NoError(t, err, name)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict, name)
		assert.True(t, got.NotBefore.IsZero(), "a person has to look")
	}
	assert.Equal(t, 2, s.writes())
	for key, req := range map[string]refund.Request{made.ID: s.request("order", "10.00"), "": line} {
		got, err := s.client.Refund(t.Context(), req)
		require.NoError(t, err)
		assert.Contains(t, got.ID, key)
	}

	// A response of another order proves nothing, neither alone nor among others.
	for _, list := range []string{`{"id":"1","orderId":"2"}`, `{"id":"1","orderId":"2"},{"id":"2"}`} {
		client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[` + list + `]}`})
		_, err = client.Refund(t.Context(), s.request("7", "10.00"))
		require.ErrorIs(t, err, refund.ErrUnexpected)
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
		_, err = client.Resolve(t.Context(), refund.Attempt{Request: s.request("7", "10.00")})
		require.ErrorIs(t, err, refund.ErrUnexpected)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		for _, err = range client.Refunds(t.Context(), refund.Query{Order: s.request("7", "10.00").Order}) {
			require.ErrorIs(t, err, refund.ErrUnexpected)
		}
	}

	// A response that ignores the filter, and one with another item too.
	client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[{"id":"1","orderId":2,"currency":"USD","amount":10,"metadata":{"idempotency_key":7}}]}`})
	_, err = client.Refund(t.Context(), s.request("7", "10.00"))
	require.ErrorIs(t, err, refund.ErrKeyReused)
	client = newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[{"id":"1","currency":"USD","metadata":{"idempotency_key":"7"},
		"items":[{"itemId":"1","amount":4},{"itemId":"2","amount":6}]}]}`})
	line = s.request("7", "10.00")
	line.Line = "1"
	_, err = client.Refund(t.Context(), line)
	require.ErrorIs(t, err, refund.ErrKeyReused)
}

// TestLookUpFails: what cannot be looked up is not sent.
func TestLookUpFails(t *testing.T) {
	for name, wire := range map[string]*wiretest.Transport{
		"refused":    {Status: 403, Body: `{"type":"forbidden","errors":[{"message":"jane@example.com may not read secret words"}]}`},
		"unreadable": {Status: 200, Body: `{"data":[]}`},
		"odd":        {Status: 418, Body: ``},
		"a circle":   {Status: 200, Body: `{"hasMore":true,"data":[{"id":"1"}]}`},
	} {
		client := newClient(t, wire)
		req := refund.Request{
			IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD"), Reason: "secret words",
		}
		_, err := client.Refund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		assert.Equal(t, "k", e.IdempotencyKey, name)
		assert.NotContains(t, err.Error(), "jane", name)
		assert.NotContains(t, err.Error(), "secret words", name)
		for _, dump := range wire.Dumps {
			assert.True(t, strings.HasPrefix(dump, "GET "), name)
		}
	}
}

// TestKeyOnSeveralRefunds: what failed paid nothing, what did not fail paid.
func TestKeyOnSeveralRefunds(t *testing.T) {
	one := func(id, state, amount string) string {
		return fmt.Sprintf(`{"id":%q,"state":%q,"currency":"USD","amount":%s,"metadata":{"idempotency_key":"k"}}`, id, state, amount)
	}
	for name, tt := range map[string]struct {
		list []string
		id   string
		kind error
	}{
		"failed, then paid": {[]string{one("paid", "succeeded", "10"), one("failed", "failed", "10")}, "paid", nil},
		"paid, then lapsed": {[]string{one("lapsed", "expired", "10"), one("paid", "pending", "10")}, "paid", nil},
		"both failed":       {[]string{one("newer", "failed", "10"), one("older", "failed", "10")}, "newer", nil},
		"both paid":         {[]string{one("a", "pending", "10"), one("b", "succeeded", "10")}, "", refund.ErrDuplicate},
		"one fits":          {[]string{one("a", "pending", "10"), one("b", "succeeded", "9")}, "", refund.ErrDuplicate},
		"both paid, and more": {
			[]string{one("a", "pending", "10"), one("b", "succeeded", "9"), one("c", "succeeded", "10")}, "", refund.ErrDuplicate,
		},
		"none fits":   {[]string{one("a", "pending", "8"), one("b", "succeeded", "9")}, "", refund.ErrKeyReused},
		"failed, too": {[]string{one("a", "failed", "9")}, "", refund.ErrKeyReused},
	} {
		client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[` + strings.Join(tt.list, ",") + `]}`})
		req := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
		got, err := client.Refund(t.Context(), req)
		found, errResolve := client.Resolve(t.Context(), refund.Attempt{Request: req, LastSent: time.Now(), Tries: 1})
		require.NoError(t, errResolve, name)
		if tt.kind != nil {
			require.ErrorIs(t, err, tt.kind, name)
			assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), name)
			if name == "both paid" {
				assert.Equal(t, refund.VerdictApplied, found.Verdict)
				require.Len(t, found.Duplicates, 1)
				assert.Equal(t, []string{"a", "b"}, []string{found.Refund.ID, found.Duplicates[0].ID})
				continue
			}
			assert.Equal(t, refund.VerdictUndetermined, found.Verdict, name)
			assert.True(t, found.NotBefore.IsZero(), name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, tt.id, got.ID, name)
		assert.True(t, got.Replayed, name)
		assert.Len(t, got.Warnings, 1, name)
		assert.Equal(t, refund.VerdictApplied, found.Verdict, name)
		assert.Equal(t, tt.id, found.Refund.ID, name)
		assert.Empty(t, found.Duplicates, name)
	}
}

// TestKeyOnAnotherAmount: whatever is stated of the amount must be this one, in whatever form.
func TestKeyOnAnotherAmount(t *testing.T) {
	req := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
	for members, want := range map[string]refund.Verdict{
		`"currency":"USD","amount":10`:     refund.VerdictApplied,
		`"currency":"USD","amount":"10.0"`: refund.VerdictApplied,
		`"currency":"USD"`:                 refund.VerdictApplied,
		`"currency":"USD","amount":9.99`:   refund.VerdictUndetermined,
		`"currency":"USD","amount":0`:      refund.VerdictUndetermined,
		`"currency":"USD","amount":1e999`:  refund.VerdictUndetermined,
		`"currency":"AUD","amount":10`:     refund.VerdictUndetermined,
		`"amount":9`:                       refund.VerdictUndetermined,
		`"amount":10`:                      refund.VerdictUndetermined, // of what is not said
	} {
		client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[{"id":"re_1","metadata":{"idempotency_key":"k"},` + members + `}]}`})
		got, err := client.Resolve(t.Context(), refund.Attempt{Request: req, LastSent: time.Now().Add(-48 * time.Hour), Tries: 1})
		require.NoError(t, err, members)
		assert.Equal(t, want, got.Verdict, members)
		assert.True(t, got.NotBefore.IsZero(), members)
	}
}

func TestNoLookup(t *testing.T) {
	s := newShop(t, noLookup)
	assert.Equal(t, refund.RepeatRefundsAgain, s.client.Capabilities().Repeat)
	assert.Equal(t, refund.RepeatFound, newClient(t, s.net).Capabilities().Repeat)
	for range 2 {
		_, err := s.client.Refund(t.Context(), s.request("k", "10.00"))
		require.NoError(t, err)
	}
	assert.Len(t, s.net.Requests(), 2)
	assert.Len(t, s.sim.Ledger(s.order), 2)
}

func TestInvoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		_, err := s.client.Refund(t.Context(), refund.Request{
			IdempotencyKey: "other", Order: s.order, Amount: refund.MustParseMoney("1.00", "USD"),
		})
		require.NoError(t, err)
		<-time.After(48 * time.Hour)
		order := s.order
		s.order = s.sim.Invoice(order)
		before := len(s.net.Requests())
		_, err = s.client.Refund(t.Context(), s.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.Len(t, s.net.Requests(), before)

		s.client = newClient(t, s.net, noLookup)
		attempt := s.lose(t, s.request("k", "10.00"), refundtest.LostAnswer)
		got := settle(t, s.client, attempt)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, s.order, got.Refund.Order)
		never := s.lose(t, s.request("never", "10.00"), refundtest.ServerErrorBeforeCommit)
		assert.Equal(t, refund.VerdictNotApplied, settle(t, s.client, never).Verdict)
		since := s.net.Requests()[len(s.net.Requests())-1].URL.Query().Get("createdTime[gte]")
		assert.Equal(t, never.FirstSent.Add(-time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"), since)
		assert.Len(t, s.sim.Ledger(order), 2)
	})
}

// TestInvoiceOfAnOrder: the invoice is what is refunded; the order beside it is compared with whatever is shown.
func TestInvoiceOfAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, noLookup)
		order := s.order
		s.order.InvoiceID = s.sim.Invoice(order).InvoiceID
		made, err := s.client.Refund(t.Context(), s.request("k0", "10.00"))
		require.NoError(t, err)
		assert.Equal(t, s.order, made.Order)
		attempt := s.lose(t, s.request("k", "10.00"), refundtest.LostAnswer)
		got := settle(t, s.client, attempt)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, s.order, got.Refund.Order)
		never := s.lose(t, s.request("never", "10.00"), refundtest.ServerErrorBeforeCommit)
		assert.Equal(t, refund.VerdictNotApplied, settle(t, s.client, never).Verdict)
		assert.Len(t, s.sim.Ledger(order), 2)
		read, err := s.client.GetRefund(t.Context(), refund.Ref{Order: s.order, ID: made.ID})
		require.NoError(t, err)
		assert.Equal(t, s.order, read.Order)
		s.order.ID = "7"
		_, err = s.client.GetRefund(t.Context(), refund.Ref{Order: s.order, ID: made.ID})
		require.ErrorIs(t, err, refund.ErrOrderNotFound)

		// It was made, but of another order than that of the caller's books.
		_, err = s.client.Refund(t.Context(), s.request("k2", "10.00"))
		require.ErrorIs(t, err, refund.ErrConflict)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		got = settle(t, s.client, e.Attempt)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict, "a person has to look")
	})
	wire := &wiretest.Transport{Status: http.StatusCreated, Body: answer}
	_, _ = newClient(t, wire, noLookup).Refund(t.Context(), refund.Request{ //nolint:errcheck // what it answers is of another refund
		IdempotencyKey: "k", Order: refund.Order{ID: "ord_1", InvoiceID: "inv_1"}, Amount: refund.MustParseMoney("10.00", "USD"),
	})
	require.Len(t, wire.Dumps, 1)
	assert.Contains(t, wire.Dumps[0], `"invoiceId":"inv_1"`)
	assert.NotContains(t, wire.Dumps[0], "ord_1")
}

// TestInvoicesWithoutList: the refund of an invoice is searched for in the list of the account.
func TestInvoicesWithoutList(t *testing.T) {
	ten := func(members string) string {
		return `{"id":"1","currency":"USD","amount":10,"state":"pending"` + members + `}`
	}
	for name, tt := range map[string]struct {
		list         string
		verdict, and refund.Verdict // without, and with the invoice's order
	}{
		"nothing":                  {"", refund.VerdictNotApplied, refund.VerdictNotApplied},
		"the key":                  {ten(`,"orderId":"1","metadata":{"idempotency_key":"k"}`), refund.VerdictApplied, refund.VerdictApplied},
		"the key, elsewhere":       {ten(`,"invoiceId":"inv_2","metadata":{"idempotency_key":"k"}`), refund.VerdictUndetermined, refund.VerdictUndetermined},
		"the key, of another":      {ten(`,"orderId":"2","metadata":{"idempotency_key":"k"}`), refund.VerdictApplied, refund.VerdictUndetermined},
		"none, perhaps here":       {ten(`,"orderId":"1"`), refund.VerdictUndetermined, refund.VerdictUndetermined},
		"none, elsewhere":          {ten(`,"invoiceId":"inv_2"`), refund.VerdictNotApplied, refund.VerdictNotApplied},
		"none, of another order":   {ten(`,"orderId":"2"`), refund.VerdictUndetermined, refund.VerdictNotApplied},
		"none, of this order only": {ten(`,"orderId":"1","invoiceId":"inv_2"`), refund.VerdictNotApplied, refund.VerdictNotApplied},
		"none, another amount":     {`{"id":"1","currency":"USD","amount":9,"state":"pending"}`, refund.VerdictNotApplied, refund.VerdictNotApplied},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[` + tt.list + `]}`}, noLookup)
				for order, want := range map[refund.Order]refund.Verdict{{InvoiceID: "inv_1"}: tt.verdict, {ID: "1", InvoiceID: "inv_1"}: tt.and} {
					got := settle(t, client, refund.Attempt{
						Request:  refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("10.00", "USD")},
						LastSent: time.Now(), Tries: 1,
					})
					assert.Equal(t, want, got.Verdict, order)
				}
			})
		})
	}
	client := newClient(t, &wiretest.Transport{Status: http.StatusCreated, Body: ten(`,"invoiceId":"inv_2"`)}, noLookup)
	_, err := client.Refund(t.Context(), refund.Request{
		IdempotencyKey: "k", Order: refund.Order{InvoiceID: "inv_1"}, Amount: refund.MustParseMoney("10.00", "USD"),
	})
	require.ErrorIs(t, err, refund.ErrConflict)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "the response is about another invoice")
}

func TestRefundChecksBeforeSending(t *testing.T) {
	many := map[string]string{}
	for i := range 20 {
		many[strconv.Itoa(i)] = "x"
	}
	for name, change := range map[string]func(*refund.Request){
		"Order.ID: merchant only":  func(r *refund.Request) { r.Order = refund.Order{MerchantID: "m"} },
		"Order.ID: characters":     func(r *refund.Request) { r.Order.ID = "1 2" },
		"Order.InvoiceID: beside":  func(r *refund.Request) { r.Order.InvoiceID = "1" }, // it is the invoice that cannot be looked up
		"Order.ID: beside":         func(r *refund.Request) { r.Order = refund.Order{ID: "a/b", InvoiceID: "1"} },
		"Order.InvoiceID: look-up": func(r *refund.Request) { r.Order = refund.Order{InvoiceID: "1"} },
		"Order.InvoiceID: path":    func(r *refund.Request) { r.Order = refund.Order{InvoiceID: ".."} },
		"Part: fee of an order":    func(r *refund.Request) { r.Part = refund.PartFee },
		"Part: tax of a line":      func(r *refund.Request) { r.Line, r.Part = "7", refund.PartTax },
		"Part: return cost":        func(r *refund.Request) { r.Part = refund.PartReturnCost },
		"Line":                     func(r *refund.Request) { r.Line = "a/b" },
		"Reason":                   func(r *refund.Request) { r.Reason = strings.Repeat("r", 65) },
		"Metadata: many":           func(r *refund.Request) { r.Metadata = many },
		"Metadata: ours":           func(r *refund.Request) { r.Metadata = map[string]string{"idempotency_key": "x"} },
		"Metadata: long":           func(r *refund.Request) { r.Metadata = map[string]string{"k": strings.Repeat("v", 501)} },
	} {
		req := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
		change(&req)
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: answer}
		_, err := newClient(t, wire).Refund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, name)
		field, _, _ := strings.Cut(name, ":")
		assert.Equal(t, field, e.Field, name)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		assert.Equal(t, "k", e.IdempotencyKey, name)
		assert.Equal(t, "refund", e.Op, name)
		assert.Empty(t, wire.Dumps, name)
	}
}

// TestStates follows refunds over the clock.
func TestStates(t *testing.T) {
	s := newShop(t)
	hundred := refund.MustParseMoney("100.00", "USD")
	accept := func(fate digitalrivertest.Fate, key string) *refund.Refund {
		s.order = s.sim.AddOrder(hundred)
		s.sim.SetFate(s.order, fate)
		got, err := s.client.Refund(t.Context(), s.request(key, "100.00"))
		require.NoError(t, err)
		return got
	}
	read := func(r *refund.Refund) *refund.Refund {
		got, err := s.client.GetRefund(t.Context(), refund.Ref{Order: r.Order, ID: r.ID})
		require.NoError(t, err)
		assert.NotEmpty(t, got.Raw)
		return got
	}
	good, bad, failed := accept(digitalrivertest.Succeeds, "good"), accept(digitalrivertest.Fails, "bad"), accept(digitalrivertest.FailsAtOnce, "failed")
	asks, lapses := accept(digitalrivertest.NeedsInformation, "asks"), accept(digitalrivertest.NeedsInformation, "lapses")
	assert.Equal(t, refund.StatusPending, good.Status)
	assert.Equal(t, refund.StatusPending, bad.Status)
	assert.Equal(t, refund.StatusFailed, failed.Status)
	assert.Equal(t, "expired_or_canceled_card", failed.FailureReason)
	assert.Equal(t, refund.StatusNeedsAction, asks.Status)
	assert.WithinDuration(t, time.Now().Add(30*24*time.Hour), asks.ExpiresAt, time.Minute)
	s.sim.Inform(asks.Order)
	assert.Equal(t, refund.StatusPending, read(asks).Status)

	s.sim.Advance(25 * time.Hour)
	assert.Equal(t, refund.StatusSucceeded, read(good).Status)
	assert.Equal(t, refund.StatusFailed, read(bad).Status)
	assert.Equal(t, refund.StatusSucceeded, read(asks).Status)
	assert.Equal(t, refund.StatusNeedsAction, read(lapses).Status)
	s.sim.Advance(30 * 24 * time.Hour)
	assert.Equal(t, refund.StatusExpired, read(lapses).Status)

	// The same key is the same refund forever; with a new one it is sent again, and the money is there.
	s.order = bad.Order
	again, err := s.client.Refund(t.Context(), s.request("bad", "100.00"))
	require.NoError(t, err)
	assert.Equal(t, bad.ID, again.ID)
	assert.Equal(t, refund.StatusFailed, again.Status)
	assert.Empty(t, s.sim.Ledger(s.order))
	s.sim.SetFate(s.order, digitalrivertest.Succeeds)
	again, err = s.client.Refund(t.Context(), s.request("new", "100.00"))
	require.NoError(t, err)
	assert.Equal(t, refund.StatusPending, again.Status)
}

func TestAvailableAmount(t *testing.T) {
	s := newShop(t)
	available := func() refund.Money {
		o, err := s.client.RetrieveOrder(t.Context(), digitalriver.ID(s.order.ID))
		require.NoError(t, err)
		return o.AvailableToRefund()
	}
	_, err := s.client.Refund(t.Context(), s.request("k", "40.00"))
	require.NoError(t, err)
	assert.Equal(t, refund.MustParseMoney("60.00", "USD"), available(), "pending refunds count")
	_, err = s.client.Refund(t.Context(), s.request("k2", "60.01"))
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	assert.True(t, digitalriver.HasCode(err, digitalriver.CodeInvalidParameter))

	// Nothing can be refunded in a dispute.
	s.sim.SetDispute(s.order, true)
	_, err = s.client.Refund(t.Context(), s.request("k3", "10.01"))
	require.ErrorIs(t, err, refund.ErrNotRefundable)
	s.sim.SetDispute(s.order, false)
	_, err = s.client.Refund(t.Context(), s.request("k3", "10.01"))
	require.NoError(t, err)
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		turned := &turnsAway{next: s.net}
		client, err := s.sim.Client(refund.Options{Transport: turned})
		require.NoError(t, err)
		_, err = client.Refund(t.Context(), s.request("k", "10.00"))
		require.NoError(t, err, "Digital River's own 429 is waited out, for a write too")
		assert.Equal(t, 2, turned.writes)
		assert.Len(t, s.sim.Ledger(s.order), 1)
	})
}

// turnsAway answers the first write as Digital River documents it.
type turnsAway struct {
	next   http.RoundTripper
	writes int
}

func (r *turnsAway) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return r.next.RoundTrip(req)
	}
	if r.writes++; r.writes > 1 {
		return r.next.RoundTrip(req)
	}
	own := &wiretest.Transport{
		Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
		Body: `{"type":"too_many_requests","errors":[{"code":"too_many_requests","message":"slow down"}]}`,
	}
	return own.RoundTrip(req)
}

// A 429 of something in front is no proof that Digital River was not asked: it is not sent again.
func TestRateLimitOfSomethingInFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.net.Inject(refundtest.Throttle)
		_, err := s.client.Refund(t.Context(), s.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrRateLimited)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Equal(t, 1, s.writes())
	})
}

func TestRefunds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		var made []*refund.Refund
		for i := range 3 {
			<-time.After(time.Hour)
			got, err := s.client.Refund(t.Context(), s.request(fmt.Sprint("k", i), "1.00"))
			require.NoError(t, err)
			made = append(made, got)
		}
		<-time.After(22*time.Hour + time.Minute) // the first settles
		list := func(q refund.Query) (keys []string) {
			for r, err := range s.client.Refunds(t.Context(), q) {
				require.NoError(t, err)
				assert.Equal(t, s.order, r.Order)
				keys = append(keys, r.IdempotencyKey)
			}
			return keys
		}
		assert.Equal(t, []string{"k2", "k1", "k0"}, list(refund.Query{}))
		assert.Equal(t, []string{"k2", "k1", "k0"}, list(refund.Query{Order: s.order}))
		assert.Equal(t, []string{"k2", "k1"}, list(refund.Query{Since: made[1].CreatedAt}))
		assert.Equal(t, []string{"k2"}, list(refund.Query{Since: made[1].CreatedAt.Add(time.Nanosecond)}))
		assert.Equal(t, []string{"k0"}, list(refund.Query{Until: made[1].CreatedAt}))
		assert.Equal(t, []string{"k1", "k0"}, list(refund.Query{Until: made[1].CreatedAt.Add(time.Nanosecond)}))
		assert.Equal(t, []string{"k0"}, list(refund.Query{Order: s.order, Status: refund.StatusSucceeded}))
		assert.Equal(t, []string{"k2", "k1"}, list(refund.Query{Status: refund.StatusPending}))
		assert.Empty(t, list(refund.Query{Status: refund.StatusNeedsAction}))

		// One that was made without a key of ours has none.
		native := nativeRequest()
		native.OrderID = digitalriver.ID(s.order.ID)
		_, err := s.client.CreateRefund(t.Context(), native)
		require.NoError(t, err)
		assert.Equal(t, []string{"", "k2", "k1", "k0"}, list(refund.Query{}))

		// A provider that ignores the filters.
		client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[{"id":"1","orderId":"7","createdTime":"1999-01-01T00:00:00Z"},{"id":"2","invoiceId":"8"}]}`})
		var ids []string
		for r, err := range client.Refunds(t.Context(), refund.Query{Since: made[0].CreatedAt}) {
			require.NoError(t, err)
			ids = append(ids, r.ID)
			assert.Equal(t, refund.Order{InvoiceID: "8"}, r.Order)
		}
		assert.Equal(t, []string{"2"}, ids, "one without a date may be meant")
	})
}

func TestGetRefund(t *testing.T) {
	s := newShop(t)
	made, err := s.client.Refund(t.Context(), s.request("k", "1.00"))
	require.NoError(t, err)
	got, err := s.client.GetRefund(t.Context(), refund.Ref{ID: made.ID})
	require.NoError(t, err)
	assert.Equal(t, s.order, got.Order, "read from the refund")
	_, err = s.client.GetRefund(t.Context(), refund.Ref{ID: made.ID, Order: refund.Order{ID: "2"}})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	_, err = s.client.GetRefund(t.Context(), refund.Ref{ID: "re_none"})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, http.StatusNotFound, e.HTTPStatus)
}
