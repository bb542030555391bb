package digitalriver

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// maxRead bounds a page of refunds, 100 at the most, and an order with all its items.
const maxRead = 16 << 20

// CreateRefund refunds (part of) an order or of an invoice: POST /refunds.
//
// It is accepted, not paid, when this returns: see Refund.State. Nothing deduplicates it, so that it is sent once only.
// Errors are *refund.Error; see HasCode for Digital River's own codes.
func (c *Client) CreateRefund(ctx context.Context, req RefundRequest) (*Refund, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	got, _, err := c.createRefund(ctx, &req, refund.Attempt{})
	return got, err
}

func (c *Client) createRefund(ctx context.Context, req *RefundRequest, attempt refund.Attempt) (*Refund, *httpx.Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, nil, httpx.Invalid(provider, opRefund, "Amount", "cannot be written: "+err.Error())
	}
	return c.refundCall(ctx, &httpx.Call{
		Op: opRefund, Method: http.MethodPost, Path: []string{"refunds"}, Body: body, Attempt: attempt,
	})
}

// RetrieveRefund reads a refund: GET /refunds/{id}.
func (c *Client) RetrieveRefund(ctx context.Context, id ID) (*Refund, error) {
	got, _, err := c.retrieveRefund(ctx, "retrieve refund", id)
	return got, err
}

func (c *Client) retrieveRefund(ctx context.Context, op string, id ID) (*Refund, *httpx.Result, error) {
	if err := checkID(op, "ID", id); err != nil {
		return nil, nil, err
	}
	return c.refundCall(ctx, &httpx.Call{
		Op: op, Method: http.MethodGet, Path: []string{"refunds", string(id)}, Read: true,
	})
}

// UpdateRefund adds metadata to a refund, and changes or, with an empty string, deletes members of it:
// POST /refunds/{id}. The member idempotency_key, by which refunds are found again, cannot be changed here.
//
// It moves no money, so that no error of it is OutcomeUnknown. After an error that is no refusal the change may have
// been made; sending it again does no harm.
func (c *Client) UpdateRefund(ctx context.Context, id ID, metadata Metadata) (*Refund, error) {
	const op = "update refund"
	if err := checkID(op, "ID", id); err != nil {
		return nil, err
	}
	problem := metadata.problem()
	if _, ok := metadata[keyMember]; ok {
		problem = "has the member " + keyMember + ", which the refund is found by; it cannot be changed"
	}
	if len(metadata) == 0 {
		problem = "is empty; one pair at least is required"
	}
	if problem != "" {
		return nil, httpx.Invalid(provider, op, "Metadata", problem)
	}
	body, err := json.Marshal(map[string]Metadata{"metadata": metadata})
	if err != nil {
		return nil, httpx.Invalid(provider, op, "Metadata", "cannot be written: "+err.Error())
	}
	got, _, err := c.refundCall(ctx, &httpx.Call{
		Op: op, Method: http.MethodPost, Path: []string{"refunds", string(id)}, Body: body, Read: true,
	})
	return got, err
}

// refundCall makes a call that is answered with a refund.
func (c *Client) refundCall(ctx context.Context, call *httpx.Call) (*Refund, *httpx.Result, error) {
	res, err := c.http.Do(ctx, call)
	if err != nil {
		return nil, nil, err
	}
	var got Refund
	if err := res.Decode(&got); err != nil {
		return nil, nil, err
	}
	if got.ID == "" {
		return nil, nil, res.Unreadable("the answer has no id")
	}
	return &got, res, nil
}

// ListRefunds lists refunds, newest first: GET /refunds. With EndingBefore it goes the other way: from that refund to
// ever newer ones. The sequence is lazy, can be ranged over again, and ends after its first error.
func (c *Client) ListRefunds(ctx context.Context, f RefundFilter) iter.Seq2[*Refund, error] {
	return c.listRefunds(ctx, "list refunds", f, refund.Attempt{})
}

func (c *Client) listRefunds(ctx context.Context, op string, f RefundFilter, attempt refund.Attempt) iter.Seq2[*Refund, error] {
	if err := f.check(op); err != nil {
		return func(yield func(*Refund, error) bool) { yield(nil, err) }
	}
	query := f.query()
	cursor, first := "startingAfter", f.StartingAfter
	if f.EndingBefore != "" {
		cursor, first = "endingBefore", f.EndingBefore
	}
	return httpx.Pages(provider, op, string(first), func(at string) (page httpx.Page[*Refund], err error) {
		query := maps.Clone(query)
		if at != "" {
			query.Set(cursor, at)
		}
		res, err := c.http.Do(ctx, &httpx.Call{
			Op: op, Method: http.MethodGet, Path: []string{"refunds"}, Query: query,
			Read: true, MaxBody: maxRead, Attempt: attempt,
		})
		if err != nil {
			return page, err
		}
		var list refundList
		if err := res.Decode(&list); err != nil {
			return page, err
		}
		// An answer that does not say so is no empty list: somebody is about to pay because of it.
		if list.Data == nil || list.HasMore == nil {
			return page, res.Unreadable("the answer has no data or no hasMore")
		}
		if slices.ContainsFunc(list.Data, func(r *Refund) bool { return r == nil || r.ID == "" }) {
			return page, res.Unreadable("the answer has a refund without id")
		}
		if f.EndingBefore != "" {
			slices.Reverse(list.Data)
		}
		page.Items = list.Data
		if *list.HasMore {
			if len(list.Data) == 0 {
				return page, res.Unreadable("the answer is empty and says that there is more: nothing to go on from")
			}
			page.Next = string(list.Data[len(list.Data)-1].ID)
		}
		return page, nil
	})
}

// RetrieveOrder reads an order: GET /orders/{id}. Its AvailableToRefund is what can still be refunded.
func (c *Client) RetrieveOrder(ctx context.Context, id ID) (*Order, error) {
	return c.order(ctx, "retrieve order", id, refund.Attempt{})
}

func (c *Client) order(ctx context.Context, op string, id ID, attempt refund.Attempt) (*Order, error) {
	if err := checkID(op, "Order.ID", id); err != nil {
		return nil, err
	}
	res, err := c.http.Do(ctx, &httpx.Call{
		Op: op, Method: http.MethodGet, Path: []string{"orders", string(id)},
		Read: true, MaxBody: maxRead, Attempt: attempt,
	})
	if err != nil {
		return nil, err
	}
	var o Order
	if err := res.Decode(&o); err != nil {
		return nil, err
	}
	if o.ID == "" {
		return nil, res.Unreadable("the answer has no id")
	}
	return &o, nil
}

// query writes a filter as the OpenAPI document has it: ids repeated, operators in brackets.
func (f *RefundFilter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("orderId", string(f.OrderID))
	set("skuId", string(f.SKUID))
	set("state", string(f.State))
	set("reason", f.Reason)
	set("failureReason", f.FailureReason)
	for _, id := range f.IDs {
		q.Add("ids", string(id))
	}
	for operator, t := range f.CreatedTime.operators() {
		if !t.IsZero() {
			q.Set("createdTime["+operator+"]", t.UTC().Format(timeFormat))
		}
	}
	amounts := func(name string, a *AmountRange) {
		for operator, n := range a.operators() {
			if n != nil {
				q.Set(name+"["+operator+"]", n.text())
			}
		}
	}
	amounts("amount", &f.Amount)
	amounts("refundedAmount", &f.RefundedAmount)
	limit := f.Limit
	if limit == 0 {
		limit = maxLimit
	}
	q.Set("limit", strconv.Itoa(limit))
	return q
}

func (r *TimeRange) operators() map[string]time.Time {
	return map[string]time.Time{"eq": r.Eq, "gt": r.Gt, "gte": r.Gte, "lt": r.Lt, "lte": r.Lte}
}

func (r *AmountRange) operators() map[string]*Number {
	return map[string]*Number{"eq": r.Eq, "gt": r.Gt, "gte": r.Gte, "lt": r.Lt, "lte": r.Lte}
}
