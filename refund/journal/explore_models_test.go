package journal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// traits are what a provider of the explorer is like.
type traits struct {
	name    string
	by      refund.ResolvedBy
	dedups  time.Duration // how long a repeat of a key is recognised
	looks   bool          // the client looks for the key before it sends
	reads   bool          // the client is a Getter
	single  bool          // a request replaces the one before, until that is locked
	settles time.Duration // how long a refund is pending; 0 for not at all
	fails   bool          // what was pending fails
	careful bool          // the client judges absence by itself first, as internal/decide does
	absence time.Duration
}

// models are the providers that an execution may have.
func models() []traits {
	const keyLife = 23 * time.Hour
	return []traits{
		{name: "keyed", by: refund.ResolvedByKey, dedups: keyLife},
		{name: "keyed-pending", by: refund.ResolvedByKey, dedups: keyLife, reads: true, settles: 3 * time.Hour},
		{name: "marker", by: refund.ResolvedByMarker},
		{name: "marker-looks", by: refund.ResolvedByMarker, looks: true},
		{name: "marker-pending", by: refund.ResolvedByMarker, looks: true, reads: true, settles: 26 * time.Hour},
		{name: "marker-failing", by: refund.ResolvedByMarker, reads: true, settles: 2 * time.Hour, fails: true},
		{name: "snapshot", by: refund.ResolvedBySnapshot, reads: true, single: true, settles: 2 * time.Hour},
		{name: "person", by: refund.ResolvedByPerson},
	}
}

// payment is a line of the provider's ledger: money that truly moved, or will.
type payment struct {
	id, key, order string
	amount         refund.Money
	by             *sentRequest
	at, locks      time.Time
	canceled       bool
}

// provider is the truth: what was paid. All processes share it. The world's lock guards it.
type provider struct {
	traits
	world  *world
	ledger []*payment
	acts   int
}

func (v *provider) status(l *payment, now time.Time) refund.Status {
	switch {
	case l.canceled:
		return refund.StatusCanceled
	case now.Before(l.at.Add(v.settles)):
		return refund.StatusPending
	case v.fails:
		return refund.StatusFailed
	}
	return refund.StatusSucceeded
}

// remembers is how long a key is recognised: for a request that was sent within its life, and arrives late, too.
func (v *provider) remembers() time.Duration {
	if v.dedups == 0 {
		return 0
	}
	return v.dedups + v.world.maxDelay + time.Hour
}

// act is a request that has arrived.
func (v *provider) act(req *refund.Request, by *sentRequest) *refund.Refund {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, l := range v.ledger {
		if l.key == req.IdempotencyKey && now.Sub(l.at) < v.remembers() {
			w.tell("    %s: recognised as %s", l.key, l.id)
			return v.show(l, now)
		}
	}
	v.acts++
	l := &payment{
		id: fmt.Sprintf("r%d", v.acts), key: req.IdempotencyKey, order: req.Order.ID, amount: req.Amount, by: by, at: now, locks: now.Add(v.settles),
	}
	for _, before := range v.ledger {
		if v.single && before.order == l.order && now.Before(before.locks) {
			if before.key != l.key && !before.canceled && !w.broken {
				w.wrong("%s replaces %s, which is %s's", l.key, before.id, before.key)
			}
			before.canceled = true
			w.tell("    %s replaces %s", l.id, before.id)
		}
	}
	v.ledger = append(v.ledger, l)
	w.tell("    %s is PAID: %s", l.key, l.id)
	w.paid(l)
	return v.show(l, now)
}

func (v *provider) show(l *payment, now time.Time) *refund.Refund {
	got := &refund.Refund{
		ID: l.id, IdempotencyKey: l.key, Provider: v.name, Order: refund.Order{ID: l.order}, Amount: l.amount, CreatedAt: l.at,
		Status: v.status(l, now),
	}
	if v.single {
		got.LocksAt, got.IdempotencyKey = l.locks, ""
	}
	return got
}

// seen is what a read shows of an order that lags behind: the payments up to then, but each as it is now.
func (v *provider) seen(order string, lag time.Duration) (all []*payment) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	for _, l := range v.ledger {
		if l.order == order && !l.at.After(time.Now().Add(-lag)) {
			all = append(all, l)
		}
	}
	return all
}

// paid are the payments of a key that stand.
func (v *provider) paid(key string, now time.Time) (all []*payment) {
	for _, l := range v.ledger {
		if s := v.status(l, now); l.key == key && (s == refund.StatusPending || s == refund.StatusSucceeded) {
			all = append(all, l)
		}
	}
	return all
}

// has reports whether the ledger has anything of a key, whatever became of it.
func (v *provider) has(key string) bool {
	return slices.ContainsFunc(v.ledger, func(l *payment) bool { return l.key == key })
}

// timeout is how long a client waits for an answer.
const timeout = 80 * time.Second

// payer is a client of the provider in one process. It can do nothing but refund.
type payer struct {
	*provider
	process *process
}

// finder is a payer that finds out what became of a refund, by the key.
type finder struct{ payer }

// reader is a finder that reads single refunds.
type reader struct{ finder }

// comparer is a reader that knows a refund by what was there before.
type comparer struct{ reader }

// client makes the provider's client for a process.
func (v *provider) client(p *process) refund.Refunder {
	base := payer{v, p}
	switch {
	case v.by == refund.ResolvedByPerson:
		return base
	case v.by == refund.ResolvedBySnapshot:
		return comparer{reader{finder{base}}}
	case v.reads:
		return reader{finder{base}}
	}
	return finder{base}
}

func (c payer) Capabilities() refund.Capabilities {
	return refund.Capabilities{
		Provider: c.name, Target: "explorer", Partial: true, MultipleRefunds: !c.single, Repeat: refund.RepeatRefundsAgain, ResolvedBy: c.by,
		Reads: c.reads, Snapshots: c.by == refund.ResolvedBySnapshot, AbsenceAfter: c.absence,
	}
}

func (c payer) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if c.looks {
		found, err := c.find(ctx, &req, nil, true)
		switch {
		case err != nil:
			return nil, c.failed(&req, refund.OutcomeNotSent, "it could not be looked for")
		case len(found) > 1:
			return nil, c.lost(&req, refund.Attempt{})
		case len(found) == 1:
			got := found[0]
			got.Replayed = true
			return got, nil
		}
	}
	return c.send(ctx, &req, refund.Attempt{})
}

// send is the request and its answer. before is the attempt that it repeats, if it does.
func (c payer) send(ctx context.Context, req *refund.Request, before refund.Attempt) (*refund.Refund, error) {
	do := c.process.at(pointSend, req.IdempotencyKey)
	if until, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(until) { // the clock is read at the last moment
		return nil, c.failed(req, refund.OutcomeNotSent, "the deadline has passed")
	}
	w, v, now := c.world, c.provider, time.Now()
	attempt := refund.Attempt{Request: *req, Snapshot: before.Snapshot, FirstSent: before.FirstSent, LastSent: now, Tries: before.Tries + 1}
	if attempt.FirstSent.IsZero() {
		attempt.FirstSent = now
	}
	switch do.act {
	case "refuse":
		return nil, c.failed(req, refund.OutcomeNotSent, "no connection")
	case "reject":
		return nil, c.failed(req, refund.OutcomeRejected, "no")
	}
	if do.act == "vanish" {
		w.arrived(w.sent(ctx, c.process, req, before.Tries > 0))
		rest(ctx, timeout)
		return nil, c.lost(req, attempt)
	}
	request := w.sent(ctx, c.process, req, before.Tries > 0)
	arrive := func() *refund.Refund {
		defer w.arrived(request)
		return v.act(req, request)
	}
	var got *refund.Refund
	switch {
	case do.act == "orphan": // it is on its way, and the process dies
		w.delayed(do.d)
		time.AfterFunc(do.d, func() { arrive() })
		c.process.die()
	case do.act == "late" && do.d >= timeout: // the client gives up before
		w.delayed(do.d)
		time.AfterFunc(do.d, func() { arrive() })
		rest(ctx, timeout)
		return nil, c.lost(req, attempt)
	case do.act == "late" || do.act == "freeze": // on the way, or stopped just before the system call
		w.delayed(do.d)
		pass(do.d)
		got = arrive()
	case do.act == "twice":
		w.doubled(req.IdempotencyKey)
		arrive()
		got = v.act(req, request)
	default:
		got = arrive()
	}
	frozen := do.act == "freeze"
	do = c.process.at(pointAnswer, req.IdempotencyKey)
	switch {
	case do.act == "panic":
		panic("the client is broken")
	case do.act == "lose", ctx.Err() != nil && do.act != "stop" && !frozen: // who was stopped may read the answer first
		rest(ctx, timeout)
		return nil, c.lost(req, attempt)
	}
	if before.Tries == 0 {
		w.answered(c.process, got)
	}
	return got, nil
}

// rest sleeps, but not longer than ctx.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c payer) failed(req *refund.Request, outcome refund.Outcome, why string) *refund.Error {
	return &refund.Error{Provider: c.name, Op: "refund", Kind: refund.ErrUnavailable, Outcome: outcome, Message: why, IdempotencyKey: req.IdempotencyKey}
}

func (c payer) lost(req *refund.Request, a refund.Attempt) *refund.Error {
	re := c.failed(req, refund.OutcomeUnknown, "no answer")
	re.Attempt = a
	return re
}

// find reads the refunds of req's order that carry its key; or, if before is not nil, those that were not there before.
func (c payer) find(ctx context.Context, req *refund.Request, before []string, marked bool) (found []*refund.Refund, err error) {
	lag, err := c.process.read(ctx, req.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	for _, l := range c.seen(req.Order.ID, lag) {
		if got := c.show(l, time.Now()); marked && l.key == req.IdempotencyKey || !marked && !slices.Contains(before, l.id) {
			found = append(found, got)
		}
	}
	return found, nil
}

func (c finder) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	if c.dedups > 0 && !a.LookOnly && time.Since(a.FirstSent) < c.dedups && !a.FirstSent.IsZero() {
		got, err := c.send(ctx, &a.Request, a)
		if err == nil {
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: got, Attempt: a, Why: "sent again"}, nil
		}
		if refund.OutcomeOf(err) != refund.OutcomeUnknown { // this request has done nothing; that says nothing of those before
			err = c.lost(&a.Request, a)
		}
		return refund.Resolution{}, err
	}
	found, err := c.find(ctx, &a.Request, nil, true)
	if err != nil {
		return refund.Resolution{}, c.lost(&a.Request, a)
	}
	if len(found) > 1 && c.careful {
		return refund.Resolution{Attempt: a, Why: "several have the key: " + strings.Join(ids(found), ", ")}, nil
	}
	if len(found) > 0 {
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: found[0], Duplicates: found[1:], Attempt: a, Why: "it has the key"}, nil
	}
	return c.absent(a), nil
}

// absent is what a look makes of nothing.
func (c finder) absent(a refund.Attempt) refund.Resolution {
	none := refund.Resolution{Verdict: refund.VerdictNotApplied, Attempt: a, Why: "nothing is there"}
	if !c.careful {
		return none
	}
	now, settled, missed := time.Now(), a.LastSent.Add(c.absence), a.MissedAt
	none.Attempt.MissedAt = time.Time{}
	switch {
	case now.Before(settled):
		none.Verdict, none.NotBefore = refund.VerdictUndetermined, settled
	case missed.Before(settled), missed.After(now):
		none.Verdict, none.Attempt.MissedAt, none.NotBefore = refund.VerdictUndetermined, now, now.Add(time.Minute)
	case now.Sub(missed) < time.Minute:
		none.Verdict, none.Attempt.MissedAt, none.NotBefore = refund.VerdictUndetermined, missed, missed.Add(time.Minute)
	}
	return none
}

func (c reader) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	req := refund.Request{IdempotencyKey: ref.ID, Order: ref.Order}
	lag, err := c.process.read(ctx, "refund "+ref.ID)
	if err != nil {
		return nil, c.failed(&req, refund.OutcomeNotSent, "it could not be read")
	}
	for _, l := range c.seen(ref.Order.ID, lag) {
		if l.id == ref.ID {
			return c.show(l, time.Now()), nil
		}
	}
	re := c.failed(&req, refund.OutcomeRejected, "no such refund")
	re.Kind = refund.ErrOrderNotFound
	return nil, re
}

func (c comparer) Snapshot(ctx context.Context, req refund.Request) (refund.Snapshot, error) {
	all, err := c.find(ctx, &req, []string{}, false)
	if err != nil {
		return "", c.failed(&req, refund.OutcomeNotSent, "it could not be read")
	}
	ids := []string{}
	for _, got := range all {
		ids = append(ids, got.ID)
	}
	text, err := json.Marshal(ids)
	return refund.Snapshot(text), err
}

func (c comparer) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	var before []string
	if a.Snapshot == "" {
		return refund.Resolution{Attempt: a, Why: "there is nothing to compare with"}, nil
	}
	if err := json.Unmarshal([]byte(a.Snapshot), &before); err != nil {
		return refund.Resolution{}, c.lost(&a.Request, a)
	}
	for _, known := range a.Known {
		before = append(before, known.RefundID)
	}
	found, err := c.find(ctx, &a.Request, before, false)
	if err != nil {
		return refund.Resolution{}, c.lost(&a.Request, a)
	}
	switch len(found) {
	case 0:
		return c.absent(a), nil
	case 1:
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: found[0], Attempt: a, Why: "it was not there before"}, nil
	}
	return refund.Resolution{Attempt: a, Why: "several were not there before: " + strings.Join(ids(found), ", ")}, nil
}

func ids(all []*refund.Refund) (ids []string) {
	for _, got := range all {
		ids = append(ids, got.ID)
	}
	return ids
}
