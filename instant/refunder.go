package instant

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/keyid"
	"github.com/multirefund/refund-go/refund"
)

const (
	opRefund = "refund"

	// dashboard shows refunds at once, under Payments > Transactions (refunds page, "Processing refunds").
	dashboard = "https://checkout.instant.one/seller"

	// Assumptions, see the package comment.
	maxOrderID = 64
	maxKey     = 64

	// When a refund may be sent once more, counted from the first time: the guard lasts 60 seconds (refunds page).
	resendFrom  = 15 * time.Second // the first one is registered by then
	resendUntil = 45 * time.Second
	resendOver  = 50 * time.Second // not a byte later
)

// answered is the Attempt.Baseline of a request that Instant, or something in front of it, answered: the outcome is
// unknown, and will not be known from a second request.
const answered refund.Baseline = "answered"

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

func capabilities(currency string) refund.Capabilities {
	return refund.Capabilities{
		Provider:       provider,
		Partial:        true,
		Several:        true,
		Capped:         true,
		Synchronous:    true,
		Repeat:         refund.RepeatRefundsAgain,
		Resolve:        refund.ResolveByHand,
		Currencies:     []string{currency},
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
	}
}

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities { return c.caps }

// Refund implements refund.Refunder. Order.ID is the displayOrderId: the order id that the customer sees in the shop,
// which is the one that Instant knows the order by. The refund has no id and no amount, as Instant states neither.
//
// The same key again is refused for 60 seconds (ErrDuplicate) and is a second refund after that: do not repeat a key
// whose outcome is unknown. The refusal leaves the outcome unknown too: if the earlier request had this key, the refund was
// made; only if the key was never sent before, nothing moved.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if err := c.check(req); err != nil {
		return nil, err
	}
	return c.refund(ctx, refund.Attempt{Request: req})
}

// refund sends the request of a, once more if a was sent before.
func (c *Client) refund(ctx context.Context, a refund.Attempt) (*refund.Refund, error) {
	req := &a.Request
	key := ""
	if !c.noKey {
		key = keyid.UUID(provider, req.IdempotencyKey)
	}
	res, err := c.refundOrder(ctx, &wireRefund{
		AmountToRefund: json.Number(req.Amount.Amount()), DisplayOrderID: req.Order.ID, StoreCode: c.storeCode,
	}, key, a)
	if err != nil {
		var e *refund.Error
		if errors.As(err, &e) && e.Outcome == refund.OutcomeUnknown && e.HTTPStatus != 0 {
			e.Attempt.Baseline = answered
		}
		return nil, err
	}
	got := common(req)
	got.Raw = res.Body
	return got, nil
}

func (c *Client) check(req refund.Request) error {
	if err := c.caps.Check(req); err != nil {
		return err
	}
	return checkOrderID("Order.ID", req.Order.ID)
}

// checkOrderID refuses what no shop shows to a customer. Which ids there are is not documented.
func checkOrderID(field, id string) error {
	if id == "" {
		return httpx.Invalid(provider, opRefund, field, "is empty; it is the order id that the customer sees (displayOrderId)")
	}
	if len(id) > maxOrderID {
		return httpx.Invalid(provider, opRefund, field, "has "+strconv.Itoa(len(id))+" characters; "+strconv.Itoa(maxOrderID)+" are allowed")
	}
	if !httpx.Word(id) || strings.ContainsAny(id, `/\?%`) || id == "." || id == ".." {
		return httpx.Invalid(provider, opRefund, field, `is no order id; allowed is visible ASCII without spaces and / \ ? %, but not . and .. alone`)
	}
	return nil
}

func (c *Client) checkRefund(r *RefundRequest) (refund.Money, error) {
	bad := func(field, problem string) error { return httpx.Invalid(provider, opRefund, field, problem) }
	if err := checkOrderID("DisplayOrderID", r.DisplayOrderID); err != nil {
		return refund.Money{}, err
	}
	if !httpx.Word(r.StoreCode) {
		return refund.Money{}, bad("StoreCode", "has a space or a character that is not visible ASCII; Instant issues it")
	}
	if r.IdempotencyKey != "" && !httpx.Word(r.IdempotencyKey) || len(r.IdempotencyKey) > maxKey {
		return refund.Money{}, bad("IdempotencyKey", "must be visible ASCII, "+strconv.Itoa(maxKey)+" characters at the most; it goes into a header")
	}
	amount, err := refund.MoneyFromDecimal(r.AmountToRefund, c.currency)
	if err != nil {
		return refund.Money{}, bad("AmountToRefund", httpx.Problem(err))
	}
	if amount.Sign() <= 0 {
		return refund.Money{}, bad("AmountToRefund", "is "+amount.String()+"; it must be greater than zero")
	}
	return amount, nil
}

// common is all that is known of a refund that was carried out.
func common(req *refund.Request) *refund.Refund {
	return &refund.Refund{
		IdempotencyKey: req.IdempotencyKey, Provider: provider, Order: req.Order,
		Status: refund.StatusSucceeded, // there are no others: 200 needs no further action
	}
}

// Resolve implements refund.Resolver. Nothing can be read at Instant, so that it leaves the outcome to a person, who
// finds refunds in the dashboard as soon as they are made.
//
// With Config.ResendToResolve, which has the reasoning, a request that was never answered is sent once more, 15 to 45
// seconds after the first time. 200 and POSSIBLE_DUPLICATE_REFUND both mean that the refund is there; anything else is an
// error, whose Attempt will not be sent again.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	if err := c.check(a.Request); err != nil {
		return refund.Resolution{}, err
	}
	age := time.Since(a.FirstSent)
	if !c.resendToResolve || a.Tries > 1 || a.Baseline == answered || age < 0 || age > resendUntil {
		return refund.Resolution{Why: "Instant cannot be asked: look in its dashboard for a refund of " + a.Request.Amount.String() +
			" of order " + a.Request.Order.ID + " (" + dashboard + ", Payments > Transactions)"}, nil
	}
	if age < resendFrom {
		return refund.Resolution{NotBefore: a.FirstSent.Add(resendFrom), Why: "Instant may still be processing the first request"}, nil
	}
	ctx, cancel := context.WithDeadline(ctx, a.FirstSent.Add(resendOver))
	defer cancel()
	a.Tries = max(a.Tries, 1)
	got, err := c.refund(ctx, a)
	switch {
	case err == nil:
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Why: "Instant accepted it when it was sent once more"}, nil
	case HasCode(err, CodePossibleDuplicateRefund):
		return refund.Resolution{
			Verdict: refund.VerdictApplied, Refund: common(&a.Request),
			Why: "Instant refused it as a duplicate when it was sent once more, so the first request was registered",
		}, nil
	}
	return refund.Resolution{}, err
}
