package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Summary counts what a Round did.
type Summary struct {
	Settled   int // entries that are now known
	Waiting   int // entries that there will be more work on
	Attention int // entries that somebody has to look at
}

func (s *Summary) add(e *Entry) {
	switch {
	case e.Attention != "":
		s.Attention++
	case e.State.Unfinished():
		s.Waiting++
	default:
		s.Settled++
	}
}

func (s *Summary) sum(other Summary) {
	s.Settled += other.Settled
	s.Waiting += other.Waiting
	s.Attention += other.Attention
}

// Round does the work that is due: it resolves what a crash or an outage left, looks again for refunds that were judged
// absent, and reads pending ones. Accounts are worked on in parallel, each with Options.Workers. It goes on after errors and
// returns them joined. Any number of processes may call it: an entry is worked on by one at a time. Run calls it again and
// again; by itself it is for cron and for tests.
func (j *Journal) Round(ctx context.Context) (Summary, error) {
	var mu sync.Mutex
	var sum Summary
	var errs []error
	var wg sync.WaitGroup
	take := func(s Summary, err error) {
		mu.Lock()
		defer mu.Unlock()
		sum.sum(s)
		errs = append(errs, err)
	}
	for _, c := range j.wrapped() {
		wg.Go(func() { take(c.round(ctx)) })
	}
	wg.Go(func() { take(j.orphans(ctx)) })
	wg.Wait()
	return sum, errors.Join(errs...)
}

// round does the work of one account.
func (c *client) round(ctx context.Context) (sum Summary, err error) {
	var errs []error
	for more := true; more; {
		var settled Summary
		settled, more, err = c.batch(ctx)
		errs = append(errs, err)
		sum.sum(settled)
	}
	if err := errors.Join(errs...); err != nil {
		return sum, fmt.Errorf("%s: %w", c.account(), err)
	}
	return sum, nil
}

// batch does as much of the work as can be done at once, and reports whether there may be more.
func (c *client) batch(ctx context.Context) (sum Summary, more bool, err error) {
	done, open := c.journal.begin()
	if !open { // nothing is claimed that is not worked on
		return sum, false, ErrClosed
	}
	defer done()
	held, err := c.claimDue(ctx)
	if len(held) == 0 {
		return sum, false, err
	}
	sum, settleErr := c.settleAll(ctx, held)
	return sum, true, errors.Join(err, settleErr)
}

// claimDue claims as many entries as can be worked on at once.
func (c *client) claimDue(ctx context.Context) ([]hold, error) {
	now, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	if !c.journal.clock.trusted(now).IsZero() {
		return nil, ErrClock
	}
	entries, err := c.journal.store.Claim(ctx, Claim{
		Provider: c.caps.Provider, Account: c.caps.Account, Owner: owner(), Lease: c.journal.opts.Lease, Limit: c.journal.opts.Workers,
	})
	if len(entries) > 0 && !c.journal.clock.shown(entries[0].Lease.Add(-c.journal.opts.Lease)) {
		return nil, errors.Join(ErrClock, err) // the leases end by themselves
	}
	held := make([]hold, len(entries))
	for i := range entries {
		held[i] = c.hold(entries[i])
	}
	return held, err
}

// settleAll settles entries at once. One whose work is over does not wait for the others' to be recorded.
func (c *client) settleAll(ctx context.Context, all []hold) (sum Summary, err error) {
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for _, held := range all {
		wg.Go(func() {
			e, err := c.settle(ctx, held, false)
			mu.Lock()
			defer mu.Unlock()
			sum.add(&e)
			if err != nil {
				errs = append(errs, fmt.Errorf("key %s: %w", held.entry.Key, err))
			}
		})
	}
	wg.Wait()
	return sum, errors.Join(errs...)
}

// orphans calls for somebody where work has been due for a day at an account that nobody seems to have a client for.
func (j *Journal) orphans(ctx context.Context) (sum Summary, err error) {
	accounts, err := j.store.Accounts(ctx)
	if err != nil {
		return sum, err
	}
	for _, a := range accounts {
		if j.hasClient(account{a.Provider, a.Name}) {
			continue
		}
		now, err := j.clock.now(ctx)
		if err != nil {
			return sum, err
		}
		entries, err := j.store.Claim(ctx, Claim{
			Provider: a.Provider, Account: a.Name, Overdue: day, Owner: owner(), Lease: j.opts.Lease, Limit: j.opts.Workers,
		})
		if err != nil {
			return sum, err
		}
		r := rules{backoff: j.opts.Backoff}
		for i := range entries {
			e := r.orphaned(entries[i], now)
			e.OrderLock, e.Updated = entries[i].OrderLock, now
			if result := j.change(ctx, &entries[i], e, ""); result.Err != nil {
				return sum, result.Err
			}
			sum.Attention++
		}
	}
	return sum, nil
}

func (j *Journal) hasClient(of account) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.clients[of] != nil
}

// Run does the work that is due, again and again, until ctx ends or Shutdown is called. Each account has rounds of its own: a
// provider that hangs holds up no other. Any number of processes may run it on one store.
func (j *Journal) Run(ctx context.Context) {
	ticker := time.NewTicker(j.opts.Interval)
	defer ticker.Stop()
	var rounds sync.WaitGroup
	defer rounds.Wait()
	start := func(round func(context.Context) (Summary, error)) {
		rounds.Go(func() {
			if _, err := round(ctx); err != nil && !errors.Is(err, ErrClosed) && ctx.Err() == nil && j.opts.Logger != nil {
				j.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "refund journal", slog.Any("error", err))
			}
		})
	}
	for {
		done, open := j.begin()
		if !open {
			return
		}
		done()
		for _, c := range j.wrapped() {
			if c.busy.CompareAndSwap(false, true) { // else its last round is still under way
				start(func(ctx context.Context) (Summary, error) {
					defer c.busy.Store(false)
					return c.round(ctx)
				})
			}
		}
		start(j.orphans)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
