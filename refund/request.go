package refund

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// MaxIdempotencyKey is the greatest length of an idempotency key.
const MaxIdempotencyKey = 64

// Request asks for one refund.
//
// Fields that decide how much money moves, and where from, are refused with ErrInvalidRequest if the provider
// cannot carry them. Reason and Metadata are information: a provider that has no place for them does not get
// them, and Capabilities says so.
type Request struct {
	// IdempotencyKey is your own unique name of this refund: 1 to 64 of A-Z a-z 0-9 . _ : -. The same key means
	// the same refund, for ever. Store it before you call. Required.
	IdempotencyKey string
	// Order is what is refunded. Which of its ids are required depends on the provider.
	Order Order
	// Amount is how much. Required and positive; there is no way to write "everything" by leaving it empty.
	Amount Money
	// Part is what it is for. The zero value is the order as a whole.
	Part Part
	// Line is one order row or item, by the provider's id. Empty: no particular one.
	Line string

	// Reason is free text for whoever reads the refund.
	Reason string
	// Metadata is your own data. No personal data belongs here.
	Metadata map[string]string
}

// Order names an order. It is comparable.
type Order struct {
	ID         string // the provider's id of the order
	MerchantID string // your own id of it
	InvoiceID  string // an invoice of it, where the provider has them
	// PurchasedAt is when the order was placed, for providers that refund within a window only. The zero time
	// means that it is not known and not checked here.
	PurchasedAt time.Time
}

// Part is what a refund is for.
type Part string

// The parts. PartOrder is the zero value.
const (
	PartOrder       Part = ""
	PartShipping    Part = "shipping"
	PartTax         Part = "tax"
	PartDuty        Part = "duty"
	PartImporterTax Part = "importer_tax"
	PartFee         Part = "fee"
	PartReturnCost  Part = "return_cost"
)

// NewIdempotencyKey makes a key: a UUIDv7, so that keys sort by time. Store it before you use it. It panics if
// the system has no randomness to give.
func NewIdempotencyKey() string { return uuid.Must(uuid.NewV7()).String() }

// String returns the request without Reason and Metadata, which may hold personal data.
func (r Request) String() string {
	return "refund of " + r.Amount.String() + ", order " + strconv.Quote(r.Order.ID) + ", key " + strconv.Quote(r.IdempotencyKey)
}

// GoString is String, for the same reason.
func (r Request) GoString() string { return "refund.Request{" + r.String() + "}" }

// Format prints String or, for %#v, GoString, for every verb: those that fmt asks neither of would print all fields.
func (r Request) Format(f fmt.State, verb rune) {
	text := r.String()
	if verb == 'v' && f.Flag('#') {
		text = r.GoString()
	}
	_, _ = io.WriteString(f, text) //nolint:errcheck // fmt reports it to whoever called fmt
}

// LogValue is String, because a handler that writes JSON would print all fields.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// checkKey reports what is wrong with an idempotency key.
func checkKey(key string) *Error {
	if key == "" {
		return invalid("IdempotencyKey", "is empty; make one with refund.NewIdempotencyKey and store it before the call")
	}
	if len(key) > MaxIdempotencyKey {
		return invalid("IdempotencyKey", "has %d characters; %d are allowed", len(key), MaxIdempotencyKey)
	}
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return invalid("IdempotencyKey", "has %s at position %d; allowed are A-Z a-z 0-9 . _ : -", quoteByte(c), i)
		}
	}
	return nil
}

func quoteByte(c byte) string {
	if c >= 0x80 {
		return fmt.Sprintf("byte 0x%02x", c)
	}
	return strconv.QuoteRune(rune(c))
}
