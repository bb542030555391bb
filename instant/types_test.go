package instant_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestDecodeRefund has every shape of a 200 that can be thought of: none is documented.
func TestDecodeRefund(t *testing.T) {
	for name, tt := range map[string]struct {
		body    string
		unknown bool
	}{
		"empty":                              {body: ``},
		"white space":                        {body: " \r\n"},
		"a byte order mark":                  {body: "\ufeff"},
		"a JSON string":                      {body: `"ok"`},
		"an empty JSON string":               {body: `""`},
		"a number":                           {body: `1`},
		"true":                               {body: `true`},
		"an empty object":                    {body: `{}`},
		"an object":                          {body: `{"success":true,"refund":{"id":1}}`},
		"an object with a byte order mark":   {body: "\ufeff{\"success\":true}"},
		"null":                               {body: `null`},
		"a list":                             {body: `[]`},
		"a list of an object":                {body: `[{"id":1}]`},
		"an amount of its own, a giant":      {body: `{"amount":1e2000000}`},
		"a message":                          {body: `{"message":"done"}`},
		"no error, empty":                    {body: `{"error":"","message":"done"}`},
		"no error, null":                     {body: `{"error":null,"message":null}`},
		"no error, false":                    {body: `{"error":false}`},
		"no error, an empty object":          {body: `{"error":{ }}`},
		"no errors, an empty list":           {body: "{\"errors\" : [\n]}"},
		"no errors, null":                    {body: `{"errors":null}`},
		"an error as a value":                {body: `{"absent":"error","list":["errors"]}`},
		"a name that has error in it":        {body: `{"errorCount":0,"\"error":1,"a\\":"error"}`},
		"an error in the wrong place":        {body: `{"error":"REFUND_FAILURE","message":"no"}`, unknown: true},
		"a refusal in the wrong place":       {body: `{"error":"UNAUTHORIZED","message":"no"}`, unknown: true},
		"a new error in the wrong place":     {body: `{"error":"NEW"}`, unknown: true},
		"an error that is an object":         {body: `{"error":{"code":"REFUND_FAILURE"}}`, unknown: true},
		"an error that is true":              {body: `{"error":true}`, unknown: true},
		"an error that is a number":          {body: `{"error":500}`, unknown: true},
		"an error that is zero":              {body: `{"error":0}`, unknown: true},
		"an error that is a list":            {body: `{"error":["no"]}`, unknown: true},
		"errors":                             {body: `{"errors":[{"code":"REFUND_FAILURE"}]}`, unknown: true},
		"an error and then none":             {body: `{"error":"X","error":""}`, unknown: true},
		"no error and then one":              {body: `{"error":"","error":"X"}`, unknown: true},
		"an error of another case":           {body: `{"Error":"X"}`, unknown: true},
		"an error, escaped":                  {body: `{"\u0065rror":"X"}`, unknown: true},
		"an error within":                    {body: `{"data":{"refund":{"error":"X"}}}`, unknown: true},
		"an error in a list":                 {body: `[{"id":1},{"error":"X"}]`, unknown: true},
		"an error with a byte order mark":    {body: "\ufeff{\"error\":\"X\"}", unknown: true},
		"an error in a string":               {body: `"{\"error\":\"X\"}"`, unknown: true},
		"no success":                         {body: `{"success":false,"message":"no"}`, unknown: true},
		"false":                              {body: `false`, unknown: true},
		"cut off":                            {body: `{"success":tr`, unknown: true},
		"an error, cut off":                  {body: `{"error":"REFUND_FAIL`, unknown: true},
		"two values":                         {body: `{}{}`, unknown: true},
		"text":                               {body: `Refunded`, unknown: true},
		"a text of a proxy":                  {body: `upstream connect error or disconnect/reset before headers`, unknown: true},
		"a page without markup":              {body: `Access denied`, unknown: true},
		"NUL bytes":                          {body: "\x00\x00\x00\x00", unknown: true},
		"NUL bytes after JSON":               {body: "{}\x00", unknown: true},
		"500 kB of brackets":                 {body: strings.Repeat("[", 500_000), unknown: true},
		"200 kB of brackets that are closed": {body: strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), unknown: true},
		"a web page":                         {body: "\n<!DOCTYPE html><title>Sorry</title>", unknown: true},
		"a web page with a byte order":       {body: "\ufeff<!DOCTYPE html><title>Sorry</title>", unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			wire := &wiretest.Transport{Status: http.StatusOK, Body: tt.body}
			req := request("k", "10.00")
			got, err := newClient(t, wire, func(cfg *instant.Config) { cfg.Account = "au-1" }).Refund(t.Context(), req)
			if tt.unknown {
				require.Error(t, err)
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "200 was said: money has probably moved")
				return
			}
			require.NoError(t, err)
			raw := refund.Raw(tt.body)
			if tt.body == "" {
				raw = got.Raw
				assert.Empty(t, raw)
			}
			assert.Equal(t, &refund.Refund{
				IdempotencyKey: "k", Provider: "instant", Account: "au-1", Order: req.Order, Status: refund.StatusSucceeded, Raw: raw,
			}, got)
		})
	}
}

// FuzzResponses lets any bytes be the answer to a refund and to the one that is sent again to resolve it. Nothing may panic,
// only a documented code with an error status is a refusal, and Resolve never says that nothing moved.
func FuzzResponses(f *testing.F) {
	f.Add(200, ``)
	f.Add(200, `{"ok":true}`)
	f.Add(200, `<html>`)
	f.Add(200, `{"error":"REFUND_FAILURE"}`)
	f.Add(200, `{"error" : { },"errors":[],"a\\":"\u0065rror":1,"success":false}`)
	f.Add(200, `"\"`)
	f.Add(201, `{}`)
	f.Add(302, `{"error":"POSSIBLE_DUPLICATE_REFUND"}`)
	f.Add(500, `{"error":"POSSIBLE_DUPLICATE_REFUND","message":"no"}`)
	f.Add(500, `{"error":"UNAUTHORIZED","message":["a",1e999999999]}`)
	f.Add(404, `{"error":"NO_ENTITY_FOUND","message":{}}`)
	f.Add(502, `<html>`)
	digits, deep, members := strings.Repeat("9", 50_000), strings.Repeat("[", 50_000), strings.Repeat(`"x":1,`, 10_000)
	f.Add(200, `{"amountToRefund":`+digits+`}`)
	f.Add(200, deep+strings.Repeat("]", len(deep)))
	f.Add(200, `{`+members+`"error":null}`)
	f.Add(500, `{"error":"UNAUTHORIZED","message":`+digits+`}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		client := newClient(t, &wiretest.Transport{Status: status, Body: body}, func(cfg *instant.Config) { cfg.ResendToResolve = true })
		_, err := client.Refund(t.Context(), request("k", "10.00"))
		if err == nil {
			require.Equal(t, http.StatusOK, status)
			text := strings.TrimSpace(strings.TrimPrefix(body, "\ufeff"))
			require.True(t, text == "" || json.Valid([]byte(text)), "a success says nothing, or is JSON")
		} else if status < 400 {
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		} else if refund.OutcomeOf(err) != refund.OutcomeUnknown {
			require.True(t, instant.HasCode(err, instant.CodeInvalidAmountToRefund, instant.CodePossibleDuplicateRefund,
				instant.CodeRefundAmountGreaterThanAvailable, instant.CodeNoEntityFound, instant.CodeUnauthorized, instant.CodeInvalidCredentials))
		}
		at := time.Now().Add(-20 * time.Second)
		got, err := client.Resolve(t.Context(), refund.Attempt{Request: request("k", "10.00"), FirstSent: at, LastSent: at, Tries: 1})
		require.NotEqual(t, refund.VerdictNotApplied, got.Verdict)
		if got.Verdict == refund.VerdictApplied {
			require.True(t, status == http.StatusOK || status >= http.StatusBadRequest)
		}
		if err != nil {
			require.Equal(t, refund.Resolution{}, got)
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		}
	})
}
