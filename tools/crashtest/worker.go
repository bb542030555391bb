package main

import (
	"bufio"
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
	RecoverKill point // where Recover kills the process
	RecoverOnly bool  // recover and sync once, and stop
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
	w := &worker{
		base: transport, out: out, clients: map[string]refund.Refunder{},
		journal: journal.New(mortal{store}, journal.Options{
			Lease: lease, Poll: time.Hour,
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
			Transport: network{transport}, BaseURL: o.URLs[p.name], AttemptTimeout: attemptTimeout,
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
	rescue := &task{Kill: o.RecoverKill}
	_, err = w.journal.Recover(rescue.with(ctx, transport))
	if o.RecoverOnly {
		_, syncErr := w.journal.Sync(ctx)
		return errors.Join(err, syncErr)
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
	clients map[string]refund.Refunder
	naive   map[string]*naive

	mu  sync.Mutex
	out io.Writer
}

func (w *worker) do(ctx context.Context, t *task) {
	a := answer{ID: t.ID, Said: saidPaid}
	ctx = t.with(ctx, w.base)
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
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.out.Write(encode(a)) //nolint:errcheck // nobody is left to be told
}

// mortal is a store in whose hands a process can die.
type mortal struct{ journal.Store }

func (m mortal) Insert(ctx context.Context, e journal.Entry) error {
	die(ctx, beforeBegin)
	err := m.Store.Insert(ctx, e)
	die(ctx, afterBegin)
	return err
}

func (m mortal) Update(ctx context.Context, e journal.Entry) error {
	leasing := !e.Lease.IsZero()
	if leasing {
		die(ctx, recoverBeforeLease)
	} else {
		die(ctx, beforeFinish)
		die(ctx, recoverBeforeFinish)
	}
	err := m.Store.Update(ctx, e)
	if leasing {
		die(ctx, recoverAfterLease)
	}
	return err
}
