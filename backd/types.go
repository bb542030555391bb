package backd

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/lenient"
	"github.com/multirefund/refund-go/refund"
)

// currency of all amounts. Assumption, see the package comment.
const currency = "USD"

// Time is a date of Backd's, such as "2026-04-16 10:30:00", in America/Chicago if it names no zone. One that cannot be
// read is the zero time, never a failure: the rest of the answer counts.
type Time struct {
	time.Time
	Text string // as Backd wrote it
}

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Text = lenient.Text(data)
	t.Time, _ = lenient.Time(t.Text, chicago())
	return nil
}

// MarshalJSON writes Text.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.Text) //nolint:wrapcheck // of a string: cannot fail
}

// LocksAt returns when a refund request that was submitted at that time locks, in the zone America/Chicago (refund
// page):
//
//   - on a weekday before 17:00: at 17:00 of the same day;
//   - later, Monday to Thursday: at 17:00 of the next day;
//   - Friday at or after 17:00, Saturday and Sunday: at 17:00 of the following Monday.
//
// Backd does not mention holidays. Where an answer has a locked_at, that one counts.
func LocksAt(submitted time.Time) time.Time {
	t := submitted.In(chicago())
	year, month, day := t.Date()
	const lock = 17
	late := t.Hour() >= lock
	switch weekday := t.Weekday(); {
	case weekday == time.Saturday:
		day += 2
	case weekday == time.Friday && late:
		day += 3
	case weekday == time.Sunday, late:
		day++
	}
	return time.Date(year, month, day, lock, 0, 0, 0, t.Location())
}

// chicago returns the zone America/Chicago, by the rule that has been law since 2007. It is written out here because
// time.LoadLocation needs files that minimal systems do not have, or time/tzdata, 450 KB in every program; and it reads
// the environment. This is a TZif file (RFC 9636) of one standard time and the rule in its footer.
func chicago() *time.Location {
	const (
		standard = "\xff\xff\xab\xa0\x00\x00CST\x00" // six hours behind
		rule     = "CST6CDT,M3.2.0,M11.1.0"          // second Sunday of March to first Sunday of November
	)
	header, counts := "TZif2"+strings.Repeat("\x00", 15), strings.Repeat("\x00", 19)+"\x01\x00\x00\x00\x04"
	file := header + strings.Repeat("\x00", len(counts)) + header + counts + standard + "\n" + rule + "\n"
	zone, _ := time.LoadLocationFromTZData("America/Chicago", []byte(file)) //nolint:errcheck // a constant, and tested
	return zone
}

// RefundRequest is the body of POST /refund.
type RefundRequest struct {
	BackdOrderID    string // Backd's id of the order. Required.
	MerchantOrderID string // your own id of it. Required.
	// RefundAmount is the total that the active request shall have, in dollars, greater than zero, with two decimals at
	// the most. Required.
	RefundAmount decimal.Decimal
}

// MarshalJSON writes the amount as a JSON number with exactly two decimals.
func (r RefundRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct { //nolint:wrapcheck // wrapped once, in CreateRefund
		BackdOrderID    string      `json:"backd_order_id"`
		MerchantOrderID string      `json:"merchant_order_id"`
		RefundAmount    json.Number `json:"refund_amount"`
	}{r.BackdOrderID, r.MerchantOrderID, json.Number(r.RefundAmount.StringFixed(2))})
}

// DeleteRequest is the body of DELETE /refund.
type DeleteRequest struct {
	BackdOrderID    string `json:"backd_order_id"`    // Backd's id of the order. Required.
	MerchantOrderID string `json:"merchant_order_id"` // your own id of it. Required.
}

// Response is the envelope of every answer.
type Response struct {
	Data    Order          `json:"data"`
	Message string         `json:"message"`
	Status  ResponseStatus `json:"status"`
}

// ResponseStatus says how a request went. Neither the values of Type are documented, nor what Code counts.
type ResponseStatus struct {
	Type  string
	Code  int
	Error bool // refused, whatever the HTTP status
}

// UnmarshalJSON never fails: a member of another type than documented is left empty.
func (s *ResponseStatus) UnmarshalJSON(data []byte) error {
	var w struct{ Type, Code, Error json.RawMessage }
	_ = json.Unmarshal(data, &w) //nolint:errcheck // see above
	s.Type = lenient.Text(w.Type)
	s.Code, _ = strconv.Atoi(lenient.Text(w.Code)) //nolint:errcheck // see above
	s.Error = string(w.Error) == "true" || lenient.Text(w.Error) == "true"
	return nil
}

// OrderStatus is how far an order has got. Open: new values are kept verbatim; how a canceled order is spelled is not
// documented.
type OrderStatus string

// The documented order statuses.
const (
	OrderTermsSelected OrderStatus = "terms_selected"
	OrderPlaced        OrderStatus = "order_placed"
	OrderConfirmed     OrderStatus = "order_confirmed" // the only one that allows refunds
	OrderRefund        OrderStatus = "refund"          // when it is set is not documented
)

// Order is an order at Backd. Amounts are in dollars; nil where the answer states none.
type Order struct {
	BackdOrderID        string           `json:"backd_order_id"`
	CreateDate          Time             `json:"create_date"`
	OrderTotal          *decimal.Decimal `json:"order_total"` // cart + tax + shipping - discount
	CartAmount          *decimal.Decimal `json:"cart_amount"`
	TaxAmount           *decimal.Decimal `json:"tax_amount"`
	ShippingAmount      *decimal.Decimal `json:"shipping_amount"`
	DiscountAmount      *decimal.Decimal `json:"discount_amount"` // positive
	Status              OrderStatus      `json:"status"`
	MerchantOrderID     string           `json:"merchant_order_id"`
	MerchantOrderStatus string           `json:"merchant_order_status"` // your own words
	Shipping            *Contact         `json:"shipping"`
	Billing             *Contact         `json:"billing"`
	Items               []Item           `json:"items"`
	Refunds             []Refund         `json:"refunds"` // declined ones included, in no documented order
}

// ActiveRefund returns the refund request that is in the way of another one, nil if there is none: one in draft or
// approved, else any that is not declined.
func (o *Order) ActiveRefund() *Refund {
	var active *Refund
	for i := range o.Refunds {
		switch r := &o.Refunds[i]; {
		case r.Status == RefundDraft || r.Status == RefundApproved:
			return r
		case !r.Status.declined():
			active = r
		}
	}
	return active
}

// Contact is whom an order is shipped or billed to. It is personal data, and does not print itself.
type Contact struct {
	Name        Name    `json:"name"`
	CompanyName string  `json:"company_name"`
	Address     Address `json:"address"`
	PhoneNumber string  `json:"phone_number"`
	Email       string  `json:"email"`
}

// Format prints no personal data, for every verb.
func (Contact) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "[contact]") //nolint:errcheck // fmt reports it to whoever called fmt
}

// Name is the name of a person.
type Name struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

// Address is a postal address.
type Address struct {
	Line1   string `json:"line1"`
	Line2   string `json:"line2"` // optional
	City    string `json:"city"`
	State   string `json:"state"`
	Zipcode string `json:"zipcode"`
	Country string `json:"country"`
}

// Item is a line of an order.
type Item struct {
	DisplayName  string           `json:"display_name"`
	SKU          string           `json:"sku"`
	UnitPrice    *decimal.Decimal `json:"unit_price"`
	Qty          *decimal.Decimal `json:"qty"`
	ItemImageURL string           `json:"item_image_url"` // optional
	ItemURL      string           `json:"item_url"`       // optional
}

// RefundStatus is how far a refund request has got. Open: new values are kept verbatim.
type RefundStatus string

// The documented statuses of refund requests. The first two are active.
const (
	RefundDraft    RefundStatus = "draft"
	RefundApproved RefundStatus = "approved"
	RefundDeclined RefundStatus = "declined" // replaced, deleted or turned down; spelled like that in prose only
)

func (s RefundStatus) declined() bool {
	return strings.HasPrefix(strings.ToLower(string(s)), "decline")
}

// common converts to the common language.
func (s RefundStatus) common() refund.Status {
	switch {
	case s == RefundDraft || s == RefundApproved:
		return refund.StatusPending
	case s.declined():
		return refund.StatusCanceled
	}
	return ""
}

// Refund is a refund request of an order. Backd gives it no id.
type Refund struct {
	Amount     *decimal.Decimal `json:"amount"` // nil where the answer states none
	CreateDate Time             `json:"create_date"`
	Status     RefundStatus     `json:"status"`
	LockedAt   Time             `json:"locked_at"` // from then on it can neither be replaced nor deleted
}

// amount is the amount in the common language; the zero Money if it does not fit.
func (r *Refund) amount() refund.Money { return money(r.Amount) }

func money(d *decimal.Decimal) refund.Money {
	if d == nil {
		return refund.Money{}
	}
	got, err := refund.MoneyFromDecimal(*d, currency)
	if err != nil {
		return refund.Money{}
	}
	return got
}

// locksAt is when the request locks, computed if it is active and does not say; else the zero time.
func (r *Refund) locksAt() time.Time {
	if r.LockedAt.IsZero() && !r.CreateDate.IsZero() && !r.Status.declined() {
		return LocksAt(r.CreateDate.Time)
	}
	return r.LockedAt.Time
}

// locked reports whether the request has locked; false if it is not known when it does.
func (r *Refund) locked() bool {
	at := r.locksAt()
	return !at.IsZero() && !time.Now().Before(at)
}

// entry is what identifies a request: amount, create_date and, as long as it stays the same, status.
type entry [3]string

func (r *Refund) entry() entry {
	return entry{r.amount().Amount(), r.CreateDate.Text, string(r.Status)}
}

// id is this package's own name of the request within its order; empty if it has no create_date.
func (r *Refund) id() string {
	if r.CreateDate.Text == "" {
		return ""
	}
	return r.CreateDate.Text + "/" + r.amount().Amount()
}
