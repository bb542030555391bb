package digitalriver

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// CreateRefund refunds (part of) an order or of an invoice: POST /refunds. It moves money, and goes behind a journal's
// back.
//
// The refund is accepted, not paid, when this returns: see Refund.State. Nothing deduplicates it, so it is sent once
// only. A response that names another order, invoice or Amount is an error whose outcome is unknown. Errors are *refund.Error;
// see HasCode for Digital River's own codes.
func (c *Client) CreateRefund(ctx context.Context, req RefundRequest) (*Refund, error) {
	op := c.http.Op("create refund", refund.Attempt{})
	if err := req.check(op); err != nil {
		return nil, err
	}
	got, res, err := c.create(ctx, op, &req)
	switch {
	case err != nil:
		return nil, err
	case got.isOfAnother(refund.Order{ID: string(req.OrderID), InvoiceID: string(req.InvoiceID)}):
		return nil, res.Conflict("the response is a refund of another order or invoice")
	case req.Amount != nil && got.states() && got.Requested() != req.Amount.money(req.Currency):
		return nil, res.Conflict("the response is a refund of another amount, %s", got.Requested())
	}
	return got, nil
}

func (c *Client) create(ctx context.Context, op *httpx.Op, req *RefundRequest) (*Refund, *httpx.Result, error) {
	return httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodPost, Path: []string{"refunds"}, Body: req, Effect: httpx.Pays,
		Private: append(req.Metadata.private(), req.Reason),
	}, (*Refund).problem)
}

// RetrieveRefund reads a refund: GET /refunds/{id}.
func (c *Client) RetrieveRefund(ctx context.Context, id ID) (*Refund, error) {
	op := c.http.Op("retrieve refund", refund.Attempt{})
	if err := checkID(op, "ID", id); err != nil {
		return nil, err
	}
	got, _, err := c.retrieve(ctx, op, id)
	return got, err
}

func (c *Client) retrieve(ctx context.Context, op *httpx.Op, id ID) (*Refund, *httpx.Result, error) {
	return httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodGet, Path: []string{"refunds", string(id)}, Effect: httpx.Harmless,
	}, func(r *Refund) string { return another(id, r.ID) })
}

// UpdateRefund adds metadata to a refund, and changes or, with an empty string, deletes members of it:
// POST /refunds/{id}. The member idempotency_key, by which refunds are found again, cannot be changed here.
//
// It moves no money, so none of its errors is OutcomeUnknown. After an error that is not a refusal the change may have
// been made; sending it again does no harm.
func (c *Client) UpdateRefund(ctx context.Context, id ID, metadata Metadata) (*Refund, error) {
	op := c.http.Op("update refund", refund.Attempt{})
	if err := checkID(op, "ID", id); err != nil {
		return nil, err
	}
	if len(metadata) == 0 {
		return nil, op.Invalid("Metadata", "is empty; at least one pair is required")
	}
	if _, ok := metadata[keyMember]; ok {
		return nil, op.Invalid("Metadata", "has the member %s, which the refund is found by; it cannot be changed", keyMember)
	}
	if err := metadata.check(op); err != nil {
		return nil, err
	}
	got, _, err := httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodPost, Path: []string{"refunds", string(id)}, Body: map[string]Metadata{"metadata": metadata},
		Effect: httpx.Harmless, Private: metadata.private(),
	}, func(r *Refund) string { return another(id, r.ID) })
	return got, err
}

// ListRefunds lists refunds, newest first: GET /refunds. With EndingBefore it goes the other way: from that refund to
// ever newer ones. The sequence is lazy, can be ranged over again, and ends after its first error.
func (c *Client) ListRefunds(ctx context.Context, f RefundFilter) iter.Seq2[*Refund, error] {
	return c.list(ctx, c.http.Op("list refunds", refund.Attempt{}), f, f.problem)
}

func (c *Client) list(
	ctx context.Context, op *httpx.Op, f RefundFilter, problem func(*refundList) string,
) iter.Seq2[*Refund, error] {
	if err := f.check(op); err != nil {
		return httpx.Failed[*Refund](err)
	}
	query := f.query()
	cursor, first := "startingAfter", f.StartingAfter
	if f.EndingBefore != "" {
		cursor, first = "endingBefore", f.EndingBefore
	}
	return httpx.Pages(op, string(first), func(at string) (page httpx.Page[*Refund], err error) {
		query := maps.Clone(query)
		if at != "" {
			query.Set(cursor, at)
		}
		list, _, err := httpx.Fetch(ctx, op, httpx.Call{
			Method: http.MethodGet, Path: []string{"refunds"}, Query: query, Effect: httpx.Harmless, MaxBody: maxRead,
		}, problem)
		if err != nil {
			return page, err
		}
		if f.EndingBefore != "" {
			slices.Reverse(list.Data)
		}
		page.Items = list.Data
		if *list.HasMore {
			page.Next = string(list.Data[len(list.Data)-1].ID)
		}
		return page, nil
	})
}

// RetrieveOrder reads an order: GET /orders/{id}. Its AvailableToRefund is what can still be refunded.
func (c *Client) RetrieveOrder(ctx context.Context, id ID) (*Order, error) {
	op := c.http.Op("retrieve order", refund.Attempt{})
	if err := checkID(op, "Order.ID", id); err != nil {
		return nil, err
	}
	return c.order(ctx, op, id)
}

func (c *Client) order(ctx context.Context, op *httpx.Op, id ID) (*Order, error) {
	got, _, err := httpx.Fetch(ctx, op, httpx.Call{
		Method: http.MethodGet, Path: []string{"orders", string(id)}, Effect: httpx.Harmless, MaxBody: maxRead,
	}, func(o *Order) string { return another(id, o.ID) })
	return got, err
}
