package digitalriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/multirefund/refund-go/internal/decide"
	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Getter   = (*Client)(nil)
	_ refund.Lister   = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities {
	caps := c.http.Describe(refund.Capabilities{
		Partial:         true,
		MultipleRefunds: true,
		RejectsExcess:   true,
		Repeat:          refund.RepeatFound,
		ResolvedBy:      refund.ResolvedByMarker,
		Reads:           true,
		Lists:           refund.ListsByTime,
		Parts: []refund.Part{
			refund.PartShipping, refund.PartTax, refund.PartDuty, refund.PartImporterTax,
			refund.PartFee, // of a line only
		},
		RefundsLines: true,
		Reason:       true,
		Metadata:     true,
		RateLimit:    rateLimit,
	})
	if c.noLookup {
		caps.Repeat = refund.RepeatRefundsAgain
	}
	if c.test {
		caps.Target += " (test)"
	}
	return caps
}

// Refund implements refund.Refunder. Order.ID is Digital River's order id. With Config.NoLookup an Order.InvoiceID refunds an
// invoice; an Order.ID beside it is not sent, but whatever names another order is not that refund. Line is the id of an item.
// Reason has at most 64 characters, Metadata at most 19 pairs; longer ones are refused, not cut.
//
// It first looks for a refund with the key, and returns the one it finds, a failed one too. The refund that it makes is
// pending, or needs action.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	op := c.http.Op("refund", refund.Attempt{Request: req})
	native, err := c.native(op)
	if err != nil {
		return nil, err
	}
	if !c.noLookup {
		if native.InvoiceID != "" {
			return nil, op.Invalid("Order.InvoiceID", "is set; refunds cannot be looked up by invoice: set Config.NoLookup, and use a journal")
		}
		if got, err := decide.Before(ctx, op, c.look); got != nil || err != nil {
			return got, err
		}
	}
	return c.send(ctx, op, native)
}

// native checks and converts the request of op.
func (c *Client) native(op *httpx.Op) (*RefundRequest, error) {
	req := &op.Attempt.Request
	if err := c.caps.Check(*req); err != nil {
		return nil, err
	}
	if err := checkOrder(op, req.Order); err != nil {
		return nil, err
	}
	typ, ok := refundType(req.Part, req.Line != "")
	if !ok {
		return nil, op.Invalid("Part", "is %q; of a line its shipping, fee or duty can be refunded, of an order its shipping, tax, duty or importer_tax", req.Part)
	}
	native := &RefundRequest{
		OrderID: ID(req.Order.ID), InvoiceID: ID(req.Order.InvoiceID), Currency: req.Amount.Currency(), Reason: req.Reason,
		Metadata: Metadata{keyMember: req.IdempotencyKey},
	}
	if native.InvoiceID != "" { // one of them is sent (Refunds reference page)
		native.OrderID = ""
	}
	if req.Line == "" {
		native.Amount, native.Type = NumberOf(req.Amount), typ
	} else {
		if err := checkID(op, "Line", ID(req.Line)); err != nil {
			return nil, err
		}
		native.Items = []ItemRequest{{ItemID: ID(req.Line), Amount: NumberOf(req.Amount), Type: typ}}
	}
	if _, taken := req.Metadata[keyMember]; taken {
		return nil, op.Invalid("Metadata", "has the member %s, which carries the key", keyMember)
	}
	for name, value := range req.Metadata {
		native.Metadata[name] = value
	}
	if len(native.Metadata) > maxPairs {
		return nil, op.Invalid("Metadata", "has %d pairs; %d are allowed, and one more carries the key", len(req.Metadata), maxPairs-1)
	}
	if err := native.Metadata.check(op); err != nil {
		return nil, err
	}
	return native, checkReason(op, req.Reason)
}

func checkOrder(op *httpx.Op, order refund.Order) error {
	if order.InvoiceID != "" {
		if err := checkID(op, "Order.InvoiceID", ID(order.InvoiceID)); err != nil || order.ID == "" {
			return err
		}
	}
	return checkID(op, "Order.ID", ID(order.ID))
}

// refundType translates a part; ok is false if there is none like it.
func refundType(part refund.Part, ofLine bool) (typ RefundType, ok bool) {
	switch part {
	case refund.PartOrder:
		return "", true
	case refund.PartShipping:
		return TypeShipping, true
	case refund.PartDuty:
		return TypeDuty, true
	case refund.PartTax:
		return TypeTax, !ofLine
	case refund.PartImporterTax:
		return TypeImporterTax, !ofLine
	case refund.PartFee:
		return TypeFees, ofLine
	default:
		return "", false
	}
}

// send sends the request of op.
func (c *Client) send(ctx context.Context, op *httpx.Op, native *RefundRequest) (*refund.Refund, error) {
	req := &op.Attempt.Request
	made, res, err := c.create(ctx, op, native)
	if err != nil {
		return decide.After(ctx, op, c.look, err)
	}
	got := common(op, req.Order, made)
	switch {
	case made.isOfAnother(req.Order):
		return nil, res.Conflict("the response is a refund of another order or invoice")
	case made.states() && got.Amount != req.Amount:
		return nil, res.Conflict("the response is a refund of another amount, %s", got.Amount)
	case got.IdempotencyKey != "" && got.IdempotencyKey != req.IdempotencyKey:
		return nil, res.Conflict("the response is a refund with another key")
	}
	got.IdempotencyKey, got.Raw = req.IdempotencyKey, res.Body
	return got, nil
}

// look implements decide.Look: it searches the order's refunds for the key. An invoice has no list of its own, so its
// refund is searched for in that of the account.
func (c *Client) look(ctx context.Context, op *httpx.Op) (seen decide.Sighting, err error) {
	a := &op.Attempt
	native, err := c.native(op)
	if err != nil {
		return seen, err
	}
	f := RefundFilter{OrderID: native.OrderID}
	if f.OrderID == "" && !a.FirstSent.IsZero() {
		f.CreatedTime.Gte = decide.Since(a)
	}
	var taken []refund.Money // by the order's refunds that have not failed
	var stray bool           // a gateway may have mixed up the responses: another order's list shows nothing of this one
	for r, err := range c.list(ctx, op, f, (*refundList).problem) {
		if err != nil {
			return seen, err
		}
		key, other := r.key(), native.differs(r, a.Request.Order)
		switch {
		case key == a.Request.IdempotencyKey && other != "":
			seen.Clash = fmt.Sprintf("refund %.64q, of another %s, carries the key", r.ID, other)
		case key == a.Request.IdempotencyKey:
			seen.Found(common(op, a.Request.Order, r))
		case !r.isOfAnother(a.Request.Order): // whether every list shows the metadata is not documented
			seen.Others = append(seen.Others, decide.Other{Refund: common(op, a.Request.Order, r), Marked: key != ""})
		}
		stray = stray || differ(native.OrderID, r.OrderID)
		if !r.failed() {
			taken = append(taken, r.taken())
		}
	}
	absent := seen.Refund == nil && seen.Clash == ""
	if stray && absent {
		return seen, op.Unknown(refund.ErrUnexpected, "", "the response lists refunds of another order")
	}
	// Absence counts only when it is known when the refund was last sent.
	if absent && !a.LastSent.IsZero() && native.OrderID != "" {
		seen.Doubt, seen.Again, err = c.hidden(ctx, op, taken)
	}
	return seen, err
}

// hidden returns why the refund of op may exist although the order's list does not show it, and when to look again. taken
// is what the listed refunds take.
func (c *Client) hidden(ctx context.Context, op *httpx.Op, taken []refund.Money) (doubt string, again time.Time, err error) {
	a := &op.Attempt
	o, err := c.order(ctx, op, ID(a.Request.Order.ID))
	switch {
	case errors.Is(err, refund.ErrOrderNotFound):
		return "the order is not found: the credentials may be those of another account", time.Time{}, nil
	case err != nil:
		return "", time.Time{}, err
	}
	if doubt = o.hides(taken, a.Request.Amount); doubt == "" {
		return "", time.Time{}, nil
	}
	if again = time.Now().Add(recheck); !again.Before(a.LastSent.Add(giveUp)) {
		again = time.Time{}
	}
	return doubt, again, nil
}

// hides returns why the order may have given away more than taken, so much more that amount could be in it, or "". Available
// amounts count pending refunds (issuing refunds page). What is not stated is not nothing: the refund of a percentage of an
// item may state its amount only when it has succeeded.
func (o *Order) hides(taken []refund.Money, amount refund.Money) string {
	const unstated = "the amounts of the order and its refunds do not say enough to tell whether one is hidden"
	rest, err := o.CapturedAmount.money(o.Currency).Sub(o.AvailableToRefund()) // what is gone
	enough, cmpErr := rest.Cmp(amount)
	if err = errors.Join(err, cmpErr); err == nil && enough < 0 { // whatever the refunds take
		return ""
	}
	for _, m := range taken {
		if err == nil {
			rest, err = rest.Sub(m)
		}
	}
	if err != nil {
		return unstated
	}
	if enough, err = rest.Cmp(amount); err == nil && enough < 0 {
		return ""
	}
	return "the order has less left than its refunds explain: one may be hidden, and this one may be it"
}

// GetRefund implements refund.Getter. ref.Order may be empty; if it is not, the refund must be of that order.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	op := c.http.Op("get refund", refund.Attempt{})
	if err := checkID(op, "ID", ID(ref.ID)); err != nil {
		return nil, err
	}
	r, res, err := c.retrieve(ctx, op, ID(ref.ID))
	if err != nil {
		return nil, err
	}
	if r.isOfAnother(ref.Order) {
		return nil, op.Absent("the refund is of another order")
	}
	got := common(op, ref.Order, r)
	got.Raw = res.Body
	return got, nil
}

// Refunds implements refund.Lister, newest first. Without q.Order.ID it lists the refunds of all orders.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	op := c.http.Op("list refunds", refund.Attempt{})
	f := RefundFilter{OrderID: ID(q.Order.ID)}
	f.CreatedTime.Gte, f.CreatedTime.Lt = q.Since.Truncate(time.Millisecond), roundUp(q.Until)
	for _, s := range []State{StatePending, StatePendingInformation, StateSucceeded, StateFailed, StateExpired} {
		if q.Status == status(s) {
			f.State = s
		}
	}
	switch {
	case q.Order.InvoiceID != "":
		return httpx.Failed[*refund.Refund](op.Invalid("Order.InvoiceID", "is set; Digital River lists by order only"))
	case q.Order.ID == "" && q.Order != (refund.Order{}):
		return httpx.Failed[*refund.Refund](op.Invalid("Order.ID", "is empty; Digital River lists by no other id"))
	case q.Status != "" && f.State == "":
		return httpx.Failed[*refund.Refund](op.Invalid("Status", "is %q; Digital River has pending, needs_action, succeeded, failed and expired", q.Status))
	}
	return httpx.Select(q, httpx.Convert(c.list(ctx, op, f, f.problem), func(r *Refund) *refund.Refund { return common(op, q.Order, r) }))
}

// roundUp returns the next whole millisecond, which is how exact a date is sent.
func roundUp(t time.Time) time.Time {
	if rest := t.Sub(t.Truncate(time.Millisecond)); rest > 0 {
		return t.Add(time.Millisecond - rest)
	}
	return t
}

// Resolve implements refund.Resolver. It looks for the key in the order's refunds, and at what the order has left: if that
// is less than the listed refunds explain, one may be hidden, and this one may be it.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	return decide.Resolve(ctx, c.http.Op("resolve", a), c.look)
}

// common converts a refund of an order; the zero Order means the one that the refund names.
func common(op *httpx.Op, order refund.Order, r *Refund) *refund.Refund {
	if order == (refund.Order{}) {
		if order.ID = string(r.OrderID); order.ID == "" {
			order.InvoiceID = string(r.InvoiceID)
		}
	}
	got := &refund.Refund{
		ID: string(r.ID), IdempotencyKey: r.key(), Provider: op.Provider, Account: op.Account, Order: order,
		Amount:         r.Requested(),
		Status:         status(r.State),
		ProviderStatus: string(r.State),
		CreatedAt:      r.CreatedTime.Time,
		ExpiresAt:      r.ExpiresTime.Time,
		FailureReason:  r.FailureReason,
	}
	if got.ExpiresAt.IsZero() && r.TokenInformation != nil {
		got.ExpiresAt = r.TokenInformation.ExpiresTime.Time
	}
	return got
}

func status(s State) refund.Status {
	switch s {
	case StatePending:
		return refund.StatusPending
	case StatePendingInformation:
		return refund.StatusNeedsAction
	case StateSucceeded:
		return refund.StatusSucceeded
	case StateFailed:
		return refund.StatusFailed
	case StateExpired:
		return refund.StatusExpired
	}
	return refund.StatusUnknown
}

// keyMember is the member of the metadata that a refund is found by.
const keyMember = "idempotency_key"

// key is the idempotency key that a refund carries; "" if it was made without one. All digits may come back as a number.
func (r *Refund) key() string {
	switch v := r.Metadata[keyMember].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// failed reports whether a refund has paid nothing, and never will.
func (r *Refund) failed() bool { return r.State == StateFailed || r.State == StateExpired }

// taken is what a refund takes of what its order has left; the zero Money if it does not say.
func (r *Refund) taken() refund.Money {
	if amount := r.Refunded(); r.State == StateSucceeded && !amount.IsZero() {
		return amount
	}
	return r.Requested()
}

// isOfAnother reports whether a refund names another order or invoice.
func (r *Refund) isOfAnother(order refund.Order) bool {
	return differ(ID(order.ID), r.OrderID) || differ(ID(order.InvoiceID), r.InvoiceID)
}

// differ reports whether two ids are both stated and not the same.
func differ(a, b ID) bool { return a != "" && b != "" && a != b }

// differs says in what a refund is not the one of order that req asks for; "" if in nothing that it states.
func (req *RefundRequest) differs(r *Refund, order refund.Order) string {
	wanted, ofItem := req.Amount, len(req.Items) > 0
	if ofItem {
		wanted = req.Items[0].Amount
	}
	switch {
	case r.isOfAnother(order):
		return "order"
	case r.states() && r.Requested() != wanted.money(req.Currency):
		return "amount"
	case ofItem && len(r.Items) > 0:
		if item := &r.Items[0]; len(r.Items) > 1 || differ(req.Items[0].ItemID, item.ItemID) || req.Items[0].Type != item.Type {
			return "line or part"
		}
	// Whether the refund of an order lists items is not documented; that of an item states no amount of its own.
	case ofItem != (r.Amount == nil) && r.states(), !ofItem && req.Type != r.Type:
		return "line or part"
	}
	return ""
}
