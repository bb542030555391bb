package backd

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/multirefund/refund-go/internal/decide"
	"github.com/multirefund/refund-go/internal/httpx"
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
	o, err := c.order(ctx, op, orderField, req.Order)
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

// orderField is the field of the common language that has the merchant_order_id.
const orderField = "Order.MerchantID"

// order reads an order, and checks that it is the one that the caller means, by the merchant_order_id of field.
func (c *Client) order(ctx context.Context, op *httpx.Op, field string, order refund.Order) (*Order, error) {
	got, err := c.find(ctx, op, order.ID)
	if err != nil {
		return nil, err
	}
	if id := got.Data.MerchantOrderID; id != "" && order.MerchantID != "" && id != order.MerchantID {
		return nil, op.Invalid(field, "the order has another merchant_order_id at Backd")
	}
	return &got.Data, nil
}

// obstacle returns why an order cannot be refunded as it is, or nil.
func obstacle(op *httpx.Op, o *Order) error {
	if r := o.ActiveRefund(); r != nil {
		return inTheWay(op, r)
	}
	if err := unconfirmed(op, o); err != nil {
		return err
	}
	if o.total().IsZero() {
		return op.NotSent(refund.ErrNotRefundable, "", "the order states no order_total to compare the amount with")
	}
	return excess(op, o, "Amount", op.Attempt.Request.Amount)
}

// irreplaceable returns why an order's active request cannot be replaced by one of amount, or nil.
func irreplaceable(op *httpx.Op, o *Order, amount refund.Money) error {
	active := 0
	for i := range o.Refunds {
		if o.Refunds[i].Status.active() {
			active++
		}
	}
	if r := o.ActiveRefund(); r != nil {
		at := r.locksAt()
		switch soon := time.Now().Add(lockMargin); {
		case r.locked():
			return inTheWay(op, r)
		case active != 1:
			return op.NotSent(refund.ErrConflict, "", "the order has %d refund requests in draft or approved; this package replaces one, "+
				"and knows of no other status that Backd replaces", active)
		case at.IsZero():
			return inTheWay(op, r)
		case !soon.Before(at):
			return op.NotSent(refund.ErrLocked, "", "the order's active refund request of %s locks at %s, which is too soon to replace it",
				r.amount(), at.Format(time.RFC3339))
		}
	}
	if err := unconfirmed(op, o); err != nil {
		return err
	}
	if o.total().IsZero() { // then Backd compares
		return nil
	}
	return excess(op, o, "RefundAmount", amount)
}

// unconfirmed is the error of an order that Backd does not refund, or nil.
func unconfirmed(op *httpx.Op, o *Order) error {
	if o.Status == OrderConfirmed { // refund page
		return nil
	}
	return op.NotSent(refund.ErrNotRefundable, "", "the order is in %q; Backd refunds orders in order_confirmed only", o.Status)
}

// excess is the error of an amount that is more than the order's total, or nil.
func excess(op *httpx.Op, o *Order, field string, amount refund.Money) error {
	if amount.Minor() <= o.total().Minor() {
		return nil
	}
	return op.NotSent(refund.ErrAmountExceeded, field, "is %s; the order's total is %s", amount, o.total())
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
		return op.NotSent(refund.ErrConflict, "", active+", which locks at %s; until then ReplaceRefund can replace it",
			r.amount(), r.Status, at.Format(time.RFC3339))
	}
}

// send sends the request of op and finds it in the response, by the order's requests from before.
func (c *Client) send(ctx context.Context, op *httpx.Op, native *RefundRequest) (*refund.Refund, error) {
	req := &op.Attempt.Request
	answer, res, err := c.create(ctx, op, native)
	if err != nil {
		return decide.After(ctx, op, c.look, err)
	}
	before, _ := parse(op.Attempt.Snapshot)
	made, declined, err := created(res, &answer.Data, before, req.Amount)
	if err != nil {
		return nil, err
	}
	got := common(op, req.Order, made)
	got.IdempotencyKey, got.Raw = req.IdempotencyKey, res.Body
	if len(declined) > 0 {
		got.Warnings = append(got.Warnings, "another refund of this order was asked for at the same time; "+
			"Backd has declined that request and put this one in its place")
	}
	return got, nil
}

// created returns the one active request of amount that a response shows besides those from before, and the declined ones.
func created(res *httpx.Result, o *Order, before []entry, amount refund.Money) (made *Refund, declined []*Refund, err error) {
	fresh, _ := added(o, before)
	active := 0
	for _, r := range fresh {
		if r.Status.declined() {
			declined = append(declined, r)
			continue
		}
		made = r
		active++
	}
	if active != 1 {
		return nil, nil, res.Unreadable("the response shows %d new active refund requests instead of one", active)
	}
	switch got := made.amount(); {
	case got.IsZero():
		return nil, nil, res.Unreadable("the new refund request states no amount")
	case got != amount:
		return nil, nil, res.Conflict("the response shows a refund request of another amount, %s", got)
	}
	return made, declined, nil
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
	o, err := c.order(ctx, op, orderField, req.Order)
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
	o, err := c.order(ctx, op, orderField, ref.Order)
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
		o, err := c.order(ctx, op, orderField, q.Order)
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
	o, err := c.order(ctx, op, orderField, ref.Order)
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
		_, err = decide.After(ctx, op, c.lookForCancel(ref.Order, active.id()), err)
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

// lookForCancel looks whether a refusal is the doing of the cancellation itself, delivered twice.
func (c *Client) lookForCancel(order refund.Order, id string) decide.Look {
	return func(ctx context.Context, op *httpx.Op) (seen decide.Sighting, err error) {
		o, err := c.order(ctx, op, orderField, order)
		if err != nil {
			return seen, err
		}
		if r := o.find(id); r == nil || r.Status.declined() {
			seen.Clash = "the order does not show the refund request as active any more"
		}
		return seen, nil
	}
}

// Snapshot implements refund.Snapshotter: the order's refund requests as they are now.
func (c *Client) Snapshot(ctx context.Context, req refund.Request) (refund.Snapshot, error) {
	op := c.http.Op("snapshot", refund.Attempt{Request: req})
	if _, err := c.native(op); err != nil {
		return "", err
	}
	o, err := c.order(ctx, op, orderField, req.Order)
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

func entries(o *Order) []entry {
	all := make([]entry, len(o.Refunds))
	for i := range o.Refunds {
		all[i] = o.Refunds[i].entry()
	}
	return all
}

// without returns all but the first e of entries.
func without(entries []entry, e entry) []entry {
	i := slices.Index(entries, e)
	return slices.Delete(slices.Clone(entries), i, i+1)
}

// snapshot writes [["10.00","2026-04-16 10:30:00","declined"]], and [] for an order without any.
func snapshot(o *Order) refund.Snapshot {
	text, _ := json.Marshal(entries(o)) //nolint:errcheck,errchkjson // of strings: cannot fail
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
	all := entries(o)
	var changed []int
	for i, e := range all {
		if left[e] == 0 {
			changed = append(changed, i)
			continue
		}
		left[e]--
	}
	moved := map[entry]int{} // without status
	for e, n := range left {
		e[2] = ""
		moved[e] += n
		gone += n
	}
	for _, i := range changed {
		e := all[i]
		e[2] = ""
		if moved[e] == 0 {
			fresh = append(fresh, &o.Refunds[i])
			continue
		}
		moved[e]--
		gone--
	}
	return fresh, gone
}
