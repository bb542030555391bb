package backd

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/multirefund/refund-go/internal/decide"
	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

var (
	_ refund.Refunder    = (*Client)(nil)
	_ refund.Getter      = (*Client)(nil)
	_ refund.Lister      = (*Client)(nil)
	_ refund.Canceler    = (*Client)(nil)
	_ refund.Resolver    = (*Client)(nil)
	_ refund.Snapshotter = (*Client)(nil)
)

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities {
	return c.http.Describe(refund.Capabilities{
		Partial:       true,
		RejectsExcess: true,
		Repeat:        refund.RepeatRefused,
		ResolvedBy:    refund.ResolvedBySnapshot,
		Reads:         true,
		Lists:         refund.ListsByOrder,
		Cancels:       true,
		Snapshots:     true,
		Currencies:    []string{currency},
	})
}

// Refund implements refund.Refunder. Order.ID is the backd_order_id, Order.MerchantID the merchant_order_id; both are
// required. The order is read first, and the refund refused without sending it (OutcomeNotSent) if a request is active
// (ErrConflict, or ErrLocked once it has locked), if the order is not in order_confirmed (ErrNotRefundable), or if the
// amount is more than its total (ErrAmountExceeded). A repeat of the same key is therefore refused as well. Two clients
// that read at once may both send: then the later one replaces the earlier one, and one is paid.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	op := c.http.Op("refund", refund.Attempt{Request: req})
	native, err := c.native(op)
	if err != nil {
		return nil, err
	}
	o, err := c.order(ctx, op, req.Order)
	if err != nil {
		return nil, op.NotLooked(err)
	}
	if err := obstacle(op, o); err != nil {
		return nil, err
	}
	op.Attempt.Snapshot = snapshot(o)
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
	return &RefundRequest{BackdOrderID: req.Order.ID, MerchantOrderID: req.Order.MerchantID, RefundAmount: req.Amount}, nil
}

// checkOrder checks the ids of the order of a write.
func checkOrder(op *httpx.Op, order refund.Order) error {
	if err := checkRead(op, order); err != nil {
		return err
	}
	return checkIDs(op, "Order.ID", order.ID, "Order.MerchantID", order.MerchantID)
}

// checkRead checks the ids of the order of a read, which needs Backd's own only.
func checkRead(op *httpx.Op, order refund.Order) error {
	if order.InvoiceID != "" {
		return op.Invalid("Order.InvoiceID", "is set; Backd knows no invoices")
	}
	return checkBackdID(op, "Order.ID", order.ID)
}

// order reads an order, and checks that it is the one that the caller means.
func (c *Client) order(ctx context.Context, op *httpx.Op, order refund.Order) (*Order, error) {
	got, err := c.find(ctx, op, order.ID)
	if err != nil {
		return nil, err
	}
	if id := got.Data.MerchantOrderID; id != "" && order.MerchantID != "" && id != order.MerchantID {
		return nil, op.Invalid("Order.MerchantID", "the order has another merchant_order_id at Backd")
	}
	return &got.Data, nil
}

// obstacle returns why an order cannot be refunded as it is, or nil.
func obstacle(op *httpx.Op, o *Order) error {
	req := &op.Attempt.Request
	if r := o.ActiveRefund(); r != nil {
		return inTheWay(op, r)
	}
	if o.Status != OrderConfirmed { // refund page
		return op.NotSent(refund.ErrNotRefundable, "", "the order is in %q; Backd refunds orders in order_confirmed only",
			o.Status)
	}
	total := wire.MoneyFromDecimal(o.OrderTotal, currency)
	if total.IsZero() {
		return op.NotSent(refund.ErrNotRefundable, "", "the order states no order_total to compare the amount with")
	}
	if req.Amount.Minor() > total.Minor() {
		return op.NotSent(refund.ErrAmountExceeded, "Amount", "is %s; the order's total is %s", req.Amount, total)
	}
	return nil
}

// inTheWay is the error of an order that has an active request.
func inTheWay(op *httpx.Op, r *Refund) error {
	const active = "the order has an active refund request of %s, %q"
	switch at := r.locksAt(); {
	case r.locked():
		return op.NotSent(refund.ErrLocked, "", active+", which has been locked since %s",
			r.amount(), r.Status, at.Format(time.RFC3339))
	case at.IsZero():
		return op.NotSent(refund.ErrConflict, "", active+"; when it locks is not said", r.amount(), r.Status)
	default:
		return op.NotSent(refund.ErrConflict, "", active+", which locks at %s; until then CreateRefund would replace it",
			r.amount(), r.Status, at.Format(time.RFC3339))
	}
}

// send sends the request of op and finds it in the response, by the order's requests from before.
func (c *Client) send(ctx context.Context, op *httpx.Op, native *RefundRequest) (*refund.Refund, error) {
	req := &op.Attempt.Request
	answer, res, err := c.create(ctx, op, native)
	if err != nil {
		return nil, err
	}
	before, _ := parse(op.Attempt.Snapshot)
	fresh, _ := added(&answer.Data, before)
	active := slices.DeleteFunc(slices.Clone(fresh), func(r *Refund) bool { return r.Status.declined() })
	if len(active) != 1 {
		return nil, res.Unreadable("the response shows %d new active refund requests instead of one", len(active))
	}
	got := common(op, req.Order, active[0])
	got.IdempotencyKey, got.Raw = req.IdempotencyKey, res.Body
	if got.Amount.IsZero() {
		return nil, res.Unreadable("the new refund request states no amount")
	}
	if got.Amount != req.Amount {
		return nil, res.Conflict("the response shows a refund request of another amount, %s", got.Amount)
	}
	if len(fresh) > 1 {
		got.Warnings = append(got.Warnings, "another refund of this order was asked for at the same time; "+
			"Backd has declined that request and put this one in its place")
	}
	return got, nil
}

// look implements decide.Look: it compares the order with the attempt's Snapshot.
func (c *Client) look(ctx context.Context, op *httpx.Op) (seen decide.Sighting, err error) {
	req := &op.Attempt.Request
	if _, err := c.native(op); err != nil {
		return seen, err
	}
	before, ok := parse(op.Attempt.Snapshot)
	if !ok {
		seen.Clash = "there is no snapshot to compare the order's refund requests with"
		return seen, nil
	}
	o, err := c.order(ctx, op, req.Order)
	if err != nil {
		return seen, err
	}
	switch fresh, gone := added(o, before); {
	case gone > 0:
		seen.Doubt = "the order does not show all refund requests from before: nothing can be compared"
	case len(fresh) == 1 && !fresh[0].Status.declined() && fresh[0].amount() == req.Amount:
		seen.Refund = common(op, req.Order, fresh[0])
		seen.Refund.IdempotencyKey = req.IdempotencyKey
	case len(fresh) > 0:
		seen.Clash = "the order shows new refund requests, but not just one active one of this amount"
	case o.Status != OrderConfirmed: // whether a paid request is still shown then is not documented
		seen.Doubt = "the order shows no new refund request, but it is not in order_confirmed: it may have been refunded"
	case o.ActiveRefund() != nil && !slices.ContainsFunc(before, entry.active):
		seen.Doubt = "the order shows no new refund request, but one that was declined is active again: it may be this one"
	}
	return seen, nil
}

// GetRefund implements refund.Getter. ref.ID is this package's own, see the package comment. Of the order's ids only
// Order.ID is needed.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	op := c.http.Op("get refund", refund.Attempt{})
	if err := checkRead(op, ref.Order); err != nil {
		return nil, err
	}
	if ref.ID == "" {
		return nil, op.Invalid("ID", "is empty; it is the ID of a refund that this package returned")
	}
	o, err := c.order(ctx, op, ref.Order)
	if err != nil {
		return nil, err
	}
	if r := o.find(ref.ID); r != nil {
		return common(op, ref.Order, r), nil
	}
	return nil, op.Absent("the order shows no such refund request; a new one may take some time to appear")
}

// Refunds implements refund.Lister, for one order: q.Order.ID is required. Declined requests are listed too.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	op := c.http.Op("list refunds", refund.Attempt{})
	if err := checkRead(op, q.Order); err != nil {
		return httpx.Failed[*refund.Refund](err)
	}
	return httpx.Select(q, httpx.Items(func() ([]*refund.Refund, error) {
		o, err := c.order(ctx, op, q.Order)
		if err != nil {
			return nil, err
		}
		refunds := make([]*refund.Refund, len(o.Refunds))
		for i := range refunds {
			refunds[i] = common(op, q.Order, &o.Refunds[i])
		}
		return refunds, nil
	}))
}

// CancelRefund implements refund.Canceler: the request with ref.ID is taken back, whoever made it, or the order's active
// one if ref.ID is empty. The order is read first: a request that is not the active one is ErrOrderNotFound, one that has
// locked ErrLocked, both OutcomeNotSent. An error with OutcomeUnknown leaves open whether the request was taken back: read
// it (GetRefund).
func (c *Client) CancelRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	op := c.http.Op("cancel refund", refund.Attempt{})
	if err := checkOrder(op, ref.Order); err != nil {
		return nil, err
	}
	o, err := c.order(ctx, op, ref.Order)
	if err != nil {
		return nil, op.NotLooked(err)
	}
	active := o.ActiveRefund()
	switch {
	case active == nil:
		return nil, op.NotSent(refund.ErrOrderNotFound, "", "the order shows no active refund request")
	case ref.ID != "" && ref.ID != active.id():
		return nil, op.NotSent(refund.ErrOrderNotFound, "ID", "is not the order's active refund request; that is %q, of %s",
			active.id(), active.amount())
	case active.locked():
		return nil, op.NotSent(refund.ErrLocked, "", "the refund request of %s has been locked since %s",
			active.amount(), active.locksAt().Format(time.RFC3339))
	}
	answer, res, err := c.remove(ctx, op, &DeleteRequest{BackdOrderID: ref.Order.ID, MerchantOrderID: ref.Order.MerchantID})
	if err != nil {
		return nil, err
	}
	r := answer.Data.find(active.id())
	if r == nil || !r.Status.declined() {
		return nil, res.Unreadable("the response does not show the refund request as declined")
	}
	got := common(op, ref.Order, r)
	got.Raw = res.Body
	return got, nil
}

// Snapshot implements refund.Snapshotter: the order's refund requests as they are now.
func (c *Client) Snapshot(ctx context.Context, req refund.Request) (refund.Snapshot, error) {
	op := c.http.Op("snapshot", refund.Attempt{Request: req})
	if _, err := c.native(op); err != nil {
		return "", err
	}
	o, err := c.order(ctx, op, req.Order)
	if err != nil {
		return "", err
	}
	return snapshot(o), nil
}

// Resolve implements refund.Resolver: the order is read and compared with the attempt's Snapshot. One new active request
// of the amount is the refund. Nothing new means that it was not made, once Capabilities.AbsenceAfter has passed and a
// second look agrees. Everything else is for a person, and so is an attempt without a Snapshot.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	return decide.Resolve(ctx, c.http.Op("resolve", a), c.look)
}

// common converts a refund request of an order.
func common(op *httpx.Op, order refund.Order, r *Refund) *refund.Refund {
	return &refund.Refund{
		ID: r.id(), Provider: op.Provider, Account: op.Account, Order: order,
		Amount:         r.amount(),
		Status:         r.Status.common(),
		ProviderStatus: string(r.Status),
		CreatedAt:      r.CreateDate.Time,
		LocksAt:        r.locksAt(),
	}
}

// find returns the request with this id. Of two made in the same second for the same amount, the active one.
func (o *Order) find(id string) *Refund {
	var found *Refund
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.id() == id && (found == nil || found.Status.declined()) {
			found = r
		}
	}
	return found
}

// entry is what identifies a request: amount, create_date and, as long as it stays the same, status.
type entry [3]string

func (e entry) active() bool { return !RefundStatus(e[2]).declined() }

func (r *Refund) entry() entry {
	return entry{r.amount().Amount(), r.CreateDate.Text, string(r.Status)}
}

// snapshot writes [["10.00","2026-04-16 10:30:00","declined"]], and [] for an order without any.
func snapshot(o *Order) refund.Snapshot {
	entries := make([]entry, len(o.Refunds))
	for i := range o.Refunds {
		entries[i] = o.Refunds[i].entry()
	}
	text, _ := json.Marshal(entries) //nolint:errcheck,errchkjson // of strings: cannot fail
	return refund.Snapshot(text)
}

// parse reads what snapshot writes.
func parse(s refund.Snapshot) (before []entry, ok bool) {
	err := json.Unmarshal([]byte(s), &before)
	return before, err == nil && before != nil
}

// added returns the requests of o that were not there before, and how many of those from before are gone. One whose
// status has changed is the same; one that is the same in all is preferred to it.
func added(o *Order, before []entry) (fresh []*Refund, gone int) {
	left := map[entry]int{}
	for _, e := range before {
		left[e]++
	}
	var changed []*Refund
	for i := range o.Refunds {
		r := &o.Refunds[i]
		if left[r.entry()] == 0 {
			changed = append(changed, r)
			continue
		}
		left[r.entry()]--
	}
	moved := map[entry]int{} // without status
	for e, n := range left {
		e[2] = ""
		moved[e] += n
		gone += n
	}
	for _, r := range changed {
		e := r.entry()
		e[2] = ""
		if moved[e] == 0 {
			fresh = append(fresh, r)
			continue
		}
		moved[e]--
		gone--
	}
	return fresh, gone
}
