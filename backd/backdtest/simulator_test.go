package backdtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

const base = "https://sandbox.service.bnpl.backd.com/v1/backd/bnpl/api"

// answer is what the simulator said.
type answer struct {
	HTTP    int
	JSON    bool
	Data    *backd.Order
	Message string
	Status  backd.ResponseStatus
}

// ask sends a request as written; change may spoil it.
func ask(t *testing.T, sim *backdtest.Simulator, method, path, body string, change func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.SetBasicAuth(backdtest.PublicKey, backdtest.SecretKey)
	if change != nil {
		change(req)
	}
	resp, err := refundtest.InMemory(sim).RoundTrip(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	got := answer{HTTP: resp.StatusCode}
	got.JSON = json.Unmarshal(text, &got) == nil
	return got
}

func TestRefusals(t *testing.T) {
	const (
		ids  = `"backd_order_id":"BO-20260416-0001","merchant_order_id":"JKLMO0001"`
		good = `{` + ids + `,"refund_amount":10.00}`
	)
	for name, tt := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		status, code       int // code 0: not in the envelope
	}{
		"no credentials":       {"POST", "/refund", good, func(r *http.Request) { r.Header.Del("Authorization") }, 401, 0},
		"wrong public key":     {"POST", "/refund", good, func(r *http.Request) { r.SetBasicAuth("pk", backdtest.SecretKey) }, 401, 0},
		"wrong secret key":     {"GET", "/find_order/BO-20260416-0001", "", func(r *http.Request) { r.SetBasicAuth(backdtest.PublicKey, "sk") }, 401, 0},
		"bearer":               {"POST", "/refund", good, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, 0},
		"unknown path":         {"POST", "/refunds", good, nil, 404, 0},
		"another version":      {"POST", "/refund", good, func(r *http.Request) { r.URL.Path = "/v2/backd/bnpl/api/refund" }, 404, 0},
		"wrong method":         {"PUT", "/refund", good, nil, 405, 0},
		"wrong method to read": {"POST", "/find_order/BO-20260416-0001", good, nil, 405, 0},
		"wrong content type":   {"POST", "/refund", good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, 415},
		"no content type":      {"DELETE", "/refund", good, func(r *http.Request) { r.Header.Del("Content-Type") }, 415, 415},
		"no body":              {"POST", "/refund", "", nil, 400, 400},
		"no body to delete":    {"DELETE", "/refund", "", nil, 400, 400},
		"not JSON":             {"POST", "/refund", "{", nil, 400, 400},
		"array":                {"POST", "/refund", "[]", nil, 400, 400},
		"no order id":          {"POST", "/refund", `{"merchant_order_id":"JKLMO0001","refund_amount":10}`, nil, 400, 400},
		"no merchant id":       {"DELETE", "/refund", `{"backd_order_id":"BO-20260416-0001"}`, nil, 400, 400},
		"null merchant id":     {"POST", "/refund", `{"backd_order_id":"BO-20260416-0001","merchant_order_id":null,"refund_amount":10}`, nil, 400, 400},
		"id of another type":   {"POST", "/refund", `{"backd_order_id":1,"merchant_order_id":"JKLMO0001","refund_amount":10}`, nil, 400, 400},
		"no amount":            {"POST", "/refund", `{` + ids + `}`, nil, 400, 400},
		"null amount":          {"POST", "/refund", `{` + ids + `,"refund_amount":null}`, nil, 400, 400},
		"amount in a string":   {"POST", "/refund", `{` + ids + `,"refund_amount":"10.00"}`, nil, 400, 400},
		"zero":                 {"POST", "/refund", `{` + ids + `,"refund_amount":0}`, nil, 400, 400},
		"negative":             {"POST", "/refund", `{` + ids + `,"refund_amount":-1}`, nil, 400, 400},
		"three decimals":       {"POST", "/refund", `{` + ids + `,"refund_amount":1.001}`, nil, 400, 400},
		"more than the total":  {"POST", "/refund", `{` + ids + `,"refund_amount":100.01}`, nil, 200, 422},
		"unknown order":        {"POST", "/refund", strings.Replace(good, "0001", "none", 1), nil, 200, 404},
		"unknown to delete":    {"DELETE", "/refund", strings.Replace(good, "0001", "none", 1), nil, 200, 404},
		"unknown to read":      {"GET", "/find_order/BO-20260416-none", "", nil, 200, 404},
		"another merchant id":  {"POST", "/refund", strings.Replace(good, "JKLMO0001", "JKLMO0002", 1), nil, 200, 404},
		"nothing to delete":    {"DELETE", "/refund", good, nil, 200, 409},
	} {
		t.Run(name, func(t *testing.T) {
			sim := backdtest.New()
			order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
			got := ask(t, sim, tt.method, tt.path, tt.body, tt.change)
			assert.Equal(t, tt.status, got.HTTP)
			assert.Equal(t, tt.code != 0, got.JSON)
			assert.Equal(t, tt.code, got.Status.Code)
			assert.Equal(t, tt.code != 0, got.Status.Error)
			assert.Nil(t, got.Data)
			assert.Empty(t, sim.Ledger(order))

			sim.RefuseByStatus()
			got = ask(t, sim, tt.method, tt.path, tt.body, tt.change)
			assert.Equal(t, max(tt.code, got.HTTP), got.HTTP)
			assert.GreaterOrEqual(t, got.HTTP, 400)
			assert.Empty(t, sim.Ledger(order))
		})
	}
}

// TestLife is that of the refund page: draft, replaced, approved, locked, paid.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins on a Friday, 18:00 in Chicago
		sim := backdtest.New()
		order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
		body := func(amount string) string {
			return `{"backd_order_id":"` + order.ID + `","merchant_order_id":"` + order.MerchantID + `","refund_amount":` + amount + `}`
		}
		statuses := func(a answer) (all []string) {
			t.Helper()
			require.NotNil(t, a.Data, a.Message)
			for _, r := range a.Data.Refunds {
				all = append(all, r.Amount.StringFixed(2)+" "+string(r.Status))
			}
			return all
		}
		got := ask(t, sim, "POST", "/refund", body("10"), nil)
		assert.Equal(t, []string{"10.00 draft"}, statuses(got))
		assert.Equal(t, "1999-12-31 18:00:00", got.Data.Refunds[0].CreateDate.Text)
		assert.Equal(t, "2000-01-03 17:00:00", got.Data.Refunds[0].LockedAt.Text)
		assert.Equal(t, "success", got.Status.Type)

		got = ask(t, sim, "POST", "/refund", body("20.5"), nil)
		assert.Equal(t, []string{"10.00 declined", "20.50 draft"}, statuses(got))
		sim.Approve(order)
		got = ask(t, sim, "DELETE", "/refund", body("0"), nil)
		assert.Equal(t, []string{"10.00 declined", "20.50 declined"}, statuses(got))
		assert.Empty(t, sim.Ledger(order))

		ask(t, sim, "POST", "/refund", body("30"), nil)
		sim.Approve(order)
		sim.Advance(3*24*time.Hour - time.Hour - time.Second) // Monday, 16:59:59
		got = ask(t, sim, "POST", "/refund", body("40"), nil)
		assert.Equal(t, []string{"10.00 declined", "20.50 declined", "30.00 declined", "40.00 draft"}, statuses(got))
		sim.Advance(time.Second)
		for _, method := range []string{"POST", "DELETE"} {
			got = ask(t, sim, method, "/refund", body("50"), nil)
			assert.Equal(t, 409, got.Status.Code)
		}
		assert.Equal(t, []refund.Money{refund.MustParseMoney("40.00", "USD")}, sim.Ledger(order))

		sim.Pay(order)
		got = ask(t, sim, "GET", "/find_order/"+order.ID, "", nil)
		assert.Equal(t, backd.OrderRefund, got.Data.Status)
		assert.Equal(t, "40.00 paid", statuses(got)[3])
		got = ask(t, sim, "POST", "/refund", body("50"), nil)
		assert.Equal(t, 409, got.Status.Code)
		assert.Len(t, sim.Ledger(order), 1)
	})
}

func TestOnlyConfirmedOrders(t *testing.T) {
	sim := backdtest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	sim.SetOrderStatus(order, backd.OrderPlaced)
	body := `{"backd_order_id":"` + order.ID + `","merchant_order_id":"` + order.MerchantID + `","refund_amount":1}`
	assert.Equal(t, 409, ask(t, sim, "POST", "/refund", body, nil).Status.Code)
	sim.SetOrderStatus(order, backd.OrderConfirmed)
	assert.Equal(t, 200, ask(t, sim, "POST", "/refund", body, nil).Status.Code)
}

func TestReadLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := backdtest.New()
		order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
		read := func() answer { return ask(t, sim, "GET", "/find_order/"+order.ID, "", nil) }
		sim.SetReadLag(time.Minute)
		assert.Equal(t, 404, read().Status.Code)
		<-time.After(time.Minute)
		body := `{"backd_order_id":"` + order.ID + `","merchant_order_id":"` + order.MerchantID + `","refund_amount":1}`
		assert.Len(t, ask(t, sim, "POST", "/refund", body, nil).Data.Refunds, 1)
		assert.Empty(t, read().Data.Refunds)
		<-time.After(time.Minute)
		assert.Len(t, read().Data.Refunds, 1)
	})
}

func TestOrdersAreInDollars(t *testing.T) {
	assert.Panics(t, func() { backdtest.New().AddOrder(refund.MustParseMoney("1.00", "EUR")) })
	assert.Empty(t, backdtest.New().Ledger(backdtest.New().UnknownOrder()))
}
