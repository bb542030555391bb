package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Errors of a journalled client. They are the causes of *refund.Error values: use errors.Is.
var (
	// ErrNotRecorded: what became of the refund could not be written. If a refund is returned beside it, it was made;
	// Recover finds it.
	ErrNotRecorded = errors.New("journal: the result is not recorded")
	// ErrNeedsReview: only a person can tell what became of the refund, with Decide.
	ErrNeedsReview = errors.New("journal: the refund needs review")
	// ErrIllegalTransition: the entry's state does not allow the change.
	ErrIllegalTransition = errors.New("journal: illegal transition")
	// ErrNoClient: an entry is of an account that has not been wrapped.
	ErrNoClient = errors.New("journal: no client for the account")
	// ErrWrapped: Wrap was asked for a client that is journalled already, or for an account that has a client.
	ErrWrapped = errors.New("journal: wrapped already")
)

// Options of a Journal. The zero value is ready to use.
type Options struct {
	// Lease is how long an entry belongs to the process that works on it. A call to the provider ends a minute before
	// its lease. 0 means 15 minutes.
	Lease time.Duration
	// Backoff is how long to wait before an unknown entry is resolved again, one step for each time; when it is used
	// up the entry needs review. Callers who repeat the key meanwhile do not use it up. Empty means 15 s, 1 min, 5 min,
	// 15 min, 1 h, 6 h and then five times 24 h.
	Backoff []time.Duration
	// Poll is how often Sync asks for a pending refund. 0 means 15 minutes.
	Poll time.Duration
	// Interval is how often Run looks for work. 0 means 30 seconds.
	Interval time.Duration
	// OnTransition is called once for each change of state, after it has been recorded, for metrics. It must be quick
	// and safe for concurrent use.
	OnTransition func(Transition)
	// Logger gets what Run cannot return, at Warn. Nil means no logging.
	Logger *slog.Logger
}

// Transition is a recorded change of state.
type Transition struct {
	From  State // "" for a new entry
	Entry Entry // as it is now
}

const (
	defaultLease    = 15 * time.Minute
	defaultPoll     = 15 * time.Minute
	defaultInterval = 30 * time.Second
	leaseMargin     = time.Minute // for clocks that differ
	finishTimeout   = 10 * time.Second
)

func defaultBackoff() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, day, day, day, day, day}
}

// Journal makes refunds that are asked for once be paid at most once. Safe for concurrent use, in many processes on one
// Store.
type Journal struct {
	store Store
	opts  Options

	mu      sync.Mutex
	clients map[account]*client
}

// account is whom a client refunds for.
type account struct{ provider, name string }

func (a account) String() string { return fmt.Sprintf("%s, account %q", a.provider, a.name) }

// New makes a Journal on store. No I/O. It panics if store is nil.
func New(store Store, opts Options) *Journal {
	if isNil(store) {
		panic("journal: New needs a Store")
	}
	opts.Lease = cmp.Or(opts.Lease, defaultLease)
	opts.Poll = cmp.Or(opts.Poll, defaultPoll)
	opts.Interval = cmp.Or(opts.Interval, defaultInterval)
	if len(opts.Backoff) == 0 {
		opts.Backoff = defaultBackoff()
	}
	return &Journal{store: store, opts: opts, clients: map[account]*client{}}
}

// Entries returns what f selects.
func (j *Journal) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return j.store.Entries(ctx, f)
}

// Get returns the entry with this ID, or ErrNoEntry.
func (j *Journal) Get(ctx context.Context, id ID) (Entry, error) { return j.store.Get(ctx, id) }

// move records e with a new state and reports it. from is the entry as it was read.
func (j *Journal) move(ctx context.Context, from *Entry, e Entry) (Entry, error) {
	if !from.State.may(e.State) {
		return *from, fmt.Errorf("%w: from %s to %s", ErrIllegalTransition, from.State, e.State)
	}
	return j.update(ctx, from, e)
}

// update is move for a change that need not be one of the state.
func (j *Journal) update(ctx context.Context, from *Entry, e Entry) (Entry, error) {
	e.Version, e.Updated = from.Version+1, time.Now()
	if err := j.store.Update(ctx, e); err != nil {
		return *from, err
	}
	j.report(from.State, &e)
	return e, nil
}

func (j *Journal) report(from State, e *Entry) {
	if j.opts.OnTransition != nil && from != e.State {
		j.opts.OnTransition(Transition{From: from, Entry: *e})
	}
}

// client is a journalled client: the refund.Refunder and refund.Resolver that Wrap returns. What it does not do itself is
// found through Unwrap.
type client struct {
	journal *Journal
	inner   refund.Refunder
	caps    refund.Capabilities
}

// canceling is a client whose provider can take refunds back. It has a method of its own for that, because a cancellation
// must not go behind the journal's back.
type canceling struct{ *client }

// journalled marks what Wrap returns.
func (c *client) journalled() {}

// Wrap puts the journal around r. The result keeps r's optional abilities (see refund.As), and is a refund.Resolver in any
// case: its Resolve records what it finds, as its CancelRefund does if r has one. Its Capabilities are r's, with RepeatSame:
// a repeat of a key returns the recorded refund. Recover and Sync use r for the entries of its account.
//
// Each account, which is Capabilities.Provider and Capabilities.Account, can be wrapped once: a second client is
// ErrWrapped, and so is one that is journalled already. A client whose Capabilities name an ability that refund.As does not
// find is refused with an *refund.Error that names it.
func (j *Journal) Wrap(r refund.Refunder) (refund.Refunder, error) {
	if isNil(r) {
		return nil, errors.New("journal: there is no client to wrap")
	}
	if _, ok := refund.As[interface{ journalled() }](r); ok {
		return nil, fmt.Errorf("%w: the client is a journal's", ErrWrapped)
	}
	if err := refund.CheckAbilities(r); err != nil {
		return nil, err
	}
	c := &client{journal: j, inner: r, caps: r.Capabilities()}
	c.caps.Repeat = refund.RepeatSame
	if c.caps.Provider == "" {
		return nil, errors.New("journal: the client's Capabilities name no provider")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	of := c.account()
	if j.clients[of] != nil {
		return nil, fmt.Errorf("%w: %s has a client; two accounts of a provider need two names, see refund.Options.Account", ErrWrapped, of)
	}
	j.clients[of] = c
	if _, ok := refund.As[refund.Canceler](r); ok {
		return canceling{c}, nil
	}
	return c, nil
}

// isNil reports whether v is nil or holds a nil pointer, which would panic in the middle of a refund.
func isNil(v any) bool {
	rv := reflect.ValueOf(v)
	return !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil()
}

func (j *Journal) client(of account) (*client, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.clients[of]
	if c == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoClient, of)
	}
	return c, nil
}

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
func (c *client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if err := c.caps.Check(req); err != nil {
		return nil, err
	}
	if ctx == nil {
		return nil, c.refuse(&req, refund.ErrInvalidRequest, errors.New("the context is nil; use context.Background()"))
	}
	if err := ctx.Err(); err != nil {
		return nil, c.refuse(&req, refund.ErrUnavailable, err)
	}
	entry, refunded, err := c.begin(ctx, &req)
	if err != nil || refunded != nil {
		return refunded, err
	}
	callCtx, cancel := context.WithDeadline(ctx, entry.Lease.Add(-c.margin()))
	defer cancel()
	entry, err = c.snapshot(callCtx, entry, &req)
	switch {
	case errors.Is(err, ErrStale): // it took so long that somebody else has taken over
		return nil, c.inFlight(&entry)
	case err == nil:
		refunded, err = c.inner.Refund(callCtx, req)
	}
	return c.finish(ctx, entry, refunded, err)
}

// margin is how long before the end of a lease the work under it ends.
func (c *client) margin() time.Duration { return min(leaseMargin, c.journal.opts.Lease/4) }

// begin makes the intent durable. It returns the entry to send, or the result of one that was there before.
func (c *client) begin(ctx context.Context, req *refund.Request) (Entry, *refund.Refund, error) {
	now := time.Now()
	e := newEntry(c.id(req.IdempotencyKey), req, now, now.Add(c.journal.opts.Lease))
	switch err := c.journal.store.Insert(ctx, e); {
	case err == nil:
		c.journal.report("", &e)
		return e, nil, nil
	case errors.Is(err, ErrKeyExists):
		known, err := c.journal.store.Get(ctx, c.id(req.IdempotencyKey))
		if err != nil {
			return Entry{}, nil, c.blind(req, err)
		}
		return c.again(ctx, known, req)
	case errors.Is(err, ErrOrderBusy):
		return Entry{}, nil, c.refuse(req, refund.ErrConflict, ErrOrderBusy)
	default:
		return Entry{}, nil, c.blind(req, err)
	}
}

// snapshot records what a later Resolve has to compare with, for those who need it. It is read under the entry's lease:
// read before, it would not have a refund of the order that another call makes in between, which would then be taken for
// this one.
func (c *client) snapshot(ctx context.Context, e Entry, req *refund.Request) (Entry, error) {
	b, ok := refund.As[refund.Snapshotter](c.inner)
	if !ok {
		return e, nil
	}
	got, err := b.Snapshot(ctx, *req)
	if err != nil {
		if refund.OutcomeOf(err) == refund.OutcomeUnknown { // no *refund.Error: it was a read, nothing was sent
			err = c.refuse(req, refund.ErrUnavailable, err)
		}
		return e, err
	}
	next := e
	next.Snapshot = got
	next, err = c.journal.update(ctx, &e, next)
	if err != nil && !errors.Is(err, ErrStale) {
		err = c.refuse(req, refund.ErrUnavailable, err)
	}
	return next, err
}

// again is what a key gets that has an entry.
func (c *client) again(ctx context.Context, known Entry, req *refund.Request) (Entry, *refund.Refund, error) {
	if !known.same(req) {
		return Entry{}, nil, c.keyReused(req)
	}
	now := time.Now()
	switch known.State {
	case StateSucceeded, StatePending, StateFailed, StateCanceled, StateExpired:
		return Entry{}, known.refund(), nil
	case StateRejected, StateNotSent:
		e := newEntry(c.id(req.IdempotencyKey), req, now, now.Add(c.journal.opts.Lease))
		e.Order, e.Created = known.Order, known.Created
		sending, err := c.journal.move(ctx, &known, e)
		switch {
		case errors.Is(err, ErrStale):
			return Entry{}, nil, c.inFlight(&known)
		case errors.Is(err, ErrOrderBusy):
			return Entry{}, nil, c.refuse(req, refund.ErrConflict, ErrOrderBusy)
		case err != nil:
			return Entry{}, nil, c.blind(req, err)
		}
		return sending, nil, nil
	case StateNeedsReview:
		return Entry{}, nil, c.unknown(&known, ErrNeedsReview)
	case StateSending, StateUnknown:
	}
	if known.Lease.After(now) {
		return Entry{}, nil, c.inFlight(&known)
	}
	resolved, err := c.resolve(ctx, known)
	switch {
	case errors.Is(err, ErrStale):
		return Entry{}, nil, c.inFlight(&known)
	case err != nil:
		return Entry{}, nil, c.unknown(&resolved, err)
	case resolved.State == StateUnknown:
		return Entry{}, nil, c.unknown(&resolved, nil)
	}
	return c.again(ctx, resolved, req)
}

// finish records what became of the call, whether or not the caller still waits for it.
func (c *client) finish(ctx context.Context, entry Entry, got *refund.Refund, err error) (*refund.Refund, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	now, e := time.Now(), entry
	e.Lease, e.Due = time.Time{}, time.Time{}
	var re *refund.Error
	switch {
	case err == nil && got != nil:
		e.record(got)
		e.Tries = max(e.Tries, 1)
		e.Due = c.poll(e.State, now)
	case errors.As(err, &re) && re.Outcome == refund.OutcomeNotSent:
		e.State, e.Kind, e.Code = StateNotSent, re.Kind, re.Code
	case errors.As(err, &re) && re.Outcome == refund.OutcomeRejected:
		e.State, e.Kind, e.Code = StateRejected, re.Kind, re.Code
	default: // unknown, or an error that says nothing
		if re == nil {
			re = &refund.Error{Err: err, Message: "the client returned neither a refund nor a refund.Error"}
			err = c.complete(&entry, re)
		}
		e.State, e.Kind, e.Code = StateUnknown, re.Kind, re.Code
		e.sent(&re.Attempt, now)
		e.Due = now.Add(c.journal.opts.Backoff[0])
	}
	if _, storeErr := c.journal.move(ctx, &entry, e); storeErr != nil {
		return got, c.notRecorded(&e, err, storeErr)
	}
	return got, err
}

// sent takes over when requests went out. An Attempt without times leaves what is safe: from the intent until now. What
// earlier requests have left only widens: a first request does not get younger, a last one not older.
func (e *Entry) sent(a *refund.Attempt, now time.Time) {
	if !a.FirstSent.IsZero() && (e.Tries == 0 || a.FirstSent.Before(e.FirstSent)) {
		e.FirstSent = a.FirstSent
	}
	last := a.LastSent
	if last.IsZero() {
		last = now
	}
	if last.After(e.LastSent) {
		e.LastSent = last
	}
	e.Tries = max(a.Tries, e.Tries, 1)
	if a.Snapshot != "" {
		e.Snapshot = a.Snapshot // closer to the request than the journal's own
	}
	e.Answered = e.Answered || a.Answered
	e.MissedAt = a.MissedAt
}

// poll is when a pending refund is looked at.
func (c *client) poll(s State, now time.Time) time.Time {
	if _, ok := refund.As[refund.Getter](c.inner); s != StatePending || !ok {
		return time.Time{}
	}
	return now.Add(c.journal.opts.Poll)
}

// refuse is the error of a call that sent nothing.
func (c *client) refuse(req *refund.Request, kind refund.Kind, cause error) error {
	return &refund.Error{
		Provider: c.caps.Provider, Account: c.caps.Account, Op: "refund", Kind: kind, Outcome: refund.OutcomeNotSent,
		IdempotencyKey: req.IdempotencyKey, Message: cause.Error(), Err: cause,
	}
}

// keyReused is the error of a key that has an entry for another refund. What became of that one is not said, so the outcome
// is unknown; this one needs a key of its own.
func (c *client) keyReused(req *refund.Request) error {
	return &refund.Error{
		Provider: c.caps.Provider, Account: c.caps.Account, Op: "refund", Kind: refund.ErrKeyReused,
		IdempotencyKey: req.IdempotencyKey, Field: "IdempotencyKey",
		Message: "was used before for another order, amount, part or line; nothing was sent, a new refund needs a new key",
	}
}

// blind is the error of a call that sent nothing because the store could not be asked. The outcome is unknown all the
// same: an earlier call with the key may have sent it, and an intent that was stored although the store did not say so
// is sent by recovery. Calling again with the key tells.
func (c *client) blind(req *refund.Request, cause error) error {
	now := time.Now()
	e := newEntry(c.id(req.IdempotencyKey), req, now, now)
	return c.complete(&e, &refund.Error{Kind: refund.ErrUnavailable, Message: "the journal cannot be reached: " + cause.Error(), Err: cause})
}

// inFlight is the error of a key that another call works on.
func (c *client) inFlight(e *Entry) error {
	return c.complete(e, &refund.Error{
		Kind: refund.ErrInFlight, Message: "another call works on this refund", RetryAfter: max(time.Until(e.Lease), 0),
	})
}

// unknown is the error of an entry that could not be resolved yet.
func (c *client) unknown(e *Entry, cause error) error {
	message := cmp.Or(e.Note, "it is not known yet what became of it")
	switch {
	case errors.Is(cause, ErrNeedsReview):
		message = cause.Error() + ": " + message // where to look
	case cause != nil:
		message = cause.Error()
	}
	return c.complete(e, &refund.Error{
		Kind: e.Kind, Message: message, RetryAfter: max(time.Until(e.Due), 0), Err: cause,
	})
}

// notRecorded is the error of a result that could not be written; err is the call's own. Whatever the provider said,
// the outcome is open again: recovery will find an entry that is being sent, and may send it once more.
func (c *client) notRecorded(e *Entry, err, storeErr error) error {
	re := &refund.Error{Kind: refund.ErrUnavailable, Message: "the refund was made"}
	var own *refund.Error
	if errors.As(err, &own) {
		*re = *own
	}
	re.Message += "; and this is not recorded: " + storeErr.Error()
	re.Err = errors.Join(ErrNotRecorded, storeErr, err)
	return c.complete(e, re)
}

// complete makes re an unknown outcome of e.
func (c *client) complete(e *Entry, re *refund.Error) *refund.Error {
	re.Provider, re.Account, re.Op, re.Outcome = c.caps.Provider, c.caps.Account, "refund", refund.OutcomeUnknown
	re.IdempotencyKey, re.Code = e.Key, cmp.Or(re.Code, e.Code)
	re.Attempt = e.attempt()
	re.Attempt.LastSent = cmp.Or(re.Attempt.LastSent, time.Now())
	return re
}
