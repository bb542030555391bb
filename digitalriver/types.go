package digitalriver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/lenient"
	"github.com/multirefund/refund-go/refund"
)

// ID is an id of Digital River's: opaque, of any length. One that arrives as a number is kept with its digits.
type ID string

// UnmarshalJSON never fails: what is neither string nor number is the empty ID.
func (id *ID) UnmarshalJSON(data []byte) error {
	*id = ID(text(data))
	return nil
}

// text is lenient.Text without a decoder for what needs none: every refund of a listing has a dozen.
func text(data []byte) string {
	if n := len(data); n > 1 && data[0] == '"' && bytes.IndexByte(data, '\\') < 0 && utf8.Valid(data) {
		return string(data[1 : n-1])
	}
	return lenient.Text(data)
}

// Time is a date of Digital River's: ISO 8601 in UTC. One that cannot be read is the zero time, never a failure: the
// rest of the answer counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time, _ = lenient.Time(text(data), time.UTC)
	return nil
}

// timeFormat is how dates are sent (API structure page).
const timeFormat = "2006-01-02T15:04:05.000Z"

// Number is an exact number: an amount in major units, a percentage or a quantity. It is written as a JSON number and
// read from a number or a string, which documentation samples show. A nil *Number is one that is not stated.
type Number struct{ decimal.Decimal }

// NumberOf converts an amount of the common language.
func NumberOf(m refund.Money) *Number { return &Number{m.Decimal()} }

// MarshalJSON writes a number with the digits it has.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.sane() {
		return nil, errors.New("a number of absurd size")
	}
	return []byte(n.text()), nil
}

func (n *Number) text() string { return n.StringFixed(max(-n.Exponent(), 0)) }

// sane has to be asked before any arithmetic or printing: both take gigabytes on a giant exponent.
func (n *Number) sane() bool {
	return n.Exponent() >= -64 && n.Exponent() <= 64 && n.Coefficient().BitLen() <= 256
}

// money converts to the common language; the zero Money if n is not stated or does not fit.
//
// Digital River calculates in binary and shows it: its samples have 53.769999999999996 for 53.77. Such noise, less than
// a millionth, is rounded to the currency's minor unit here, and nothing else is.
func (n *Number) money(currency string) refund.Money {
	zero, err := refund.MoneyFromMinor(0, currency)
	if err != nil || n == nil || !n.sane() {
		return refund.Money{}
	}
	rounded := n.Round(-zero.Decimal().Exponent())
	if n.Sub(rounded).Abs().Cmp(decimal.New(1, -6)) >= 0 {
		return refund.Money{}
	}
	got, err := refund.MoneyFromDecimal(rounded, currency)
	if err != nil {
		return refund.Money{}
	}
	return got
}

// Metadata is your own data on a refund: 20 pairs at the most, keys of 1 to 40 characters, values that are strings of 500
// characters at the most, booleans or whole numbers. No personal and no card data belongs here. (metadata page)
// Numbers are read as json.Number; values may be nested.
type Metadata map[string]any

// UnmarshalJSON keeps the digits of numbers. It never fails: what is no object is nil.
func (m *Metadata) UnmarshalJSON(data []byte) error {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		members = nil
	}
	*m = members
	return nil
}

// problem returns what keeps m from being sent, without quoting values.
func (m Metadata) problem() string {
	if len(m) > maxPairs {
		return "has " + strconv.Itoa(len(m)) + " pairs; 20 are allowed"
	}
	for key, value := range m {
		if n := utf8.RuneCountInString(key); n == 0 || n > maxKey {
			return "has a key of " + strconv.Itoa(n) + " characters; 1 to 40 are allowed"
		}
		switch v := value.(type) {
		case string:
			if n := utf8.RuneCountInString(v); n > maxValue {
				return "has a value of " + strconv.Itoa(n) + " characters; 500 are allowed"
			}
		case bool, int, int32, int64:
		case json.Number:
			if _, err := strconv.ParseInt(v.String(), 10, 64); err != nil {
				return "has a number that is not whole; strings, booleans and whole numbers are allowed"
			}
		default:
			return fmt.Sprintf("has a value of type %T; strings, booleans and whole numbers are allowed", value)
		}
	}
	return ""
}

// The documented limits (Refunds reference page; metadata page).
const (
	maxReason = 64
	maxPairs  = 20
	maxKey    = 40
	maxValue  = 500
	maxLimit  = 100
)

// RefundType is the part of an order or of an item that is refunded. Open: new values are kept verbatim.
type RefundType string

// The documented types; none is the product (OpenAPI document; issuing refunds page).
const (
	TypeShipping    RefundType = "shipping"
	TypeTax         RefundType = "tax" // of an order; has to be complete
	TypeDuty        RefundType = "duty"
	TypeImporterTax RefundType = "importer_tax" // of an order
	TypeFees        RefundType = "fees"         // of an item
)

// RefundRequest is the body of Create Refund.
type RefundRequest struct {
	// OrderID or InvoiceID is what is refunded. One of them is required.
	OrderID   ID `json:"orderId,omitempty"`
	InvoiceID ID `json:"invoiceId,omitempty"`
	// Currency is the order's: an ISO 4217 code. Required.
	Currency string `json:"currency"`
	// Amount, Percent (0.01 to 100) or Items say how much. One of them is required.
	Amount  *Number       `json:"amount,omitempty"`
	Percent *Number       `json:"percent,omitempty"`
	Items   []ItemRequest `json:"items,omitempty"`
	// Type is the part of the order: TypeShipping, TypeTax (with a Percent of 100, or all of the tax as Amount),
	// TypeDuty or TypeImporterTax. Empty: the order as a whole, but for regulatory fees. It does not go with Items.
	Type RefundType `json:"type,omitempty"`
	// Reason is free text of 64 characters at the most.
	Reason   string   `json:"reason,omitempty"`
	Metadata Metadata `json:"metadata,omitempty"`
}

// ItemRequest is what is refunded of an item.
type ItemRequest struct {
	ItemID ID `json:"itemId"`          // the order's id of the item. Required
	SKUID  ID `json:"skuId,omitempty"` // beside ItemID, as older versions want it
	// Quantity is how many of it; 0 means as many as were ordered.
	Quantity int `json:"quantity,omitempty"`
	// Amount or Percent (0.01 to 100) say how much. One of them is required.
	Amount  *Number `json:"amount,omitempty"`
	Percent *Number `json:"percent,omitempty"`
	// Type is TypeShipping, TypeFees or TypeDuty. Empty: the item's price and its tax.
	Type RefundType `json:"type,omitempty"`
}

func (r *RefundRequest) check() error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, opRefund, field, problem) }
	if (r.OrderID == "") == (r.InvoiceID == "") {
		return bad("OrderID", "must be set, or InvoiceID, but not both")
	}
	field, id := "OrderID", r.OrderID
	if id == "" {
		field, id = "InvoiceID", r.InvoiceID
	}
	if err := checkID(opRefund, field, id); err != nil {
		return err
	}
	if _, err := refund.MoneyFromMinor(0, r.Currency); err != nil {
		return bad("Currency", httpx.Problem(err))
	}
	ways := 0
	for _, set := range []bool{r.Amount != nil, r.Percent != nil, len(r.Items) > 0} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		return bad("Amount", "or Percent or Items must be set, and only one of them")
	}
	switch r.Type {
	case "", TypeShipping, TypeDuty, TypeImporterTax:
	case TypeTax:
		if r.Percent != nil && r.Percent.sane() && !r.Percent.Equal(decimal.New(100, 0)) {
			return bad("Percent", "must be 100: tax is refunded completely")
		}
	default:
		return bad("Type", "must be shipping, tax, duty or importer_tax, or empty")
	}
	if r.Type != "" && r.Items != nil {
		return bad("Type", "does not go with Items, which have their own")
	}
	if field, problem := r.how(r.Amount, r.Percent); problem != "" {
		return bad(field, problem)
	}
	for i := range r.Items {
		if field, problem := r.item(&r.Items[i]); problem != "" {
			return bad("Items["+strconv.Itoa(i)+"]."+field, problem)
		}
	}
	if n := utf8.RuneCountInString(r.Reason); n > maxReason {
		return bad("Reason", "has "+strconv.Itoa(n)+" characters; 64 are allowed")
	}
	if problem := r.Metadata.problem(); problem != "" {
		return bad("Metadata", problem)
	}
	return nil
}

func (r *RefundRequest) item(item *ItemRequest) (field, problem string) {
	for field, id := range map[string]ID{"ItemID": item.ItemID, "SKUID": item.SKUID} {
		if err := checkID(opRefund, field, id); err != nil && (field == "ItemID" || id != "") {
			return field, httpx.Problem(err)
		}
	}
	if item.Quantity < 0 {
		return "Quantity", "is negative"
	}
	if (item.Amount == nil) == (item.Percent == nil) {
		return "Amount", "must be set, or Percent, but not both"
	}
	switch item.Type {
	case "", TypeShipping, TypeFees, TypeDuty:
	default:
		return "Type", "must be shipping, fees or duty, or empty"
	}
	return r.how(item.Amount, item.Percent)
}

// how checks an amount and a percentage, where they are set.
func (r *RefundRequest) how(amount, percent *Number) (field, problem string) {
	if amount != nil {
		m, err := refund.MoneyFromDecimal(amount.Decimal, r.Currency)
		if err != nil {
			return "Amount", httpx.Problem(err)
		}
		if m.Sign() <= 0 {
			return "Amount", "is " + m.String() + "; it must be greater than zero"
		}
	}
	if percent != nil && (!percent.sane() || percent.Cmp(decimal.New(1, -2)) < 0 || percent.Cmp(decimal.New(100, 0)) > 0) {
		return "Percent", "must be from 0.01 to 100"
	}
	return "", ""
}

// State is how far a refund has got. Open: new values are kept verbatim.
type State string

// The documented states (OpenAPI document).
const (
	StatePending            State = "pending"             // sent on: the bank has not agreed yet
	StatePendingInformation State = "pending_information" // the shopper has to give account details
	StateSucceeded          State = "succeeded"
	StateFailed             State = "failed"  // the money is available again
	StateExpired            State = "expired" // the information did not come in time
)

// Refund is a refund as Digital River answers it. Every member but ID may be missing.
type Refund struct {
	ID          ID         `json:"id"`
	CreatedTime Time       `json:"createdTime"`
	OrderID     ID         `json:"orderId"`
	InvoiceID   ID         `json:"invoiceId"`
	Currency    string     `json:"currency"`
	Type        RefundType `json:"type"`   // empty for products
	Amount      *Number    `json:"amount"` // what was asked for; nil if Items say it
	// RefundedAmount is what was really refunded: 0 while the refund is pending and when it has failed. It may have
	// binary noise; Refunded has not.
	RefundedAmount *Number `json:"refundedAmount"`
	Items          Items   `json:"items"`
	Reason         string  `json:"reason"`
	FailureReason  string  `json:"failureReason"` // such as expired_or_canceled_card; there is no list of them
	State          State   `json:"state"`
	// TokenInformation is for the DigitalRiver.js element that asks the shopper, if State is StatePendingInformation.
	TokenInformation *TokenInformation `json:"tokenInformation"`
	ExpiresTime      Time              `json:"expiresTime"` // of the token
	LiveMode         bool              `json:"liveMode"`
	Charges          []Charge          `json:"charges"`
	Metadata         Metadata          `json:"metadata"`
}

// Requested is the amount that was asked for: Amount, or the sum of Items; the zero Money if they do not say.
func (r *Refund) Requested() refund.Money {
	if r.Amount != nil || len(r.Items) == 0 {
		return r.Amount.money(r.Currency)
	}
	sum := r.Items[0].Amount.money(r.Currency)
	for i := range r.Items[1:] {
		// What is not stated has no currency, and cannot be added.
		sum, _ = sum.Add(r.Items[1+i].Amount.money(r.Currency)) //nolint:errcheck // the zero Money then
	}
	return sum
}

// Refunded is RefundedAmount without binary noise; the zero Money if it is not stated.
func (r *Refund) Refunded() refund.Money { return r.RefundedAmount.money(r.Currency) }

// states reports whether the refund says what was asked for, readable or not.
func (r *Refund) states() bool {
	return r.Amount != nil ||
		len(r.Items) > 0 && !slices.ContainsFunc(r.Items, func(item RefundItem) bool { return item.Amount == nil })
}

// Items are the items of a refund.
type Items []RefundItem

// UnmarshalJSON reads a list, and the list of lists that the samples of the reference page show.
func (items *Items) UnmarshalJSON(data []byte) error {
	var flat []RefundItem
	err := json.Unmarshal(data, &flat)
	var nested [][]RefundItem
	if err != nil && json.Unmarshal(data, &nested) == nil {
		flat, err = slices.Concat(nested...), nil
	}
	*items = flat
	return err //nolint:wrapcheck // wrapped once, in httpx
}

// RefundItem is what is refunded of an item.
type RefundItem struct {
	Type           RefundType `json:"type"`
	ItemID         ID         `json:"itemId"`
	SKUID          ID         `json:"skuId"`
	Quantity       *Number    `json:"quantity"`
	Amount         *Number    `json:"amount"`
	Percent        *Number    `json:"percent"`
	RefundedAmount *Number    `json:"refundedAmount"`
}

// TokenInformation is what a shopper's information is asked for with.
type TokenInformation struct {
	Token       string `json:"token"`
	ExpiresTime Time   `json:"expiresTime"`
}

// Charge is a charge that a refund goes back to. Refunded is no sign of success: it is true for pending and failed
// refunds too (event samples).
type Charge struct {
	ID       ID             `json:"id"`
	Captured bool           `json:"captured"`
	Refunded bool           `json:"refunded"`
	Refunds  []ChargeRefund `json:"refunds"`
	SourceID ID             `json:"sourceId"`
}

// ChargeRefund is the part of refunds that one charge bears. Digital River batches them: they are not the refunds of
// ListRefunds.
type ChargeRefund struct {
	CreatedTime Time              `json:"createdTime"`
	Amount      *Number           `json:"amount"`
	State       ChargeRefundState `json:"state"`
}

// ChargeRefundState is how far a charge's refund has got. Open: new values are kept verbatim.
type ChargeRefundState string

// The documented states of charges' refunds (OpenAPI document; the last is of a sample).
const (
	ChargeRefundPending            ChargeRefundState = "pending"
	ChargeRefundComplete           ChargeRefundState = "complete"
	ChargeRefundFailed             ChargeRefundState = "failed"
	ChargeRefundPendingInformation ChargeRefundState = "pending_information"
)

// OrderState is the state of an order. Open: new values are kept verbatim.
type OrderState string

// The documented states of orders (OpenAPI document).
const (
	OrderAccepted       OrderState = "accepted"
	OrderBlocked        OrderState = "blocked"
	OrderPendingPayment OrderState = "pending_payment"
	OrderInReview       OrderState = "in_review"
	OrderDispute        OrderState = "dispute" // no refund is possible
	OrderCancelled      OrderState = "cancelled"
	OrderFulfilled      OrderState = "fulfilled"
	OrderComplete       OrderState = "complete"
	OrderReturned       OrderState = "returned"
)

// Order is what an order says about its refunds.
type Order struct {
	ID              ID         `json:"id"`
	Currency        string     `json:"currency"`
	State           OrderState `json:"state"`
	TotalAmount     *Number    `json:"totalAmount"`
	CapturedAmount  *Number    `json:"capturedAmount"`
	CancelledAmount *Number    `json:"cancelledAmount"`
	RefundedAmount  *Number    `json:"refundedAmount"`
	// AvailableToRefundAmount is what was captured less what was refunded, pending refunds included. It may have
	// binary noise; AvailableToRefund has not.
	AvailableToRefundAmount *Number     `json:"availableToRefundAmount"`
	Items                   []OrderItem `json:"items"`
}

// AvailableToRefund is AvailableToRefundAmount without binary noise; the zero Money if it is not stated.
func (o *Order) AvailableToRefund() refund.Money { return o.AvailableToRefundAmount.money(o.Currency) }

// OrderItem is an item of an order. AvailableToRefundAmount is of its price and its tax only: shipping, fees and duty
// come on top (release notes, 2022-08-08).
type OrderItem struct {
	ID                      ID      `json:"id"`
	SKUID                   ID      `json:"skuId"`
	AvailableToRefundAmount *Number `json:"availableToRefundAmount"`
}

// TimeRange compares a date with operators. Those that are zero do not count.
type TimeRange struct{ Eq, Gt, Gte, Lt, Lte time.Time }

// AmountRange compares an amount with operators. Those that are nil do not count.
type AmountRange struct{ Eq, Gt, Gte, Lt, Lte *Number }

// RefundFilter selects refunds. The zero value selects all, newest first. There is no filter for metadata.
type RefundFilter struct {
	OrderID, SKUID        ID
	State                 State
	Reason, FailureReason string
	IDs                   []ID
	CreatedTime           TimeRange // to the millisecond
	Amount                AmountRange
	RefundedAmount        AmountRange
	Limit                 int // refunds a page, 1 to 100; 0 means 100
	// StartingAfter and EndingBefore are where to begin: with the next older refund, or with the next newer one. Only
	// one of them can be set.
	StartingAfter, EndingBefore ID
}

func (f *RefundFilter) check(op string) error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, op, field, problem) }
	if f.Limit < 0 || f.Limit > maxLimit {
		return bad("Limit", "is "+strconv.Itoa(f.Limit)+"; 1 to 100 are allowed, 0 means 100")
	}
	if f.StartingAfter != "" && f.EndingBefore != "" {
		return bad("StartingAfter", "is set beside EndingBefore; set one of them")
	}
	for field, id := range map[string]ID{"OrderID": f.OrderID, "SKUID": f.SKUID, "StartingAfter": f.StartingAfter, "EndingBefore": f.EndingBefore} {
		if id != "" {
			if err := checkID(op, field, id); err != nil {
				return err
			}
		}
	}
	for _, id := range f.IDs {
		if err := checkID(op, "IDs", id); err != nil {
			return err
		}
	}
	for field, amounts := range map[string]*AmountRange{"Amount": &f.Amount, "RefundedAmount": &f.RefundedAmount} {
		for _, n := range amounts.operators() {
			if n != nil && !n.sane() {
				return bad(field, "is a number of absurd size")
			}
		}
	}
	return nil
}

type refundList struct {
	HasMore *bool     `json:"hasMore"`
	Data    []*Refund `json:"data"`
}

func checkID(op, field string, id ID) error {
	bad := func(problem string) error { return httpx.Invalid(provider, op, field, problem) }
	switch {
	case id == "":
		return bad("is empty; it is an id of Digital River's")
	case len(id) > maxID:
		return bad("has " + strconv.Itoa(len(id)) + " characters; " + strconv.Itoa(maxID) + " are allowed")
	case !httpx.Word(string(id)) || strings.ContainsAny(string(id), `/\?#%`) || id == "." || id == "..":
		return bad(`is no id: visible characters are allowed, but no / \ ? # %, and not only dots`)
	}
	return nil
}
