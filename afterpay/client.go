package afterpay

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
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
	if err != nil {
		return nil, err
	}
	return got.native(), nil
}

// create compares the response with the request: what it names must be the same, and what it does not name is not there.
func (c *Client) create(ctx context.Context, op *httpx.Op, orderID string, req *RefundRequest) (*created, *httpx.Result, error) {
	got, res, err := httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodPost, Path: []string{"v2", "payments", orderID, "refund"}, Body: req.wire(),
		Effect: httpx.PaysOnce,
	}, (*created).problem)
	if err != nil {
		return nil, nil, err
	}
	if got.RequestID != "" && string(got.RequestID) != req.RequestID ||
		got.MerchantReference != "" && string(got.MerchantReference) != req.MerchantReference {
		return nil, nil, res.Conflict("Afterpay answers with a refund of another key")
	}
	if got.Amount != nil {
		switch amount := wire.Money(string(got.Amount.Amount), string(got.Amount.Currency)); amount {
		case req.Amount:
		case refund.Money{}:
			return nil, nil, res.Unreadable("the amount cannot be read")
		default:
			return nil, nil, res.Conflict("Afterpay answers with a refund of another amount, %s: this key was used for it before", amount)
		}
	}
	return got, res, nil
}

// VoidPayment gives up (part of) what was authorized and not captured, which no refund can reach:
// POST /v2/payments/{orderId}/void. It goes behind a journal's back. The payment that it returns shows the void among its
// events and among its refunds; Refunds leaves it out.
//
// RequestID makes it idempotent for up to 24 hours, so it is required, and a request whose response is lost is sent again
// with it. What was captured already is CodePaymentCaptured, more than what is open CodeInvalidAmount.
func (c *Client) VoidPayment(ctx context.Context, orderID string, req VoidRequest) (*Payment, error) {
	op := c.http.Op("void payment", refund.Attempt{})
	if err := checkOrderID(op, orderID); err != nil {
		return nil, err
	}
	if err := req.check(op); err != nil {
		return nil, err
	}
	got, res, err := c.fetch(ctx, op, httpx.Call{
		Method: http.MethodPost, Path: []string{"v2", "payments", orderID, "void"}, Body: req.wire(),
		Effect: httpx.PaysOnce,
	})
	if err == nil && got.ID != orderID {
		return nil, res.Conflict("Afterpay answers with another payment")
	}
	return got, err
}

// RetrievePayment reads a payment by Afterpay's order id: GET /v2/payments/{orderId}. Its Refunds are the only way to
// read refunds. Reads lag behind writes.
func (c *Client) RetrievePayment(ctx context.Context, orderID string) (*Payment, error) {
	op := c.http.Op("retrieve payment", refund.Attempt{})
	if err := checkOrderID(op, orderID); err != nil {
		return nil, err
	}
	got, _, err := c.payment(ctx, op, orderID)
	return got, err
}

// RetrievePaymentByToken reads a payment by its checkout token: GET /v2/payments/token:{token}.
func (c *Client) RetrievePaymentByToken(ctx context.Context, token string) (*Payment, error) {
	op := c.http.Op("retrieve payment by token", refund.Attempt{})
	if err := checkToken(op, token); err != nil {
		return nil, err
	}
	got, res, err := c.retrieve(ctx, op, "token:"+token)
	if err != nil {
		return nil, err
	}
	if got.Token != "" && got.Token != token {
		return nil, res.Unreadable("the response is another payment")
	}
	return got, nil
}

func (c *Client) payment(ctx context.Context, op *httpx.Op, orderID string) (*Payment, *httpx.Result, error) {
	got, res, err := c.retrieve(ctx, op, orderID)
	if err == nil && got.ID != orderID {
		return nil, nil, res.Unreadable("the response is another payment")
	}
	return got, res, err
}

// refunds reads a payment that shows its refunds: without their list they are not known, which is not the same as none.
func (c *Client) refunds(ctx context.Context, op *httpx.Op, orderID string) (*Payment, error) {
	got, res, err := c.payment(ctx, op, orderID)
	if err == nil && got.Refunds == nil {
		return nil, res.Unreadable("the payment shows no list of refunds")
	}
	return got, err
}

func (c *Client) retrieve(ctx context.Context, op *httpx.Op, id string) (*Payment, *httpx.Result, error) {
	return c.fetch(ctx, op, httpx.Call{
		Method: http.MethodGet, Path: []string{"v2", "payments", id}, Effect: httpx.Harmless,
	})
}

// fetch makes a call whose response is a payment.
func (c *Client) fetch(ctx context.Context, op *httpx.Op, call httpx.Call) (*Payment, *httpx.Result, error) {
	got, res, err := httpx.Fetch(ctx, op, call, (*paymentBody).problem)
	if err != nil {
		return nil, nil, err
	}
	return got.native(), res, nil
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
		for _, b := range list.Results {
			page.Items = append(page.Items, b.native())
		}
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
