package refund_test

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

var (
	_ encoding.TextAppender            = refund.Money{}
	_ encoding.TextMarshaler           = refund.Money{}
	_ encoding.TextUnmarshaler         = (*refund.Money)(nil)
	_ json.Marshaler                   = refund.Money{}
	_ json.Unmarshaler                 = (*refund.Money)(nil)
	_ fmt.Stringer                     = refund.Money{}
	_ driver.Valuer                    = refund.Money{}
	_ interface{ Scan(src any) error } = (*refund.Money)(nil) // database/sql.Scanner
)

const (
	maxAUD = "92233720368547758.07"
	minAUD = "-92233720368547758.08"
)

// requireRefused checks what holds for every error of Money: what is at fault, and that nothing was sent.
// It returns the error's message.
func requireRefused(t *testing.T, err error, kind refund.Kind, field string) string {
	t.Helper()
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, kind, e.Kind)
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, field, e.Field)
	assert.Less(t, len(e.Error()), 400, "an error must fit a line")
	return e.Message
}

func TestParseMoney(t *testing.T) {
	for _, tt := range []struct {
		amount, currency string
		minor            int64
		printed          string
	}{
		{"10.99", "AUD", 1099, "10.99"},
		{"10.9", "AUD", 1090, "10.90"},
		{"10", "AUD", 1000, "10.00"},
		{"0", "AUD", 0, "0.00"},
		{"-0.00", "AUD", 0, "0.00"},
		{"0.05", "AUD", 5, "0.05"},
		{"-0.05", "AUD", -5, "-0.05"},
		{"-10.99", "AUD", -1099, "-10.99"},
		{"007.50", "AUD", 750, "7.50"},
		{strings.Repeat("0", 31) + "1", "AUD", 100, "1.00"},
		{"1099", "JPY", 1099, "1099"},
		{"-1", "JPY", -1, "-1"},
		{"0", "JPY", 0, "0"},
		{"1.005", "KWD", 1005, "1.005"},
		{"1.0001", "CLF", 10001, "1.0001"},
		{maxAUD, "AUD", math.MaxInt64, maxAUD},
		{minAUD, "AUD", math.MinInt64, minAUD},
		{"9223372036854775807", "JPY", math.MaxInt64, "9223372036854775807"},
		{"-9223372036854775808", "JPY", math.MinInt64, "-9223372036854775808"},
		{"-922337203685477.5808", "CLF", math.MinInt64, "-922337203685477.5808"},
	} {
		t.Run(tt.amount+" "+tt.currency, func(t *testing.T) {
			m, err := refund.ParseMoney(tt.amount, tt.currency)
			require.NoError(t, err)
			assert.Equal(t, tt.minor, m.Minor())
			assert.Equal(t, tt.currency, m.Currency())
			assert.Equal(t, tt.printed, m.Amount())
			assert.Equal(t, tt.printed+" "+tt.currency, m.String())
			assert.Equal(t, tt.printed, m.Decimal().StringFixed(-m.Decimal().Exponent()))
			assert.False(t, m.IsZero())
			assert.Equal(t, m, refund.MustParseMoney(tt.amount, tt.currency))
		})
	}
}

func TestParseMoneyRefusesAmount(t *testing.T) {
	for _, tt := range []struct{ amount, currency string }{
		{"", "AUD"},
		{"-", "AUD"},
		{".", "AUD"},
		{".5", "AUD"},
		{"-.5", "AUD"},
		{"5.", "AUD"},
		{"5.", "JPY"},
		{"+5", "AUD"},
		{"--5", "AUD"},
		{"5-", "AUD"},
		{"-+5", "AUD"},
		{"1.-5", "AUD"},
		{" 5", "AUD"},
		{"5 ", "AUD"},
		{"5\n", "AUD"},
		{"1 000", "AUD"},
		{"1,000", "AUD"},
		{"10,99", "AUD"},
		{"1_000", "AUD"},
		{"1.0.0", "AUD"},
		{"1e2", "AUD"},
		{"1E2", "AUD"},
		{"0x10", "AUD"},
		{"NaN", "AUD"},
		{"Inf", "AUD"},
		{"١٠", "AUD"}, // digits, but not ours
		{"10\x00", "AUD"},
		{"\xff", "AUD"},
		{"10.999", "AUD"},
		{"10.990", "AUD"}, // perhaps a thousands separator
		{"10.0", "JPY"},
		{"1.0000", "KWD"},
		{"1.00000", "CLF"},
		{"92233720368547758.08", "AUD"},
		{"-92233720368547758.09", "AUD"},
		{"9223372036854775808", "JPY"},
		{"-9223372036854775809", "JPY"},
		{"92233720368547759", "AUD"},
		{"1e9999", "AUD"},
		{"1e2000000000", "AUD"},
	} {
		t.Run(tt.amount+" "+tt.currency, func(t *testing.T) {
			m, err := refund.ParseMoney(tt.amount, tt.currency)
			message := requireRefused(t, err, refund.ErrInvalidRequest, "Amount")
			require.ErrorIs(t, err, refund.ErrInvalidRequest)
			assert.Contains(t, message, fmt.Sprintf("%q", tt.amount))
			assert.Equal(t, refund.Money{}, m)
			assert.Panics(t, func() { refund.MustParseMoney(tt.amount, tt.currency) })
		})
	}
}

func TestParseMoneySaysWhatIsAllowed(t *testing.T) {
	for _, tt := range []struct {
		amount, currency string
		wants            []string
	}{
		{"10.999", "AUD", []string{"AUD", "2", `"10.99"`}},
		{"10.0", "JPY", []string{"JPY", "no decimals", `"10"`}},
		{"10.99999", "KWD", []string{"KWD", "3", `"10.999"`}},
		{"ten", "CLF", []string{`"10.9999"`}},
		{"99999999999999999999", "AUD", []string{minAUD, maxAUD}},
	} {
		_, err := refund.ParseMoney(tt.amount, tt.currency)
		message := requireRefused(t, err, refund.ErrInvalidRequest, "Amount")
		for _, want := range tt.wants {
			assert.Contains(t, message, want)
		}
	}
}

func TestParseMoneyCutsWhatItQuotes(t *testing.T) {
	for name, amount := range map[string]string{
		"digits":       strings.Repeat("9", 10_000),
		"zeros":        strings.Repeat("0", 10_000) + "1",
		"points":       strings.Repeat(".", 10_000),
		"garbage":      strings.Repeat("\x00", 10_000),
		"one too many": strings.Repeat("0", 33),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := refund.ParseMoney(amount, "AUD")
			message := requireRefused(t, err, refund.ErrInvalidRequest, "Amount")
			assert.Contains(t, message, fmt.Sprintf("%q", amount[:32]))

			_, err = refund.ParseMoney("1", amount)
			message = requireRefused(t, err, refund.ErrInvalidRequest, "Currency")
			assert.Contains(t, message, fmt.Sprintf("%q", amount[:32]))
		})
	}
}

func TestUnknownCurrency(t *testing.T) {
	for _, currency := range []string{
		"", "A", "AU", "AUDD", "aud", "Aud", "AUd", " AUD", "AUD ", "AU\x00", "ÀUD", "036", "$", "ZZZ",
		"XAU", "XAG", "XDR", "XXX", "XTS", // no minor unit
		"HRK", "SLL", "ZWL", "DEM", // withdrawn
	} {
		t.Run(currency, func(t *testing.T) {
			want := fmt.Sprintf("%q", currency)

			m, err := refund.ParseMoney("1", currency)
			assert.Contains(t, requireRefused(t, err, refund.ErrInvalidRequest, "Currency"), want)
			assert.Equal(t, refund.Money{}, m)

			m, err = refund.MoneyFromMinor(1, currency)
			assert.Contains(t, requireRefused(t, err, refund.ErrInvalidRequest, "Currency"), want)
			assert.Equal(t, refund.Money{}, m)

			m, err = refund.MoneyFromDecimal(decimal.New(1, 0), currency)
			assert.Contains(t, requireRefused(t, err, refund.ErrInvalidRequest, "Currency"), want)
			assert.Equal(t, refund.Money{}, m)
		})
	}
}

// decimals returns how many decimals an amount of currency is printed with.
func decimals(t *testing.T, currency string) int {
	t.Helper()
	m, err := refund.MoneyFromMinor(0, currency)
	require.NoError(t, err)
	_, after, _ := strings.Cut(m.Amount(), ".")
	return len(after)
}

func TestCurrencyDecimals(t *testing.T) {
	for currency, want := range map[string]int{
		"AUD": 2, "USD": 2, "EUR": 2, "GBP": 2, "SEK": 2, "NZD": 2, "HUF": 2, "IDR": 2, "RSD": 2, "LBP": 2,
		"JPY": 0, "KRW": 0, "ISK": 0, "UGX": 0, "VND": 0, "CLP": 0, "XOF": 0, "UYI": 0,
		"KWD": 3, "IQD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "LYD": 3, "TND": 3,
		"CLF": 4, "UYW": 4,
		"MRU": 2, "MGA": 2, // fifths, written with two decimals
		"XCG": 2, "ANG": 2, "BGN": 2, "ZWG": 2, "SLE": 2, "VED": 2, "XAD": 2,
	} {
		t.Run(currency, func(t *testing.T) { assert.Equal(t, want, decimals(t, currency)) })
	}
}

// TestCurrencyTable tries every code there can be, so that a misspelt, missing or extra line shows.
func TestCurrencyTable(t *testing.T) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	got := map[int]int{}
	for _, a := range letters {
		for _, b := range letters {
			for _, c := range letters {
				code := string([]rune{a, b, c})
				if _, err := refund.MoneyFromMinor(0, code); err != nil {
					continue
				}
				got[decimals(t, code)]++
				_, err := refund.MoneyFromMinor(0, strings.ToLower(code))
				require.Error(t, err, "only upper-case letters")
			}
		}
	}
	assert.Equal(t, map[int]int{0: 17, 2: 142, 3: 7, 4: 2}, got, "currencies by decimals")
}

func TestCurrencies(t *testing.T) {
	all := refund.Currencies()
	assert.Len(t, all, 168, "a changed table is a decision")
	assert.True(t, slices.IsSorted(all))
	assert.Len(t, slices.Compact(slices.Clone(all)), len(all), "each is there once")
	assert.Subset(t, all, []string{"AUD", "JPY", "KWD", "CLF"})
	for _, currency := range all {
		m, err := refund.MoneyFromMinor(1, currency)
		require.NoError(t, err, currency)
		digits, ok := refund.Decimals(currency)
		assert.True(t, ok, currency)
		assert.Equal(t, decimals(t, currency), digits, currency)
		assert.Equal(t, -int32(digits), m.Decimal().Exponent(), currency)
	}
	all[0] = "ZZZ"
	assert.NotContains(t, refund.Currencies(), "ZZZ", "the list is the caller's own")
}

func TestDecimals(t *testing.T) {
	for currency, want := range map[string]int{"AUD": 2, "JPY": 0, "KWD": 3, "CLF": 4} {
		got, ok := refund.Decimals(currency)
		assert.True(t, ok, currency)
		assert.Equal(t, want, got, currency)
	}
	for _, unknown := range []string{"", "aud", "AUD ", "ZZZ", "XAU", "A"} {
		got, ok := refund.Decimals(unknown)
		assert.False(t, ok, unknown)
		assert.Zero(t, got, unknown)
	}
}

func TestMoneyFromMinor(t *testing.T) {
	for _, tt := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{1099, "AUD", "10.99"},
		{-1, "AUD", "-0.01"},
		{0, "AUD", "0.00"},
		{1099, "JPY", "1099"},
		{7, "CLF", "0.0007"},
		{math.MinInt64, "AUD", minAUD},
	} {
		m, err := refund.MoneyFromMinor(tt.minor, tt.currency)
		require.NoError(t, err)
		assert.Equal(t, tt.minor, m.Minor())
		assert.Equal(t, refund.MustParseMoney(tt.want, tt.currency), m)
	}
}

func TestMoneyFromDecimal(t *testing.T) {
	for _, tt := range []struct {
		d        decimal.Decimal
		currency string
		want     string
	}{
		{decimal.Decimal{}, "AUD", "0.00"},
		{decimal.RequireFromString("10.99"), "AUD", "10.99"},
		{decimal.RequireFromString("10.9900"), "AUD", "10.99"},
		{decimal.RequireFromString("10." + strings.Repeat("0", 64)), "AUD", "10.00"},
		{decimal.RequireFromString("-10.9"), "AUD", "-10.90"},
		{decimal.New(1, 3), "AUD", "1000.00"},
		{decimal.New(0, 64), "AUD", "0.00"},
		{decimal.New(100, -2), "JPY", "1"},
		{decimal.RequireFromString("1.005"), "KWD", "1.005"},
		{decimal.RequireFromString(maxAUD), "AUD", maxAUD},
		{decimal.RequireFromString(minAUD), "AUD", minAUD},
	} {
		t.Run(tt.d.String()+" "+tt.currency, func(t *testing.T) {
			m, err := refund.MoneyFromDecimal(tt.d, tt.currency)
			require.NoError(t, err)
			assert.Equal(t, refund.MustParseMoney(tt.want, tt.currency), m)
			assert.True(t, tt.d.Equal(m.Decimal()), "%s became %s", tt.d, m.Decimal())
		})
	}
}

func TestMoneyFromDecimalRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		d        decimal.Decimal
		currency string
		want     string
	}{
		"too many decimals":       {decimal.RequireFromString("10.999"), "AUD", "10.999"},
		"half a yen":              {decimal.RequireFromString("0.5"), "JPY", "0.5"},
		"binary noise":            {decimal.RequireFromString("53.769999999999996"), "AUD", "53.769999999999996"},
		"one more than fits":      {decimal.RequireFromString("92233720368547758.08"), "AUD", "92233720368547758.08"},
		"one less than fits":      {decimal.RequireFromString("-92233720368547758.09"), "AUD", "-92233720368547758.09"},
		"far too large":           {decimal.New(1, 30), "AUD", "1000000000000000000000000000000"},
		"giant exponent":          {decimal.New(1, 2_000_000_000), "AUD", "2000000000"},
		"giant negative exponent": {decimal.New(1, -2_000_000_000), "AUD", "-2000000000"},
		"largest exponent":        {decimal.New(1, math.MaxInt32), "AUD", "2147483647"},
		"smallest exponent":       {decimal.New(1, math.MinInt32), "AUD", "-2147483648"},
		"giant coefficient":       {decimal.RequireFromString("1" + strings.Repeat("0", 10_000)), "AUD", "33220"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := refund.MoneyFromDecimal(tt.d, tt.currency)
			assert.Contains(t, requireRefused(t, err, refund.ErrInvalidRequest, "Amount"), tt.want)
			assert.Equal(t, refund.Money{}, m)
		})
	}
}

func TestZeroMoney(t *testing.T) {
	var none refund.Money
	assert.True(t, none.IsZero())
	assert.Equal(t, "no amount", none.String())
	assert.Empty(t, none.Amount())
	assert.Empty(t, none.Currency())
	assert.Zero(t, none.Minor())
	assert.Zero(t, none.Sign())
	assert.True(t, none.Decimal().IsZero())

	zero := refund.MustParseMoney("0", "AUD")
	assert.False(t, zero.IsZero(), "0.00 AUD is an amount")
	assert.Zero(t, zero.Sign())
	assert.NotEqual(t, none, zero)
}

func TestMoneyIsComparable(t *testing.T) {
	a := refund.MustParseMoney("10.9", "AUD")
	b := refund.MustParseMoney("10.90", strings.Clone("AUD"))
	assert.True(t, a == b) //nolint:testifylint // it is == that is tested
	assert.Equal(t, 2, map[refund.Money]int{a: 1, b: 2}[a])
	assert.False(t, a == refund.MustParseMoney("10.90", "NZD")) //nolint:testifylint // as above
}

func TestMoneySign(t *testing.T) {
	assert.Equal(t, 1, refund.MustParseMoney("0.01", "AUD").Sign())
	assert.Equal(t, -1, refund.MustParseMoney("-0.01", "AUD").Sign())
	assert.Equal(t, -1, refund.MustParseMoney(minAUD, "AUD").Sign())
}

func TestMoneyArithmetic(t *testing.T) {
	const overflow = "overflow"
	for _, tt := range []struct {
		a, b, sum, difference string
		cmp                   int
	}{
		{"10.99", "0.01", "11.00", "10.98", 1},
		{"0.01", "10.99", "11.00", "-10.98", -1},
		{"5", "5", "10.00", "0.00", 0},
		{"-5", "3", "-2.00", "-8.00", -1},
		{"0", "0", "0.00", "0.00", 0},
		{maxAUD, "0", maxAUD, maxAUD, 1},
		{maxAUD, "0.01", overflow, "92233720368547758.06", 1},
		{maxAUD, "-0.01", "92233720368547758.06", overflow, 1},
		{maxAUD, maxAUD, overflow, "0.00", 0},
		{minAUD, "0", minAUD, minAUD, -1},
		{minAUD, "0.01", "-92233720368547758.07", overflow, -1},
		{minAUD, "-0.01", overflow, "-92233720368547758.07", -1},
		{minAUD, minAUD, overflow, "0.00", 0},
		{minAUD, maxAUD, "-0.01", overflow, -1},
		{maxAUD, minAUD, "-0.01", overflow, 1},
		{"0", minAUD, minAUD, overflow, 1},
		{"-0.01", minAUD, overflow, maxAUD, 1},
	} {
		t.Run(tt.a+" and "+tt.b, func(t *testing.T) {
			a, b := refund.MustParseMoney(tt.a, "AUD"), refund.MustParseMoney(tt.b, "AUD")
			check := func(want string, got refund.Money, err error) {
				t.Helper()
				if want == overflow {
					message := requireRefused(t, err, refund.ErrInvalidRequest, "Amount")
					assert.Contains(t, message, a.Amount())
					assert.Contains(t, message, b.Amount())
					assert.Equal(t, refund.Money{}, got)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, want+" AUD", got.String())
			}
			sum, err := a.Add(b)
			check(tt.sum, sum, err)
			difference, err := a.Sub(b)
			check(tt.difference, difference, err)
			order, err := a.Cmp(b)
			require.NoError(t, err)
			assert.Equal(t, tt.cmp, order)
		})
	}
}

func TestMoneyCurrenciesDoNotMix(t *testing.T) {
	aud, nzd := refund.MustParseMoney("1", "AUD"), refund.MustParseMoney("1", "NZD")
	for _, tt := range []struct{ a, b refund.Money }{
		{aud, nzd},
		{aud, refund.Money{}},
		{refund.Money{}, refund.Money{}},
	} {
		t.Run(tt.a.String()+" and "+tt.b.String(), func(t *testing.T) {
			check := func(err error) {
				t.Helper()
				message := requireRefused(t, err, refund.ErrCurrencyMismatch, "Currency")
				require.ErrorIs(t, err, refund.ErrCurrencyMismatch)
				assert.Contains(t, message, tt.a.String())
				assert.Contains(t, message, tt.b.String())
			}
			got, err := tt.a.Add(tt.b)
			check(err)
			assert.Equal(t, refund.Money{}, got)
			got, err = tt.a.Sub(tt.b)
			check(err)
			assert.Equal(t, refund.Money{}, got)
			order, err := tt.a.Cmp(tt.b)
			check(err)
			assert.Zero(t, order)
		})
	}
}

// The zero Money is where a sum starts. An amount that is not stated cannot be counted as nothing.
func TestMoneyAddsToNothing(t *testing.T) {
	var none refund.Money
	for _, amount := range []refund.Money{
		refund.MustParseMoney("1", "AUD"), refund.MustParseMoney("-1", "JPY"), refund.MustParseMoney("0", "AUD"), refund.MustParseMoney(maxAUD, "AUD"),
	} {
		sum, err := none.Add(amount)
		require.NoError(t, err)
		assert.Equal(t, amount, sum)

		sum, err = amount.Add(none)
		requireRefused(t, err, refund.ErrCurrencyMismatch, "Currency")
		assert.Equal(t, none, sum)

		difference, err := none.Sub(amount)
		requireRefused(t, err, refund.ErrCurrencyMismatch, "Currency")
		assert.Equal(t, none, difference)

		order, err := none.Cmp(amount)
		requireRefused(t, err, refund.ErrCurrencyMismatch, "Currency")
		assert.Zero(t, order)
	}
}

func TestSum(t *testing.T) {
	aud := func(amount string) refund.Money { return refund.MustParseMoney(amount, "AUD") }
	var none refund.Money
	for name, tt := range map[string]struct {
		amounts []refund.Money
		want    refund.Money
		kind    refund.Kind // of the error; 0 for none
		field   string
	}{
		"nothing":                  {nil, none, 0, ""},
		"one":                      {[]refund.Money{aud("10.99")}, aud("10.99"), 0, ""},
		"several":                  {[]refund.Money{aud("10.99"), aud("0.01"), aud("-1")}, aud("10.00"), 0, ""},
		"zero is an amount":        {[]refund.Money{aud("0"), aud("0")}, aud("0"), 0, ""},
		"up to the limit":          {[]refund.Money{aud(maxAUD), aud("-0.01"), aud("0.01")}, aud(maxAUD), 0, ""},
		"two currencies":           {[]refund.Money{aud("1"), refund.MustParseMoney("1", "NZD")}, none, refund.ErrCurrencyMismatch, "Currency"},
		"one that is not stated":   {[]refund.Money{none}, none, refund.ErrCurrencyMismatch, "Currency"},
		"the first is not stated":  {[]refund.Money{none, aud("1")}, none, refund.ErrCurrencyMismatch, "Currency"},
		"one between is not":       {[]refund.Money{aud("1"), none, aud("1")}, none, refund.ErrCurrencyMismatch, "Currency"},
		"the last is not stated":   {[]refund.Money{aud("1"), none}, none, refund.ErrCurrencyMismatch, "Currency"},
		"too much":                 {[]refund.Money{aud(maxAUD), aud("0.01")}, none, refund.ErrInvalidRequest, "Amount"},
		"too much on the way only": {[]refund.Money{aud(maxAUD), aud("0.01"), aud("-1")}, none, refund.ErrInvalidRequest, "Amount"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := refund.Sum(tt.amounts...)
			assert.Equal(t, tt.want, got)
			if tt.kind == 0 {
				require.NoError(t, err)
				return
			}
			requireRefused(t, err, tt.kind, tt.field)
		})
	}
}

// What a database stores and gives back, without one.
func TestMoneyInADatabase(t *testing.T) {
	for want, m := range map[string]refund.Money{
		"10.99 AUD": refund.MustParseMoney("10.99", "AUD"), "0.00 AUD": refund.MustParseMoney("0", "AUD"),
		"-1099 JPY": refund.MustParseMoney("-1099", "JPY"), minAUD + " AUD": refund.MustParseMoney(minAUD, "AUD"),
	} {
		stored, err := driver.DefaultParameterConverter.ConvertValue(m)
		require.NoError(t, err)
		assert.Equal(t, want, stored)
		stored, err = driver.DefaultParameterConverter.ConvertValue(&m)
		require.NoError(t, err)
		assert.Equal(t, want, stored)

		for _, column := range []any{want, []byte(want)} {
			back := refund.MustParseMoney("1", "NZD") // must be overwritten
			require.NoError(t, back.Scan(column))
			assert.Equal(t, m, back)
		}
	}
	column := []byte("10.99 AUD")
	var kept refund.Money
	require.NoError(t, kept.Scan(column))
	copy(column, "XXXXXXXXX")
	assert.Equal(t, refund.MustParseMoney("10.99", "AUD"), kept, "the driver's buffer is not kept")
}

// NULL is no amount, and no amount is NULL: 0.00 AUD is one.
func TestNoMoneyInADatabase(t *testing.T) {
	for _, none := range []any{refund.Money{}, &refund.Money{}, (*refund.Money)(nil)} {
		stored, err := driver.DefaultParameterConverter.ConvertValue(none)
		require.NoError(t, err)
		assert.Nil(t, stored)
	}
	for _, column := range []any{nil, "", []byte{}, []byte(nil)} {
		m := refund.MustParseMoney("1", "NZD")
		require.NoError(t, m.Scan(column))
		assert.True(t, m.IsZero(), "%#v", column)
	}
}

func TestMoneyScanRefuses(t *testing.T) {
	before := refund.MustParseMoney("1", "NZD")
	for _, column := range []any{
		int64(1099), true, time.Unix(0, 0), 10,
		struct{}{},
		&before, before,
		"10.99", "AUD", "10.999 AUD", "10.99 aud", " ", "10.99  AUD", "10.99 AUD ", `{"amount":"10.99","currency":"AUD"}`, "no amount",
		[]byte("10.99"), []byte("garbage"), strings.Repeat("9", 1<<20),
	} {
		m := before
		err := m.Scan(column)
		var e *refund.Error
		require.ErrorAs(t, err, &e, "%.40v", column)
		requireRefused(t, err, refund.ErrInvalidRequest, e.Field)
		assert.Contains(t, []string{"Amount", "Currency"}, e.Field)
		assert.Equal(t, before, m, "%.40v", column)
	}
}

func TestMoneyText(t *testing.T) {
	for _, want := range []string{"", "10.99 AUD", "-0.05 AUD", "0.00 AUD", "1099 JPY", "0.005 KWD", minAUD + " AUD"} {
		t.Run(want, func(t *testing.T) {
			m := refund.MustParseMoney("1", "NZD") // must be overwritten
			require.NoError(t, m.UnmarshalText([]byte(want)))
			assert.Equal(t, want == "", m.IsZero())

			text, err := m.MarshalText()
			require.NoError(t, err)
			assert.Equal(t, want, string(text))

			text, err = m.AppendText([]byte("refund "))
			require.NoError(t, err)
			assert.Equal(t, "refund "+want, string(text))
		})
	}
}

func TestMoneyUnmarshalTextRefuses(t *testing.T) {
	for text, field := range map[string]string{
		" ":                              "Currency",
		"10.99":                          "Amount",
		"AUD":                            "Amount",
		"no amount":                      "Currency",
		"10.99AUD":                       "Amount",
		"10.99  AUD":                     "Currency",
		" 10.99 AUD":                     "Currency",
		"10.99 AUD ":                     "Currency",
		"10.99\tAUD":                     "Amount",
		"AUD 10.99":                      "Currency",
		"10.999 AUD":                     "Amount",
		"10.99 aud":                      "Currency",
		strings.Repeat(" ", 1000):        "Amount",
		strings.Repeat("9", 30) + " AUD": "Amount",
	} {
		t.Run(text, func(t *testing.T) {
			before := refund.MustParseMoney("1", "NZD")
			m := before
			requireRefused(t, m.UnmarshalText([]byte(text)), refund.ErrInvalidRequest, field)
			assert.Equal(t, before, m)
		})
	}
}

func TestMoneyJSON(t *testing.T) {
	for want, m := range map[string]refund.Money{
		`{"amount":"10.99","currency":"AUD"}`:          refund.MustParseMoney("10.99", "AUD"),
		`{"amount":"-0.05","currency":"AUD"}`:          refund.MustParseMoney("-0.05", "AUD"),
		`{"amount":"0","currency":"JPY"}`:              refund.MustParseMoney("0", "JPY"),
		`{"amount":"` + minAUD + `","currency":"AUD"}`: refund.MustParseMoney(minAUD, "AUD"),
		`null`: {},
	} {
		t.Run(want, func(t *testing.T) {
			got, err := json.Marshal(m)
			require.NoError(t, err)
			assert.Equal(t, want, string(got))

			back := refund.MustParseMoney("1", "NZD") // must be overwritten, by null too
			require.NoError(t, json.Unmarshal(got, &back))
			assert.Equal(t, m, back)
		})
	}
}

func TestMoneyJSONReadsOtherSpelling(t *testing.T) {
	for _, data := range []string{
		" {\n\"currency\" : \"AUD\", \"amount\" : \"10.9\" } ",
		`{"\u0061mount":"10.90","currency":"\u0041UD"}`,
	} {
		var m refund.Money
		require.NoError(t, json.Unmarshal([]byte(data), &m), data)
		assert.Equal(t, refund.MustParseMoney("10.90", "AUD"), m)
	}
	m := refund.MustParseMoney("1", "NZD")
	require.NoError(t, m.UnmarshalJSON([]byte(" null ")))
	assert.True(t, m.IsZero())
}

func TestMoneyJSONInStruct(t *testing.T) {
	type order struct {
		Total refund.Money  `json:"total"`
		Paid  refund.Money  `json:"paid,omitzero"`
		Fee   *refund.Money `json:"fee,omitempty"`
	}
	zero := refund.MustParseMoney("0", "AUD")
	got, err := json.Marshal([]order{{}, {Total: zero, Paid: zero, Fee: &zero}})
	require.NoError(t, err)
	const amount = `{"amount":"0.00","currency":"AUD"}`
	assert.Equal(t, `[{"total":null},{"total":`+amount+`,"paid":`+amount+`,"fee":`+amount+`}]`, string(got)) //nolint:testifylint // byte for byte, not JSONEq

	o := order{Total: zero, Paid: zero}
	require.NoError(t, json.Unmarshal([]byte(`{"total":null}`), &o))
	assert.True(t, o.Total.IsZero(), "null must not keep the old value")
	assert.Equal(t, zero, o.Paid, "absence must")

	key, err := json.Marshal(map[refund.Money]bool{zero: true})
	require.NoError(t, err)
	assert.Equal(t, `{"0.00 AUD":true}`, string(key))
}

func TestMoneyUnmarshalJSONRefuses(t *testing.T) {
	for data, field := range map[string]string{
		``:                                  "Amount",
		`{`:                                 "Amount",
		`{}`:                                "Amount",
		`[]`:                                "Amount",
		`""`:                                "Amount",
		`10.99`:                             "Amount",
		`"10.99 AUD"`:                       "Amount",
		`{"amount":10.99,"currency":"AUD"}`: "Amount",
		`{"amount":1099,"currency":"AUD"}`:  "Amount",
		`{"amount":"1.00","amount":"2.00","currency":"AUD"}`: "Amount",
		`{"amount":"10.99"}`:                       "Amount",
		`{"currency":"AUD"}`:                       "Amount",
		`{"amount":null,"currency":"AUD"}`:         "Amount",
		`{"amount":"10.99","currency":null}`:       "Amount",
		`{"amount":"10.99","currency":36}`:         "Amount",
		`{"Amount":"10.99","currency":"AUD"}`:      "Amount",
		`{"amount":"10.99","CURRENCY":"AUD"}`:      "Amount",
		`{"amount":"1","currency":"AUD","x":"1"}`:  "Amount",
		`{"amount":"1","currency":"AUD","x":null}`: "Amount",
		`{"amount":"1","currency":"AUD"} {}`:       "Amount",
		`{"amount":"10.999","currency":"AUD"}`:     "Amount",
		`{"amount":"","currency":"AUD"}`:           "Amount",
		`{"amount":"1e2","currency":"AUD"}`:        "Amount",
		`{"amount":"10.99","currency":"aud"}`:      "Currency",
		`{"amount":"10.99","currency":""}`:         "Currency",
	} {
		t.Run(data, func(t *testing.T) {
			before := refund.MustParseMoney("1", "NZD")
			m := before
			requireRefused(t, m.UnmarshalJSON([]byte(data)), refund.ErrInvalidRequest, field)
			assert.Equal(t, before, m)
		})
	}
}

// TestMoneyDoesNotAllocate must not run beside parallel tests: they would be counted too.
func TestMoneyDoesNotAllocate(t *testing.T) {
	amount, currency := "-12345.67", strings.Clone("AUD")
	a, b := refund.MustParseMoney("10.99", "AUD"), refund.MustParseMoney("0.01", "AUD")
	buffer := make([]byte, 0, 64)
	for name, f := range map[string]func() bool{
		"ParseMoney":       func() bool { m, err := refund.ParseMoney(amount, currency); return err == nil && m.Minor() == -1234567 },
		"ParseMoney large": func() bool { m, err := refund.ParseMoney(minAUD, currency); return err == nil && m.Sign() < 0 },
		"MoneyFromMinor":   func() bool { m, err := refund.MoneyFromMinor(1099, currency); return err == nil && m == a },
		"==":               func() bool { return a != b },
		"Add":              func() bool { m, err := a.Add(b); return err == nil && m.Minor() == 1100 },
		"Sub":              func() bool { m, err := a.Sub(b); return err == nil && m.Minor() == 1098 },
		"Cmp":              func() bool { order, err := a.Cmp(b); return err == nil && order == 1 },
		"Minor":            func() bool { return a.Minor() == 1099 },
		"Currency":         func() bool { return a.Currency() == "AUD" },
		"Sign":             func() bool { return a.Sign() == 1 },
		"IsZero":           func() bool { return !a.IsZero() },
		"AppendText":       func() bool { text, err := a.AppendText(buffer); return err == nil && len(text) == len("10.99 AUD") },
	} {
		t.Run(name, func(t *testing.T) {
			ok := true
			allocs := testing.AllocsPerRun(100, func() { ok = ok && f() })
			assert.True(t, ok)
			assert.Zero(t, allocs)
		})
	}
}

func ExampleParseMoney() {
	m, err := refund.ParseMoney("10.9", "AUD")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m, "is", m.Minor(), "cents")

	// Nothing is ever rounded.
	_, err = refund.ParseMoney("10.999", "AUD")
	fmt.Println(errors.Is(err, refund.ErrInvalidRequest))
	// Output:
	// 10.90 AUD is 1090 cents
	// true
}

func ExampleMoney_Add() {
	item := refund.MustParseMoney("19.95", "AUD")
	shipping := refund.MustParseMoney("5.00", "AUD")
	total, err := item.Add(shipping)
	fmt.Println(total, err)

	_, err = item.Add(refund.MustParseMoney("500", "JPY"))
	fmt.Println(errors.Is(err, refund.ErrCurrencyMismatch))
	// Output:
	// 24.95 AUD <nil>
	// true
}
