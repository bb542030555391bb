package wire

import (
	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/refund"
)

const (
	// An amount in a response is a few digits: what is longer is absurd, and is not even parsed. Arithmetic on a giant
	// exponent takes gigabytes.
	maxDigits   = 64
	maxExact    = 21 // what no int64 of minor units has more than
	maxExponent = 64
	maxBits     = 256
)

// Sane reports whether d is of a size that can be calculated with and printed. Ask it first.
func Sane(d decimal.Decimal) bool {
	return d.Exponent() >= -maxExponent && d.Exponent() <= maxExponent && d.Coefficient().BitLen() <= maxBits
}

// Money converts the digits of an amount in major units, as a provider wrote them; the zero Money if there are none, or if
// they do not fit the currency.
//
// Providers that calculate in binary floating point show it: 53.77 arrives as 53.769999999999996. Such noise, less than
// a millionth, is rounded to the currency's minor unit here, and nothing else is rounded anywhere.
func Money(digits, currency string) refund.Money {
	if digits == "" || len(digits) > maxDigits {
		return refund.Money{}
	}
	if len(digits) <= maxExact {
		if exact, err := refund.ParseMoney(digits, currency); err == nil { // the usual amount, without a decimal
			return exact
		}
	}
	amount, err := decimal.NewFromString(digits)
	if err != nil {
		return refund.Money{}
	}
	return MoneyFromDecimal(&amount, currency)
}

// MoneyFromDecimal is Money for an amount that has been parsed; nil is none.
func MoneyFromDecimal(amount *decimal.Decimal, currency string) refund.Money {
	decimals, ok := refund.Decimals(currency)
	if !ok || amount == nil || !Sane(*amount) {
		return refund.Money{}
	}
	scale := int32(decimals) //nolint:gosec // 4 at most
	minor := amount.Shift(scale)
	if minor.Exponent() < 0 {
		exact := minor
		minor = exact.Round(0)
		if exact.Sub(minor).Abs().Cmp(decimal.New(1, scale-6)) >= 0 {
			return refund.Money{}
		}
	}
	units := minor.BigInt()
	if !units.IsInt64() {
		return refund.Money{}
	}
	money, err := refund.MoneyFromMinor(units.Int64(), currency)
	if err != nil {
		return refund.Money{}
	}
	return money
}
