package refund

import (
	"bytes"
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Money is an exact amount in an ISO 4217 currency: a whole number of minor units (cents of AUD, yen of JPY).
//
// The zero value states no amount, in no currency: what a provider that does not state one leaves. It is not
// zero money: 0.00 AUD is an amount, and differs from it. A sum starts with it, see Add.
//
// Money is a value: compare it with ==, use it as a map key, copy it and share it between goroutines freely.
// Nothing here rounds. Every error is an *Error with OutcomeNotSent, and comes with the zero Money.
type Money struct {
	minor    int64
	currency string // in the table of minorUnits; empty only in the zero Money
}

const (
	// maxAmountLen bounds the text of an amount. No int64 needs more than 21 characters; the rest is for leading zeros.
	maxAmountLen = 32
	// maxDecimalExp and maxDecimalBits bound what MoneyFromDecimal calculates with. An int64 needs 19 digits
	// and 63 bits; the rest is for trailing zeros.
	maxDecimalExp  = 64
	maxDecimalBits = 256
)

// ParseMoney reads an amount in plain decimal notation and a currency: ParseMoney("10.99", "AUD").
//
// The amount is an optional minus sign, digits and, if there is a point, one decimal or more, but no more than
// the currency has. Decimals may be left out: "10", "10.9" and "10.90" are good AUD. Signs other than minus,
// exponents, spaces and thousands separators are errors; so are too many decimals, even zeros, and amounts that
// do not fit an int64 of minor units. The currency is three upper-case letters.
func ParseMoney(amount, currency string) (Money, error) {
	scale, err := scaleOf(currency)
	if err != nil {
		return Money{}, err
	}
	if len(amount) > maxAmountLen {
		return Money{}, invalid("Amount", "%s: no amount has more than %d characters", quoteShort(amount), maxAmountLen)
	}
	unsigned := strings.TrimPrefix(amount, "-")
	whole, decimals, point := strings.Cut(unsigned, ".")
	if !digitsOnly(whole) || point && !digitsOnly(decimals) {
		return Money{}, invalid("Amount", "%s is not a plain decimal number; write it like %q", quoteShort(amount), exampleAmount(scale))
	}
	if len(decimals) > scale {
		// Zeros are no exception: 10.990 is ten thousand and more to whoever groups thousands with points.
		return Money{}, tooPrecise(quoteShort(amount), currency, scale)
	}
	sign := amount[:len(amount)-len(unsigned)]
	minor, err := strconv.ParseInt(sign+whole+decimals+"0000"[:scale-len(decimals)], 10, 64)
	if err != nil {
		return Money{}, outOfRange(quoteShort(amount), currency)
	}
	return Money{minor, currency}, nil
}

// MustParseMoney is ParseMoney for constants and tests: it panics where ParseMoney returns an error.
func MustParseMoney(amount, currency string) Money {
	m, err := ParseMoney(amount, currency)
	if err != nil {
		panic(err)
	}
	return m
}

// MoneyFromMinor makes Money of minor units: 1099 AUD is 10.99 AUD, 1099 JPY is 1099 JPY.
// An unknown currency is an error.
func MoneyFromMinor(minor int64, currency string) (Money, error) {
	if _, err := scaleOf(currency); err != nil {
		return Money{}, err
	}
	return Money{minor, currency}, nil
}

// MoneyFromDecimal makes Money of a decimal, which must be exact in the currency: 10.9900 is good AUD, 10.999
// is an error. So are an unknown currency, amounts that do not fit an int64 of minor units, and decimals of
// absurd size, such as an exponent beyond ±64.
func MoneyFromDecimal(d decimal.Decimal, currency string) (Money, error) {
	scale, err := scaleOf(currency)
	if err != nil {
		return Money{}, err
	}
	// First of all, because arithmetic on a giant exponent, printing it included, takes gigabytes.
	if exp := d.Exponent(); exp < -maxDecimalExp || exp > maxDecimalExp {
		return Money{}, invalid("Amount", "a decimal with exponent %d is no amount", exp)
	}
	if bits := d.Coefficient().BitLen(); bits > maxDecimalBits {
		return Money{}, invalid("Amount", "a decimal with a coefficient of %d bits is no amount", bits)
	}
	minor := d.Shift(int32(scale)) //nolint:gosec // 4 at most
	if !minor.IsInteger() {
		return Money{}, tooPrecise(quoteShort(d.String()), currency, scale)
	}
	units := minor.BigInt()
	if !units.IsInt64() {
		return Money{}, outOfRange(quoteShort(d.String()), currency)
	}
	return Money{units.Int64(), currency}, nil
}

// Minor returns the amount in minor units. The zero Money has 0; ask IsZero to tell it from an amount of zero.
func (m Money) Minor() int64 { return m.minor }

// Currency returns the ISO 4217 code, "" for the zero Money.
func (m Money) Currency() string { return m.currency }

// Decimal returns the amount in major units, with the decimals of the currency: 10.90 for 10.90 AUD.
// The zero Money has 0.
func (m Money) Decimal() decimal.Decimal {
	return decimal.New(m.minor, -int32(m.scale())) //nolint:gosec // 4 at most
}

// Amount returns the amount in major units with exactly the decimals of the currency: "10.90" for AUD, "10" for
// JPY. The zero Money has "".
func (m Money) Amount() string { return string(m.appendAmount(nil)) }

// String returns "10.99 AUD", or "no amount" for the zero Money.
func (m Money) String() string {
	if m.IsZero() {
		return "no amount"
	}
	return string(m.appendText(nil))
}

// IsZero reports whether m is the zero Money, which states no amount. It is false for 0.00 AUD: that is what
// Sign is for. The json option omitzero uses it.
func (m Money) IsZero() bool { return m == Money{} }

// Sign returns -1, 0 or 1 for a negative amount, zero and a positive one. The zero Money has 0.
func (m Money) Sign() int { return cmp.Compare(m.minor, 0) }

// Add returns m + n. Different currencies are an error (ErrCurrencyMismatch), and so is a sum that does not fit.
//
// The zero Money is where a sum starts: with it as m the result is n. As n it is an error, because an amount that is not
// stated cannot be counted as nothing.
func (m Money) Add(n Money) (Money, error) {
	if m.IsZero() && !n.IsZero() {
		return n, nil
	}
	if err := m.match(n); err != nil {
		return Money{}, err
	}
	sum := m.minor + n.minor
	if (sum < m.minor) != (n.minor < 0) { // wrapped around
		return Money{}, outOfRange(m.Amount()+" plus "+n.Amount(), m.currency)
	}
	return Money{sum, m.currency}, nil
}

// Sum adds amounts, with the errors of Add. Without amounts it is the zero Money.
func Sum(amounts ...Money) (Money, error) {
	var total Money
	for _, m := range amounts {
		var err error
		if total, err = total.Add(m); err != nil {
			return Money{}, err
		}
	}
	return total, nil
}

// Sub returns m - n. Different currencies are an error (ErrCurrencyMismatch), and so is a difference that does not fit. The
// zero Money matches none, itself included.
func (m Money) Sub(n Money) (Money, error) {
	if err := m.match(n); err != nil {
		return Money{}, err
	}
	difference := m.minor - n.minor
	if (difference > m.minor) != (n.minor < 0) { // wrapped around
		return Money{}, outOfRange(m.Amount()+" minus "+n.Amount(), m.currency)
	}
	return Money{difference, m.currency}, nil
}

// Cmp returns -1, 0 or 1 for m less than, equal to and greater than n. Different currencies are an error
// (ErrCurrencyMismatch); the zero Money matches none, itself included. For equality alone use ==.
func (m Money) Cmp(n Money) (int, error) {
	if err := m.match(n); err != nil {
		return 0, err
	}
	return cmp.Compare(m.minor, n.minor), nil
}

// AppendText appends what MarshalText returns. It never fails.
func (m Money) AppendText(b []byte) ([]byte, error) { return m.appendText(b), nil }

// MarshalText returns "10.99 AUD", or nothing for the zero Money. It never fails.
func (m Money) MarshalText() ([]byte, error) { return m.appendText([]byte{}), nil }

// UnmarshalText reads what MarshalText writes: an amount as ParseMoney takes it, one space, a currency. Empty
// text sets m to the zero Money. After an error m is as it was.
func (m *Money) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = Money{}
		return nil
	}
	if len(text) > maxAmountLen+len(" AUD") {
		return invalid("Amount", "%s is too long; write it like \"10.99 AUD\"", quoteShort(text))
	}
	amount, currency, ok := strings.Cut(string(text), " ")
	if !ok {
		return invalid("Amount", "%s has no currency; write it like \"10.99 AUD\"", quoteShort(text))
	}
	parsed, err := ParseMoney(amount, currency)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// Value implements database/sql/driver.Valuer: what MarshalText returns, or NULL for the zero Money.
func (m Money) Value() (driver.Value, error) {
	if m.IsZero() {
		return nil, nil
	}
	return m.String(), nil
}

// Scan implements database/sql.Scanner: it reads what Value writes. After an error m is as it was.
func (m *Money) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*m = Money{}
		return nil
	case string:
		return m.UnmarshalText([]byte(v))
	case []byte:
		return m.UnmarshalText(v)
	}
	return invalid("Amount", "cannot be read from a column of type %T; it must be text like \"10.99 AUD\"", src)
}

// MarshalJSON returns {"amount":"10.99","currency":"AUD"}, or null for the zero Money. The amount is a string,
// because many readers of JSON turn numbers into floats. It never fails.
func (m Money) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	b := m.appendAmount([]byte(`{"amount":"`))
	b = append(b, `","currency":"`...)
	b = append(b, m.currency...)
	return append(b, `"}`...), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing else: both members, as strings, spelled like that
// and without company. null sets m to the zero Money. After an error m is as it was.
func (m *Money) UnmarshalJSON(data []byte) error {
	// A map, because a struct would also take "AMOUNT"; pointers, because null is no string.
	var members map[string]*string
	err := json.Unmarshal(data, &members)
	if err == nil && members == nil { // null alone leaves the map nil
		*m = Money{}
		return nil
	}
	amount, currency := members["amount"], members["currency"]
	if err != nil || amount == nil || currency == nil || len(members) != 2 || tokens(data) != 6 {
		return invalid("Amount", `%s is not like {"amount":"10.99","currency":"AUD"}, with two strings`, quoteShort(data))
	}
	parsed, err := ParseMoney(*amount, *currency)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// tokens counts the tokens of JSON: a member that is there twice is in no map.
func tokens(data []byte) (n int) {
	for d := json.NewDecoder(bytes.NewReader(data)); ; n++ {
		if _, err := d.Token(); err != nil {
			return n
		}
	}
}

// scale returns the decimals of the currency; 0 for the zero Money.
func (m Money) scale() int {
	digits, _ := minorUnits(m.currency)
	return digits
}

// match returns the error of calculating with m and n if their currencies forbid it.
func (m Money) match(n Money) error {
	if m.currency == n.currency && m.currency != "" {
		return nil
	}
	err := invalid("Currency", "%s and %s do not match", m, n)
	err.Kind = ErrCurrencyMismatch
	return err
}

func (m Money) appendText(b []byte) []byte {
	if m.IsZero() {
		return b
	}
	b = append(m.appendAmount(b), ' ')
	return append(b, m.currency...)
}

func (m Money) appendAmount(b []byte) []byte {
	if m.IsZero() {
		return b
	}
	units := uint64(m.minor) //nolint:gosec // two's complement: the next lines make it the absolute value, of math.MinInt64 too
	if m.minor < 0 {
		b = append(b, '-')
		units = -units
	}
	one := uint64(1) // of the major unit
	for range m.scale() {
		one *= 10
	}
	b = strconv.AppendUint(b, units/one, 10)
	if one == 1 {
		return b
	}
	// 5 cents are written as 105: that keeps the leading zero, and the 1 makes room for the point.
	point := len(b)
	b = strconv.AppendUint(b, one+units%one, 10)
	b[point] = '.'
	return b
}

func scaleOf(currency string) (int, error) {
	digits, ok := minorUnits(currency)
	if !ok {
		return 0, invalid("Currency", "%s is not an active ISO 4217 currency with a minor unit; write three upper-case letters, like \"AUD\"", quoteShort(currency))
	}
	return digits, nil
}

func tooPrecise(quoted, currency string, scale int) error {
	limit := "no decimals"
	if scale > 0 {
		limit = strconv.Itoa(scale) + " decimals at most"
	}
	return invalid("Amount", "%s: %s has %s; write it like %q", quoted, currency, limit, exampleAmount(scale))
}

func outOfRange(what, currency string) error {
	return invalid("Amount", "%s is out of range; %s goes from %s to %s", what, currency,
		Money{math.MinInt64, currency}.Amount(), Money{math.MaxInt64, currency}.Amount())
}

// exampleAmount is an amount with as many decimals as scale allows.
func exampleAmount(scale int) string {
	if scale == 0 {
		return "10"
	}
	return "10.9999"[:len("10.")+scale]
}

func digitsOnly(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// quoteShort quotes a caller's value for an error, cut to a length that fits a line of a log.
func quoteShort[T string | []byte](value T) string {
	if len(value) > maxAmountLen {
		return strconv.Quote(string(value[:maxAmountLen])) + "..."
	}
	return strconv.Quote(string(value))
}
