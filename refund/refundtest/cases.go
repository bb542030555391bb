package refundtest

import (
	"context"
	"errors"
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
		{"retries exhausted keep the response", caseExhausted},
		{"retry-after beyond the cap", caseRetryAfter},
		{"stale read", caseStaleRead},
		{"resolving fails", caseResolvingFails},
		{"unknown for days", caseOld},
		{"looking sends nothing", caseLookOnly},
		{"paid twice", casePaidTwice},
		{"look-up fails", caseLookUpFails},
		{"abilities match capabilities", caseAbilities},
		{"capabilities are copies", caseCopies},
		{"wrapped", caseWrapped},
		{"parts, lines and information arrive", caseArrives},
		{"get refund", caseGet},
		{"list refunds", caseList},
		{"list refunds by time", caseListByTime},
		{"response of another refund", caseAnotherRefund},
		{"reads of another order", caseAnotherOrder},
		{"reads without their lists", caseSilent},
		{"markers that are lost or changed", caseMarkers},
		{"absurd numbers", caseAbsurd},
		{"transport that loses the context", caseLostContext},
		{"transport that rebuilds requests", caseRebuilt},
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
	if !e.caps.Partial || !e.caps.MultipleRefunds {
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
	if e.caps.RejectsExcess {
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
	if !e.caps.RejectsExcess {
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
	req.Amount = e.otherMoney()
	_, err := e.refund(context.Background(), req)
	refused(e, err, refund.ErrCurrencyMismatch)
	return ""
}

// refused checks a definite refusal of one of the kinds.
func refused(e *env, err error, kinds ...refund.Kind) {
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
	type invalid struct {
		field string // or the beginning of its name
		req   refund.Request
	}
	requests := map[string]invalid{
		"no key":                  {"IdempotencyKey", with(func(r *refund.Request) { r.IdempotencyKey = "" })},
		"long key":                {"IdempotencyKey", with(func(r *refund.Request) { r.IdempotencyKey = strings.Repeat("k", 65) })},
		"space in key":            {"IdempotencyKey", with(func(r *refund.Request) { r.IdempotencyKey = "a b" })},
		"newline in key":          {"IdempotencyKey", with(func(r *refund.Request) { r.IdempotencyKey = "a\nb" })},
		"no amount":               {"Amount", with(func(r *refund.Request) { r.Amount = refund.Money{} })},
		"zero":                    {"Amount", with(func(r *refund.Request) { r.Amount = e.money(0) })},
		"negative":                {"Amount", with(func(r *refund.Request) { r.Amount = e.money(-100) })},
		"captured in other money": {"Captured", with(func(r *refund.Request) { r.Captured = e.otherMoney() })},
		"more than was captured":  {"Amount", with(func(r *refund.Request) { r.Captured = e.money(99) })},
		"no order":                {"Order", with(func(r *refund.Request) { r.Order = refund.Order{} })},
		"unknown part":            {"Part", with(func(r *refund.Request) { r.Part = "half" })},
		"order with control":      {"Order", orderWith("1\x002")},
		"order of absurd length":  {"Order", orderWith(strings.Repeat("1", 10<<10))},
	}
	if !e.caps.RefundsLines {
		requests["line"] = invalid{"Line", with(func(r *refund.Request) { r.Line = "7" })}
	}
	if order.InvoiceID == "" { // the provider has none: dropping it would refund the order instead
		requests["invoice"] = invalid{"Order", with(func(r *refund.Request) { r.Order.InvoiceID = "7" })}
	}
	check := func(name string, invalid invalid) {
		_, err := e.client.Refund(context.Background(), invalid.req)
		e.note(err)
		var re *refund.Error
		if !errors.As(err, &re) {
			e.Errorf("%s: expected was a *refund.Error, not %v", name, err)
			return
		}
		kind, key := refund.ErrInvalidRequest, invalid.req.IdempotencyKey
		if name == "more than was captured" {
			kind = refund.ErrAmountExceeded
		}
		if invalid.field == "IdempotencyKey" { // whether what is no key is repeated is open
			key = re.IdempotencyKey
		}
		if problem := e.signed(err, key); problem != "" {
			e.Errorf("%s: %s: %v", name, problem, err)
		}
		if re.Outcome != refund.OutcomeNotSent || re.Kind != kind || !strings.HasPrefix(re.Field, invalid.field) || re.Message == "" {
			e.Errorf("%s: expected was an error like %q, not sent, that names %s: %v", name, kind, invalid.field, err)
		}
		if len(re.Error()) > 512 {
			e.Errorf("%s: the error is %d characters long", name, len(re.Error()))
		}
	}
	for name, invalid := range requests {
		check(name, invalid)
	}
	if n := len(e.net.Requests()); n > 0 {
		e.Errorf("%d requests went out for invalid refunds", n)
	}
	// Where the id is no part of a path, such an order may exist.
	for _, id := range []string{"..", "1/../2", "../../admin", "1 2", "1?a=b#c"} {
		var seen witness
		e.net.through(seen.look)
		if _, err := e.client.Refund(context.Background(), orderWith(id)); len(seen.texts) == 0 {
			check("order "+id, invalid{"Order", orderWith(id)})
		} else if e.note(err); err == nil {
			e.Errorf("an order %q was refunded that nobody has made", id)
		} else if problem := seen.carried(id); problem != "" {
			e.Errorf("order %q: %s", id, problem)
		}
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
	if first.Replayed {
		e.Errorf("the first refund is marked as replayed: %+v", first)
	}
	again, err := e.refund(context.Background(), req)
	switch e.caps.Repeat {
	case refund.RepeatSame, refund.RepeatFound:
		if err != nil {
			e.Errorf("Capabilities.Repeat is %q, but the repeat failed: %v", e.caps.Repeat, err)
		} else if again.ID != first.ID {
			e.Errorf("the repeat returned the refund %q instead of %q", again.ID, first.ID)
		} else if e.caps.Repeat == refund.RepeatFound && !again.Replayed {
			e.Errorf("the repeat was found, and is not marked as replayed: %+v", again)
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
	_, err := e.refund(context.Background(), req)
	switch {
	case err == nil:
		e.Errorf("the key of a refund of 25.00 was good for one of 10.00 too")
	case e.caps.Repeat == refund.RepeatRefused: // whatever the key was
	case refund.OutcomeOf(err) != refund.OutcomeUnknown, refund.KindOf(err) != refund.ErrKeyReused && refund.KindOf(err) != refund.ErrConflict:
		e.Errorf("the key's refund was paid: expected was %q or %q, outcome unknown: %v", refund.ErrKeyReused, refund.ErrConflict, err)
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

// nothingSent reports whether err says that a call has sent nothing, as far as the client can say so.
func (e *env) nothingSent(err error) bool {
	outcome := refund.OutcomeOf(err)
	return outcome == refund.OutcomeNotSent || e.records && outcome == refund.OutcomeUnknown
}

func caseCanceledBefore(e *env) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := e.refund(ctx, e.request(e.order(), 100))
	if !e.nothingSent(err) || !errors.Is(err, context.Canceled) {
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
		e.Errorf("the error has lost the last response: status %d, attempts %d, %d bytes", re.HTTPStatus, re.Attempts, len(re.Raw))
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

// caseArrives checks every claim of Capabilities about what travels.
func caseArrives(e *env) string {
	informant, ok := e.sim.(Informant)
	if !ok {
		if len(e.caps.Parts) > 0 || e.caps.RefundsLines || e.caps.Reason || e.caps.Metadata {
			e.Errorf("Capabilities claim that information travels, but the simulator is no Informant")
		}
		return "the provider takes an amount and nothing else"
	}
	for _, part := range append([]refund.Part{refund.PartOrder}, e.caps.Parts...) {
		order, line := informant.AddPartOrder(e.money(2500), part)
		req := e.request(order, 2500)
		req.Part = part
		if e.caps.RefundsLines {
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
