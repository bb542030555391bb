package orderrows

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/lenient"
	"github.com/multirefund/refund-go/refund"
)

// Time is a date of the API's. Whether it has an offset is not documented: without one it is in UTC. One that cannot be
// read, or is null, is the zero time, never a failure: the rest of the answer counts.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time, _ = lenient.Time(lenient.Text(data), time.UTC)
	return nil
}

// Messages are the API's words about the data of a request. It sends null where there are none.
type Messages []string

// UnmarshalJSON never fails: what is no list of texts is read as far as it is one.
func (m *Messages) UnmarshalJSON(data []byte) error {
	*m = nil
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		items = []json.RawMessage{data}
	}
	for _, item := range items {
		if text := lenient.Text(item); text != "" {
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
// and which only record that it has moved. No greatest lengths are documented.
type NewRefund struct {
	OrderRowID  int32  `json:"OrderRowId,omitempty"` // the order row that is refunded; 0 means no particular one
	Reference   string `json:"Reference,omitempty"`  // your own; the only thing to find the refund again by
	Description string `json:"Description,omitempty"`
	Author      string `json:"Author,omitempty"`
	// RefundAmount is in the order's currency, greater than zero, with no more decimals than Config.Currency has.
	// Required.
	RefundAmount decimal.Decimal `json:"-"`
	// RefundType is TypeDefault if it is left out.
	RefundType RefundType `json:"RefundType"`

	ToBalance        bool `json:"ToBalance,omitempty"`        // credit the customer's balance in the shop
	Settled          bool `json:"Settled,omitempty"`          // the money has moved already: no event, no approval
	SkipRefundEvents bool `json:"SkipRefundEvents,omitempty"` // no event: whoever pays by events does not hear of it
	// RefundsRequireApproval keeps the refund from being sent before SetApproval. Not together with Settled.
	RefundsRequireApproval bool `json:"RefundsRequireApproval,omitempty"`
}

// MarshalJSON writes the amount as a number with the decimals that it has.
func (r NewRefund) MarshalJSON() ([]byte, error) {
	type plain NewRefund
	amount := r.RefundAmount.StringFixed(max(0, -r.RefundAmount.Exponent()))
	return json.Marshal(struct { //nolint:wrapcheck // wrapped once, in client.go
		plain
		RefundAmount json.Number
	}{plain(r), json.Number(amount)})
}

// CreatedRefund is the answer to a new refund.
type CreatedRefund struct {
	RefundID string   `json:"Resource"` // a UUID
	Message  string   `json:"Message"`
	Details  Messages `json:"Details"`
}

// Answer is the answer to a change of a refund.
type Answer struct {
	Message string   `json:"Message"`
	Details Messages `json:"Details"`
}

// Refund is a refund as it is read. What the API leaves out, or sends as null, is nil or empty.
type Refund struct {
	RefundID         string `json:"RefundId"`
	RefundInstanceID int32  `json:"RefundInstanceId"`
	OrderID          int32  `json:"OrderId"`
	Reference        string `json:"Reference"`
	Description      string `json:"Description"`
	Author           string `json:"Author"`

	ExternalOrderID             string `json:"ExternalOrderId"`
	OrderTransactionID          string `json:"OrderTransactionId"`
	SecondaryOrderTransactionID string `json:"SecondaryOrderTransactionId"`
	ExternalID                  string `json:"ExternalId"`

	PaymentName string `json:"PaymentName"`
	Locale      string `json:"Locale"`
	SiteName    string `json:"SiteName"`
	Customer    string `json:"Customer"` // personal data
	Currency    string `json:"Currency"`
	OrderStatus string `json:"OrderStatus"`

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
	Approved          *bool  `json:"Approved"`
	ApprovalDecidedBy string `json:"ApprovalDecidedBy"`
	ApprovalDecidedOn Time   `json:"ApprovalDecidedOn"`
	SkipRefundEvents  bool   `json:"SkipRefundEvents"`
	Shipped           bool   `json:"Shipped"`
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

// amount converts to the common language: the row's amount where there is one row, which is what CreateRefund makes, else
// the total; the zero Money if the provider states none that can be read.
func (r *Refund) amount() refund.Money {
	if len(r.RefundRows) == 1 {
		return money(r.RefundRows[0].RefundAmount, r.Currency)
	}
	return money(r.RefundedTotal, r.Currency)
}

// money converts an amount. The API calculates in binary floating point, so that 53.77 may arrive as
// 53.769999999999996: what is off by less than a millionth is rounded, anything else is the zero Money.
func money(amount *decimal.Decimal, currency string) refund.Money {
	unit, err := refund.MoneyFromMinor(1, currency)
	if err != nil || amount == nil {
		return refund.Money{}
	}
	// First of all, because arithmetic on a giant exponent takes gigabytes.
	if exp := amount.Exponent(); exp < -32 || exp > 32 || amount.Coefficient().BitLen() > 128 {
		return refund.Money{}
	}
	rounded := amount.Round(-unit.Decimal().Exponent())
	if amount.Sub(rounded).Abs().Cmp(decimal.New(1, -6)) >= 0 {
		return refund.Money{}
	}
	got, err := refund.MoneyFromDecimal(rounded, currency)
	if err != nil {
		return refund.Money{}
	}
	return got
}

// RefundApproval is the body of SetApproval. The zero value denies.
type RefundApproval struct {
	Approved          bool      `json:"Approved"`
	ApprovalDecidedBy string    `json:"ApprovalDecidedBy,omitempty"`
	ApprovalDecidedOn time.Time `json:"ApprovalDecidedOn,omitzero"` // the zero time means now
}

// ProcessedRefund is the body of SetAsProcessed.
type ProcessedRefund struct {
	ExternalID string `json:"ExternalId,omitempty"` // of the payment provider's refund
	// Reference is better left empty: whether it replaces that of the refund, which it is found by, is not documented.
	Reference   string    `json:"Reference,omitempty"`
	ProcessedOn time.Time `json:"ProcessedOn,omitzero"` // the zero time means now
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

func (q *RefundQuery) check(op string) error {
	for _, f := range []struct {
		name     string
		statuses []QueryStatus
		least    QueryStatus
	}{{"IncludeStatuses", q.IncludeStatuses, StatusAll}, {"ExcludeStatuses", q.ExcludeStatuses, StatusSent}} {
		if i := slices.IndexFunc(f.statuses, func(s QueryStatus) bool { return s < f.least || s > StatusApproved }); i >= 0 {
			return httpx.Invalid(provider, op, f.name, "has "+strconv.Itoa(int(f.statuses[i]))+"; "+
				strconv.Itoa(int(f.least))+" to "+strconv.Itoa(int(StatusApproved))+" are allowed")
		}
	}
	for _, t := range []*time.Time{
		&q.CreatedAfter, &q.CreatedBefore, &q.ApprovedAfter, &q.ApprovedBefore, &q.UpdatedAfter, &q.UpdatedBefore,
	} {
		*t = t.UTC()
	}
	return nil
}
