package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Errors of a journal. Those of a journalled client are the causes of *refund.Error values: use errors.Is.
var (
	// ErrNotRecorded: what became of the refund could not be written so far. If a refund is returned beside it, it was made.
	// Writing goes on as long as the process lives, and Round finds what it leaves.
	ErrNotRecorded = errors.New("journal: the result is not recorded")
	// ErrNeedsReview: only a person can tell what became of the refund, with Decide.
	ErrNeedsReview = errors.New("journal: the refund needs review")
	// ErrLeased: another call works on the entry.
	ErrLeased = errors.New("journal: another call works on the entry")
	// ErrClosed: Shutdown was called.
	ErrClosed = errors.New("journal: shut down")
	// ErrClock: a clock was set, or the machine was stopped: nothing is claimed for a while.
	ErrClock = errors.New("journal: the clocks have disagreed; nothing is claimed until a lease is over")
	// ErrWrapped: Wrap was asked for a client that is journalled already, or for an account that has a client.
	ErrWrapped = errors.New("journal: wrapped already")
	// ErrDecision: a Decision is not complete, or comes too early.
	ErrDecision = errors.New("journal: the decision cannot be taken")
)

// Options of a Journal. The zero value is ready to use.
type Options struct {
	// Lease is how long an entry belongs to the call that works on it. The request to the provider ends a minute before its
	// lease, or a quarter of a shorter one, so the lease must be longer than the client's timeouts and retries together;
	// after a crash the order is free to be looked into when the lease is over. 0 means 15 minutes.
	Lease time.Duration
	// Backoff is how long to wait before an unknown entry is resolved again, one step for each time; when it is used
	// up the entry needs review. Empty means 15 s, 1 min, 5 min, 15 min, 1 h, 6 h and then five times 24 h.
	Backoff []time.Duration
	// Poll is how soon a pending refund is read; the longer it has been pending the rarer it is, down to once a day. 0 means
	// 15 minutes.
	Poll time.Duration
	// Interval is how often Run looks for work. 0 means 30 seconds.
	Interval time.Duration
	// InFlight is how many calls of Refund may be with the provider at once, for each account; others wait. 0 means 64.
	InFlight int
	// Workers is how many entries Round works on at once, for each account. 0 means 8.
	Workers int
	// Observer is told what happens, for metrics and traces.
	Observer Observer
	// Logger gets what Run cannot return and what somebody should look at, at Warn. Nil means no logging.
	Logger *slog.Logger
}

const (
	defaultLease    = 15 * time.Minute
	defaultPoll     = 15 * time.Minute
	defaultInterval = 30 * time.Second
	defaultInFlight = 64
	defaultWorkers  = 8
	// defaultAbsence counts for a client whose Capabilities.AbsenceAfter is zero.
	defaultAbsence = time.Hour
	leaseMargin    = time.Minute
	// finishTimeout is how long a caller is kept waiting for the result to be written.
	finishTimeout = 10 * time.Second
)

func defaultBackoff() []time.Duration {
	return []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, day, day, day, day, day}
}

// Journal makes refunds that are asked for once be paid at most once. Safe for concurrent use, in many processes on one
// Store.
type Journal struct {
	store   Store
	opts    Options
	clock   *clock
	commits *committer

	mu      sync.Mutex
	clients map[account]*client
	closed  bool
	working sync.WaitGroup // calls, and results that are still to be written
}

// New makes a Journal on store. No I/O. It panics if store is nil.
func New(store Store, opts Options) *Journal {
	if isNil(store) {
		panic("journal: New needs a Store")
	}
	opts.Lease = cmp.Or(opts.Lease, defaultLease)
	opts.Poll = cmp.Or(opts.Poll, defaultPoll)
	opts.Interval = cmp.Or(opts.Interval, defaultInterval)
	opts.InFlight = cmp.Or(opts.InFlight, defaultInFlight)
	opts.Workers = cmp.Or(opts.Workers, defaultWorkers)
	if len(opts.Backoff) == 0 {
		opts.Backoff = defaultBackoff()
	}
	return &Journal{
		store: store, opts: opts, clients: map[account]*client{},
		clock: newClock(store, opts.Logger, opts.Lease), commits: newCommitter(store),
	}
}

// Wrap puts the journal around r. The result keeps r's optional abilities (see refund.As), and is a refund.Resolver in any
// case: its Resolve records what it finds, as its CancelRefund does if r has one. Its Capabilities are r's, with RepeatSame:
// a repeat of a key returns the recorded refund. Round uses r for the entries of its account.
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
	c := newClient(j, r)
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

// wrapped returns the clients.
func (j *Journal) wrapped() []*client {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]*client, 0, len(j.clients))
	for _, c := range j.clients {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *client) int { return cmp.Compare(a.account().String(), b.account().String()) })
	return all
}

// begin reports whether something new may begin, which Shutdown then waits for until done is called.
func (j *Journal) begin() (done func(), ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, false
	}
	j.working.Add(1)
	return j.working.Done, true
}

// Shutdown ends the journal's work in this process: Run and Round begin nothing new, Refund refuses what has no entry
// (ErrClosed), and calls that are under way are waited for until their results are written, or ctx ends.
func (j *Journal) Shutdown(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		j.working.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("journal: shut down before all results were written: %w", ctx.Err())
	}
}

// Get returns the entry with this ID, or ErrNoEntry.
func (j *Journal) Get(ctx context.Context, id ID) (Entry, error) { return j.store.Get(ctx, id) }

// Entries returns what f selects. Those that a person should look at are Filter{Attention: true}.
func (j *Journal) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return j.store.Entries(ctx, f)
}

// Events returns the history that f selects: every change of an entry's state or of its Attention, in an order that never
// changes. What appears later never sorts earlier, so that a reader who goes on After the last Cursor misses nothing.
func (j *Journal) Events(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return j.store.Events(ctx, f)
}

// Stats counts the unfinished work of all accounts.
func (j *Journal) Stats(ctx context.Context) (Stats, error) { return j.store.Stats(ctx) }

// change makes e follow on from, in a commit of its own or with others. by is who decided it, empty for the journal itself.
func (j *Journal) change(ctx context.Context, from *Entry, e Entry, by string) Result {
	e.Version = from.Version + 1
	change := Change{Entry: e}
	if from.State != e.State || from.Attention != e.Attention {
		change.Event = &Event{At: e.Updated, From: from.State, To: e.State, Attention: e.Attention, RefundID: e.RefundID, Note: e.Note, By: by}
	}
	result := j.commits.write(ctx, change)
	if result.Err != nil {
		return result
	}
	result.Entry = e
	if change.Event != nil {
		j.opts.Observer.transition(ctx, from, &e)
		if j.opts.Logger != nil && e.Attention != "" && from.Attention != e.Attention {
			j.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "refund journal: somebody should look", slog.String("entry", e.ID().String()),
				slog.String("state", string(e.State)), slog.String("attention", string(e.Attention)))
		}
	}
	return result
}
