package backd

import (
	"context"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// CreateRefund asks for a refund of an order: POST /refund. It moves money, and goes behind a journal's back.
//
// An active request that has not locked yet is declined and replaced by this one: RefundAmount is the total that is
// wanted. Nothing makes it idempotent, so that it is never sent again: after an error with OutcomeUnknown read the order
// (FindOrder). The response is the whole order, see Order.ActiveRefund. Errors are *refund.Error; see HasCode for Backd's
// own words.
func (c *Client) CreateRefund(ctx context.Context, req RefundRequest) (*Response, error) {
	op := c.http.Op("create refund", refund.Attempt{})
	if err := req.check(op); err != nil {
		return nil, err
	}
	got, _, err := c.create(ctx, op, &req)
	return got, err
}

func (c *Client) create(ctx context.Context, op *httpx.Op, req *RefundRequest) (*Response, *httpx.Result, error) {
	return c.fetch(ctx, op, req.BackdOrderID, req.MerchantOrderID, httpx.Call{
		Method: http.MethodPost, Path: path("refund"), Body: req.wire(), Effect: httpx.Pays,
	})
}

// DeleteRefund takes back the active request of an order, as long as it has not locked: DELETE /refund. It becomes
// declined. It goes behind a journal's back. An error with OutcomeUnknown leaves open whether it was taken back: read the
// order (FindOrder). It is never sent again, because by then another request may be the active one.
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
	return httpx.Fetch(ctx, op, call, func(r *Response) string { return r.problem(id, merchantID) })
}

// path is that of an operation (api_auth page).
func path(segments ...string) []string {
	return append([]string{"v1", "backd", "bnpl", "api"}, segments...)
}
