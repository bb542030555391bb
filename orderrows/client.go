package orderrows

import (
	"cmp"
	"context"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// CreateRefund makes a refund of an order, with one row: POST /API/Order/{orderId}/Refund. It asks for money to be paid,
// and goes behind a journal's back.
//
// Nothing keeps a repeat from being a second refund, so a request whose response is lost is not sent again: give each
// refund a Reference of its own and look for it with ListRefunds. Errors are *refund.Error; see Details for the API's own
// words.
func (c *Client) CreateRefund(ctx context.Context, orderID int32, req NewRefund) (*CreatedRefund, error) {
	op := c.http.Op("create refund", refund.Attempt{})
	if err := checkID(op, "Order.ID", orderID); err != nil {
		return nil, err
	}
	if err := req.check(op, c.currencies); err != nil {
		return nil, err
	}
	got, _, err := c.create(ctx, op, orderID, &req, req.Reference, req.Description, req.Author)
	return got, err
}

// create sends req. No message quotes the texts in private.
func (c *Client) create(
	ctx context.Context, op *httpx.Op, orderID int32, req *NewRefund, private ...string,
) (*CreatedRefund, *httpx.Result, error) {
	return httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodPost, Path: refundPath(orderID), Body: req.wire(), Effect: httpx.Pays, Private: private,
	}, (*CreatedRefund).problem)
}

// RetrieveRefund reads a refund: GET /API/Order/{orderId}/Refund/{refundId}.
func (c *Client) RetrieveRefund(ctx context.Context, orderID int32, refundID string) (*Refund, error) {
	op := c.http.Op("retrieve refund", refund.Attempt{})
	return c.retrieve(ctx, op, orderID, refundID)
}

func (c *Client) retrieve(ctx context.Context, op *httpx.Op, orderID int32, refundID string) (*Refund, error) {
	if err := checkIDs(op, orderID, refundID); err != nil {
		return nil, err
	}
	got, _, err := httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodGet, Path: refundPath(orderID, refundID), Effect: httpx.Harmless,
	}, func(one *oneRefund) string { return one.problem(orderID, refundID) })
	if err != nil {
		return nil, err
	}
	return got.Resource, nil
}

// ListRefunds reads all refunds of an order: GET /API/Order/{orderId}/Refund/List.
func (c *Client) ListRefunds(ctx context.Context, orderID int32) ([]Refund, error) {
	op := c.http.Op("list refunds", refund.Attempt{})
	if err := checkID(op, "Order.ID", orderID); err != nil {
		return nil, err
	}
	return c.list(ctx, op, orderID)
}

func (c *Client) list(ctx context.Context, op *httpx.Op, orderID int32) ([]Refund, error) {
	return c.refunds(ctx, op, orderID, httpx.Call{Method: http.MethodGet, Path: refundPath(orderID, "List")})
}

// QueryRefunds reads refunds of all orders: POST /API/Refund/Query. The zero query selects all; there are no pages, so
// narrow it by dates.
func (c *Client) QueryRefunds(ctx context.Context, q RefundQuery) ([]Refund, error) {
	op := c.http.Op("query refunds", refund.Attempt{})
	if err := q.check(op); err != nil {
		return nil, err
	}
	utc(&q.CreatedAfter, &q.CreatedBefore, &q.ApprovedAfter, &q.ApprovedBefore, &q.UpdatedAfter, &q.UpdatedBefore)
	return c.query(ctx, op, &q)
}

func (c *Client) query(ctx context.Context, op *httpx.Op, q *RefundQuery) ([]Refund, error) {
	return c.refunds(ctx, op, 0, httpx.Call{Method: http.MethodPost, Path: []string{"API", "Refund", "Query"}, Body: q})
}

// refunds makes a call whose response is a list of refunds, of one order unless orderID is 0.
func (c *Client) refunds(ctx context.Context, op *httpx.Op, orderID int32, call httpx.Call) ([]Refund, error) {
	call.Effect, call.MaxBody = httpx.Harmless, maxList
	got, _, err := httpx.Fetch(ctx, op, call, func(list *refundList) string { return list.problem(orderID) })
	if err != nil {
		return nil, err
	}
	return *got.Resource, nil
}

// RetrieveOrder reads an order with its refunds: GET /API/Order/{id}/refunds. They have another, older shape there than
// RetrieveRefund and ListRefunds return, with ids of their own and without a Reference. The documents do not say that the
// response names the order or a currency, so neither is compared: decide nothing about money by it.
func (c *Client) RetrieveOrder(ctx context.Context, orderID int32) (*Order, error) {
	op := c.http.Op("retrieve order", refund.Attempt{})
	if err := checkID(op, "Order.ID", orderID); err != nil {
		return nil, err
	}
	got, _, err := httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodGet, Path: []string{"API", "Order", itoa(orderID), "refunds"}, Effect: httpx.Harmless, MaxBody: maxList,
	}, (*Order).problem)
	return got, err
}

// SetApproval approves or denies a refund that was made with RefundsRequireApproval:
// POST /API/Order/{orderId}/Refund/{refundId}/SetApproval. An approved refund goes out to whoever pays it. It goes behind
// a journal's back.
func (c *Client) SetApproval(ctx context.Context, orderID int32, refundID string, req RefundApproval) (*Answer, error) {
	op := c.http.Op("set approval", refund.Attempt{})
	if err := req.check(op); err != nil {
		return nil, err
	}
	utc(&req.ApprovalDecidedOn)
	return c.change(ctx, op, orderID, refundID, httpx.Call{Body: &req, Private: []string{req.ApprovalDecidedBy}}, "SetApproval")
}

// SetAsProcessed records that a refund was paid, and settles its rows:
// POST /API/Order/{orderId}/Refund/{refundId}/SetAsProcessed. It is what the integration that pays calls. It goes behind a
// journal's back.
func (c *Client) SetAsProcessed(ctx context.Context, orderID int32, refundID string, req ProcessedRefund) (*Answer, error) {
	op := c.http.Op("set as processed", refund.Attempt{})
	if err := req.check(op); err != nil {
		return nil, err
	}
	utc(&req.ProcessedOn)
	return c.change(ctx, op, orderID, refundID, httpx.Call{Body: &req, Private: []string{req.ExternalID, req.Reference}}, "SetAsProcessed")
}

// SetAsSettled records that all rows of a refund have been settled:
// POST /API/Order/{orderId}/Refund/{refundId}/SetAsSettled. It goes behind a journal's back.
func (c *Client) SetAsSettled(ctx context.Context, orderID int32, refundID string, req SettledRefund) (*Answer, error) {
	op := c.http.Op("set as settled", refund.Attempt{})
	utc(&req.SettledOn)
	return c.change(ctx, op, orderID, refundID, httpx.Call{Body: &req}, "SetAsSettled")
}

// SetRowAsSettled records that one row of a refund has been settled:
// POST /API/Order/{orderId}/Refund/{refundId}/RefundRow/{refundRowId}/SetAsSettled. It goes behind a journal's back.
func (c *Client) SetRowAsSettled(ctx context.Context, orderID int32, refundID string, refundRowID int32, req SettledRefund) (*Answer, error) {
	op := c.http.Op("set row as settled", refund.Attempt{})
	if err := checkID(op, "RefundRowID", refundRowID); err != nil {
		return nil, err
	}
	utc(&req.SettledOn)
	return c.change(ctx, op, orderID, refundID, httpx.Call{Body: &req}, "RefundRow", itoa(refundRowID), "SetAsSettled")
}

// DeleteRow takes a row out of a refund, which must not have been settled:
// DELETE /API/Order/{orderId}/Refund/{refundId}/RefundRow/{refundRowId}. It goes behind a journal's back.
func (c *Client) DeleteRow(ctx context.Context, orderID int32, refundID string, refundRowID int32) (*Answer, error) {
	op := c.http.Op("delete row", refund.Attempt{})
	if err := checkID(op, "RefundRowID", refundRowID); err != nil {
		return nil, err
	}
	return c.change(ctx, op, orderID, refundID, httpx.Call{Method: http.MethodDelete}, "RefundRow", itoa(refundRowID))
}

// change makes a call that writes, a POST unless call says otherwise. The API needs a body even where all of its fields are
// optional.
func (c *Client) change(
	ctx context.Context, op *httpx.Op, orderID int32, refundID string, call httpx.Call, path ...string,
) (*Answer, error) {
	if err := checkIDs(op, orderID, refundID); err != nil {
		return nil, err
	}
	call.Method = cmp.Or(call.Method, http.MethodPost)
	call.Path, call.Effect = append(refundPath(orderID, refundID), path...), httpx.Pays
	got, _, err := httpx.Fetch(ctx, op, call, (*Answer).problem)
	return got, err
}

func refundPath(orderID int32, more ...string) []string {
	return append([]string{"API", "Order", itoa(orderID), "Refund"}, more...)
}
