package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// settle does the work that a claimed entry is due for, and records what comes of it: it finds out what became of a refund
// that is unknown, looks again for one that was judged absent, or reads one that is pending. It returns the entry as it is
// then; an error means that the provider or the store could not be asked. lookOnly forbids to send; only an unknown refund is
// ever sent again, by a Resolve that finds out in this way.
func (c *client) settle(ctx context.Context, held hold, lookOnly bool) (Entry, error) {
	ctx, cancel := context.WithDeadline(ctx, held.until)
	defer cancel()
	e := held.entry
	now := c.journal.clock.estimate()
	if e.State == StateSending {
		if e = c.rules.abandoned(e, now); e.State != StateUnknown {
			return c.put(ctx, held.entry, func(known Entry, now time.Time) Entry { return c.rules.abandoned(known, now) })
		}
	}
	if due := e.lookDue(); e.State == StatePending && (due.IsZero() || due.After(now)) && !c.rules.young(&e, now) {
		return c.poll(ctx, held.entry)
	}
	return c.look(ctx, held.entry, &e, lookOnly || e.State != StateUnknown)
}

// put records a change of an entry, unless it is in other hands by now.
func (c *client) put(ctx context.Context, e Entry, change func(known Entry, now time.Time) Entry) (Entry, error) {
	return c.note(ctx, e, func(known Entry, held bool, now time.Time) (Entry, bool) { return change(known, now), held })
}

// note is write for work that somebody else does again if this process cannot record it.
func (c *client) note(ctx context.Context, e Entry, learn func(known Entry, held bool, now time.Time) (Entry, bool)) (Entry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return c.write(ctx, e, nil, learn)
}

// look asks the provider what became of e, and records the answer in stored, which is e as it was claimed.
func (c *client) look(ctx context.Context, stored Entry, e *Entry, lookOnly bool) (Entry, error) {
	seen, err := c.ask(ctx, e, lookOnly)
	attempt := c.inStoreTime(seen.Attempt)
	var re *refund.Error
	if errors.As(err, &re) {
		attempt = c.inStoreTime(re.Attempt)
	}
	var broken *panicked
	poison := errors.As(err, &broken)
	settled, storeErr := c.note(ctx, stored, func(known Entry, held bool, now time.Time) (Entry, bool) {
		if held && known.State == StateSending {
			known = c.rules.abandoned(known, now)
		}
		missedAt := known.MissedAt
		if held && attempt.Tries > 0 {
			known.sent(&attempt, now)
		}
		if held && re != nil {
			known.Kind, known.Code = re.Kind, re.Code
		}
		switch {
		case err == nil && seen.Verdict == refund.VerdictApplied && seen.Refund != nil:
			if known.Attention == "" || known.Attention == AttentionReview { // else the note is about that
				known.Note = seen.Why
			}
			return c.rules.shown(looked(known, now), now, seen.Refund, seen.Duplicates...), true
		case !held:
			return known, false
		case err != nil && known.State == StateUnknown && !poison:
			return c.rules.failed(known, now, time.Time{}, "the provider could not be asked"), true
		case err != nil:
			return c.rules.putOff(known, now, "the provider could not be asked", poison), true
		case known.State != StateUnknown && c.doubtful(&seen):
			return c.rules.doubted(known, now, seen.Why), true
		case known.State != StateUnknown:
			return c.rules.unseen(known, now), true
		case seen.Verdict == refund.VerdictNotApplied:
			known.MissedAt = missedAt // the journal's own
			if trusted := c.journal.clock.trusted(now); !trusted.IsZero() {
				known.MissedAt = time.Time{}
				return c.rules.undetermined(known, now, trusted, "the provider does not show it, but a clock was set: it is looked for again"), true
			}
			return c.rules.missed(known, now, seen.Why), true
		}
		return c.rules.undetermined(known, now, c.journal.clock.toStore(seen.NotBefore), seen.Why), true
	})
	return settled, errors.Join(err, storeErr)
}

// doubtful reports whether a look shows what only a person can judge. Where nothing can be read, none shows anything.
func (c *client) doubtful(seen *refund.Resolution) bool {
	return seen.Verdict == refund.VerdictUndetermined && seen.NotBefore.IsZero() && c.caps.ResolvedBy != refund.ResolvedByPerson
}

// ask asks the provider what became of e, and judges what no single answer shows: a refund that another key has cannot be
// this one.
func (c *client) ask(ctx context.Context, e *Entry, lookOnly bool) (seen refund.Resolution, err error) {
	resolver, ok := refund.As[refund.Resolver](c.inner)
	if !ok {
		return refund.Resolution{Why: "the client cannot resolve"}, nil
	}
	attempt := c.inWallTime(e.attempt())
	attempt.LookOnly, attempt.Known = lookOnly, []refund.Known{} // not nil, because these are all
	others, err := c.others(ctx, e)
	if err != nil {
		return seen, err
	}
	compared := c.caps.ResolvedBy == refund.ResolvedBySnapshot
	for _, other := range others {
		if compared && lookOnly && (other.State == StateSending || other.State == StateUnknown) {
			return seen, fmt.Errorf("%w: key %s", errOpen, other.Key)
		}
		attempt.Known = append(attempt.Known, refund.Known{Key: other.Key, RefundID: other.RefundID})
	}
	if e.RefundID != "" && e.State != StateUnknown { // it is another one that is looked for
		attempt.Known = append(attempt.Known, refund.Known{RefundID: e.RefundID})
	}
	name := opResolve
	if lookOnly {
		name = opLook
	}
	op := Operation{name, e.ID()}
	ctx = c.journal.opts.Observer.start(ctx, op)
	c.journal.opts.Observer.attempt(ctx, op)
	err = guarded(func() (err error) {
		seen, err = resolver.Resolve(ctx, attempt)
		return err
	})
	c.journal.opts.Observer.end(ctx, op, err)
	if err != nil || seen.Verdict != refund.VerdictApplied || seen.Refund == nil {
		return seen, err
	}
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout) // what was found is not thrown away
	defer cancel()
	// Again: what was found by comparing may meanwhile be another's.
	if others, err = c.others(storeCtx, e); err != nil {
		return refund.Resolution{}, err
	}
	for _, other := range others {
		if other.RefundID != "" && other.RefundID == seen.Refund.ID {
			return refund.Resolution{Attempt: seen.Attempt, Why: "the refund that was found is that of the key " + other.Key}, nil
		}
		if compared && other.outstanding() {
			return refund.Resolution{Attempt: seen.Attempt, Why: "the refund " + seen.Refund.ID + " that was found may be that of the key " + other.Key}, nil
		}
	}
	return seen, nil
}

// errOpen: what is new at the provider may be the other refund, which is open and has the order.
var errOpen = errors.New("journal: another refund of the order is open, so that comparing tells nothing")

// others are the other entries of e's order.
func (c *client) others(ctx context.Context, e *Entry) (all []Entry, err error) {
	for other, err := range c.journal.store.Entries(ctx, Filter{Provider: e.Provider, Account: e.Account, OrderKey: e.OrderKey()}) {
		if err != nil {
			return nil, err
		}
		if other.Key != e.Key {
			all = append(all, other)
		}
	}
	return all, nil
}

// poll reads a pending refund.
func (c *client) poll(ctx context.Context, e Entry) (Entry, error) {
	getter, ok := refund.As[refund.Getter](c.inner)
	if !ok {
		return c.put(ctx, e, func(known Entry, now time.Time) Entry { return c.rules.rest(known, now, time.Time{}) })
	}
	op := Operation{opPoll, e.ID()}
	ctx = c.journal.opts.Observer.start(ctx, op)
	c.journal.opts.Observer.attempt(ctx, op)
	var got *refund.Refund
	err := guarded(func() (err error) {
		got, err = getter.GetRefund(ctx, refund.Ref{Order: e.Order, ID: e.RefundID})
		return err
	})
	if err == nil && got == nil {
		err = errors.New("the client returned neither a refund nor an error")
	}
	c.journal.opts.Observer.end(ctx, op, err)
	var re *refund.Error
	errors.As(err, &re)
	var broken *panicked
	poison := errors.As(err, &broken)
	settled, storeErr := c.note(ctx, e, func(known Entry, held bool, now time.Time) (Entry, bool) {
		switch {
		case err == nil:
			return c.rules.shown(known, now, got), true
		case held:
			if re != nil {
				known.Kind, known.Code = re.Kind, re.Code
			}
			return c.rules.putOff(known, now, "it could not be read", poison), true
		}
		return known, false
	})
	return settled, errors.Join(err, storeErr)
}

// Resolve implements refund.Resolver, through the journal: what it finds is recorded. A refund that the journal does not have is
// entered as unknown.
func (c *client) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	req := &a.Request
	now, err := c.ready(ctx)
	var known Entry
	if err == nil {
		known, err = c.journal.store.Get(ctx, c.id(req.IdempotencyKey))
	}
	if errors.Is(err, ErrNoEntry) {
		known, err = c.adopt(ctx, &a, now)
	}
	done, open := c.journal.begin()
	switch {
	case err == nil && !open:
		err = ErrClosed
	case open:
		defer done()
	}
	if err != nil {
		re := c.blind(req, refund.ErrUnavailable, err)
		re.Attempt = a // as unknown as before
		return refund.Resolution{}, re
	}
	if !known.same(req) {
		return refund.Resolution{}, c.keyReused(req)
	}
	if (known.State == StateSending || known.State == StateUnknown) && !known.leased(now) && !known.Due.After(now) {
		held, err := c.claim(ctx, &known, now)
		if err != nil {
			return refund.Resolution{}, c.notClaimed(&known, err)
		}
		if known, err = c.settleNow(ctx, held, a.LookOnly); err != nil {
			return refund.Resolution{}, err
		}
	}
	got := refund.Resolution{Attempt: c.inWallTime(known.attempt()), Why: known.Note}
	got.Attempt.LookOnly, got.Attempt.Known = a.LookOnly, a.Known
	switch known.State {
	case StateSending, StateUnknown:
		got.NotBefore = time.Now().Add(c.wait(&known))
	case StateRejected, StateNotSent, StateNotFound:
		got.Verdict = refund.VerdictNotApplied
	case StateSucceeded, StatePending, StateFailed, StateCanceled, StateExpired:
		got.Verdict, got.Refund = refund.VerdictApplied, known.refund()
	case StateNeedsReview:
	}
	return got, nil
}

// adopt enters an attempt that the journal does not have: from before it was there, or from when its store was not.
func (c *client) adopt(ctx context.Context, a *refund.Attempt, now time.Time) (Entry, error) {
	if err := c.caps.Check(a.Request); err != nil {
		return Entry{}, err
	}
	own := c.inStoreTime(*a)
	e := fresh(c.id(a.Request.IdempotencyKey), &a.Request, owner(), now, time.Time{}, "")
	e.FirstSent, e.Snapshot = own.FirstSent, own.Snapshot
	e = c.rules.unclear(e, now, &own)
	e.Due = now
	result := c.journal.change(ctx, &Entry{}, e, "")
	if errors.Is(result.Err, ErrKeyExists) {
		return result.Entry, nil
	}
	return result.Entry, result.Err
}
