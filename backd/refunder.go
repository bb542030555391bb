package backd

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const (
	opRefund = "refund"

	// Assumptions, see the package comment.
	readLag = 5 * time.Minute
	maxID   = 128

	reads = 2 // that have to agree before absence counts
)

var (
	_ refund.Refunder  = (*Client)(nil)
	_ refund.Getter    = (*Client)(nil)
	_ refund.Lister    = (*Client)(nil)
	_ refund.Canceler  = (*Client)(nil)
	_ refund.Resolver  = (*Client)(nil)
	_ refund.Baseliner = (*Client)(nil)
)

func capabilities() refund.Capabilities {
	return refund.Capabilities{
		Provider:       provider,
		Partial:        true,
		Capped:         true,
		Repeat:         refund.RepeatRefused,
		Resolve:        refund.ResolveByBaseline,
		Currencies:     []string{currency},
		ReadLag:        readLag,
		Lengths:        map[string]int{"backd_order_id": maxID, "merchant_order_id": maxID},
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
	}
}

// Capabilities implements refund.Refunder.
func (c *Client) Capabilities() refund.Capabilities { return c.caps }

// Refund implements refund.Refunder. Order.ID is the backd_order_id, Order.MerchantID the merchant_order_id; both are
// required. The order is read first, and the refund refused without sending it (OutcomeNotSent) if a request is active
// (ErrConflict, or ErrLocked once it has locked), if the order is not in order_confirmed (ErrNotRefundable), or if the
// amount is more than its total (ErrAmountExceeded). A repeat of the same key is therefore refused as well. Two clients
// that read at once may both send: then the later one replaces the earlier one, and one is paid.
func (c *Client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if err := c.check(req); err != nil {
		return nil, err
	}
	o, err := c.lookUp(ctx, opRefund, req)
	if err != nil {
		return nil, err
	}
	if err := obstacle(o, &req); err != nil {
		return nil, err
	}
	native := RefundRequest{BackdOrderID: req.Order.ID, MerchantOrderID: req.Order.MerchantID, RefundAmount: req.Amount.Decimal()}
	answer, res, err := c.createRefund(ctx, &native, refund.Attempt{Request: req, Baseline: baseline(o)})
	if err != nil {
		return nil, err
	}
	fresh, _ := added(&answer.Data, entries(o))
	active := slices.DeleteFunc(slices.Clone(fresh), func(r *Refund) bool { return r.Status.declined() })
	if len(active) != 1 {
		return nil, res.Unreadable("the answer shows " + strconv.Itoa(len(active)) + " new active refund requests instead of one")
	}
	got := common(req.Order, active[0])
	got.IdempotencyKey = req.IdempotencyKey
	got.Raw = res.Body
	if got.Amount.IsZero() {
		return nil, res.Unreadable("the new refund request states no amount")
	}
	if got.Amount != req.Amount {
		return nil, conflict(res, "Backd answers with a refund request of another amount, "+got.Amount.String())
	}
	if len(fresh) > 1 {
		got.Warnings = append(got.Warnings, "somebody else asked for a refund of this order at the same time; Backd has declined that request and put this one in its place")
	}
	return got, nil
}

// conflict is the answer that shows another refund.
func conflict(res *httpx.Result, problem string) error {
	e := res.Unreadable(problem)
	e.Kind = refund.KindConflict
	return e
}

// lookUp reads the order before anything is sent: no failure of it moves money.
func (c *Client) lookUp(ctx context.Context, op string, req refund.Request) (*Order, error) {
	got, err := c.findOrder(ctx, op, req.Order.ID, refund.Attempt{Request: req})
	if err != nil {
		var e *refund.Error
		if errors.As(err, &e) {
			e.Outcome, e.Message = refund.OutcomeNotSent, "the order could not be read: "+e.Message
		}
		return nil, err
	}
	if id := got.Data.MerchantOrderID; id != "" && id != req.Order.MerchantID {
		e := notSent(op, &req, refund.KindInvalidRequest, "is not the merchant_order_id that the order has at Backd")
		e.Field = "Order.MerchantID"
		return nil, e
	}
	return &got.Data, nil
}

// obstacle returns why an order cannot be refunded as it is, or nil.
func obstacle(o *Order, req *refund.Request) error {
	if r := o.ActiveRefund(); r != nil {
		return inTheWay(req, r)
	}
	if o.Status != OrderConfirmed { // refund page
		return notSent(opRefund, req, refund.KindNotRefundable,
			"the order is in "+strconv.Quote(string(o.Status))+"; Backd refunds orders in order_confirmed only")
	}
	total := money(o.OrderTotal)
	if total.IsZero() {
		return notSent(opRefund, req, refund.KindNotRefundable, "the order states no order_total to compare the amount with")
	}
	if req.Amount.Minor() <= total.Minor() {
		return nil
	}
	e := notSent(opRefund, req, refund.KindAmountExceeded, "is "+req.Amount.String()+"; the order's total is "+total.String())
	e.Field = "Amount"
	return e
}

// inTheWay is the error of an order that has an active request.
func inTheWay(req *refund.Request, r *Refund) error {
	kind, text := refund.KindConflict, "the order has an active refund request of "+r.amount().String()+", "+strconv.Quote(string(r.Status))
	switch at := r.locksAt(); {
	case r.locked():
		kind = refund.KindLocked
		text += ", which has been locked since " + at.Format(time.RFC3339)
	case at.IsZero():
		text += "; when it locks is not said"
	default:
		text += ", which locks at " + at.Format(time.RFC3339) + "; until then CreateRefund would replace it"
	}
	return notSent(opRefund, req, kind, text)
}

func notSent(op string, req *refund.Request, kind refund.Kind, message string) *refund.Error {
	return &refund.Error{
		Provider: provider, Op: op, Kind: kind, Outcome: refund.OutcomeNotSent,
		IdempotencyKey: req.IdempotencyKey, Message: message,
	}
}

func (c *Client) check(req refund.Request) error {
	if err := c.caps.Check(req); err != nil {
		return err
	}
	return checkOrder(opRefund, req.Order)
}

func checkOrder(op string, order refund.Order) error {
	return checkIDs(op, "Order.ID", order.ID, "Order.MerchantID", order.MerchantID)
}

// checkIDs checks the ids of an order, which both operations on refunds need (refund page).
func checkIDs(op, field, id, merchantField, merchantID string) error {
	if err := checkBackdID(op, field, id); err != nil {
		return err
	}
	bad := func(problem string) error { return httpx.Invalid(provider, op, merchantField, problem) }
	switch {
	case merchantID == "":
		return bad("is empty; it is the merchant_order_id, your own id of the order")
	case len(merchantID) > maxID:
		return bad("has " + strconv.Itoa(len(merchantID)) + " bytes; " + strconv.Itoa(maxID) + " are allowed")
	case !utf8.ValidString(merchantID) || strings.ContainsFunc(merchantID, func(r rune) bool { return !unicode.IsPrint(r) }):
		return bad("has a character that does not print; letters, digits, punctuation and spaces are allowed")
	}
	return nil
}

// checkBackdID checks an id that becomes a segment of a path.
func checkBackdID(op, field, id string) error {
	bad := func(problem string) error { return httpx.Invalid(provider, op, field, problem) }
	switch {
	case id == "":
		return bad("is empty; it is the backd_order_id, Backd's id of the order")
	case len(id) > maxID:
		return bad("has " + strconv.Itoa(len(id)) + " characters; " + strconv.Itoa(maxID) + " are allowed")
	case id == "." || id == ".." || strings.ContainsAny(id, `/\?#%`) || !httpx.Word(id):
		return bad(`is no id of Backd's; visible ASCII without / \ ? # % is allowed, and more than dots`)
	}
	return nil
}

func checkRefund(r *RefundRequest) error {
	if err := checkIDs(opRefund, "BackdOrderID", r.BackdOrderID, "MerchantOrderID", r.MerchantOrderID); err != nil {
		return err
	}
	return checkAmount(r.RefundAmount)
}

func checkAmount(d decimal.Decimal) error {
	amount, err := refund.MoneyFromDecimal(d, currency)
	if err != nil {
		return httpx.Invalid(provider, opRefund, "RefundAmount", httpx.Problem(err))
	}
	if amount.Sign() <= 0 {
		return httpx.Invalid(provider, opRefund, "RefundAmount", "is "+amount.String()+"; it must be greater than zero")
	}
	return nil
}

// common converts an entry of an order.
func common(order refund.Order, r *Refund) *refund.Refund {
	return &refund.Refund{
		ID: r.id(), Provider: provider, Order: order,
		Amount:         r.amount(),
		Status:         r.Status.common(),
		ProviderStatus: string(r.Status),
		CreatedAt:      r.CreateDate.Time,
		LocksAt:        r.locksAt(),
	}
}

// GetRefund implements refund.Getter. ref.ID is this package's own, see the package comment; only ref.Order.ID is
// needed beside it.
func (c *Client) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	const op = "get refund"
	if err := checkBackdID(op, "Order.ID", ref.Order.ID); err != nil {
		return nil, err
	}
	if ref.ID == "" {
		return nil, httpx.Invalid(provider, op, "ID", "is empty; it is the ID of a refund that this package returned")
	}
	got, err := c.findOrder(ctx, op, ref.Order.ID, refund.Attempt{})
	if err != nil {
		return nil, err
	}
	if r := got.Data.find(ref.ID); r != nil {
		return common(ref.Order, r), nil
	}
	return nil, &refund.Error{
		Provider: provider, Op: op, Kind: refund.KindOrderNotFound, Outcome: refund.OutcomeRejected,
		Message: "the order shows no such refund request; a new one may take some time to appear",
	}
}

// find returns the request of that id. Of two made in the same second for the same amount, the active one.
func (o *Order) find(id string) *Refund {
	var found *Refund
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.id() == id && (found == nil || found.Status.declined()) {
			found = r
		}
	}
	return found
}

// Refunds implements refund.Lister, for one order: q.Order.ID is required. Declined requests are listed too.
func (c *Client) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	const op = "list refunds"
	return func(yield func(*refund.Refund, error) bool) {
		if err := checkBackdID(op, "Order.ID", q.Order.ID); err != nil {
			yield(nil, err)
			return
		}
		o, err := c.findOrder(ctx, op, q.Order.ID, refund.Attempt{})
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range o.Data.Refunds {
			got := common(q.Order, &o.Data.Refunds[i])
			if q.Selects(got) && !yield(got, nil) {
				return
			}
		}
	}
}

// CancelRefund implements refund.Canceler: the order's active request is taken back, whoever made it. The order is read
// first: one without an active request is ErrOrderNotFound, one whose request has locked ErrLocked, both OutcomeNotSent.
// An error with OutcomeUnknown leaves open whether the request was taken back: read it (GetRefund).
func (c *Client) CancelRefund(ctx context.Context, order refund.Order) (*refund.Refund, error) {
	const op = "cancel refund"
	if err := checkOrder(op, order); err != nil {
		return nil, err
	}
	req := refund.Request{Order: order}
	o, err := c.lookUp(ctx, op, req)
	if err != nil {
		return nil, err
	}
	active := o.ActiveRefund()
	if active == nil {
		return nil, notSent(op, &req, refund.KindOrderNotFound, "the order shows no active refund request")
	}
	if active.locked() {
		return nil, notSent(op, &req, refund.KindLocked, "the refund request of "+active.amount().String()+
			" has been locked since "+active.locksAt().Format(time.RFC3339))
	}
	answer, res, err := c.deleteRefund(ctx, op, &DeleteRequest{BackdOrderID: order.ID, MerchantOrderID: order.MerchantID})
	if err != nil {
		return nil, err
	}
	r := answer.Data.find(active.id())
	if r == nil || !r.Status.declined() {
		return nil, res.Unreadable("the answer does not show the refund request as declined")
	}
	got := common(order, r)
	got.Raw = res.Body
	return got, nil
}

// Baseline implements refund.Baseliner: the order's refund requests as they are now.
func (c *Client) Baseline(ctx context.Context, req refund.Request) (refund.Baseline, error) {
	if err := c.check(req); err != nil {
		return "", err
	}
	got, err := c.findOrder(ctx, "baseline", req.Order.ID, refund.Attempt{Request: req})
	if err != nil {
		return "", err
	}
	return baseline(&got.Data), nil
}

func entries(o *Order) []entry {
	all := make([]entry, len(o.Refunds))
	for i := range o.Refunds {
		all[i] = o.Refunds[i].entry()
	}
	return all
}

// baseline writes [["10.00","2026-04-16 10:30:00","declined"]], and [] for an order without any.
func baseline(o *Order) refund.Baseline {
	text, _ := json.Marshal(entries(o)) //nolint:errcheck,errchkjson // of strings: cannot fail
	return refund.Baseline(text)
}

// parse reads what baseline writes.
func parse(b refund.Baseline) (before []entry, ok bool) {
	err := json.Unmarshal([]byte(b), &before)
	return before, err == nil && before != nil
}

// Resolve implements refund.Resolver: the order is read and compared with the attempt's Baseline. One new active
// request of the amount is the refund; nothing new, after Capabilities.ReadLag and in two reads, means that it was not
// made. Everything else is for a person, and so is an attempt without a baseline.
func (c *Client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	if err := c.check(a.Request); err != nil {
		return refund.Resolution{}, err
	}
	before, ok := parse(a.Baseline)
	if !ok {
		return refund.Resolution{Why: "there is no baseline to compare the order's refund requests with"}, nil
	}
	var resolution refund.Resolution
	for range reads {
		got, err := c.findOrder(ctx, "resolve", a.Request.Order.ID, refund.Attempt{Request: a.Request})
		if err != nil {
			return refund.Resolution{}, err
		}
		if resolution = compare(&got.Data, before, &a); resolution.Verdict != refund.VerdictNotApplied {
			break
		}
	}
	return resolution, nil
}

// compare tells what became of an attempt by an order and what it looked like before.
func compare(o *Order, before []entry, a *refund.Attempt) refund.Resolution {
	fresh, gone := added(o, before)
	young := time.Now().Before(a.LastSent.Add(readLag))
	wait := refund.Resolution{NotBefore: a.LastSent.Add(readLag)}
	switch {
	case gone > 0 && young:
		wait.Why = "the order does not even show the refund requests from before: reads may lag behind writes"
		return wait
	case gone > 0:
		return refund.Resolution{Why: "the order does not show all refund requests from before: nothing can be compared"}
	case len(fresh) == 1 && !fresh[0].Status.declined() && fresh[0].amount() == a.Request.Amount:
		got := common(a.Request.Order, fresh[0])
		got.IdempotencyKey = a.Request.IdempotencyKey
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Why: "the order shows one new refund request, of this amount"}
	case len(fresh) > 0:
		return refund.Resolution{Why: "the order shows new refund requests, but not just one active one of this amount"}
	case young:
		wait.Why = "the order shows no new refund request, but reads may lag behind writes"
		return wait
	}
	return refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "the order shows no new refund request"}
}

// added returns the requests of o that were not there before, and how many of those from before are gone. One whose
// status has changed is the same; one that is the same in all is preferred to it.
func added(o *Order, before []entry) (fresh []*Refund, gone int) {
	left := map[entry]int{}
	for _, e := range before {
		left[e]++
	}
	var changed []*Refund
	for i := range o.Refunds {
		r := &o.Refunds[i]
		if left[r.entry()] == 0 {
			changed = append(changed, r)
			continue
		}
		left[r.entry()]--
	}
	moved := map[entry]int{} // without status
	for e, n := range left {
		e[2] = ""
		moved[e] += n
		gone += n
	}
	for _, r := range changed {
		e := r.entry()
		e[2] = ""
		if moved[e] == 0 {
			fresh = append(fresh, r)
			continue
		}
		moved[e]--
		gone--
	}
	return fresh, gone
}
