package refundtest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/multirefund/refund-go/refund"
)

const (
	// rounds bounds how often the suite asks what became of a refund.
	rounds = 32
	// apart is how long two looks must be apart before their absence counts.
	apart = time.Minute
)

// inquiry is what is known of an unknown refund while it is being resolved.
type inquiry struct {
	*env
	attempt refund.Attempt
	missed  time.Time // when it was first not seen although it should have appeared by then
	others  int       // how many refunds of other keys the order has
}

// resolve asks what became of the refund behind err until it is known, and reports whether it is.
func (e *env) resolve(err error) (refund.Verdict, bool) {
	e.Helper()
	var re *refund.Error
	if !errors.As(err, &re) || re.Outcome != refund.OutcomeUnknown {
		e.Errorf("there is nothing to resolve: %v", err)
		return 0, false
	}
	got := e.inquire(re.Attempt)
	return got.Verdict, got.Verdict != refund.VerdictUndetermined
}

// inquire asks what became of an Attempt until it is known or a person has to look, as a careful caller does, and compares the
// result with the ledger.
func (e *env) inquire(asked refund.Attempt) refund.Resolution {
	e.Helper()
	resolver, ok := refund.As[refund.Resolver](e.client)
	if !ok {
		e.Errorf("Capabilities.ResolvedBy is %q, but the client is no Resolver", e.caps.ResolvedBy)
		return refund.Resolution{}
	}
	q := inquiry{env: e, attempt: asked}
	e.mu.Lock()
	for key := range e.paid[asked.Request.Order] {
		if key != asked.Request.IdempotencyKey {
			q.others++
		}
	}
	e.mu.Unlock()
	for range rounds {
		got, err := resolver.Resolve(context.Background(), q.attempt)
		e.note(err, got)
		if err != nil {
			q.failed(err)
			<-time.After(time.Minute)
			continue
		}
		if got.Verdict != refund.VerdictUndetermined {
			q.judged(&got)
			return got
		}
		if got.NotBefore.IsZero() { // a person looks
			return got
		}
		if !time.Now().Before(q.settled()) && q.missed.IsZero() {
			q.missed = time.Now()
		}
		q.follow(got.Attempt)
		<-time.After(time.Until(got.NotBefore))
	}
	return refund.Resolution{}
}

// settled is when a refund that is not seen may be believed to be absent.
func (q *inquiry) settled() time.Time {
	last := q.attempt.LastSent
	if lost := q.net.mark().lost; len(lost) > 0 && lost[len(lost)-1].After(last) {
		last = lost[len(lost)-1]
	}
	return last.Add(q.caps.AbsenceAfter)
}

// failed checks an error of Resolve.
func (q *inquiry) failed(err error) {
	q.Helper()
	problem := q.signed(err, q.attempt.Request.IdempotencyKey)
	if problem == "" && refund.OutcomeOf(err) != refund.OutcomeUnknown {
		problem = "a failure to resolve leaves the outcome as unknown as before"
	}
	var re *refund.Error
	if problem != "" || !errors.As(err, &re) {
		q.Errorf("%s: %v", problem, err)
		return
	}
	q.follow(re.Attempt)
}

// follow takes over the Attempt that replaces the one that was asked about, unless it has forgotten something.
func (q *inquiry) follow(next refund.Attempt) {
	q.Helper()
	now := &q.attempt
	switch {
	case !same(next.Request, now.Request):
		q.Errorf("the Attempt to ask with again is of another request: %v, not %v", next.Request, now.Request)
		return
	case next.Tries < now.Tries || next.LastSent.Before(now.LastSent) || next.FirstSent.After(now.FirstSent):
		q.Errorf("the Attempt to ask with again has forgotten when it was sent: %+v, before %+v", next, *now)
		return
	case next.Snapshot != now.Snapshot || now.Answered && !next.Answered:
		q.Errorf("the Attempt to ask with again has lost its Snapshot, or that it was answered: %+v, before %+v", next, *now)
		return
	case next.LookOnly != now.LookOnly || (next.Known == nil) != (now.Known == nil) || !slices.Equal(next.Known, now.Known):
		q.Errorf("the Attempt to ask with again has lost what it is resolved with: %+v, before %+v", next, *now)
		return
	}
	q.attempt = next
}

// judged compares a verdict with the ledger, and with what may be known by now.
func (q *inquiry) judged(got *refund.Resolution) {
	q.Helper()
	req := q.attempt.Request
	ledger := q.sim.Ledger(req.Order)
	moved := len(ledger) > q.others
	for i, r := range got.Duplicates {
		switch {
		case got.Verdict != refund.VerdictApplied || got.Refund == nil || len(got.Duplicates) >= len(ledger):
			q.Errorf("resolved as %s with %d duplicates, but the ledger has %v", got.Verdict, len(got.Duplicates), ledger)
		case r == nil || r.ID == got.Refund.ID || i > 0 && r.ID == got.Duplicates[i-1].ID:
			q.Errorf("a duplicate is the refund itself, or named twice, or nil: %+v", got)
		case q.isOf(r, req) != "":
			q.Errorf("a duplicate is none: %s: %+v", q.isOf(r, req), r)
		}
	}
	switch {
	case got.Verdict == refund.VerdictApplied && !moved:
		q.Errorf("resolved as applied, but nothing moved")
	case got.Verdict == refund.VerdictApplied && got.Refund == nil:
		q.Errorf("resolved as applied, but without the refund")
	case got.Verdict == refund.VerdictApplied:
		if problem := q.isOf(got.Refund, req); problem != "" {
			q.Errorf("resolved as applied, but %s: %+v", problem, got.Refund)
		}
	case moved:
		q.Errorf("resolved as not applied, but money moved")
	case time.Now().Before(q.settled()):
		q.Errorf("absence was believed %v after the refund was last sent; it may appear until %v after", time.Since(q.attempt.LastSent), q.caps.AbsenceAfter)
	case q.missed.IsZero() || time.Since(q.missed) < apart:
		q.Errorf("absence was believed at the first look; a second one, a minute later or more, has to agree")
	}
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
	if refund.OutcomeOf(err) == refund.OutcomeUnknown && e.settle(err) != refund.VerdictNotApplied {
		return ""
	}
	if n := len(e.sim.Ledger(req.Order)); n > 0 {
		e.Errorf("the client says that nothing moved, but the ledger has %d", n)
	}
	if _, err := e.refund(ctx, req); err != nil {
		e.Errorf("the same key could not be sent again after nothing had moved: %v", err)
	}
	return ""
}

// settle resolves what is unknown, where a client can. Elsewhere a person looks, and that the outcome was not misreported has
// been checked.
func (e *env) settle(err error) refund.Verdict {
	e.Helper()
	person := e.caps.ResolvedBy == refund.ResolvedByPerson
	if person && !has[refund.Resolver](e.client) {
		return refund.VerdictUndetermined
	}
	verdict, known := e.resolve(err)
	if !known && !person {
		e.Errorf("the outcome could not be resolved: %v", err)
	}
	return verdict
}

// caseOld: what was unknown for days is resolved by reading, because the provider may have forgotten the key.
func caseOld(e *env) string {
	for _, f := range []Fault{LostAnswer, ResetBeforeWrite} {
		req := e.request(e.order(), 2500)
		e.net.Always(f)
		_, err := e.refund(context.Background(), req)
		e.net.Always("")
		if err == nil || refund.OutcomeOf(err) != refund.OutcomeUnknown {
			continue // whether that is right is for other cases
		}
		<-time.After(e.caps.KeyLife + 48*time.Hour)
		moved := len(e.sim.Ledger(req.Order))
		e.settle(err)
		if now := len(e.sim.Ledger(req.Order)); now != moved {
			e.Errorf("%s: a refund of days ago was sent again, to find out what became of it", f)
		}
	}
	return ""
}

// caseLookOnly: an Attempt that is only to be looked for is not sent, neither while that would be safe nor later.
func caseLookOnly(e *env) string {
	if e.caps.ResolvedBy == refund.ResolvedByPerson && !has[refund.Resolver](e.client) {
		return "nothing can be asked"
	}
	for _, f := range []Fault{LostAnswer, ResetBeforeWrite} {
		for _, age := range []time.Duration{0, 30 * time.Second, e.caps.KeyLife + 48*time.Hour} {
			asked, ok := e.lose(e.request(e.order(), 2500), f)
			if !ok {
				continue // whether that is right is for other cases
			}
			<-time.After(age)
			asked.LookOnly = true
			mark := e.net.mark()
			e.settle(&refund.Error{Attempt: asked})
			if n := e.net.since(mark).writes; n > 0 {
				e.Errorf("%s, after %v: %d requests went out that could move money, from who was only to look", f, age, n)
			}
		}
	}
	return ""
}

// lose makes a refund whose every request meets f. ok is false if its outcome is not unknown.
func (e *env) lose(req refund.Request, f Fault) (asked refund.Attempt, ok bool) {
	e.Helper()
	e.net.Always(f)
	_, err := e.refund(context.Background(), req)
	e.net.Always("")
	var re *refund.Error
	if !errors.As(err, &re) || re.Outcome != refund.OutcomeUnknown {
		return refund.Attempt{}, false
	}
	return re.Attempt, true
}

// casePaidTwice: something on the way delivers a request once more, and the provider pays it once more. Whoever asks what
// became of the refund is told of both.
func casePaidTwice(e *env) string {
	if e.caps.ResolvedBy != refund.ResolvedByKey && e.caps.ResolvedBy != refund.ResolvedByMarker {
		return "no refund says which key it was made with"
	}
	ctx := context.Background()
	var kept redelivery
	e.net.through(kept.keep)
	e.net.Always(LostAnswer)
	req := e.request(e.order(), 2500)
	_, err := e.client.Refund(ctx, req) // not e.refund: it is to be paid twice
	e.net.Always("")
	e.net.through(nil)
	var re *refund.Error
	if e.note(err); !errors.As(err, &re) || re.Outcome != refund.OutcomeUnknown {
		e.Errorf("a refund whose responses are all lost is unknown: %v", err)
		return ""
	}
	if e.caps.KeyLife > 0 { // before that the provider knows it again
		<-time.After(e.caps.KeyLife + time.Hour)
	}
	if err := kept.again(ctx, e.net.next); err != nil {
		e.Errorf("the request could not be delivered again: %v", err)
	}
	ledger := e.sim.Ledger(req.Order)
	if len(ledger) != 2 {
		return "the provider does not pay a request twice"
	}
	if got := e.inquire(re.Attempt); got.Verdict != refund.VerdictApplied || len(got.Duplicates) != 1 {
		e.Errorf("the key was paid twice, and resolved as %s with %d duplicates", got.Verdict, len(got.Duplicates))
	}
	if e.caps.Repeat != refund.RepeatFound {
		return ""
	}
	_, err = e.client.Refund(ctx, req)
	if e.note(err); err == nil || refund.OutcomeOf(err) != refund.OutcomeUnknown || len(e.sim.Ledger(req.Order)) != 2 {
		e.Errorf("the key was paid twice, and its repeat is answered: %v; the ledger has %v", err, e.sim.Ledger(req.Order))
	}
	return ""
}

func caseStaleRead(e *env) string {
	if e.caps.ResolvedBy == refund.ResolvedByPerson {
		return "the provider cannot be read"
	}
	order := e.order()
	<-time.After(time.Minute)
	e.sim.SetReadLag(30 * time.Second)
	req := e.request(order, 2500)
	e.net.Always(LostAnswer)
	_, err := e.refund(context.Background(), req)
	if refund.OutcomeOf(err) != refund.OutcomeUnknown || err == nil {
		e.Errorf("a refund whose responses are all lost is unknown: %v", err)
		return ""
	}
	if lister, ok := refund.As[refund.Lister](e.client); ok {
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

// caseResolvingFails: a Resolver that cannot ask says so, and still finds out as soon as it can.
func caseResolvingFails(e *env) string {
	if e.caps.ResolvedBy == refund.ResolvedByPerson {
		return "nothing can be asked"
	}
	resolver, ok := refund.As[refund.Resolver](e.client)
	if !ok {
		e.Errorf("Capabilities.ResolvedBy is %q, but the client is no Resolver", e.caps.ResolvedBy)
		return ""
	}
	e.net.Always(LostAnswer)
	_, err := e.refund(context.Background(), e.request(e.order(), 2500))
	var re *refund.Error
	if !errors.As(err, &re) || re.Outcome != refund.OutcomeUnknown {
		e.Errorf("a refund whose responses are all lost is unknown: %v", err)
		return ""
	}
	q := inquiry{env: e, attempt: re.Attempt}
	e.net.Always(DialError)
	e.net.BreakReads(true)
	for _, age := range []time.Duration{0, 2 * e.caps.AbsenceAfter, 48 * time.Hour} { // while keys live, and when absence counts
		<-time.After(age)
		got, err := resolver.Resolve(context.Background(), q.attempt)
		if e.records && err == nil && got.NotBefore.After(time.Now()) { // it is not asked yet
			<-time.After(time.Until(got.NotBefore))
			got, err = resolver.Resolve(context.Background(), q.attempt)
		}
		e.note(got, err)
		if err == nil {
			e.Errorf("resolved as %s, although nothing could be asked", got.Verdict)
			continue
		}
		q.failed(err)
	}
	e.net.Always("")
	e.net.BreakReads(false)
	if verdict, known := e.resolve(&refund.Error{Attempt: q.attempt}); !known || verdict != refund.VerdictApplied {
		e.Errorf("a refund that was made is resolved as %s", verdict)
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
	if e.net.mark().writes > 0 {
		e.Errorf("the refund was sent without having looked: %v", err)
		return ""
	}
	if err == nil || refund.OutcomeOf(err) == refund.OutcomeUnknown {
		e.Errorf("expected was an error that says that nothing moved: %v", err)
	}
	if _, err := e.refund(context.Background(), req); err != nil {
		e.Errorf("the same key could not be sent again after a look-up had failed: %v", err)
	}
	return ""
}
