package refund_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// capable is a provider that carries some things and not others.
func capable() refund.Capabilities {
	return refund.Capabilities{
		Provider: "somepay", Account: "shop-au", Currencies: []string{"AUD", "NZD"},
		Parts: []refund.Part{refund.PartShipping, refund.PartTax}, RefundsLines: true,
	}
}

func validRequest() refund.Request {
	return refund.Request{
		IdempotencyKey: "order-1001-1", Order: refund.Order{ID: "1001"}, Amount: refund.MustParseMoney("10.99", "AUD"),
	}
}

func TestCheckAccepts(t *testing.T) {
	for name, change := range map[string]func(*refund.Capabilities, *refund.Request){
		"plain":           func(*refund.Capabilities, *refund.Request) {},
		"key of 1":        func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = "k" },
		"key of 64":       func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = strings.Repeat("k", 64) },
		"merchant's id":   func(_ *refund.Capabilities, r *refund.Request) { r.Order = refund.Order{MerchantID: "m"} },
		"invoice":         func(_ *refund.Capabilities, r *refund.Request) { r.Order = refund.Order{InvoiceID: "i"} },
		"smallest amount": func(_ *refund.Capabilities, r *refund.Request) { r.Amount = refund.MustParseMoney("0.01", "AUD") },
		"second currency": func(_ *refund.Capabilities, r *refund.Request) { r.Amount = refund.MustParseMoney("1", "NZD") },
		"any currency": func(c *refund.Capabilities, r *refund.Request) {
			c.Currencies, r.Amount = nil, refund.MustParseMoney("1", "JPY")
		},
		"part":             func(_ *refund.Capabilities, r *refund.Request) { r.Part = refund.PartTax },
		"order as a whole": func(c *refund.Capabilities, r *refund.Request) { c.Parts, r.Part = nil, refund.PartOrder },
		"line":             func(_ *refund.Capabilities, r *refund.Request) { r.Line = "row 1" },
		"information": func(_ *refund.Capabilities, r *refund.Request) {
			r.Reason = "x"
			r.Metadata = map[string]string{"a": "b"}
		},
		"purchased long ago":    func(_ *refund.Capabilities, r *refund.Request) { r.PurchasedAt = time.Unix(0, 0) },
		"all that was captured": func(_ *refund.Capabilities, r *refund.Request) { r.Captured = r.Amount },
		"less than captured":    func(_ *refund.Capabilities, r *refund.Request) { r.Captured = refund.MustParseMoney("11", "AUD") },
	} {
		t.Run(name, func(t *testing.T) {
			c, req := capable(), validRequest()
			change(&c, &req)
			assert.NoError(t, c.Check(req))
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*refund.Capabilities, *refund.Request)
		field  string
		kind   refund.Kind
		says   []string // names and values
	}{
		"no key": {
			func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = "" },
			"IdempotencyKey", refund.ErrInvalidRequest,
			[]string{"NewIdempotencyKey"},
		},
		"key of 65": {
			func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = strings.Repeat("k", 65) },
			"IdempotencyKey", refund.ErrInvalidRequest,
			[]string{"65", "64"},
		},
		"key with a space": {
			func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = "order 1" },
			"IdempotencyKey", refund.ErrInvalidRequest,
			[]string{"' '", "5", "A-Z a-z 0-9 . _ : -"},
		},
		"key with a newline at its end": {
			func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = "order\n" },
			"IdempotencyKey", refund.ErrInvalidRequest,
			[]string{`'\n'`, "5"},
		},
		"key in Unicode": {
			func(_ *refund.Capabilities, r *refund.Request) { r.IdempotencyKey = "é1" },
			"IdempotencyKey", refund.ErrInvalidRequest,
			[]string{"0xc3", "0"},
		},
		"no order": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Order = refund.Order{} },
			"Order", refund.ErrInvalidRequest,
			[]string{"somepay"},
		},
		"a date is no order": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Order, r.PurchasedAt = refund.Order{}, time.Now() },
			"Order", refund.ErrInvalidRequest,
			[]string{"somepay"},
		},
		"no amount": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Amount = refund.Money{} },
			"Amount", refund.ErrInvalidRequest,
			nil,
		},
		"zero": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Amount = refund.MustParseMoney("0", "AUD") },
			"Amount", refund.ErrInvalidRequest,
			[]string{"0.00 AUD"},
		},
		"negative": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Amount = refund.MustParseMoney("-0.01", "AUD") },
			"Amount", refund.ErrInvalidRequest,
			[]string{"-0.01 AUD"},
		},
		"currency": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Amount = refund.MustParseMoney("1", "JPY") },
			"Amount", refund.ErrCurrencyMismatch,
			[]string{"JPY", "AUD, NZD"},
		},
		"no currency at all": {
			func(c *refund.Capabilities, _ *refund.Request) { c.Currencies = []string{} },
			"Amount", refund.ErrCurrencyMismatch,
			[]string{"AUD"},
		},
		"more than captured": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Captured = refund.MustParseMoney("10.98", "AUD") },
			"Amount", refund.ErrAmountExceeded,
			[]string{"10.99 AUD", "10.98 AUD"},
		},
		"nothing captured": { // 0.00 is an amount: nothing was taken for the order
			func(_ *refund.Capabilities, r *refund.Request) { r.Captured = refund.MustParseMoney("0", "AUD") },
			"Amount", refund.ErrAmountExceeded,
			[]string{"10.99 AUD", "0.00 AUD"},
		},
		"captured in another currency": { // however much it is
			func(_ *refund.Capabilities, r *refund.Request) { r.Captured = refund.MustParseMoney("1000", "NZD") },
			"Captured", refund.ErrInvalidRequest,
			[]string{"AUD", "NZD"},
		},
		"no amount, but captured": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Amount, r.Captured = refund.Money{}, r.Amount },
			"Amount", refund.ErrInvalidRequest,
			nil,
		},
		"part of others": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Part = refund.PartDuty },
			"Part", refund.ErrInvalidRequest,
			[]string{`"duty"`, "somepay", `"shipping", "tax"`},
		},
		"part where there are none": {
			func(c *refund.Capabilities, r *refund.Request) { c.Parts, r.Part = nil, refund.PartTax },
			"Part", refund.ErrInvalidRequest,
			[]string{`"tax"`, "somepay"},
		},
		"part that does not exist": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Part = "a\nb" },
			"Part", refund.ErrInvalidRequest,
			[]string{`"a\nb"`},
		},
		"part without end": {
			func(_ *refund.Capabilities, r *refund.Request) { r.Part = refund.Part(strings.Repeat("p", 1<<20)) },
			"Part", refund.ErrInvalidRequest,
			[]string{"ppp"},
		},
		"line": {
			func(c *refund.Capabilities, r *refund.Request) { c.RefundsLines, r.Line = false, "row 1" },
			"Line", refund.ErrInvalidRequest,
			[]string{"somepay"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, req := capable(), validRequest()
			tt.change(&c, &req)
			err := c.Check(req)
			message := requireRefused(t, err, tt.kind, tt.field)
			for _, want := range tt.says {
				assert.Contains(t, message, want)
			}
			assert.NotContains(t, err.Error(), "\n")
			require.ErrorIs(t, err, tt.kind)

			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "somepay", e.Provider)
			assert.Equal(t, "shop-au", e.Account)
			assert.Equal(t, "refund", e.Op)
			assert.Equal(t, req.IdempotencyKey, e.IdempotencyKey, "so that nobody loses it")
			assert.Equal(t, refund.AdviceFix, e.Advice())
			assert.Zero(t, e.Attempts)
		})
	}
}

// Every byte is tried, alone and inside a key: exactly the documented ones pass.
func TestCheckKeyCharacters(t *testing.T) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
	for b := range 256 {
		char := string([]byte{byte(b)})
		for position, key := range []string{char, "a" + char, "ab" + char + "c"} {
			req := validRequest()
			req.IdempotencyKey = key
			err := capable().Check(req)
			if strings.Contains(allowed, char) {
				assert.NoError(t, err, "byte %#02x", b)
				continue
			}
			message := requireRefused(t, err, refund.ErrInvalidRequest, "IdempotencyKey")
			assert.Contains(t, message, strconv.Itoa(position))
		}
	}
}

// Letters and digits of other scripts look allowed and are not: providers count bytes and fold cases.
func TestCheckKeyUnicode(t *testing.T) {
	for _, key := range []string{"ключ", "鍵", "key-１", "кey", "ke\u200by", "key\u2028", "ｋ", "key\xff"} {
		req := validRequest()
		req.IdempotencyKey = key
		err := capable().Check(req)
		requireRefused(t, err, refund.ErrInvalidRequest, "IdempotencyKey")
		assert.NotContains(t, err.Error(), key)
	}
}

// A bad key may be anything that a caller was sent, so no part of it gets into a log, besides the one bad byte. The
// error has it all the same, for the caller.
func TestCheckNeverEchoesABadKey(t *testing.T) {
	for _, key := range []string{
		"order-1\nlevel=INFO msg=paid", "4111 1111 1111 1111", "a\x1b[2J", "<script>", strings.Repeat("secret", 1000),
	} {
		req := validRequest()
		req.IdempotencyKey = key
		err := capable().Check(req)
		requireRefused(t, err, refund.ErrInvalidRequest, "IdempotencyKey")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, err)
			assert.NotContains(t, text, key)
			assert.NotContains(t, text, "\n")
			assert.NotContains(t, text, "level=INFO")
			assert.NotContains(t, text, "secret")
			assert.NotContains(t, text, "1111")
		}
	}
}

func ExampleCapabilities_Check() {
	c := refund.Capabilities{Provider: "somepay", Currencies: []string{"AUD"}}
	err := c.Check(refund.Request{
		IdempotencyKey: "order-1001-1",
		Order:          refund.Order{ID: "1001"},
		Amount:         refund.MustParseMoney("10.99", "NZD"),
	})
	fmt.Println(errors.Is(err, refund.ErrCurrencyMismatch), refund.OutcomeOf(err))
	// Output:
	// true not sent
}
