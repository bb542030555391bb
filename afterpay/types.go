package afterpay

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/lenient"
	"github.com/multirefund/refund-go/refund"
)

// Money is Afterpay's amount: major units with two decimals at the most, and an ISO 4217 code. (Money object pages)
// Read from JSON it keeps the provider's digits; a missing amount is an error, not zero.
type Money struct {
	Amount   decimal.Decimal
	Currency string
}

// MoneyOf converts an amount of the common language.
func MoneyOf(m refund.Money) Money { return Money{Amount: m.Decimal(), Currency: m.Currency()} }

// MarshalJSON writes {"amount":"10.00","currency":"AUD"}: a string with exactly two decimals.
func (m Money) MarshalJSON() ([]byte, error) {
	amount := m.Amount.StringFixed(2)
	b := make([]byte, 0, len(amount)+40)
	b = append(b, `{"amount":"`...)
	b = append(b, amount...)
	b = append(b, `","currency":`...)
	b = strconv.AppendQuote(b, m.Currency)
	return append(b, '}'), nil
}

// UnmarshalJSON reads the amount from a string, as documented, or from a number.
func (m *Money) UnmarshalJSON(data []byte) error {
	var w struct {
		Amount   *decimal.Decimal `json:"amount"`
		Currency string           `json:"currency"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return err //nolint:wrapcheck // wrapped once, in httpx
	}
	if w.Amount == nil {
		return errors.New("amount is missing")
	}
	m.Amount, m.Currency = *w.Amount, w.Currency
	return nil
}

// common converts to the common language; the zero Money if the provider's amount does not fit.
func (m *Money) common() refund.Money {
	if m == nil {
		return refund.Money{}
	}
	got, err := refund.MoneyFromDecimal(m.Amount, m.Currency)
	if err != nil {
		return refund.Money{}
	}
	return got
}

// Time is a date of Afterpay's: ISO 8601 in UTC. One that cannot be read is the zero time, never a failure: the rest
// of the answer counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time, _ = lenient.Time(lenient.Text(data), time.UTC)
	return nil
}

// RefundRequest is the body of Create Refund.
type RefundRequest struct {
	// RequestID and MerchantReference, unique for each refund, make the call idempotent, but only together.
	// 64 characters at the most (two of the provider's pages differ, 64 is allowed by both). Required.
	RequestID, MerchantReference string
	// Amount is greater than zero, in the order's currency. Required.
	Amount Money
	// RefundMerchantReference is shown as "Payment Event ID" in the settlement file. 128 characters at the most.
	RefundMerchantReference string
}

// wireRefund is the body of Create Refund as it is sent.
type wireRefund struct {
	RequestID         string `json:"requestId"`
	MerchantReference string `json:"merchantReference"`
	Amount            struct {
		Amount   string `json:"amount"`
		Currency string `json:"currency"`
	} `json:"amount"`
	RefundMerchantReference string `json:"refundMerchantReference,omitempty"`
}

func (r *RefundRequest) wire() *wireRefund {
	w := &wireRefund{
		RequestID: r.RequestID, MerchantReference: r.MerchantReference, RefundMerchantReference: r.RefundMerchantReference,
	}
	w.Amount.Amount, w.Amount.Currency = r.Amount.Amount.StringFixed(2), r.Amount.Currency
	return w
}

// Refund is a refund as Afterpay answers it, and as it stands in Payment.Refunds, where entries made by a void are
// as well. Every member but RefundID may be missing: what was not sent is not echoed.
type Refund struct {
	RefundID                string `json:"refundId"`
	RefundedAt              Time   `json:"refundedAt"`
	RequestID               string `json:"requestId"`
	Amount                  *Money `json:"amount"`
	MerchantReference       string `json:"merchantReference"`
	RefundMerchantReference string `json:"refundMerchantReference"`
}

// PaymentStatus is whether a payment was approved. Open: new values are kept verbatim.
type PaymentStatus string

// The documented payment statuses.
const (
	PaymentApproved PaymentStatus = "APPROVED"
	PaymentDeclined PaymentStatus = "DECLINED"
)

// PaymentState is where the money of a payment is. Open: new values are kept verbatim.
type PaymentState string

// The documented payment states.
const (
	StateAuthApproved      PaymentState = "AUTH_APPROVED"
	StateAuthDeclined      PaymentState = "AUTH_DECLINED"
	StatePartiallyCaptured PaymentState = "PARTIALLY_CAPTURED"
	StateCaptured          PaymentState = "CAPTURED"
	StateCaptureDeclined   PaymentState = "CAPTURE_DECLINED"
	StateVoided            PaymentState = "VOIDED"
	StateExpired           PaymentState = "EXPIRED"
)

// EventType is what happened to a payment. There is none for refunds. Open: new values are kept verbatim.
type EventType string

// The documented event types.
const (
	EventAuthApproved    EventType = "AUTH_APPROVED"
	EventAuthDeclined    EventType = "AUTH_DECLINED"
	EventCaptured        EventType = "CAPTURED"
	EventCaptureDeclined EventType = "CAPTURE_DECLINED"
	EventVoided          EventType = "VOIDED"
	EventExpired         EventType = "EXPIRED"
)

// Payment is an order at Afterpay.
type Payment struct {
	ID                  string          `json:"id"`
	Token               string          `json:"token"`
	Status              PaymentStatus   `json:"status"`
	Created             Time            `json:"created"`
	OriginalAmount      *Money          `json:"originalAmount"`
	OpenToCaptureAmount *Money          `json:"openToCaptureAmount"`
	PaymentState        PaymentState    `json:"paymentState"`
	MerchantReference   string          `json:"merchantReference"`
	Refunds             []Refund        `json:"refunds"` // in no reliable order
	Events              []Event         `json:"events"`
	OrderDetails        json.RawMessage `json:"orderDetails"` // holds personal data
}

// Event is one step in the life of a payment.
type Event struct {
	ID                            string    `json:"id"`
	Created                       Time      `json:"created"`
	Expires                       *Time     `json:"expires"` // of an AUTH_APPROVED, else nil
	Type                          EventType `json:"type"`
	Amount                        *Money    `json:"amount"`
	PaymentEventMerchantReference string    `json:"paymentEventMerchantReference"`
}

const (
	defaultLimit = 100
	maxLimit     = 250 // list-payments page
)

// PaymentFilter selects payments. The zero value selects all, newest first.
type PaymentFilter struct {
	FromCreatedDate, ToCreatedDate time.Time // inclusive
	IDs, Tokens                    []string
	MerchantReferences             []string // of the orders, not of refunds
	Statuses                       []PaymentStatus
	OrderBy                        string // createdAt (default), id, totalAmount, merchantReference or email
	Ascending                      bool
	Limit                          int // payments a page, 1 to 250; 0 means 100
	Offset                         int // payments to skip
	// IncludeNextLink pages by the provider's cursor instead of by offset: payments that arrive meanwhile do not
	// shift the pages.
	IncludeNextLink bool
}

func (f *PaymentFilter) check(op string) error {
	switch {
	case f.Limit < 0 || f.Limit > maxLimit:
		return httpx.Invalid(provider, op, "Limit", "is "+strconv.Itoa(f.Limit)+"; 1 to 250 are allowed, 0 means 100")
	case f.Offset < 0:
		return httpx.Invalid(provider, op, "Offset", "is negative")
	case f.Offset > 0 && f.IncludeNextLink:
		return httpx.Invalid(provider, op, "Offset", "does not go with IncludeNextLink, which pages by cursor")
	}
	return nil
}

type paymentList struct {
	TotalResults int        `json:"totalResults"`
	NextPageURL  string     `json:"nextPageUrl"`
	Results      []*Payment `json:"results"`
}
