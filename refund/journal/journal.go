package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Errors of a journalled client. They are the causes of *refund.Error values: use errors.Is.
var (
	// ErrKeyReused: the key names another refund. Nothing was sent.
	ErrKeyReused = errors.New("journal: the idempotency key names another refund")
	// ErrNotRecorded: what became of the refund could not be written. If a refund is returned beside it, it was made;
	// Recover finds it.
	ErrNotRecorded = errors.New("journal: the result is not recorded")
	// ErrNeedsReview: only a person can tell what became of the refund, with Decide.
	ErrNeedsReview = errors.New("journal: the refund needs review")
	// ErrIllegalTransition: the entry's state does not allow the change.
	ErrIllegalTransition = errors.New("journal: illegal transition")
	// ErrNoClient: an entry is of a provider that has not been wrapped.
	ErrNoClient = errors.New("journal: no client for the provider")
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
	clients map[string]*client // by provider
}

// New makes a Journal on store. No I/O.
func New(store Store, opts Options) *Journal {
	opts.Lease = cmp.Or(opts.Lease, defaultLease)
	opts.Poll = cmp.Or(opts.Poll, defaultPoll)
	opts.Interval = cmp.Or(opts.Interval, defaultInterval)
	if len(opts.Backoff) == 0 {
		opts.Backoff = defaultBackoff()
	}
	return &Journal{store: store, opts: opts, clients: map[string]*client{}}
}

// Entries returns what f selects.
func (j *Journal) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return j.store.Entries(ctx, f)
}

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

// client is a journalled client: the refund.Refunder and refund.Resolver that Wrap returns.
type client struct {
	journal *Journal
	inner   refund.Refunder
	caps    refund.Capabilities
}

// Wrap puts the journal around r. The result keeps r's optional abilities, and is a refund.Resolver in any case: its
// Resolve records what it finds. Its Capabilities are r's, with RepeatSame: a repeat of a key returns the recorded
// refund. Recover and Sync use r for the entries of its provider; a second account at one provider needs a Journal, and
// a Store, of its own.
func (j *Journal) Wrap(r refund.Refunder) refund.Refunder {
	c := &client{journal: j, inner: r, caps: r.Capabilities()}
	c.caps.Repeat = refund.RepeatSame
	j.mu.Lock()
	j.clients[c.caps.Provider] = c
	j.mu.Unlock()
	return keepAbilities(c, r)
}

func (j *Journal) client(provider string) (*client, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.clients[provider]
	if c == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoClient, provider)
	}
	return c, nil
}

// Capabilities implements refund.Refunder.
func (c *client) Capabilities() refund.Capabilities { return c.caps }

// Refund implements refund.Refunder. See the package comment for what it promises.
func (c *client) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if err := c.caps.Check(req); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, c.refuse(&req, refund.KindUnavailable, err)
	}
	entry, refunded, err := c.begin(ctx, &req)
	if err != nil || refunded != nil {
		return refunded, err
	}
	callCtx, cancel := context.WithDeadline(ctx, entry.Lease.Add(-c.margin()))
	defer cancel()
	entry, err = c.baseline(callCtx, entry, &req)
	switch {
	case errors.Is(err, ErrConflict): // it took so long that somebody else has taken over
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
	e := newEntry(c.caps.Provider, req, now, now.Add(c.journal.opts.Lease))
	switch err := c.journal.store.Insert(ctx, e); {
	case err == nil:
		c.journal.report("", &e)
		return e, nil, nil
	case errors.Is(err, ErrExists):
		known, err := c.journal.store.Get(ctx, c.caps.Provider, req.IdempotencyKey)
		if err != nil {
			return Entry{}, nil, c.blind(req, err)
		}
		return c.again(ctx, known, req)
	case errors.Is(err, ErrOrderBusy):
		return Entry{}, nil, c.refuse(req, refund.KindConflict, ErrOrderBusy)
	default:
		return Entry{}, nil, c.blind(req, err)
	}
}

// baseline records what a later Resolve has to compare with, for those who need it. It is read under the entry's lease:
// read before, it would not have a refund of the order that another call makes in between, which would then be taken for
// this one.
func (c *client) baseline(ctx context.Context, e Entry, req *refund.Request) (Entry, error) {
	b, ok := c.inner.(refund.Baseliner)
	if !ok {
		return e, nil
	}
	got, err := b.Baseline(ctx, *req)
	if err != nil {
		if refund.OutcomeOf(err) == refund.OutcomeUnknown { // no *refund.Error: it was a read, nothing was sent
			err = c.refuse(req, refund.KindUnavailable, err)
		}
		return e, err
	}
	next := e
	next.Baseline = got
	next, err = c.journal.update(ctx, &e, next)
	if err != nil && !errors.Is(err, ErrConflict) {
		err = c.refuse(req, refund.KindUnavailable, err)
	}
	return next, err
}

// again is what a key gets that has an entry.
func (c *client) again(ctx context.Context, known Entry, req *refund.Request) (Entry, *refund.Refund, error) {
	if !known.same(req) {
		return Entry{}, nil, c.refuse(req, refund.KindConflict, ErrKeyReused)
	}
	now := time.Now()
	switch known.State {
	case Succeeded, Pending, Failed, Canceled, Expired:
		return Entry{}, known.refund(), nil
	case Rejected, NotSent:
		e := newEntry(c.caps.Provider, req, now, now.Add(c.journal.opts.Lease))
		e.Order, e.Created = known.Order, known.Created
		sending, err := c.journal.move(ctx, &known, e)
		switch {
		case errors.Is(err, ErrConflict):
			return Entry{}, nil, c.inFlight(&known)
		case errors.Is(err, ErrOrderBusy):
			return Entry{}, nil, c.refuse(req, refund.KindConflict, ErrOrderBusy)
		case err != nil:
			return Entry{}, nil, c.blind(req, err)
		}
		return sending, nil, nil
	case NeedsReview:
		return Entry{}, nil, c.unknown(&known, ErrNeedsReview)
	case Sending, Unknown:
	}
	if known.Lease.After(now) {
		return Entry{}, nil, c.inFlight(&known)
	}
	resolved, err := c.resolve(ctx, known)
	switch {
	case errors.Is(err, ErrConflict):
		return Entry{}, nil, c.inFlight(&known)
	case err != nil:
		return Entry{}, nil, c.unknown(&resolved, err)
	case resolved.State == Unknown:
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
		e.State, e.Kind, e.Code = NotSent, re.Kind, re.Code
	case errors.As(err, &re) && re.Outcome == refund.OutcomeRejected:
		e.State, e.Kind, e.Code = Rejected, re.Kind, re.Code
	default: // unknown, or an error that says nothing
		if re == nil {
			re = &refund.Error{Err: err, Message: "the client returned neither a refund nor a refund.Error"}
			err = c.complete(&entry, re)
		}
		e.State, e.Kind, e.Code = Unknown, re.Kind, re.Code
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
	if a.Baseline != "" {
		e.Baseline = a.Baseline // closer to the request than the journal's own
	}
}

// poll is when a pending refund is looked at.
func (c *client) poll(s State, now time.Time) time.Time {
	if _, ok := c.inner.(refund.Getter); s != Pending || !ok {
		return time.Time{}
	}
	return now.Add(c.journal.opts.Poll)
}

// refuse is the error of a call that sent nothing.
func (c *client) refuse(req *refund.Request, kind refund.Kind, cause error) error {
	return &refund.Error{
		Provider: c.caps.Provider, Op: "refund", Kind: kind, Outcome: refund.OutcomeNotSent,
		IdempotencyKey: req.IdempotencyKey, Message: cause.Error(), Err: cause,
	}
}

// blind is the error of a call that sent nothing because the store could not be asked. The outcome is unknown all the
// same: an earlier call with the key may have sent it, and an intent that was stored although the store did not say so
// is sent by recovery. Calling again with the key tells.
func (c *client) blind(req *refund.Request, cause error) error {
	now := time.Now()
	e := newEntry(c.caps.Provider, req, now, now)
	return c.complete(&e, &refund.Error{Kind: refund.KindUnavailable, Message: "the journal cannot be reached: " + cause.Error(), Err: cause})
}

// inFlight is the error of a key that another call works on.
func (c *client) inFlight(e *Entry) error {
	return c.complete(e, &refund.Error{
		Kind: refund.KindInFlight, Message: "another call works on this refund", RetryAfter: max(time.Until(e.Lease), 0),
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
	re := &refund.Error{Kind: refund.KindUnavailable, Message: "the refund was made"}
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
	re.Provider, re.Op, re.Outcome = c.caps.Provider, "refund", refund.OutcomeUnknown
	re.IdempotencyKey, re.Code = e.Key, cmp.Or(re.Code, e.Code)
	re.Attempt = e.attempt()
	re.Attempt.LastSent = cmp.Or(re.Attempt.LastSent, time.Now())
	return re
}
