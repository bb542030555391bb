package refundtest

import (
	"cmp"
	"context"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// ability is one of the optional interfaces.
type ability struct {
	name           string
	claimed, found bool
}

// abilities returns what caps claim of r, and what r has.
func abilities(r refund.Refunder, caps *refund.Capabilities) []ability {
	return []ability{
		{"Resolver", caps.ResolvedBy != refund.ResolvedByPerson, has[refund.Resolver](r)},
		{"Getter", caps.Reads, has[refund.Getter](r)},
		{"Lister", caps.Lists != refund.ListsNone, has[refund.Lister](r)},
		{"Canceler", caps.Cancels, has[refund.Canceler](r)},
		{"Snapshotter", caps.Snapshots, has[refund.Snapshotter](r)},
	}
}

func has[T any](r refund.Refunder) bool {
	_, ok := refund.As[T](r)
	return ok
}

func caseAbilities(e *env) string {
	caps := &e.caps
	if err := refund.CheckAbilities(e.client); err != nil {
		e.Errorf("Capabilities claim too much: %v", err)
	}
	for _, a := range abilities(e.client, caps) {
		// A Resolver may do no more than tell a person where to look.
		if a.found && !a.claimed && a.name != "Resolver" {
			e.Errorf("the client is a %s, and Capabilities deny it", a.name)
		}
	}
	if caps.Provider == "" || caps.Target == "" || caps.Repeat == "" || caps.ResolvedBy == "" {
		e.Errorf("Capabilities are incomplete: %+v", *caps)
	}
	if caps.Account != suiteAccount {
		e.Errorf("Capabilities.Account is %q, the client's is %q", caps.Account, suiteAccount)
	}
	if caps.AbsenceAfter <= 0 && caps.ResolvedBy != refund.ResolvedByPerson {
		e.Errorf("Capabilities have no AbsenceAfter, although something can be read: %+v", *caps)
	}
	return ""
}

// caseCopies changes what the client handed out, and expects that the client stays as it is.
func caseCopies(e *env) string {
	want := e.client.Capabilities()
	want.Currencies, want.Parts = slices.Clone(want.Currencies), slices.Clone(want.Parts)
	spoiled := e.client.Capabilities()
	for i := range spoiled.Currencies {
		spoiled.Currencies[i] = "XXX"
	}
	for i := range spoiled.Parts {
		spoiled.Parts[i] = "spoiled"
	}
	if got := e.client.Capabilities(); !reflect.DeepEqual(got, want) {
		e.Errorf("who changes the Capabilities that the client returned changes the client's: %+v, before %+v", got, want)
	}
	if _, err := e.refund(context.Background(), e.request(e.order(), 2500)); err != nil {
		e.Errorf("the refund failed: %v", err)
	}
	return ""
}

// wrapper is what tracing or limits look like: it keeps every ability.
type wrapper struct{ opaque }

func (w wrapper) Unwrap() refund.Refunder { return w.Refunder }

// opaque is a wrapper that hides all abilities.
type opaque struct{ refund.Refunder }

func caseWrapped(e *env) string {
	wrapped := abilities(wrapper{opaque{e.client}}, &e.caps)
	claims := false
	for i, a := range abilities(e.client, &e.caps) {
		if a != wrapped[i] {
			e.Errorf("behind a wrapper the client is a %s: %v, by itself: %v", a.name, wrapped[i].found, a.found)
		}
		claims = claims || a.claimed
	}
	if err := refund.CheckAbilities(wrapper{opaque{e.client}}); err != nil {
		e.Errorf("a wrapper with Unwrap was refused: %v", err)
	}
	if err := refund.CheckAbilities(opaque{e.client}); (err != nil) != claims {
		e.Errorf("Capabilities claim abilities: %v; a wrapper that hides them got: %v", claims, err)
	}
	return ""
}

// badRead returns what is wrong with the error of a read.
func (e *env) badRead(err error) string {
	problem := e.signed(err, "")
	if problem == "" && refund.OutcomeOf(err) == refund.OutcomeUnknown {
		problem = "a read moves no money: its outcome is never unknown"
	}
	return problem
}

func caseGet(e *env) string {
	getter, ok := refund.As[refund.Getter](e.client)
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
	if problem := e.isFrom(got, want.Order); problem != "" {
		e.Errorf("%s: %+v", problem, got)
	}
	if got.ID != want.ID || got.Amount != e.money(2500) || got.IdempotencyKey != "" && got.IdempotencyKey != want.IdempotencyKey {
		e.Errorf("read was %+v, made was %+v", got, want)
	}
	get := func(order refund.Order, what string) {
		got, err := getter.GetRefund(ctx, refund.Ref{Order: order, ID: want.ID})
		e.note(got, err)
		if err == nil {
			e.Errorf("%s, but GetRefund returned %+v", what, got)
		} else if problem := e.badRead(err); problem != "" {
			e.Errorf("%s: %s: %v", what, problem, err)
		}
	}
	get(e.sim.UnknownOrder(), "the order is unknown")
	e.net.BreakReads(true)
	e.net.Always(ServerErrorBeforeCommit)
	get(want.Order, "nothing can be read")
	return ""
}

// drain returns the refunds of order that a listing shows, or those of any if order is empty, and the error that it ended
// with.
func (e *env) drain(listing iter.Seq2[*refund.Refund, error], order refund.Order) (all []*refund.Refund, end error) {
	e.Helper()
	for got, err := range listing {
		e.note(got, err)
		if end != nil {
			e.Errorf("the listing went on after its first error")
			break
		}
		if end = err; err != nil {
			if problem := e.badRead(err); problem != "" {
				e.Errorf("%s: %v", problem, err)
			}
			continue
		}
		if problem := e.isFrom(got, cmp.Or(order, got.Order)); problem != "" {
			e.Errorf("%s: %+v", problem, got)
		}
		all = append(all, got)
	}
	return all, end
}

// ids returns the ids of refunds in order.
func ids(refunds []*refund.Refund) []string {
	list := make([]string, len(refunds))
	for i, r := range refunds {
		list[i] = r.ID
	}
	slices.Sort(list)
	return list
}

// refundSome makes as many refunds of an order as there can be, at most three, with time between them.
func (e *env) refundSome() (order refund.Order, made []*refund.Refund) {
	e.Helper()
	order = e.order()
	for i := range int64(3) {
		if i > 0 && !e.caps.MultipleRefunds {
			break
		}
		<-time.After(2 * time.Minute)
		got, err := e.refund(context.Background(), e.request(order, 1000+i))
		if err != nil {
			e.Errorf("the refund failed: %v", err)
			continue
		}
		made = append(made, got)
	}
	return order, made
}

func caseList(e *env) string {
	lister, ok := refund.As[refund.Lister](e.client)
	if !ok {
		return "the client is no Lister"
	}
	ctx := context.Background()
	order, made := e.refundSome()
	listing := lister.Refunds(ctx, refund.Query{Order: order})
	for pass := range 2 {
		if got, err := e.drain(listing, order); err != nil || !slices.Equal(ids(got), ids(made)) {
			e.Errorf("pass %d listed %v, made were %v: %v", pass, ids(got), ids(made), err)
		}
	}
	listing(func(*refund.Refund, error) bool { return false }) // must not panic or go on
	unknown := e.sim.UnknownOrder()
	if got, err := e.drain(lister.Refunds(ctx, refund.Query{Order: unknown}), unknown); len(got) > 0 {
		e.Errorf("an unknown order has the refunds %v: %v", got, err)
	}
	e.net.BreakReads(true)
	e.net.Always(ServerErrorBeforeCommit)
	if got, err := e.drain(listing, order); err == nil {
		e.Errorf("nothing could be read, and the listing is %v without an error", got)
	}
	return ""
}

// caseListByTime asks for spans of time around each refund's own date, which is the provider's, and for all orders.
func caseListByTime(e *env) string {
	lister, ok := refund.As[refund.Lister](e.client)
	if !ok {
		return "the client is no Lister"
	}
	began := time.Now()
	order, _ := e.refundSome()
	list := func(q refund.Query) ([]*refund.Refund, error) {
		return e.drain(lister.Refunds(context.Background(), q), q.Order)
	}
	made, err := list(refund.Query{Order: order}) // with their dates, which the response to a refund need not have
	if err != nil || len(made) == 0 {
		e.Errorf("listed were %v: %v", made, err)
	}
	switch all, err := list(refund.Query{Since: began}); {
	case e.caps.Lists == refund.ListsByTime && (err != nil || !slices.Equal(ids(all), ids(made))):
		e.Errorf("without an order %v are listed, made were %v: %v", ids(all), ids(made), err)
	case e.caps.Lists != refund.ListsByTime && refund.KindOf(err) != refund.ErrInvalidRequest:
		e.Errorf("Capabilities.Lists is %q; without an order %v are listed: %v", e.caps.Lists, ids(all), err)
	}
	for _, r := range made {
		at, known := r.CreatedAt, !r.CreatedAt.IsZero()
		if !known { // it is within every span
			at = time.Now()
		}
		for _, span := range []struct {
			q      refund.Query
			within bool
		}{
			{refund.Query{Order: order, Since: at}, true},
			{refund.Query{Order: order, Since: at, Until: at.Add(time.Minute)}, true},
			{refund.Query{Order: order, Until: at}, !known},
			{refund.Query{Order: order, Since: at.Add(time.Minute)}, !known},
		} {
			got, err := list(span.q)
			switch listed := slices.Contains(ids(got), r.ID); {
			case refund.KindOf(err) == refund.ErrInvalidRequest:
				return "the client says that it cannot list by time"
			case err != nil || listed != span.within:
				e.Errorf("a refund of %v is listed since %v until %v: %v, %v", r.CreatedAt, span.q.Since, span.q.Until, listed, err)
			}
		}
	}
	return ""
}
