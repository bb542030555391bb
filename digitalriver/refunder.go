package digitalriver

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const (
	opRefund = "refund"

	keyMember = "idempotency_key" // of the metadata: what a refund is found by
	rateLimit = 250               // a second, per live key; test keys have 25 (rate limiting page)

	// Assumptions, see the package comment.
	maxID     = 128
	readLag   = 5 * time.Minute
	clockSkew = time.Hour
	// giveUp is how long a refund that hides from the list is waited for.
	giveUp = 24 * time.Hour
)

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Getter   = (*Client)(nil)
	_ refund.Lister   = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

func capabilities(noLookup bool) refund.Capabilities {
	repeat := refund.RepeatFound
	if noLookup {
		repeat = refund.RepeatRefundsAgain
	}
	return refund.Capabilities{
		Provider: provider,
		Partial:  true,
		Several:  true,
		Capped:   true,
		Repeat:   repeat,
		Resolve:  refund.ResolveByMarker,
		Parts: []refund.Part{
			refund.PartShipping, refund.PartTax, refund.PartDuty, refund.PartImporterTax,
			refund.PartFee, // of a line only
		},
		Lines:          true,
		Reason:         true,
		Metadata:       true,
		ReadLag:        readLag,
		Lengths:        map[string]int{"reason": maxReason, "metadata": maxValue},
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
		RateLimit:      rateLimit,
	}
}

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities { return c.caps }

// Refund implements refund.Refunder. Order.ID is Digital River's order id; with Config.NoLookup an Order.InvoiceID without
// it refunds an invoice. Line is the id of an item. Reason has 64 characters at the most, Metadata 19 pairs; longer ones
// are refused, not cut.
//
// It first looks for a refund with the key, and returns the one it finds, a failed one too. The refund that it makes is
// pending, or needs action.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	native, err := c.native(&req)
	if err != nil {
		return nil, err
	}
	if native.OrderID == "" && !c.noLookup {
		return nil, httpx.Invalid(provider, opRefund, "Order.InvoiceID", "is set without ID; refunds cannot be looked up by invoice: set Config.NoLookup, and use a journal")
	}
	a := refund.Attempt{Request: req}
	if !c.noLookup {
		got, err := c.lookUp(ctx, a, native)
		if got != nil || err != nil {
			return got, err
		}
	}
	answer, res, err := c.createRefund(ctx, native, a)
	if err != nil {
		return nil, err
	}
	got := common(req.Order, answer)
	got.IdempotencyKey, got.Raw = req.IdempotencyKey, res.Body
	if answer.states() && got.Amount != req.Amount {
		e := res.Unreadable("Digital River answers with a refund of another amount, " + got.Amount.String())
		e.Kind = refund.KindConflict
		return nil, e
	}
	return got, nil
}

// native checks and converts a request.
func (c *Client) native(req *refund.Request) (*RefundRequest, error) {
	if err := c.caps.Check(*req); err != nil {
		return nil, err
	}
	bad := func(field, problem string) error {
		e := httpx.Invalid(provider, opRefund, field, problem)
		e.IdempotencyKey = req.IdempotencyKey
		return e
	}
	field, id := "Order.ID", ID(req.Order.ID)
	if id == "" {
		field, id = "Order.InvoiceID", ID(req.Order.InvoiceID)
	} else if req.Order.InvoiceID != "" {
		return nil, bad("Order.InvoiceID", "is set beside ID; a refund is of an order or of an invoice: set one of them")
	}
	if id == "" {
		return nil, bad("Order.ID", "is empty; it is the order's id at Digital River")
	}
	if err := checkID(opRefund, field, id); err != nil {
		return nil, bad(field, httpx.Problem(err))
	}
	if _, taken := req.Metadata[keyMember]; taken {
		return nil, bad("Metadata", "has the member "+keyMember+", which carries the key")
	}
	typ, ok := refundType(req.Part, req.Line != "")
	if !ok {
		return nil, bad("Part", "is "+strconv.Quote(string(req.Part))+"; of a line its shipping, fee or duty can be refunded, of an order its shipping, tax, duty or importer_tax")
	}
	native := &RefundRequest{
		OrderID: ID(req.Order.ID), InvoiceID: ID(req.Order.InvoiceID), Currency: req.Amount.Currency(), Reason: req.Reason,
		Metadata: Metadata{keyMember: req.IdempotencyKey},
	}
	if req.Line == "" {
		native.Amount, native.Type = NumberOf(req.Amount), typ
	} else {
		if err := checkID(opRefund, "Line", ID(req.Line)); err != nil {
			return nil, bad("Line", httpx.Problem(err))
		}
		native.Items = []ItemRequest{{ItemID: ID(req.Line), Amount: NumberOf(req.Amount), Type: typ}}
	}
	for name, value := range req.Metadata {
		native.Metadata[name] = value
	}
	if len(native.Metadata) > maxPairs {
		return nil, bad("Metadata", "has "+strconv.Itoa(len(req.Metadata))+" pairs; 19 are allowed, and the key is the twentieth")
	}
	if problem := native.Metadata.problem(); problem != "" {
		return nil, bad("Metadata", problem)
	}
	if n := utf8.RuneCountInString(req.Reason); n > maxReason {
		return nil, bad("Reason", "has "+strconv.Itoa(n)+" characters; 64 are allowed")
	}
	return native, nil
}

// refundType translates a part; ok is false if there is none like it.
func refundType(part refund.Part, ofLine bool) (typ RefundType, ok bool) {
	switch part {
	case refund.PartOrder:
		return "", true
	case refund.PartShipping:
		return TypeShipping, true
	case refund.PartDuty:
		return TypeDuty, true
	case refund.PartTax:
		return TypeTax, !ofLine
	case refund.PartImporterTax:
		return TypeImporterTax, !ofLine
	case refund.PartFee:
		return TypeFees, ofLine
	default:
		return "", false
	}
}

// lookUp looks for a refund with the key before anything is sent; nil if there is none.
func (c *Client) lookUp(ctx context.Context, a refund.Attempt, native *RefundRequest) (*refund.Refund, error) {
	req := &a.Request
	seen, err := c.survey(ctx, opRefund, a)
	if err != nil {
		var e *refund.Error
		if errors.As(err, &e) {
			e.Outcome, e.IdempotencyKey = refund.OutcomeNotSent, req.IdempotencyKey
			e.Message = "looking for the key before paying: " + e.Message
		}
		return nil, err
	}
	if seen.marked == nil {
		return nil, nil
	}
	got := common(req.Order, seen.marked)
	got.IdempotencyKey = req.IdempotencyKey
	if seen.several {
		got.Warnings = append(got.Warnings, "several refunds carry this key")
	}
	if other := native.differs(seen.marked); other != "" {
		return nil, &refund.Error{
			Provider: provider, Op: opRefund, Kind: refund.KindConflict, Outcome: refund.OutcomeNotSent,
			Field: "IdempotencyKey", IdempotencyKey: req.IdempotencyKey,
			Message: "was used before, for refund " + got.ID + " of another " + other + "; a new refund needs a new key",
		}
	}
	return got, nil
}

// survey is what the refunds of an order say about a key.
type survey struct {
	marked  *Refund // carries it; one that has not failed, if there are several
	several bool
	taken   refund.Money // by all refunds that have not failed; the zero Money if one of them does not say
}

func (c *Client) survey(ctx context.Context, op string, a refund.Attempt) (survey, error) {
	f := RefundFilter{OrderID: ID(a.Request.Order.ID)}
	if f.OrderID == "" && !a.FirstSent.IsZero() { // of an invoice, which there is no filter for
		f.CreatedTime.Gte = a.FirstSent.Add(-clockSkew)
	}
	var s survey
	s.taken, _ = a.Request.Amount.Sub(a.Request.Amount) //nolint:errcheck // zero, in its own currency
	for r, err := range c.listRefunds(ctx, op, f, a) {
		if err != nil {
			return s, err
		}
		over := r.State == StateFailed || r.State == StateExpired
		if r.key() == a.Request.IdempotencyKey {
			s.several = s.marked != nil
			if s.marked == nil || !over {
				s.marked = r
			}
		}
		if !over {
			amount := r.Refunded()
			if r.State != StateSucceeded || amount.IsZero() {
				amount = r.Requested()
			}
			s.taken, _ = s.taken.Add(amount) //nolint:errcheck // the zero Money then
		}
	}
	return s, nil
}

// key is the idempotency key that a refund carries; "" if it was made without one. All digits may come back as a number.
func (r *Refund) key() string {
	switch v := r.Metadata[keyMember].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// differs says in what a refund is another one than req asks for; "" if in nothing that it states.
func (req *RefundRequest) differs(r *Refund) string {
	other := func(asked, found ID) bool { return asked != "" && found != "" && asked != found }
	wanted, ofItem := req.Amount, len(req.Items) > 0
	if ofItem {
		wanted = req.Items[0].Amount
	}
	switch {
	case other(req.OrderID, r.OrderID) || other(req.InvoiceID, r.InvoiceID):
		return "order"
	case r.states() && r.Requested() != wanted.money(req.Currency):
		return "amount"
	case ofItem && len(r.Items) > 0:
		if item := &r.Items[0]; len(r.Items) > 1 || other(req.Items[0].ItemID, item.ItemID) || req.Items[0].Type != item.Type {
			return "line or part"
		}
	// Whether the refund of an order lists items is not documented; that of an item states no amount of its own.
	case ofItem != (r.Amount == nil) && r.states(), !ofItem && req.Type != r.Type:
		return "line or part"
	}
	return ""
}

// common converts a refund of an order; the zero Order means the one that the refund names.
func common(order refund.Order, r *Refund) *refund.Refund {
	if order == (refund.Order{}) {
		if order.ID = string(r.OrderID); order.ID == "" {
			order.InvoiceID = string(r.InvoiceID)
		}
	}
	got := &refund.Refund{
		ID: string(r.ID), IdempotencyKey: r.key(), Provider: provider, Order: order,
		Amount:         r.Requested(),
		Status:         status(r.State),
		ProviderStatus: string(r.State),
		CreatedAt:      r.CreatedTime.Time,
		ExpiresAt:      r.ExpiresTime.Time,
		FailureReason:  r.FailureReason,
	}
	if got.ExpiresAt.IsZero() && r.TokenInformation != nil {
		got.ExpiresAt = r.TokenInformation.ExpiresTime.Time
	}
	return got
}

func status(s State) refund.Status {
	switch s {
	case StatePending:
		return refund.StatusPending
	case StatePendingInformation:
		return refund.StatusNeedsAction
	case StateSucceeded:
		return refund.StatusSucceeded
	case StateFailed:
		return refund.StatusFailed
	case StateExpired:
		return refund.StatusExpired
	}
	return ""
}

// GetRefund implements refund.Getter. ref.Order may be empty; if it is not, the refund has to be of that order.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	const op = "get refund"
	r, res, err := c.retrieveRefund(ctx, op, ID(ref.ID))
	if err != nil {
		return nil, err
	}
	if asked := (&RefundRequest{OrderID: ID(ref.Order.ID), InvoiceID: ID(ref.Order.InvoiceID)}); asked.differs(r) == "order" {
		return nil, &refund.Error{
			Provider: provider, Op: op, Kind: refund.KindOrderNotFound, Outcome: refund.OutcomeRejected,
			Message: "the refund is of another order",
		}
	}
	got := common(ref.Order, r)
	got.Raw = res.Body
	return got, nil
}

// Refunds implements refund.Lister, newest first. Without q.Order.ID it lists the refunds of all orders.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	const op = "list refunds"
	f := RefundFilter{OrderID: ID(q.Order.ID)}
	f.CreatedTime.Gte, f.CreatedTime.Lt = q.Since.Truncate(time.Millisecond), roundUp(q.Until)
	var wrong error
	if f.OrderID == "" && q.Order != (refund.Order{}) || q.Order.InvoiceID != "" {
		wrong = httpx.Invalid(provider, op, "Order", "has another id than ID; Digital River lists by no other")
	}
	for _, s := range []State{StatePending, StatePendingInformation, StateSucceeded, StateFailed, StateExpired} {
		if q.Status == status(s) {
			f.State = s
		}
	}
	if q.Status != "" && f.State == "" {
		wrong = httpx.Invalid(provider, op, "Status", "is "+strconv.Quote(string(q.Status))+"; Digital River has pending, needs_action, succeeded, failed and expired")
	}
	return func(yield func(*refund.Refund, error) bool) {
		if wrong != nil {
			yield(nil, wrong)
			return
		}
		for r, err := range c.ListRefunds(ctx, f) {
			if err != nil {
				yield(nil, err)
				return
			}
			if created := r.CreatedTime.Time; !created.IsZero() &&
				(created.Before(q.Since) || !q.Until.IsZero() && !created.Before(q.Until)) {
				continue
			}
			if !yield(common(q.Order, r), nil) {
				return
			}
		}
	}
}

// roundUp returns the next whole millisecond, which is how exact a date is sent.
func roundUp(t time.Time) time.Time {
	if rest := t.Sub(t.Truncate(time.Millisecond)); rest > 0 {
		return t.Add(time.Millisecond - rest)
	}
	return t
}

// Resolve implements refund.Resolver. It looks for the key in two listings of the order's refunds. That both show none
// counts 5 minutes after the refund was last sent, unless the order has less left than the listed refunds explain: then
// one may be hidden, and this one may be it.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	native, err := c.native(&a.Request)
	if err != nil {
		return refund.Resolution{}, err
	}
	for range 2 {
		seen, err := c.survey(ctx, "resolve", a)
		if err != nil {
			return refund.Resolution{}, err
		}
		if seen.marked != nil {
			if other := native.differs(seen.marked); other != "" {
				return refund.Resolution{Why: "a refund of another " + other + " carries the key: it was used twice"}, nil
			}
			return refund.Resolution{
				Verdict: refund.VerdictApplied, Refund: common(a.Request.Order, seen.marked), Why: "a refund carries the key",
			}, nil
		}
		if until := a.LastSent.Add(readLag); time.Now().Before(until) {
			return refund.Resolution{NotBefore: until, Why: "no refund carries the key, but the list may lag behind"}, nil
		}
		hidden, err := c.hidden(ctx, a, seen.taken)
		if err != nil {
			return refund.Resolution{}, err
		}
		if hidden {
			got := refund.Resolution{Why: "no refund carries the key, but the order has less left than its refunds explain"}
			if again := time.Now().Add(readLag); again.Before(a.LastSent.Add(giveUp)) {
				got.NotBefore = again
			}
			return got, nil
		}
	}
	return refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "no refund carries the key"}, nil
}

// hidden reports whether the order has given away more than taken, so much more that the refund of a could be in it.
// Where the provider does not say enough to tell, it is false. Available amounts count pending refunds (issuing refunds
// page).
func (c *Client) hidden(ctx context.Context, a refund.Attempt, taken refund.Money) (bool, error) {
	if a.Request.Order.ID == "" || taken.IsZero() {
		return false, nil
	}
	o, err := c.order(ctx, "resolve", ID(a.Request.Order.ID), a)
	if errors.Is(err, refund.ErrOrderNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	gone, err := o.CapturedAmount.money(o.Currency).Sub(o.AvailableToRefund())
	if err != nil {
		return false, nil //nolint:nilerr // an amount is not stated
	}
	unexplained, err := gone.Sub(taken)
	if err != nil {
		return false, nil //nolint:nilerr // another currency than was asked for
	}
	enough, err := unexplained.Cmp(a.Request.Amount)
	return err == nil && enough >= 0, nil
}
