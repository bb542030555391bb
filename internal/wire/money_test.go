package wire_test

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// decimalOf parses digits as a provider's type does; nil if they are no number.
func decimalOf(digits string) *decimal.Decimal {
	d, err := decimal.NewFromString(digits)
	if err != nil {
		return nil
	}
	return &d
}

func TestMoney(t *testing.T) {
	const none = ""
	for _, tt := range []struct{ digits, currency, want string }{
		// Exact, in every number of decimals.
		{"10.99", "AUD", "10.99"},
		{"10.9", "AUD", "10.90"},
		{"10", "AUD", "10.00"},
		{"10.9900", "AUD", "10.99"},
		{"-10.99", "AUD", "-10.99"},
		{"0", "AUD", "0.00"}, // an amount, not the zero Money
		{"-0", "AUD", "0.00"},
		{"1099", "JPY", "1099"},
		{"1099.0", "JPY", "1099"},
		{"1.005", "KWD", "1.005"},
		{"1.0001", "CLF", "1.0001"},
		{"1e2", "AUD", "100.00"}, // JSON allows it
		{"1.5E+1", "AUD", "15.00"},
		{"92233720368547758.07", "AUD", "92233720368547758.07"},
		{"-92233720368547758.08", "AUD", "-92233720368547758.08"},

		// Binary noise, less than a millionth.
		{"53.769999999999996", "AUD", "53.77"},
		{"0.30000000000000004", "AUD", "0.30"},
		{"1.1500000000000001", "AUD", "1.15"},
		{"-53.769999999999996", "AUD", "-53.77"},
		{"9.9999999999", "AUD", "10.00"},
		{"-0.0000000001", "AUD", "0.00"},
		{"10.9900009", "AUD", "10.99"},
		{"10.9899991", "AUD", "10.99"},
		{"10.990000999999999999", "AUD", "10.99"},
		{"1098.9999999", "JPY", "1099"},
		{"1.0049999999999", "KWD", "1.005"},
		{"1.00010000000001", "CLF", "1.0001"},

		// Too precise to be noise: nothing is rounded.
		{"10.990001", "AUD", none},
		{"10.989999", "AUD", none},
		{"-10.990001", "AUD", none},
		{"10.999", "AUD", none},
		{"10.995", "AUD", none},
		{"0.5", "JPY", none},
		{"1099.01", "JPY", none},
		{"1.0005", "KWD", none},
		{"1.00015", "CLF", none},
		{"1.000099", "CLF", none},

		// No amount.
		{"", "AUD", none},
		{"-", "AUD", none},
		{"null", "AUD", none},
		{"NaN", "AUD", none},
		{"Infinity", "AUD", none},
		{"ten", "AUD", none},
		{"10,99", "AUD", none},
		{"10.99 AUD", "AUD", none},
		{"1.0.0", "AUD", none},
		{"0x10", "AUD", none},
		{"1_000", "AUD", none},

		// No currency.
		{"10.99", "", none},
		{"10.99", "aud", none},
		{"10.99", "XAU", none},
		{"53.769999999999996", "ZZZ", none},

		// More than Money holds.
		{"92233720368547758.08", "AUD", none},
		{"-92233720368547758.09", "AUD", none},
		{"92233720368547758.0700001", "AUD", "92233720368547758.07"},
		{"9223372036854775808", "JPY", none},

		// Absurd.
		{"1e64", "AUD", none},
		{"1e65", "AUD", none},
		{"1e-65", "AUD", none},
		{"1e2000000000", "AUD", none},
		{"1e-2000000000", "AUD", none},
		{"1e99999999999999999999", "AUD", none},
		{"10." + strings.Repeat("0", 61), "AUD", "10.00"}, // 64 bytes
		{"10." + strings.Repeat("0", 62), "AUD", none},
		{strings.Repeat("0", 62) + "10", "AUD", "10.00"},
		{strings.Repeat("0", 63) + "10", "AUD", none},
		{strings.Repeat("9", 64), "AUD", none},
		{strings.Repeat("9", 1<<22), "AUD", none},
	} {
		got := wire.Money(tt.digits, tt.currency)
		want := refund.Money{}
		if tt.want != none {
			want = refund.MustParseMoney(tt.want, tt.currency)
		}
		assert.Equal(t, want, got, "%.70q %s", tt.digits, tt.currency)
		if len(tt.digits) <= 64 {
			assert.Equal(t, want, wire.MoneyFromDecimal(decimalOf(tt.digits), tt.currency), "%q %s, parsed", tt.digits, tt.currency)
		}
	}
}

// Every currency has its own number of decimals, and noise is rounded to it.
func TestMoneyOfEveryCurrency(t *testing.T) {
	for _, currency := range refund.Currencies() {
		decimals, ok := refund.Decimals(currency)
		require.True(t, ok, currency)
		minor := decimal.New(1, -int32(decimals)).String() // the smallest amount: 1, 0.1 and so on
		smallest, err := refund.MoneyFromMinor(1, currency)
		require.NoError(t, err)
		point := ""
		if decimals == 0 {
			point = "."
		}
		assert.Equal(t, smallest, wire.Money(minor, currency), currency)
		assert.Equal(t, smallest, wire.Money(minor+point+"0000000000001", currency), "%s with noise", currency)
		assert.Zero(t, wire.Money(minor+point+"1", currency), "%s, one decimal too many", currency)
	}
}

func TestMoneyFromDecimalOfNothing(t *testing.T) {
	assert.Zero(t, wire.MoneyFromDecimal(nil, "AUD"))
	assert.Equal(t, refund.MustParseMoney("0", "AUD"), wire.MoneyFromDecimal(&decimal.Decimal{}, "AUD"), "zero is an amount")
	assert.Zero(t, wire.MoneyFromDecimal(&decimal.Decimal{}, "aud"))
}

func TestSane(t *testing.T) {
	bits := func(n uint) *big.Int { return new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), n), big.NewInt(1)) }
	for name, tt := range map[string]struct {
		d    decimal.Decimal
		want bool
	}{
		"zero":                       {decimal.Decimal{}, true},
		"an amount":                  {decimal.New(1099, -2), true},
		"exponent 64":                {decimal.New(1, 64), true},
		"exponent 65":                {decimal.New(1, 65), false},
		"exponent -64":               {decimal.New(1, -64), true},
		"exponent -65":               {decimal.New(1, -65), false},
		"zero with a giant exponent": {decimal.New(0, math.MaxInt32), false},
		"largest exponent":           {decimal.New(1, math.MaxInt32), false},
		"smallest exponent":          {decimal.New(1, math.MinInt32), false},
		"256 bits":                   {decimal.NewFromBigInt(bits(256), 0), true},
		"257 bits":                   {decimal.NewFromBigInt(bits(257), 0), false},
		"negative, 257 bits":         {decimal.NewFromBigInt(new(big.Int).Neg(bits(257)), 0), false},
		"4 million digits":           {decimal.NewFromBigInt(bits(13_000_000), 0), false},
	} {
		assert.Equal(t, tt.want, wire.Sane(tt.d), name)
		if !tt.want {
			assert.Zero(t, wire.MoneyFromDecimal(&tt.d, "AUD"), name)
		}
	}
}

// FuzzMoney: whatever the digits are, the result is what they say, to less than a millionth, or nothing.
func FuzzMoney(f *testing.F) {
	for _, digits := range []string{
		"0", "-0", "10.99", "53.769999999999996", "10.990001", "0.5", "1e2", "1e64", "1e-65", "1e2000000000", "+5", ".5", "5.", "NaN", "null", "",
		"92233720368547758.07", "92233720368547758.0800000001", "-9223372036854775808.0000001", strings.Repeat("9", 65),
		"0." + strings.Repeat("9", 62), strings.Repeat("0", 40) + "1.10",
	} {
		for _, currency := range []string{"AUD", "JPY", "KWD", "CLF", "aud"} {
			f.Add(digits, currency)
		}
	}
	f.Fuzz(func(t *testing.T, digits, currency string) {
		got := wire.Money(digits, currency)
		if len(digits) > 64 {
			require.Zero(t, got)
			return
		}
		said := decimalOf(digits)
		require.Equal(t, wire.MoneyFromDecimal(said, currency), got, "both read the same")
		if exact, err := refund.ParseMoney(digits, currency); err == nil {
			require.Equal(t, exact, got)
		}
		if got.IsZero() {
			return
		}
		require.Equal(t, currency, got.Currency())
		require.True(t, said.Sub(got.Decimal()).Abs().LessThan(decimal.New(1, -6)), "%q became %s", digits, got)
		require.Equal(t, got, wire.Money(got.Amount(), currency))
	})
}

// BenchmarkMoneyOfAbsurdDigits: what is longer than an amount costs nothing, however long it is.
func BenchmarkMoneyOfAbsurdDigits(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 22} {
		digits := strings.Repeat("9", n)
		b.Run(strconv.Itoa(n)+" digits", func(b *testing.B) {
			for b.Loop() {
				if !wire.Money(digits, "AUD").IsZero() {
					b.Fatal("read as an amount")
				}
			}
		})
	}
}
