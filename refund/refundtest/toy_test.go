package refundtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
)

const (
	toySecret = "toy-secret-canary"
	toyLag    = time.Hour
	toyMemory = 24 * time.Hour
)

// toyProvider is a provider that is small enough to be seen to be right.
type toyProvider struct {
	Clock

	currency  string
	forgetful bool // keys are written on refunds, but a repeat is another refund

	mu     sync.Mutex
	orders map[string]*toyOrder
	keys   map[string]toyRefund
}

type toyOrder struct {
	left    refund.Money
	refunds []toyRefund
}

type toyRefund struct {
	ID     string       `json:"id"`
	Key    string       `json:"key"`
	Order  string       `json:"order"`
	Amount refund.Money `json:"amount"`
	Made   time.Time    `json:"made"`

	Part     refund.Part       `json:"part"`
	Line     string            `json:"line"`
	Reason   string            `json:"reason"`
	Metadata map[string]string `json:"metadata"`
}

// toyList is what a read shows of an order.
type toyList struct {
	Order   string       `json:"order"`
	Count   int          `json:"count"`
	Refunds *[]toyRefund `json:"refunds"`
}

type toyProblem struct {
	Code string `json:"code"`
}

func newToyProvider(forgetful bool) *toyProvider {
	return &toyProvider{currency: "AUD", forgetful: forgetful, orders: map[string]*toyOrder{}, keys: map[string]toyRefund{}}
}

func (p *toyProvider) Provider() string { return "toy" }

func (p *toyProvider) Currency() string { return p.currency }

func (p *toyProvider) Secrets() []string { return []string{toySecret} }

func (p *toyProvider) Refunder(opts refund.Options) (refund.Refunder, error) {
	return &toyClient{opts: Connect(p, opts), forgetful: p.forgetful}, nil
}

func (p *toyProvider) AddOrder(captured refund.Money) refund.Order {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := fmt.Sprintf("order-%d", len(p.orders)+1)
	p.orders[id] = &toyOrder{left: captured}
	return refund.Order{ID: id}
}

func (p *toyProvider) AddPartOrder(captured refund.Money, _ refund.Part) (order refund.Order, line string) {
	return p.AddOrder(captured), "line-1"
}

func (p *toyProvider) UnknownOrder() refund.Order { return refund.Order{ID: "order-0"} }

func (p *toyProvider) Ledger(order refund.Order) (ledger []refund.Money) {
	for _, r := range p.Arrived(order) {
		ledger = append(ledger, r.Amount)
	}
	return ledger
}

func (p *toyProvider) Arrived(order refund.Order) (arrived []refund.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.orders[order.ID]; o != nil {
		for _, r := range o.refunds {
			arrived = append(arrived, refund.Request{
				Amount: r.Amount, Part: r.Part, Line: r.Line, Reason: r.Reason, Metadata: r.Metadata,
			})
		}
	}
	return arrived
}

func (p *toyProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := p.respond(r)
	Respond(w, status, body)
}

func (p *toyProvider) respond(r *http.Request) (status int, body any) {
	in := toyRefund{Order: r.URL.Query().Get("order")}
	if r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&in) != nil {
		return http.StatusBadRequest, toyProblem{"malformed"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o, known := p.orders[in.Order]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+toySecret:
		return http.StatusUnauthorized, toyProblem{"unauthorized"}
	case !known:
		return http.StatusNotFound, toyProblem{"no_such_order"}
	case r.Method == http.MethodGet:
		visible := []toyRefund{}
		for _, r := range o.refunds {
			if p.Visible(r.Made) {
				visible = append(visible, r)
			}
		}
		return http.StatusOK, toyList{in.Order, len(visible), &visible}
	}
	if first, ok := p.keys[in.Key]; ok && !p.forgetful && p.Now().Sub(first.Made) < toyMemory {
		if first.Order != in.Order || first.Amount != in.Amount {
			return http.StatusConflict, toyProblem{"key_used"}
		}
		return http.StatusCreated, first
	}
	left, err := o.left.Sub(in.Amount)
	switch {
	case err != nil:
		return http.StatusUnprocessableEntity, toyProblem{"other_currency"}
	case left.Sign() < 0:
		return http.StatusUnprocessableEntity, toyProblem{"too_much"}
	}
	in.ID, in.Made = fmt.Sprintf("%s-refund-%d", in.Order, len(o.refunds)+1), p.Now()
	o.left, o.refunds, p.keys[in.Key] = left, append(o.refunds, in), in
	return http.StatusCreated, in
}

// toyClient is a correct client, but for its flaw.
type toyClient struct {
	opts      refund.Options
	forgetful bool // the provider's repeats are other refunds
	flaw      flaw
	exposed   string
}

func (c *toyClient) Capabilities() refund.Capabilities {
	caps := refund.Capabilities{
		Provider: "toy", Account: c.opts.Account, Target: "toy.example",
		Partial: true, MultipleRefunds: true, RejectsExcess: true, Synchronous: true,
		Repeat: refund.RepeatSame, ResolvedBy: refund.ResolvedByMarker, KeyLife: toyMemory, AbsenceAfter: toyLag, Reads: true, Lists: refund.ListsByOrder,
		Parts: []refund.Part{refund.PartShipping}, RefundsLines: true, Reason: true, Metadata: true,
	}
	if c.forgetful {
		caps.Repeat, caps.KeyLife = refund.RepeatFound, 0
	}
	return caps
}

func (c *toyClient) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	got, e := c.refund(ctx, req)
	if c.flaw.spoil != nil {
		return c.flaw.spoil(req, got, e)
	}
	if e != nil {
		return nil, e
	}
	return got, nil
}

// fail makes an error.
func (c *toyClient) fail(op, key string, kind refund.Kind, outcome refund.Outcome, message string) *refund.Error {
	return &refund.Error{
		Provider: "toy", Account: c.opts.Account, Op: op, IdempotencyKey: key, Kind: kind, Outcome: outcome, Message: message,
	}
}

func (c *toyClient) refund(ctx context.Context, req refund.Request) (*refund.Refund, *refund.Error) {
	if e := c.check(req); e != nil && c.flaw.knob != sendsInvalid {
		return nil, e
	}
	if c.forgetful && c.flaw.knob != payWithoutLooking {
		switch got, second, e := c.find(ctx, req); {
		case e != nil && c.flaw.knob != payBlindly:
			e.Op, e.IdempotencyKey, e.Outcome = "refund", req.IdempotencyKey, refund.OutcomeNotSent
			return nil, e
		case got != nil && got.Amount != req.Amount:
			return nil, c.fail("refund", req.IdempotencyKey, refund.ErrKeyReused, refund.OutcomeUnknown, "the key is on a refund of another amount")
		case len(second) > 0:
			return nil, c.fail("refund", req.IdempotencyKey, refund.ErrDuplicate, refund.OutcomeUnknown, "the key was paid twice")
		case got != nil:
			got.Replayed = true
			return got, nil
		}
	}
	return c.send(ctx, req)
}

func (c *toyClient) check(req refund.Request) *refund.Error {
	if c.flaw.knob == ignoresCaptured {
		req.Captured = refund.Money{}
	}
	if err := c.Capabilities().Check(req); err != nil {
		return err.(*refund.Error) //nolint:errorlint // Check promises the very type
	}
	if req.Order.InvoiceID != "" && c.flaw.knob != dropsInvoice {
		e := c.fail("refund", req.IdempotencyKey, refund.ErrInvalidRequest, refund.OutcomeNotSent, "is set; there are no invoices")
		e.Field = "Order.InvoiceID"
		return e
	}
	if c.flaw.knob == mendsIDs {
		return nil
	}
	if !regexp.MustCompile(`^order-\d{1,9}$`).MatchString(req.Order.ID) {
		e := c.fail("refund", req.IdempotencyKey, refund.ErrInvalidRequest, refund.OutcomeNotSent, "is no order id")
		e.Field = "Order.ID"
		return e
	}
	return nil
}

// send is the heart of a client: what may be sent again, and what is known of the money after each attempt.
func (c *toyClient) send(ctx context.Context, req refund.Request) (*refund.Refund, *refund.Error) {
	a := refund.Attempt{Request: req}
	for n := 1; ; n++ {
		in := toyRefund{
			Key: req.IdempotencyKey, Order: req.Order.ID, Amount: req.Amount,
			Part: req.Part, Line: req.Line, Reason: req.Reason, Metadata: req.Metadata,
		}
		if c.flaw.knob == dropsParts {
			in.Part, in.Line = "", ""
		}
		if c.flaw.knob == freshKeys {
			in.Key += "-" + strconv.Itoa(n)
		}
		if c.flaw.knob == roundsAmounts {
			in.Amount = refund.MustParseMoney(strconv.FormatInt((in.Amount.Minor()+50)/100, 10), in.Amount.Currency())
		}
		var made toyRefund
		began := time.Now()
		e, again := c.do(ctx, http.MethodPost, in, &made)
		if e == nil && c.flaw.knob != believesAnyResponse && (made.Order != in.Order || made.Key != in.Key || made.Amount != in.Amount) {
			e, again = c.fail("", "", refund.ErrConflict, refund.OutcomeUnknown, "the response is of another refund"), false
		}
		if e == nil {
			return c.common(req.Order, made), nil
		}
		e.Op, e.Attempts, e.IdempotencyKey = "refund", n, req.IdempotencyKey
		if e.Outcome == refund.OutcomeUnknown {
			if a.Tries++; a.Tries == 1 {
				a.FirstSent = began
			}
			a.LastSent = time.Now()
		}
		if a.Tries > 0 { // once an answer is lost, a later refusal may be of our own success
			e.Outcome, e.Attempt = refund.OutcomeUnknown, a
		}
		wait := max(time.Second, e.RetryAfter)
		patient := wait <= 10*time.Second || c.flaw.knob == sleepsAsTold
		if n == 3 && c.flaw.knob == waitsAtTheEnd {
			<-time.After(wait)
		}
		if n == 3 || !patient || !again && c.flaw.knob != retriesEverything {
			return nil, e
		}
		if c.flaw.knob == waitsRegardless {
			<-time.After(wait)
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			e.Err = ctx.Err()
			return nil, e
		}
	}
}

// do sends one request and decodes its answer into out. It reports whether the request may be sent again.
func (c *toyClient) do(ctx context.Context, method string, in toyRefund, out any) (e *refund.Error, again bool) {
	if c.flaw.knob == ignoresContext {
		ctx = context.WithoutCancel(ctx)
	}
	e = c.fail("", "", refund.ErrUnavailable, refund.OutcomeUnknown, "no answer")
	if e.Err = ctx.Err(); e.Err != nil {
		e.Outcome = refund.OutcomeNotSent
		return e, false
	}
	var header http.Header
	var asked, connected bool // an error alone proves nothing
	e.HTTPStatus, header, e.Raw, e.Err = c.exchange(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked = true },
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	}), method, in)
	proven := asked && !connected
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var op *net.OpError
	var problem toyProblem
	again = !c.forgetful
	switch {
	case errors.As(e.Err, &op) && op.Op == "dial" && (proven || c.flaw.knob == believesDialErrors):
		e.Outcome, again = refund.OutcomeNotSent, true
	case e.Err != nil:
	case e.HTTPStatus == http.StatusTooManyRequests:
		e.Kind, e.Outcome, e.Message, again = refund.ErrRateLimited, refund.OutcomeNotSent, "too many requests", true
	case e.HTTPStatus < 300 && json.Unmarshal(e.Raw, out) == nil:
		return nil, false
	case json.Unmarshal(e.Raw, &problem) == nil && toyKind(problem.Code) != 0:
		e.Kind, e.Code, again = toyKind(problem.Code), problem.Code, false
		if e.Kind != refund.ErrKeyReused { // what became of the key's refund is another question
			e.Outcome = refund.OutcomeRejected
		}
	default: // whether something in front has let it pass is not said
		e.Kind, e.Message = refund.ErrUnexpected, "not an answer of the provider"
		again = again && e.HTTPStatus >= 500
	}
	return e, again
}

func toyKind(code string) refund.Kind {
	return map[string]refund.Kind{
		"unauthorized": refund.ErrUnauthorized, "no_such_order": refund.ErrOrderNotFound, "key_used": refund.ErrKeyReused,
		"other_currency": refund.ErrCurrencyMismatch, "too_much": refund.ErrAmountExceeded,
	}[code]
}

func (c *toyClient) exchange(ctx context.Context, method string, in toyRefund) (status int, header http.Header, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	base, limit := c.opts.BaseURL, int64(1<<20)
	if base == "" {
		base = "https://toy.example"
	}
	if c.flaw.knob == readsTooMuch {
		limit = 17 << 20
	}
	if method == http.MethodPost {
		if body, err = json.Marshal(in); err != nil {
			return 0, nil, nil, err
		}
	}
	order := in.Order
	if c.flaw.knob == mendsIDs {
		order = strings.TrimLeft(order, "./ ")
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/refunds?order="+url.QueryEscape(order), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+toySecret)
	if c.flaw.knob == replayableBelow {
		req.Header.Set("Idempotency-Key", in.Key)
	} else if c.forgetful {
		req.GetBody = nil // net/http repeats what it can repeat
	}
	client := http.Client{Transport: c.opts.Transport}
	if c.flaw.knob != followsRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	c.opts.Logger.DebugContext(ctx, "toy request", slog.String("method", method))
	if c.flaw.knob == logsRequests {
		c.opts.Logger.DebugContext(ctx, "toy request", slog.Any("header", req.Header))
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // everything of use has been read
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit))
	return resp.StatusCode, resp.Header, body, err
}

func (c *toyClient) common(order refund.Order, r toyRefund) *refund.Refund {
	got := &refund.Refund{
		ID: r.ID, IdempotencyKey: r.Key, Provider: "toy", Account: c.opts.Account, Order: order, Amount: r.Amount,
		Status: refund.StatusSucceeded, CreatedAt: r.Made,
	}
	if c.flaw.knob == undated || c.flaw.knob == hidesUndated {
		got.CreatedAt = time.Time{}
	}
	if c.flaw.knob == freshKeys { // no key comes back that went out
		got.IdempotencyKey = r.Key[:len(r.Key)-len("-1")]
	}
	return got
}

func (c *toyClient) list(ctx context.Context, order refund.Order) (all []*refund.Refund, e *refund.Error) {
	var found toyList
	if e, _ := c.do(ctx, http.MethodGet, toyRefund{Order: order.ID}, &found); e != nil {
		if e.Op = "read"; e.Outcome == refund.OutcomeUnknown && c.flaw.knob != readsUnknown {
			e.Outcome = refund.OutcomeNotSent // a read moves nothing
		}
		return nil, e
	}
	switch {
	case found.Order != order.ID && c.flaw.knob != believesAnyOrder:
		return nil, c.fail("read", "", refund.ErrUnexpected, refund.OutcomeRejected, "the response is of another order")
	case found.Refunds == nil && c.flaw.knob != takesSilenceForAbsence:
		return nil, c.fail("read", "", refund.ErrUnexpected, refund.OutcomeRejected, "the response has no list of refunds")
	case found.Refunds == nil:
		return nil, nil
	}
	for _, r := range *found.Refunds {
		all = append(all, c.common(order, r))
	}
	return all, nil
}

// find returns the refund with the key of req, and further ones.
func (c *toyClient) find(ctx context.Context, req refund.Request) (got *refund.Refund, second []*refund.Refund, e *refund.Error) {
	all, e := c.list(ctx, req.Order)
	for _, r := range all {
		switch {
		case r.IdempotencyKey != req.IdempotencyKey:
		case got == nil:
			got, e = r, nil
		case c.flaw.knob != swallowsSecond:
			second = append(second, r)
		}
	}
	return got, second, e
}

// mayBeAnother reports whether the order has a refund that may be that of a without its marker.
func (c *toyClient) mayBeAnother(ctx context.Context, a refund.Attempt) bool {
	all, e := c.list(ctx, a.Request.Order)
	return e != nil || slices.ContainsFunc(all, func(r *refund.Refund) bool {
		known := slices.ContainsFunc(a.Known, func(k refund.Known) bool {
			return k.RefundID == r.ID && c.flaw.knob != knowsKeysOnly || k.Key == r.IdempotencyKey && k.Key != "" && c.flaw.knob != knowsIDsOnly
		})
		switch {
		case c.flaw.knob == believesMarkers, r.IdempotencyKey == a.Request.IdempotencyKey, r.Amount != a.Request.Amount:
			return false
		case a.Known == nil || c.flaw.knob == believesOtherMarkers:
			return r.IdempotencyKey == "" || c.flaw.knob == doubtsAll
		}
		return !known
	})
}

func (c *toyClient) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	if c.flaw.knob == resendsForever || c.flaw.knob == sendsToLook && time.Since(a.FirstSent) < toyMemory {
		if got, e := c.send(ctx, a.Request); e == nil {
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Attempt: a}, nil
		}
	}
	got, second, e := c.find(ctx, a.Request)
	doubtful := e == nil && c.mayBeAnother(ctx, a)
	settled, now := a.LastSent.Add(toyLag), time.Now()
	if c.flaw.knob == believesEarly {
		settled = a.LastSent.Add(5 * time.Minute)
	}
	next := refund.Resolution{Attempt: a}
	next.Attempt.MissedAt = time.Time{}
	switch {
	case e != nil && c.flaw.knob == takesFailureForAbsence:
		next.Verdict = refund.VerdictNotApplied
	case e != nil:
		e.Op, e.Outcome, e.Attempt = "resolve", refund.OutcomeUnknown, a
		if c.flaw.knob != resolvesWithoutKey {
			e.IdempotencyKey = a.Request.IdempotencyKey
		}
		if c.flaw.knob == failsForGood {
			e.Outcome = refund.OutcomeRejected
		}
		if c.flaw.knob == forgetsAttempt {
			e.Attempt = refund.Attempt{}
		}
		return refund.Resolution{}, e
	case got != nil && c.flaw.knob == resolvesAnother:
		got.IdempotencyKey = "another"
		next.Verdict, next.Refund = refund.VerdictApplied, got
	case got != nil && c.flaw.knob == namesItTwice:
		next.Verdict, next.Refund, next.Duplicates = refund.VerdictApplied, got, []*refund.Refund{got}
	case got != nil && c.flaw.knob != givesUp, c.flaw.knob == hopes:
		next.Verdict, next.Refund, next.Duplicates = refund.VerdictApplied, got, second
	case c.flaw.knob == givesUp:
	case c.flaw.knob == asksForEver:
		next.NotBefore = now.Add(time.Hour)
	case c.flaw.knob == believesAbsence:
		next.Verdict = refund.VerdictNotApplied
	case now.Before(settled):
		next.NotBefore = settled
	case doubtful:
	case c.flaw.knob == believesOneLook:
		next.Verdict = refund.VerdictNotApplied
	case a.MissedAt.Before(settled):
		next.Attempt.MissedAt, next.NotBefore = now, now.Add(time.Minute)
	case now.Sub(a.MissedAt) < time.Minute:
		next.Attempt.MissedAt, next.NotBefore = a.MissedAt, a.MissedAt.Add(time.Minute)
	default:
		next.Verdict = refund.VerdictNotApplied
	}
	switch c.flaw.knob {
	case forgetsAttempt:
		next.Attempt = refund.Attempt{}
	case forgetsSending:
		next.Attempt.LastSent = next.Attempt.LastSent.Add(-time.Hour)
	case forgetsSnapshot:
		next.Attempt.Snapshot = "another"
	case forgetsLimits:
		next.Attempt.LookOnly = false
	case forgetsKnown:
		next.Attempt.Known = nil
	default:
	}
	return next, nil
}

func (c *toyClient) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	all, e := c.list(ctx, ref.Order)
	switch {
	case c.flaw.knob == getsAnything:
		return &refund.Refund{}, nil
	case e != nil:
		return nil, e
	}
	for _, r := range all {
		if r.ID == ref.ID {
			return r, nil
		}
	}
	return nil, c.fail("read", "", refund.ErrOrderNotFound, refund.OutcomeRejected, "no such refund")
}

func (c *toyClient) Refunds(ctx context.Context, q refund.Query) iter.Seq2[*refund.Refund, error] {
	ranged := false
	return func(yield func(*refund.Refund, error) bool) {
		if ranged && c.flaw.knob == listsOnce {
			return
		}
		ranged = true
		if c.flaw.knob == refusesDates && (!q.Since.IsZero() || !q.Until.IsZero()) {
			yield(nil, c.fail("read", "", refund.ErrInvalidRequest, refund.OutcomeNotSent, "cannot be selected by"))
			return
		}
		if q.Order.ID == "" && c.flaw.knob != listsNoOrder {
			yield(nil, c.fail("read", "", refund.ErrInvalidRequest, refund.OutcomeNotSent, "is empty"))
			return
		}
		all, e := c.list(ctx, q.Order)
		if e != nil {
			if c.flaw.knob != listsNothing && yield(nil, e) && c.flaw.knob == listsBeyondErrors {
				yield(nil, e)
			}
			return
		}
		for _, r := range all {
			if c.selects(q, r) && !yield(r, nil) {
				return
			}
		}
	}
}

func (c *toyClient) selects(q refund.Query, r *refund.Refund) bool {
	if c.flaw.knob == ignoresDates || r.CreatedAt.IsZero() && c.flaw.knob != hidesUndated {
		return true
	}
	return (q.Since.IsZero() || !r.CreatedAt.Before(q.Since)) && (q.Until.IsZero() || r.CreatedAt.Before(q.Until))
}
