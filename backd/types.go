package backd

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// Time is a date of Backd's, such as "2026-04-16 10:30:00", in America/Chicago if it names no zone. One that cannot be
// read is the zero time, never a failure: the rest of the response counts.
type Time struct {
	time.Time
	Text string // as Backd wrote it
}

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Text = wire.Text(data)
	t.Time, _ = wire.Time(t.Text, chicago)
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
// Backd does not mention holidays. Where a response has a locked_at, that one counts.
func LocksAt(submitted time.Time) time.Time {
	t := submitted.In(chicago)
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

var chicago = newChicago() //nolint:gochecknoglobals // read-only

// newChicago returns the zone America/Chicago, by the rule that has been law since 2007. It is written out here because
// time.LoadLocation needs files that minimal systems do not have, or time/tzdata, 450 KB in every program; and it reads
// the environment. This is a TZif file (RFC 9636) of one standard time and the rule in its footer.
func newChicago() *time.Location {
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
	// RefundAmount is the total that the active request shall have, in USD, greater than zero. Required.
	RefundAmount refund.Money
}

func (r *RefundRequest) check(op *httpx.Op) error {
	if err := checkIDs(op, "BackdOrderID", r.BackdOrderID, "MerchantOrderID", r.MerchantOrderID); err != nil {
		return err
	}
	if r.RefundAmount.Sign() <= 0 {
		return op.Invalid("RefundAmount", "is %s; it must be greater than zero", r.RefundAmount)
	}
	if r.RefundAmount.Currency() != currency {
		return op.NotSent(refund.ErrCurrencyMismatch, "RefundAmount", "is %s; Backd refunds in %s", r.RefundAmount, currency)
	}
	return nil
}

// wireRefund is the body of POST /refund as it is sent: the amount is a number with two decimals.
type wireRefund struct {
	BackdOrderID    string      `json:"backd_order_id"`
	MerchantOrderID string      `json:"merchant_order_id"`
	RefundAmount    json.Number `json:"refund_amount"`
}

func (r *RefundRequest) wire() *wireRefund {
	return &wireRefund{r.BackdOrderID, r.MerchantOrderID, json.Number(r.RefundAmount.Amount())}
}

// Replacement is what ReplaceRefund has done.
type Replacement struct {
	Refund Refund // the new active request
	// Declined are the requests that are declined now and were not before: the former active one, none if there was none,
	// and any that somebody else has asked for since the order was read.
	Declined []Refund
	Order    Order // as the response shows it
}

// DeleteRequest is the body of DELETE /refund.
type DeleteRequest struct {
	BackdOrderID    string `json:"backd_order_id"`    // Backd's id of the order. Required.
	MerchantOrderID string `json:"merchant_order_id"` // your own id of it. Required.
}

func (r *DeleteRequest) check(op *httpx.Op) error {
	return checkIDs(op, "BackdOrderID", r.BackdOrderID, "MerchantOrderID", r.MerchantOrderID)
}

// Response is the envelope of every response.
type Response struct {
	Data    Order          `json:"data"`
	Message string         `json:"message"`
	Status  ResponseStatus `json:"status"`
}

// responseBody is a Response as it is read: in one go, because each UnmarshalJSON goes over its bytes once more.
type responseBody struct {
	Data    orderBody       `json:"data"`
	Message json.RawMessage `json:"message"`
	Status  ResponseStatus  `json:"status"`
}

func (b *responseBody) native() *Response {
	return &Response{Data: b.Data.native(), Message: wire.Text(b.Message), Status: b.Status}
}

// UnmarshalJSON leaves a message that is not text empty.
func (r *Response) UnmarshalJSON(data []byte) error {
	var b responseBody
	if err := json.Unmarshal(data, &b); err != nil {
		return err //nolint:wrapcheck // encoding/json's own, for encoding/json
	}
	*r = *b.native()
	return nil
}

// problem says why b is not the order with these ids, or "". A missing list is not an empty one: somebody is about to
// pay because of it. merchantID may be empty.
func (b *responseBody) problem(id, merchantID string) string {
	switch got := b.Data.MerchantOrderID; {
	case b.Data.BackdOrderID != id:
		return "the response's data is not the order that was asked for"
	case merchantID != "" && got != "" && got != merchantID:
		return "the response's data has another merchant_order_id than the order that was asked for"
	case b.Data.Refunds == nil:
		return "the response's data has no list of refunds"
	case b.Status.Code >= 400 && b.Status.Code < 600: // classify has taken status.error for false
		return "the response contradicts itself: its status.code is that of an error, its status.error is not true"
	}
	return ""
}

// ResponseStatus says how a request went. Neither the values of Type are documented, nor what Code counts.
type ResponseStatus struct {
	Type  string
	Code  int
	Error bool // refused, whatever the HTTP status
}

// UnmarshalJSON never fails: a member of another type than documented is left empty. null changes nothing.
func (s *ResponseStatus) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var w struct{ Type, Code, Error json.RawMessage }
	_ = json.Unmarshal(data, &w) //nolint:errcheck // see above
	s.Type = wire.Text(w.Type)
	s.Code, _ = strconv.Atoi(wire.Text(w.Code)) //nolint:errcheck // see above
	s.Error = string(w.Error) == "true" || wire.Text(w.Error) == "true"
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

// Order is an order at Backd. Amounts are in dollars; nil where the response states none.
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

type plainOrder Order

// orderBody is an Order as it is read.
type orderBody struct {
	plainOrder
	CartAmount          json.RawMessage `json:"cart_amount"`
	TaxAmount           json.RawMessage `json:"tax_amount"`
	ShippingAmount      json.RawMessage `json:"shipping_amount"`
	DiscountAmount      json.RawMessage `json:"discount_amount"`
	MerchantOrderStatus json.RawMessage `json:"merchant_order_status"`
}

func (b *orderBody) native() Order {
	o := Order(b.plainOrder)
	o.CartAmount, o.TaxAmount = decimalOf(b.CartAmount), decimalOf(b.TaxAmount)
	o.ShippingAmount, o.DiscountAmount = decimalOf(b.ShippingAmount), decimalOf(b.DiscountAmount)
	o.MerchantOrderStatus = wire.Text(b.MerchantOrderStatus)
	return o
}

// UnmarshalJSON fails only for what a refund hangs on: what else an order says must not hide its requests.
func (o *Order) UnmarshalJSON(data []byte) error {
	var b orderBody
	if err := json.Unmarshal(data, &b); err != nil {
		return err //nolint:wrapcheck // encoding/json's own, for encoding/json
	}
	*o = b.native()
	return nil
}

// decimalOf returns a number; nil if data is none.
func decimalOf(data []byte) *decimal.Decimal {
	var d *decimal.Decimal
	if json.Unmarshal(data, &d) != nil {
		return nil
	}
	return d
}

// total is the order_total in the common language; the zero Money if there is none that fits.
func (o *Order) total() refund.Money { return wire.MoneyFromDecimal(o.OrderTotal, currency) }

// ActiveRefund returns the refund request that is in the way of another one, nil if there is none: one in draft or
// approved, else any that is not declined.
func (o *Order) ActiveRefund() *Refund {
	var active *Refund
	for i := range o.Refunds {
		switch r := &o.Refunds[i]; {
		case r.Status.active():
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

// UnmarshalJSON never fails: a member of another type than documented is left empty.
func (c *Contact) UnmarshalJSON(data []byte) error {
	type plain Contact
	_ = json.Unmarshal(data, (*plain)(c)) //nolint:errcheck // see above
	return nil
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

// UnmarshalJSON never fails: a member of another type than documented is left empty.
func (i *Item) UnmarshalJSON(data []byte) error {
	type plain Item
	_ = json.Unmarshal(data, (*plain)(i)) //nolint:errcheck // see above
	return nil
}

// RefundStatus is how far a refund request has got. Open: new values are kept verbatim.
type RefundStatus string

// The documented statuses of refund requests. The first two are active.
const (
	RefundDraft    RefundStatus = "draft"
	RefundApproved RefundStatus = "approved"
	RefundDeclined RefundStatus = "declined" // replaced, deleted or turned down; spelled like that in prose only
)

// active reports whether s is one of the statuses that are documented as active.
func (s RefundStatus) active() bool { return s == RefundDraft || s == RefundApproved }

func (s RefundStatus) declined() bool {
	return strings.HasPrefix(strings.ToLower(string(s)), "decline")
}

// common converts to the common language.
func (s RefundStatus) common() refund.Status {
	switch {
	case s.active():
		return refund.StatusPending
	case s.declined():
		return refund.StatusCanceled
	}
	return refund.StatusUnknown
}

// Refund is a refund request of an order. Backd gives it no id.
type Refund struct {
	Amount     *decimal.Decimal `json:"amount"` // nil where the response states none
	CreateDate Time             `json:"create_date"`
	Status     RefundStatus     `json:"status"`
	LockedAt   Time             `json:"locked_at"` // from then on it can neither be replaced nor deleted
}

// amount is the amount in the common language; the zero Money if it does not fit.
func (r *Refund) amount() refund.Money { return wire.MoneyFromDecimal(r.Amount, currency) }

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

// id is this package's own name of the request within its order; empty if it has no create_date.
func (r *Refund) id() string {
	if r.CreateDate.Text == "" {
		return ""
	}
	return r.CreateDate.Text + "/" + r.amount().Amount()
}

// checkIDs checks the ids of an order, which both operations on refunds need (refund page).
func checkIDs(op *httpx.Op, field, id, merchantField, merchantID string) error {
	if err := checkBackdID(op, field, id); err != nil {
		return err
	}
	switch {
	case merchantID == "":
		return op.Invalid(merchantField, "is empty; it is the merchant_order_id, your own id of the order")
	case len(merchantID) > maxMerchantID:
		return op.Invalid(merchantField, "has %d bytes; %d are allowed", len(merchantID), maxMerchantID)
	case strings.ContainsFunc(merchantID, func(r rune) bool { return !unicode.IsPrint(r) }):
		return op.Invalid(merchantField, "has a character that does not print; letters, digits, punctuation and spaces are allowed")
	}
	return op.CheckText(merchantField, merchantID)
}

// checkBackdID checks an id that becomes a segment of a path.
func checkBackdID(op *httpx.Op, field, id string) error {
	switch {
	case id == "":
		return op.Invalid(field, "is empty; it is the backd_order_id, Backd's id of the order")
	case len(id) > maxOrderID:
		return op.Invalid(field, "has %d characters; %d are allowed", len(id), maxOrderID)
	case id == "." || id == ".." || strings.ContainsAny(id, `/\?#%`) || !httpx.VisibleASCII(id):
		return op.Invalid(field, "is no id of Backd's; visible ASCII is allowed, without slashes, question mark, hash and percent sign, and not dots alone")
	}
	return nil
}
