package journal_test

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

var (
	errStore = errors.New("the store is down")
	errWire  = errors.New("the wire is cut")
)

// fake is a provider that does what a test says. Without a script it refunds, and knows nothing when it is asked.
type fake struct {
	name       string // "fake" if empty
	account    string
	refund     func(context.Context, refund.Request) (*refund.Refund, error)
	resolve    func(context.Context, refund.Attempt) (refund.Resolution, error)
	resolvedBy refund.ResolvedBy
	single     bool // an order has one refund at a time
	target     string
	absence    time.Duration

	mu       sync.Mutex
	requests []refund.Request
	attempts []refund.Attempt
}

func (f *fake) Capabilities() refund.Capabilities {
	return refund.Capabilities{
		Provider: cmp.Or(f.name, "fake"), Account: f.account, Target: f.target, Repeat: refund.RepeatRefundsAgain,
		ResolvedBy: f.resolvedBy, MultipleRefunds: !f.single, AbsenceAfter: f.absence,
		Parts: []refund.Part{refund.PartTax}, RefundsLines: true,
	}
}

func (f *fake) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	f.mu.Lock()
	f.requests = append(f.requests, req)
	f.mu.Unlock()
	if f.refund != nil {
		return f.refund(ctx, req)
	}
	got := made(req, refund.StatusSucceeded)
	got.Account = f.account
	return got, nil
}

func (f *fake) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	f.mu.Lock()
	f.attempts = append(f.attempts, a)
	f.mu.Unlock()
	if f.resolve != nil {
		return f.resolve(ctx, a)
	}
	return refund.Resolution{NotBefore: time.Now(), Why: "nothing to see"}, nil
}

// sent is how many requests have reached the provider.
func (f *fake) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

// asked is what Resolve was asked, in order.
func (f *fake) asked() []refund.Attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]refund.Attempt(nil), f.attempts...)
}

type readable struct {
	*fake
	get func(context.Context, refund.Ref) (*refund.Refund, error)
}

func (r *readable) Capabilities() refund.Capabilities {
	caps := r.fake.Capabilities()
	caps.Reads = true
	return caps
}

func (r *readable) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	return r.get(ctx, ref)
}

type comparing struct {
	*fake
	snapshot func(context.Context, refund.Request) (refund.Snapshot, error)
}

func (c *comparing) Capabilities() refund.Capabilities {
	caps := c.fake.Capabilities()
	caps.Snapshots = true
	return caps
}

func (c *comparing) Snapshot(ctx context.Context, req refund.Request) (refund.Snapshot, error) {
	return c.snapshot(ctx, req)
}

// able is a fake with every ability. Without a script its reads find nothing.
type able struct {
	*fake
	get    func(context.Context, refund.Ref) (*refund.Refund, error)
	cancel func(context.Context, refund.Ref) (*refund.Refund, error)
}

func (a *able) Capabilities() refund.Capabilities {
	caps := a.fake.Capabilities()
	caps.Reads, caps.Lists, caps.Cancels, caps.Snapshots = true, refund.ListsByTime, true, true
	return caps
}

func (a *able) GetRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	if a.get != nil {
		return a.get(ctx, ref)
	}
	return nil, errWire
}

func (a *able) Refunds(context.Context, refund.Query) iter.Seq2[*refund.Refund, error] {
	return func(yield func(*refund.Refund, error) bool) { yield(nil, errWire) }
}

func (a *able) CancelRefund(ctx context.Context, ref refund.Ref) (*refund.Refund, error) {
	return a.cancel(ctx, ref)
}

func (a *able) Snapshot(context.Context, refund.Request) (refund.Snapshot, error) {
	return "before", nil
}

// traced is what a user puts around a client. It keeps the abilities.
type traced struct {
	refund.Refunder
	calls *int
}

func (t traced) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	*t.calls++
	return t.Refunder.Refund(ctx, req)
}

func (t traced) Unwrap() refund.Refunder { return t.Refunder }

func made(req refund.Request, status refund.Status) *refund.Refund {
	return &refund.Refund{
		ID: "r-" + req.IdempotencyKey, IdempotencyKey: req.IdempotencyKey, Provider: "fake", Order: req.Order,
		Amount: req.Amount, Status: status, ProviderStatus: "done",
	}
}

// lose answers like a client whose request went out and never came back.
func lose(_ context.Context, req refund.Request) (*refund.Refund, error) {
	now := time.Now()
	return nil, &refund.Error{
		Provider: "fake", Op: "refund", Kind: refund.ErrUnavailable, Message: "lost", IdempotencyKey: req.IdempotencyKey, Err: errWire,
		Attempt: refund.Attempt{Request: req, FirstSent: now, LastSent: now, Tries: 1},
	}
}

// pending answers like a provider that carries refunds out later.
func pending(_ context.Context, req refund.Request) (*refund.Refund, error) {
	return made(req, refund.StatusPending), nil
}

func fails(outcome refund.Outcome) func(context.Context, refund.Request) (*refund.Refund, error) {
	return func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		return nil, &refund.Error{
			Provider: "fake", Op: "refund", Kind: refund.ErrNotRefundable, Outcome: outcome, Code: "no", Message: "no",
			IdempotencyKey: req.IdempotencyKey,
		}
	}
}

func answers(r refund.Resolution) func(context.Context, refund.Attempt) (refund.Resolution, error) {
	return func(context.Context, refund.Attempt) (refund.Resolution, error) { return r, nil }
}

func applied(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
	return refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(a.Request, refund.StatusSucceeded), Why: "found"}, nil
}

// goexit is a process that dies while the provider is asked.
func goexit(context.Context, refund.Attempt) (refund.Resolution, error) {
	runtime.Goexit()
	return refund.Resolution{}, nil // not reached
}

func absent(context.Context, refund.Attempt) (refund.Resolution, error) {
	return refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "not found"}, nil
}

// flaky is a Store that fails on demand, before an operation took effect or, "lost", after it.
type flaky struct {
	journal.Store

	mu     sync.Mutex
	broken map[string]bool // "now", "insert", "insert lost", "update", "update lost", "claim", "get", "entries", "accounts", "add account"
	hook   func(op string) // called before each; set while nobody works
}

func newFlaky() *flaky { return &flaky{Store: journal.NewMemory(), broken: map[string]bool{}} }

func (s *flaky) breaks(ops ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.broken)
	for _, op := range ops {
		s.broken[op] = true
	}
}

func (s *flaky) fails(op string) error {
	if s.hook != nil {
		s.hook(op)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken[op] {
		return errStore
	}
	return nil
}

func (s *flaky) Now(ctx context.Context) (time.Time, error) {
	if err := s.fails("now"); err != nil {
		return time.Time{}, err
	}
	return s.Store.Now(ctx)
}

// Write tells an insert from an update by the first change.
func (s *flaky) Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error) {
	op := "update"
	if changes[0].Entry.Version == 1 {
		op = "insert"
	}
	if err := s.fails(op); err != nil {
		return nil, err
	}
	results, err := s.Store.Write(ctx, changes)
	if err == nil {
		err = s.fails(op + " lost")
	}
	return results, err
}

func (s *flaky) Claim(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
	if err := s.fails("claim"); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, c)
}

func (s *flaky) Get(ctx context.Context, id journal.ID) (journal.Entry, error) {
	if err := s.fails("get"); err != nil {
		return journal.Entry{}, err
	}
	return s.Store.Get(ctx, id)
}

func (s *flaky) Entries(ctx context.Context, f journal.Filter) iter.Seq2[journal.Entry, error] {
	if err := s.fails("entries"); err != nil {
		return func(yield func(journal.Entry, error) bool) { yield(journal.Entry{}, err) }
	}
	return s.Store.Entries(ctx, f)
}

func (s *flaky) Accounts(ctx context.Context) ([]journal.Account, error) {
	if err := s.fails("accounts"); err != nil {
		return nil, err
	}
	return s.Store.Accounts(ctx)
}

func (s *flaky) AddAccount(ctx context.Context, a journal.Account, first bool) error {
	if err := s.fails("add account"); err != nil {
		return err
	}
	return s.Store.AddAccount(ctx, a, first)
}

// bench is a journal on a store that can fail, around a provider that does what it is told.
type bench struct {
	*fake
	store   *flaky
	opts    journal.Options
	journal *journal.Journal
	client  refund.Refunder
	ctx     context.Context

	mu    sync.Mutex
	moves []string // the transitions reported
}

func newBench(t *testing.T, f *fake) *bench {
	t.Helper()
	return newBenchOf(t, f, f)
}

// newBenchOf is newBench for a client that is more than f alone.
func newBenchOf(t *testing.T, f *fake, r refund.Refunder) *bench {
	t.Helper()
	b := &bench{fake: f, store: newFlaky(), ctx: context.Background()}
	b.opts.Observer.Transition = func(_ context.Context, m journal.Transition) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if m.From != m.Entry.State {
			b.moves = append(b.moves, string(m.From)+">"+string(m.Entry.State))
		}
	}
	b.wrap(t, r)
	return b
}

// wrap starts another process on the same store.
func (b *bench) wrap(t *testing.T, r refund.Refunder) {
	t.Helper()
	b.journal = journal.New(b.store, b.opts)
	b.client = wrap(t, b.journal, r)
}

// wrap puts j around a client that nothing is wrong with.
func wrap(t *testing.T, j *journal.Journal, r refund.Refunder) refund.Refunder {
	t.Helper()
	client, err := j.Wrap(r)
	require.NoError(t, err)
	return client
}

func (b *bench) transitions() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.moves...)
}

func (b *bench) entry(t *testing.T, key string) journal.Entry {
	t.Helper()
	e, err := b.store.Store.Get(b.ctx, idOf(key))
	require.NoError(t, err)
	return e
}

// ask refunds 10.00 of order 1.
func (b *bench) ask(t *testing.T, key string) (*refund.Refund, error) {
	t.Helper()
	return b.client.Refund(b.ctx, request(key))
}

// crash asks for a refund in a process that dies while it sends.
func (b *bench) crash(t *testing.T, key string) {
	t.Helper()
	script := b.refund
	b.refund = func(context.Context, refund.Request) (*refund.Refund, error) {
		runtime.Goexit()
		return nil, nil //nolint:nilnil // not reached
	}
	b.try(t, key)
	b.refund = script
}

func (b *bench) round(t *testing.T) journal.Summary {
	t.Helper()
	sum, err := b.journal.Round(b.ctx)
	require.NoError(t, err)
	return sum
}

func (b *bench) resolver(t *testing.T) refund.Resolver {
	t.Helper()
	r, ok := refund.As[refund.Resolver](b.client)
	require.True(t, ok)
	return r
}

// attention is why somebody should look at a key's entry.
func (b *bench) attention(t *testing.T, key string) journal.Attention {
	t.Helper()
	return b.entry(t, key).Attention
}

// decide is what a person says of a key's refund.
func (b *bench) decide(key string, verdict refund.Verdict) error {
	return b.journal.Decide(b.ctx, decision(key, verdict))
}

func decision(key string, verdict refund.Verdict) journal.Decision {
	return journal.Decision{Provider: "fake", Key: key, Verdict: verdict, Who: "staff-7", Why: "see ticket 12"}
}

func idOf(key string) journal.ID { return journal.ID{Provider: "fake", Key: key} }

func request(key string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD")}
}

// ofOrder asks for 10.00 of an order.
func ofOrder(key, order string) refund.Request {
	req := request(key)
	req.Order.ID = order
	return req
}

// requireError is for what every error of Refund has to be.
func requireError(t *testing.T, err error, outcome refund.Outcome) {
	t.Helper()
	_ = errorOf(t, err, outcome) //nolint:errcheck // it is the same
}

// errorOf is requireError, and returns what was found.
func errorOf(t *testing.T, err error, outcome refund.Outcome) *refund.Error {
	t.Helper()
	re, ok := err.(*refund.Error) //nolint:errorlint // Refund promises the very type
	require.True(t, ok, "%T: %v", err, err)
	require.Equal(t, outcome, re.Outcome)
	require.Equal(t, "fake", re.Provider)
	if outcome == refund.OutcomeUnknown {
		require.NotEmpty(t, re.Attempt.Request.IdempotencyKey)
		require.Equal(t, re.IdempotencyKey, re.Attempt.Request.IdempotencyKey)
		require.Positive(t, re.Attempt.Tries)
		require.False(t, re.Attempt.FirstSent.IsZero())
		require.False(t, re.Attempt.LastSent.Before(re.Attempt.FirstSent))
	}
	return re
}

// requireKeyReused: what became of the key's own refund is not said, and this one needs another key.
func requireKeyReused(t *testing.T, err error) {
	t.Helper()
	re, ok := err.(*refund.Error) //nolint:errorlint // Refund promises the very type
	require.True(t, ok, "%T: %v", err, err)
	require.ErrorIs(t, err, refund.ErrKeyReused)
	require.Equal(t, refund.OutcomeUnknown, re.Outcome)
	require.Equal(t, refund.AdviceFix, re.Advice())
	require.NotEmpty(t, re.IdempotencyKey)
	require.Zero(t, re.Attempt, "there is nothing to resolve")
}

func requireErrorIs(t *testing.T, err, target error) {
	t.Helper()
	require.ErrorIs(t, err, target)
	requireError(t, err, refund.OutcomeUnknown)
}

// try asks for a refund whose end the test does not care for.
func (b *bench) try(t *testing.T, key string) {
	t.Helper()
	_, _ = b.ask(t, key) //nolint:errcheck // see above
}

// over is a context that has ended.
func over(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// put stores what another process, or another time, has left.
func (b *bench) put(t *testing.T, e journal.Entry) {
	t.Helper()
	e.Version++
	results, err := b.store.Store.Write(b.ctx, []journal.Change{{Entry: e}})
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
}

// due lets time pass until there is work on a key's entry.
func (b *bench) due(t *testing.T, key string) {
	t.Helper()
	pass(time.Until(b.entry(t, key).Due))
}

// lose lets two looks agree that an unknown refund is not there.
func (b *bench) lose(t *testing.T, key string) {
	t.Helper()
	script := b.resolve
	b.resolve = absent
	for b.entry(t, key).State != journal.StateNotFound {
		b.due(t, key)
		b.round(t)
	}
	b.resolve = script
}

// events is the whole history.
func (b *bench) events(t *testing.T) (all []journal.Event) {
	t.Helper()
	for event, err := range b.journal.Events(b.ctx, journal.EventFilter{}) {
		require.NoError(t, err)
		all = append(all, event)
	}
	return all
}

// shutdown mends the store and waits until everything is recorded. Whoever breaks "update" in a bubble ends with it.
func (b *bench) shutdown(t *testing.T) {
	t.Helper()
	b.store.breaks()
	require.NoError(t, b.journal.Shutdown(b.ctx))
}

// other is another process on the same store, with a way to it of its own.
func (b *bench) other(t *testing.T, r refund.Refunder) *bench {
	t.Helper()
	o := &bench{fake: b.fake, store: newFlaky(), ctx: context.Background()}
	o.store.Store, o.opts = b.store.Store, b.opts
	o.wrap(t, r)
	return o
}

func pass(d time.Duration) { <-time.After(d) }
