package instant

import (
	"context"
	"errors"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// dashboard shows refunds at once, under Payments > Transactions (refunds page, "Processing refunds").
const dashboard = "https://checkout.instant.one/seller"

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

// Capabilities implements refund.Refunder. Nothing can be read at Instant.
func (c *Client) Capabilities() refund.Capabilities {
	return c.http.Describe(refund.Capabilities{
		Partial:         true,
		MultipleRefunds: true,
		RejectsExcess:   true,
		Synchronous:     true,
		Repeat:          refund.RepeatRefundsAgain,
		ResolvedBy:      refund.ResolvedByPerson,
		Lists:           refund.ListsNone,
		Currencies:      []string{c.currency},
	})
}

// Refund implements refund.Refunder. Order.ID is the displayOrderId: the order id that the customer sees in the shop,
// which is the one that Instant knows the order by. The refund has no id and no amount, as Instant states neither.
//
// The same key again is refused for 60 seconds (ErrDuplicate) and is a second refund after that: do not repeat a key
// whose outcome is unknown. The refusal leaves the outcome unknown too: if the earlier request had this key, the refund was
// made; only if the key was never sent before, nothing moved.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	op := c.http.Op("refund", refund.Attempt{Request: req})
	native, err := c.native(op)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, op, native)
}

// native checks and converts the request of op.
func (c *Client) native(op *httpx.Op) (*RefundRequest, error) {
	req := &op.Attempt.Request
	if err := c.caps.Check(*req); err != nil {
		return nil, err
	}
	if err := checkOrderID(op, "Order.ID", req.Order.ID); err != nil {
		return nil, err
	}
	if req.Order.InvoiceID != "" {
		return nil, op.Invalid("Order.InvoiceID", "is set; Instant refunds orders, it has no invoices")
	}
	native := &RefundRequest{AmountToRefund: req.Amount, DisplayOrderID: req.Order.ID, StoreCode: c.storeCode}
	if !c.noKey {
		native.IdempotencyKey = wire.UUID(provider, req.IdempotencyKey)
	}
	return native, nil
}

// send sends the request of op, once more if it was sent before.
func (c *Client) send(ctx context.Context, op *httpx.Op, native *RefundRequest) (*refund.Refund, error) {
	answer, err := c.create(ctx, op, native)
	if err != nil {
		var e *refund.Error
		if errors.As(err, &e) && e.Outcome == refund.OutcomeUnknown && e.HTTPStatus != 0 {
			e.Attempt.Answered = true
		}
		return nil, err
	}
	got := common(op)
	got.Raw = answer.Body
	return got, nil
}

// Resolve implements refund.Resolver. Nothing can be read at Instant, so that it leaves the outcome to a person, who
// finds refunds in the dashboard as soon as they are made.
//
// With Config.ResendToResolve, which has the reasoning, and without a.LookOnly it moves money: a request that got no
// response is sent once more, from 15 seconds after its attempt ended until 45 seconds after it began. 200 and
// POSSIBLE_DUPLICATE_REFUND both mean that the refund is there; anything else is an error, whose Attempt will not be sent
// again.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	op := c.http.Op("resolve", a)
	native, err := c.native(op)
	if err != nil {
		return refund.Resolution{}, op.Unresolved(err)
	}
	from, until := a.LastSent.Add(resendFrom), a.FirstSent.Add(resendUntil)
	if a.LastSent.Before(a.FirstSent) { // or not kept
		from = a.FirstSent.Add(resendFrom)
	}
	switch now := time.Now(); {
	case a.LookOnly || !c.resendToResolve || a.Tries > 1 || a.Answered || now.Before(a.FirstSent) || now.After(until) || from.After(until):
		return refund.Resolution{
			Attempt: a, Why: "Instant cannot be asked: look in its dashboard for a refund of " + a.Request.Amount.String() +
				" of order " + a.Request.Order.ID + " (" + dashboard + ", Payments > Transactions)",
		}, nil
	case now.Before(from):
		return refund.Resolution{
			Attempt: a, NotBefore: from, Why: "Instant may still be processing the first request",
		}, nil
	}
	ctx, cancel := context.WithDeadline(ctx, a.FirstSent.Add(resendOver))
	defer cancel()
	op.Attempt.Tries = max(a.Tries, 1)
	got, err := c.send(ctx, op, native)
	switch {
	case err == nil:
		return refund.Resolution{
			Verdict: refund.VerdictApplied, Refund: got, Attempt: a,
			Why: "Instant accepted it when it was sent once more",
		}, nil
	case errors.Is(err, refund.ErrDuplicate): // not HasCode: the code with a status of success contradicts itself
		return refund.Resolution{
			Verdict: refund.VerdictApplied, Refund: common(op), Attempt: a,
			Why: "Instant refused it as a duplicate when it was sent once more, so the first request was registered",
		}, nil
	}
	return refund.Resolution{}, op.Unresolved(err)
}

// common is all that is known of a refund that was carried out.
func common(op *httpx.Op) *refund.Refund {
	req := &op.Attempt.Request
	return &refund.Refund{
		IdempotencyKey: req.IdempotencyKey, Provider: op.Provider, Account: op.Account, Order: req.Order,
		Status: refund.StatusSucceeded, // there are no others: 200 needs no further action
	}
}
