package backd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zone of reference

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestLocksAt has the rule of the refund page: every weekday, both sides of 17:00, both changes of daylight-saving time
// and the turn of the year.
func TestLocksAt(t *testing.T) {
	for submitted, want := range map[string]string{
		// A week in summer.
		"2026-06-15T00:00:00-05:00": "2026-06-15T17:00:00-05:00", // Monday
		"2026-06-15T16:59:59-05:00": "2026-06-15T17:00:00-05:00",
		"2026-06-15T17:00:00-05:00": "2026-06-16T17:00:00-05:00",
		"2026-06-16T12:00:00-05:00": "2026-06-16T17:00:00-05:00", // Tuesday
		"2026-06-17T23:59:59-05:00": "2026-06-18T17:00:00-05:00", // Wednesday
		"2026-06-18T17:00:00-05:00": "2026-06-19T17:00:00-05:00", // Thursday
		"2026-06-19T00:00:00-05:00": "2026-06-19T17:00:00-05:00", // Friday
		"2026-06-19T16:59:59-05:00": "2026-06-19T17:00:00-05:00",
		"2026-06-19T17:00:00-05:00": "2026-06-22T17:00:00-05:00",
		"2026-06-20T00:00:00-05:00": "2026-06-22T17:00:00-05:00", // Saturday
		"2026-06-20T18:00:00-05:00": "2026-06-22T17:00:00-05:00",
		"2026-06-21T00:00:00-05:00": "2026-06-22T17:00:00-05:00", // Sunday
		"2026-06-21T23:59:59-05:00": "2026-06-22T17:00:00-05:00",
		// The day is Chicago's, wherever it was submitted.
		"2026-06-20T00:30:00+02:00": "2026-06-22T17:00:00-05:00", // Friday, 17:30 there
		"2026-06-20T00:00:00+03:00": "2026-06-19T17:00:00-05:00", // Friday, 16:00 there
		"2026-06-22T04:59:59Z":      "2026-06-22T17:00:00-05:00", // Sunday there
		"2026-06-16T01:00:00Z":      "2026-06-16T17:00:00-05:00", // Monday, 20:00 there
		// "CST" all the year round would lock these an hour late.
		"2026-06-15T17:30:00-05:00": "2026-06-16T17:00:00-05:00",
		"2026-01-15T16:30:00-06:00": "2026-01-15T17:00:00-06:00",
		// Clocks go forward on Sunday, 8 March 2026, at 2:00, and back on Sunday, 1 November, at 2:00.
		"2026-03-06T16:59:59-06:00": "2026-03-06T17:00:00-06:00",
		"2026-03-06T17:00:00-06:00": "2026-03-09T17:00:00-05:00",
		"2026-03-08T01:59:59-06:00": "2026-03-09T17:00:00-05:00",
		"2026-03-08T03:00:00-05:00": "2026-03-09T17:00:00-05:00",
		"2026-10-30T16:59:59-05:00": "2026-10-30T17:00:00-05:00",
		"2026-10-30T17:00:00-05:00": "2026-11-02T17:00:00-06:00",
		"2026-11-01T01:30:00-05:00": "2026-11-02T17:00:00-06:00",
		"2026-11-01T01:30:00-06:00": "2026-11-02T17:00:00-06:00",
		// 31 December is a Thursday, Friday, Saturday and Monday. Holidays are not mentioned.
		"2026-12-31T16:59:59-06:00": "2026-12-31T17:00:00-06:00",
		"2026-12-31T17:00:00-06:00": "2027-01-01T17:00:00-06:00",
		"2027-12-31T17:00:00-06:00": "2028-01-03T17:00:00-06:00",
		"2022-12-31T12:00:00-06:00": "2023-01-02T17:00:00-06:00",
		"2029-12-31T23:59:59-06:00": "2030-01-01T17:00:00-06:00",
		"2028-02-28T17:00:00-06:00": "2028-02-29T17:00:00-06:00",
	} {
		at, err := time.Parse(time.RFC3339, submitted)
		require.NoError(t, err)
		got := backd.LocksAt(at)
		assert.Equal(t, want, got.Format(time.RFC3339), "submitted %s", submitted)
		assert.Equal(t, "America/Chicago", got.Location().String())
		assert.True(t, got.After(at))
	}
}

// TestChicago compares the zone, which is made of a constant, with the time zone database, hour by hour.
func TestChicago(t *testing.T) {
	want, err := time.LoadLocation("America/Chicago")
	require.NoError(t, err)
	got := backd.LocksAt(time.Now()).Location()
	end := time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2007, 1, 1, 6, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(time.Hour) {
		name, offset := at.In(got).Zone()
		wantName, wantOffset := at.In(want).Zone()
		if name != wantName || offset != wantOffset {
			require.Equal(t, at.In(want).String(), at.In(got).String())
		}
	}
}

// TestNoTimeZoneFilesAreRead: LocksAt has to work where there are none. time.LoadLocationFromTZData reads nothing.
func TestNoTimeZoneFilesAreRead(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.NotContains(t, string(source), "time.LoadLocation(", file)
		}
	}
}

func TestTimeKeepsTheText(t *testing.T) {
	for in, want := range map[string]struct {
		text string
		time string
	}{
		`"2026-04-16 10:30:00"`:       {"2026-04-16 10:30:00", "2026-04-16T10:30:00-05:00"},
		`"2026-01-16 10:30:00"`:       {"2026-01-16 10:30:00", "2026-01-16T10:30:00-06:00"},
		`"2026-04-16T10:30:00.5"`:     {"2026-04-16T10:30:00.5", "2026-04-16T10:30:00-05:00"},
		`"2026-04-16T15:30:00Z"`:      {"2026-04-16T15:30:00Z", "2026-04-16T15:30:00Z"},
		`"2026-04-16 10:30:00-05:00"`: {"2026-04-16 10:30:00-05:00", "2026-04-16T10:30:00-05:00"},
		`"2026-04-16"`:                {"2026-04-16", "2026-04-16T00:00:00-05:00"},
		`"soon"`:                      {"soon", "0001-01-01T00:00:00Z"},
		`1776353400`:                  {"1776353400", "0001-01-01T00:00:00Z"},
		`null`:                        {"", "0001-01-01T00:00:00Z"},
		`{"date":1}`:                  {"", "0001-01-01T00:00:00Z"},
	} {
		var got backd.Time
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		assert.Equal(t, want.text, got.Text)
		assert.Equal(t, want.time, got.Format(time.RFC3339), in)
		out, err := json.Marshal(got)
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("%q", want.text), string(out))
	}
}

// TestDecodeRefund has every shape of a success that the sheet knows, and what Backd might do beside it. Before, the
// order had one declined request.
func TestDecodeRefund(t *testing.T) {
	const now, early = "2026-04-16 10:30:00", "2026-04-01 09:00:00"
	old, made := entry("5.00", early, "declined"), entry("10.00", now, "draft")
	for name, tt := range map[string]struct {
		body       string
		warnings   int
		status     refund.Status
		locks      string
		unreadable bool
		kind       error
	}{
		"as documented":                 {body: order(old + "," + made), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"approved at once":              {body: order(old + "," + entry("10.00", now, "approved")), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"a status that nobody has seen": {body: order(old + "," + entry("10.00", now, "queued")), locks: "2999-04-16T17:00:00-05:00"},
		"in another order":              {body: order(made + "," + old), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"integer":                       {body: order(old + "," + entry("10", now, "draft")), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"a string":                      {body: order(old + "," + entry(`"10.0"`, now, "draft")), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"no locked_at":                  {body: order(old + `,{"amount":10,"create_date":"2026-04-16 10:30:00","status":"draft"}`), status: refund.StatusPending, locks: "2026-04-16T17:00:00-05:00"},
		"locked_at that is no date":     {body: order(old + `,{"amount":10,"create_date":"2026-04-17 17:30:00","status":"draft","locked_at":"soon"}`), status: refund.StatusPending, locks: "2026-04-20T17:00:00-05:00"},
		"no dates":                      {body: order(old + `,{"amount":10,"status":"draft"}`), status: refund.StatusPending},
		"no status object":              {body: `{"data":{"backd_order_id":"B1","refunds":[` + made + `]}}`, status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"unknown members":               {body: strings.Replace(order(old+","+made), `{"data"`, `{"meta":{"a":[1]},"data"`, 1), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"another one was replaced":      {body: order(old + "," + entry("3.00", now, "declined") + "," + made), warnings: 1, status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"the same one was replaced":     {body: order(old + "," + entry("10.00", now, "Decline") + "," + made), warnings: 1, status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"another amount":                {body: order(old + "," + entry("9.00", now, "draft")), unreadable: true, kind: refund.ErrConflict},
		"null amount":                   {body: order(old + "," + entry("null", now, "draft")), unreadable: true, kind: refund.ErrUnexpected},
		"amount with too many decimals": {body: order(old + "," + entry("10.001", now, "draft")), unreadable: true, kind: refund.ErrUnexpected},
		"amount of absurd size":         {body: order(old + "," + entry("1e2000000", now, "draft")), unreadable: true},
		"amount that is no number":      {body: order(old + "," + entry(`"ten"`, now, "draft")), unreadable: true},
		"two new ones":                  {body: order(old + "," + made + "," + made), unreadable: true},
		"declined at once":              {body: order(old + "," + entry("10.00", now, "declined")), unreadable: true},
		"nothing new":                   {body: order(old), unreadable: true},
		"no refunds":                    {body: `{"data":{"backd_order_id":"B1"},"status":{"error":false}}`, unreadable: true},
		"null for refunds":              {body: strings.Replace(order(""), "[]", "null", 1), unreadable: true},
		"another merchant id":           {body: strings.Replace(order(old+","+made), "M1", "M2", 1), unreadable: true},
		"no merchant id":                {body: strings.Replace(order(old+","+made), `"merchant_order_id":"M1",`, "", 1), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"binary noise":                  {body: order(old + "," + entry("9.999999999999998", now, "draft")), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"members of other types":        {body: strings.Replace(strings.Replace(order(old+","+made), `"message":""`, `"message":5`, 1), `"refunds"`, `"shipping":[],"billing":{"address":{"zipcode":78704}},"items":[{"sku":1}],"refunds"`, 1), status: refund.StatusPending, locks: "2999-04-16T17:00:00-05:00"},
		"another order":                 {body: strings.Replace(order(old+","+made), "B1", "B2", 1), unreadable: true},
		"an error's code, but no error": {body: strings.Replace(order(old+","+made), "200", "409", 1), unreadable: true},
		"that code, and then null":      {body: strings.Replace(order(old+","+made), `"code":200,"error":false}`, `"code":409,"error":false},"status":null`, 1), unreadable: true},
		"an older shape, without data":  {body: `{"backd_order_id":"B1","refunds":[` + made + `]}`, unreadable: true},
		"empty body":                    {body: ``, unreadable: true},
		"HTML":                          {body: `<html><title>Welcome</title></html>`, unreadable: true},
		"cut off":                       {body: order(old + "," + made)[:150], unreadable: true},
		"a string instead of object":    {body: `"ok"`, unreadable: true},
		"null":                          {body: `null`, unreadable: true},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, answers(order(old), tt.body))
			got, err := client.Refund(t.Context(), commonRequest("10.00"))
			if tt.unreadable {
				require.Error(t, err)
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "200 was said: it has probably been made")
				if tt.kind != nil {
					require.ErrorIs(t, err, tt.kind)
				}
				return
			}
			require.NoError(t, err)
			assert.Equal(t, refund.MustParseMoney("10.00", "USD"), got.Amount)
			assert.Equal(t, tt.status, got.Status)
			assert.Len(t, got.Warnings, tt.warnings)
			assert.Equal(t, tt.body, string(got.Raw))
			if tt.locks == "" {
				assert.Empty(t, got.ID)
				assert.True(t, got.LocksAt.IsZero())
				return
			}
			assert.Equal(t, tt.locks, got.LocksAt.Format(time.RFC3339))
			assert.Regexp(t, `^2026-04-1[67] 1\d:30:00/10\.00$`, got.ID)
		})
	}
}

// TestDecodeOrder reads an order of the shape, and with the example values, of the documentation (find-order and
// delete-refund pages). It was not captured.
func TestDecodeOrder(t *testing.T) {
	body := `{"data":{"backd_order_id":"BO-20260416-0001","create_date":"2026-04-16 10:30:00","order_total":9150,"cart_amount":9000,
		"tax_amount":100.0,"shipping_amount":50,"discount_amount":0,"status":"a_new_status","merchant_order_id":"JKLMO4321",
		"merchant_order_status":"shipped","new_member":{},
		"shipping":{"name":{"first":"Jo","last":"Canary"},"company_name":"Example Inc.","address":{"line1":"1 Main Street","line2":"Suite 2",
			"city":"Austin","state":"TX","zipcode":"73301","country":"USA"},"phone_number":"+15125550100","email":"jo@canary.example"},
		"billing":null,
		"items":[{"display_name":"Item","sku":"SKU-1","unit_price":4500.00,"qty":2,"item_image_url":"https://x.example/i.png","item_url":"https://x.example/i"}],
		"refunds":[{"amount":100.50,"create_date":"2026-04-16 11:00:00","status":"declined","locked_at":null},
			{"amount":null,"create_date":null,"status":"a_new_status","locked_at":"2026-04-16 17:00:00"}]},
		"message":"Order found.","status":{"type":"a_type","code":200,"error":false}}`
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).FindOrder(t.Context(), "BO-20260416-0001")
	require.NoError(t, err)
	assert.Equal(t, "Order found.", got.Message)
	assert.Equal(t, backd.ResponseStatus{Type: "a_type", Code: 200}, got.Status)
	o := got.Data
	assert.Equal(t, "JKLMO4321", o.MerchantOrderID)
	assert.Equal(t, backd.OrderStatus("a_new_status"), o.Status)
	assert.Equal(t, "2026-04-16 10:30:00", o.CreateDate.Text)
	for want, amount := range map[string]*decimal.Decimal{
		"9150": o.OrderTotal, "9000": o.CartAmount, "100": o.TaxAmount, "50": o.ShippingAmount, "0": o.DiscountAmount,
	} {
		assert.True(t, decimal.RequireFromString(want).Equal(*amount), want)
	}
	require.NotNil(t, o.Shipping)
	assert.Equal(t, "Canary", o.Shipping.Name.Last)
	assert.Equal(t, backd.Address{Line1: "1 Main Street", Line2: "Suite 2", City: "Austin", State: "TX", Zipcode: "73301", Country: "USA"}, o.Shipping.Address)
	assert.Nil(t, o.Billing)
	require.Len(t, o.Items, 1)
	assert.Equal(t, "SKU-1", o.Items[0].SKU)
	assert.Equal(t, "2", o.Items[0].Qty.String())
	require.Len(t, o.Refunds, 2)
	assert.Nil(t, o.Refunds[1].Amount)
	assert.Equal(t, &o.Refunds[1], o.ActiveRefund(), "what is not declined is in the way")

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		assert.NotRegexp(t, "Canary|canary|Main Street|5550100", fmt.Sprintf(verb, o.Shipping)+fmt.Sprintf(verb, *o.Shipping))
	}

	for _, unreadable := range []string{"", "<html>", "{}", "[]", `{"data":{"backd_order_id":7}}`, `{"data":{"backd_order_id":"B2","refunds":[]}}`, `{"data":{"backd_order_id":"B1"}}`} {
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: unreadable}).FindOrder(t.Context(), "B1")
		require.ErrorIs(t, err, refund.ErrUnexpected, unreadable)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), "a read moves no money")
	}
}

func TestAmountsAreNumbersWithTwoDecimals(t *testing.T) {
	for in, want := range map[string]string{"10": "10.00", "10.5": "10.50", "0.01": "0.01", "92233720368547758.07": "92233720368547758.07"} {
		wire := answers(strings.Replace(order(""), "9150", "null", 1), order(entry(in, "2026-04-16 10:30:00", "draft")))
		req := nativeRequest()
		req.RefundAmount = refund.MustParseMoney(in, "USD")
		_, err := newClient(t, wire).ReplaceRefund(t.Context(), req)
		require.NoError(t, err)
		assert.Contains(t, wire.write.Dumps[0], `{"backd_order_id":"B1","merchant_order_id":"M1","refund_amount":`+want+`}`)
	}
}

// TestWhatNothingHangsOnNeverSpoilsAnOrder: no refund depends on them.
func TestWhatNothingHangsOnNeverSpoilsAnOrder(t *testing.T) {
	body := strings.Replace(order(""), `"refunds"`, `"shipping":{"name":{"first":1,"last":"Canary"},"address":{"zipcode":78704,"state":"TX"},"email":"jo@canary.example"},`+
		`"billing":[],"items":[{"display_name":5,"sku":"SKU-1","qty":2}],"merchant_order_status":7,"cart_amount":{},"tax_amount":"many","refunds"`, 1)
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).FindOrder(t.Context(), "B1")
	require.NoError(t, err)
	assert.Equal(t, &backd.Contact{
		Name: backd.Name{Last: "Canary"}, Address: backd.Address{State: "TX"}, Email: "jo@canary.example",
	}, got.Data.Shipping)
	require.Len(t, got.Data.Items, 1)
	assert.Equal(t, "SKU-1", got.Data.Items[0].SKU)
	assert.Equal(t, "7", got.Data.MerchantOrderStatus)
	assert.Nil(t, got.Data.CartAmount)
	assert.Nil(t, got.Data.TaxAmount)
}

// FuzzResponses lets any bytes be the answer to a refund and to the order that is read before and after it. Nothing may
// panic, and a 2xx without Backd's own refusal is a success or unknown.
func FuzzResponses(f *testing.F) {
	f.Add(200, order(entry("10.00", "2026-04-16 10:30:00", "draft")))
	f.Add(200, order(entry("10.00", "2026-04-16 10:30:00", "declined")+","+entry("1e999999999", "", "")))
	f.Add(200, `{"message":"no","status":{"type":"t","code":"400","error":true}}`)
	f.Add(422, `{"message":{},"status":{"type":7,"code":{},"error":"true"}}`)
	digits, deep, members := strings.Repeat("9", 50_000), strings.Repeat("[", 50_000), strings.Repeat(`"x":1,`, 10_000)
	f.Add(200, order(entry(digits, "", "draft")))
	f.Add(200, order(`{"amount":"`+digits+`"}`))
	f.Add(200, order(deep))
	f.Add(200, `{"data":{"order_total":`+digits+`},"status":{"error":true}}`)
	f.Add(200, `{`+members+order("")[1:])
	f.Add(422, `{"message":"`+digits+`","status":{"type":"t","code":`+digits+`,"error":true}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		answer := &wiretest.Transport{Status: status, Body: body}
		before := &wiretest.Transport{Status: http.StatusOK, Body: order("")}
		cfg := config()
		cfg.Retry.MaxAttempts = 1
		cfg.Transport = split{before, answer}
		client, err := backd.New(cfg)
		require.NoError(t, err)
		request := commonRequest("10.00")
		if _, err = client.Refund(t.Context(), request); err != nil && status < 400 && refund.OutcomeOf(err) != refund.OutcomeUnknown {
			require.Less(t, status, 300)
			require.Contains(t, body, "true")
		}
		if _, err = client.CancelRefund(t.Context(), refund.Ref{Order: request.Order}); err == nil {
			t.Fatal("there was nothing to cancel")
		}
		if got, err := client.ReplaceRefund(t.Context(), nativeRequest()); err == nil {
			require.False(t, strings.HasPrefix(strings.ToLower(string(got.Refund.Status)), "decline"))
			require.Equal(t, "10.00", got.Refund.Amount.StringFixed(2))
		} else if status < 400 {
			require.NotEqual(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
		}

		cfg.Transport = answer
		client, err = backd.New(cfg)
		require.NoError(t, err)
		if _, err = client.Refund(t.Context(), request); err != nil && len(answer.Dumps) == 1 {
			require.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
		}
		old := refund.Attempt{Request: request, Snapshot: refund.Snapshot(body), Tries: 1}
		for _, old.Snapshot = range []refund.Snapshot{"[]", refund.Snapshot(body)} {
			if got, err := client.Resolve(t.Context(), old); err != nil {
				require.Equal(t, refund.Resolution{}, got)
			}
		}
		for got, err := range client.Refunds(t.Context(), refund.Query{Order: request.Order}) {
			if err == nil && got.ID != "" {
				_, err = client.GetRefund(t.Context(), refund.Ref{Order: request.Order, ID: got.ID})
				require.NoError(t, err)
			}
		}
	})
}
