package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Summary counts what Recover or Sync did.
type Summary struct {
	Resolved    int // entries that are now known
	Waiting     int // entries that are still unknown or pending
	NeedsReview int // entries that now wait for a person
}

// Recover resolves what a crash or an outage left: entries whose process died while it sent them, and unknown ones that
// are due. It goes on after errors and returns them joined. Call it at start-up, or let Run do it.
func (j *Journal) Recover(ctx context.Context) (Summary, error) {
	return j.each(ctx, Filter{States: []State{StateSending, StateUnknown}, DueBy: time.Now()}, func(c *client, e Entry) (Entry, error) {
		if e.Lease.After(time.Now()) {
			return e, ErrStale // somebody is at it
		}
		return c.resolve(ctx, e)
	})
}

// Sync follows pending refunds to their final state, where the provider can be read. It goes on after errors and returns
// them joined.
func (j *Journal) Sync(ctx context.Context) (Summary, error) {
	return j.each(ctx, Filter{States: []State{StatePending}, DueBy: time.Now()}, func(c *client, e Entry) (Entry, error) {
		return c.sync(ctx, e)
	})
}

// Run recovers and syncs until ctx ends. Any number of processes may run it on one store.
func (j *Journal) Run(ctx context.Context) {
	ticker := time.NewTicker(j.opts.Interval)
	defer ticker.Stop()
	for {
		for _, work := range []func(context.Context) (Summary, error){j.Recover, j.Sync} {
			if _, err := work(ctx); err != nil && ctx.Err() == nil && j.opts.Logger != nil {
				j.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "refund journal", slog.Any("error", err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (j *Journal) each(ctx context.Context, f Filter, work func(*client, Entry) (Entry, error)) (Summary, error) {
	var sum Summary
	var errs []error
	for e, err := range j.store.Entries(ctx, f) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		c, err := j.client(account{e.Provider, e.Account})
		if err == nil {
			e, err = work(c, e)
		}
		switch {
		case errors.Is(err, ErrStale): // another process took it
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", e.ID(), err))
		}
		switch e.State {
		case StateSending, StateUnknown, StatePending:
			sum.Waiting++
		case StateNeedsReview:
			sum.NeedsReview++
		default:
			sum.Resolved++
		}
	}
	return sum, errors.Join(errs...)
}

// resolve asks what became of an entry that nobody works on, and records the answer. It returns the entry as it is now;
// an error means that the provider or the store could not be asked.
func (c *client) resolve(ctx context.Context, known Entry) (Entry, error) {
	resolver, ok := refund.As[refund.Resolver](c.inner)
	now := time.Now()
	if _, ok := refund.As[refund.Snapshotter](c.inner); ok && known.State == StateSending && known.Snapshot == "" {
		// Its process died before it had recorded a snapshot, so that it has sent nothing; and it cannot any more.
		next := known
		next.State, next.Lease, next.Due, next.Note = StateNotSent, time.Time{}, time.Time{}, "nothing was sent: no snapshot was recorded"
		return c.journal.move(ctx, &known, next)
	}
	if known.State == StateSending {
		// Its process died. It may have sent until its lease ended, and not later.
		known.LastSent = known.Lease
	}
	attempt := known.attempt()
	early := known.State == StateUnknown && known.Due.After(now)

	// Resolve may send the same request again: until it is known when, the end of the lease counts.
	mine := known
	mine.State, mine.Lease = StateUnknown, now.Add(c.journal.opts.Lease)
	mine.Due, mine.LastSent = mine.Lease, mine.Lease
	leased, err := c.journal.move(ctx, &known, mine)
	if err != nil {
		return known, err
	}
	var got refund.Resolution
	if ok {
		callCtx, cancel := context.WithDeadline(ctx, leased.Lease.Add(-c.margin()))
		defer cancel()
		got, err = resolver.Resolve(callCtx, attempt)
	} else {
		got.Why = "the client cannot resolve"
	}

	finishCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	now, next := time.Now(), leased
	next.Lease, next.Due, next.LastSent, next.Tries = time.Time{}, time.Time{}, attempt.LastSent, attempt.Tries
	if got.Attempt.Tries > 0 {
		next.sent(&got.Attempt, now)
	}
	later := func(notBefore time.Time, why string) {
		if !early {
			c.later(&next, now, notBefore, why)
			return
		}
		next.Note, next.Due = why, known.Due
		if notBefore.After(next.Due) {
			next.Due = notBefore
		}
	}
	var re *refund.Error
	if len(got.Duplicates) > 0 { // paid more than once: a person's
		got = refund.Resolution{Why: got.Why}
	}
	if err == nil && got.Verdict == refund.VerdictApplied && got.Refund != nil {
		var other string
		if other, err = c.claimed(finishCtx, &known, got.Refund.ID); other != "" {
			got = refund.Resolution{Why: "the refund that was found is that of the key " + other}
		}
	}
	switch {
	case err != nil:
		if errors.As(err, &re) && re.Attempt.Tries > 0 {
			next.sent(&re.Attempt, now)
		}
		later(time.Time{}, "Resolve failed")
	case got.Verdict == refund.VerdictApplied && got.Refund != nil:
		next.record(got.Refund)
		next.Note, next.Checks, next.Due = got.Why, 0, c.poll(next.State, now)
	case got.Verdict == refund.VerdictNotApplied:
		next.State, next.Note, next.Checks = StateNotSent, got.Why, 0
	case got.Verdict == refund.VerdictUndetermined && got.NotBefore.IsZero():
		next.State, next.Note = StateNeedsReview, got.Why
	case !next.MissedAt.IsZero(): // the second look is no new check: it belongs to the first
		next.Note, next.Due = got.Why, got.NotBefore
	default:
		later(got.NotBefore, got.Why)
	}
	done, storeErr := c.journal.move(finishCtx, &leased, next)
	if storeErr != nil {
		return leased, errors.Join(err, storeErr)
	}
	return done, err
}

// claimed returns the key of another entry of the order that has the provider's refund already. Only one of the two can be
// paid by it: what was found by comparing, from a read that lagged behind, may be another's.
func (c *client) claimed(ctx context.Context, e *Entry, id string) (key string, err error) {
	if id == "" {
		return "", nil
	}
	for other, err := range c.journal.store.Entries(ctx, Filter{Provider: e.Provider, Account: e.Account, OrderKey: e.OrderKey()}) {
		if err != nil {
			return "", err
		}
		if other.RefundID == id && other.Key != e.Key {
			return other.Key, nil
		}
	}
	return "", nil
}

// later schedules the next look, or gives up.
func (c *client) later(e *Entry, now, notBefore time.Time, why string) {
	e.Note = why
	if e.Checks >= len(c.journal.opts.Backoff) {
		e.State = StateNeedsReview
		return
	}
	e.Due = now.Add(c.journal.opts.Backoff[e.Checks])
	if notBefore.After(e.Due) {
		e.Due = notBefore
	}
	e.Checks++
}

// sync reads a pending refund.
func (c *client) sync(ctx context.Context, known Entry) (Entry, error) {
	getter, ok := refund.As[refund.Getter](c.inner)
	next := known
	var err error
	if ok {
		var got *refund.Refund
		if got, err = getter.GetRefund(ctx, refund.Ref{Order: known.Order, ID: known.RefundID}); err == nil && got != nil {
			next.record(got)
		}
	}
	next.Due = c.poll(next.State, time.Now())
	done, storeErr := c.journal.move(ctx, &known, next)
	return done, errors.Join(err, storeErr)
}

// Resolve implements refund.Resolver, through the journal: what it finds is recorded.
func (c *client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	known, err := c.journal.store.Get(ctx, c.id(a.Request.IdempotencyKey))
	if errors.Is(err, ErrNoEntry) {
		known, err = c.adopt(ctx, &a)
	}
	if err == nil && !known.same(&a.Request) {
		return refund.Resolution{}, c.keyReused(&a.Request)
	}
	if err != nil {
		re := c.complete(&known, &refund.Error{Kind: refund.ErrUnavailable, Message: err.Error(), Err: err})
		re.IdempotencyKey, re.Attempt = a.Request.IdempotencyKey, a // as unknown as before
		return refund.Resolution{}, re
	}
	if known.State == StateSending || known.State == StateUnknown {
		if known.Lease.After(time.Now()) {
			return refund.Resolution{NotBefore: known.Lease, Attempt: a, Why: "another call works on this refund"}, nil
		}
		if known, err = c.resolve(ctx, known); err != nil {
			return refund.Resolution{}, c.unknown(&known, err)
		}
	}
	switch known.State {
	case StateSending, StateUnknown:
		return refund.Resolution{NotBefore: known.Due, Attempt: known.attempt(), Why: known.Note}, nil
	case StateNeedsReview:
		return refund.Resolution{Why: known.Note}, nil
	case StateRejected, StateNotSent:
		return refund.Resolution{Verdict: refund.VerdictNotApplied, Why: known.Note}, nil
	case StateSucceeded, StatePending, StateFailed, StateCanceled, StateExpired:
	}
	return refund.Resolution{Verdict: refund.VerdictApplied, Refund: known.refund(), Why: known.Note}, nil
}

// adopt records an attempt that the journal does not have: from before it was there, or from when its store was not.
func (c *client) adopt(ctx context.Context, a *refund.Attempt) (Entry, error) {
	if err := c.caps.Check(a.Request); err != nil {
		return Entry{}, err
	}
	now := time.Now()
	e := newEntry(c.id(a.Request.IdempotencyKey), &a.Request, now, time.Time{})
	e.State, e.Due, e.FirstSent, e.Snapshot = StateUnknown, now, a.FirstSent, a.Snapshot
	e.sent(a, now)
	if err := c.journal.store.Insert(ctx, e); err != nil {
		return Entry{}, err
	}
	c.journal.report("", &e)
	return e, nil
}

// Decision is what a person has found out about a refund.
type Decision struct {
	Provider string
	Account  string
	Key      string
	// Verdict is VerdictApplied if the refund was made, VerdictNotApplied if it was not (the same key may then be sent
	// again), VerdictUndetermined to have the provider asked once more.
	Verdict refund.Verdict
	Who     string // who decided; a staff id, no personal data. Required.
	Why     string // what the decision rests on. Required.
}

// Decide closes an entry that needs review, or one that is unknown and that nobody works on: VerdictApplied makes it
// succeeded, VerdictNotApplied not sent, and VerdictUndetermined unknown again, to be resolved at once. Who and Why are
// kept in the entry. No client is needed, so that the order of a provider that is gone can be freed.
func (j *Journal) Decide(ctx context.Context, d Decision) error {
	if d.Who == "" || d.Why == "" {
		return errors.New("journal: a decision needs to say who made it and why")
	}
	known, err := j.store.Get(ctx, ID{d.Provider, d.Account, d.Key})
	if err != nil {
		return err
	}
	now := time.Now()
	if known.State != StateNeedsReview && known.State != StateUnknown || known.Lease.After(now) {
		return fmt.Errorf("%w: a decision about an entry that is %s", ErrIllegalTransition, known.State)
	}
	next := known
	next.Lease, next.Due, next.Checks, next.Note = time.Time{}, time.Time{}, 0, d.Who+": "+d.Why
	switch d.Verdict {
	case refund.VerdictApplied:
		next.State = StateSucceeded
	case refund.VerdictNotApplied:
		next.State = StateNotSent
	case refund.VerdictUndetermined:
		next.State, next.Due = StateUnknown, now
	default:
		return fmt.Errorf("journal: a decision needs a verdict, not %d", d.Verdict)
	}
	_, err = j.move(ctx, &known, next)
	return err
}
