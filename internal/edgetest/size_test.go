package edgetest_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
	"github.com/multirefund/refund-go/simulators"
)

const mebibyte = 1 << 20 // the most that the response to a write may have

// fill is a body of a mebibyte or a little less, with room for the ids of an order.
func fill(before, what, after string) string {
	return before + strings.Repeat(what, (mebibyte-64-len(before)-len(after))/len(what)) + after
}

// anatomy is how a provider's responses are built, with AMOUNT, ENTRIES, ORDER, MERCHANT and TEXT to be replaced.
type anatomy struct {
	made    string // the response to a refund
	list    string // what a refund is looked for in
	entry   string // one of the entries of list
	refusal string
}

func anatomies() map[string]anatomy {
	const backd = `{"data":{"backd_order_id":"ORDER","merchant_order_id":"MERCHANT","status":"order_confirmed",`
	return map[string]anatomy{
		"afterpay": {
			made:    `{"refundId":"1","refundedAt":"2021-08-25T14:56:33.753Z","amount":{"amount":"AMOUNT","currency":"AUD"}}`,
			list:    `{"id":"ORDER","refunds":[ENTRIES]}`,
			entry:   `{"refundId":"1","amount":{"amount":"AMOUNT","currency":"AUD"}}`,
			refusal: `{"errorCode":"invalid_amount","errorId":"c7585eb6f53f5af5","message":"TEXT","httpStatusCode":422}`,
		},
		"backd": {
			made:    backd + `"order_total":"AMOUNT","refunds":[]},"message":"","status":{"type":"t","code":200,"error":false}}`,
			list:    backd + `"order_total":10.00,"refunds":[ENTRIES]},"message":"","status":{"type":"t","code":200,"error":false}}`,
			entry:   `{"amount":"AMOUNT","create_date":"2026-04-16 10:30:00","status":"declined"}`,
			refusal: backd + `"order_total":"AMOUNT","refunds":[]},"message":"TEXT","status":{"type":"t","code":400,"error":true}}`,
		},
		"digitalriver": {
			made:    `{"id":"re_1","orderId":"ORDER","currency":"USD","amount":AMOUNT,"state":"pending"}`,
			list:    `{"id":"ORDER","currency":"USD","capturedAmount":10,"availableToRefundAmount":5,"hasMore":false,"data":[ENTRIES]}`,
			entry:   `{"id":"re_1","currency":"USD","amount":AMOUNT,"items":[[{"amount":1}]]}`,
			refusal: `{"type":"bad_request","errors":[{"code":"invalid_parameter","parameter":"amountRequested","message":"TEXT"}]}`,
		},
		"instant": {
			made:    `{"ok":true,"amountToRefund":AMOUNT}`,
			list:    `{"data":[ENTRIES]}`,
			entry:   `{"error":null,"amount":AMOUNT}`,
			refusal: `{"error":"NO_ENTITY_FOUND","message":"TEXT"}`,
		},
		"orderrows": {
			made:    `{"Resource":"6f1c3c1e-8f0a-4b52-9a3c-2f6b7f0d9a11","Message":"m","Amount":AMOUNT}`,
			list:    `{"Resource":[ENTRIES]}`,
			entry:   `{"RefundId":"r","Reference":"","Currency":"SEK","RefundedTotal":AMOUNT}`,
			refusal: `{"Resource":null,"Message":"TEXT","Details":["a",1,null]}`,
		},
	}
}

// bodies are what costs the most to read, by shape.
func (a anatomy) bodies() map[string]string {
	around := func(body, mark, what, more string) string {
		before, after, _ := strings.Cut(body, mark)
		return fill(before+more, what, after)
	}
	list := func(entry string) string { return around(a.list, "ENTRIES", ","+entry, entry) }
	entry := func(amount string) string { // as long as an entry has to be on average, and no longer: as many as may be
		e := strings.ReplaceAll(a.entry, "AMOUNT", amount)
		return list(e + strings.Repeat(" ", max(130-len(e), 0)))
	}
	refusal := func(text string) string {
		return around(strings.ReplaceAll(a.refusal, "AMOUNT", "1"), "TEXT", text, "")
	}
	bodies := map[string]string{
		"digits":            fill("", "9", ""),
		"digits, array":     fill("[", "9", "]"),
		"amount":            around(a.made, "AMOUNT", "9", ""),
		"amount, fraction":  around(a.made, "AMOUNT", "9", "0."),
		"amount, exponent":  around(a.made, "AMOUNT", "9", "1e"),
		"exponents":         fill("[", "1e999999999,", "1]"),
		"depth":             fill(`{"a":`, "[", ""),
		"depth of lists":    fill("[", strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+",", "[]]"),
		"depth of objects":  fill("", `{"a":`, ""),
		"empty objects":     fill("[", "{},", "{}]"),
		"members":           fill("{", `"x":{"y":[1]},`, `"z":1}`),
		"member again":      fill("{", `"id":"1","amount":1,`, `"z":1}`),
		"escapes":           refusal(`\u0020`),
		"escaped digits":    refusal(`\u0039`),
		"backslashes":       refusal(`\\`),
		"not UTF-8":         refusal("\xff"),
		"page":              fill("<html>", "<p>a@b.c &#64; 4111 1111</p>\n", "</html>"),
		"page, one word":    fill("<html>", "x", ""),
		"white space":       fill("", " \t\r\n", ""),
		"white space after": fill("{}", " ", ""),
		"nothing":           list("{}"),
		"nulls":             list("null"),
		"entries":           entry("1"),
		"entries, exponent": entry("1e999999999"),
		"entries, digits":   entry(strings.Repeat("9", 64)),
		"entries, fraction": entry("0." + strings.Repeat("9", 62)),
		"message, digits":   refusal("4"),
		"message, e-mail":   refusal("a@b.c "),
		"message, words":    refusal("no "),
	}
	if strings.Contains(a.refusal, "AMOUNT") {
		bodies["refusal, amount"] = around(a.refusal, "AMOUNT", "9", "")
	}
	return bodies
}

// more are the shapes that only one provider has.
func more(provider string) map[string]string {
	switch provider {
	case "afterpay":
		half := func(what string) string { return strings.Repeat(what+",", mebibyte/2/(len(what)+1)-8) + what }
		return map[string]string{
			"entries and events": `{"id":"ORDER","refunds":[` + half(`{"refundId":"1"}`) + `],"events":[` + half(`{"id":"2","type":"VOIDED"}`) + `]}`,
		}
	case "digitalriver":
		return map[string]string{
			"items":  fill(`{"id":"re_1","orderId":"ORDER","currency":"USD","items":[[`, `{"amount":1},`, `{"amount":1}]]}`),
			"lists":  fill(`{"id":"re_1","orderId":"ORDER","currency":"USD","items":[`, `[],`, `[]]}`),
			"errors": fill(`{"type":"bad_request","errors":[`, `{"code":"x","message":"y"},`, `{}]}`),
		}
	case "instant":
		return map[string]string{
			"errors":  fill(`{`, `"error":"",`, `"error":null}`),
			"strings": fill(`[`, `"",`, `""]`),
		}
	case "orderrows":
		return map[string]string{
			"details": fill(`{"Message":"m","Details":[`, `"",`, `"m"]}`),
			"rows":    fill(`{"Resource":[{"RefundId":"r","Currency":"SEK","RefundRows":[`, `{"RefundAmount":1},`, `{}]}]}`),
		}
	}
	return nil
}

// hostileBody answers with one body, and counts.
type hostileBody struct {
	status     int
	body       string
	writesOnly bool // reads reach the simulator
	sim        http.RoundTripper
	asked      int
}

// RoundTrip implements http.RoundTripper.
func (h *hostileBody) RoundTrip(req *http.Request) (*http.Response, error) {
	if h.writesOnly && req.Method == http.MethodGet {
		return h.sim.RoundTrip(req)
	}
	h.asked++
	return &http.Response{
		StatusCode: h.status, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(h.body)), ContentLength: int64(len(h.body)),
	}, nil
}

// BenchmarkHostileBody takes a mebibyte of what costs the most, through every operation of every client. The slowest request of
// each operation is reported, in milliseconds; each should take less than 50.
func BenchmarkHostileBody(b *testing.B) {
	for _, sim := range simulators.All() {
		a := anatomies()[sim.Provider()]
		bodies := a.bodies()
		maps.Copy(bodies, more(sim.Provider()))
		amount, err := refund.MoneyFromMinor(1000, sim.Currency())
		require.NoError(b, err)
		req := refund.Request{IdempotencyKey: "k", Order: sim.AddOrder(amount), Amount: amount}
		for shape, body := range bodies {
			b.Run(sim.Provider()+"/"+shape, func(b *testing.B) {
				body := strings.NewReplacer("ORDER", req.Order.ID, "MERCHANT", req.Order.MerchantID).Replace(body)
				require.LessOrEqual(b, len(body), mebibyte)
				slowest := map[string]time.Duration{}
				for b.Loop() {
					for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
						for _, writesOnly := range []bool{false, true} {
							h := &hostileBody{status: status, body: body, writesOnly: writesOnly, sim: refundtest.InMemory(sim)}
							askAll(b, sim, h, req, slowest)
						}
					}
				}
				var worst time.Duration
				for operation, t := range slowest {
					b.ReportMetric(float64(t.Microseconds())/1000, operation+"-ms") //nolint:forbidigo // a time, not an amount
					worst = max(worst, t)
				}
				b.ReportMetric(float64(worst.Microseconds())/1000, "max-ms") //nolint:forbidigo // a time, not an amount
			})
		}
	}
}

// askAll calls every operation once and notes how long each took for a request.
func askAll(b *testing.B, sim refundtest.Simulator, h *hostileBody, req refund.Request, slowest map[string]time.Duration) {
	b.Helper()
	client, err := sim.Refunder(refund.Options{Transport: h, Retry: refund.RetryPolicy{MaxAttempts: 1}})
	require.NoError(b, err)
	measure := func(operation string, call func() error) {
		h.asked = 0
		began := time.Now()
		err := call()
		took := time.Since(began)
		if h.asked > 0 {
			slowest[operation] = max(slowest[operation], took/time.Duration(h.asked))
		}
		var e *refund.Error
		if errors.As(err, &e) {
			_ = e.Error() // writing it is a part of the price
		}
	}
	measure("refund", func() error {
		_, err := client.Refund(b.Context(), req)
		return err
	})
	if getter, ok := refund.As[refund.Getter](client); ok {
		measure("get", func() error {
			_, err := getter.GetRefund(b.Context(), refund.Ref{Order: req.Order, ID: "1"})
			return err
		})
	}
	if lister, ok := refund.As[refund.Lister](client); ok {
		measure("list", func() error {
			for _, err := range lister.Refunds(b.Context(), refund.Query{Order: req.Order}) {
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if resolver, ok := refund.As[refund.Resolver](client); ok {
		old := time.Now().Add(-48 * time.Hour)
		measure("resolve", func() error {
			_, err := resolver.Resolve(b.Context(), refund.Attempt{Request: req, FirstSent: old, LastSent: old, Tries: 1, Snapshot: "[]"})
			return err
		})
	}
}
