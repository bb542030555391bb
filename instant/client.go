package instant

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// RefundOrder refunds (part of) an order: POST /order/refund.
//
// It is not idempotent: the same request is refused for 60 seconds and pays again after that. It is never sent again
// once a byte may have gone out. Errors are *refund.Error; see HasCode for Instant's own codes.
func (c *Client) RefundOrder(ctx context.Context, req RefundRequest) (*RefundResponse, error) {
	if req.StoreCode == "" {
		req.StoreCode = c.storeCode
	}
	amount, err := c.checkRefund(&req)
	if err != nil {
		return nil, err
	}
	res, err := c.refundOrder(ctx, &wireRefund{
		AmountToRefund: json.Number(amount.Amount()), DisplayOrderID: req.DisplayOrderID, StoreCode: req.StoreCode,
	}, req.IdempotencyKey, refund.Attempt{})
	if err != nil {
		return nil, err
	}
	return &RefundResponse{Body: res.Body}, nil
}

func (c *Client) refundOrder(ctx context.Context, req *wireRefund, key string, attempt refund.Attempt) (*httpx.Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, httpx.Invalid(provider, opRefund, "Amount", "cannot be written: "+err.Error())
	}
	call := &httpx.Call{
		Op: opRefund, Method: http.MethodPost, Path: []string{"order", "refund"},
		Body: body, Replay: httpx.Never, Attempt: attempt,
	}
	if key != "" {
		call.Header = http.Header{"Idempotency-Key": {key}} // instant-magento2, Service/DoRequest.php
	}
	return c.http.Do(ctx, call)
}
