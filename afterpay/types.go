package afterpay

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// Money is an amount as Afterpay states it: the digits of major units, and an ISO 4217 code (Money object pages).
type Money struct {
	// Amount arrives as a string, as documented, or as a number. Empty if it is missing.
	Amount   json.Number `json:"amount"`
	Currency string      `json:"currency"`
}

// Common converts to the common language; the zero Money if m is nil, states no amount, or one that does not fit.
func (m *Money) Common() refund.Money {
	if m == nil {
		return refund.Money{}
	}
	return wire.Money(m.Amount.String(), m.Currency)
}

// Time is a date of Afterpay's: ISO 8601 in UTC. One that cannot be read is the zero time, never a failure: the rest
// of the answer counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = wire.JSONTime(data, time.UTC)
	return nil
}

// RefundRequest is the body of Create Refund.
type RefundRequest struct {
	// RequestID and MerchantReference, unique for each refund, make the call idempotent, but only together. At most 64
	// characters (two of the provider's pages differ, 64 is allowed by both). Required.
	RequestID, MerchantReference string
	// Amount is greater than zero, in the order's currency. Required.
	Amount refund.Money
	// RefundMerchantReference is shown as "Payment Event ID" in the settlement file. At most 128 characters.
	RefundMerchantReference string
}

func (r *RefundRequest) check(op *httpx.Op) error {
	for _, f := range [...]struct {
		name, value string
		limit       int
		required    bool
	}{
		{"RequestID", r.RequestID, maxReference, true},
		{"MerchantReference", r.MerchantReference, maxReference, true},
		{"RefundMerchantReference", r.RefundMerchantReference, maxRefundReference, false},
	} {
		if f.required && f.value == "" {
			return op.Invalid(f.name, "is empty; requestId and merchantReference make the refund idempotent, but only together")
		}
		if len(f.value) > f.limit {
			return op.Invalid(f.name, "has %d characters; %d are allowed", len(f.value), f.limit)
		}
	}
	if r.Amount.Sign() <= 0 {
		return op.Invalid("Amount", "is %s; it must be greater than zero", r.Amount)
	}
	return nil
}

// wireRefund is the body of Create Refund as it is sent: the amount is a string with the currency's decimals, which are
// two for all of Afterpay's.
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
	w.Amount.Amount, w.Amount.Currency = r.Amount.Amount(), r.Amount.Currency()
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

func (r *Refund) problem() string {
	if r.RefundID == "" {
		return "the response has no refundId"
	}
	return ""
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

func (p *Payment) problem() string {
	if p.ID == "" {
		return "the response has no id"
	}
	return ""
}

// voided reports whether an entry was made by a void: its id is then that of the VOIDED event (recorded by
// solidus_afterpay).
func (p *Payment) voided(r *Refund) bool {
	for i := range p.Events {
		if p.Events[i].Type == EventVoided && p.Events[i].ID == r.RefundID {
			return true
		}
	}
	return false
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

func (f *PaymentFilter) check(op *httpx.Op) error {
	switch {
	case f.Limit < 0 || f.Limit > maxLimit:
		return op.Invalid("Limit", "is %d; 1 to %d are allowed, 0 means %d", f.Limit, maxLimit, defaultLimit)
	case f.Offset < 0:
		return op.Invalid("Offset", "is negative")
	case f.Offset > 0 && f.IncludeNextLink:
		return op.Invalid("Offset", "does not go with IncludeNextLink, which pages by cursor")
	}
	return nil
}

// query repeats a parameter for each value: arrays in commas or brackets are answered with 500 (list-payments page).
func (f *PaymentFilter) query() url.Values {
	q := url.Values{}
	date := func(name string, t time.Time) {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	date("fromCreatedDate", f.FromCreatedDate)
	date("toCreatedDate", f.ToCreatedDate)
	add := func(name string, values []string) {
		if len(values) > 0 {
			q[name] = values
		}
	}
	add("ids", f.IDs)
	add("tokens", f.Tokens)
	add("merchantReferences", f.MerchantReferences)
	for _, s := range f.Statuses {
		q.Add("statuses", string(s))
	}
	if f.OrderBy != "" {
		q.Set("orderBy", f.OrderBy)
	}
	if f.Ascending {
		q.Set("ascending", "true")
	}
	if f.IncludeNextLink {
		q.Set("includeNextLink", "true")
	}
	if f.Offset > 0 {
		q.Set("offset", strconv.Itoa(f.Offset))
	}
	q.Set("limit", strconv.Itoa(cmp.Or(f.Limit, defaultLimit)))
	return q
}

type paymentList struct {
	TotalResults int        `json:"totalResults"`
	NextPageURL  string     `json:"nextPageUrl"`
	Results      []*Payment `json:"results"`
}

func (*paymentList) problem() string { return "" }

// checkOrder checks an order of the common language.
func checkOrder(op *httpx.Op, order refund.Order) error {
	if order.InvoiceID != "" {
		return op.Invalid("Order.InvoiceID", "is set; Afterpay knows no invoices")
	}
	return checkOrderID(op, order.ID)
}

// checkOrderID checks an id as afterpay/sdk-php does.
func checkOrderID(op *httpx.Op, id string) error {
	if id == "" {
		return op.Invalid("Order.ID", "is empty; it is the id of the payment at Afterpay")
	}
	if len(id) > maxOrderID {
		return op.Invalid("Order.ID", "has %d characters; Afterpay's ids are digits, at most %d", len(id), maxOrderID)
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return op.Invalid("Order.ID", "has a character at position %d that is no digit; Afterpay's ids are digits only", i)
		}
	}
	return nil
}
