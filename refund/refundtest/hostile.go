package refundtest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// unknown checks that an error leaves the outcome open, where a spoiled response proves nothing.
func (e *env) unknown(what string, err error) {
	e.Helper()
	if err == nil || refund.OutcomeOf(err) != refund.OutcomeUnknown {
		e.Errorf("%s: the outcome is unknown, but the client says: %v", what, err)
	}
}

// caseAnotherRefund: a desynchronised gateway answers a write with the response of the one before it.
func caseAnotherRefund(e *env) string {
	ctx := context.Background()
	skip := "the provider's response does not say which refund it is of"
	for _, delivered := range []bool{true, false} {
		for _, minor := range []int64{2500, 1000} { // another amount, and the same
			var last recorded
			e.net.through(last.record)
			first := e.request(e.order(), 1000)
			if _, err := e.refund(ctx, first); err != nil {
				e.Errorf("the first refund failed: %v", err)
				return ""
			}
			req := e.request(e.order(), minor)
			telling := []string{first.Order.ID, first.Order.MerchantID, first.Order.InvoiceID, first.IdempotencyKey}
			if req.Amount != first.Amount {
				amount := first.Amount.Amount()
				telling = append(telling, amount, strings.TrimSuffix(amount, ".00"), strconv.FormatInt(first.Amount.Minor(), 10))
			}
			if !names(last.body, telling...) {
				e.net.through(nil)
				continue
			}
			skip = ""
			e.net.through(last.desynchronised(delivered))
			got, err := e.refund(ctx, req)
			e.net.through(nil)
			if err == nil {
				e.Errorf("the response of %v was taken for that of %v: %+v", first, req, got)
				continue
			}
			e.unknown("a response is of another refund", err)
			e.settle(err)
		}
	}
	return skip
}

// caseAnotherOrder: reads show another order than the one that was asked for, and name it.
func caseAnotherOrder(e *env) string {
	ctx := context.Background()
	ever := false
	// misled runs what reads, while reads about order show other, and reports whether one named it.
	misled := func(order, other refund.Order, read func()) bool {
		named := new(atomic.Bool)
		e.net.through(misrouted(order, other, named))
		defer e.net.through(nil)
		read()
		ever = ever || named.Load()
		return named.Load()
	}
	verdict := func(err error) (verdict refund.Verdict) {
		resolver, ok := refund.As[refund.Resolver](e.client)
		var re *refund.Error
		if !ok || !errors.As(err, &re) {
			return 0
		}
		a := re.Attempt
		for range 3 {
			<-time.After(2 * e.caps.AbsenceAfter)
			got, err := resolver.Resolve(ctx, a)
			if e.note(got, err); err == nil {
				verdict, a = got.Verdict, got.Attempt
			}
		}
		return verdict
	}

	empty, order := e.order(), e.order()
	e.net.Always(LostAnswer)
	_, err := e.refund(ctx, e.request(order, 2500))
	e.net.Always(DialError)
	var got refund.Verdict
	if named := misled(order, empty, func() { got = verdict(err) }); named && got == refund.VerdictNotApplied {
		e.Errorf("resolved as not applied, because another order has no refund")
	}
	e.net.Always("")

	paid := e.order()
	made, err := e.refund(ctx, e.request(paid, 2500))
	if err != nil {
		e.Errorf("the refund failed: %v", err)
		return ""
	}
	order = e.order()
	e.net.Always(ResetBeforeWrite)
	_, err = e.refund(ctx, e.request(order, 2500))
	e.net.Always(DialError)
	if named := misled(order, paid, func() { got = verdict(err) }); named && got == refund.VerdictApplied {
		e.Errorf("resolved as applied, because another order has a refund")
	}
	e.net.Always("")

	lister, ok := refund.As[refund.Lister](e.client)
	listed := ok && misled(order, paid, func() {
		all, err := e.drain(lister.Refunds(ctx, refund.Query{Order: order}), order)
		got = 0
		if err == nil && len(all) > 0 {
			got = refund.VerdictApplied
		}
	})
	if listed && got == refund.VerdictApplied {
		e.Errorf("the refunds of another order are listed")
	}
	if getter, ok := refund.As[refund.Getter](e.client); ok {
		var err error
		if misled(order, paid, func() { _, err = getter.GetRefund(ctx, refund.Ref{Order: order, ID: made.ID}) }) && err == nil {
			e.Errorf("a refund of another order was read")
		}
		e.note(err)
	}
	if listed && e.caps.Repeat == refund.RepeatFound {
		req := e.request(e.order(), 2500)
		if _, err := e.refund(ctx, req); err != nil {
			e.Errorf("the refund failed: %v", err)
		}
		misled(req.Order, paid, func() {
			_, _ = e.refund(ctx, req) //nolint:errcheck // that it was not paid twice is checked in the end
		})
	}
	if !ever {
		return "no read names the order"
	}
	return ""
}

// caseSilent: the lists that reads should show are missing or null. Nothing is not the same as none.
func caseSilent(e *env) string {
	ctx := context.Background()
	if e.caps.ResolvedBy == refund.ResolvedByPerson && !has[refund.Lister](e.client) {
		return "nothing can be read"
	}
	for what, instead := range map[string]any{"missing": gone{}, "null": nil} {
		silent := editing(isRead, silenced(instead))
		req := e.request(e.order(), 2500)
		if e.caps.Repeat == refund.RepeatFound { // paid, and not shown
			if _, err := e.refund(ctx, req); err != nil {
				e.Errorf("the refund failed: %v", err)
			}
			e.net.through(silent)
			_, _ = e.refund(ctx, req) //nolint:errcheck // that it was not paid twice is checked in the end
			e.net.through(nil)
			req = e.request(e.order(), 2500)
		}
		e.net.Always(LostAnswer)
		_, err := e.refund(ctx, req)
		e.net.Always(DialError)
		e.net.through(silent)
		if lister, ok := refund.As[refund.Lister](e.client); ok {
			if all, err := e.drain(lister.Refunds(ctx, refund.Query{Order: req.Order}), req.Order); err == nil && len(all) == 0 {
				e.Errorf("the list of refunds is %s, and was taken for an empty one", what)
			}
		}
		if err != nil && has[refund.Resolver](e.client) {
			e.resolve(err) // compares with the ledger
		}
		e.net.through(nil)
		e.net.Always("")
	}
	return ""
}

// caseMarkers: what a refund is found by is left out of the reads, or is shown cut or changed. Then a refund of the order that
// nobody knows may be the one that is looked for.
func caseMarkers(e *env) string {
	if e.caps.ResolvedBy != refund.ResolvedByKey && e.caps.ResolvedBy != refund.ResolvedByMarker || !e.caps.MultipleRefunds {
		return "no refund says which key it was made with, or an order has only one"
	}
	marked := new(atomic.Bool)
	// try makes a refund, and another of the same order and amount that meets a fault. Then the markers of the second are changed
	// in all reads, unless change is nil, and it is looked for.
	try := func(what string, f Fault, change func(marker string) any, knows func(first *refund.Refund) []refund.Known) refund.Verdict {
		order := e.order()
		var before, after witness
		e.net.through(before.look)
		first, err := e.refund(context.Background(), e.request(order, 2500))
		if err != nil {
			e.Errorf("the refund failed: %v", err)
			return refund.VerdictUndetermined
		}
		e.net.through(after.look)
		asked, ok := e.lose(e.request(order, 2500), f)
		e.net.through(nil)
		if !ok {
			e.Errorf("%s: a refund whose every request meets %s is unknown", what, f)
			return refund.VerdictUndetermined
		}
		asked.LookOnly = true // only the reads count
		if knows != nil {
			asked.Known = knows(first)
		}
		if change != nil {
			e.net.through(editing(isRead, func(value any) any {
				text, ok := value.(string)
				if !ok || !slices.Contains(after.texts, text) || slices.Contains(before.texts, text) {
					return value
				}
				marked.Store(true)
				return change(text)
			}))
		}
		got := e.inquire(asked) // compares with the ledger
		e.net.through(nil)
		if got.Verdict == refund.VerdictApplied && f == LostAnswer && got.Refund != nil && got.Refund.ID == first.ID {
			e.Errorf("%s: the refund that was found is another's", what)
		}
		return got.Verdict
	}
	the := func(first *refund.Refund) []refund.Known {
		return []refund.Known{{Key: first.IdempotencyKey, RefundID: first.ID}}
	}
	for what, change := range map[string]func(string) any{
		"left out":   func(string) any { return gone{} },
		"cut":        func(marker string) any { return marker[:len(marker)-1] },
		"upper-case": func(marker string) any { return strings.ToUpper(marker) },
		"prefixed":   func(marker string) any { return "shop-" + marker },
	} {
		if try("the marker is "+what, LostAnswer, change, the) == refund.VerdictNotApplied {
			e.Errorf("the marker is %s: resolved as not applied, although there is a refund that nobody knows", what)
		}
	}
	if try("the marker is left out", LostAnswer, func(string) any { return gone{} }, nil) == refund.VerdictNotApplied {
		e.Errorf("resolved as not applied, although there is a refund without a marker")
	}
	if !marked.Load() {
		return "no read shows what a request was marked with"
	}
	for what, known := range map[string]func(*refund.Refund) []refund.Known{
		"the other refund is known":        the,
		"the other refund is known by id":  func(first *refund.Refund) []refund.Known { return []refund.Known{{RefundID: first.ID}} },
		"the other refund is known by key": func(first *refund.Refund) []refund.Known { return []refund.Known{{Key: first.IdempotencyKey}} },
		"the caller knows no refunds":      nil,
	} {
		if got := try(what, ResetBeforeWrite, nil, known); got != refund.VerdictNotApplied {
			e.Errorf("%s, and nothing else is there: resolved as %s", what, got)
		}
	}
	unknown := try("nobody knows the other refund", ResetBeforeWrite, nil, func(*refund.Refund) []refund.Known { return []refund.Known{} })
	if unknown == refund.VerdictNotApplied && !e.records { // who keeps records knows what he has refunded himself
		e.Errorf("resolved as not applied, although there is a refund that nobody knows")
	}
	return ""
}

// caseAbsurd: numbers have more digits than any amount has.
func caseAbsurd(e *env) string {
	ctx := context.Background()
	used := new(atomic.Bool)
	e.net.through(editing(func(req *http.Request) bool { return !isRead(req) }, absurd(used)))
	_, err := e.refund(ctx, e.request(e.order(), 2500))
	if used.Load() {
		e.unknown("the response to a refund has absurd numbers", err)
	}
	e.net.through(nil)
	if err != nil {
		e.settle(err)
	}

	used = new(atomic.Bool)
	req := e.request(e.order(), 2500)
	e.net.Always(LostAnswer)
	_, err = e.refund(ctx, req)
	e.net.Always(DialError)
	e.net.through(editing(isRead, absurd(used)))
	if lister, ok := refund.As[refund.Lister](e.client); ok {
		if all, err := e.drain(lister.Refunds(ctx, refund.Query{Order: req.Order}), req.Order); err == nil && used.Load() {
			e.Errorf("a list with absurd numbers was believed: %v", ids(all))
		}
	}
	if err != nil && has[refund.Resolver](e.client) {
		e.resolve(err) // compares with the ledger
	}
	return ""
}

// caseLostContext: a transport hides from the client what it does, and fails as if it had not connected.
func caseLostContext(e *env) string {
	e.net.through(forgetful)
	mark := e.net.mark()
	_, err := e.refund(context.Background(), e.request(e.order(), 2500))
	e.unknown("a transport reports nothing but an error", err)
	if n := e.net.since(mark).writes; n > 1 && e.caps.Repeat != refund.RepeatSame {
		e.Errorf("the refund was sent %d times, although nothing proves that it had not arrived", n)
	}
	e.net.through(nil)
	if err != nil {
		e.settle(err)
	}
	return ""
}

// caseRebuilt: a transport makes each request anew, and a pooled connection dies after the provider has acted.
func caseRebuilt(e *env) string {
	ctx := context.Background()
	if _, err := e.refund(ctx, e.request(e.order(), 2500)); err != nil { // which leaves a connection in the pool
		e.Errorf("the refund failed: %v", err)
		return ""
	}
	e.net.through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if e.server == nil && !isRead(req) {
			next = transportFunc(e.net.deliverTwice)
		}
		return rebuilding(req, next)
	})
	if e.server != nil {
		e.server.cut.Store(true)
	}
	req := e.request(e.order(), 2500)
	_, err := e.refund(ctx, req)
	e.net.through(nil)
	if n := len(e.sim.Ledger(req.Order)); n != 1 {
		e.Errorf("the refund was made %d times", n)
	}
	if err != nil {
		e.settle(err)
	}
	return ""
}
