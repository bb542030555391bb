package refund

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"
)

// Refund is a refund as the provider has it.
type Refund struct {
	ID             string // the provider's id; empty where it gives none
	IdempotencyKey string // yours; empty for a refund that was not made with one
	Provider       string
	Order          Order
	// Amount is what the provider states; the zero Money where it states none.
	Amount Money
	Status Status
	// ProviderStatus is the provider's own word, verbatim; empty where it has none.
	ProviderStatus string
	CreatedAt      time.Time // by the provider's clock; zero if it does not say
	LocksAt        time.Time // when it can no longer be replaced or canceled; zero if it does not say
	ExpiresAt      time.Time // when a refund that needs action lapses; zero if it does not say
	FailureReason  string    // the provider's words for why it failed
	// Warnings are remarks for the log: nothing in them needs handling.
	Warnings []string
	// Raw is the provider's answer that this was read from. It may hold personal data.
	Raw Raw `json:"-"`
}

// String returns one line without the provider's answer, which may hold personal data.
func (r Refund) String() string {
	return "refund " + strconv.Quote(r.ID) + " of " + r.Amount.String() + ", order " + strconv.Quote(r.Order.ID) +
		", key " + strconv.Quote(r.IdempotencyKey) + ": " + cmp.Or(string(r.Status), strconv.Quote(r.ProviderStatus))
}

// Status is how far a refund has got. It is open: a provider's status that nobody has seen before is "", and
// Refund.ProviderStatus has it verbatim.
type Status string

// The statuses.
const (
	StatusSucceeded   Status = "succeeded"    // the provider has carried it out
	StatusPending     Status = "pending"      // accepted, not carried out yet
	StatusNeedsAction Status = "needs_action" // waiting for the shopper or the shop
	StatusFailed      Status = "failed"       // final: nothing was paid
	StatusCanceled    Status = "canceled"     // final: taken back before it was paid
	StatusExpired     Status = "expired"      // final: the needed action did not come in time
)

// Raw is a provider's answer, byte for byte. It may hold personal data, so it never prints itself; convert it to
// []byte to read it.
type Raw []byte

// Format prints the length only, for every verb: %d would write the bytes as numbers.
func (r Raw) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, r.String()) //nolint:errcheck // fmt reports it to whoever called fmt
}

// String returns the length only.
func (r Raw) String() string { return "[" + strconv.Itoa(len(r)) + " bytes]" }

// GoString is String.
func (r Raw) GoString() string { return r.String() }

// LogValue is String.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String, so that no encoder writes the bytes by accident.
func (r Raw) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
