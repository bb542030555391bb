package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// order is the first line a worker reads.
type order struct {
	Store       string            // "sqlite" or "postgres"
	DSN         string            // where it is; the careful client's folder
	URLs        map[string]string // of the simulators, by provider
	Concurrency int
	RoundKill   point // where Round kills the process
	RoundOnly   bool  // do the work that is due once, and stop
	// The limits of a worker that is to be stopped for a while; 0 means the suite's.
	Lease, AttemptTimeout time.Duration
}

// The worker's own limits: short, because a lost answer has to be waited for.
const (
	attemptTimeout = 250 * time.Millisecond
	lease          = 6 * time.Second
)

// work is the process that gets killed.
func work(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		return errors.New("no orders")
	}
	var o order
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		return err
	}
	store := journal.NewMemory() // the naive clients have none
	if o.Store != "" {
		sql, err := openStore(ctx, o.Store, o.DSN)
		if err != nil {
			return err
		}
		defer sql.Close() //nolint:errcheck // the process ends
		store = sql
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	victims := &mortal{Store: store}
	w := &worker{
		base: transport, out: out, clients: map[string]refund.Refunder{}, victims: victims,
		journal: journal.New(victims, journal.Options{
			Lease: cmp.Or(o.Lease, lease), Poll: time.Hour,
			Backoff: []time.Duration{time.Second, 10 * time.Second, time.Minute, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour},
		}),
		naive: map[string]*naive{},
	}
	all, err := providers()
	if err != nil {
		return err
	}
	for _, p := range all {
		client, err := p.simulator().Refunder(refund.Options{
			Transport: network{transport}, BaseURL: o.URLs[p.name], AttemptTimeout: cmp.Or(o.AttemptTimeout, attemptTimeout),
			Retry: refund.RetryPolicy{MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond},
		})
		if err != nil {
			return err
		}
		if w.clients[p.name], err = w.journal.Wrap(client); err != nil {
			return err
		}
		if p.byHand == nil {
			continue
		}
		if w.naive[p.name], err = newNaive(ctx, &p, o.URLs[p.name], o.DSN); err != nil {
			return err
		}
	}
	// What the process before this one has left. The errors of a provider that is being tormented are its own affair.
	rescue := &task{Kill: o.RoundKill}
	_, err = w.journal.Round(rescue.with(ctx, transport))
	if o.RoundOnly {
		return err
	}
	var tasks sync.WaitGroup
	slots := make(chan struct{}, max(o.Concurrency, 1))
	for lines.Scan() {
		var t task
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return err
		}
		slots <- struct{}{}
		tasks.Go(func() {
			defer func() { <-slots }()
			w.do(ctx, &t)
		})
	}
	tasks.Wait()
	return lines.Err()
}

type worker struct {
	base    http.RoundTripper
	journal *journal.Journal
	victims *mortal
	clients map[string]refund.Refunder
	naive   map[string]*naive

	mu  sync.Mutex
	out io.Writer
}

func (w *worker) do(ctx context.Context, t *task) {
	a := answer{ID: t.ID, Said: saidPaid}
	ctx = t.with(ctx, w.base)
	own := from(ctx)
	own.stopped = func() {
		w.say(answer{ID: t.ID, Said: saidStopped})
		stop()
	}
	w.victims.tasks.Store(t.Key, own)
	var err error
	switch t.Client {
	case clientJournal:
		var amount refund.Money
		if amount, err = refund.ParseMoney(t.Amount, t.Currency); err == nil {
			_, err = w.clients[t.Provider].Refund(ctx, refund.Request{IdempotencyKey: t.Key, Order: t.Order, Amount: amount})
		}
		if err != nil {
			a.Said = refund.OutcomeOf(err).String()
		}
	case clientCareful:
		a.Said, err = w.naive[t.Provider].careful(ctx, t)
	default:
		if err = w.naive[t.Provider].refund(ctx, t); err != nil {
			a.Said = "failed"
		}
	}
	if err != nil {
		a.Text = err.Error()
	}
	die(ctx, afterFinish)
	w.say(a)
}

func (w *worker) say(a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.out.Write(encode(a)) //nolint:errcheck // nobody is left to be told
}

// mortal is a store in whose hands a process can die. Changes of many calls share a commit, so that it goes by their keys.
type mortal struct {
	journal.Store

	tasks sync.Map // of the running tasks, by key
}

func (m *mortal) Write(ctx context.Context, changes []journal.Change) ([]journal.Result, error) {
	m.die(ctx, changes, beforeBegin, beforeFinish)
	results, err := m.Store.Write(ctx, changes)
	m.die(ctx, changes, afterBegin, "")
	return results, err
}

// die kills the process at a point of a new entry, or at one of an entry that nobody works on any more.
func (m *mortal) die(ctx context.Context, changes []journal.Change, begins, finishes point) {
	for i := range changes {
		e := &changes[i].Entry
		at := begins
		switch {
		case e.Version == 1:
		case e.Lease.IsZero():
			at = finishes
			if finishes != "" {
				die(ctx, roundBeforeFinish)
			}
		default:
			continue
		}
		if r, ok := m.tasks.Load(e.Key); ok {
			r.(*running).die(at) //nolint:forcetypeassert // nothing else is stored
		}
	}
}

func (m *mortal) Claim(ctx context.Context, c journal.Claim) ([]journal.Entry, error) {
	die(ctx, roundBeforeClaim)
	claimed, err := m.Store.Claim(ctx, c)
	die(ctx, roundAfterClaim)
	return claimed, err
}
