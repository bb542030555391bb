package instant

import (
	"cmp"
	"context"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// CreateRefund refunds (part of) an order: POST /order/refund. It moves money, and goes behind a journal's back.
//
// It is not idempotent: the same request is refused for 60 seconds and pays again after that. It is never sent again
// once a byte may have gone out. Errors are *refund.Error; see HasCode for Instant's own codes.
func (c *Client) CreateRefund(ctx context.Context, req RefundRequest) (*RefundResponse, error) {
	op := c.http.Op("create refund", refund.Attempt{})
	req.StoreCode = cmp.Or(req.StoreCode, c.storeCode)
	if err := req.check(op, c.currency); err != nil {
		return nil, err
	}
	return c.create(ctx, op, &req)
}

func (c *Client) create(ctx context.Context, op *httpx.Op, req *RefundRequest) (*RefundResponse, error) {
	call := httpx.Call{Method: http.MethodPost, Path: []string{"order", "refund"}, Body: req.wire(), Effect: httpx.Pays}
	if req.IdempotencyKey != "" {
		call.Header = http.Header{"Idempotency-Key": {req.IdempotencyKey}} // instant-magento2, Service/DoRequest.php
	}
	res, err := op.Do(ctx, call) // not Fetch: the body of a success is not documented
	if err != nil {
		return nil, err
	}
	return &RefundResponse{Body: res.Body}, nil
}
