package digitalriver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestDecodeRefund has every shape of a 201 that the sheet knows.
func TestDecodeRefund(t *testing.T) {
	for name, tt := range map[string]struct {
		body       string
		line       string
		amount     string
		status     refund.Status
		word       string
		expires    time.Time
		unreadable bool
	}{
		"all of an order": {
			body:   `{"id":"re_1","createdTime":"2021-04-05T10:11:12Z","orderId":"1","currency":"USD","amount":10.0,"refundedAmount":0.0,"items":[],"state":"pending","liveMode":false,"charges":[]}`,
			amount: "10.00 USD", status: refund.StatusPending, word: "pending",
		},
		"of an item": {
			body: `{"id":"re_1","orderId":"1","currency":"USD","items":[{"itemId":"7","amount":10,"percent":null,"refundedAmount":null}],"state":"pending"}`,
			line: "7", amount: "10.00 USD", status: refund.StatusPending, word: "pending",
		},
		"a list of lists": {
			body: `{"id":"re_1","currency":"USD","items":[[{"itemId":"7","amount":4}],[{"itemId":"7","amount":6}]],"state":"pending"}`,
			line: "7", amount: "10.00 USD", status: refund.StatusPending, word: "pending",
		},
		"numbers as strings, ids as numbers": {
			body:   `{"id":12345678901234567890,"orderId":1,"currency":"USD","amount":"10.00","refundedAmount":"0","items":[{"quantity":"2"}],"state":"pending"}`,
			amount: "10.00 USD", status: refund.StatusPending, word: "pending",
		},
		"waiting for the shopper": {
			body:   `{"id":"re_1","currency":"USD","amount":10,"state":"pending_information","tokenInformation":{"token":"t","expiresTime":"2021-05-05T00:00:00Z"}}`,
			amount: "10.00 USD", status: refund.StatusNeedsAction, word: "pending_information", expires: time.Date(2021, 5, 5, 0, 0, 0, 0, time.UTC),
		},
		"expiry of its own": {
			body:   `{"id":"re_1","currency":"USD","amount":10,"state":"pending_information","expiresTime":"2021-05-06T00:00:00.5Z"}`,
			amount: "10.00 USD", status: refund.StatusNeedsAction, word: "pending_information", expires: time.Date(2021, 5, 6, 0, 0, 0, 5e8, time.UTC),
		},
		"the sample's state":     {body: `{"id":"re_1","currency":"USD","amount":10,"state":"created"}`, amount: "10.00 USD", word: "created"},
		"succeeded at once":      {body: `{"id":"re_1","currency":"USD","amount":10,"state":"succeeded"}`, amount: "10.00 USD", status: refund.StatusSucceeded, word: "succeeded"},
		"failed at once":         {body: `{"id":"re_1","currency":"USD","amount":10,"state":"failed"}`, amount: "10.00 USD", status: refund.StatusFailed, word: "failed"},
		"expired":                {body: `{"id":"re_1","currency":"USD","amount":10,"state":"expired"}`, amount: "10.00 USD", status: refund.StatusExpired, word: "expired"},
		"binary noise":           {body: `{"id":"re_1","currency":"USD","amount":9.999999999999998}`, amount: "10.00 USD"},
		"no amount":              {body: `{"id":"re_1"}`, amount: "no amount"},
		"item without":           {body: `{"id":"re_1","currency":"USD","items":[{"itemId":"7","percent":50}]}`, line: "7", amount: "no amount"},
		"the last item without":  {body: `{"id":"re_1","currency":"USD","items":[{"amount":10},{"percent":50}]}`, line: "7", amount: "no amount"},
		"the first item without": {body: `{"id":"re_1","currency":"USD","items":[{"percent":50},{"amount":10}]}`, line: "7", amount: "no amount"},
		"null members":           {body: `{"id":"re_1","createdTime":null,"orderId":null,"currency":"USD","amount":null,"items":null,"charges":null,"metadata":null,"tokenInformation":null,"state":null}`, amount: "no amount"},
		"unknown members":        {body: `{"id":"re_1","source":"x","nested":{"a":[1]}}`, amount: "no amount"},
		"odd metadata":           {body: `{"id":"re_1","metadata":[1]}`, amount: "no amount"},
		"a date that is none": {
			body: `{"id":"re_1","createdTime":"yesterday","expiresTime":7}`, amount: "no amount",
		},
		"another order":           {body: `{"id":"re_1","orderId":"2","currency":"USD","amount":10}`, unreadable: true},
		"another key":             {body: `{"id":"re_1","orderId":"1","currency":"USD","amount":10,"metadata":{"idempotency_key":"other"}}`, unreadable: true},
		"our key":                 {body: `{"id":"re_1","orderId":"1","currency":"USD","amount":10,"metadata":{"idempotency_key":"k"}}`, amount: "10.00 USD"},
		"another amount":          {body: `{"id":"re_1","currency":"USD","amount":9}`, unreadable: true},
		"another item's amount":   {body: `{"id":"re_1","currency":"USD","items":[{"amount":9}]}`, line: "7", unreadable: true},
		"more than noise":         {body: `{"id":"re_1","currency":"USD","amount":10.001}`, unreadable: true},
		"another currency":        {body: `{"id":"re_1","currency":"AUD","amount":10}`, unreadable: true},
		"amount without currency": {body: `{"id":"re_1","amount":10}`, unreadable: true},
		"large amount":            {body: `{"id":"re_1","currency":"USD","amount":1e30}`, unreadable: true},
		"absurd amount":           {body: `{"id":"re_1","currency":"USD","amount":1e2000000}`, unreadable: true},
		"absurd, but decodable":   {body: `{"id":"re_1","currency":"USD","amount":1e9999}`, unreadable: true},
		"an endless amount":       {body: `{"id":"re_1","currency":"USD","amount":10.` + strings.Repeat("0", 1<<16) + `}`, unreadable: true},
		"amount of words":         {body: `{"id":"re_1","currency":"USD","amount":"ten"}`, unreadable: true},
		"no id":                   {body: `{"currency":"USD","amount":10}`, unreadable: true},
		"an error object":         {body: `{"type":"bad_request","errors":[]}`, unreadable: true},
		"empty body":              {body: ``, unreadable: true},
		"HTML":                    {body: `<html><title>Welcome</title></html>`, unreadable: true},
		"cut off":                 {body: `{"id":"re_1","amount":1`, unreadable: true},
		"a string":                {body: `"ok"`, unreadable: true},
		"items of a wrong type":   {body: `{"id":"re_1","items":"none"}`, unreadable: true},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, &wiretest.Transport{Status: http.StatusCreated, Body: tt.body}, noLookup)
			got, err := client.Refund(t.Context(), refund.Request{
				IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD"), Line: tt.line,
			})
			if tt.unreadable {
				require.Error(t, err)
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "201 was said: the refund was probably accepted")
				return
			}
			require.NoError(t, err)
			assert.NotEmpty(t, got.ID)
			assert.Equal(t, tt.amount, got.Amount.String())
			assert.Equal(t, tt.status, got.Status)
			assert.Equal(t, tt.word, got.ProviderStatus)
			assert.True(t, tt.expires.Equal(got.ExpiresAt), got.ExpiresAt)
			assert.Equal(t, "k", got.IdempotencyKey)
			assert.Equal(t, tt.body, string(got.Raw))
		})
	}
}

// TestDecodeSample reads the answer of the reference page, which was not captured.
func TestDecodeSample(t *testing.T) {
	body, err := os.ReadFile("testdata/reference_page_refund.json")
	require.NoError(t, err)
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: string(body)}).RetrieveRefund(t.Context(), "ref_5823594809")
	require.NoError(t, err)
	at := digitalriver.Time{Time: time.Date(2025, 5, 9, 6, 13, 0, 679e6, time.UTC)}
	assert.Equal(t, digitalriver.ID("ref_5823594809"), got.ID)
	assert.Equal(t, at, got.CreatedTime)
	assert.Equal(t, at, got.ExpiresTime)
	assert.Equal(t, digitalriver.ID("ord_6645940010"), got.OrderID)
	assert.Equal(t, digitalriver.ID("5823594809"), got.InvoiceID)
	assert.Equal(t, digitalriver.TypeShipping, got.Type)
	assert.Equal(t, refund.MustParseMoney("9.99", "USD"), got.Requested())
	assert.Equal(t, refund.MustParseMoney("9.99", "USD"), got.Refunded())
	require.Len(t, got.Items, 1)
	assert.Equal(t, digitalriver.ID("sku_9234276173"), got.Items[0].SKUID)
	assert.Equal(t, "5.95", got.Items[0].Amount.String())
	assert.Equal(t, "1", got.Items[0].Quantity.String())
	assert.Equal(t, "expired_or_canceled_card", got.FailureReason)
	assert.Equal(t, digitalriver.State("created"), got.State, "kept, though in no list")
	assert.Equal(t, &digitalriver.TokenInformation{Token: "bb3f0f17-567a-4c87-8cbd-76d93a750709", ExpiresTime: at}, got.TokenInformation)
	require.Len(t, got.Charges, 1)
	assert.Equal(t, digitalriver.ChargeRefundComplete, got.Charges[0].Refunds[0].State)
	assert.Equal(t, "42.95", got.Charges[0].Refunds[0].Amount.String())
	assert.Equal(t, digitalriver.Metadata{"coupon": "iOS"}, got.Metadata)
}

// TestBinaryNoise: the sample of the charges page, and what is no noise.
func TestBinaryNoise(t *testing.T) {
	for in, want := range map[string]string{
		`"currency":"USD","refundedAmount":53.769999999999996`: "53.77 USD",
		`"currency":"JPY","refundedAmount":33.0`:               "33 JPY",
		`"currency":"JPY","refundedAmount":32.99999999999999`:  "33 JPY",
		`"currency":"KWD","refundedAmount":1.2340000000000002`: "1.234 KWD",
		`"currency":"USD","refundedAmount":-0.0000000001`:      "0.00 USD",
		`"currency":"USD","refundedAmount":53.775`:             "no amount",
		`"currency":"USD","refundedAmount":53.770001`:          "no amount",
		`"currency":"USD","refundedAmount":1e300`:              "no amount",
		`"currency":"USD","refundedAmount":1e40`:               "no amount",
		`"currency":"usd","refundedAmount":1`:                  "no amount",
		`"currency":"USD"`:                                     "no amount",
	} {
		var r digitalriver.Refund
		require.NoError(t, json.Unmarshal([]byte(`{"id":"1",`+in+`}`), &r), in)
		assert.Equal(t, want, r.Refunded().String(), in)
	}
}

func TestNumbersAreWrittenExactly(t *testing.T) {
	for in, want := range map[string]string{"10": "10", "10.50": "10.50", "0.01": "0.01", "1e3": "1000"} {
		got, err := json.Marshal(number(in))
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	_, err := json.Marshal(absurd(2000000))
	require.Error(t, err)
}

// TestNumbersAreBounded: a number of a megabyte takes seconds to read.
func TestNumbersAreBounded(t *testing.T) {
	for _, long := range []string{"1" + strings.Repeat("0", 64), `"` + strings.Repeat("1", 64) + `"`} {
		var n digitalriver.Number
		require.Error(t, json.Unmarshal([]byte(long), &n))
		require.NoError(t, json.Unmarshal([]byte(long[:60]+long[len(long)-1:]), &n))
	}
}

func TestDecodeOrder(t *testing.T) {
	body := `{"id":190214700336,"currency":"USD","state":"fulfilled","totalAmount":100.0,"capturedAmount":"100.00","cancelledAmount":0,
		"refundedAmount":46.23,"availableToRefundAmount":53.769999999999996,"shipTo":{"email":"x"},
		"items":[{"id":63734160336,"skuId":"sku_1","availableToRefundAmount":null},{"id":"2","availableToRefundAmount":1.5}]}`
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).RetrieveOrder(t.Context(), "190214700336")
	require.NoError(t, err)
	assert.Equal(t, digitalriver.ID("190214700336"), got.ID)
	assert.Equal(t, digitalriver.OrderFulfilled, got.State)
	assert.Equal(t, refund.MustParseMoney("53.77", "USD"), got.AvailableToRefund())
	require.Len(t, got.Items, 2)
	assert.Equal(t, digitalriver.ID("63734160336"), got.Items[0].ID)
	assert.Nil(t, got.Items[0].AvailableToRefundAmount)

	for _, unreadable := range []string{"", "<html>", "{}", "[]", `{"id":null}`} {
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: unreadable}).RetrieveOrder(t.Context(), "1")
		require.ErrorIs(t, err, refund.ErrUnexpected, unreadable)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), "a read moves no money")
	}
}

// TestDecodeOrderCharges: what cannot be read of the charges leaves the rest of the order as it is.
func TestDecodeOrderCharges(t *testing.T) {
	at := digitalriver.Time{Time: time.Date(2021, 4, 5, 10, 11, 12, 0, time.UTC)}
	for name, tt := range map[string]struct {
		payment string
		want    []digitalriver.OrderCharge
	}{
		"captured": {
			`{"charges":[{"captures":[{"state":"complete"}]}]}`,
			[]digitalriver.OrderCharge{{Captures: []digitalriver.Capture{{State: digitalriver.CaptureComplete}}}},
		},
		"refunded": {
			`{"charges":[{"captures":[],"refunds":[{"createdTime":"2021-04-05T10:11:12Z","updatedTime":"2021-04-05T10:11:12Z",` +
				`"amount":"5.95","state":"failed","failureCode":"declined","failureMessage":"no"}]}]}`,
			[]digitalriver.OrderCharge{{Captures: []digitalriver.Capture{}, Refunds: []digitalriver.OrderChargeRefund{{
				CreatedTime: at, UpdatedTime: at, Amount: number("5.95"), State: digitalriver.ChargeRefundFailed,
				FailureCode: "declined", FailureMessage: "no",
			}}}},
		},
		"several": {
			`{"charges":[{"captures":[{"state":"complete"},{"state":"new"}]},{}]}`,
			[]digitalriver.OrderCharge{{Captures: []digitalriver.Capture{{State: "complete"}, {State: "new"}}}, {}},
		},
		"captures that are none": {
			`{"charges":[{"captures":[7,null,{"state":{}},{"state":"complete"}]}]}`,
			[]digitalriver.OrderCharge{{Captures: []digitalriver.Capture{{}, {}, {}, {State: "complete"}}}},
		},
		"captures that are no list": {
			`{"charges":[{"captures":"complete","refunds":[{"state":"pending"}]}]}`,
			[]digitalriver.OrderCharge{{Refunds: []digitalriver.OrderChargeRefund{{State: digitalriver.ChargeRefundPending}}}},
		},
		"refunds that are none": {
			`{"charges":[{"refunds":["x",{"createdTime":"yesterday","amount":"ten","state":"complete","failureCode":[]},` +
				`{"amount":[1]},{"amount":null}]}]}`,
			[]digitalriver.OrderCharge{{Refunds: []digitalriver.OrderChargeRefund{{}, {State: digitalriver.ChargeRefundComplete}, {}, {}}}},
		},
		"charges that are none":    {`{"charges":["x",null,[]]}`, []digitalriver.OrderCharge{{}, {}, {}}},
		"no charges":               {`{"charges":[]}`, []digitalriver.OrderCharge{}},
		"charges that are no list": {`{"charges":{"captures":[]}}`, nil},
		"without charges":          {`{}`, nil},
		"a list":                   {`[]`, nil},
		"a string":                 {`"x"`, nil},
		"null":                     {`null`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"id":"1","currency":"USD","payment":` + tt.payment + `,"availableToRefundAmount":1.5}`
			got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).RetrieveOrder(t.Context(), "1")
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.Payment.Charges)
			assert.Equal(t, refund.MustParseMoney("1.50", "USD"), got.AvailableToRefund())
		})
	}
}

// FuzzResponses lets any bytes be the answer to a refund, to the listing before it and to what is read to resolve it.
// Nothing may panic, and a 201 is a success or unknown, never a refusal.
func FuzzResponses(f *testing.F) {
	f.Add(201, `{"id":"re_1","orderId":1,"currency":"USD","amount":"10.0","items":[[{"amount":1}]],"state":"pending","metadata":{"idempotency_key":"k"}}`)
	f.Add(200, `{"hasMore":false,"data":[{"id":"re_1","currency":"USD","amount":10,"metadata":{"idempotency_key":"k"}}],"id":"1","capturedAmount":10,"availableToRefundAmount":5}`)
	f.Add(400, `{"type":"bad_request","errors":[{"code":"invalid_parameter","parameter":"amountRequested","message":"no"}]}`)
	f.Add(201, `{"id":"1","currency":"USD","amount":1e9999}`)
	digits, deep, members := strings.Repeat("9", 50_000), strings.Repeat("[", 50_000), strings.Repeat(`"x":1,`, 10_000)
	f.Add(201, `{"id":"1","currency":"USD","amount":`+digits+`}`)
	f.Add(201, `{"id":"1","currency":"USD","items":`+deep)
	f.Add(201, `{`+members+`"id":"1","metadata":{`+members+`"idempotency_key":"k"}}`)
	f.Add(200, `{"hasMore":false,"data":[],"id":"1","capturedAmount":"`+digits+`"}`)
	f.Add(400, `{"type":"bad_request","errors":[{"code":"invalid_parameter","message":"`+digits+`"}]}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		wire := &wiretest.Transport{Status: status, Body: body}
		once := func(cfg *digitalriver.Config) { cfg.Retry.MaxAttempts = 1 }
		request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
		if _, err := newClient(t, wire, once, noLookup).Refund(t.Context(), request); err != nil && status < 400 {
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		}
		client := newClient(t, wire, once)
		before := len(wire.Dumps)
		if _, err := client.Refund(t.Context(), request); err != nil && len(wire.Dumps) == before+1 {
			used := errors.Is(err, refund.ErrKeyReused) || errors.Is(err, refund.ErrDuplicate)
			require.Equal(t, used, refund.OutcomeOf(err) == refund.OutcomeUnknown, "only the listing went out")
		}
		old := refund.Attempt{Request: request, FirstSent: time.Now().Add(-48 * time.Hour), LastSent: time.Now().Add(-48 * time.Hour), Tries: 1}
		if got, err := client.Resolve(t.Context(), old); err != nil {
			require.Equal(t, refund.Resolution{}, got)
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		} else {
			require.NotEqual(t, refund.VerdictNotApplied, got.Verdict, "one look is not enough")
		}
		got, err := client.GetRefund(t.Context(), refund.Ref{ID: "re_1"})
		require.Equal(t, err == nil, got != nil)
		digitalriver.Errors(err)
		read, err := client.RetrieveOrder(t.Context(), "1")
		require.Equal(t, err == nil, read != nil)
	})
}
