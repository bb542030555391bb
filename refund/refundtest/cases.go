package refundtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// cases is the contract.
func cases() []testCase {
	all := []testCase{
		{"full refund", caseFull},
		{"partial refunds until exhausted", casePartial},
		{"more than is left", caseExceeded},
		{"unknown order", caseUnknownOrder},
		{"other currency", caseCurrency},
		{"invalid requests are not sent", caseInvalid},
		{"same key again", caseSameKey},
		{"same key with another amount", caseSameKeyOtherAmount},
		{"same key at the same time", caseSameKeyConcurrently},
		{"many orders at the same time", caseConcurrent},
		{"context over before the call", caseCanceledBefore},
		{"context over during the call", caseCanceledDuring},
		{"context over while waiting to retry", caseCanceledWaiting},
		{"retries exhausted keep the answer", caseExhausted},
		{"retry-after beyond the cap", caseRetryAfter},
		{"stale read", caseStaleRead},
		{"look-up fails", caseLookUpFails},
		{"abilities match capabilities", caseAbilities},
		{"parts, lines and information arrive", caseArrives},
		{"get refund", caseGet},
		{"list refunds", caseList},
	}
	for _, f := range Faults() {
		all = append(all,
			testCase{"fault once: " + string(f), func(e *env) string { return caseFault(e, f, false) }},
			testCase{"fault always: " + string(f), func(e *env) string { return caseFault(e, f, true) }},
		)
	}
	return all
}

func caseFull(e *env) string {
	order := e.order()
	got, err := e.refund(context.Background(), e.request(order, 10000))
	if err != nil {
		e.Errorf("a full refund failed: %v", err)
		return ""
	}
	if e.caps.Synchronous != (got.Status == refund.StatusSucceeded) {
		e.Errorf("Capabilities.Synchronous is %v, but the status is %q", e.caps.Synchronous, got.Status)
	}
	return ""
}

func casePartial(e *env) string {
	if !e.caps.Partial || !e.caps.Several {
		return "the provider has one refund for an order"
	}
	order := e.order()
	// Two equal ones are two refunds, and 19.99 is less than 19.99 to those who count with floats.
	for _, minor := range []int64{1999, 1999, 6002} {
		<-time.After(2 * time.Minute)
		if _, err := e.refund(context.Background(), e.request(order, minor)); err != nil {
			e.Errorf("a partial refund failed: %v", err)
		}
	}
	if e.caps.Capped {
		if _, err := e.refund(context.Background(), e.request(order, 1)); err == nil {
			e.Errorf("more was refunded than was paid")
		}
	}
	if n := len(e.sim.Ledger(order)); n != 3 {
		e.Errorf("the ledger has %d refunds, not 3", n)
	}
	return ""
}

func caseExceeded(e *env) string {
	if !e.caps.Capped {
		return "the provider documents no limit to what is refunded of an order"
	}
	_, err := e.refund(context.Background(), e.request(e.order(), 10001))
	refused(e, err, refund.ErrAmountExceeded)
	return ""
}

func caseUnknownOrder(e *env) string {
	_, err := e.refund(context.Background(), e.request(e.sim.UnknownOrder(), 100))
	refused(e, err, refund.ErrOrderNotFound, refund.ErrNotRefundable)
	return ""
}

func caseCurrency(e *env) string {
	req := e.request(e.order(), 100)
	other := "JPY"
	if e.h.Currency == other {
		other = "KWD"
	}
	req.Amount = refund.MustParseMoney("100", other)
	_, err := e.refund(context.Background(), req)
	refused(e, err, refund.ErrCurrencyMismatch)
	return ""
}

// refused checks a definite refusal of one of the kinds.
func refused(e *env, err error, kinds ...error) {
	e.Helper()
	if err == nil {
		e.Errorf("the refund went through; expected was an error like %q", kinds[0])
		return
	}
	if refund.OutcomeOf(err) == refund.OutcomeUnknown {
		e.Errorf("a definite refusal was called unknown: %v", err)
	}
	for _, k := range kinds {
		if errors.Is(err, k) {
			return
		}
	}
	e.Errorf("expected was an error like %q: %v", kinds[0], err)
}

func caseInvalid(e *env) string {
	order := e.order()
	with := func(change func(*refund.Request)) refund.Request {
		req := e.request(order, 100)
		change(&req)
		return req
	}
	orderWith := func(id string) refund.Request {
		return with(func(r *refund.Request) {
			for _, p := range []*string{&r.Order.ID, &r.Order.MerchantID, &r.Order.InvoiceID} {
				if *p != "" {
					*p = id
				}
			}
		})
	}
	requests := map[string]refund.Request{
		"no key":         with(func(r *refund.Request) { r.IdempotencyKey = "" }),
		"long key":       with(func(r *refund.Request) { r.IdempotencyKey = strings.Repeat("k", 65) }),
		"space in key":   with(func(r *refund.Request) { r.IdempotencyKey = "a b" }),
		"newline in key": with(func(r *refund.Request) { r.IdempotencyKey = "a\nb" }),
		"no amount":      with(func(r *refund.Request) { r.Amount = refund.Money{} }),
		"zero":           with(func(r *refund.Request) { r.Amount = e.money(0) }),
		"negative":       with(func(r *refund.Request) { r.Amount = e.money(-100) }),
		"no order":       with(func(r *refund.Request) { r.Order = refund.Order{} }),
		"unknown part":   with(func(r *refund.Request) { r.Part = "half" }),
		"dots":           orderWith(".."),
		"slash":          orderWith("1/../2"),
		"control":        orderWith("1\x002"),
		"long":           orderWith(strings.Repeat("1", 10<<10)),
	}
	if !e.caps.Lines {
		requests["line"] = with(func(r *refund.Request) { r.Line = "7" })
	}
	for name, req := range requests {
		_, err := e.client.Refund(context.Background(), req)
		e.note(err)
		var re *refund.Error
		if !errors.As(err, &re) {
			e.Errorf("%s: expected was a *refund.Error, not %v", name, err)
			continue
		}
		if re.Outcome != refund.OutcomeNotSent || re.Kind != refund.KindInvalidRequest || re.Field == "" || re.Message == "" {
			e.Errorf("%s: expected was an invalid request, not sent, that names its field: %v", name, err)
		}
		if len(re.Error()) > 512 {
			e.Errorf("%s: the error is %d characters long", name, len(re.Error()))
		}
	}
	if n := len(e.net.Requests()); n > 0 {
		e.Errorf("%d requests went out for invalid refunds", n)
	}
	return ""
}

func caseSameKey(e *env) string {
	req := e.request(e.order(), 2500)
	first, err := e.refund(context.Background(), req)
	if err != nil {
		e.Errorf("the first refund failed: %v", err)
		return ""
	}
	again, err := e.refund(context.Background(), req)
	switch e.caps.Repeat {
	case refund.RepeatSame, refund.RepeatFound:
		if err != nil {
			e.Errorf("Capabilities.Repeat is %q, but the repeat failed: %v", e.caps.Repeat, err)
		} else if again.ID != first.ID {
			e.Errorf("the repeat returned the refund %q instead of %q", again.ID, first.ID)
		}
	case refund.RepeatRefused, refund.RepeatRefundsAgain:
		if err == nil {
			e.Errorf("Capabilities.Repeat is %q, but the repeat went through", e.caps.Repeat)
		}
	default:
		e.Errorf("Capabilities.Repeat is %q", e.caps.Repeat)
	}
	return ""
}

func caseSameKeyOtherAmount(e *env) string {
	if e.caps.Repeat == refund.RepeatRefundsAgain {
		return "the provider does not know keys: another amount is another refund to it"
	}
	req := e.request(e.order(), 2500)
	if _, err := e.refund(context.Background(), req); err != nil {
		e.Errorf("the first refund failed: %v", err)
	}
	req.Amount = e.money(1000)
	if _, err := e.refund(context.Background(), req); err == nil {
		e.Errorf("the key of a refund of 25.00 was good for one of 10.00 too")
	}
	return ""
}

func caseSameKeyConcurrently(e *env) string {
	if e.caps.Repeat != refund.RepeatSame && e.caps.Repeat != refund.RepeatRefundsAgain {
		return "the client looks before it sends; only a journal closes the gap between two that look at once"
	}
	req := e.request(e.order(), 2500)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := e.client.Refund(context.Background(), req)
			e.note(err)
		})
	}
	wg.Wait()
	if n := len(e.sim.Ledger(req.Order)); n != 1 {
		e.Errorf("8 calls at once with one key moved money %d times", n)
	}
	return ""
}

func caseConcurrent(e *env) string {
	var wg sync.WaitGroup
	for range 16 {
		req := e.request(e.order(), 2500)
		wg.Go(func() {
			if _, err := e.refund(context.Background(), req); err != nil {
				e.Errorf("a refund failed: %v", err)
			}
		})
	}
	wg.Wait()
	return ""
}

func caseCanceledBefore(e *env) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := e.refund(ctx, e.request(e.order(), 100))
	if refund.OutcomeOf(err) != refund.OutcomeNotSent || !errors.Is(err, context.Canceled) {
		e.Errorf("expected was context.Canceled, not sent: %v", err)
	}
	if n := len(e.net.Requests()); n > 0 {
		e.Errorf("%d requests went out", n)
	}
	return ""
}

func caseCanceledDuring(e *env) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	e.net.Always(NoAnswer)
	began := time.Now()
	_, err := e.refund(ctx, e.request(e.order(), 2500))
	if took := time.Since(began); took > 5*time.Second {
		e.Errorf("the call took %v, although its context ended after 5s", took)
	}
	if refund.OutcomeOf(err) != refund.OutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
		e.Errorf("expected was context.DeadlineExceeded, outcome unknown: %v", err)
	}
	return ""
}

func caseCanceledWaiting(e *env) string {
	const patience = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.net.Always(DialError)
	began := time.Now()
	_, err := e.refund(ctx, e.request(e.order(), 2500))
	if took := time.Since(began); took > patience {
		e.Errorf("the call took %v, although its context ended after %v", took, patience)
	}
	if err == nil {
		e.Errorf("the refund went through without a network")
	}
	return ""
}

func caseExhausted(e *env) string {
	e.net.Always(ServerErrorBeforeCommit)
	_, err := e.refund(context.Background(), e.request(e.order(), 2500))
	if idle := e.net.idle(); idle > 0 {
		e.Errorf("the call waited %v after its last request, for nothing", idle)
	}
	var re *refund.Error
	if errors.As(err, &re) && (re.HTTPStatus != http.StatusServiceUnavailable || re.Attempts < 1 || len(re.Raw) == 0) {
		e.Errorf("the error has lost the last answer: status %d, attempts %d, %d bytes", re.HTTPStatus, re.Attempts, len(re.Raw))
	}
	return ""
}

func caseRetryAfter(e *env) string {
	e.net.Always(ThrottleForever)
	began := time.Now()
	_, err := e.refund(context.Background(), e.request(e.order(), 2500))
	var re *refund.Error
	if !errors.As(err, &re) || re.RetryAfter != 24*time.Hour || !errors.Is(err, refund.ErrRateLimited) {
		e.Errorf("expected was a rate limit with the wait that the provider asks for: %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		e.Errorf("the call slept for %v", took)
	}
	return ""
}

// caseFault lets the first write, or every write, meet a fault, heals the network, and then does what a careful user
// does: resolve what is unknown, and send the same key again when nothing moved.
func caseFault(e *env, f Fault, always bool) string {
	ctx := context.Background()
	if always {
		e.net.Always(f)
	} else {
		e.net.Inject(f)
	}
	req := e.request(e.order(), 2500)
	_, err := e.refund(ctx, req)
	e.net.Always("")
	if err == nil {
		if len(e.sim.Ledger(req.Order)) != 1 {
			e.Errorf("the client says that the refund was made, but nothing moved")
		}
		return ""
	}
	if refund.OutcomeOf(err) == refund.OutcomeUnknown {
		if e.caps.Resolve == refund.ResolveByHand {
			return "" // a person looks; that the outcome was not misreported has been checked
		}
		verdict, known := e.resolve(err)
		if !known {
			e.Errorf("the outcome could not be resolved: %v", err)
			return ""
		}
		if verdict == refund.VerdictApplied {
			return ""
		}
	}
	if n := len(e.sim.Ledger(req.Order)); n > 0 {
		e.Errorf("the client says that nothing moved, but the ledger has %d", n)
	}
	if _, err := e.refund(ctx, req); err != nil {
		e.Errorf("the same key could not be sent again after nothing had moved: %v", err)
	}
	return ""
}

func caseStaleRead(e *env) string {
	if e.caps.Resolve == refund.ResolveByHand {
		return "the provider cannot be read"
	}
	order := e.order()
	<-time.After(time.Minute)
	e.sim.SetReadLag(30 * time.Second)
	req := e.request(order, 2500)
	e.net.Always(LostAnswer)
	_, err := e.refund(context.Background(), req)
	if refund.OutcomeOf(err) != refund.OutcomeUnknown || err == nil {
		e.Errorf("a refund whose answers are all lost is unknown: %v", err)
		return ""
	}
	if lister, ok := e.client.(refund.Lister); ok {
		for _, err := range lister.Refunds(context.Background(), refund.Query{Order: order}) {
			if err == nil {
				e.Errorf("the simulator shows a refund at once: its SetReadLag has no effect")
			}
		}
	}
	// The network stays broken for writes, so that only the read can tell; it lags, and must not be believed at once.
	if verdict, known := e.resolve(err); known && verdict != refund.VerdictApplied {
		e.Errorf("a stale read was believed: %s", verdict)
	}
	return ""
}

// caseLookUpFails: a client that looks before it sends must not send when it could not look.
func caseLookUpFails(e *env) string {
	req := e.request(e.order(), 2500)
	e.net.BreakReads(true)
	_, err := e.refund(context.Background(), req)
	e.net.BreakReads(false)
	requests := e.net.Requests()
	if len(requests) == 1 && requests[0].Method != http.MethodGet {
		return "the client does not look before it sends"
	}
	for _, r := range requests {
		if r.Method != http.MethodGet {
			e.Errorf("the refund was sent without having looked: %v", err)
			return ""
		}
	}
	var re *refund.Error
	if !errors.As(err, &re) || re.Outcome == refund.OutcomeUnknown || re.IdempotencyKey != req.IdempotencyKey {
		e.Errorf("expected was an error with the key that says that nothing moved: %v", err)
	}
	if _, err := e.refund(context.Background(), req); err != nil {
		e.Errorf("the same key could not be sent again after a look-up had failed: %v", err)
	}
	return ""
}

func caseAbilities(e *env) string {
	_, resolver := e.client.(refund.Resolver)
	if !resolver && e.caps.Resolve != refund.ResolveByHand {
		e.Errorf("Capabilities.Resolve is %q, Resolver is %v", e.caps.Resolve, resolver)
	}
	if _, ok := e.client.(refund.Baseliner); ok && e.caps.Resolve != refund.ResolveByBaseline {
		e.Errorf("Capabilities.Resolve is %q, Baseliner is %v", e.caps.Resolve, ok)
	}
	if e.caps.Provider == "" || e.caps.Repeat == "" || e.caps.Resolve == "" {
		e.Errorf("Capabilities are incomplete: %+v", e.caps)
	}
	if e.caps.WriteTimeout <= 0 || e.caps.ReadLag <= 0 && e.caps.Resolve != refund.ResolveByHand {
		e.Errorf("Capabilities have no WriteTimeout, or no ReadLag although something can be read: %+v", e.caps)
	}
	return ""
}

// caseArrives checks every claim of Capabilities about what travels.
func caseArrives(e *env) string {
	informant, ok := e.sim.(Informant)
	if !ok {
		if len(e.caps.Parts) > 0 || e.caps.Lines || e.caps.Reason || e.caps.Metadata {
			e.Errorf("Capabilities claim that information travels, but the simulator is no Informant")
		}
		return "the provider takes an amount and nothing else"
	}
	for _, part := range append([]refund.Part{refund.PartOrder}, e.caps.Parts...) {
		order, line := informant.AddPartOrder(e.money(2500), part)
		req := e.request(order, 2500)
		req.Part = part
		if e.caps.Lines {
			req.Line = line
		}
		if _, err := e.refund(context.Background(), req); err != nil {
			e.Errorf("part %q: %v", part, err)
			continue
		}
		arrived := informant.Arrived(order)
		if len(arrived) != 1 {
			e.Errorf("part %q: %d refunds arrived", part, len(arrived))
			continue
		}
		got := arrived[0]
		if got.Amount != req.Amount || got.Part != part || got.Line != req.Line {
			e.Errorf("part %q: arrived as %s of %q, line %q; sent was %s, line %q", part, got.Amount, got.Part, got.Line, req.Amount, req.Line)
		}
		if (got.Reason == req.Reason) != e.caps.Reason {
			e.Errorf("Capabilities.Reason is %v, but %q arrived as %q", e.caps.Reason, req.Reason, got.Reason)
		}
		for k, v := range req.Metadata {
			if (got.Metadata[k] == v) != e.caps.Metadata {
				e.Errorf("Capabilities.Metadata is %v, but %q arrived as %q", e.caps.Metadata, v, got.Metadata[k])
			}
		}
	}
	return ""
}

func caseGet(e *env) string {
	getter, ok := e.client.(refund.Getter)
	if !ok {
		return "the client is no Getter"
	}
	ctx := context.Background()
	want, err := e.refund(ctx, e.request(e.order(), 2500))
	if err != nil {
		e.Errorf("the refund failed: %v", err)
		return ""
	}
	got, err := getter.GetRefund(ctx, refund.Ref{Order: want.Order, ID: want.ID})
	e.note(got, err)
	if err != nil {
		e.Errorf("the refund could not be read: %v", err)
		return ""
	}
	if got.ID != want.ID || got.Order != want.Order || got.Amount != e.money(2500) {
		e.Errorf("read was %+v, made was %+v", got, want)
	}
	if _, err := getter.GetRefund(ctx, refund.Ref{Order: e.sim.UnknownOrder(), ID: want.ID}); err == nil || refund.OutcomeOf(err) == refund.OutcomeUnknown {
		e.Errorf("a refund of an unknown order: %v", err)
	}
	return ""
}

func caseList(e *env) string {
	lister, ok := e.client.(refund.Lister)
	if !ok {
		return "the client is no Lister"
	}
	ctx := context.Background()
	order := e.order()
	want := map[string]bool{}
	for i := range int64(3) {
		if i > 0 && !e.caps.Several {
			break
		}
		<-time.After(2 * time.Minute)
		got, err := e.refund(ctx, e.request(order, 1000+i))
		if err != nil {
			e.Errorf("the refund failed: %v", err)
			return ""
		}
		want[got.ID] = true
	}
	seq := lister.Refunds(ctx, refund.Query{Order: order})
	for pass := range 2 {
		seen := map[string]bool{}
		for got, err := range seq {
			e.note(got, err)
			if err != nil {
				e.Errorf("pass %d: %v", pass, err)
				break
			}
			seen[got.ID] = true
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			e.Errorf("pass %d listed %v, made were %v", pass, seen, want)
		}
	}
	seq(func(*refund.Refund, error) bool { return false }) // must not panic or go on
	errs := 0
	for _, err := range lister.Refunds(ctx, refund.Query{Order: e.sim.UnknownOrder()}) {
		if err == nil {
			e.Errorf("an unknown order has refunds")
		}
		errs++
	}
	if errs > 1 {
		e.Errorf("the listing went on after its first error")
	}
	return ""
}
