package orderrows

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const (
	opRefund = "refund"

	// Assumptions, see the package comment.
	readLag = 5 * time.Minute

	// zoneSlack is more than any two time zones differ by: dates may come without one.
	zoneSlack = 24 * time.Hour
)

var (
	_ refund.Refunder = (*Client)(nil)
	_ refund.Getter   = (*Client)(nil)
	_ refund.Lister   = (*Client)(nil)
	_ refund.Resolver = (*Client)(nil)
)

func capabilities(currency string, noLookup bool) refund.Capabilities {
	caps := refund.Capabilities{
		Provider:       provider,
		Partial:        true,
		Several:        true,
		Repeat:         refund.RepeatFound,
		Resolve:        refund.ResolveByMarker,
		Currencies:     []string{currency},
		Parts:          []refund.Part{refund.PartShipping, refund.PartFee, refund.PartReturnCost},
		Lines:          true,
		Reason:         true,
		ReadLag:        readLag,
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
	}
	if noLookup {
		caps.Repeat = refund.RepeatRefundsAgain
	}
	return caps
}

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities { return c.caps }

// Refund implements refund.Refunder. Order.ID is the order's number at Geins, Line the id of an order row, Reason becomes
// the refund's Description. The refund is recorded, and pending until the shop's integration has paid it: the answer states
// its id only. The order's refunds are read first, and one that has the key already is returned instead (Config.NoLookup).
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	orderID, native, err := c.check(req)
	if err != nil {
		return nil, err
	}
	if !c.noLookup {
		if got, err := c.lookUp(ctx, orderID, req); got != nil || err != nil {
			return got, err
		}
	}
	answer, res, err := c.createRefund(ctx, orderID, &native, refund.Attempt{Request: req})
	if err != nil {
		return nil, err
	}
	got := &refund.Refund{
		ID: answer.RefundID, IdempotencyKey: req.IdempotencyKey, Provider: provider, Order: req.Order,
		Status: refund.StatusPending, Raw: res.Body,
	}
	if len(answer.Details) > 0 {
		got.Warnings = append(got.Warnings, "the answer has validation messages, see Raw; read the refund to see what took effect")
	}
	return got, nil
}

// lookUp returns the refund that has the key of req already, or nil. All of its errors are OutcomeNotSent.
func (c *Client) lookUp(ctx context.Context, orderID int32, req refund.Request) (*refund.Refund, error) {
	const op = "look up refund"
	list, err := c.listRefunds(ctx, op, orderID, refund.Attempt{Request: req})
	if err != nil {
		var e *refund.Error
		errors.As(err, &e)
		e.Outcome = refund.OutcomeNotSent
		return nil, err
	}
	stop := func(kind refund.Kind, problem string) error {
		return &refund.Error{
			Provider: provider, Op: op, Kind: kind, Outcome: refund.OutcomeNotSent,
			IdempotencyKey: req.IdempotencyKey, Message: problem,
		}
	}
	got, problem := find(list, &req)
	if problem != "" {
		return nil, stop(refund.KindConflict, "the order has a refund with this key, but "+problem)
	}
	if i := slices.IndexFunc(list, func(r Refund) bool { return r.Currency != "" && r.Currency != c.currency }); got == nil && i >= 0 {
		return nil, stop(refund.KindCurrencyMismatch, "the order has a refund in another currency than "+c.currency)
	}
	return got, nil
}

// find looks for the refund of req by its key. problem says that there is one, but that it is another refund.
func find(list []Refund, req *refund.Request) (got *refund.Refund, problem string) {
	marked := 0
	for i := range list {
		r := &list[i]
		if r.Reference != req.IdempotencyKey {
			continue
		}
		marked++
		if p := differs(r, req); p != "" {
			problem = p
		} else if got == nil {
			got = common(req.Order, r)
		}
	}
	if got == nil {
		return nil, problem
	}
	if marked > 1 {
		got.Warnings = append(got.Warnings, "the order has "+strconv.Itoa(marked)+" refunds with this key")
	}
	return got, ""
}

// differs says in what r is not the refund of req, or "". What r does not state cannot differ.
func differs(r *Refund, req *refund.Request) string {
	if amount := r.amount(); !amount.IsZero() && amount != req.Amount {
		return "of " + amount.String()
	}
	if r.Currency != "" && r.Currency != req.Amount.Currency() {
		return "in another currency"
	}
	if len(r.RefundRows) != 1 {
		return ""
	}
	row := &r.RefundRows[0]
	if typ := refundType(req.Part); row.RefundType != typ {
		return "of RefundType " + strconv.Itoa(int(row.RefundType)) + " instead of " + strconv.Itoa(int(typ))
	}
	if row.OrderRowID != nil && req.Line != "" && itoa(*row.OrderRowID) != req.Line {
		return "of another order row"
	}
	return ""
}

// check returns the native request of req.
func (c *Client) check(req refund.Request) (orderID int32, native NewRefund, err error) {
	if err := c.caps.Check(req); err != nil {
		return 0, native, err
	}
	if orderID, err = parseID(opRefund, "Order.ID", "the number of the order at Geins", req.Order.ID); err != nil {
		return 0, native, err
	}
	native = NewRefund{
		Reference: req.IdempotencyKey, Description: req.Reason,
		RefundAmount: req.Amount.Decimal(), RefundType: refundType(req.Part),
	}
	if req.Line != "" {
		native.OrderRowID, err = parseID(opRefund, "Line", "the id of a row of the order", req.Line)
	}
	return orderID, native, err
}

// refundType is what a part is called here. Capabilities.Check has seen to it that there are no others.
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

// parseID reads an id of the common language, in the one way of writing it: two strings must not mean one order.
func parseID(op, field, what, id string) (int32, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		return 0, httpx.Invalid(provider, op, field, "must be "+what+": digits, without leading zeros, from 1 to 2147483647")
	}
	return int32(n), nil
}

// checkRefund checks a native request, and gives its amount the decimals of the currency.
func (c *Client) checkRefund(orderID int32, r *NewRefund) error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, opRefund, field, problem) }
	if err := checkID(opRefund, "Order.ID", orderID); err != nil {
		return err
	}
	amount, err := refund.MoneyFromDecimal(r.RefundAmount, c.currency)
	if err != nil {
		return bad("RefundAmount", httpx.Problem(err))
	}
	r.RefundAmount = amount.Decimal()
	switch {
	case amount.Sign() <= 0:
		return bad("RefundAmount", "is "+amount.String()+"; it must be greater than zero")
	case r.OrderRowID < 0:
		return bad("OrderRowID", "is "+itoa(r.OrderRowID)+"; ids are greater than zero, 0 means no particular row")
	case r.RefundType < TypeDefault || r.RefundType > TypeInvoiceFee:
		return bad("RefundType", "is "+strconv.Itoa(int(r.RefundType))+"; 0 to 3 are allowed")
	case r.RefundsRequireApproval && r.Settled: // Creates refund page: only applies if Settled is false
		return bad("RefundsRequireApproval", "does not go with Settled, which records the refund without any approval")
	}
	return nil
}

// common converts a refund of an order.
func common(order refund.Order, r *Refund) *refund.Refund {
	return &refund.Refund{
		ID: r.RefundID, IdempotencyKey: r.Reference, Provider: provider, Order: order,
		Amount:    r.amount(),
		Status:    r.status(),
		CreatedAt: r.CreatedOn.Time,
	}
}

// status condenses the flags; the API has no word for it. That money has moved comes first.
func (r *Refund) status() refund.Status {
	settled := len(r.RefundRows) > 0 && !slices.ContainsFunc(r.RefundRows, func(row RefundRow) bool { return !row.Settled })
	switch {
	case r.Processed || settled:
		return refund.StatusSucceeded
	case r.RequiresApproval && r.Approved == nil:
		return refund.StatusNeedsAction
	case r.RequiresApproval && !*r.Approved:
		return refund.StatusCanceled
	}
	return refund.StatusPending
}

// GetRefund implements refund.Getter.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	const op = "get refund"
	orderID, err := parseID(op, "Order.ID", "the number of the order at Geins", ref.Order.ID)
	if err != nil {
		return nil, err
	}
	got, err := c.retrieveRefund(ctx, op, orderID, ref.ID)
	if err != nil {
		return nil, err
	}
	return common(ref.Order, got), nil
}

// Refunds implements refund.Lister. Without an order the refunds of all orders are listed, in one answer: set Since.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	const op = "list refunds"
	return func(yield func(*refund.Refund, error) bool) {
		list, err := c.selected(ctx, op, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range list {
			order := q.Order
			if order.ID == "" {
				order = refund.Order{ID: itoa(list[i].OrderID)}
			}
			got := common(order, &list[i])
			if q.Selects(got) && !yield(got, nil) {
				return
			}
		}
	}
}

// selected reads at least the refunds that q selects.
func (c *Client) selected(ctx context.Context, op string, q refund.Query) ([]Refund, error) {
	if q.Order == (refund.Order{}) {
		native := RefundQuery{}
		if !q.Since.IsZero() { // whether CreatedAfter is inclusive is not documented
			native.CreatedAfter = q.Since.Add(-time.Second).UTC()
		}
		if !q.Until.IsZero() {
			native.CreatedBefore = q.Until.UTC()
		}
		return c.queryRefunds(ctx, op, &native)
	}
	orderID, err := parseID(op, "Order.ID", "the number of the order at Geins", q.Order.ID)
	if err != nil {
		return nil, err
	}
	return c.listRefunds(ctx, op, orderID, refund.Attempt{})
}

// Resolve implements refund.Resolver: the order's refunds are read and searched for the key. Nothing is ever sent again.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	orderID, _, err := c.check(a.Request)
	if err != nil {
		return refund.Resolution{}, err
	}
	until := a.LastSent.Add(readLag)
	for range 2 { // absence counts when it has been seen twice
		list, err := c.listRefunds(ctx, "resolve", orderID, a)
		missing := errors.Is(err, refund.ErrOrderNotFound)
		if err != nil && !missing {
			return refund.Resolution{}, err
		}
		got, problem := find(list, &a.Request)
		switch {
		case got != nil:
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Why: "the order has a refund with the key"}, nil
		case problem != "":
			return refund.Resolution{Why: "the order has a refund with the key, but " + problem}, nil
		case time.Now().Before(until):
			return refund.Resolution{NotBefore: until, Why: "the order does not show it, but reads may lag behind writes"}, nil
		case missing:
			return refund.Resolution{Why: "the order is not found: these may be the credentials of another account"}, nil
		case slices.ContainsFunc(list, func(r Refund) bool { return unmarked(&r, &a) }):
			return refund.Resolution{Why: "the order has a refund of this amount without any reference: it may be this one"}, nil
		}
	}
	return refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "the order does not show it"}, nil
}

// unmarked reports whether r could be the refund of a without its key: the vendor warns that a success does not prove
// that every field took effect (sonora-agent-plugins).
func unmarked(r *Refund, a *refund.Attempt) bool {
	amount := r.amount()
	return r.Reference == "" && (amount == a.Request.Amount || amount.IsZero()) &&
		(r.CreatedOn.IsZero() || r.CreatedOn.After(a.FirstSent.Add(-zoneSlack)))
}
