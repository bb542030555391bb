package journal

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// client is a journalled client: the refund.Refunder and refund.Resolver that Wrap returns. What it does not do itself is
// found through Unwrap.
type client struct {
	journal *Journal
	inner   refund.Refunder
	caps    refund.Capabilities
	rules   rules
	slots   chan struct{} // one is taken by each call that is in flight
	busy    atomic.Bool   // Run has a round of it under way

	mu         sync.Mutex
	knownUntil time.Time // the store has said that it knows the account
}

// canceling is a client whose provider can take refunds back. It has a method of its own for that, because a cancellation
// must not go behind the journal's back.
type canceling struct{ *client }

func newClient(j *Journal, r refund.Refunder) *client {
	c := &client{journal: j, inner: r, caps: r.Capabilities(), slots: make(chan struct{}, j.opts.InFlight)}
	_, reads := refund.As[refund.Getter](r)
	c.rules = rules{
		backoff: j.opts.Backoff, poll: j.opts.Poll, absenceAfter: cmp.Or(c.caps.AbsenceAfter, defaultAbsence),
		reads: reads, marked: c.caps.ResolvedBy == refund.ResolvedByMarker, single: !c.caps.MultipleRefunds,
	}
	c.caps.Repeat = refund.RepeatSame
	return c
}

// journalled marks what Wrap returns.
func (c *client) journalled() {}

// Unwrap returns the client that was wrapped: refund.As finds its reads there. What changes money is the journal's own.
func (c *client) Unwrap() refund.Refunder { return c.inner }

func (c *client) account() account { return account{c.caps.Provider, c.caps.Account} }

func (c *client) id(key string) ID { return ID{c.caps.Provider, c.caps.Account, key} }

// Capabilities implements refund.Refunder.
func (c *client) Capabilities() refund.Capabilities {
	caps := c.inner.Capabilities()
	caps.Repeat = c.caps.Repeat
	return caps
}

// Refund implements refund.Refunder. See the package comment for what it promises.
func (c *client) Refund(ctx context.Context, req refund.Request) (got *refund.Refund, err error) {
	refused := c.caps.Check(req)
	var re *refund.Error
	if errors.As(refused, &re) && re.Field == "IdempotencyKey" {
		return nil, refused
	}
	if ctx == nil {
		return nil, c.blind(&req, refund.ErrInvalidRequest, errors.New("the context is nil; use context.Background()"))
	}
	op := Operation{opRefund, c.id(req.IdempotencyKey)}
	ctx = c.journal.opts.Observer.start(ctx, op)
	defer func() { c.journal.opts.Observer.end(ctx, op, err) }()
	done, open := c.journal.begin()
	if open {
		defer done()
	} else if refused == nil {
		refused = c.refuse(&req, refund.ErrUnavailable, ErrClosed)
	}
	now, err := c.ready(ctx)
	switch {
	case err != nil:
		return nil, c.blind(&req, refund.ErrUnavailable, err)
	case refused != nil:
		return c.recorded(ctx, &req, refused)
	}
	if got, told, err := c.takeSlot(ctx, &req); told {
		return got, err
	}
	held, got, err := c.open(ctx, &req, now)
	if held.entry.Version == 0 {
		<-c.slots
		return got, err
	}
	return c.carryOut(ctx, held, &req)
}

// takeSlot takes a slot for a call. While others have them all, what is recorded is told all the same; told says that it was, or
// that ctx has ended.
func (c *client) takeSlot(ctx context.Context, req *refund.Request) (got *refund.Refund, told bool, err error) {
	select {
	case c.slots <- struct{}{}:
		return nil, false, nil
	default:
	}
	if e, err := c.journal.store.Get(ctx, c.id(req.IdempotencyKey)); err == nil && e.same(req) && e.State.made() {
		return e.refund(), true, nil
	}
	select {
	case c.slots <- struct{}{}:
		return nil, false, nil
	case <-ctx.Done():
		return nil, true, c.blind(req, refund.ErrUnavailable, ctx.Err())
	}
}

// ready returns the time, once the store is known to know the client's account.
func (c *client) ready(ctx context.Context) (now time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return now, err //nolint:wrapcheck // the context's own
	}
	now, err = c.journal.clock.now(ctx)
	if err == nil {
		err = c.known(ctx, now)
	}
	return now, err
}

// recorded is the end of a call that sends nothing because of refused: what the key's entry says, or refused if it has none.
func (c *client) recorded(ctx context.Context, req *refund.Request, refused error) (*refund.Refund, error) {
	e, err := c.journal.store.Get(ctx, c.id(req.IdempotencyKey))
	switch {
	case errors.Is(err, ErrNoEntry):
		return nil, refused
	case err != nil:
		return nil, c.blind(req, refund.ErrUnavailable, err)
	case !e.same(req):
		return nil, c.keyReused(req)
	}
	return c.told(&e, refused)
}

// told is what a caller hears who has not learned anything himself, except that err: what is recorded.
func (c *client) told(e *Entry, err error) (*refund.Refund, error) {
	switch e.State {
	case StateSucceeded, StatePending, StateFailed, StateCanceled, StateExpired:
		return e.refund(), nil
	case StateNotSent, StateRejected:
		if o := refund.OutcomeOf(err); o == refund.OutcomeNotSent || o == refund.OutcomeRejected {
			return nil, err
		}
	case StateNeedsReview:
		err = ErrNeedsReview
	case StateSending, StateUnknown, StateNotFound:
	}
	return nil, c.unknown(e, err)
}

// hold is an entry in the hands of this call.
type hold struct {
	entry Entry
	until time.Time // by this machine's clock: the work has to end then, so that others can have it when the lease is over
	from  State     // what the entry was before
}

// hold makes one of an entry that was claimed.
func (c *client) hold(e Entry) hold {
	return hold{entry: e, until: c.journal.clock.local(e.Lease).Add(-min(leaseMargin, c.journal.opts.Lease/4))}
}

// open makes the intent to refund durable. It returns the hold of the entry, or what the caller is told if nothing is to be
// sent.
func (c *client) open(ctx context.Context, req *refund.Request, now time.Time) (hold, *refund.Refund, error) {
	e := fresh(c.id(req.IdempotencyKey), req, owner(), now, now.Add(c.journal.opts.Lease), c.firstStep())
	switch result := c.journal.change(ctx, &Entry{}, e, ""); {
	case result.Err == nil:
		return c.hold(result.Entry), nil, nil
	case errors.Is(result.Err, ErrKeyExists):
		return c.reopen(ctx, result.Entry, req)
	case errors.Is(result.Err, ErrOrderBusy):
		return hold{}, nil, c.orderBusy(req, &result.Entry)
	default:
		e.Version = 1
		return hold{}, nil, c.notBegun(ctx, &e, req, result.Err)
	}
}

// firstStep is where a sender begins: with the snapshot, if it needs one.
func (c *client) firstStep() Step {
	if _, ok := refund.As[refund.Snapshotter](c.inner); ok {
		return StepIntent
	}
	return StepSending
}

// reopen is open for a key that has an entry.
func (c *client) reopen(ctx context.Context, known Entry, req *refund.Request) (hold, *refund.Refund, error) {
	for {
		if !known.same(req) {
			return hold{}, nil, c.keyReused(req)
		}
		now, err := c.journal.clock.now(ctx)
		if err != nil {
			return hold{}, nil, c.unknown(&known, err)
		}
		switch known.State {
		case StateNotFound, StateNotSent, StateRejected:
			return c.sendAgain(ctx, known, req, now)
		case StateSending, StateUnknown:
			if !known.leased(now) && !known.Due.After(now) {
				break
			}
			fallthrough
		case StateSucceeded, StatePending, StateFailed, StateCanceled, StateExpired, StateNeedsReview:
			got, err := c.told(&known, nil)
			return hold{}, got, err
		}
		held, err := c.claim(ctx, &known, now)
		if err != nil {
			return hold{}, nil, c.notClaimed(&known, err)
		}
		known, err = c.settleNow(ctx, held, false)
		if err == nil && known.State == StateUnknown {
			err = c.unknown(&known, nil)
		}
		if err != nil {
			return hold{}, nil, err
		}
	}
}

// claim takes an entry that nobody works on.
func (c *client) claim(ctx context.Context, known *Entry, now time.Time) (hold, error) {
	e := claimed(*known, owner(), now, c.journal.opts.Lease)
	e.Updated = now
	result := c.journal.change(ctx, known, e, "")
	return c.hold(result.Entry), result.Err
}

// sendAgain is reopen for a refund of which nothing has moved, as far as anybody can see.
func (c *client) sendAgain(ctx context.Context, known Entry, req *refund.Request, now time.Time) (hold, *refund.Refund, error) {
	if known.leased(now) {
		return hold{}, nil, c.inFlight(&known, nil)
	}
	step := c.firstStep()
	if !known.NotFoundAt.IsZero() {
		step = StepIntent // it is looked for first
	}
	e := again(known, owner(), now, now.Add(c.journal.opts.Lease), step)
	e.Updated = now
	switch result := c.journal.change(ctx, &known, e, ""); {
	case result.Err == nil:
		held := c.hold(result.Entry)
		held.from = known.State
		return held, nil, nil
	case errors.Is(result.Err, ErrStale):
		return hold{}, nil, c.inFlight(&result.Entry, nil)
	case errors.Is(result.Err, ErrOrderBusy) && known.State == StateNotFound:
		re := c.unknown(&known, ErrOrderBusy)
		re.Message, re.RetryAfter = busyMessage(&result.Entry), c.wait(&result.Entry)
		return hold{}, nil, re
	case errors.Is(result.Err, ErrOrderBusy):
		return hold{}, nil, c.orderBusy(req, &result.Entry)
	default:
		e.Version = known.Version + 1
		return hold{}, nil, c.notBegun(ctx, &e, req, result.Err)
	}
}

// notBegun is the end of a call whose intent could not be written. Where it may have been written all the same, it is
// withdrawn: otherwise the order would be taken until the lease is over, and a person asked about what was never sent.
func (c *client) notBegun(ctx context.Context, e *Entry, req *refund.Request, cause error) error {
	var certain notWrittenError
	if !errors.As(cause, &certain) {
		unsure := *e
		unsure.Version = -1 // no entry has it, so that the store says first whose entry it has: another call's may be as new
		c.journal.working.Go(func() {
			_, _ = c.write(context.WithoutCancel(ctx), unsure, nil, func(known Entry, held bool, now time.Time) (Entry, bool) { //nolint:errcheck // nobody waits
				return c.rules.unmoved(known, now, StateNotSent, "the journal could not be reached"), held && known.State == StateSending
			})
		})
	}
	return c.blind(req, refund.ErrUnavailable, cause)
}

// outcome is what a caller is told.
type outcome struct {
	got *refund.Refund
	err error
}

// carryOut sends the refund that held is of. It does not stop when ctx ends: then the caller hears that it is in flight.
func (c *client) carryOut(ctx context.Context, held hold, req *refund.Request) (*refund.Refund, error) {
	o, told := outlive(ctx, c.journal, func(ctx context.Context, tell func(outcome)) {
		defer func() { <-c.slots }()
		c.perform(ctx, held, req, func(got *refund.Refund, err error) { tell(outcome{got, err}) })
	})
	if !told {
		return nil, c.inFlight(&held.entry, ctx.Err())
	}
	return o.got, o.err
}

// outlive runs f to its end, also when ctx ends, and returns what f tells first. told is false if ctx has ended by then, or if f
// ends without a word.
func outlive[T any](ctx context.Context, j *Journal, f func(ctx context.Context, tell func(T))) (value T, told bool) {
	words := make(chan T, 1)
	j.working.Go(func() {
		defer close(words)
		f(context.WithoutCancel(ctx), func(word T) {
			select {
			case words <- word:
			default: // it has told something before
			}
		})
	})
	select {
	case value, told = <-words:
	case <-ctx.Done():
	}
	return value, told
}

// settled is what settle returns.
type settled struct {
	entry Entry
	err   error
}

// settleNow is settle for a caller who waits for it. The error is that of a caller who has to wait longer, or nil.
func (c *client) settleNow(ctx context.Context, held hold, lookOnly bool) (Entry, error) {
	s, told := outlive(ctx, c.journal, func(ctx context.Context, tell func(settled)) {
		e, err := c.settle(ctx, held, lookOnly)
		tell(settled{e, err})
	})
	switch {
	case !told:
		return held.entry, c.inFlight(&held.entry, ctx.Err())
	case s.err != nil:
		return s.entry, c.unknown(&s.entry, s.err)
	}
	return s.entry, nil
}

// perform sends a refund and records what became of it. tell is called when that is recorded, or when it takes too long.
func (c *client) perform(ctx context.Context, held hold, req *refund.Request, tell func(*refund.Refund, error)) {
	got, err := c.send(ctx, &held, req)
	if errors.Is(err, ErrStale) { // it took so long that somebody else has taken over
		tell(nil, c.inFlight(&held.entry, nil))
		return
	}
	var re *refund.Error
	if err != nil {
		re = c.signed(&held.entry, err)
		err = re
	}
	late := func(storeErr error) { tell(got, c.notRecorded(&held.entry, err, storeErr)) }
	e, storeErr := c.write(ctx, held.entry, late, func(known Entry, own bool, now time.Time) (Entry, bool) {
		if own && re == nil && got.Replayed && held.from != "" {
			known.State = held.from // it was there all along: that nothing had moved was wrong
		}
		return c.learned(known, own, now, got, re)
	})
	if storeErr != nil {
		late(storeErr)
		return
	}
	tell(c.concluded(&e, got, err))
}

// send carries out the steps before the request, and the request. An error that is ErrStale means that the hold is lost.
func (c *client) send(ctx context.Context, held *hold, req *refund.Request) (got *refund.Refund, err error) {
	ctx, cancel := context.WithDeadline(ctx, held.until)
	defer cancel()
	if held.entry.Step == StepIntent {
		if got, err := c.prepare(ctx, held, req); got != nil || err != nil {
			return got, err
		}
	}
	if err := ctx.Err(); err != nil { // others may think by now that nobody sends it
		return nil, c.refuse(req, refund.ErrUnavailable, err)
	}
	c.journal.opts.Observer.attempt(ctx, Operation{opRefund, held.entry.ID()})
	err = guarded(func() (err error) {
		got, err = c.inner.Refund(ctx, *req)
		return err
	})
	if got == nil && err == nil {
		err = errors.New("the client returned neither a refund nor an error")
	}
	return got, err
}

// prepare does what comes before the first request: a look, if it was once judged absent, and the snapshot that a later
// Resolve compares with. It is taken under the entry's lease: taken before, it would not have a refund of the order that
// another call makes in between, which would then be taken for this one.
func (c *client) prepare(ctx context.Context, held *hold, req *refund.Request) (*refund.Refund, error) {
	if !held.entry.NotFoundAt.IsZero() {
		seen, err := c.ask(ctx, &held.entry, true)
		switch {
		case err != nil:
			return nil, c.refuse(req, refund.ErrUnavailable, err)
		case held.from == StateNotFound && c.doubtful(&seen), len(seen.Duplicates) > 0: // nobody has decided that it may be sent
			return nil, c.complete(&held.entry, &refund.Error{Kind: refund.ErrConflict, Message: cmp.Or(seen.Why, "the provider shows it more than once")})
		case seen.Verdict == refund.VerdictApplied && seen.Refund != nil:
			found := *seen.Refund
			found.Replayed = true
			return &found, nil
		}
	}
	var snapshot refund.Snapshot
	if s, ok := refund.As[refund.Snapshotter](c.inner); ok {
		err := guarded(func() (err error) {
			snapshot, err = s.Snapshot(ctx, *req)
			return err
		})
		if err == nil && snapshot == "" {
			err = errors.New("the client has taken an empty snapshot, with which nothing can be compared")
		}
		if err != nil {
			if refund.OutcomeOf(err) == refund.OutcomeUnknown { // it was a read: nothing was sent
				err = c.refuse(req, refund.ErrUnavailable, err)
			}
			return nil, err
		}
	}
	next := sending(held.entry, snapshot)
	next.Updated = c.journal.clock.estimate()
	result := c.journal.change(ctx, &held.entry, next, "")
	switch {
	case errors.Is(result.Err, ErrStale):
		return nil, ErrStale
	case result.Err != nil:
		return nil, c.refuse(req, refund.ErrUnavailable, result.Err)
	}
	held.entry = result.Entry
	return nil, nil //nolint:nilnil // on to the request
}

// learned is an entry after the answer of its sender, who may not hold it any more: others may have judged meanwhile.
func (c *client) learned(known Entry, held bool, now time.Time, got *refund.Refund, err *refund.Error) (Entry, bool) {
	if err != nil {
		own := *err
		own.Attempt.LastSent = cmp.Or(own.Attempt.LastSent, time.Now())
		own.Attempt = c.inStoreTime(own.Attempt)
		own.Attempt.LastSent = own.Attempt.LastSent.Add(c.journal.clock.behind()) // the last moment that it may have been
		err = &own
	}
	switch {
	case held:
		return c.rules.answered(known, now, got, err), true
	case err == nil:
		return c.rules.shown(known, now, got), true
	case err.Outcome != refund.OutcomeUnknown:
		return known, false
	case known.State == StateNotFound, known.State == StateNotSent, known.State == StateRejected, known.State == StateUnknown:
		return c.rules.unclear(known, now, &err.Attempt), true // it has gone out later than those thought who judged
	}
	return known, false
}

// concluded is what the sender of a refund is told, once it is recorded as e.
func (c *client) concluded(e *Entry, got *refund.Refund, err error) (*refund.Refund, error) {
	switch {
	case err == nil && e.State == StateNeedsReview:
		return c.told(e, nil)
	case err == nil:
		if e.Attention == AttentionPaidTwice {
			got.Warnings = append(got.Warnings, e.Note)
		}
		return got, nil
	case refund.OutcomeOf(err) == refund.OutcomeUnknown && e.State == StateUnknown:
		return nil, err
	}
	return c.told(e, err)
}

// write records what was learned of e, again and again until it is recorded or ctx ends. learn makes the entry as it shall be of
// the one that the store has; held says whether that one is still in the hands of e's owner, and false that there is nothing
// to write. late is called once if it takes long; it may be nil.
func (c *client) write(ctx context.Context, e Entry, late func(error), learn func(known Entry, held bool, now time.Time) (Entry, bool)) (Entry, error) {
	const first, most = 50 * time.Millisecond, 30 * time.Second
	began, wait, known := time.Now(), first, e
	unlocked := false
	for {
		now, held := c.journal.clock.estimate(), known.Owner == e.Owner
		var err error
		if !held && known.leased(now) {
			err = ErrLeased // whoever holds it is waited for
		} else {
			next, ok := learn(known, held, now)
			if !ok {
				return known, nil
			}
			next.Owner, next.Updated = e.Owner, now
			next.OrderLock = next.OrderLock && !unlocked
			result := c.journal.change(ctx, &known, next, "")
			switch {
			case result.Err == nil:
				return result.Entry, nil
			case errors.Is(result.Err, ErrStale) && result.Entry.Version == 0:
				return known, ErrNoEntry
			case errors.Is(result.Err, ErrStale):
				known = result.Entry
				continue
			case errors.Is(result.Err, ErrOrderBusy): // what is known has to be recorded, whoever has the order
				unlocked = true
				continue
			}
			err = result.Err
		}
		if late != nil && time.Since(began) >= finishTimeout {
			late(err)
			late = nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return known, err
		case <-timer.C:
		}
		wait = min(2*wait, most)
		if errors.Is(err, ErrLeased) {
			if fresh, err := c.journal.store.Get(ctx, e.ID()); err == nil {
				known = fresh
			}
		}
	}
}
