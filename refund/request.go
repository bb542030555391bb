package refund

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// MaxKeyLength is the greatest length of an idempotency key, in bytes.
const MaxKeyLength = 64

// Request asks for one refund.
//
// Fields that decide how much money moves, and where from, are refused with ErrInvalidRequest if the provider
// cannot carry them. Reason and Metadata are information: a provider that has no place for them does not get
// them, and Capabilities says so.
type Request struct {
	// IdempotencyKey is your own unique name of this refund: 1 to 64 of A-Z a-z 0-9 . _ : -. The same key means
	// the same refund, forever. Store it before you call. Required.
	IdempotencyKey string `json:"idempotency_key"`
	// Order is what is refunded. Which of its ids are required depends on the provider.
	Order Order `json:"order"`
	// Amount is how much. Required and positive; there is no way to write "everything" by leaving it empty.
	Amount Money `json:"amount"`
	// Part is what it is for. The zero value is the order as a whole.
	Part Part `json:"part,omitzero"`
	// Line is one order row or item, by the provider's id. Empty means no particular one.
	Line string `json:"line,omitzero"`
	// PurchasedAt is when the order was placed, for providers that refund within a window only. The zero time means that
	// it is not known and not checked here.
	PurchasedAt time.Time `json:"purchased_at,omitzero"`
	// Captured is what the provider took for the whole order, exactly: not a limit, not a subtotal. The zero Money means
	// that it is not known. It is not sent. A client refuses an Amount that is greater.
	Captured Money `json:"captured,omitzero"`

	// Reason is free text for whoever reads the refund.
	Reason string `json:"reason,omitzero"`
	// Metadata is your own data. No personal data belongs here.
	Metadata map[string]string `json:"metadata,omitzero"`
}

// Order names an order. It is comparable.
type Order struct {
	ID         string `json:"id,omitzero"`          // the provider's id of the order
	MerchantID string `json:"merchant_id,omitzero"` // your own id of it
	InvoiceID  string `json:"invoice_id,omitzero"`  // an invoice of it, where the provider has them
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

// Format prints String for every verb: %#v and those that need no String would print all fields.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, r.String()) //nolint:errcheck // fmt reports it to whoever called fmt
}

// LogValue is String, because a handler that writes JSON would print all fields.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// checkKey reports what is wrong with an idempotency key.
func checkKey(key string) *Error {
	if key == "" {
		return invalid("IdempotencyKey", "is empty; make one with refund.NewIdempotencyKey and store it before the call")
	}
	if len(key) > MaxKeyLength {
		return invalid("IdempotencyKey", "has %d characters; %d are allowed", len(key), MaxKeyLength)
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
