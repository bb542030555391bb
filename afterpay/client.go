package afterpay

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// maxList bounds a page of payments: 250 at the most, each with its whole order.
const maxList = 16 << 20

// CreateRefund refunds (part of) a payment: POST /v2/payments/{orderId}/refund.
//
// RequestID and MerchantReference together make it idempotent, so both are required, and a request whose answer is
// lost is sent again with the same pair. Errors are *refund.Error; see HasCode for Afterpay's own codes.
func (c *Client) CreateRefund(ctx context.Context, orderID string, req RefundRequest) (*Refund, error) {
	if err := checkRefund(orderID, &req); err != nil {
		return nil, err
	}
	got, _, err := c.createRefund(ctx, orderID, &req, refund.Attempt{})
	return got, err
}

func (c *Client) createRefund(ctx context.Context, orderID string, req *RefundRequest, attempt refund.Attempt) (*Refund, *httpx.Result, error) {
	body, err := json.Marshal(req.wire())
	if err != nil {
		return nil, nil, httpx.Invalid(provider, opRefund, "Amount", "cannot be written: "+err.Error())
	}
	res, err := c.http.Do(ctx, &httpx.Call{
		Op: opRefund, Method: http.MethodPost, Path: []string{"v2", "payments", orderID, "refund"},
		Body: body, Replay: httpx.Allowed, Attempt: attempt,
	})
	if err != nil {
		return nil, nil, err
	}
	var got Refund
	if err := res.Decode(&got); err != nil {
		return nil, nil, err
	}
	if got.RefundID == "" {
		return nil, nil, res.Unreadable("the answer has no refundId")
	}
	return &got, res, nil
}

// RetrievePayment reads a payment by Afterpay's order id: GET /v2/payments/{orderId}. Its Refunds are the only way to
// read refunds. Reads lag behind writes.
func (c *Client) RetrievePayment(ctx context.Context, orderID string) (*Payment, error) {
	const op = "retrieve payment"
	if err := checkOrderID(op, orderID); err != nil {
		return nil, err
	}
	return c.payment(ctx, op, orderID)
}

// RetrievePaymentByToken reads a payment by its checkout token: GET /v2/payments/token:{token}.
func (c *Client) RetrievePaymentByToken(ctx context.Context, token string) (*Payment, error) {
	const op = "retrieve payment by token"
	if token == "" {
		return nil, httpx.Invalid(provider, op, "token", "is empty; it is the checkout's token")
	}
	return c.payment(ctx, op, "token:"+token)
}

func (c *Client) payment(ctx context.Context, op, id string) (*Payment, error) {
	res, err := c.http.Do(ctx, &httpx.Call{
		Op: op, Method: http.MethodGet, Path: []string{"v2", "payments", id},
		Read: true,
	})
	if err != nil {
		return nil, err
	}
	var p Payment
	if err := res.Decode(&p); err != nil {
		return nil, err
	}
	if p.ID == "" {
		return nil, res.Unreadable("the answer has no id")
	}
	return &p, nil
}

// ListPayments lists payments: GET /v2/payments. The sequence is lazy, can be ranged over again, and ends after its
// first error.
func (c *Client) ListPayments(ctx context.Context, f PaymentFilter) iter.Seq2[*Payment, error] {
	const op = "list payments"
	if err := f.check(op); err != nil {
		return func(yield func(*Payment, error) bool) { yield(nil, err) }
	}
	first := f.query()
	return httpx.Pages(provider, op, first.Encode(), func(cursor string) (page httpx.Page[*Payment], err error) {
		query, err := url.ParseQuery(cursor)
		if err != nil {
			return page, httpx.Invalid(provider, op, "nextPageUrl", "has a query that cannot be read")
		}
		res, err := c.http.Do(ctx, &httpx.Call{
			Op: op, Method: http.MethodGet, Path: []string{"v2", "payments"}, Query: query,
			Read: true, MaxBody: maxList,
		})
		if err != nil {
			return page, err
		}
		var list paymentList
		if err := res.Decode(&list); err != nil {
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

// query repeats a parameter for each value: arrays in commas or brackets are answered with 500 (list-payments page).
func (f *PaymentFilter) query() url.Values {
	q := url.Values{}
	date := func(name string, t time.Time) {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	date("fromCreatedDate", f.FromCreatedDate)
	date("toCreatedDate", f.ToCreatedDate)
	add := func(name string, values []string) {
		if len(values) > 0 {
			q[name] = values
		}
	}
	add("ids", f.IDs)
	add("tokens", f.Tokens)
	add("merchantReferences", f.MerchantReferences)
	for _, s := range f.Statuses {
		q.Add("statuses", string(s))
	}
	if f.OrderBy != "" {
		q.Set("orderBy", f.OrderBy)
	}
	if f.Ascending {
		q.Set("ascending", "true")
	}
	if f.IncludeNextLink {
		q.Set("includeNextLink", "true")
	}
	if f.Offset > 0 {
		q.Set("offset", strconv.Itoa(f.Offset))
	}
	limit := f.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	q.Set("limit", strconv.Itoa(limit))
	return q
}
