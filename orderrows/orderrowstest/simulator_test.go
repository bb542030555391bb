package orderrowstest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

var _ refundtest.Informant = (*orderrowstest.Simulator)(nil)

// TestRefuses sends what a careless client would.
func TestRefuses(t *testing.T) {
	const (
		refunds = "/API/Order/1001/Refund"
		nobody  = refunds + "/6f1c3c1e-8f0a-4b52-9a3c-2f6b7f0d9a11"
		good    = `{"RefundAmount":10}`
	)
	drop := func(names ...string) func(*http.Request) {
		return func(r *http.Request) {
			for _, name := range names {
				r.Header.Del(name)
			}
		}
	}
	for name, tt := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		status             int
		answer             string
	}{
		"nothing wrong":         {"POST", refunds, good, nil, 200, `"Details":null`},
		"no credentials":        {"POST", refunds, good, drop("Authorization"), 401, `{"Message":"Unauthorized"}`},
		"no api key":            {"POST", refunds, good, drop("X-ApiKey"), 401, `{"Message":"Unauthorized"}`},
		"wrong password":        {"POST", refunds, good, func(r *http.Request) { r.SetBasicAuth(orderrowstest.User, "x") }, 401, `Unauthorized`},
		"wrong api key":         {"GET", refunds + "/List", "", func(r *http.Request) { r.Header.Set("X-ApiKey", "x") }, 401, `Unauthorized`},
		"no content type":       {"POST", refunds, good, drop("Content-Type"), 415, ""},
		"form":                  {"POST", refunds, "RefundAmount=10", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415, ""},
		"no body":               {"POST", refunds, "", nil, 400, `"Details":["A non-empty`},
		"no body for a change":  {"POST", nobody + "/SetAsSettled", "", nil, 400, `"Details":["A non-empty`},
		"no body for a query":   {"POST", "/API/Refund/Query", "", nil, 400, `"Details":["A non-empty`},
		"null":                  {"POST", refunds, "null", nil, 400, `non-empty`},
		"not JSON":              {"POST", refunds, `{"RefundAmount":`, nil, 400, `could not be converted`},
		"no amount":             {"POST", refunds, `{}`, nil, 400, `RefundAmount`},
		"amount null":           {"POST", refunds, `{"RefundAmount":null}`, nil, 400, `RefundAmount`},
		"amount as a string":    {"POST", refunds, `{"RefundAmount":"10"}`, nil, 400, `RefundAmount`},
		"amount of zero":        {"POST", refunds, `{"RefundAmount":0}`, nil, 400, `RefundAmount`},
		"negative amount":       {"POST", refunds, `{"RefundAmount":-1}`, nil, 400, `RefundAmount`},
		"too many decimals":     {"POST", refunds, `{"RefundAmount":0.001}`, nil, 400, `RefundAmount`},
		"type out of range":     {"POST", refunds, `{"RefundAmount":1,"RefundType":4}`, nil, 400, `RefundType`},
		"type as a string":      {"POST", refunds, `{"RefundAmount":1,"RefundType":"0"}`, nil, 400, `could not be converted`},
		"flag as a string":      {"POST", refunds, `{"RefundAmount":1,"Settled":"true"}`, nil, 400, `could not be converted`},
		"reference as a number": {"POST", refunds, `{"RefundAmount":1,"Reference":7}`, nil, 400, `could not be converted`},
		"row of another order":  {"POST", refunds, `{"RefundAmount":1,"OrderRowId":7}`, nil, 500, `A database error occured.`},
		"date that is none":     {"POST", "/API/Refund/Query", `{"CreatedAfter":"yesterday"}`, nil, 400, `could not be converted`},
		"unknown filter":        {"POST", "/API/Refund/Query", `{"UpdatedAfter":"2026-01-02T03:04:05Z"}`, nil, 400, `could not be converted`},
		"unknown member":        {"POST", refunds, `{"RefundAmount":1,"Amount":1}`, nil, 400, `could not be converted`},
		"status as a name":      {"POST", "/API/Refund/Query", `{"IncludeStatuses":["Sent"]}`, nil, 400, `could not be converted`},
		"unknown order":         {"POST", "/API/Order/7/Refund", good, nil, 404, `"Details":["The order`},
		"list of unknown order": {"GET", "/API/Order/7/Refund/List", "", nil, 404, `"Details":["The order`},
		"unknown refund":        {"GET", nobody, "", nil, 404, `"Details":["The refund`},
		"change of unknown":     {"POST", nobody + "/SetApproval", `{}`, nil, 404, `"Details":["The refund`},
		"row of unknown":        {"DELETE", nobody + "/RefundRow/1", "", nil, 404, `"Details":["The refund`},
		"order is no number":    {"POST", "/API/Order/7/Refund/" + "x/RefundRow/1/SetAsSettled", `{}`, nil, 404, `"Details"`},
		"empty refund id":       {"GET", refunds + "/", "", nil, 404, "404 page not found"},
		"legacy path":           {"POST", "/API/Order/Refund/SetAsProcessed", `{}`, nil, 404, ""},
		"wrong method":          {"PUT", refunds, good, nil, 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sim := orderrowstest.New()
			order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
			req := httptest.NewRequestWithContext(t.Context(), tt.method, "https://mgmtapi.geins.io"+tt.path, strings.NewReader(tt.body))
			req.SetBasicAuth(orderrowstest.User, orderrowstest.Password)
			req.Header.Set("X-ApiKey", orderrowstest.APIKey)
			req.Header.Set("Content-Type", "application/json; charset=utf-8")
			if tt.change != nil {
				tt.change(req)
			}
			rec := httptest.NewRecorder()
			sim.ServeHTTP(rec, req)
			answer, err := io.ReadAll(rec.Body)
			require.NoError(t, err)
			assert.Equal(t, tt.status, rec.Code, string(answer))
			assert.Contains(t, string(answer), tt.answer)
			assert.Equal(t, tt.status == 200, len(sim.Ledger(order)) == 1)
		})
	}
}

// TestNoCap: none is documented, so none is simulated.
func TestNoCap(t *testing.T) {
	sim := orderrowstest.NewIn("JPY")
	order := sim.AddOrder(refund.MustParseMoney("100", "JPY"))
	client, err := sim.Client(refund.Options{})
	require.NoError(t, err)
	_, err = client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("101", "JPY")})
	require.NoError(t, err)
	assert.Equal(t, []refund.Money{refund.MustParseMoney("101", "JPY")}, sim.Ledger(order))
}

func TestServe(t *testing.T) {
	sim := orderrowstest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
	opts, stop := refundtest.Serve(sim)
	defer stop()
	client, err := sim.Client(opts)
	require.NoError(t, err)
	got, err := client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("25.00", "SEK")})
	require.NoError(t, err)
	assert.Equal(t, []string{got.ID}, sim.Events(order))
	assert.Nil(t, sim.Ledger(sim.UnknownOrder()))
	assert.Nil(t, sim.Events(sim.UnknownOrder()))
}

func TestRefunder(t *testing.T) {
	sim := orderrowstest.NewIn("NOK", "SEK")
	assert.Equal(t, "NOK", sim.Currency())
	client, err := sim.Refunder(refund.Options{Account: "no"})
	require.NoError(t, err)
	assert.Equal(t, sim.Provider(), client.Capabilities().Provider)
	assert.Equal(t, []string{"NOK", "SEK"}, client.Capabilities().Currencies)
	assert.Equal(t, "no", client.Capabilities().Account)
	client, err = sim.Refunder(refund.Options{Account: "no spaces"})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	if client != nil { // assert.Nil would take an interface around a nil pointer for nil
		t.Error("a client beside the error")
	}
}

func TestMistakesOfATestPanic(t *testing.T) {
	sim := orderrowstest.New()
	assert.Panics(t, func() { sim.AddRow(sim.UnknownOrder(), refund.MustParseMoney("1", "SEK")) })
	assert.Panics(t, func() { sim.AddOrder(refund.MustParseMoney("1", "AUD")) })
	sim = orderrowstest.NewIn("SEK", "NOK")
	order := sim.AddOrder(refund.MustParseMoney("1", "NOK"))
	assert.Panics(t, func() { sim.AddRow(order, refund.MustParseMoney("1", "SEK")) })
}
