package afterpay

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// CreateRefund refunds (part of) a payment: POST /v2/payments/{orderId}/refund. It moves money, and goes behind a
// journal's back.
//
// RequestID and MerchantReference together make it idempotent, so both are required, and a request whose response is
// lost is sent again with the same pair. Errors are *refund.Error; see HasCode for Afterpay's own codes.
func (c *Client) CreateRefund(ctx context.Context, orderID string, req RefundRequest) (*Refund, error) {
	op := c.http.Op("create refund", refund.Attempt{})
	if err := checkOrderID(op, orderID); err != nil {
		return nil, err
	}
	if err := req.check(op); err != nil {
		return nil, err
	}
	got, _, err := c.create(ctx, op, orderID, &req)
	return got, err
}

func (c *Client) create(ctx context.Context, op *httpx.Op, orderID string, req *RefundRequest) (*Refund, *httpx.Result, error) {
	return httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodPost, Path: []string{"v2", "payments", orderID, "refund"}, Body: req.wire(),
		Effect: httpx.PaysOnce,
	}, (*Refund).problem)
}

// RetrievePayment reads a payment by Afterpay's order id: GET /v2/payments/{orderId}. Its Refunds are the only way to
// read refunds. Reads lag behind writes.
func (c *Client) RetrievePayment(ctx context.Context, orderID string) (*Payment, error) {
	op := c.http.Op("retrieve payment", refund.Attempt{})
	if err := checkOrderID(op, orderID); err != nil {
		return nil, err
	}
	return c.payment(ctx, op, orderID)
}

// RetrievePaymentByToken reads a payment by its checkout token: GET /v2/payments/token:{token}.
func (c *Client) RetrievePaymentByToken(ctx context.Context, token string) (*Payment, error) {
	op := c.http.Op("retrieve payment by token", refund.Attempt{})
	if token == "" {
		return nil, op.Invalid("token", "is empty; it is the checkout's token")
	}
	return c.payment(ctx, op, "token:"+token)
}

func (c *Client) payment(ctx context.Context, op *httpx.Op, id string) (*Payment, error) {
	got, res, err := httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodGet, Path: []string{"v2", "payments", id}, Effect: httpx.Harmless,
	}, (*Payment).problem)
	if err != nil {
		return nil, err
	}
	if got.ID != id && !strings.HasPrefix(id, "token:") {
		return nil, res.Unreadable("the response is another payment")
	}
	return got, nil
}

// ListPayments lists payments: GET /v2/payments. The sequence is lazy, can be ranged over again, and ends after its
// first error.
func (c *Client) ListPayments(ctx context.Context, f PaymentFilter) iter.Seq2[*Payment, error] {
	op := c.http.Op("list payments", refund.Attempt{})
	if err := f.check(op); err != nil {
		return httpx.Failed[*Payment](err)
	}
	first := f.query()
	return httpx.Pages(op, first.Encode(), func(cursor string) (page httpx.Page[*Payment], err error) {
		query, err := url.ParseQuery(cursor)
		if err != nil {
			return page, op.Invalid("nextPageUrl", "has a query that cannot be read")
		}
		list, res, err := httpx.Fetch(ctx, op, httpx.Call{
			Method: http.MethodGet, Path: []string{"v2", "payments"}, Query: query,
			Effect: httpx.Harmless, MaxBody: maxList,
		}, (*paymentList).problem)
		if err != nil {
			return page, err
		}
		page.Items = list.Results
		if f.IncludeNextLink {
			// Only the query is taken: the credentials go to no other host than the configured one.
			next, err := url.Parse(list.NextPageURL)
			if err != nil {
				return page, res.Unreadable("nextPageUrl is not a URL")
			}
			page.Next = next.RawQuery
		} else if next := offset(query) + len(list.Results); len(list.Results) > 0 && next < list.TotalResults {
			query.Set("offset", strconv.Itoa(next))
			page.Next = query.Encode()
		}
		return page, nil
	})
}

func offset(query url.Values) int {
	n, _ := strconv.Atoi(query.Get("offset")) //nolint:errcheck // our own; absent means 0
	return n
}
