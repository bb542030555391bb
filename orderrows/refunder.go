package orderrows

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/decide"
	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Getter   = (*Client)(nil)
	_ refund.Lister   = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities {
	caps := refund.Capabilities{
		Partial:         true,
		MultipleRefunds: true,
		Repeat:          refund.RepeatFound,
		ResolvedBy:      refund.ResolvedByMarker,
		Reads:           true,
		Lists:           refund.ListsByTime,
		Currencies:      slices.Clone(c.currencies),
		Parts:           []refund.Part{refund.PartShipping, refund.PartFee, refund.PartReturnCost},
		RefundsLines:    true,
		Reason:          true,
	}
	if c.noLookup {
		caps.Repeat = refund.RepeatRefundsAgain
	}
	return c.http.Describe(caps)
}

// Refund implements refund.Refunder. Order.ID is the order's number at Geins, Line the id of an order row, Reason becomes
// the refund's Description. The refund is recorded, and pending until the shop's integration has paid it: the response
// states its id only. Without Config.NoLookup the order's refunds are read first: one that has the key already is returned
// instead, and one in another currency than Amount is an ErrCurrencyMismatch.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	op := c.http.Op("refund", refund.Attempt{Request: req})
	orderID, native, err := c.native(op)
	if err != nil {
		return nil, err
	}
	if !c.noLookup {
		var list []Refund
		got, err := decide.Before(ctx, op, func(ctx context.Context, op *httpx.Op) (seen decide.Sighting, err error) {
			seen, list, err = c.search(ctx, op)
			return seen, err
		})
		if got != nil || err != nil {
			return got, err
		}
		// Not in look: a refund in another currency says nothing about what became of this one.
		if i := slices.IndexFunc(list, func(r Refund) bool { return r.inOtherCurrency(req.Amount) }); i >= 0 {
			return nil, op.NotSent(refund.ErrCurrencyMismatch, "Amount",
				"is %s, but the order has a refund in %.10q, and Geins reads amounts in the order's currency",
				req.Amount, list[i].Currency)
		}
	}
	return c.send(ctx, op, orderID, native)
}

// native checks and converts the request of op.
func (c *Client) native(op *httpx.Op) (orderID int32, native *NewRefund, err error) {
	req := &op.Attempt.Request
	if err := c.caps.Check(*req); err != nil {
		return 0, nil, err
	}
	if orderID, err = parseOrder(op, req.Order); err != nil {
		return 0, nil, err
	}
	if err := checkText(op, "Reason", req.Reason, maxDescription); err != nil {
		return 0, nil, err
	}
	native = &NewRefund{
		Reference: req.IdempotencyKey, Description: req.Reason,
		RefundAmount: req.Amount, RefundType: refundType(req.Part),
	}
	if req.Line != "" {
		if native.OrderRowID, err = parseID(op, "Line", "the id of a row of the order", req.Line); err != nil {
			return 0, nil, err
		}
	}
	return orderID, native, nil
}

// send sends the request of op. The response names neither the order nor the key nor the amount, so nothing is compared.
func (c *Client) send(ctx context.Context, op *httpx.Op, orderID int32, native *NewRefund) (*refund.Refund, error) {
	answer, res, err := c.create(ctx, op, orderID, native)
	if err != nil {
		return nil, err
	}
	req := &op.Attempt.Request
	got := &refund.Refund{
		ID: answer.RefundID, IdempotencyKey: req.IdempotencyKey, Provider: op.Provider, Account: op.Account, Order: req.Order,
		Status: refund.StatusPending, Raw: res.Body,
	}
	if len(answer.Details) > 0 {
		got.Warnings = append(got.Warnings, "the response has validation messages, see Raw; read the refund to see what took effect")
	}
	return got, nil
}

// look implements decide.Look: it searches the order's refunds for the key.
func (c *Client) look(ctx context.Context, op *httpx.Op) (decide.Sighting, error) {
	seen, _, err := c.search(ctx, op)
	return seen, err
}

// search is look, with the refunds that it has read.
func (c *Client) search(ctx context.Context, op *httpx.Op) (seen decide.Sighting, list []Refund, err error) {
	orderID, native, err := c.native(op)
	if err != nil {
		return seen, nil, err
	}
	list, err = c.list(ctx, op, orderID)
	if errors.Is(err, refund.ErrOrderNotFound) && op.Attempt.Tries > 0 { // sent before, so that there was such an order
		seen.Doubt = "the order is not found: these may be the credentials of another account"
		return seen, nil, nil
	}
	if err != nil {
		return seen, nil, err
	}
	for i := range list {
		r := &list[i]
		got, problem := common(op, op.Attempt.Request.Order, r), differs(r, native)
		switch {
		case r.Reference != native.Reference:
			// The vendor warns that a success does not prove that every field took effect (sonora-agent-plugins).
			if !got.CreatedAt.IsZero() {
				got.CreatedAt = got.CreatedAt.Add(zoneSlack)
			}
			seen.Others = append(seen.Others, decide.Other{Refund: got, Marked: r.Reference != ""})
		case problem != "":
			seen.Clash = "the order has a refund with the key, but " + problem
		default:
			seen.Found(got)
		}
	}
	return seen, list, nil
}

// GetRefund implements refund.Getter.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	op := c.http.Op("get refund", refund.Attempt{})
	orderID, err := parseOrder(op, ref.Order)
	if err != nil {
		return nil, err
	}
	got, err := c.retrieve(ctx, op, orderID, ref.ID)
	if err != nil {
		return nil, err
	}
	return common(op, ref.Order, got), nil
}

// Refunds implements refund.Lister. Without an order the refunds of all orders are listed, in one response: set Since.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	op := c.http.Op("list refunds", refund.Attempt{})
	var read func() ([]Refund, error)
	if q.Order == (refund.Order{}) {
		native := &RefundQuery{CreatedBefore: q.Until.UTC()}
		if !q.Since.IsZero() { // whether CreatedAfter is inclusive is not documented
			native.CreatedAfter = q.Since.Add(-time.Second).UTC()
		}
		read = func() ([]Refund, error) { return c.query(ctx, op, native) }
	} else {
		orderID, err := parseOrder(op, q.Order)
		if err != nil {
			return httpx.Failed[*refund.Refund](err)
		}
		read = func() ([]Refund, error) { return c.list(ctx, op, orderID) }
	}
	return httpx.Select(q, httpx.Convert(httpx.Items(read), func(r Refund) *refund.Refund {
		order := q.Order
		if order == (refund.Order{}) {
			order.ID = itoa(r.OrderID)
		}
		return common(op, order, &r)
	}))
}

// Resolve implements refund.Resolver: the order's refunds are read and searched for the key. Nothing is ever sent again.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	return decide.Resolve(ctx, c.http.Op("resolve", a), c.look)
}

// common converts a refund of an order.
func common(op *httpx.Op, order refund.Order, r *Refund) *refund.Refund {
	return &refund.Refund{
		ID: r.RefundID, IdempotencyKey: keyOf(r), Provider: op.Provider, Account: op.Account, Order: order,
		Amount:    r.amount(),
		Status:    r.status(),
		CreatedAt: r.CreatedOn.Time,
	}
}

// keyOf returns the key that r was made with, or "" if its Reference cannot be one: the Reference of a refund that somebody
// else has made is any text.
func keyOf(r *Refund) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
	if len(r.Reference) > refund.MaxKeyLength || strings.Trim(r.Reference, letters) != "" {
		return ""
	}
	return r.Reference
}

// refundType is what a part is called here. Capabilities.Check has refused all others.
func refundType(part refund.Part) RefundType {
	switch part {
	case refund.PartReturnCost:
		return TypeInstanceCost
	case refund.PartShipping:
		return TypeShipping
	case refund.PartFee:
		return TypeInvoiceFee
	default:
		return TypeDefault
	}
}

// differs returns what makes r another refund than req, or "". What r does not state cannot differ.
func differs(r *Refund, req *NewRefund) string {
	if r.inOtherCurrency(req.RefundAmount) {
		return "in another currency"
	}
	// Its currency is this one or not stated. A number that cannot be read is not the same either.
	if number := r.number(); number != nil && wire.MoneyFromDecimal(number, req.RefundAmount.Currency()) != req.RefundAmount {
		return "of another amount"
	}
	if len(r.RefundRows) != 1 {
		return ""
	}
	row := &r.RefundRows[0]
	if row.RefundType != req.RefundType {
		return "of another part"
	}
	if row.OrderRowID != nil && req.OrderRowID != 0 && *row.OrderRowID != req.OrderRowID {
		return "of another order row"
	}
	return ""
}

func (r *Refund) inOtherCurrency(amount refund.Money) bool {
	return r.Currency != "" && r.Currency != amount.Currency()
}
