package orderrows

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// maxList bounds a list of refunds, which has no pages: each refund carries rows of its order.
const maxList = 16 << 20

// CreateRefund makes a refund of an order, with one row: POST /API/Order/{orderId}/Refund.
//
// Nothing keeps a repeat from being a second refund, so a request whose answer is lost is not sent again: give each refund
// a Reference of its own and look for it with ListRefunds. Errors are *refund.Error; see Details for the API's own words.
func (c *Client) CreateRefund(ctx context.Context, orderID int32, req NewRefund) (*CreatedRefund, error) {
	if err := c.checkRefund(orderID, &req); err != nil {
		return nil, err
	}
	got, _, err := c.createRefund(ctx, orderID, &req, refund.Attempt{})
	return got, err
}

func (c *Client) createRefund(ctx context.Context, orderID int32, req *NewRefund, attempt refund.Attempt) (*CreatedRefund, *httpx.Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, nil, httpx.Invalid(provider, opRefund, "RefundAmount", "cannot be written: "+err.Error())
	}
	res, err := c.http.Do(ctx, &httpx.Call{
		Op: opRefund, Method: http.MethodPost, Path: refundPath(orderID),
		Body: body, Attempt: attempt,
	})
	if err != nil {
		return nil, nil, err
	}
	var got CreatedRefund
	if err := res.Decode(&got); err != nil {
		return nil, nil, err
	}
	if !isRefundID(got.RefundID) {
		return nil, nil, res.Unreadable("the answer has no id of a refund in Resource")
	}
	return &got, res, nil
}

// RetrieveRefund reads a refund: GET /API/Order/{orderId}/Refund/{refundId}.
func (c *Client) RetrieveRefund(ctx context.Context, orderID int32, refundID string) (*Refund, error) {
	return c.retrieveRefund(ctx, "retrieve refund", orderID, refundID)
}

func (c *Client) retrieveRefund(ctx context.Context, op string, orderID int32, refundID string) (*Refund, error) {
	if err := checkIDs(op, orderID, refundID); err != nil {
		return nil, err
	}
	got, res, err := read[*Refund](ctx, c, &httpx.Call{Op: op, Method: http.MethodGet, Path: refundPath(orderID, refundID)})
	if err == nil && got.RefundID == "" {
		err = res.Unreadable("the refund has no RefundId")
	}
	if err != nil {
		return nil, err
	}
	return got, nil
}

// ListRefunds reads all refunds of an order: GET /API/Order/{orderId}/Refund/List.
func (c *Client) ListRefunds(ctx context.Context, orderID int32) ([]Refund, error) {
	const op = "list refunds"
	if err := checkID(op, "Order.ID", orderID); err != nil {
		return nil, err
	}
	return c.listRefunds(ctx, op, orderID, refund.Attempt{})
}

func (c *Client) listRefunds(ctx context.Context, op string, orderID int32, attempt refund.Attempt) ([]Refund, error) {
	return c.list(ctx, &httpx.Call{Op: op, Method: http.MethodGet, Path: refundPath(orderID, "List"), Attempt: attempt})
}

// QueryRefunds reads refunds of all orders: POST /API/Refund/Query. The zero query selects all; there are no pages, so
// narrow it by dates.
func (c *Client) QueryRefunds(ctx context.Context, q RefundQuery) ([]Refund, error) {
	const op = "query refunds"
	if err := q.check(op); err != nil {
		return nil, err
	}
	return c.queryRefunds(ctx, op, &q)
}

func (c *Client) queryRefunds(ctx context.Context, op string, q *RefundQuery) ([]Refund, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, httpx.Invalid(provider, op, "RefundQuery", "cannot be written: "+err.Error())
	}
	return c.list(ctx, &httpx.Call{Op: op, Method: http.MethodPost, Path: []string{"API", "Refund", "Query"}, Body: body})
}

func (c *Client) list(ctx context.Context, call *httpx.Call) ([]Refund, error) {
	call.MaxBody = maxList
	got, res, err := read[[]Refund](ctx, c, call)
	if err != nil {
		return nil, err
	}
	for i := range got {
		if got[i].RefundID == "" { // what cannot be read must not look like absence
			return nil, res.Unreadable("a refund of the list has no RefundId")
		}
	}
	return got, nil
}

// read makes a call that moves nothing, and takes the Resource out of the answer. Resource null is no answer.
func read[T any](ctx context.Context, c *Client, call *httpx.Call) (resource T, res *httpx.Result, err error) {
	call.Read = true
	if res, err = c.http.Do(ctx, call); err != nil {
		return resource, nil, err
	}
	var answer struct{ Resource *T }
	if err := res.Decode(&answer); err != nil {
		return resource, nil, err
	}
	if answer.Resource == nil {
		return resource, nil, res.Unreadable("the answer has no Resource")
	}
	return *answer.Resource, res, nil
}

// SetApproval approves or denies a refund that was made with RefundsRequireApproval:
// POST /API/Order/{orderId}/Refund/{refundId}/SetApproval. An approved refund goes out to whoever pays it.
func (c *Client) SetApproval(ctx context.Context, orderID int32, refundID string, req RefundApproval) (*Answer, error) {
	req.ApprovalDecidedOn = req.ApprovalDecidedOn.UTC()
	return c.change(ctx, "set approval", orderID, refundID, &req, "SetApproval")
}

// SetAsProcessed records that a refund was paid, and settles its rows:
// POST /API/Order/{orderId}/Refund/{refundId}/SetAsProcessed. It is what the integration that pays calls.
func (c *Client) SetAsProcessed(ctx context.Context, orderID int32, refundID string, req ProcessedRefund) (*Answer, error) {
	req.ProcessedOn = req.ProcessedOn.UTC()
	return c.change(ctx, "set as processed", orderID, refundID, &req, "SetAsProcessed")
}

// SetAsSettled records that all rows of a refund have been settled:
// POST /API/Order/{orderId}/Refund/{refundId}/SetAsSettled.
func (c *Client) SetAsSettled(ctx context.Context, orderID int32, refundID string, req SettledRefund) (*Answer, error) {
	req.SettledOn = req.SettledOn.UTC()
	return c.change(ctx, "set as settled", orderID, refundID, &req, "SetAsSettled")
}

// SetRowAsSettled records that one row of a refund has been settled:
// POST /API/Order/{orderId}/Refund/{refundId}/RefundRow/{refundRowId}/SetAsSettled.
func (c *Client) SetRowAsSettled(ctx context.Context, orderID int32, refundID string, refundRowID int32, req SettledRefund) (*Answer, error) {
	const op = "set row as settled"
	if err := checkID(op, "RefundRowID", refundRowID); err != nil {
		return nil, err
	}
	req.SettledOn = req.SettledOn.UTC()
	return c.change(ctx, op, orderID, refundID, &req, "RefundRow", itoa(refundRowID), "SetAsSettled")
}

// DeleteRow takes a row out of a refund, which must not have been settled:
// DELETE /API/Order/{orderId}/Refund/{refundId}/RefundRow/{refundRowId}.
func (c *Client) DeleteRow(ctx context.Context, orderID int32, refundID string, refundRowID int32) (*Answer, error) {
	const op = "delete row"
	if err := checkID(op, "RefundRowID", refundRowID); err != nil {
		return nil, err
	}
	return c.change(ctx, op, orderID, refundID, nil, "RefundRow", itoa(refundRowID))
}

// change makes a call that writes, with a body unless req is nil. The API wants one even where all fields are optional.
func (c *Client) change(ctx context.Context, op string, orderID int32, refundID string, req any, path ...string) (*Answer, error) {
	if err := checkIDs(op, orderID, refundID); err != nil {
		return nil, err
	}
	call := &httpx.Call{Op: op, Method: http.MethodDelete, Path: refundPath(orderID, append([]string{refundID}, path...)...)}
	if req != nil {
		body, err := json.Marshal(req)
		if err != nil {
			return nil, httpx.Invalid(provider, op, "date", "cannot be written: "+err.Error())
		}
		call.Method, call.Body = http.MethodPost, body
	}
	res, err := c.http.Do(ctx, call)
	if err != nil {
		return nil, err
	}
	var got Answer
	if err := res.Decode(&got); err != nil {
		return nil, err
	}
	return &got, nil
}

func refundPath(orderID int32, more ...string) []string {
	return append([]string{"API", "Order", itoa(orderID), "Refund"}, more...)
}

func itoa(id int32) string { return strconv.Itoa(int(id)) }

func checkIDs(op string, orderID int32, refundID string) error {
	if err := checkID(op, "Order.ID", orderID); err != nil {
		return err
	}
	if !isRefundID(refundID) {
		return httpx.Invalid(provider, op, "ID", `is not the id of a refund, which is a UUID like "6f1c3c1e-8f0a-4b52-9a3c-2f6b7f0d9a11"`)
	}
	return nil
}

func checkID(op, field string, id int32) error {
	if id <= 0 {
		return httpx.Invalid(provider, op, field, "is "+itoa(id)+"; ids are greater than zero")
	}
	return nil
}

// isRefundID reports whether id is a UUID in its usual form. Anything else must not be sent: "List" stands in the same
// place of the path.
func isRefundID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && len(id) == len(uuid.UUID{}.String()) && parsed != uuid.Nil
}
