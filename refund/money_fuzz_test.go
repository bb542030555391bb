package refund_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// FuzzParseMoney checks ParseMoney against a second opinion: the grammar as a pattern, the value and the limits
// of int64 as decimals.
func FuzzParseMoney(f *testing.F) {
	for _, amount := range []string{
		"0", "-0", "10", "10.9", "10.99", "10.990", "-0.05", "0.005", "007", ".5", "5.", "+5", "1e9999", "1,000.00", "NaN",
		maxAUD, minAUD, "92233720368547758.08", "-9223372036854775808", "9223372036854775808",
	} {
		for _, currency := range []string{"AUD", "JPY", "KWD", "CLF", "aud"} {
			f.Add(amount, currency)
		}
	}
	plain := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

	f.Fuzz(func(t *testing.T, amount, currency string) {
		zero, err := refund.MoneyFromMinor(0, currency)
		if err != nil {
			m, err := refund.ParseMoney(amount, currency)
			requireRefused(t, err, refund.ErrInvalidRequest, "Currency")
			require.Equal(t, refund.Money{}, m)
			return
		}
		_, places, _ := strings.Cut(zero.Amount(), ".")
		_, given, _ := strings.Cut(amount, ".")
		want := plain.MatchString(amount) && len(given) <= len(places) && len(amount) <= 32
		var value decimal.Decimal
		if want {
			value = decimal.RequireFromString(amount)
			want = value.Shift(int32(len(places))).BigInt().IsInt64()
		}

		m, err := refund.ParseMoney(amount, currency)
		if !want {
			requireRefused(t, err, refund.ErrInvalidRequest, "Amount")
			require.Equal(t, refund.Money{}, m)
			return
		}
		require.NoError(t, err)
		assert.True(t, value.Equal(m.Decimal()), "%q became %s", amount, m)

		again, err := refund.ParseMoney(m.Amount(), m.Currency())
		require.NoError(t, err)
		assert.Equal(t, m, again)
		assert.Equal(t, m.Amount(), again.Amount())

		fromMinor, err := refund.MoneyFromMinor(m.Minor(), m.Currency())
		require.NoError(t, err)
		assert.Equal(t, m, fromMinor)

		fromDecimal, err := refund.MoneyFromDecimal(m.Decimal(), m.Currency())
		require.NoError(t, err)
		assert.Equal(t, m, fromDecimal)

		var fromText refund.Money
		require.NoError(t, fromText.UnmarshalText([]byte(m.String())))
		assert.Equal(t, m, fromText)

		var fromColumn refund.Money
		stored, err := m.Value()
		require.NoError(t, err)
		require.NoError(t, fromColumn.Scan(stored))
		assert.Equal(t, m, fromColumn)
	})
}

func FuzzMoneyJSON(f *testing.F) {
	for _, data := range []string{
		`null`, `{}`, `[]`, `""`, `10.99`, `{"amount":"10.99","currency":"AUD"}`, `{"amount":"0","currency":"JPY"}`,
		`{"amount":10.99,"currency":"AUD"}`, `{"amount":null,"currency":"AUD"}`, `{"AMOUNT":"1","currency":"AUD"}`,
		`{"amount":"1","currency":"AUD","x":1}`, `{"amount":"` + minAUD + `","currency":"AUD"}`, `{"amount":"1e9999","currency":"AUD"}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := refund.MustParseMoney("1", "NZD")
		m := before
		err := m.UnmarshalJSON(data)
		if err != nil {
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			requireRefused(t, err, refund.ErrInvalidRequest, e.Field)
			require.Equal(t, before, m)
			return
		}
		written, err := json.Marshal(m)
		require.NoError(t, err)
		again := before
		require.NoError(t, json.Unmarshal(written, &again))
		assert.Equal(t, m, again)
	})
}
