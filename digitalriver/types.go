package digitalriver

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// ID is an id of Digital River's: opaque, of any length. One that arrives as a number is kept with its digits.
type ID string

// UnmarshalJSON never fails: what is neither string nor number is the empty ID.
func (id *ID) UnmarshalJSON(data []byte) error {
	*id = ID(wire.Text(data))
	return nil
}

func checkID(op *httpx.Op, field string, id ID) error {
	switch {
	case id == "":
		return op.Invalid(field, "is empty; it is an id of Digital River's")
	case len(id) > maxID:
		return op.Invalid(field, "has %d characters; %d are allowed", len(id), maxID)
	case !httpx.VisibleASCII(string(id)) || strings.ContainsAny(string(id), `/\?#%`) || id == "." || id == "..":
		return op.Invalid(field, `is not an id: visible characters are allowed, but not / \ ? # and the percent sign, and not dots alone`)
	}
	return nil
}

// another returns why a response with the id got is not the one about id, or "".
func another(id, got ID) string {
	switch got {
	case id:
		return ""
	case "":
		return "the response has no id"
	}
	return "the response has another id"
}

// Time is a date of Digital River's: ISO 8601 in UTC. One that cannot be read is the zero time, never a failure: the
// rest of the response counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = wire.JSONTime(data, time.UTC)
	return nil
}

// Number is an exact number: an amount in major units, a percentage or a quantity. It is written as a JSON number and
// read from a number or a string, which documentation samples show. A nil *Number is one that is not stated.
type Number struct{ decimal.Decimal }

// NumberOf converts an amount of the common language.
func NumberOf(m refund.Money) *Number { return &Number{m.Decimal()} }

// MarshalJSON writes a number with the digits it has.
func (n Number) MarshalJSON() ([]byte, error) {
	if !wire.Sane(n.Decimal) {
		return nil, errAbsurd
	}
	return []byte(n.text()), nil
}

// UnmarshalJSON reads a number, or one in a string.
func (n *Number) UnmarshalJSON(data []byte) error {
	if len(data) > maxNumber { // parsing takes time and memory that grow faster than the digits
		return errAbsurd
	}
	return n.Decimal.UnmarshalJSON(data) //nolint:wrapcheck // wrapped once, in httpx
}

var errAbsurd = errors.New("a number of absurd size")

// text must be asked of a number that is wire.Sane only.
func (n *Number) text() string { return n.StringFixed(max(-n.Exponent(), 0)) }

// money converts to the common language; the zero Money if n is not stated or does not fit.
func (n *Number) money(currency string) refund.Money {
	if n == nil {
		return refund.Money{}
	}
	return wire.MoneyFromDecimal(&n.Decimal, currency)
}

// Metadata is your own data on a refund: at most 20 pairs, keys of 1 to 40 characters, values that are strings of at most
// 500 characters, booleans or whole numbers. No personal and no card data belongs here. (metadata page)
// Numbers are read as json.Number; values may be nested.
type Metadata map[string]any

// UnmarshalJSON keeps the digits of numbers. It never fails: anything but an object is nil.
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

// check quotes no values.
func (m Metadata) check(op *httpx.Op) error {
	if len(m) > maxPairs {
		return op.Invalid("Metadata", "has %d pairs; %d are allowed", len(m), maxPairs)
	}
	for key, value := range m {
		if n := utf8.RuneCountInString(key); n == 0 || n > maxKey {
			return op.Invalid("Metadata", "has a key of %d characters; 1 to %d are allowed", n, maxKey)
		}
		if err := op.CheckText("Metadata", key); err != nil {
			return err
		}
		switch v := value.(type) {
		case string:
			if err := op.CheckText("Metadata", v); err != nil {
				return err
			}
			if n := utf8.RuneCountInString(v); n > maxValue {
				return op.Invalid("Metadata", "has a value of %d characters; %d are allowed", n, maxValue)
			}
		case bool, int, int32, int64:
		case json.Number:
			if _, err := strconv.ParseInt(v.String(), 10, 64); err != nil {
				return op.Invalid("Metadata", "has a number that is not whole; strings, booleans and whole numbers are allowed")
			}
		default:
			return op.Invalid("Metadata", "has a value of type %T; strings, booleans and whole numbers are allowed", value)
		}
	}
	return nil
}

// private returns the texts that no message may quote: all but the key, which errors name anyway.
func (m Metadata) private() []string {
	var texts []string
	for name, value := range m {
		if text, ok := value.(string); ok && name != keyMember && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

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
	// TypeDuty or TypeImporterTax. Empty: the order as a whole, without regulatory fees. It does not go with Items.
	Type RefundType `json:"type,omitempty"`
	// Reason is free text of at most 64 characters.
	Reason   string   `json:"reason,omitempty"`
	Metadata Metadata `json:"metadata,omitempty"`
}

// ItemRequest is what is refunded of an item.
type ItemRequest struct {
	ItemID ID `json:"itemId"`          // the order's id of the item. Required
	SKUID  ID `json:"skuId,omitempty"` // in addition to ItemID, as older versions want it
	// Quantity is how many of it; 0 means as many as were ordered.
	Quantity int `json:"quantity,omitempty"`
	// Amount or Percent (0.01 to 100) say how much. One of them is required.
	Amount  *Number `json:"amount,omitempty"`
	Percent *Number `json:"percent,omitempty"`
	// Type is TypeShipping, TypeFees or TypeDuty. Empty: the item's price and its tax.
	Type RefundType `json:"type,omitempty"`
}

func (r *RefundRequest) check(op *httpx.Op) error {
	field, id := "OrderID", r.OrderID
	if id == "" {
		field, id = "InvoiceID", r.InvoiceID
	}
	if (r.OrderID == "") == (r.InvoiceID == "") {
		return op.Invalid("OrderID", "must be set, or InvoiceID, but not both")
	}
	if err := checkID(op, field, id); err != nil {
		return err
	}
	if _, ok := refund.Decimals(r.Currency); !ok {
		return op.Invalid("Currency", "must be the order's, as three upper-case letters")
	}
	if err := r.checkHowMuch(op); err != nil {
		return err
	}
	if err := checkReason(op, r.Reason); err != nil {
		return err
	}
	return r.Metadata.check(op)
}

func (r *RefundRequest) checkHowMuch(op *httpx.Op) error {
	ways := 0
	for _, set := range []bool{r.Amount != nil, r.Percent != nil, len(r.Items) > 0} {
		if set {
			ways++
		}
	}
	switch {
	case ways != 1:
		return op.Invalid("Amount", "or Percent or Items must be set, and only one of them")
	case !slices.Contains([]RefundType{"", TypeShipping, TypeTax, TypeDuty, TypeImporterTax}, r.Type):
		return op.Invalid("Type", "must be shipping, tax, duty or importer_tax, or empty")
	case r.Type != "" && r.Items != nil:
		return op.Invalid("Type", "does not go with Items, which have their own")
	}
	if err := checkAmounts(op, "", r.Amount, r.Percent, r.Currency); err != nil {
		return err
	}
	if r.Type == TypeTax && r.Percent != nil && !r.Percent.Equal(decimal.New(100, 0)) {
		return op.Invalid("Percent", "must be 100: tax is refunded completely")
	}
	for i := range r.Items {
		if err := r.Items[i].check(op, "Items["+strconv.Itoa(i)+"].", r.Currency); err != nil {
			return err
		}
	}
	return nil
}

// check names its fields after prefix.
func (item *ItemRequest) check(op *httpx.Op, prefix, currency string) error {
	if err := checkID(op, prefix+"ItemID", item.ItemID); err != nil {
		return err
	}
	if item.SKUID != "" {
		if err := checkID(op, prefix+"SKUID", item.SKUID); err != nil {
			return err
		}
	}
	switch {
	case item.Quantity < 0:
		return op.Invalid(prefix+"Quantity", "is negative")
	case (item.Amount == nil) == (item.Percent == nil):
		return op.Invalid(prefix+"Amount", "must be set, or Percent, but not both")
	case !slices.Contains([]RefundType{"", TypeShipping, TypeFees, TypeDuty}, item.Type):
		return op.Invalid(prefix+"Type", "must be shipping, fees or duty, or empty")
	}
	return checkAmounts(op, prefix, item.Amount, item.Percent, currency)
}

// checkAmounts checks an amount and a percentage, where they are set.
func checkAmounts(op *httpx.Op, prefix string, amount, percent *Number, currency string) error {
	if amount != nil {
		m, err := refund.MoneyFromDecimal(amount.Decimal, currency)
		if err != nil {
			return op.Invalid(prefix+"Amount", "%s", httpx.MessageOf(err))
		}
		if m.Sign() <= 0 {
			return op.Invalid(prefix+"Amount", "is %s; it must be greater than zero", m)
		}
	}
	if percent != nil && (!wire.Sane(percent.Decimal) || percent.Cmp(decimal.New(1, -2)) < 0 || percent.Cmp(decimal.New(100, 0)) > 0) {
		return op.Invalid(prefix+"Percent", "must be from 0.01 to 100")
	}
	return nil
}

func checkReason(op *httpx.Op, reason string) error {
	if n := utf8.RuneCountInString(reason); n > maxReason {
		return op.Invalid("Reason", "has %d characters; %d are allowed", n, maxReason)
	}
	return op.CheckText("Reason", reason)
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

// Refund is a refund as Digital River has it. Every member but ID may be missing.
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

func (r *Refund) problem() string {
	if r.ID == "" {
		return "the response has no id"
	}
	return ""
}

// Requested is the amount that was asked for: Amount, or the sum of Items; the zero Money if they do not say.
func (r *Refund) Requested() refund.Money {
	if r.Amount != nil || len(r.Items) == 0 {
		return r.Amount.money(r.Currency)
	}
	amounts := make([]refund.Money, len(r.Items))
	for i := range r.Items {
		amounts[i] = r.Items[i].Amount.money(r.Currency)
	}
	sum, _ := refund.Sum(amounts...) //nolint:errcheck // the zero Money then: what is not stated is not nothing
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

// Charge is a charge that a refund goes back to. Refunded is not a sign of success: it is true for pending and failed
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
	AvailableToRefundAmount *Number      `json:"availableToRefundAmount"`
	Items                   []OrderItem  `json:"items"`
	Payment                 OrderPayment `json:"payment"`
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

// OrderPayment is what was paid for an order. Before version 2021-03-23 its charges were elsewhere (release notes).
type OrderPayment struct {
	Charges []OrderCharge `json:"charges"`
}

// UnmarshalJSON never fails, like those of all that it contains: what a charge says must not hide what is left to refund.
func (p *OrderPayment) UnmarshalJSON(data []byte) error {
	*p = OrderPayment{Charges: listOf[OrderCharge](membersOf(data)["charges"])}
	return nil
}

// OrderCharge is a charge of an order. Only what is captured can be refunded: a capture has to be CaptureComplete first.
// Before that the order is cancelled by its fulfilments, not refunded (issuing refunds page).
type OrderCharge struct {
	Captures []Capture           `json:"captures"`
	Refunds  []OrderChargeRefund `json:"refunds"` // not the refunds of ListRefunds: see ChargeRefund
}

// UnmarshalJSON never fails.
func (c *OrderCharge) UnmarshalJSON(data []byte) error {
	members := membersOf(data)
	*c = OrderCharge{Captures: listOf[Capture](members["captures"]), Refunds: listOf[OrderChargeRefund](members["refunds"])}
	return nil
}

// Capture is a capture of a charge. One that cannot be read is listed without a state, so that it does not pass for complete.
type Capture struct {
	State CaptureState `json:"state"`
}

// UnmarshalJSON never fails.
func (c *Capture) UnmarshalJSON(data []byte) error {
	*c = Capture{State: CaptureState(wire.Text(membersOf(data)["state"]))}
	return nil
}

// CaptureState is how far a capture has got. Open: new values are kept verbatim.
type CaptureState string

// CaptureComplete is the state that refunds require, and the only one that is documented (issuing refunds page).
const CaptureComplete CaptureState = "complete"

// OrderChargeRefund is a ChargeRefund as orders show it (charges page; OpenAPI document). Its id is shown by the charge
// only. Amount is nil if it cannot be read.
type OrderChargeRefund struct {
	CreatedTime    Time              `json:"createdTime"`
	UpdatedTime    Time              `json:"updatedTime"`
	Amount         *Number           `json:"amount"`
	State          ChargeRefundState `json:"state"`
	FailureCode    string            `json:"failureCode"`
	FailureMessage string            `json:"failureMessage"`
}

// UnmarshalJSON never fails.
func (r *OrderChargeRefund) UnmarshalJSON(data []byte) error {
	members := membersOf(data)
	*r = OrderChargeRefund{
		CreatedTime:    Time{wire.JSONTime(members["createdTime"], time.UTC)},
		UpdatedTime:    Time{wire.JSONTime(members["updatedTime"], time.UTC)},
		State:          ChargeRefundState(wire.Text(members["state"])),
		FailureCode:    wire.Text(members["failureCode"]),
		FailureMessage: wire.Text(members["failureMessage"]),
	}
	var amount *Number
	if json.Unmarshal(members["amount"], &amount) == nil {
		r.Amount = amount
	}
	return nil
}

// membersOf returns the members of an object; none of anything else.
func membersOf(data []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	return members
}

// listOf reads a list of what never fails to be read; nil if data is no list.
func listOf[T any](data []byte) []T {
	var list []T
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	return list
}
