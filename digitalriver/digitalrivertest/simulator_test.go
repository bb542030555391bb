package digitalrivertest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// ask sends a raw request, changed by header lines such as "Accept: text/html", and returns the status, the first
// error's code and parameter, and the body.
func ask(t *testing.T, sim *digitalrivertest.Simulator, method, path, body string, lines ...string) (status int, code, parameter string, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.digitalriver.com"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+digitalrivertest.APIKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Digitalriver-Version", "2021-03-23")
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := sim.Config().Transport.RoundTrip(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &answer))
	assert.NotEmpty(t, resp.Header.Get("X-Dr-Requestid"))
	var refusal struct {
		Type   string
		Errors []struct{ Code, Parameter string }
	}
	require.NoError(t, json.Unmarshal(text, &refusal))
	if resp.StatusCode >= 400 {
		require.Len(t, refusal.Errors, 1)
		require.NotEmpty(t, refusal.Type)
		code, parameter = refusal.Errors[0].Code, refusal.Errors[0].Parameter
	}
	return resp.StatusCode, code, parameter, answer
}

func TestRefusals(t *testing.T) {
	sim := digitalrivertest.New()
	order := sim.AddOrder(refund.MustParseMoney("27.01", "USD"))
	taxed, _ := sim.AddPartOrder(refund.MustParseMoney("5.00", "USD"), refund.PartTax)
	good := `{"orderId":"` + order.ID + `","currency":"USD","amount":1.00}`
	with := func(members string) string { return strings.Replace(good, `"amount":1.00`, members, 1) }
	for name, tt := range map[string]struct {
		method, path, body string
		line               string
		status             int
		code, parameter    string
	}{
		"no key":            {"POST", "/refunds", good, "Authorization: ", 401, "unauthorized", ""},
		"wrong key":         {"POST", "/refunds", good, "Authorization: Bearer sk_other", 401, "unauthorized", ""},
		"basic":             {"POST", "/refunds", good, "Authorization: Basic " + digitalrivertest.APIKey, 401, "unauthorized", ""},
		"accept":            {"POST", "/refunds", good, "Accept: text/html", 406, "not_acceptable", ""},
		"version":           {"POST", "/refunds", good, "DigitalRiver-Version: 2021", 400, "invalid_parameter", "DigitalRiver-Version"},
		"content type":      {"POST", "/refunds", good, "Content-Type: text/plain", 400, "invalid_format", "Content-Type"},
		"no JSON":           {"POST", "/refunds", "amount=1", "", 400, "invalid_format", ""},
		"null":              {"POST", "/refunds", "null", "", 400, "invalid_format", ""},
		"path":              {"GET", "/payments", "", "", 404, "not_found", ""},
		"method":            {"DELETE", "/refunds", "", "", 405, "method_not_allowed", ""},
		"method of one":     {"DELETE", "/refunds/x", "", "", 404, "not_found", ""},
		"method of orders":  {"POST", "/orders/" + order.ID, good, "", 405, "method_not_allowed", ""},
		"unknown refund":    {"GET", "/refunds/re_x", "", "", 404, "not_found", ""},
		"unknown order":     {"GET", "/orders/x", "", "", 404, "not_found", ""},
		"unknown member":    {"POST", "/refunds", with(`"amount":1,"chargeId":"c"`), "", 400, "unknown_parameter", "chargeId"},
		"no order":          {"POST", "/refunds", `{"currency":"USD","amount":1}`, "", 400, "missing_parameter", "orderId"},
		"order as number":   {"POST", "/refunds", `{"orderId":1,"currency":"USD","amount":1}`, "", 400, "invalid_format", "orderId"},
		"other order":       {"POST", "/refunds", `{"orderId":"x","currency":"USD","amount":1}`, "", 400, "not_found", "orderId"},
		"no currency":       {"POST", "/refunds", `{"orderId":"` + order.ID + `","amount":1}`, "", 400, "missing_parameter", "currency"},
		"other currency":    {"POST", "/refunds", `{"orderId":"` + order.ID + `","currency":"EUR","amount":1}`, "", 400, "invalid_parameter", "currency"},
		"no amount":         {"POST", "/refunds", with(`"reason":"x"`), "", 400, "missing_parameter", "amount"},
		"two ways":          {"POST", "/refunds", with(`"amount":1,"percent":1`), "", 400, "missing_parameter", "amount"},
		"amount as string":  {"POST", "/refunds", with(`"amount":"1.00"`), "", 400, "invalid_amount", "amount"},
		"amount too exact":  {"POST", "/refunds", with(`"amount":1.001`), "", 400, "invalid_amount", "amount"},
		"amount of zero":    {"POST", "/refunds", with(`"amount":0`), "", 400, "invalid_amount", "amount"},
		"too much":          {"POST", "/refunds", with(`"amount":27.02`), "", 400, "invalid_parameter", "amountRequested"},
		"too many percent":  {"POST", "/refunds", with(`"percent":101`), "", 400, "invalid_parameter", "percentRequested"},
		"part of the tax":   {"POST", "/refunds", `{"orderId":"` + taxed.ID + `","currency":"USD","percent":50,"type":"tax"}`, "", 400, "invalid_parameter", "percentRequested"},
		"type":              {"POST", "/refunds", with(`"amount":1,"type":"fees"`), "", 400, "invalid_parameter", "type"},
		"nothing of a type": {"POST", "/refunds", with(`"amount":1,"type":"duty"`), "", 400, "invalid_parameter", "amountRequested"},
		"long reason":       {"POST", "/refunds", with(`"amount":1,"reason":"` + strings.Repeat("r", 65) + `"`), "", 400, "invalid_parameter", "reason"},
		"no items":          {"POST", "/refunds", with(`"items":[]`), "", 400, "invalid_format", "items"},
		"items in items":    {"POST", "/refunds", with(`"items":[[{}]]`), "", 400, "invalid_format", "items"},
		"item without id":   {"POST", "/refunds", with(`"items":[{"amount":1}]`), "", 400, "missing_parameter", "itemId"},
		"unknown item":      {"POST", "/refunds", with(`"items":[{"itemId":"x","amount":1}]`), "", 400, "not_found", "itemId"},
		"item's member":     {"POST", "/refunds", with(`"items":[{"itemId":"63000000001","price":1}]`), "", 400, "unknown_parameter", "price"},
		"item's type":       {"POST", "/refunds", with(`"items":[{"itemId":"63000000001","amount":1,"type":"tax"}]`), "", 400, "invalid_parameter", "type"},
		"item's quantity":   {"POST", "/refunds", with(`"items":[{"itemId":"63000000001","amount":1,"quantity":"1"}]`), "", 400, "invalid_format", "quantity"},
		"no quantity":       {"POST", "/refunds", with(`"items":[{"itemId":"63000000001","amount":1,"quantity":0}]`), "", 400, "invalid_integer", "quantity"},
		"item's ways":       {"POST", "/refunds", with(`"items":[{"itemId":"63000000001"}]`), "", 400, "missing_parameter", "amount"},
		"item's amount":     {"POST", "/refunds", with(`"items":[{"itemId":"63000000001","amount":28}]`), "", 400, "invalid_parameter", "amountRequested"},
		"metadata":          {"POST", "/refunds", with(`"amount":1,"metadata":{}`), "", 400, "invalid_empty", "metadata"},
		"metadata key":      {"POST", "/refunds", with(`"amount":1,"metadata":{"` + strings.Repeat("k", 41) + `":1}`), "", 400, "invalid_metadata_key", "metadata"},
		"metadata value":    {"POST", "/refunds", with(`"amount":1,"metadata":{"k":"` + strings.Repeat("v", 501) + `"}`), "", 400, "invalid_metadata_value", "metadata"},
		"limit":             {"GET", "/refunds?limit=0", "", "", 400, "invalid_parameter", "limit"},
		"large limit":       {"GET", "/refunds?limit=101", "", "", 400, "invalid_parameter", "limit"},
		"cursor":            {"GET", "/refunds?startingAfter=re_x", "", "", 400, "invalid_parameter", "startingAfter"},
		"unknown filter":    {"GET", "/refunds?metadata=x", "", "", 400, "unknown_parameter", "metadata"},
		"unknown operator":  {"GET", "/refunds?amount%5Bne%5D=1", "", "", 400, "unknown_parameter", "amount[ne]"},
		"date":              {"GET", "/refunds?createdTime%5Bgte%5D=yesterday", "", "", 400, "invalid_format", "createdTime[gte]"},
	} {
		status, code, parameter, _ := ask(t, sim, tt.method, tt.path, tt.body, strings.Split(tt.line, "\n")...)
		assert.Equal(t, []any{tt.status, tt.code, tt.parameter}, []any{status, code, parameter}, name)
	}
	assert.Empty(t, sim.Ledger(order))
	status, _, _, _ := ask(t, sim, "POST", "/refunds", good)
	assert.Equal(t, http.StatusCreated, status, "what all of these were changed from is good")
}

func TestPercent(t *testing.T) {
	sim := digitalrivertest.New()
	order := sim.AddOrder(refund.MustParseMoney("27.01", "USD"))
	status, _, _, got := ask(t, sim, "POST", "/refunds", `{"orderId":"`+order.ID+`","currency":"USD","percent":50}`)
	assert.Equal(t, http.StatusCreated, status)
	assert.NotContains(t, got, "amount")
	assert.Equal(t, []refund.Money{refund.MustParseMoney("13.51", "USD")}, sim.Ledger(order), "the documentation's example")
}

func TestUpdate(t *testing.T) {
	sim := digitalrivertest.New()
	order := sim.AddOrder(refund.MustParseMoney("27.01", "USD"))
	_, _, _, got := ask(t, sim, "POST", "/refunds", `{"orderId":"`+order.ID+`","currency":"USD","amount":1}`)
	path := "/refunds/" + got["id"].(string)
	for body, want := range map[string]string{
		`{}`: "missing_parameter", `{"amount":2}`: "unknown_parameter", `{"metadata":{}}`: "invalid_empty", `{"metadata":[1]}`: "invalid_format",
	} {
		_, code, _, _ := ask(t, sim, "POST", path, body)
		assert.Equal(t, want, code, body)
	}
}

// TestServe uses the simulator as anybody outside the module does.
func TestServe(t *testing.T) {
	sim := digitalrivertest.New()
	opts, stop := refundtest.Serve(sim)
	defer stop()
	client, err := sim.Client(opts)
	require.NoError(t, err)
	order := sim.AddOrder(refund.MustParseMoney("10.00", "USD"))
	_, err = client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("10.00", "USD")})
	require.NoError(t, err)
	assert.Len(t, sim.Ledger(order), 1)

	_, err = sim.Refunder(refund.Options{BaseURL: "http://elsewhere.example"})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
}
