package orderrows

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// Time is a date of the API's. Whether it has an offset is not documented: without one it is in UTC. One that cannot be
// read, or is null, is the zero time, never a failure: the rest of the response counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time, _ = wire.Time(wire.Text(data), time.UTC)
	return nil
}

// Text is a text of the API's that no refund depends on, such as an id of the payment's. A number is read as its digits,
// anything else than a text is empty, never a failure: the rest of the response counts.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = Text(wire.Text(data))
	return nil
}

// Messages are the API's words about the data of a request. It sends null where there are none.
type Messages []string

// UnmarshalJSON never fails: anything but a list of texts is read as one where possible.
func (m *Messages) UnmarshalJSON(data []byte) error {
	*m = nil
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		items = []json.RawMessage{data}
	}
	for _, item := range items {
		if text := wire.Text(item); text != "" {
			*m = append(*m, text)
		}
	}
	return nil
}

// RefundType is what a refund row is for. Open: new values are kept as they are.
type RefundType int

// The documented refund types (Creates refund page).
const (
	TypeDefault      RefundType = 0 // the order, or one of its rows
	TypeInstanceCost RefundType = 1 // cost of a return
	TypeShipping     RefundType = 2
	TypeInvoiceFee   RefundType = 3
)

// NewRefund is the body of Creates refund: a refund with one row. See the package comment for which fields move money
// and which only record that it has moved. No greatest lengths are documented; this package's own are in the package comment.
type NewRefund struct {
	OrderRowID  int32  `json:"OrderRowId,omitempty"` // the order row that is refunded; 0 means no particular one
	Reference   string `json:"Reference,omitempty"`  // your own; the only thing to find the refund again by
	Description string `json:"Description,omitempty"`
	Author      string `json:"Author,omitempty"`
	// RefundAmount is greater than zero, in one of Config.Currencies. Only its number is sent: the API reads it in the
	// order's currency, which is not compared with this one. Required.
	RefundAmount refund.Money `json:"RefundAmount"`
	// RefundType is TypeDefault if it is left out.
	RefundType RefundType `json:"RefundType"`

	ToBalance        bool `json:"ToBalance,omitempty"`        // credit the customer's balance in the shop
	Settled          bool `json:"Settled,omitempty"`          // the money has moved already: no event, no approval
	SkipRefundEvents bool `json:"SkipRefundEvents,omitempty"` // no event: an integration that pays by events is not told
	// RefundsRequireApproval keeps the refund from being sent before SetApproval. Not together with Settled.
	RefundsRequireApproval bool `json:"RefundsRequireApproval,omitempty"`
}

func (r *NewRefund) check(op *httpx.Op, currencies []string) error {
	if err := checkText(op, "Reference", r.Reference, maxText); err != nil { // changed by JSON, nobody would find it again
		return err
	}
	if err := checkText(op, "Description", r.Description, maxDescription); err != nil {
		return err
	}
	if err := checkText(op, "Author", r.Author, maxText); err != nil {
		return err
	}
	switch {
	case r.RefundAmount.IsZero():
		return op.Invalid("RefundAmount", "is missing; there is no empty amount that means everything")
	case r.RefundAmount.Sign() <= 0:
		return op.Invalid("RefundAmount", "is %s; it must be greater than zero", r.RefundAmount)
	case !slices.Contains(currencies, r.RefundAmount.Currency()):
		return op.NotSent(refund.ErrCurrencyMismatch, "RefundAmount", "is in %s; this client refunds in %s",
			r.RefundAmount.Currency(), strings.Join(currencies, ", "))
	case r.OrderRowID < 0:
		return op.Invalid("OrderRowID", "is %d; ids are greater than zero, 0 means no particular row", r.OrderRowID)
	case r.RefundType < TypeDefault || r.RefundType > TypeInvoiceFee:
		return op.Invalid("RefundType", "is %d; %d to %d are allowed", r.RefundType, TypeDefault, TypeInvoiceFee)
	case r.RefundsRequireApproval && r.Settled: // Creates refund page: only applies if Settled is false
		return op.Invalid("RefundsRequireApproval", "does not go with Settled, which records the refund without any approval")
	}
	return nil
}

// wireNewRefund is a NewRefund as it is sent: the amount is a number with the currency's decimals.
type wireNewRefund struct {
	*NewRefund

	RefundAmount json.Number `json:"RefundAmount"`
}

func (r *NewRefund) wire() *wireNewRefund {
	return &wireNewRefund{r, json.Number(r.RefundAmount.Amount())}
}

// CreatedRefund is the response to a new refund.
type CreatedRefund struct {
	RefundID string   `json:"Resource"` // a UUID
	Message  string   `json:"Message"`
	Details  Messages `json:"Details"`
}

func (r *CreatedRefund) problem() string {
	if !isRefundID(r.RefundID) {
		return "the response has no id of a refund in Resource"
	}
	return ""
}

// Answer is the response to a change of a refund.
type Answer struct {
	Message string   `json:"Message"`
	Details Messages `json:"Details"`
}

func (*Answer) problem() string { return "" }

// Refund is a refund as it is read. What the API leaves out, or sends as null, is nil or empty.
type Refund struct {
	RefundID         string `json:"RefundId"`
	RefundInstanceID int32  `json:"RefundInstanceId"`
	OrderID          int32  `json:"OrderId"`
	Reference        string `json:"Reference"`
	Description      Text   `json:"Description"`
	Author           Text   `json:"Author"`

	ExternalOrderID             Text `json:"ExternalOrderId"`
	OrderTransactionID          Text `json:"OrderTransactionId"`
	SecondaryOrderTransactionID Text `json:"SecondaryOrderTransactionId"`
	ExternalID                  Text `json:"ExternalId"`

	PaymentName Text   `json:"PaymentName"`
	Locale      Text   `json:"Locale"`
	SiteName    Text   `json:"SiteName"`
	Customer    Text   `json:"Customer"` // personal data
	Currency    string `json:"Currency"`
	OrderStatus Text   `json:"OrderStatus"`

	// Amounts of the order, in Currency.
	OrderSum      *decimal.Decimal `json:"OrderSum"`
	OrderVat      *decimal.Decimal `json:"OrderVat"`
	OrderValue    *decimal.Decimal `json:"OrderValue"`
	OrderDiscount *decimal.Decimal `json:"OrderDiscount"`
	ShippingFee   *decimal.Decimal `json:"ShippingFee"`
	PaymentFee    *decimal.Decimal `json:"PaymentFee"`

	CreatedOn        Time `json:"CreatedOn"`
	Sent             bool `json:"Sent"`
	SentOn           Time `json:"SentOn"`
	Processed        bool `json:"Processed"`
	ProcessedOn      Time `json:"ProcessedOn"`
	RequiresApproval bool `json:"RequiresApproval"`
	// Approved is nil while nobody has decided. It means something only if RequiresApproval.
	Approved          *bool `json:"Approved"`
	ApprovalDecidedBy Text  `json:"ApprovalDecidedBy"`
	ApprovalDecidedOn Time  `json:"ApprovalDecidedOn"`
	SkipRefundEvents  bool  `json:"SkipRefundEvents"`
	Shipped           bool  `json:"Shipped"`
	// VatRate is a fraction: 0.25 is 25 %.
	VatRate *decimal.Decimal `json:"VatRate"`

	// Amounts of the refund, in Currency. Discount and balance may be split over several refunds.
	RefundedItemTotal   *decimal.Decimal `json:"RefundedItemTotal"`
	RefundedShippingFee *decimal.Decimal `json:"RefundedShippingFee"`
	RefundedPaymentFee  *decimal.Decimal `json:"RefundedPaymentFee"`
	RefundedDiscount    *decimal.Decimal `json:"RefundedDiscount"`
	RefundedBalance     *decimal.Decimal `json:"RefundedBalance"`
	RefundedTotal       *decimal.Decimal `json:"RefundedTotal"`

	RefundRows []RefundRow `json:"RefundRows"`
	Rows       []OrderRow  `json:"Rows"`
}

// RefundRow is a row of a refund.
type RefundRow struct {
	OrderID     int32  `json:"OrderId"`
	RefundRowID int32  `json:"RefundRowId"`
	OrderRowID  *int32 `json:"OrderRowId"` // nil for no particular order row
	CaptureID   string `json:"CaptureId"`  // a UUID; empty for none
	// RefundAmount may differ from the value of the order row.
	RefundAmount      *decimal.Decimal `json:"RefundAmount"`
	RefundAmountExVat *decimal.Decimal `json:"RefundAmountExVat"`
	ToBalance         bool             `json:"ToBalance"`
	Settled           bool             `json:"Settled"`
	SettledOn         Time             `json:"SettledOn"`
	Investigation     bool             `json:"Investigation"`
	CreatedOn         Time             `json:"CreatedOn"`
	RefundType        RefundType       `json:"RefundType"`
}

// OrderRow is a row of the refunded order.
type OrderRow struct {
	OrderRowID          int32            `json:"OrderRowId"`
	ItemID              int32            `json:"ItemId"` // the SKU's
	ProductID           int32            `json:"ProductId"`
	Price               *decimal.Decimal `json:"Price"` // VAT included
	PriceExVat          *decimal.Decimal `json:"PriceExVat"`
	PriceBeforeDiscount *decimal.Decimal `json:"PriceBeforeDiscount"`
	Discount            *decimal.Decimal `json:"Discount"`
	AverageDiscount     *decimal.Decimal `json:"AverageDiscount"`
	// SuggestedRefundAmount takes discounts of the whole order into account.
	SuggestedRefundAmount *decimal.Decimal `json:"SuggestedRefundAmount"`
	Name                  string           `json:"Name"`
	ProductName           string           `json:"ProductName"`
	Variant               string           `json:"Variant"`
	Brand                 string           `json:"Brand"`
	PrimaryImage          string           `json:"PrimaryImage"`
	ArticleNumber         string           `json:"ArticleNumber"`
	Shelf                 string           `json:"Shelf"`
	CampaignNames         string           `json:"CampaignNames"`
}

// UnmarshalJSON never fails: a member of another type than documented is left empty.
func (r *OrderRow) UnmarshalJSON(data []byte) error {
	type plain OrderRow
	_ = json.Unmarshal(data, (*plain)(r)) //nolint:errcheck // see above
	return nil
}

// number is the row's amount where there is one row, which is what CreateRefund makes, else the total; nil if the API does
// not state it.
func (r *Refund) number() *decimal.Decimal {
	if len(r.RefundRows) == 1 {
		return r.RefundRows[0].RefundAmount
	}
	return r.RefundedTotal
}

// amount converts number to the common language; the zero Money if it cannot be read.
func (r *Refund) amount() refund.Money { return wire.MoneyFromDecimal(r.number(), r.Currency) }

// status condenses the flags; the API has no word for it. That money has moved comes first.
func (r *Refund) status() refund.Status {
	settled := len(r.RefundRows) > 0 && !slices.ContainsFunc(r.RefundRows, func(row RefundRow) bool { return !row.Settled })
	switch {
	case r.Processed || settled:
		return refund.StatusSucceeded
	case r.RequiresApproval && r.Approved == nil:
		return refund.StatusNeedsAction
	case r.RequiresApproval && !*r.Approved:
		return refund.StatusCanceled
	}
	return refund.StatusPending
}

// problem returns why r is not a refund of the order; 0 stands for any order.
func (r *Refund) problem(orderID int32) string {
	switch {
	case r.RefundID == "":
		return "a refund in the response has no RefundId"
	case orderID != 0 && r.OrderID != 0 && r.OrderID != orderID:
		return "a refund in the response is of order " + itoa(r.OrderID)
	}
	return ""
}

// oneRefund is the response to reading a refund.
type oneRefund struct{ Resource *Refund }

func (one *oneRefund) problem(orderID int32, refundID string) string {
	if one.Resource == nil {
		return "the response has no Resource"
	}
	if p := one.Resource.problem(orderID); p != "" {
		return p
	}
	if !strings.EqualFold(one.Resource.RefundID, refundID) {
		return "the response is another refund"
	}
	return ""
}

// refundList is the response to reading refunds.
type refundList struct{ Resource *[]Refund }

func (list *refundList) problem(orderID int32) string {
	if list.Resource == nil { // not an empty list: Refund would pay again
		return "the response has no Resource"
	}
	for i := range *list.Resource {
		if p := (*list.Resource)[i].problem(orderID); p != "" {
			return p
		}
	}
	return ""
}

// Order is an order as RetrieveOrder reads it: of its members only the refunds are documented.
type Order struct {
	Refunds []OrderRefund `json:"Refunds"`
}

func (o *Order) problem() string {
	if o.Refunds == nil {
		return "the response has no Refunds"
	}
	return ""
}

// OrderRefund is a refund as an order shows it. The types of most members are not documented, so ids are texts.
type OrderRefund struct {
	ID              Text             `json:"Id"` // not the RefundID, which is a UUID
	OrderRowID      Text             `json:"OrderRowId"`
	PaymentDetailID Text             `json:"PaymentDetailId"`
	ReturnID        Text             `json:"ReturnId"`
	ItemID          Text             `json:"ItemId"`
	ArticleNumber   Text             `json:"ArticleNumber"`
	CreatedAt       Time             `json:"CreatedAt"`
	Total           *decimal.Decimal `json:"Total"` // no currency is documented, presumably the order's
	Vat             *decimal.Decimal `json:"Vat"`
	ReasonCode      Text             `json:"ReasonCode"`
	Reason          Text             `json:"Reason"`
	ToBalance       bool             `json:"ToBalance"`
	RefundType      Text             `json:"RefundType"` // a word here, and a number elsewhere
}

// RefundApproval is the body of SetApproval. The zero value denies.
type RefundApproval struct {
	Approved          bool      `json:"Approved"`
	ApprovalDecidedBy string    `json:"ApprovalDecidedBy,omitempty"`
	ApprovalDecidedOn time.Time `json:"ApprovalDecidedOn,omitzero"` // the zero time means now
}

func (r *RefundApproval) check(op *httpx.Op) error {
	return checkText(op, "ApprovalDecidedBy", r.ApprovalDecidedBy, maxText)
}

// ProcessedRefund is the body of SetAsProcessed.
type ProcessedRefund struct {
	ExternalID string `json:"ExternalId,omitempty"` // of the payment provider's refund
	// Reference is better left empty: whether it replaces that of the refund, which it is found by, is not documented.
	Reference   string    `json:"Reference,omitempty"`
	ProcessedOn time.Time `json:"ProcessedOn,omitzero"` // the zero time means now
}

func (r *ProcessedRefund) check(op *httpx.Op) error {
	if err := checkText(op, "ExternalID", r.ExternalID, maxText); err != nil {
		return err
	}
	return checkText(op, "Reference", r.Reference, maxText)
}

// SettledRefund is the body of SetAsSettled and SetRowAsSettled.
type SettledRefund struct {
	SettledByAdminUserID int32     `json:"SettledByAdminUserId,omitempty"` // 0 means nobody in particular
	SettledOn            time.Time `json:"SettledOn,omitzero"`             // the zero time means now
}

// QueryStatus is a status that refunds can be queried by. Refunds themselves do not carry it, and there is none for denied
// ones. Open: new values may come.
type QueryStatus int

// The documented query statuses (OpenAPI document, RefundQuery).
const (
	StatusAll             QueryStatus = 0 // not in ExcludeStatuses
	StatusSent            QueryStatus = 1
	StatusSettled         QueryStatus = 2
	StatusSettledManually QueryStatus = 3
	StatusProcessed       QueryStatus = 4
	StatusInvestigation   QueryStatus = 5
	StatusPendingApproval QueryStatus = 6
	StatusApproved        QueryStatus = 7
)

// RefundQuery selects refunds. The zero value selects all; there is no filter by order, reference or id. Whether the
// bounds are inclusive is not documented.
type RefundQuery struct {
	CreatedAfter    time.Time     `json:"CreatedAfter,omitzero"`
	CreatedBefore   time.Time     `json:"CreatedBefore,omitzero"`
	ApprovedAfter   time.Time     `json:"ApprovedAfter,omitzero"`
	ApprovedBefore  time.Time     `json:"ApprovedBefore,omitzero"`
	UpdatedAfter    time.Time     `json:"UpdatedAfter,omitzero"`
	UpdatedBefore   time.Time     `json:"UpdatedBefore,omitzero"`
	IncludeStatuses []QueryStatus `json:"IncludeStatuses,omitempty"` // none means StatusAll
	ExcludeStatuses []QueryStatus `json:"ExcludeStatuses,omitempty"`
}

func (q *RefundQuery) check(op *httpx.Op) error {
	for _, f := range [...]struct {
		name     string
		statuses []QueryStatus
		least    QueryStatus
	}{{"IncludeStatuses", q.IncludeStatuses, StatusAll}, {"ExcludeStatuses", q.ExcludeStatuses, StatusSent}} {
		if i := slices.IndexFunc(f.statuses, func(s QueryStatus) bool { return s < f.least || s > StatusApproved }); i >= 0 {
			return op.Invalid(f.name, "has %d; %d to %d are allowed", f.statuses[i], f.least, StatusApproved)
		}
	}
	return nil
}

// utc converts dates to the one zone that all of the vendor's examples use.
func utc(dates ...*time.Time) {
	for _, date := range dates {
		*date = date.UTC()
	}
}

func itoa(id int32) string { return strconv.Itoa(int(id)) }

// parseID reads an id of the common language, in the one way of writing it: two strings must not mean one order.
func parseID(op *httpx.Op, field, what, id string) (int32, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		return 0, op.Invalid(field, "must be %s: digits, without leading zeros, from 1 to 2147483647", what)
	}
	return int32(n), nil
}

// parseOrder returns the API's id of an order. MerchantID only informs; an invoice would be part of an order.
func parseOrder(op *httpx.Op, order refund.Order) (int32, error) {
	if order.InvoiceID != "" {
		return 0, op.Invalid("Order.InvoiceID", "is set; Geins knows orders, and no invoices of them")
	}
	return parseID(op, "Order.ID", "the number of the order at Geins", order.ID)
}

// checkText checks a text of at most limit characters.
func checkText(op *httpx.Op, field, text string, limit int) error {
	if n := utf8.RuneCountInString(text); n > limit {
		return op.Invalid(field, "has %d characters; %d are allowed", n, limit)
	}
	return op.CheckText(field, text)
}

func checkID(op *httpx.Op, field string, id int32) error {
	if id <= 0 {
		return op.Invalid(field, "is %d; ids are greater than zero", id)
	}
	return nil
}

func checkIDs(op *httpx.Op, orderID int32, refundID string) error {
	if err := checkID(op, "Order.ID", orderID); err != nil {
		return err
	}
	if !isRefundID(refundID) {
		return op.Invalid("ID", `is not the id of a refund, which is a UUID like "6f1c3c1e-8f0a-4b52-9a3c-2f6b7f0d9a11"`)
	}
	return nil
}

// isRefundID reports whether id is a UUID in its usual form. Anything else must not be sent: "List" stands in the same
// place of the path.
func isRefundID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && len(id) == len(uuid.UUID{}.String()) && parsed != uuid.Nil
}
