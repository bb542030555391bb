package afterpay

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// Money is an amount as Afterpay states it: the digits of major units, and an ISO 4217 code (Money object pages).
type Money struct {
	Amount   string `json:"amount"` // empty if it is missing or cannot be read
	Currency string `json:"currency"`
}

// UnmarshalJSON never fails, because the amount of one thing must not hide another. The digits may arrive as a number.
func (m *Money) UnmarshalJSON(data []byte) error {
	*m = Money{}
	var b wireMoney
	if json.Unmarshal(data, &b) == nil {
		*m = *b.native()
	}
	return nil
}

// Common converts to the common language; the zero Money if m is nil, states no amount, or one that does not fit.
func (m *Money) Common() refund.Money {
	if m == nil {
		return refund.Money{}
	}
	return wire.Money(m.Amount, m.Currency)
}

// Time is a date of Afterpay's: ISO 8601 in UTC. One that cannot be read is the zero time, never a failure: the rest
// of the answer counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = wire.JSONTime(data, time.UTC)
	return nil
}

// text is a JSON string, or the digits of a number, such as an id that arrives as either. Anything else is "".
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(data []byte) error {
	*t = text(wire.Text(data))
	return nil
}

// RefundRequest is the body of Create Refund.
type RefundRequest struct {
	// RequestID and MerchantReference, unique for each refund, make the call idempotent, but only together. At most 64
	// bytes (two of the provider's pages differ, 64 is allowed by both; they say characters, which bytes never fall short
	// of). Required.
	RequestID, MerchantReference string
	// Amount is greater than zero, in the order's currency. Required.
	Amount refund.Money
	// RefundMerchantReference is shown as "Payment Event ID" in the settlement file. At most 128 bytes.
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
			return op.Invalid(f.name, "has %d bytes; %d are allowed", len(f.value), f.limit)
		}
		if err := op.CheckText(f.name, f.value); err != nil {
			return err
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
	RequestID               string `json:"requestId"`
	MerchantReference       string `json:"merchantReference"`
	Amount                  Money  `json:"amount"`
	RefundMerchantReference string `json:"refundMerchantReference,omitempty"`
}

func (r *RefundRequest) wire() *wireRefund {
	w := &wireRefund{
		RequestID: r.RequestID, MerchantReference: r.MerchantReference, RefundMerchantReference: r.RefundMerchantReference,
	}
	w.Amount = Money{r.Amount.Amount(), r.Amount.Currency()}
	return w
}

// VoidReason is why a payment is voided.
type VoidReason string

// The documented reasons.
const (
	VoidCancelledItems   VoidReason = "cancelledItems"
	VoidAmountAdjustment VoidReason = "amountAdjustment"
)

// VoidRequest is the body of Void.
type VoidRequest struct {
	// RequestID, unique for each void, makes the call idempotent. At most 64 bytes. Required.
	RequestID string
	// Amount is how much. The zero Money means all that is open.
	Amount refund.Money
	// Reason may be empty.
	Reason VoidReason
}

func (r *VoidRequest) check(op *httpx.Op) error {
	switch {
	case r.RequestID == "":
		return op.Invalid("RequestID", "is empty; it makes the void idempotent")
	case len(r.RequestID) > maxReference:
		return op.Invalid("RequestID", "has %d bytes; %d are allowed", len(r.RequestID), maxReference)
	case r.Amount != refund.Money{} && r.Amount.Sign() <= 0:
		return op.Invalid("Amount", "is %s; it must be greater than zero, or unset for all that is open", r.Amount)
	case r.Reason != "" && r.Reason != VoidCancelledItems && r.Reason != VoidAmountAdjustment:
		return op.Invalid("Reason", "must be %s, %s or empty", VoidCancelledItems, VoidAmountAdjustment)
	}
	return op.CheckText("RequestID", r.RequestID)
}

type wireVoid struct {
	RequestID string     `json:"requestId"`
	Amount    *Money     `json:"amount,omitempty"`
	Reason    VoidReason `json:"reason,omitempty"`
}

func (r *VoidRequest) wire() *wireVoid {
	w := &wireVoid{RequestID: r.RequestID, Reason: r.Reason}
	if r.Amount != (refund.Money{}) {
		w.Amount = &Money{r.Amount.Amount(), r.Amount.Currency()}
	}
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

// UnmarshalJSON fails only if data is no object: a member that cannot be read is the zero value, which for Amount is not nil.
func (r *Refund) UnmarshalJSON(data []byte) error {
	var b shownRefund
	if err := json.Unmarshal(data, &b); err != nil {
		return err //nolint:wrapcheck // encoding/json's own, for encoding/json
	}
	*r = b.native()
	return nil
}

// refundBody is what every form of a refund has in common. Forms are read in one go, because each UnmarshalJSON goes over
// its bytes once more.
type refundBody struct {
	RefundID                text `json:"refundId"`
	RefundedAt              Time `json:"refundedAt"`
	RequestID               text `json:"requestId"`
	MerchantReference       text `json:"merchantReference"`
	RefundMerchantReference text `json:"refundMerchantReference"`
}

func (b *refundBody) refund(amount *Money) Refund {
	return Refund{
		RefundID: string(b.RefundID), RefundedAt: b.RefundedAt, RequestID: string(b.RequestID), Amount: amount,
		MerchantReference: string(b.MerchantReference), RefundMerchantReference: string(b.RefundMerchantReference),
	}
}

// shownRefund is a refund as a payment shows it.
type shownRefund struct {
	refundBody
	Amount *Money `json:"amount"`
}

func (b *shownRefund) native() Refund { return b.refund(b.Amount) }

// created is the response to Create Refund. Its amount must be readable.
type created struct {
	refundBody
	Amount *wireMoney `json:"amount"`
}

func (r *created) problem() string {
	if r.RefundID == "" {
		return "the response has no refundId"
	}
	return ""
}

// native is the response as a caller of CreateRefund gets it.
func (r *created) native() *Refund {
	got := r.refund(r.Amount.native())
	return &got
}

type wireMoney struct {
	Amount   text `json:"amount"`
	Currency text `json:"currency"`
}

func (m *wireMoney) native() *Money {
	if m == nil {
		return nil
	}
	return &Money{Amount: string(m.Amount), Currency: string(m.Currency)}
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

// UnmarshalJSON fails only if data is no object or its refunds are no list of objects: whatever else cannot be read is the
// zero value, because it must not hide the refunds.
func (p *Payment) UnmarshalJSON(data []byte) error {
	var b paymentBody
	if err := json.Unmarshal(data, &b); err != nil {
		return err //nolint:wrapcheck // encoding/json's own, for encoding/json
	}
	*p = *b.native()
	return nil
}

// paymentBody is a Payment as it is read.
type paymentBody struct {
	ID                  text            `json:"id"`
	Token               text            `json:"token"`
	Status              text            `json:"status"`
	Created             Time            `json:"created"`
	OriginalAmount      *Money          `json:"originalAmount"`
	OpenToCaptureAmount *Money          `json:"openToCaptureAmount"`
	PaymentState        text            `json:"paymentState"`
	MerchantReference   text            `json:"merchantReference"`
	Refunds             []shownRefund   `json:"refunds"`
	Events              events          `json:"events"`
	OrderDetails        json.RawMessage `json:"orderDetails"`
}

func (b *paymentBody) problem() string {
	if b.ID == "" {
		return "the response has no id"
	}
	return ""
}

func (b *paymentBody) native() *Payment {
	return &Payment{
		ID: string(b.ID), Token: string(b.Token), Status: PaymentStatus(b.Status), Created: b.Created,
		OriginalAmount: b.OriginalAmount, OpenToCaptureAmount: b.OpenToCaptureAmount,
		PaymentState: PaymentState(b.PaymentState), MerchantReference: string(b.MerchantReference),
		Refunds: natives(b.Refunds, (*shownRefund).native), Events: b.Events, OrderDetails: b.OrderDetails,
	}
}

// voids returns the ids of the entries that were made by voids: they are those of the VOIDED events (recorded by
// solidus_afterpay).
func (p *Payment) voids() map[string]bool {
	ids := map[string]bool{}
	for i := range p.Events {
		if e := &p.Events[i]; e.Type == EventVoided && e.ID != "" {
			ids[e.ID] = true
		}
	}
	return ids
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

// UnmarshalJSON never fails: what cannot be read is the zero value.
func (e *Event) UnmarshalJSON(data []byte) error {
	*e = Event{}
	var b eventBody
	if json.Unmarshal(data, &b) == nil {
		*e = b.native()
	}
	return nil
}

// eventBody is an Event as it is read.
type eventBody struct {
	ID                            text   `json:"id"`
	Created                       Time   `json:"created"`
	Expires                       *Time  `json:"expires"`
	Type                          text   `json:"type"`
	Amount                        *Money `json:"amount"`
	PaymentEventMerchantReference text   `json:"paymentEventMerchantReference"`
}

func (b *eventBody) native() Event {
	return Event{
		ID: string(b.ID), Created: b.Created, Expires: b.Expires, Type: EventType(b.Type), Amount: b.Amount,
		PaymentEventMerchantReference: string(b.PaymentEventMerchantReference),
	}
}

// events are none if they are no list: only voids are told from them.
type events []Event

// UnmarshalJSON never fails.
func (e *events) UnmarshalJSON(data []byte) error {
	var bodies []eventBody
	if err := json.Unmarshal(data, &bodies); err == nil || bodies != nil { // one that is no object is the zero value
		*e = natives(bodies, (*eventBody).native)
	}
	return nil
}

// natives converts a list. One that is missing stays so: it is not an empty one.
func natives[Body, Native any](bodies []Body, native func(*Body) Native) []Native {
	if bodies == nil {
		return nil
	}
	list := make([]Native, len(bodies))
	for i := range bodies {
		list[i] = native(&bodies[i])
	}
	return list
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
	texts := map[string][]string{"IDs": f.IDs, "Tokens": f.Tokens, "MerchantReferences": f.MerchantReferences, "OrderBy": {f.OrderBy}}
	for _, status := range f.Statuses {
		texts["Statuses"] = append(texts["Statuses"], string(status))
	}
	for field, values := range texts {
		for _, value := range values {
			if err := op.CheckText(field, value); err != nil {
				return err
			}
		}
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
	TotalResults int            `json:"totalResults"`
	NextPageURL  string         `json:"nextPageUrl"`
	Results      []*paymentBody `json:"results"`
}

func (l *paymentList) problem() string {
	if l.Results == nil || slices.Contains(l.Results, nil) {
		return "the response has no list of payments"
	}
	return ""
}

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

// checkToken checks a checkout token, which stands in a path.
func checkToken(op *httpx.Op, token string) error {
	switch {
	case token == "":
		return op.Invalid("token", "is empty; it is the checkout's token")
	case len(token) > maxToken:
		return op.Invalid("token", "has %d characters; %d are allowed", len(token), maxToken)
	case !httpx.VisibleASCII(token), strings.ContainsAny(token, `/\?#%`), strings.Trim(token, ".") == "":
		return op.Invalid("token", `has a space, a character beyond ASCII or one of / \ ? # %%, or is dots only; a token has none of these`)
	}
	return nil
}
