package backd

import (
	"context"
	"net/http"

	"github.com/multirefund/refund-go/internal/decide"
	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// ReplaceRefund asks for a refund of an order in place of its active request, or for the first one: POST /refund.
// RefundAmount is the total that is wanted. It moves money, and goes behind a journal's back: with a journal in front, cancel
// the refund and ask for another with a new key.
//
// The order is read first, and nothing is sent (OutcomeNotSent) if its active request has locked or will within two minutes
// (ErrLocked), if that request's status or lock time is not one that Backd documents (ErrConflict), if the order is not in
// order_confirmed (ErrNotRefundable), or if RefundAmount is more than the order_total that it states (ErrAmountExceeded).
//
// Nothing makes it idempotent, so it is never sent again: after an error with OutcomeUnknown read the order (FindOrder).
// Errors are *refund.Error; see HasCode for Backd's own words.
func (c *Client) ReplaceRefund(ctx context.Context, req RefundRequest) (*Replacement, error) {
	op := c.http.Op("replace refund", refund.Attempt{})
	if err := req.check(op); err != nil {
		return nil, err
	}
	o, err := c.order(ctx, op, "MerchantOrderID", refund.Order{ID: req.BackdOrderID, MerchantID: req.MerchantOrderID})
	if err != nil {
		return nil, op.NotLooked(err)
	}
	if err := irreplaceable(op, o, req.RefundAmount); err != nil {
		return nil, err
	}
	return c.replace(ctx, op, o, &req)
}

// replace sends req, and compares the response with the order from before.
func (c *Client) replace(ctx context.Context, op *httpx.Op, o *Order, req *RefundRequest) (*Replacement, error) {
	before, former := entries(o), o.ActiveRefund()
	answer, res, err := c.create(ctx, op, req)
	if err != nil {
		_, err = decide.After(ctx, op, c.lookForChange(req, before), err)
		return nil, err
	}
	if former != nil { // it changes, and is then told from the rest by itself
		before = without(before, former.entry())
	}
	made, declined, err := created(res, &answer.Data, before, req.RefundAmount)
	if err != nil {
		return nil, err
	}
	got := &Replacement{Refund: *made, Declined: make([]Refund, len(declined)), Order: answer.Data}
	found := former == nil
	for i, r := range declined {
		got.Declined[i] = *r
		found = found || r.id() == former.id()
	}
	if !found {
		return nil, res.Unreadable("the response does not show the former refund request of %s as declined", former.amount())
	}
	return got, nil
}

// lookForChange looks whether a refusal is the doing of req itself, delivered twice.
func (c *Client) lookForChange(req *RefundRequest, before []entry) decide.Look {
	return func(ctx context.Context, op *httpx.Op) (seen decide.Sighting, err error) {
		o, err := c.find(ctx, op, req.BackdOrderID)
		if err != nil {
			return seen, err
		}
		if fresh, gone := added(&o.Data, before); len(fresh) > 0 || gone > 0 {
			seen.Clash = "the order shows other refund requests than before"
		}
		return seen, nil
	}
}

func (c *Client) create(ctx context.Context, op *httpx.Op, req *RefundRequest) (*Response, *httpx.Result, error) {
	return c.fetch(ctx, op, req.BackdOrderID, req.MerchantOrderID, httpx.Call{
		Method: http.MethodPost, Path: path("refund"), Body: req.wire(), Effect: httpx.Pays,
	})
}

// DeleteRefund takes back the active request of an order, as long as it has not locked: DELETE /refund. It becomes
// declined. It goes behind a journal's back. An error with OutcomeUnknown leaves open whether it was taken back: read the
// order (FindOrder). It is never sent again, because by then another request may be the active one. That there is no active
// request may also be said to a repeat which something on the way has made: CancelRefund looks for that, this does not.
func (c *Client) DeleteRefund(ctx context.Context, req DeleteRequest) (*Response, error) {
	op := c.http.Op("delete refund", refund.Attempt{})
	if err := req.check(op); err != nil {
		return nil, err
	}
	got, _, err := c.remove(ctx, op, &req)
	return got, err
}

func (c *Client) remove(ctx context.Context, op *httpx.Op, req *DeleteRequest) (*Response, *httpx.Result, error) {
	return c.fetch(ctx, op, req.BackdOrderID, req.MerchantOrderID, httpx.Call{
		Method: http.MethodDelete, Path: path("refund"), Body: req, Effect: httpx.Pays,
	})
}

// FindOrder reads an order by Backd's id: GET /find_order/{backd_order_id}. Its Refunds are the only way to read
// refunds.
func (c *Client) FindOrder(ctx context.Context, backdOrderID string) (*Response, error) {
	op := c.http.Op("find order", refund.Attempt{})
	if err := checkBackdID(op, "backdOrderID", backdOrderID); err != nil {
		return nil, err
	}
	return c.find(ctx, op, backdOrderID)
}

func (c *Client) find(ctx context.Context, op *httpx.Op, id string) (*Response, error) {
	got, _, err := c.fetch(ctx, op, id, "", httpx.Call{
		Method: http.MethodGet, Path: path("find_order", id), Effect: httpx.Harmless,
	})
	return got, err
}

// fetch makes a call whose response is the order with these ids. merchantID may be empty.
func (c *Client) fetch(ctx context.Context, op *httpx.Op, id, merchantID string, call httpx.Call) (*Response, *httpx.Result, error) {
	got, res, err := httpx.Fetch(ctx, op, call, func(b *responseBody) string { return b.problem(id, merchantID) })
	if err != nil {
		return nil, nil, err
	}
	return got.native(), res, nil
}

// path is that of an operation (api_auth page).
func path(segments ...string) []string {
	return append([]string{"v1", "backd", "bnpl", "api"}, segments...)
}
