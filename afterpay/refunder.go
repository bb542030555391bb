package afterpay

import (
	"context"
	"errors"
	"iter"
	"net/http"
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
	return c.http.Describe(refund.Capabilities{
		Partial:         true,
		MultipleRefunds: true,
		RejectsExcess:   true,
		Synchronous:     true,
		Repeat:          refund.RepeatSame,
		ResolvedBy:      refund.ResolvedByKey,
		Reads:           true,
		Lists:           refund.ListsByOrder,
		Currencies:      []string{c.currency},
		Window:          window,
		KeyLife:         keyLife,
	})
}

// Refund implements refund.Refunder. Order.ID is Afterpay's order id. The same key is the same refund for as long as
// Afterpay keeps it; a lost response is asked for again with the same key.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	op := c.http.Op("refund", refund.Attempt{Request: req})
	native, err := c.native(op)
	if err != nil {
		return nil, err
	}
	late := !req.PurchasedAt.IsZero() && time.Since(req.PurchasedAt) > window
	if late && c.enforceWindow {
		return nil, op.NotSent(refund.ErrWindowExpired, "PurchasedAt", "is more than 120 days ago; Afterpay does not refund later")
	}
	got, err := c.send(ctx, op, native)
	if err == nil && late {
		got.Warnings = append(got.Warnings, "Afterpay documents that it refunds within 120 days of the purchase; this refund is later")
	}
	return got, err
}

// native checks and converts the request of op.
func (c *Client) native(op *httpx.Op) (*RefundRequest, error) {
	req := &op.Attempt.Request
	if err := c.caps.Check(*req); err != nil {
		return nil, err
	}
	if err := checkOrder(op, req.Order); err != nil {
		return nil, err
	}
	return &RefundRequest{
		RequestID:               requestID(req.IdempotencyKey),
		MerchantReference:       req.IdempotencyKey,
		RefundMerchantReference: req.IdempotencyKey,
		Amount:                  req.Amount,
	}, nil
}

// requestID derives Afterpay's requestId from the key.
func requestID(key string) string { return wire.UUID(provider, key) }

// send sends the request of op, once more if it was sent before.
func (c *Client) send(ctx context.Context, op *httpx.Op, native *RefundRequest) (*refund.Refund, error) {
	req := &op.Attempt.Request
	answer, res, err := c.create(ctx, op, req.Order.ID, native)
	if err != nil {
		return nil, err
	}
	got := common(op, req.Order, string(answer.RefundID), answer.RefundedAt)
	got.IdempotencyKey, got.Raw = req.IdempotencyKey, res.Body
	if answer.Amount != nil {
		got.Amount = req.Amount // compared by create
	}
	return got, nil
}

// look implements decide.Look: it searches the payment for the key.
func (c *Client) look(ctx context.Context, op *httpx.Op) (seen decide.Sighting, err error) {
	req := &op.Attempt.Request
	if _, err := c.native(op); err != nil {
		return seen, err
	}
	p, _, err := c.payment(ctx, op, req.Order.ID)
	if err != nil {
		return seen, err
	}
	if p.Refunds == nil {
		seen.Doubt = "the payment shows no list of refunds, which is not an empty one"
	}
	id, voids := requestID(req.IdempotencyKey), p.voids()
	for i := range p.Refunds {
		r := &p.Refunds[i]
		amount := r.Amount.Common()
		switch {
		case r.MerchantReference != req.IdempotencyKey && r.RequestID != id:
			// Whether the payment shows the references of every refund is specified, but was never seen.
			if !voids[r.RefundID] {
				seen.Others = append(seen.Others, decide.Other{
					Refund: shown(op, req.Order, r), Marked: r.MerchantReference != "" || r.RequestID != "",
				})
			}
		case r.RequestID != "" && r.RequestID != id, r.MerchantReference != "" && r.MerchantReference != req.IdempotencyKey:
			seen.Clash = "the payment shows a refund whose reference is of one key and whose requestId is of another"
		case r.Amount != nil && amount == refund.Money{}:
			seen.Clash = "the payment shows a refund with the key, of an amount that cannot be read"
		case r.Amount != nil && amount != req.Amount:
			seen.Clash = "the payment shows a refund of another amount with the key"
		default:
			got := shown(op, req.Order, r)
			got.IdempotencyKey = req.IdempotencyKey
			seen.Found(got)
		}
	}
	return seen, nil
}

// GetRefund implements refund.Getter. Afterpay has no endpoint for a refund: it is read from its payment.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	op := c.http.Op("get refund", refund.Attempt{})
	if err := checkOrder(op, ref.Order); err != nil {
		return nil, err
	}
	if ref.ID == "" {
		return nil, op.Invalid("ID", "is empty; it is the refundId of the refund")
	}
	p, err := c.refunds(ctx, op, ref.Order.ID)
	if err != nil {
		return nil, err
	}
	for i := range p.Refunds {
		if p.Refunds[i].RefundID == ref.ID {
			return shown(op, ref.Order, &p.Refunds[i]), nil
		}
	}
	return nil, op.Absent("the payment shows no such refund; a new one may take some seconds to appear")
}

// Refunds implements refund.Lister, for one order: q.Order.ID is required. Voids, which stand in the same list at
// Afterpay, are left out.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	op := c.http.Op("list refunds", refund.Attempt{})
	if err := checkOrder(op, q.Order); err != nil {
		return httpx.Failed[*refund.Refund](err)
	}
	return httpx.Select(q, httpx.Items(func() ([]*refund.Refund, error) {
		p, err := c.refunds(ctx, op, q.Order.ID)
		if err != nil {
			return nil, err
		}
		var refunds []*refund.Refund
		voids := p.voids()
		for i := range p.Refunds {
			if r := &p.Refunds[i]; !voids[r.RefundID] {
				refunds = append(refunds, shown(op, q.Order, r))
			}
		}
		return refunds, nil
	}))
}

// Resolve implements refund.Resolver. While Afterpay keeps the key, the same request is sent again: the response is the
// original's, or the refund is made now. After that, and when the repeat is refused, the payment is read and searched
// for the key; with a.LookOnly at once. While Afterpay is still processing the refund, the error is ErrInFlight.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	op := c.http.Op("resolve", a)
	if age := time.Since(a.FirstSent); a.LookOnly || a.FirstSent.IsZero() || age < 0 || age > keyLife-keyMargin {
		return decide.Resolve(ctx, op, c.look)
	}
	op.Attempt.Tries = max(a.Tries, 1)
	native, err := c.native(op)
	if err != nil {
		return refund.Resolution{}, op.Unresolved(err)
	}
	got, err := c.send(ctx, op, native)
	if err == nil {
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Attempt: a, Why: "Afterpay answered the same key with the refund"}, nil
	}
	var e *refund.Error
	errors.As(err, &e)
	switch {
	case e.HTTPStatus/100 == 2, e.HTTPStatus == http.StatusNotFound, // a success that does not show this refund
		e.HTTPStatus == http.StatusPreconditionFailed, e.HTTPStatus == http.StatusUnprocessableEntity:
		op.Attempt = e.Attempt
		return decide.Resolve(ctx, op, c.look)
	}
	return refund.Resolution{}, op.Unresolved(err) // also while Afterpay is still processing it: its Attempt is younger than a
}

// shown converts a refund that a payment shows. Others refund the same orders: a merchantReference that no key of this
// module can be, or that goes with another requestId, is none.
func shown(op *httpx.Op, order refund.Order, r *Refund) *refund.Refund {
	got := common(op, order, r.RefundID, r.RefundedAt)
	got.Amount = r.Amount.Common()
	if isKey(r.MerchantReference) && (r.RequestID == "" || r.RequestID == requestID(r.MerchantReference)) {
		got.IdempotencyKey = r.MerchantReference
	}
	return got
}

// common makes a refund of the common language, without key and amount.
func common(op *httpx.Op, order refund.Order, id string, refundedAt Time) *refund.Refund {
	return &refund.Refund{
		ID: id, Provider: op.Provider, Account: op.Account, Order: order,
		Status:    refund.StatusSucceeded, // there are no others: 201 means that it was carried out
		CreatedAt: refundedAt.Time,
	}
}

// isKey reports whether s has the form of an idempotency key, see refund.Request.
func isKey(s string) bool {
	if s == "" || len(s) > refund.MaxKeyLength {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}
