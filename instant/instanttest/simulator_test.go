package instanttest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func money(amount string) refund.Money { return refund.MustParseMoney(amount, "AUD") }

// send makes a raw request, changed from one that is good, and returns the status, the content type and the body.
func send(t *testing.T, sim *instanttest.Simulator, body string, change ...func(*http.Request)) (status int, contentType, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://staging.api.instant.one/order/refund", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Instant-App-Auth", instanttest.AppAuth)
	req.Header.Set("X-Instant-App-Id", instanttest.AppID)
	for _, f := range change {
		f(req)
	}
	resp, err := refundtest.InMemory(sim).RoundTrip(req)
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(got)
}

// code is the error of a 500, in the documented form.
func code(t *testing.T, sim *instanttest.Simulator, body string, change ...func(*http.Request)) instant.ErrorCode {
	t.Helper()
	status, contentType, answer := send(t, sim, body, change...)
	if status == http.StatusOK {
		return ""
	}
	require.Equal(t, http.StatusInternalServerError, status, answer)
	assert.Equal(t, "application/json", contentType)
	var e map[string]string
	require.NoError(t, json.Unmarshal([]byte(answer), &e))
	assert.Len(t, e, 2)
	assert.NotEmpty(t, e["message"])
	return instant.ErrorCode(e["error"])
}

const good = `{"amountToRefund":10.99,"displayOrderId":"100000001","storeCode":"simulated_store"}`

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		body   string
		change func(*http.Request)
		want   instant.ErrorCode
	}{
		"good":                      {body: good},
		"no auth":                   {good, header("X-Instant-App-Auth"), instant.CodeUnauthorized},
		"wrong auth":                {good, header("X-Instant-App-Auth", "wrong"), instant.CodeUnauthorized},
		"auth in another case":      {good, header("X-Instant-App-Auth", strings.ToUpper(instanttest.AppAuth)), instant.CodeUnauthorized},
		"auth twice":                {good, header("X-Instant-App-Auth", instanttest.AppAuth, instanttest.AppAuth), instant.CodeUnauthorized},
		"no id":                     {good, header("X-Instant-App-Id"), instant.CodeInvalidCredentials},
		"wrong id":                  {good, header("X-Instant-App-Id", "wrong"), instant.CodeInvalidCredentials},
		"id in another case":        {good, header("X-Instant-App-Id", "Simulated-app-id"), instant.CodeInvalidCredentials},
		"no content type":           {good, header("Content-Type"), instant.CodeIntenralServerError},
		"a form":                    {good, header("Content-Type", "application/x-www-form-urlencoded"), instant.CodeIntenralServerError},
		"a charset":                 {good, header("Content-Type", "application/json; charset=utf-8"), ""},
		"nothing":                   {"", nil, instant.CodeIntenralServerError},
		"cut off":                   {good[:30], nil, instant.CodeIntenralServerError},
		"a list":                    {"[" + good + "]", nil, instant.CodeIntenralServerError},
		"no amount":                 {`{"displayOrderId":"100000001","storeCode":"simulated_store"}`, nil, instant.CodeInvalidAmountToRefund},
		"amount under another name": {strings.Replace(good, "amountToRefund", "AmountToRefund", 1), nil, instant.CodeInvalidAmountToRefund},
		"amount a string":           {strings.Replace(good, "10.99", `"1.10"`, 1), nil, ""}, // instant-magento2
		"amount an empty string":    {strings.Replace(good, "10.99", `""`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount another string":     {strings.Replace(good, "10.99", `"ten"`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount an object":          {strings.Replace(good, "10.99", `{}`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount null":               {strings.Replace(good, "10.99", `null`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount zero":               {strings.Replace(good, "10.99", `0.00`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount negative":           {strings.Replace(good, "10.99", `-10.99`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount rounded to zero":    {strings.Replace(good, "10.99", `0.004`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount a giant":            {strings.Replace(good, "10.99", `1e2000000`, 1), nil, instant.CodeInvalidAmountToRefund},
		"amount one cent":           {strings.Replace(good, "10.99", `0.01`, 1), nil, ""},
		"amount rounded to a cent":  {strings.Replace(good, "10.99", `0.005`, 1), nil, ""},
		"more than is left":         {strings.Replace(good, "10.99", `20.01`, 1), nil, instant.CodeRefundAmountGreaterThanAvailable},
		"no order":                  {`{"amountToRefund":10.99,"storeCode":"simulated_store"}`, nil, instant.CodeNoEntityFound},
		"order a number":            {strings.Replace(good, `"100000001"`, `100000001`, 1), nil, instant.CodeIntenralServerError},
		"order null":                {strings.Replace(good, `"100000001"`, `null`, 1), nil, instant.CodeIntenralServerError},
		"unknown order":             {strings.Replace(good, `100000001`, `100000002`, 1), nil, instant.CodeNoEntityFound},
		"no store":                  {`{"amountToRefund":10.99,"displayOrderId":"100000001"}`, nil, instant.CodeNoEntityFound},
		"another store":             {strings.Replace(good, `simulated_store`, `Simulated_store`, 1), nil, instant.CodeNoEntityFound},
		"store a number":            {strings.Replace(good, `"simulated_store"`, `1`, 1), nil, instant.CodeIntenralServerError},
		"members of the plugin":     {strings.Replace(good, `{`, `{"taxAmount":"1.00",`, 1), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sim := instanttest.New()
			order := sim.AddOrder(money("20.00"))
			change := tt.change
			if change == nil {
				change = func(*http.Request) {}
			}
			assert.Equal(t, tt.want, code(t, sim, tt.body, change))
			assert.Len(t, sim.Ledger(order), map[bool]int{true: 1, false: 0}[tt.want == ""])
		})
	}
	assert.Empty(t, instanttest.New().Ledger(instanttest.New().UnknownOrder()))
}

func TestOtherPathsAndMethods(t *testing.T) {
	sim := instanttest.New()
	status, _, _ := send(t, sim, good, func(r *http.Request) { r.URL.Path = "/order/fulfil" })
	assert.Equal(t, http.StatusNotFound, status)
	status, _, _ = send(t, sim, good, func(r *http.Request) { r.Method = http.MethodPut })
	assert.Equal(t, http.StatusMethodNotAllowed, status)
}

// TestGuard: the same order and amount within 60 s, and nothing else.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := instanttest.New()
		order, other := sim.AddOrder(money("20.00")), sim.AddOrder(money("20.00"))
		five := strings.Replace(good, "10.99", "5", 1)
		assert.Empty(t, code(t, sim, five))
		assert.Equal(t, instant.CodePossibleDuplicateRefund, code(t, sim, five))
		assert.Equal(t, instant.CodePossibleDuplicateRefund, code(t, sim, strings.Replace(five, ":5", ":4.999", 1)), "amounts are compared rounded")
		assert.Equal(t, instant.CodePossibleDuplicateRefund, code(t, sim, five, header("Idempotency-Key", "another")))
		assert.Empty(t, code(t, sim, strings.Replace(five, ":5", ":6", 1)), "another amount")
		assert.Empty(t, code(t, sim, strings.Replace(five, "100000001", "100000002", 1)), "another order")
		<-time.After(time.Minute)
		assert.Equal(t, instant.CodePossibleDuplicateRefund, code(t, sim, five))
		sim.Advance(time.Millisecond)
		assert.Empty(t, code(t, sim, five), "the refusals have not made it longer")
		sim.Advance(time.Hour)
		assert.Equal(t, instant.CodeRefundAmountGreaterThanAvailable, code(t, sim, five))
		assert.Equal(t, []refund.Money{money("5.00"), money("6.00"), money("5.00")}, sim.Ledger(order))
		assert.Equal(t, []refund.Money{money("5.00")}, sim.Ledger(other))
	})
}

func TestAnswerNext(t *testing.T) {
	sim := instanttest.New()
	order := sim.AddOrder(money("20.00"))
	sim.AnswerNext(instant.CodeRefundFailure, false)
	sim.AnswerNext(instant.CodeIntenralServerError, true)
	assert.Equal(t, instant.CodeRefundFailure, code(t, sim, good))
	assert.Empty(t, sim.Ledger(order))
	assert.Equal(t, instant.CodeIntenralServerError, code(t, sim, good))
	assert.Len(t, sim.Ledger(order), 1)
	assert.Equal(t, instant.CodePossibleDuplicateRefund, code(t, sim, good))
}

func TestSuccess(t *testing.T) {
	sim := instanttest.New()
	sim.AddOrder(money("90.00"))
	for i, body := range []string{"", `{"ok":true}`, "Refunded"} {
		contentType := []string{"", "application/json", "text/plain"}[i]
		if i > 0 {
			sim.SetSuccess(contentType, body)
		}
		status, gotType, got := send(t, sim, strings.Replace(good, "10.99", string(rune('1'+i)), 1))
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, contentType, gotType)
		assert.Equal(t, body, got)
	}
}

// TestProcessing: the guard does not see what is still being processed, the available amount is looked at when it is done.
func TestProcessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := instanttest.New()
		order := sim.AddOrder(money("20.00"))
		sim.SetProcessing(10 * time.Second)
		client, err := sim.Client(refund.Options{})
		require.NoError(t, err)
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := client.CreateRefund(t.Context(), instant.RefundRequest{AmountToRefund: money("10.99"), DisplayOrderID: order.ID})
				errs <- err
			}()
		}
		first, second := <-errs, <-errs
		assert.NotEqual(t, first == nil, second == nil, "one of them is paid")
		assert.True(t, instant.HasCode(errors.Join(first, second), instant.CodeRefundAmountGreaterThanAvailable))
		assert.Len(t, sim.Ledger(order), 1)
	})
}

func TestClients(t *testing.T) {
	sim := instanttest.NewIn("NZD")
	order := sim.AddOrder(refund.MustParseMoney("20.00", "NZD"))
	client, err := sim.Refunder(refund.Options{Account: "nz-1"})
	require.NoError(t, err)
	caps := client.Capabilities()
	assert.Equal(t, sim.Provider(), caps.Provider)
	assert.Equal(t, "nz-1", caps.Account)
	assert.Equal(t, []string{sim.Currency()}, caps.Currencies)
	amount := refund.MustParseMoney("5.00", "NZD")
	_, err = client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: amount})
	require.NoError(t, err)
	assert.Equal(t, []refund.Money{amount}, sim.Ledger(order))
	assert.Equal(t, []string{sim.Config().AppAuth.Reveal()}, sim.Secrets())

	none, err := sim.Refunder(refund.Options{Account: "n z"})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.Nil(t, none)
	assert.True(t, none == nil, "no interface with a nil pointer in it") //nolint:testifylint // assert.Nil looks through interfaces
}

func TestOtherCurrencies(t *testing.T) {
	for currency, tt := range map[string]struct{ captured, send, moved string }{
		"JPY": {"2000", "1000.4", "1000"},
		"KWD": {"20.000", "1.2345", "1.235"},
	} {
		sim := instanttest.NewIn(currency)
		order := sim.AddOrder(refund.MustParseMoney(tt.captured, currency))
		assert.Empty(t, code(t, sim, strings.Replace(good, "10.99", tt.send, 1)))
		assert.Equal(t, []refund.Money{refund.MustParseMoney(tt.moved, currency)}, sim.Ledger(order))
	}
	assert.Panics(t, func() { instanttest.New().AddOrder(refund.MustParseMoney("1", "JPY")) })
}
