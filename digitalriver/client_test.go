package digitalriver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// newClient makes a client of the simulator's account on another transport.
func newClient(t testing.TB, rt http.RoundTripper, change ...func(*digitalriver.Config)) *digitalriver.Client {
	t.Helper()
	cfg := digitalrivertest.New().Config()
	cfg.Transport = rt
	for _, f := range change {
		f(&cfg)
	}
	client, err := digitalriver.New(cfg)
	require.NoError(t, err)
	return client
}

func noLookup(cfg *digitalriver.Config) { cfg.NoLookup = true }

func number(s string) *digitalriver.Number {
	return &digitalriver.Number{Decimal: decimal.RequireFromString(s)}
}

func absurd(exponent int32) *digitalriver.Number {
	return &digitalriver.Number{Decimal: decimal.New(1, exponent)}
}

func nativeRequest() digitalriver.RefundRequest {
	return digitalriver.RefundRequest{
		OrderID: "190214700336", Currency: "USD", Amount: digitalriver.NumberOf(refund.MustParseMoney("10.00", "USD")),
	}
}

const (
	answer    = `{"id":"re_1","state":"pending"}`
	emptyList = `{"hasMore":false,"data":[]}`
)

// TestWire compares every operation's request with its golden file.
func TestWire(t *testing.T) {
	ctx := t.Context()
	common := refund.Request{
		IdempotencyKey: "refund-1", Order: refund.Order{ID: "190214700336"}, Amount: refund.MustParseMoney("10.00", "USD"),
		Reason: "requested_by_customer", Metadata: map[string]string{"note": "travels"},
	}
	for _, tt := range []struct {
		name, answer string
		call         func(*digitalriver.Client) error
	}{
		{"refund", answer, func(c *digitalriver.Client) error { _, err := c.Refund(ctx, common); return err }},
		{"refund_line", answer, func(c *digitalriver.Client) error {
			req := common
			req.Line, req.Part, req.Metadata = "63734160336", refund.PartFee, nil
			_, err := c.Refund(ctx, req)
			return err
		}},
		{"refund_invoice", answer, func(c *digitalriver.Client) error {
			req := common
			req.Order, req.Part = refund.Order{InvoiceID: "5823594809"}, refund.PartTax
			_, err := c.Refund(ctx, req)
			return err
		}},
		{"create_refund_amount", answer, func(c *digitalriver.Client) error {
			req := nativeRequest()
			req.Currency, req.Amount, req.Type = "JPY", digitalriver.NumberOf(refund.MustParseMoney("33", "JPY")), digitalriver.TypeShipping
			req.Reason = `"quoted"`
			_, err := c.CreateRefund(ctx, req)
			return err
		}},
		{"create_refund_percent", answer, func(c *digitalriver.Client) error {
			req := nativeRequest()
			req.Amount, req.Percent, req.Type = nil, number("100"), digitalriver.TypeTax
			_, err := c.CreateRefund(ctx, req)
			return err
		}},
		{"create_refund_items", answer, func(c *digitalriver.Client) error {
			req := nativeRequest()
			req.OrderID, req.InvoiceID, req.Amount = "", "5823594809", nil
			req.Items = []digitalriver.ItemRequest{
				{ItemID: "63734160336", SKUID: "sku_9234276173", Quantity: 2, Amount: number("5.95"), Type: digitalriver.TypeShipping},
				{ItemID: "63734160337", Percent: number("12.5")},
			}
			req.Metadata = digitalriver.Metadata{"coupon": "iOS", "count": 2, "gift": true, "big": json.Number("12345678901")}
			_, err := c.CreateRefund(ctx, req)
			return err
		}},
		{"retrieve_refund", `{"id":"re_c0b4e4b1-7c1e"}`, func(c *digitalriver.Client) error {
			_, err := c.RetrieveRefund(ctx, "re_c0b4e4b1-7c1e")
			return err
		}},
		{"update_refund", answer, func(c *digitalriver.Client) error {
			_, err := c.UpdateRefund(ctx, "re_1", digitalriver.Metadata{"coupon": "", "note": "kept"})
			return err
		}},
		{"retrieve_order", `{"id":190214700336}`, func(c *digitalriver.Client) error {
			_, err := c.RetrieveOrder(ctx, "190214700336")
			return err
		}},
		{"list_refunds", emptyList, func(c *digitalriver.Client) error { return drain(c.ListRefunds(ctx, allFilters())) }},
		{"list_refunds_before", emptyList, func(c *digitalriver.Client) error {
			return drain(c.ListRefunds(ctx, digitalriver.RefundFilter{EndingBefore: "re_9"}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := &wiretest.Transport{Status: http.StatusOK, Body: tt.answer}
			require.NoError(t, tt.call(newClient(t, wire, noLookup)))
			require.Len(t, wire.Dumps, 1)
			wiretest.Golden(t, tt.name, wire.Dumps[0])
		})
	}
}

func allFilters() digitalriver.RefundFilter {
	at := time.Date(2020, 9, 22, 13, 9, 44, 5e6, time.FixedZone("", 3600))
	return digitalriver.RefundFilter{
		OrderID: "190214700336", SKUID: "sku_1", State: digitalriver.StateFailed, Reason: "a reason", FailureReason: "expired_or_canceled_card",
		IDs:            []digitalriver.ID{"re_1", "re_2"},
		CreatedTime:    digitalriver.TimeRange{Eq: at, Gt: at, Gte: at, Lt: at, Lte: at},
		Amount:         digitalriver.AmountRange{Gt: number("0"), Lte: number("10.50")},
		RefundedAmount: digitalriver.AmountRange{Eq: number("1"), Gte: number("2"), Lt: number("3")},
		Limit:          7, StartingAfter: "re_9",
	}
}

func drain[T any](seq func(func(T, error) bool)) error {
	var last error
	seq(func(_ T, err error) bool {
		last = err
		return true
	})
	return last
}

// A response that is of something else does not say that this refund was made.
func TestCreateRefundOfAnother(t *testing.T) {
	for name, tt := range map[string]struct {
		response string
		ok       bool
	}{
		"the refund":              {`{"id":"re_1","orderId":"1","currency":"USD","amount":10}`, true},
		"that states little":      {`{"id":"re_1","currency":"USD"}`, true},
		"another order":           {`{"id":"re_1","orderId":"2","currency":"USD","amount":10}`, false},
		"another amount":          {`{"id":"re_1","orderId":"1","currency":"USD","amount":9}`, false},
		"another currency":        {`{"id":"re_1","orderId":"1","currency":"EUR","amount":10}`, false},
		"an amount that is items": {`{"id":"re_1","orderId":"1","currency":"USD","items":[{"amount":4},{"amount":6}]}`, true},
	} {
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder(http.MethodPost, "https://api.digitalriver.com/refunds", httpmock.NewStringResponder(http.StatusCreated, tt.response))
		_, err := newClient(t, mock).CreateRefund(t.Context(), digitalriver.RefundRequest{OrderID: "1", Currency: "USD", Amount: number("10")})
		if tt.ok {
			require.NoError(t, err, name)
			continue
		}
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "%s: %v", name, err)
		require.ErrorIs(t, err, refund.ErrConflict, name)
	}
}

func TestCreateRefundChecksBeforeSending(t *testing.T) {
	item := func(r *digitalriver.RefundRequest, change func(*digitalriver.ItemRequest)) {
		r.Amount, r.Items = nil, []digitalriver.ItemRequest{{ItemID: "1", Amount: number("1")}}
		change(&r.Items[0])
	}
	many := digitalriver.Metadata{}
	for i := range 21 {
		many[strconv.Itoa(i)] = "x"
	}
	for name, change := range map[string]func(*digitalriver.RefundRequest){
		"OrderID: none":            func(r *digitalriver.RefundRequest) { r.OrderID = "" },
		"OrderID: both":            func(r *digitalriver.RefundRequest) { r.InvoiceID = "1" },
		"OrderID: path":            func(r *digitalriver.RefundRequest) { r.OrderID = "a/../b" },
		"InvoiceID: dots":          func(r *digitalriver.RefundRequest) { r.OrderID, r.InvoiceID = "", ".." },
		"Currency: none":           func(r *digitalriver.RefundRequest) { r.Currency = "" },
		"Currency: case":           func(r *digitalriver.RefundRequest) { r.Currency = "usd" },
		"Amount: none":             func(r *digitalriver.RefundRequest) { r.Amount = nil },
		"Amount: and percent":      func(r *digitalriver.RefundRequest) { r.Percent = number("1") },
		"Amount: zero":             func(r *digitalriver.RefundRequest) { r.Amount = number("0") },
		"Amount: negative":         func(r *digitalriver.RefundRequest) { r.Amount = number("-1") },
		"Amount: precise":          func(r *digitalriver.RefundRequest) { r.Amount = number("1.001") },
		"Amount: absurd":           func(r *digitalriver.RefundRequest) { r.Amount = absurd(2000000) },
		"Percent: small":           func(r *digitalriver.RefundRequest) { r.Amount, r.Percent = nil, number("0.001") },
		"Percent: large":           func(r *digitalriver.RefundRequest) { r.Amount, r.Percent = nil, number("100.01") },
		"Percent: absurd":          func(r *digitalriver.RefundRequest) { r.Amount, r.Percent = nil, absurd(-2000000) },
		"Percent: partial tax":     func(r *digitalriver.RefundRequest) { r.Amount, r.Percent, r.Type = nil, number("50"), "tax" },
		"Percent: absurd tax":      func(r *digitalriver.RefundRequest) { r.Amount, r.Percent, r.Type = nil, absurd(2000000), "tax" },
		"Type: of items only":      func(r *digitalriver.RefundRequest) { r.Type = digitalriver.TypeFees },
		"Type: beside items":       func(r *digitalriver.RefundRequest) { item(r, func(*digitalriver.ItemRequest) { r.Type = "duty" }) },
		"Items[0].ItemID: none":    func(r *digitalriver.RefundRequest) { item(r, func(i *digitalriver.ItemRequest) { i.ItemID = "" }) },
		"Items[0].SKUID: space":    func(r *digitalriver.RefundRequest) { item(r, func(i *digitalriver.ItemRequest) { i.SKUID = "a b" }) },
		"Items[0].Quantity: below": func(r *digitalriver.RefundRequest) { item(r, func(i *digitalriver.ItemRequest) { i.Quantity = -1 }) },
		"Items[0].Amount: none":    func(r *digitalriver.RefundRequest) { item(r, func(i *digitalriver.ItemRequest) { i.Amount = nil }) },
		"Items[0].Amount: negative": func(r *digitalriver.RefundRequest) {
			item(r, func(i *digitalriver.ItemRequest) { i.Amount = number("-1") })
		},
		"Items[0].Amount: both": func(r *digitalriver.RefundRequest) {
			item(r, func(i *digitalriver.ItemRequest) { i.Percent = number("1") })
		},
		"Items[0].Type: tax":   func(r *digitalriver.RefundRequest) { item(r, func(i *digitalriver.ItemRequest) { i.Type = "tax" }) },
		"Reason":               func(r *digitalriver.RefundRequest) { r.Reason = strings.Repeat("ä", 65) },
		"Metadata: many":       func(r *digitalriver.RefundRequest) { r.Metadata = many },
		"Metadata: no key":     func(r *digitalriver.RefundRequest) { r.Metadata = digitalriver.Metadata{"": "x"} },
		"Metadata: long key":   func(r *digitalriver.RefundRequest) { r.Metadata = digitalriver.Metadata{strings.Repeat("k", 41): "x"} },
		"Metadata: long value": func(r *digitalriver.RefundRequest) { r.Metadata = digitalriver.Metadata{"k": strings.Repeat("v", 501)} },
		"Metadata: fraction":   func(r *digitalriver.RefundRequest) { r.Metadata = digitalriver.Metadata{"k": json.Number("1.5")} },
		"Metadata: nested":     func(r *digitalriver.RefundRequest) { r.Metadata = digitalriver.Metadata{"k": []string{}} },
	} {
		req := nativeRequest()
		change(&req)
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: answer}
		_, err := newClient(t, wire).CreateRefund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, name)
		field, _, _ := strings.Cut(name, ":")
		assert.Equal(t, field, e.Field, name)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.Empty(t, wire.Dumps)
	}

	// The limits themselves are allowed.
	req := nativeRequest()
	delete(many, "20")
	req.Reason, req.Metadata = strings.Repeat("ä", 64), many
	many["0"] = strings.Repeat("ä", 500)
	delete(many, "1")
	many[strings.Repeat("k", 40)] = true
	_, err := newClient(t, &wiretest.Transport{Status: http.StatusCreated, Body: answer}).CreateRefund(t.Context(), req)
	require.NoError(t, err)
}

func TestReadsAndUpdatesCheckBeforeSending(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{}`}
	c := newClient(t, wire)
	ctx := t.Context()
	list := func(f digitalriver.RefundFilter) func() error {
		return func() error { return drain(c.ListRefunds(ctx, f)) }
	}
	refunds := func(q refund.Query) func() error { return func() error { return drain(c.Refunds(ctx, q)) } }
	for name, call := range map[string]func() error{
		"RetrieveRefund": func() error { _, err := c.RetrieveRefund(ctx, "../orders"); return err },
		"RetrieveOrder":  func() error { _, err := c.RetrieveOrder(ctx, ""); return err },
		"UpdateRefund":   func() error { _, err := c.UpdateRefund(ctx, "a?b", digitalriver.Metadata{"a": "b"}); return err },
		"no metadata":    func() error { _, err := c.UpdateRefund(ctx, "re_1", nil); return err },
		"bad metadata":   func() error { _, err := c.UpdateRefund(ctx, "re_1", digitalriver.Metadata{"a": 1.5}); return err },
		"key": func() error {
			_, err := c.UpdateRefund(ctx, "re_1", digitalriver.Metadata{"idempotency_key": ""})
			return err
		},
		"Limit":             list(digitalriver.RefundFilter{Limit: 101}),
		"Limit, negative":   list(digitalriver.RefundFilter{Limit: -1}),
		"both cursors":      list(digitalriver.RefundFilter{StartingAfter: "a", EndingBefore: "b"}),
		"cursor":            list(digitalriver.RefundFilter{StartingAfter: "a b"}),
		"ids":               list(digitalriver.RefundFilter{IDs: []digitalriver.ID{""}}),
		"absurd amount":     list(digitalriver.RefundFilter{Amount: digitalriver.AmountRange{Eq: absurd(2000000)}}),
		"GetRefund":         func() error { _, err := c.GetRefund(ctx, refund.Ref{}); return err },
		"Refunds, invoice":  refunds(refund.Query{Order: refund.Order{InvoiceID: "1"}}),
		"Refunds, both":     refunds(refund.Query{Order: refund.Order{ID: "1", InvoiceID: "1"}}),
		"Refunds, merchant": refunds(refund.Query{Order: refund.Order{MerchantID: "1"}}),
		"Refunds, status":   refunds(refund.Query{Status: refund.StatusCanceled}),
		"Refunds, order":    refunds(refund.Query{Order: refund.Order{ID: "a/b"}}),
	} {
		err := call()
		require.ErrorIs(t, err, refund.ErrInvalidRequest, name)
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err), name)
	}
	_, err := c.Resolve(ctx, refund.Attempt{})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "as unknown as it was")
	assert.Empty(t, wire.Dumps)
}

// TestReadsAreOfWhatWasAskedFor: a response about something else is none.
func TestReadsAreOfWhatWasAskedFor(t *testing.T) {
	c := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"other"}`})
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"RetrieveRefund": func() error { _, err := c.RetrieveRefund(ctx, "re_1"); return err },
		"UpdateRefund":   func() error { _, err := c.UpdateRefund(ctx, "re_1", digitalriver.Metadata{"a": "b"}); return err },
		"RetrieveOrder":  func() error { _, err := c.RetrieveOrder(ctx, "1"); return err },
		"GetRefund":      func() error { _, err := c.GetRefund(ctx, refund.Ref{ID: "re_1"}); return err },
	} {
		err := call()
		require.ErrorIs(t, err, refund.ErrUnexpected, name)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), name)
	}
}

// account is a simulator with n refunds of one order, a minute apart, oldest first.
func account(t *testing.T, n int) (*digitalriver.Client, *digitalrivertest.Simulator, refund.Order, []digitalriver.ID) {
	t.Helper()
	sim := digitalrivertest.New()
	client, err := sim.Client(refund.Options{})
	require.NoError(t, err)
	order := sim.AddOrder(refund.MustParseMoney("1000.00", "USD"))
	var ids []digitalriver.ID
	for i := range n {
		sim.Advance(time.Minute)
		req := nativeRequest()
		req.OrderID, req.Amount, req.Reason = digitalriver.ID(order.ID), number(strconv.Itoa(i+1)), fmt.Sprint("reason ", i)
		got, err := client.CreateRefund(t.Context(), req)
		require.NoError(t, err)
		ids = append(ids, got.ID)
	}
	return client, sim, order, ids
}

// TestRetrieveOrderCharges: what the simulator has captured can be refunded, and its orders say so.
func TestRetrieveOrderCharges(t *testing.T) {
	client, _, order, _ := account(t, 0)
	got, err := client.RetrieveOrder(t.Context(), digitalriver.ID(order.ID))
	require.NoError(t, err)
	want := []digitalriver.OrderCharge{{Captures: []digitalriver.Capture{{State: digitalriver.CaptureComplete}}}}
	assert.Equal(t, want, got.Payment.Charges)
}

// TestListRefunds pages through a simulator both ways.
func TestListRefunds(t *testing.T) {
	client, _, _, ids := account(t, 23)
	newest := func(from, to int) (want []digitalriver.ID) {
		for i := from; i >= to; i-- {
			want = append(want, ids[i])
		}
		return want
	}
	for name, tt := range map[string]struct {
		filter digitalriver.RefundFilter
		want   []digitalriver.ID
	}{
		"one page":  {digitalriver.RefundFilter{}, newest(22, 0)},
		"pages":     {digitalriver.RefundFilter{Limit: 7}, newest(22, 0)},
		"from":      {digitalriver.RefundFilter{Limit: 7, StartingAfter: ids[20]}, newest(19, 0)},
		"backwards": {digitalriver.RefundFilter{Limit: 7, EndingBefore: ids[0]}, ids[1:]},
		"end":       {digitalriver.RefundFilter{EndingBefore: ids[22]}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			seq := client.ListRefunds(t.Context(), tt.filter)
			for range 2 { // ranging again asks again
				var got []digitalriver.ID
				for r, err := range seq {
					require.NoError(t, err)
					got = append(got, r.ID)
				}
				assert.Equal(t, tt.want, got)
			}
		})
	}
}

// TestListRefundsFilters has the filters that the common side uses. The golden files have all.
func TestListRefundsFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the simulator's clock is time.Now
		client, sim, order, ids := account(t, 5)
		at := time.Now().UTC().Add(3 * time.Minute) // the third's
		req := nativeRequest()
		req.OrderID = digitalriver.ID(sim.AddOrder(refund.MustParseMoney("50.00", "USD")).ID)
		other, err := client.CreateRefund(t.Context(), req)
		require.NoError(t, err)
		sim.Advance(24*time.Hour - 3*time.Minute) // the first and the second settle
		for name, tt := range map[string]struct {
			filter digitalriver.RefundFilter
			want   []digitalriver.ID
		}{
			"order":     {digitalriver.RefundFilter{OrderID: digitalriver.ID(order.ID), Limit: 2}, []digitalriver.ID{ids[4], ids[3], ids[2], ids[1], ids[0]}},
			"state":     {digitalriver.RefundFilter{State: digitalriver.StateSucceeded}, []digitalriver.ID{ids[1], ids[0]}},
			"time from": {digitalriver.RefundFilter{CreatedTime: digitalriver.TimeRange{Gte: at}}, []digitalriver.ID{other.ID, ids[4], ids[3], ids[2]}},
			"time to":   {digitalriver.RefundFilter{CreatedTime: digitalriver.TimeRange{Lt: at}}, []digitalriver.ID{ids[1], ids[0]}},
		} {
			var got []digitalriver.ID
			for r, err := range client.ListRefunds(t.Context(), tt.filter) {
				require.NoError(t, err, name)
				got = append(got, r.ID)
			}
			assert.Equal(t, tt.want, got, name)
		}
	})
}

func TestListRefundsStopsAfterAnError(t *testing.T) {
	page := `{"hasMore":%v,"data":[{"id":%q}]}`
	more := func(id string) string { return fmt.Sprintf(page, true, id) }
	for name, tt := range map[string]struct {
		pages []string
		good  int
		fails bool
	}{
		"the end":                {[]string{more("a"), fmt.Sprintf(page, false, "b")}, 2, false},
		"an empty last page":     {[]string{more("a"), emptyList}, 1, false},
		"same cursor again":      {[]string{more("a"), more("a")}, 2, true},
		"an old cursor again":    {[]string{more("a"), more("b"), more("a")}, 3, true},
		"empty, but not the end": {[]string{more("a"), `{"hasMore":true,"data":[]}`}, 1, true},
		"empty from the start":   {[]string{`{"hasMore":true,"data":[]}`}, 0, true},
		"unreadable":             {[]string{more("a"), `<html>`}, 1, true},
		"no data":                {[]string{`{"hasMore":false}`}, 0, true},
		"no hasMore":             {[]string{`{"data":[]}`}, 0, true},
		"null for data":          {[]string{`{"hasMore":false,"data":null}`}, 0, true},
		"null for a refund":      {[]string{`{"hasMore":false,"data":[null]}`}, 0, true},
		"a refund without id":    {[]string{`{"hasMore":false,"data":[{"id":null}]}`}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			var answers []*http.Response
			for _, p := range tt.pages {
				answers = append(answers, httpmock.NewStringResponse(http.StatusOK, p))
			}
			mock.RegisterResponder(http.MethodGet, "https://api.digitalriver.com/refunds", httpmock.ResponderFromMultipleResponses(answers))
			good, errs := 0, 0
			for r, err := range newClient(t, mock).ListRefunds(t.Context(), digitalriver.RefundFilter{}) {
				if err != nil {
					errs++
					assert.Nil(t, r)
					assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "a read moves no money")
				} else {
					good++
				}
			}
			assert.Equal(t, tt.good, good)
			assert.Equal(t, tt.fails, errs == 1)
			assert.LessOrEqual(t, errs, 1)
		})
	}
}

// TestListRefundsIsLazy: whoever stops early has asked for no more.
func TestListRefundsIsLazy(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"hasMore":true,"data":[{"id":"a"},{"id":"b"}]}`}
	seq := newClient(t, wire).ListRefunds(t.Context(), digitalriver.RefundFilter{})
	assert.Empty(t, wire.Dumps)
	seq(func(*digitalriver.Refund, error) bool { return false })
	assert.Len(t, wire.Dumps, 1)
}

func TestUpdateRefund(t *testing.T) {
	client, _, _, ids := account(t, 1)
	ctx := t.Context()
	got, err := client.UpdateRefund(ctx, ids[0], digitalriver.Metadata{"a": "1", "b": 2})
	require.NoError(t, err)
	assert.Equal(t, digitalriver.Metadata{"a": "1", "b": json.Number("2")}, got.Metadata)
	_, err = client.UpdateRefund(ctx, ids[0], digitalriver.Metadata{"a": "", "c": true})
	require.NoError(t, err)
	got, err = client.RetrieveRefund(ctx, ids[0])
	require.NoError(t, err)
	assert.Equal(t, digitalriver.Metadata{"b": json.Number("2"), "c": true}, got.Metadata, "merged, and one deleted")

	many := digitalriver.Metadata{}
	for i := range 19 {
		many[strconv.Itoa(i)] = "x"
	}
	_, err = client.UpdateRefund(ctx, ids[0], many)
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.True(t, digitalriver.HasCode(err, digitalriver.CodeTooManyMetadataPairs))
}
