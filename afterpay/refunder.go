package afterpay

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/keyid"
	"github.com/multirefund/refund-go/refund"
)

const (
	opRefund = "refund"

	window  = 120 * 24 * time.Hour // Create Refund page
	keyLife = 24 * time.Hour       // the shorter of two documented figures (idempotent-requests page)

	// Assumptions, see the package comment.
	keyMargin  = time.Hour
	readLag    = 5 * time.Minute
	maxOrderID = 64

	maxReference       = 64  // refund object page; 85 elsewhere
	maxRefundReference = 128 // Create Refund page
)

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Getter   = (*Client)(nil)
	_ refund.Lister   = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

func capabilities(currency string) refund.Capabilities {
	return refund.Capabilities{
		Provider:    provider,
		Partial:     true,
		Several:     true,
		Capped:      true,
		Synchronous: true,
		Repeat:      refund.RepeatSame,
		Resolve:     refund.ResolveExact,
		Currencies:  []string{currency},
		Window:      window,
		KeyLife:     keyLife,
		ReadLag:     readLag,
		Lengths: map[string]int{
			"requestId": maxReference, "merchantReference": maxReference, "refundMerchantReference": maxRefundReference,
		},
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
	}
}

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities { return c.caps }

// Refund implements refund.Refunder. Order.ID is Afterpay's order id. The same key is the same refund for as long as
// Afterpay keeps it; a lost answer is asked for again with the same key.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	late, err := c.check(req)
	if err != nil {
		return nil, err
	}
	got, err := c.refund(ctx, refund.Attempt{Request: req})
	if err == nil && late {
		got.Warnings = append(got.Warnings, "Afterpay documents that it refunds within 120 days of the purchase; this refund is later")
	}
	return got, err
}

// refund sends the request of a, once more if a was sent before.
func (c *Client) refund(ctx context.Context, a refund.Attempt) (*refund.Refund, error) {
	req := &a.Request
	native := RefundRequest{
		RequestID:               requestID(req.IdempotencyKey),
		MerchantReference:       req.IdempotencyKey,
		RefundMerchantReference: req.IdempotencyKey,
		Amount:                  MoneyOf(req.Amount),
	}
	answer, res, err := c.createRefund(ctx, req.Order.ID, &native, a)
	if err != nil {
		return nil, err
	}
	got := common(req.Order, answer)
	got.IdempotencyKey = req.IdempotencyKey
	got.Raw = res.Body
	if answer.Amount != nil && got.Amount != req.Amount {
		return nil, conflict(res, "Afterpay answers with a refund of another amount, "+got.Amount.String()+
			": this key was used for it before")
	}
	return got, nil
}

// conflict is the answer to a key that names another refund.
func conflict(res *httpx.Result, problem string) error {
	e := res.Unreadable(problem)
	e.Kind = refund.KindConflict
	return e
}

func (c *Client) check(req refund.Request) (late bool, err error) {
	if err := c.caps.Check(req); err != nil {
		return false, err
	}
	if err := checkOrderID(opRefund, req.Order.ID); err != nil {
		return false, err
	}
	late = !req.Order.PurchasedAt.IsZero() && time.Since(req.Order.PurchasedAt) > window
	if late && c.enforceWindow {
		return true, &refund.Error{
			Provider: provider, Op: opRefund, Kind: refund.KindWindowExpired, Outcome: refund.OutcomeNotSent,
			Field: "Order.PurchasedAt", IdempotencyKey: req.IdempotencyKey,
			Message: "is more than 120 days ago; Afterpay does not refund later",
		}
	}
	return late, nil
}

func checkOrderID(op, id string) error {
	if id == "" {
		return httpx.Invalid(provider, op, "Order.ID", "is empty; it is the id of the payment at Afterpay")
	}
	if len(id) > maxOrderID {
		return httpx.Invalid(provider, op, "Order.ID", "has "+strconv.Itoa(len(id))+" characters; Afterpay's ids are digits, "+strconv.Itoa(maxOrderID)+" at the most")
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' { // as afterpay/sdk-php checks
			return httpx.Invalid(provider, op, "Order.ID", "has a character at position "+strconv.Itoa(i)+" that is no digit; Afterpay's ids are digits only")
		}
	}
	return nil
}

func checkRefund(orderID string, r *RefundRequest) error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, opRefund, field, problem) }
	if err := checkOrderID(opRefund, orderID); err != nil {
		return err
	}
	for _, f := range []struct {
		name, value string
		limit       int
		required    bool
	}{
		{"RequestID", r.RequestID, maxReference, true},
		{"MerchantReference", r.MerchantReference, maxReference, true},
		{"RefundMerchantReference", r.RefundMerchantReference, maxRefundReference, false},
	} {
		if f.required && f.value == "" {
			return bad(f.name, "is empty; requestId and merchantReference make the refund idempotent, but only together")
		}
		if len(f.value) > f.limit {
			return bad(f.name, "has "+strconv.Itoa(len(f.value))+" characters; "+strconv.Itoa(f.limit)+" are allowed")
		}
	}
	amount, err := refund.MoneyFromDecimal(r.Amount.Amount, r.Amount.Currency)
	if err != nil {
		return bad("Amount", httpx.Problem(err))
	}
	if amount.Sign() <= 0 {
		return bad("Amount", "is "+amount.String()+"; it must be greater than zero")
	}
	return nil
}

// requestID derives Afterpay's requestId from the key.
func requestID(key string) string { return keyid.UUID(provider, key) }

// common converts an entry of an order.
func common(order refund.Order, r *Refund) *refund.Refund {
	return &refund.Refund{
		ID: r.RefundID, IdempotencyKey: r.MerchantReference, Provider: provider, Order: order,
		Amount:    r.Amount.common(),
		Status:    refund.StatusSucceeded, // there are no others: 201 means that it was carried out
		CreatedAt: r.RefundedAt.Time,
	}
}

// GetRefund implements refund.Getter. Afterpay has no endpoint for a refund: it is read from its payment.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	const op = "get refund"
	if err := checkOrderID(op, ref.Order.ID); err != nil {
		return nil, err
	}
	if ref.ID == "" {
		return nil, httpx.Invalid(provider, op, "ID", "is empty; it is the refundId of the refund")
	}
	p, err := c.payment(ctx, op, ref.Order.ID)
	if err != nil {
		return nil, err
	}
	for i := range p.Refunds {
		if p.Refunds[i].RefundID == ref.ID {
			return common(ref.Order, &p.Refunds[i]), nil
		}
	}
	return nil, &refund.Error{
		Provider: provider, Op: op, Kind: refund.KindOrderNotFound, Outcome: refund.OutcomeRejected,
		Message: "the payment shows no such refund; a new one may take some seconds to appear",
	}
}

// Refunds implements refund.Lister, for one order: q.Order.ID is required. Voids, which stand in the same list at
// Afterpay, are left out.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	const op = "list refunds"
	return func(yield func(*refund.Refund, error) bool) {
		if err := checkOrderID(op, q.Order.ID); err != nil {
			yield(nil, err)
			return
		}
		p, err := c.payment(ctx, op, q.Order.ID)
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range p.Refunds {
			got := common(q.Order, &p.Refunds[i])
			if !p.voided(&p.Refunds[i]) && q.Selects(got) && !yield(got, nil) {
				return
			}
		}
	}
}

// voided reports whether an entry was made by a void: its id is then that of the VOIDED event (recorded by
// solidus_afterpay).
func (p *Payment) voided(r *Refund) bool {
	for i := range p.Events {
		if p.Events[i].Type == EventVoided && p.Events[i].ID == r.RefundID {
			return true
		}
	}
	return false
}

// Resolve implements refund.Resolver. While Afterpay keeps the key, the same request is sent again: the answer is the
// original's, or the refund is made now. After that, and when the repeat is refused, the payment is read and searched
// for the key. While Afterpay is still processing the refund, the error is ErrInFlight.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	if _, err := c.check(a.Request); err != nil && !errors.Is(err, refund.ErrWindowExpired) {
		return refund.Resolution{}, err
	}
	if a.FirstSent.IsZero() || time.Since(a.FirstSent) > keyLife-keyMargin {
		return c.search(ctx, a)
	}
	a.Tries = max(a.Tries, 1)
	got, err := c.refund(ctx, a)
	if err == nil {
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Why: "Afterpay answered the same key with the refund"}, nil
	}
	var e *refund.Error
	errors.As(err, &e)
	switch {
	case e.Kind == refund.KindConflict, e.HTTPStatus == http.StatusNotFound,
		e.HTTPStatus == http.StatusPreconditionFailed, e.HTTPStatus == http.StatusUnprocessableEntity:
		return c.search(ctx, a)
	}
	return refund.Resolution{}, err // also while Afterpay is still processing it: its Attempt is younger than a
}

// search looks for the refund in the payment.
func (c *Client) search(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	p, err := c.payment(ctx, "resolve", a.Request.Order.ID)
	if err != nil && !errors.Is(err, refund.ErrOrderNotFound) {
		return refund.Resolution{}, err
	}
	if p == nil {
		p = &Payment{}
	}
	unmarked := false
	for i := range p.Refunds {
		r := &p.Refunds[i]
		if r.MerchantReference == a.Request.IdempotencyKey || r.RequestID == requestID(a.Request.IdempotencyKey) {
			got := common(a.Request.Order, r)
			got.IdempotencyKey = a.Request.IdempotencyKey
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Why: "the payment shows a refund with the key"}, nil
		}
		// Whether the payment shows the references of every refund is specified, but was never seen: one without
		// them could be this one.
		unmarked = unmarked || r.MerchantReference == "" && r.RequestID == "" && r.Amount.common() == a.Request.Amount && !p.voided(r)
	}
	if until := a.LastSent.Add(readLag); time.Now().Before(until) {
		return refund.Resolution{NotBefore: until, Why: "the payment does not show it, but reads lag behind writes"}, nil
	}
	if unmarked {
		return refund.Resolution{Why: "the payment shows a refund of this amount without any reference: it may be this one"}, nil
	}
	return refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "the payment does not show it"}, nil
}
