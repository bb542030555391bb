package backd

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// CreateRefund asks for a refund of an order: POST /refund.
//
// An active request that has not locked yet is declined and replaced by this one: RefundAmount is the total that is
// wanted. There is nothing that makes it idempotent, so that it is never sent again: after an error with OutcomeUnknown
// read the order (FindOrder). The answer is the whole order, see Order.ActiveRefund. Errors are *refund.Error; see
// HasCode for Backd's own words.
func (c *Client) CreateRefund(ctx context.Context, req RefundRequest) (*Response, error) {
	if err := checkRefund(&req); err != nil {
		return nil, err
	}
	got, _, err := c.createRefund(ctx, &req, refund.Attempt{})
	return got, err
}

func (c *Client) createRefund(ctx context.Context, req *RefundRequest, attempt refund.Attempt) (*Response, *httpx.Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, nil, httpx.Invalid(provider, opRefund, "RefundAmount", "cannot be written: "+err.Error())
	}
	return c.order(ctx, req.BackdOrderID, &httpx.Call{
		Op: opRefund, Method: http.MethodPost, Path: path("refund"), Body: body, Attempt: attempt,
	})
}

// DeleteRefund takes the active request of an order back, as long as it has not locked: DELETE /refund. It becomes
// declined. An error with OutcomeUnknown leaves open whether it was taken back: read the order (FindOrder).
func (c *Client) DeleteRefund(ctx context.Context, req DeleteRequest) (*Response, error) {
	const op = "delete refund"
	if err := checkIDs(op, "BackdOrderID", req.BackdOrderID, "MerchantOrderID", req.MerchantOrderID); err != nil {
		return nil, err
	}
	got, _, err := c.deleteRefund(ctx, op, &req)
	return got, err
}

func (c *Client) deleteRefund(ctx context.Context, op string, req *DeleteRequest) (*Response, *httpx.Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, nil, httpx.Invalid(provider, op, "BackdOrderID", "cannot be written: "+err.Error())
	}
	return c.order(ctx, req.BackdOrderID, &httpx.Call{Op: op, Method: http.MethodDelete, Path: path("refund"), Body: body})
}

// FindOrder reads an order by Backd's id: GET /find_order/{backd_order_id}. Its Refunds are the only way to read
// refunds.
func (c *Client) FindOrder(ctx context.Context, backdOrderID string) (*Response, error) {
	const op = "find order"
	if err := checkBackdID(op, "backdOrderID", backdOrderID); err != nil {
		return nil, err
	}
	return c.findOrder(ctx, op, backdOrderID, refund.Attempt{})
}

func (c *Client) findOrder(ctx context.Context, op, id string, attempt refund.Attempt) (*Response, error) {
	got, _, err := c.order(ctx, id, &httpx.Call{
		Op: op, Method: http.MethodGet, Path: path("find_order", id),
		Read: true, Attempt: attempt,
	})
	return got, err
}

// order makes a call that is answered with the order of that id.
func (c *Client) order(ctx context.Context, id string, call *httpx.Call) (*Response, *httpx.Result, error) {
	res, err := c.http.Do(ctx, call)
	if err != nil {
		return nil, nil, err
	}
	var got Response
	if err := res.Decode(&got); err != nil {
		return nil, nil, err
	}
	if got.Data.BackdOrderID != id {
		return nil, nil, res.Unreadable("the answer's data is not the order that was asked for")
	}
	return &got, res, nil
}

// path is that of an operation (api_auth page).
func path(segments ...string) []string {
	return append([]string{"v1", "backd", "bnpl", "api"}, segments...)
}
