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
	ID             string `json:"id,omitzero"`              // the provider's id; empty where it gives none
	IdempotencyKey string `json:"idempotency_key,omitzero"` // yours; empty for a refund that was not made with one
	Provider       string `json:"provider"`
	Account        string `json:"account,omitzero"` // Options.Account of the client
	Order          Order  `json:"order"`
	// Amount is what the provider states; the zero Money where it states none.
	Amount Money `json:"amount,omitzero"`
	// Status says whether it was paid.
	Status Status `json:"status,omitzero"`
	// ProviderStatus is the provider's own word, verbatim; empty where it has none.
	ProviderStatus string    `json:"provider_status,omitzero"`
	CreatedAt      time.Time `json:"created_at,omitzero"`     // by the provider's clock; zero if it does not say
	LocksAt        time.Time `json:"locks_at,omitzero"`       // when it can no longer be replaced or canceled; zero if it does not say
	ExpiresAt      time.Time `json:"expires_at,omitzero"`     // when a refund that needs action lapses; zero if it does not say
	FailureReason  string    `json:"failure_reason,omitzero"` // the provider's words for why it failed
	// Replayed says that this is the recorded result of an earlier call with the same key: nothing was sent now.
	Replayed bool `json:"replayed,omitzero"`
	// Warnings are remarks for the log: nothing in them needs handling.
	Warnings []string `json:"warnings,omitzero"`
	// Raw is the provider's response that this was read from. It may hold personal data.
	Raw Raw `json:"-"`
}

// String returns one line without the provider's answer, which may hold personal data.
func (r Refund) String() string {
	return "refund " + strconv.Quote(r.ID) + " of " + r.Amount.String() + ", order " + strconv.Quote(r.Order.ID) +
		", key " + strconv.Quote(r.IdempotencyKey) + ": " + cmp.Or(string(r.Status), strconv.Quote(r.ProviderStatus))
}

// Status is how far a refund has got. It is open: a provider's status that this module does not know is StatusUnknown,
// and Refund.ProviderStatus has it verbatim.
type Status string

// The statuses.
const (
	StatusUnknown     Status = ""             // not one of those below; see Refund.ProviderStatus
	StatusSucceeded   Status = "succeeded"    // the provider has carried it out
	StatusPending     Status = "pending"      // accepted, not carried out yet
	StatusNeedsAction Status = "needs_action" // waiting for the shopper or the shop
	StatusFailed      Status = "failed"       // final: nothing was paid
	StatusCanceled    Status = "canceled"     // final: taken back before it was paid
	StatusExpired     Status = "expired"      // final: the needed action did not come in time
)

// Raw is a provider's response, byte for byte. It may hold personal data, so it never prints itself; convert it to
// []byte to read it.
type Raw []byte

// Format prints the length only, for every verb: %d would write the bytes as numbers.
func (r Raw) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, r.String()) //nolint:errcheck // fmt reports it to whoever called fmt
}

// String returns the length only.
func (r Raw) String() string { return "[" + strconv.Itoa(len(r)) + " bytes]" }

// LogValue is String.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String, so that no encoder writes the bytes by accident.
func (r Raw) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
