package orderrows_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
)

// TestDecodeCreated has every shape of a success that the sheet knows, and what else may come.
func TestDecodeCreated(t *testing.T) {
	request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")}
	for name, tt := range map[string]struct {
		body       string
		unreadable bool
	}{
		"as published":         {body: created},
		"without words":        {body: `{"Resource":"` + refundID + `"}`},
		"camel case":           {body: `{"resource":"` + refundID + `","message":"Success."}`},
		"unknown members":      {body: `{"Resource":"` + refundID + `","TraceId":{"a":[1]},"Details":{"a":1}}`},
		"no resource":          {body: changed, unreadable: true},
		"null resource":        {body: `{"Resource":null,"Message":"Success."}`, unreadable: true},
		"zero UUID":            {body: `{"Resource":"00000000-0000-0000-0000-000000000000"}`, unreadable: true},
		"an id that is none":   {body: `{"Resource":"List"}`, unreadable: true},
		"a number":             {body: `{"Resource":7}`, unreadable: true},
		"bare id":              {body: `"` + refundID + `"`, unreadable: true},
		"empty body":           {body: ``, unreadable: true},
		"HTML":                 {body: `<html><title>Welcome</title></html>`, unreadable: true},
		"cut off":              {body: created[:20], unreadable: true},
		"null":                 {body: `null`, unreadable: true},
		"a list instead of it": {body: noneYet, unreadable: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newHastyClient(t, &wiretest.Transport{Status: http.StatusOK, Body: tt.body}).Refund(t.Context(), request)
			if tt.unreadable {
				require.Error(t, err)
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "success was said: a refund was probably made")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, refundID, got.ID)
			assert.Equal(t, refund.StatusPending, got.Status)
			assert.True(t, got.Amount.IsZero(), "the answer states none")
			assert.Equal(t, tt.body, string(got.Raw))
		})
	}
}

// TestDecodeAnswer: what answers a change has no Resource, although one of the pages speaks of an id.
func TestDecodeAnswer(t *testing.T) {
	for body, want := range map[string]string{changed: "Success.", created: "Success.", `{}`: ""} {
		got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).SetApproval(t.Context(), 1, refundID, orderrows.RefundApproval{})
		require.NoError(t, err)
		assert.Equal(t, want, got.Message)
		assert.Nil(t, got.Details)
	}
}

// TestDecodeRefund reads a refund with every member of the OpenAPI document.
func TestDecodeRefund(t *testing.T) {
	body := `{"Resource":{"RefundId":"` + refundID + `","RefundInstanceId":5,"OrderId":1001,"Reference":"k","Description":"d","Author":"a",
		"ExternalOrderId":"eo","OrderTransactionId":"ot","SecondaryOrderTransactionId":null,"ExternalId":"e","PaymentName":"p","Locale":"sv-SE",
		"SiteName":"s","Customer":"c","Currency":"SEK","OrderStatus":"new-one","OrderSum":100.0,"OrderVat":20,"OrderValue":null,"OrderDiscount":0.1,
		"ShippingFee":29.5,"CreatedOn":"2026-01-02T03:04:05.1234567","Sent":true,"SentOn":"2026-01-02T03:04:06+01:00","Processed":false,
		"ProcessedOn":null,"RequiresApproval":true,"Approved":null,"ApprovalDecidedBy":null,"ApprovalDecidedOn":"soon","SkipRefundEvents":false,
		"VatRate":0.25,"Shipped":true,"RefundedTotal":53.769999999999996,"NewMember":[1],
		"RefundRows":[{"OrderId":1001,"RefundRowId":3003,"OrderRowId":2002,"CaptureId":"` + refundID + `","RefundAmount":53.769999999999996,
			"RefundAmountExVat":43.016,"Settled":false,"SettledOn":null,"Investigation":true,"CreatedOn":"2026-01-02 03:04","RefundType":9}],
		"Rows":[{"OrderRowId":2002,"ItemId":9,"Price":1e2,"SuggestedRefundAmount":99.9,"Name":"Lamp","CampaignNames":null}]},
		"Message":"Success.","Details":null}`
	client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body})
	got, err := client.RetrieveRefund(t.Context(), 1001, refundID)
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 123456700, time.UTC), got.CreatedOn.Time)
	assert.True(t, time.Date(2026, 1, 2, 2, 4, 6, 0, time.UTC).Equal(got.SentOn.Time))
	assert.True(t, got.ProcessedOn.IsZero())
	assert.True(t, got.ApprovalDecidedOn.IsZero())
	assert.Nil(t, got.Approved)
	assert.Nil(t, got.OrderValue)
	assert.Nil(t, got.PaymentFee)
	assert.Equal(t, "0.25", got.VatRate.String())
	require.Len(t, got.RefundRows, 1)
	assert.Equal(t, "53.769999999999996", got.RefundRows[0].RefundAmount.String(), "the provider's digits are kept")
	assert.Equal(t, orderrows.RefundType(9), got.RefundRows[0].RefundType)
	assert.Equal(t, int32(2002), *got.RefundRows[0].OrderRowID)
	assert.Equal(t, "Lamp", got.Rows[0].Name)

	common, err := client.GetRefund(t.Context(), refund.Ref{Order: refund.Order{ID: "1001"}, ID: refundID})
	require.NoError(t, err)
	assert.Equal(t, refund.MustParseMoney("53.77", "SEK"), common.Amount)
	assert.Equal(t, refund.StatusNeedsAction, common.Status)
	assert.Equal(t, "k", common.IdempotencyKey)

	for _, unreadable := range []string{
		"", "<html>", "{}", "[]", `{"Resource":{}}`, `{"Resource":null}`, one(`"RefundId":"` + refundID + `","OrderId":2`),
		one(`"RefundId":"5a1c3c1e-8f0a-4b52-9a3c-2f6b7f0d9a11"`), `{"Resource":[]}`, `{"Resource":{"RefundId":7}}`,
		`{"Resource":{"RefundId":"r","RefundedTotal":1e2000000}}`,
	} {
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: unreadable}).RetrieveRefund(t.Context(), 1, refundID)
		require.ErrorIs(t, err, refund.ErrUnexpected, unreadable)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), "a read moves no money")
	}
}

// TestDecodeOrder reads an order with the members of its refunds that are known, and not with their types.
func TestDecodeOrder(t *testing.T) {
	body := `{"Id":1001,"Currency":{},"Refunds":[{"Id":7,"OrderRowId":2002,"PaymentDetailId":"12","ReturnId":null,"ArticleNumber":9,
		"CreatedAt":"2026-01-02T03:04:05","Total":53.77,"ReasonCode":3,"Reason":"late","ToBalance":true,"Vat":10.754,"ItemId":5,
		"RefundType":"Default"},{}]}`
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).RetrieveOrder(t.Context(), 1001)
	require.NoError(t, err)
	require.Len(t, got.Refunds, 2)
	r := got.Refunds[0]
	assert.Equal(t, []orderrows.Text{"7", "2002", "12", "", "9", "3", "late", "5", "Default"},
		[]orderrows.Text{r.ID, r.OrderRowID, r.PaymentDetailID, r.ReturnID, r.ArticleNumber, r.ReasonCode, r.Reason, r.ItemID, r.RefundType})
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), r.CreatedAt.Time)
	assert.Equal(t, "53.77", r.Total.String())
	assert.Equal(t, "10.754", r.Vat.String())
	assert.True(t, r.ToBalance)
	assert.Nil(t, got.Refunds[1].Total)

	got, err = newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"Refunds":[]}`}).RetrieveOrder(t.Context(), 1001)
	require.NoError(t, err)
	assert.Empty(t, got.Refunds)
	for _, unreadable := range []string{"", "<html>", "{}", "null", "[]", `{"Refunds":null}`, `{"Refunds":{}}`, noneYet} {
		_, err = newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: unreadable}).RetrieveOrder(t.Context(), 1001)
		require.ErrorIs(t, err, refund.ErrUnexpected, unreadable)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), "a read moves no money")
	}
	wire := &wiretest.Transport{Status: http.StatusOK, Body: body}
	_, err = newClient(t, wire).RetrieveOrder(t.Context(), 0)
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.Empty(t, wire.Dumps)
}

// TestTextsThatNoRefundDependsOn never spoil the response; what decides about money does.
func TestTextsThatNoRefundDependsOn(t *testing.T) {
	body := one(`"RefundId":"` + refundID + `","OrderId":1001,"Reference":"k","Currency":"SEK","RefundedTotal":10,"ExternalOrderId":77,` +
		`"OrderTransactionId":1e3,"SecondaryOrderTransactionId":{},"ExternalId":[1],"PaymentName":true,"Customer":null,"OrderStatus":3,` +
		`"Description":5,"Author":{},"Rows":[{"OrderRowId":2002,"ProductId":"x","ArticleNumber":9,"Name":"Lamp"},7]`)
	client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body})
	got, err := client.RetrieveRefund(t.Context(), 1001, refundID)
	require.NoError(t, err)
	assert.Equal(t, orderrows.Text("77"), got.ExternalOrderID)
	assert.Equal(t, orderrows.Text("3"), got.OrderStatus)
	assert.Empty(t, got.ExternalID)
	assert.Empty(t, got.Customer)
	require.Len(t, got.Rows, 2)
	assert.Equal(t, "Lamp", got.Rows[0].Name)
	assert.Equal(t, int32(2002), got.Rows[0].OrderRowID)

	for _, member := range []string{`"OrderId":"x"`, `"Reference":{}`, `"Currency":1`, `"RefundedTotal":{}`, `"Processed":"no"`, `"RefundRows":{}`} {
		body := one(`"RefundId":"` + refundID + `",` + member)
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).RetrieveRefund(t.Context(), 1001, refundID)
		require.Error(t, err, "%s decides about money", member)
	}
}

func TestStatus(t *testing.T) {
	for members, want := range map[string]refund.Status{
		``:                             refund.StatusPending,
		`,"Sent":true,"Approved":null`: refund.StatusPending,
		`,"RequiresApproval":true`:     refund.StatusNeedsAction,
		`,"RequiresApproval":true,"Approved":null`:                                      refund.StatusNeedsAction,
		`,"RequiresApproval":true,"Approved":true`:                                      refund.StatusPending,
		`,"RequiresApproval":true,"Approved":false`:                                     refund.StatusCanceled,
		`,"RequiresApproval":false,"Approved":false`:                                    refund.StatusPending, // means nothing then
		`,"Processed":true`:                                                             refund.StatusSucceeded,
		`,"Processed":true,"RequiresApproval":true,"Approved":false`:                    refund.StatusSucceeded, // money first
		`,"RefundRows":[]`:                                                              refund.StatusPending,
		`,"RefundRows":[{"Settled":true},{"Settled":false}]`:                            refund.StatusPending,
		`,"RefundRows":[{"Settled":true},{"Settled":true}]`:                             refund.StatusSucceeded,
		`,"RefundRows":[{"Settled":false,"Investigation":true}],"OrderStatus":"paused"`: refund.StatusPending,
	} {
		got := common(t, members)
		assert.Equal(t, want, got.Status, members)
		assert.Empty(t, got.ProviderStatus, "the API has no word for it")
	}
}

func TestAmount(t *testing.T) {
	for members, want := range map[string]string{
		`,"RefundRows":[{"RefundAmount":10}],"RefundedTotal":9`:                       "10.00 SEK",
		`,"RefundRows":[{"RefundAmount":10},{"RefundAmount":1}],"RefundedTotal":9.00`: "9.00 SEK",
		`,"RefundRows":[],"RefundedTotal":0`:                                          "0.00 SEK",
		`,"RefundRows":[{"RefundAmount":null}],"RefundedTotal":9`:                     "no amount",
		`,"RefundRows":[{}]`:                        "no amount",
		``:                                          "no amount",
		`,"RefundedTotal":0.30000000000000004`:      "0.30 SEK",
		`,"RefundedTotal":9.999999999999998`:        "10.00 SEK",
		`,"RefundedTotal":10.005`:                   "no amount",
		`,"RefundedTotal":10.00001`:                 "no amount",
		`,"RefundedTotal":"10.5"`:                   "10.50 SEK",
		`,"RefundedTotal":1e2`:                      "100.00 SEK",
		`,"RefundedTotal":1e4000`:                   "no amount",
		`,"RefundedTotal":1e-4000`:                  "no amount",
		`,"RefundedTotal":1e30`:                     "no amount",
		`,"RefundedTotal":10,"Currency":"kronor"`:   "no amount",
		`,"RefundedTotal":10.4,"Currency":"JPY"`:    "no amount",
		`,"RefundedTotal":10.0000000,"Currency":""`: "no amount",
	} {
		assert.Equal(t, want, common(t, members).Amount.String(), members)
	}
}

// common reads a refund with some members.
func common(t *testing.T, members string) *refund.Refund {
	t.Helper()
	body := fmt.Sprintf(`{"Resource":{"RefundId":%q,"Currency":"SEK"%s}}`, refundID, members)
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).GetRefund(t.Context(), refund.Ref{Order: refund.Order{ID: "1"}, ID: refundID})
	require.NoError(t, err, members)
	return got
}

// TestRefundAmountIsANumber: with the decimals of its currency, whatever the caller wrote.
func TestRefundAmountIsANumber(t *testing.T) {
	for amount, want := range map[string]string{
		"10 SEK": "10.00", "10.5 SEK": "10.50", "0.01 SEK": "0.01", "92233720368547758.07 SEK": "92233720368547758.07",
		"10 JPY": "10", "10 KWD": "10.000",
	} {
		var money refund.Money
		require.NoError(t, money.UnmarshalText([]byte(amount)))
		wire := &wiretest.Transport{Status: http.StatusOK, Body: created}
		client, err := orderrowstest.NewIn("SEK", "JPY", "KWD").Client(refund.Options{Transport: wire})
		require.NoError(t, err)
		_, err = client.CreateRefund(t.Context(), 1, orderrows.NewRefund{RefundAmount: money})
		require.NoError(t, err)
		require.Len(t, wire.Dumps, 1)
		assert.Contains(t, wire.Dumps[0], "\n"+`{"RefundType":0,"RefundAmount":`+want+"}\n")
	}
}

// TestNewRefundKeepsItsCurrency: what a caller stores of a request is not what is sent.
func TestNewRefundKeepsItsCurrency(t *testing.T) {
	want := nativeRequest()
	stored, err := json.Marshal(want)
	require.NoError(t, err)
	var got orderrows.NewRefund
	require.NoError(t, json.Unmarshal(stored, &got))
	assert.Equal(t, want, got)
}

// one is the response with a refund of some members.
func one(members string) string { return `{"Resource":{` + members + `}}` }

// FuzzResponses lets any bytes be the answer to a refund and to the list that is read to resolve it. Nothing may panic, and
// a success is a refund or unknown, never a refusal.
func FuzzResponses(f *testing.F) {
	f.Add(200, created)
	f.Add(200, `{"Resource":[{"RefundId":"`+refundID+`","Reference":"k","Currency":"SEK","RefundRows":[{"RefundAmount":10.0,"OrderRowId":null}]}]}`)
	f.Add(400, `{"Resource":null,"Message":"Bad Request.","Details":["a",1,null]}`)
	f.Add(200, `{"Resource":[{"RefundId":"r","Reference":"","Currency":"SEK","RefundedTotal":1e2000000}]}`)
	digits, deep, members := strings.Repeat("9", 50_000), strings.Repeat("[", 50_000), strings.Repeat(`"x":1,`, 10_000)
	f.Add(200, `{"Resource":[{"RefundId":"r","Reference":"","Currency":"SEK","RefundedTotal":`+digits+`}]}`)
	f.Add(200, `{"Resource":[{"RefundId":"r","RefundRows":`+deep)
	f.Add(200, `{`+members+created[1:])
	f.Add(400, `{"Message":"`+digits+`","Details":`+deep)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		cfg := config()
		cfg.Retry.MaxAttempts, cfg.NoLookup = 1, true
		cfg.Transport = &wiretest.Transport{Status: status, Body: body}
		client, err := orderrows.New(cfg)
		require.NoError(t, err)
		request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")}
		if _, err = client.Refund(t.Context(), request); err != nil && status < 400 {
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		}
		orderrows.Details(err)
		old := refund.Attempt{Request: request, FirstSent: time.Now().Add(-48 * time.Hour), LastSent: time.Now().Add(-48 * time.Hour), Tries: 1}
		if got, err := client.Resolve(t.Context(), old); err != nil {
			require.Equal(t, refund.Resolution{}, got)
		}
		cfg.NoLookup = false
		careful, err := orderrows.New(cfg)
		require.NoError(t, err)
		_, err = careful.Refund(t.Context(), request)
		require.True(t, err == nil || refund.OutcomeOf(err) != refund.OutcomeRejected, "the look-up failed, or found it")
		single, err := client.RetrieveRefund(t.Context(), 1, refundID)
		require.Equal(t, err == nil, single != nil)
		read, err := client.RetrieveOrder(t.Context(), 1)
		require.Equal(t, err == nil, read != nil)
	})
}
