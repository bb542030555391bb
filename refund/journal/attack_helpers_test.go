package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// The attacks are those of a review of the journal's first edition. A number in a test's comment is that of the finding.

// vendor is a provider, and how its client is made.
type vendor struct {
	simulator func() refundtest.Simulator
	client    func(refundtest.Simulator, refund.Options) (refund.Refunder, error)
	prevents  bool // the provider itself keeps a key that arrives late from being paid twice, while it remembers it
}

func vendorOf(simulator func() refundtest.Simulator) vendor {
	return vendor{simulator: simulator, client: refundtest.Simulator.Refunder}
}

func afterpayVendor() vendor {
	v := vendorOf(func() refundtest.Simulator { return afterpaytest.New() })
	v.prevents = true
	return v
}

// backdVendor: a request of Backd's that arrives late replaces the earlier one, or is refused.
func backdVendor() vendor {
	v := vendorOf(func() refundtest.Simulator { return backdtest.New() })
	v.prevents = true
	return v
}

func digitalRiverVendor() vendor {
	return vendorOf(func() refundtest.Simulator { return digitalrivertest.New() })
}

func instantVendor() vendor {
	return vendorOf(func() refundtest.Simulator { return instanttest.New() })
}

func orderRowsVendor() vendor {
	return vendorOf(func() refundtest.Simulator { return orderrowstest.New() })
}

// blindDigitalRiver sends without looking first.
func blindDigitalRiver() vendor {
	v := digitalRiverVendor()
	v.client = func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
		cfg := digitalrivertest.New().Config()
		cfg.Options, cfg.NoLookup = refundtest.Connect(sim, opts), true
		return digitalriver.New(cfg)
	}
	return v
}

// blindOrderRows sends without looking first.
func blindOrderRows() vendor {
	v := orderRowsVendor()
	v.client = func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
		cfg := orderrowstest.New().Config()
		cfg.Options, cfg.NoLookup = refundtest.Connect(sim, opts), true
		return orderrows.New(cfg)
	}
	return v
}

// readableVendors are those that can be asked what became of a refund.
func readableVendors() map[string]vendor {
	return map[string]vendor{
		"afterpay": afterpayVendor(), "backd": backdVendor(), "digitalriver": digitalRiverVendor(), "orderrows": orderRowsVendor(),
		"digitalriver, blind": blindDigitalRiver(), "orderrows, blind": blindOrderRows(),
	}
}

// allVendors are the five.
func allVendors() map[string]vendor {
	return map[string]vendor{
		"afterpay": afterpayVendor(), "backd": backdVendor(), "digitalriver": digitalRiverVendor(), "instant": instantVendor(),
		"orderrows": orderRowsVendor(),
	}
}

// scene is a shop that refunds at a provider, with everything between them that can go wrong.
type scene struct {
	vendor    vendor
	sim       refundtest.Simulator
	net       *refundtest.Network // faults, as the client meets them
	wire      *wire               // what is done to the requests and responses that pass the network
	store     *ownTime
	processes []*instance
	absence   time.Duration // refund.Options.AbsenceAfter
	req       refund.Request
}

// instance is one of those that work on the store.
type instance struct {
	journal *journal.Journal
	client  refund.Refunder
	ahead   *time.Duration // its machine's clock; set while nobody works
}

// stage makes a scene with one process, whose order has been there for a while.
func stage(t *testing.T, v vendor) *scene {
	t.Helper()
	s := &scene{vendor: v, sim: v.simulator(), store: &ownTime{Store: journal.NewMemory()}}
	s.wire = &wire{next: refundtest.InMemory(s.sim)}
	s.net = refundtest.NewNetwork(s.wire)
	s.req = refund.Request{IdempotencyKey: "key-1", Order: s.sim.AddOrder(s.money("100.00")), Amount: s.money("10.00")}
	pass(3 * time.Hour)
	s.start(t)
	return s
}

// onStage runs a test on a scene of each vendor, in virtual time.
func onStage(t *testing.T, vendors map[string]vendor, test func(t *testing.T, s *scene)) {
	t.Helper()
	for name, v := range vendors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, stage(t, v)) })
		})
	}
}

func (s *scene) money(amount string) refund.Money {
	return refund.MustParseMoney(amount, s.sim.Currency())
}

// bare is a client without a journal. It asks once.
func (s *scene) bare(t *testing.T, opts refund.Options) refund.Refunder {
	t.Helper()
	if opts.Transport == nil {
		opts.Transport = s.net
	}
	opts.Retry, opts.AbsenceAfter = refund.RetryPolicy{MaxAttempts: 1}, s.absence
	client, err := s.vendor.client(s.sim, opts)
	require.NoError(t, err)
	return client
}

// start starts a process.
func (s *scene) start(t *testing.T) *instance {
	t.Helper()
	return s.startOn(t, 0)
}

// startOn starts a process on a machine whose clock is ahead.
func (s *scene) startOn(t *testing.T, ahead time.Duration) *instance {
	t.Helper()
	at := &ahead
	p := s.startWith(t, machine{s.bare(t, refund.Options{}), at})
	p.ahead = at
	journal.SetWall(p.journal, func(now time.Time) time.Time { return now.Round(0).Add(*at) })
	return p
}

// startWith starts a process with a client of its own.
func (s *scene) startWith(t *testing.T, client refund.Refunder) *instance {
	t.Helper()
	p := &instance{journal: journal.New(s.store, journal.Options{})}
	p.client = wrap(t, p.journal, client)
	s.processes = append(s.processes, p)
	return p
}

// only lets all processes die but p.
func (s *scene) only(p *instance) { s.processes = []*instance{p} }

// refund asks the last process for the refund.
func (s *scene) refund(t *testing.T) (*refund.Refund, error) {
	t.Helper()
	return s.processes[len(s.processes)-1].client.Refund(t.Context(), s.req)
}

// unclear asks for a refund whose outcome is unknown then.
func (s *scene) unclear(t *testing.T) {
	t.Helper()
	_, err := s.refund(t)
	require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "%v", err)
}

func (s *scene) entry(t *testing.T) journal.Entry {
	t.Helper()
	e, err := s.store.Get(t.Context(), journal.ID{Provider: s.sim.Provider(), Key: s.req.IdempotencyKey})
	require.NoError(t, err)
	return e
}

// paid is how often the order was refunded.
func (s *scene) paid() int { return len(s.sim.Ledger(s.req.Order)) }

// work lets time pass, in which the processes do what is due.
func (s *scene) work(t *testing.T, d time.Duration) {
	t.Helper()
	s.workUntil(t, d, func() bool { return false })
}

// workUntil is work that ends early.
func (s *scene) workUntil(t *testing.T, d time.Duration, over func() bool) {
	t.Helper()
	for end := time.Now().Add(d); ; {
		for _, p := range s.processes {
			_, _ = p.journal.Round(t.Context()) //nolint:errcheck // a provider that cannot be asked is an error
		}
		if over() || !time.Now().Before(end) {
			return
		}
		next := end
		for e, err := range s.store.Entries(t.Context(), journal.Filter{From: time.Unix(1, 0)}) {
			require.NoError(t, err)
			if due := e.Due.Add(-s.store.ahead()); !e.Due.IsZero() && due.Before(next) {
				next = due
			}
		}
		pass(max(time.Until(next), time.Second))
	}
}

// workUntilState is work that ends when the refund is in a state.
func (s *scene) workUntilState(t *testing.T, d time.Duration, state journal.State) {
	t.Helper()
	s.workUntil(t, d, func() bool { return s.entry(t).State == state })
	require.Equal(t, state, s.entry(t).State, "%s", s.entry(t).Note)
}

// honest compares the journal with the ledger, when everything has been done that will be.
func (s *scene) honest(t *testing.T) {
	t.Helper()
	e, paid := s.entry(t), s.paid()
	switch {
	case paid > 1:
		assert.Contains(t, []journal.Attention{journal.AttentionPaidTwice, journal.AttentionReview}, e.Attention,
			"paid twice in silence, %s: %s", e.State, e.Note)
		assert.False(t, s.vendor.prevents, "paid twice")
	case e.Attention != "": // a person looks
	case paid == 1:
		assert.Contains(t, []journal.State{journal.StatePending, journal.StateSucceeded}, e.State, "money moved: %s", e.Note)
	default:
		assert.NotContains(t, []journal.State{journal.StatePending, journal.StateSucceeded}, e.State, "nothing moved: %s", e.Note)
	}
}

// wire is a transport that a test may meddle with.
type wire struct {
	next http.RoundTripper

	mu      sync.Mutex
	meddler func(*http.Request, http.RoundTripper) (*http.Response, error)
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	meddler := w.meddler
	w.mu.Unlock()
	if meddler == nil {
		return w.next.RoundTrip(req)
	}
	return meddler(req, w.next)
}

// meddle sets what is done to all that passes; nil is nothing.
func (w *wire) meddle(f func(*http.Request, http.RoundTripper) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meddler = f
}

// nextWrite lets f have the next write, and passes everything else.
func (w *wire) nextWrite(f func(*http.Request, http.RoundTripper) (*http.Response, error)) {
	w.meddle(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if req.Method == http.MethodGet {
			return next.RoundTrip(req)
		}
		w.meddle(nil)
		return f(req, next)
	})
}

// hold keeps the next write on its way for d. The client sees that the connection dies.
func (w *wire) hold(d time.Duration) {
	w.nextWrite(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		deliver := copies(req)
		go func() {
			pass(d)
			discard(next.RoundTrip(deliver()))
		}()
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	})
}

// twice delivers the next write two times; the client gets the second response.
func (w *wire) twice() {
	w.nextWrite(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		deliver := copies(req)
		discard(next.RoundTrip(deliver()))
		return next.RoundTrip(deliver())
	})
}

// copies reads a request, and returns what makes copies of it that no context ends and no client hears of.
func copies(req *http.Request) func() *http.Request {
	body, err := io.ReadAll(req.Body)
	return func() *http.Request {
		again := req.Clone(context.Background()) // what is in between reports to nobody
		again.Body, again.GetBody = io.NopCloser(bytes.NewReader(body)), nil
		if err != nil {
			again.Body = io.NopCloser(bytes.NewReader(nil))
		}
		return again
	}
}

func discard(resp *http.Response, err error) {
	if err == nil {
		_ = resp.Body.Close() //nolint:errcheck // nobody hears it
	}
}

// editReads changes the members with a name in all responses to reads; change returns nil to leave a member out.
func (w *wire) editReads(name string, change func(any) any) {
	w.meddle(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil || req.Method != http.MethodGet {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return nil, err
		}
		var value any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if d.Decode(&value) == nil {
			edited(value, name, change)
			if body, err = json.Marshal(value); err != nil {
				return nil, err
			}
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, nil
	})
}

func edited(value any, name string, change func(any) any) {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			edited(member, name, change)
		}
		if old, ok := v[name]; ok {
			if v[name] = change(old); v[name] == nil {
				delete(v, name)
			}
		}
	case []any:
		for _, member := range v {
			edited(member, name, change)
		}
	}
}

// machine is a client on a machine whose clock is ahead: the times in what it says, and in what it is told, are wrong.
type machine struct {
	refund.Refunder
	ahead *time.Duration
}

func (m machine) Unwrap() refund.Refunder { return m.Refunder }

func (m machine) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	got, err := m.Refunder.Refund(ctx, req)
	return got, m.failed(err)
}

func (m machine) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	resolver, ok := refund.As[refund.Resolver](m.Refunder)
	if !ok {
		return refund.Resolution{}, errors.New("the client cannot resolve")
	}
	got, err := resolver.Resolve(ctx, shifted(a, -*m.ahead))
	got.Attempt = shifted(got.Attempt, *m.ahead)
	if !got.NotBefore.IsZero() {
		got.NotBefore = got.NotBefore.Add(*m.ahead)
	}
	return got, m.failed(err)
}

func (m machine) failed(err error) error {
	var re *refund.Error
	if errors.As(err, &re) {
		own := *re
		own.Attempt = shifted(own.Attempt, *m.ahead)
		return &own
	}
	return err
}

func shifted(a refund.Attempt, by time.Duration) refund.Attempt {
	for _, at := range []*time.Time{&a.FirstSent, &a.LastSent, &a.MissedAt} {
		if !at.IsZero() {
			*at = at.Add(by)
		}
	}
	return a
}

// ownTime is a Store on a machine with a clock of its own, which can be set.
type ownTime struct {
	journal.Store

	mu     sync.Mutex
	offset time.Duration
}

// step sets the clock.
func (s *ownTime) step(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

func (s *ownTime) ahead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

func (s *ownTime) Now(ctx context.Context) (time.Time, error) {
	now, err := s.Store.Now(ctx)
	return now.Add(s.ahead()), err
}

// Claim is the store's own, by the clock that is set.
func (s *ownTime) Claim(ctx context.Context, c journal.Claim) (claimed []journal.Entry, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	var due []journal.Entry
	for e, err := range s.Entries(ctx, journal.Filter{Provider: c.Provider, Account: c.Account, From: time.Unix(1, 0)}) {
		if err != nil {
			return nil, err
		}
		if !e.Due.IsZero() && !e.Due.After(now.Add(-c.Overdue)) && !e.Lease.After(now) {
			due = append(due, e)
		}
	}
	slices.SortStableFunc(due, func(a, b journal.Entry) int { return a.Due.Compare(b.Due) })
	for _, e := range due[:min(c.Limit, len(due))] {
		if e.Lease.After(e.LastSent) {
			e.LastSent = e.Lease
		}
		e.Owner, e.Lease, e.Updated, e.Version = c.Owner, now.Add(c.Lease), now, e.Version+1
		results, err := s.Write(ctx, []journal.Change{{Entry: e}})
		if err != nil {
			return nil, err
		}
		if results[0].Err == nil {
			claimed = append(claimed, e)
		}
	}
	return claimed, nil
}
