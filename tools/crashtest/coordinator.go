package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// run is one client against one store: the script, the processes that die over it, and the truth.
type run struct {
	client  string
	store   string // "" for clients without one
	dsn     string // the careful client's folder
	workers int
	n       int
	seed    uint64

	providers []provider

	sims map[string]refundtest.Simulator
	urls map[string]string
	self string

	mu      sync.Mutex
	intents []*intent
	byID    map[int]*intent
	plan    *plan
	kills   int
}

// intent is one refund that a shop wants, and what it was told of it.
type intent struct {
	task
	faults, kills int
	calls         int
	last          string // what the shop was told last; "" if it was never told anything
	unresolved    bool   // at some time nobody knew
	findings      []string

	active     int  // calls that are under way
	overlapped bool // there has been more than one of them at once
}

// execute runs the script and compares what was said with what moved.
func (r *run) execute(ctx context.Context) (*report, error) {
	r.sims, r.urls, r.byID = map[string]refundtest.Simulator{}, map[string]string{}, map[int]*intent{}
	var err error
	if r.providers, err = providers(); err != nil {
		return nil, err
	}
	for _, p := range r.providers {
		sim := p.simulator()
		sim.SetReadLag(50 * time.Millisecond)
		server := httptest.NewServer(sim)
		defer server.Close()
		r.sims[p.name], r.urls[p.name] = sim, server.URL
	}
	r.plan = newPlan(r.seed)
	r.script()
	if err := r.perform(ctx); err != nil {
		return nil, err
	}
	if r.client == clientJournal {
		if err := r.settle(ctx); err != nil {
			return nil, err
		}
	}
	return r.compare(ctx)
}

// script makes the intents. Orders of providers that allow several refunds get up to three, of different amounts, so that
// the ledger tells them apart.
func (r *run) script() {
	all := r.providers
	if r.client != clientJournal {
		all = slices.DeleteFunc(slices.Clone(all), func(p provider) bool { return p.byHand == nil })
	}
	last := map[string]refund.Order{}
	count := map[string]int{}
	for i := range r.n {
		p := &all[i%len(all)]
		if count[p.name] == 0 || !p.several || count[p.name] == 3 || !r.plan.chance(300) {
			last[p.name] = r.sims[p.name].AddOrder(refund.MustParseMoney("100.00", p.currency))
			count[p.name] = 0
		}
		count[p.name]++
		it := &intent{task: task{
			ID: i, Provider: p.name, Order: last[p.name], Key: fmt.Sprintf("intent-%d-%d", r.seed, i),
			Amount: fmt.Sprintf("%d.00", 10*count[p.name]), Currency: p.currency, Client: r.client,
		}}
		r.plan.trouble(&it.task)
		r.intents = append(r.intents, it)
		r.byID[i] = it
	}
}

// perform lets the workers work through the script. What a dead worker had in hand is asked for again in half of the
// cases, as by a person who clicks again; the rest is left to Round.
func (r *run) perform(ctx context.Context) error {
	queue := make(chan task, 3*r.n+16)
	var open sync.WaitGroup
	send := func(t task) {
		open.Add(1)
		queue <- t
	}
	for _, it := range r.intents {
		send(it.task)
		if r.plan.chance(20) { // a double click
			again := it.task
			again.Kill = ""
			send(again)
		}
	}
	done := make(chan struct{})
	go func() {
		open.Wait()
		close(done)
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, r.workers)
	for range r.workers {
		go func() { errs <- r.slot(ctx, queue, done, send, open.Done) }()
	}
	var all []error
	for range r.workers {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// slot keeps one worker process alive until the script is done.
func (r *run) slot(ctx context.Context, queue chan task, done chan struct{}, send func(task), finished func()) error {
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case t := <-queue:
			if err := r.life(ctx, t, queue, done, send, finished); err != nil {
				return err
			}
		}
	}
}

const concurrency = 4

// life is one worker process, from its start to its death or the end of the script.
func (r *run) life(ctx context.Context, first task, queue chan task, done chan struct{}, send func(task), finished func()) error {
	o := order{Store: r.store, DSN: r.dsn, URLs: r.urls, Concurrency: concurrency}
	r.mu.Lock()
	if r.client == clientJournal && r.plan.chance(50) {
		o.RoundKill = roundPoints()[r.plan.rand.IntN(len(roundPoints()))]
	}
	r.mu.Unlock()
	process, err := r.start(ctx, o)
	if err != nil {
		return err
	}
	hands := map[int]given{} // what the worker has
	var mu sync.Mutex
	free := make(chan struct{}, concurrency)
	for range concurrency {
		free <- struct{}{}
	}
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		for process.out.Scan() {
			var a answer
			if json.Unmarshal(process.out.Bytes(), &a) != nil {
				continue
			}
			mu.Lock()
			t, ok := hands[a.ID]
			delete(hands, a.ID)
			mu.Unlock()
			if ok {
				r.heard(&t, &a, send)
				finished()
				free <- struct{}{}
			}
		}
	}()
	give := func(t task) {
		mu.Lock()
		if _, busy := hands[t.ID]; busy { // the other half of a double click: later
			mu.Unlock()
			go func() {
				<-time.After(20 * time.Millisecond)
				queue <- t
			}()
			free <- struct{}{}
			return
		}
		hands[t.ID] = r.giving(t)
		mu.Unlock()
		_, _ = process.in.Write(encode(t)) //nolint:errcheck // a dead worker is noticed by its output
	}
	<-free
	give(first)
work:
	for {
		select {
		case <-dead:
			break work
		case <-done:
			break work
		case <-ctx.Done():
			break work
		case <-free:
		}
		select {
		case <-dead:
			break work
		case <-done:
			break work
		case t := <-queue:
			give(t)
		}
	}
	_ = process.in.Close() //nolint:errcheck // the end of the script, for a worker that lives
	<-dead
	err = process.cmd.Wait()
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.ExitCode() == -1
	if err != nil && !killed {
		return fmt.Errorf("a worker failed: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if killed {
		r.mu.Lock()
		r.kills++
		r.mu.Unlock()
	}
	for _, g := range hands {
		r.interrupted(&g, send)
		finished()
	}
	return nil
}

type process struct {
	cmd *exec.Cmd
	in  interface {
		Write([]byte) (int, error)
		Close() error
	}
	out *bufio.Scanner
}

func (r *run) start(ctx context.Context, o order) (*process, error) {
	cmd := exec.CommandContext(ctx, r.self)
	cmd.Env = append(os.Environ(), workerVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_, err = in.Write(encode(o))
	return &process{cmd: cmd, in: in, out: bufio.NewScanner(out)}, err
}

// given is a task in the hands of a worker.
type given struct {
	task
	paid int // how often its refund had been paid when it was given
}

func (r *run) giving(t task) given {
	r.mu.Lock()
	defer r.mu.Unlock()
	it := r.byID[t.ID]
	it.active++
	it.overlapped = it.overlapped || it.active > 1
	return given{t, r.paid(&it.task)}
}

// done ends a call. It reports whether another one for the same refund was under way meanwhile: what moved may then have
// been the other's doing.
func (it *intent) done() (overlapped bool) {
	overlapped = it.overlapped
	it.active--
	it.overlapped = it.active > 0
	return overlapped
}

// heard takes an answer, compares it with the ledger at once, and lets the shop react.
func (r *run) heard(g *given, a *answer, send func(task)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &g.task
	it := r.byID[t.ID]
	overlapped := it.done()
	it.calls++
	it.faults += min(len(t.Faults), 1)
	it.last = a.Said
	paid := r.paid(&it.task)
	switch {
	case a.Said == refund.OutcomeUnknown.String():
		it.unresolved = true
	case a.Said == saidPaid && paid == 0:
		it.findings = append(it.findings, "said paid, but nothing had moved")
	case r.client == clientJournal && a.Said != saidPaid && (g.paid > 0 || paid > 0 && !overlapped):
		it.findings = append(it.findings, "said "+a.Said+", but money had moved: "+a.Text)
	}
	// Whoever hears that nothing moved asks again, with the same key and better luck; so do some who hear "unknown".
	again := remembers(r.client) && it.calls < 4 && a.Said != saidPaid &&
		(a.Said != refund.OutcomeUnknown.String() || r.plan.chance(300))
	if again {
		next := *t
		next.Faults, next.Kill = nil, ""
		send(next)
	}
}

// interrupted is a task whose worker died. Nobody was told anything.
func (r *run) interrupted(g *given, send func(task)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &g.task
	it := r.byID[t.ID]
	it.done()
	it.kills++
	it.unresolved = true
	it.last = ""
	if r.client != clientJournal || r.plan.chance(500) {
		next := *t
		next.Kill, next.Faults = "", nil
		send(next)
	}
}

// paid counts how often an intent's amount stands in its order's ledger.
func (r *run) paid(t *task) int {
	amount := refund.MustParseMoney(t.Amount, t.Currency)
	n := 0
	for _, m := range r.sims[t.Provider].Ledger(t.Order) {
		if m == amount {
			n++
		}
	}
	return n
}

// settle lets time pass and lets rounds do their work, until it is quiet. Time passes by making every unfinished entry older,
// and the simulators' clocks later.
func (r *run) settle(ctx context.Context) error {
	store, err := openStore(ctx, r.store, r.dsn)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written that matters
	// What is pending is looked at once, which is enough.
	states := []journal.State{journal.StateSending, journal.StateUnknown, journal.StateNotFound, journal.StatePending}
	for range 60 {
		open, err := r.age(ctx, store, states)
		if err != nil || open == 0 {
			return err
		}
		states = states[:3]
		process, err := r.start(ctx, order{Store: r.store, DSN: r.dsn, URLs: r.urls, RoundOnly: true, AttemptTimeout: 10 * time.Second})
		if err != nil {
			return err
		}
		if err := process.cmd.Wait(); err != nil {
			return fmt.Errorf("a round failed: %w", err)
		}
	}
	return errors.New("it does not become quiet")
}

// age makes unfinished entries older, by hours or, if they have only to be looked for again, by days. It returns how many are
// open.
func (r *run) age(ctx context.Context, store journal.Store, states []journal.State) (open int, err error) {
	const step, long = 2 * time.Hour, 8 * 24 * time.Hour
	var left []journal.Change
	for e, err := range store.Entries(ctx, journal.Filter{States: states}) {
		if err != nil {
			return 0, err
		}
		by := step
		switch e.State {
		case journal.StateNotFound:
			by = long
			fallthrough
		case journal.StateSending, journal.StateUnknown:
			open++
		default:
		}
		e.Version++
		for _, at := range []*time.Time{&e.Lease, &e.Due, &e.FirstSent, &e.LastSent, &e.MissedAt, &e.NotFoundAt} {
			if !at.IsZero() {
				*at = at.Add(-by)
			}
		}
		left = append(left, journal.Change{Entry: e})
	}
	for some := range slices.Chunk(left, 500) {
		results, err := store.Write(ctx, some)
		if err != nil {
			return 0, err
		}
		for _, result := range results {
			if result.Err != nil {
				return 0, result.Err
			}
		}
	}
	for _, sim := range r.sims {
		sim.Advance(step)
	}
	return open, nil
}

// compare sets every intent's entry, or what its shop was told last, beside the ledger.
func (r *run) compare(ctx context.Context) (*report, error) {
	var err error
	entries := map[string]journal.Entry{}
	if r.client == clientJournal {
		store, err := openStore(ctx, r.store, r.dsn)
		if err != nil {
			return nil, err
		}
		defer store.Close() //nolint:errcheck // it is only read
		for e, err := range store.Entries(ctx, journal.Filter{From: time.Unix(1, 0)}) {
			if err != nil {
				return nil, err
			}
			entries[e.Provider+"/"+e.Key] = e
		}
	}
	rep := &report{client: r.client, store: r.store, seed: r.seed, kills: r.kills, rows: map[string]*row{}}
	for _, it := range r.intents {
		line := rep.row(it.Provider)
		line.intents++
		line.faults += it.faults
		line.kills += it.kills
		paid := r.paid(&it.task)
		said := it.last
		switch r.client {
		case clientJournal:
			said = r.verdict(entries, it)
		case clientCareful:
			if said, err = recorded(filepath.Join(r.dsn, it.Key)); err != nil {
				return nil, err
			}
			if said == refund.OutcomeUnknown.String() {
				said = stillOpen
			}
		}
		line.moved += min(paid, 1)
		if paid > 1 {
			line.twice++
			it.findings = append(it.findings, fmt.Sprintf("paid %d times", paid))
		}
		if it.unresolved {
			line.unknown++
		}
		switch {
		case said == stillOpen:
			line.forPerson++
		case said == saidPaid && paid == 0:
			line.falsePaid++
		case said != saidPaid && said != "" && paid > 0:
			line.falseFailed++
		}
		for _, f := range it.findings {
			rep.findings = append(rep.findings, fmt.Sprintf("%s %s (faults %v, kill %q): %s", it.Provider, it.Key, it.Faults, it.Kill, f))
		}
	}
	slices.Sort(rep.findings)
	return rep, rep.void()
}

const stillOpen = "for a person"

// verdict is what the journal says of an intent in the end.
func (r *run) verdict(entries map[string]journal.Entry, it *intent) string {
	e, ok := entries[it.Provider+"/"+it.Key]
	switch {
	case !ok:
		return "never begun"
	case e.State == journal.StateSending, e.State == journal.StateUnknown, e.State == journal.StateNeedsReview:
		return stillOpen
	case e.State == journal.StateSucceeded || e.State == journal.StatePending:
		return saidPaid
	}
	return string(e.State)
}
