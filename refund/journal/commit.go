package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"
)

// committer puts changes together that wait for the store, so that many share one commit. Nobody waits for company: a change
// that finds a writer free goes at once, and what has queued while all were busy goes together when one becomes free. There is
// no goroutine and no timer: whoever ends a commit hands the writer on to the first who waits.
type committer struct {
	store Store

	mu    sync.Mutex
	free  int // writers
	queue []*pending
}

// pending is a change that waits to be written.
type pending struct {
	change Change
	result Result
	group  []*pending    // not nil if it has to write: itself first
	wake   chan struct{} // closed when it has to write, or is written
	taken  bool
}

const (
	maxGroup      = 512
	commitTimeout = 10 * time.Second
)

func newCommitter(store Store) *committer {
	return &committer{store: store, free: max(store.Writers(), 1)}
}

// write makes one change. If ctx ends before it is taken, it is not written. Any error but those of Result means that it may
// have been.
func (c *committer) write(ctx context.Context, change Change) Result {
	p := &pending{change: change, wake: make(chan struct{}), result: Result{Err: errNoResult}}
	c.mu.Lock()
	c.queue = append(c.queue, p)
	if c.free > 0 {
		c.free--
		c.handOn()
	}
	c.mu.Unlock()
	select {
	case <-p.wake:
	case <-ctx.Done():
		if c.withdraw(p) {
			return Result{Err: notWrittenError{ctx.Err()}}
		}
		<-p.wake
	}
	if p.group != nil {
		c.lead(ctx, p.group)
	}
	return p.result
}

// notWrittenError is the end of a context before anything was written.
type notWrittenError struct{ error }

func (e notWrittenError) Unwrap() error { return e.error }

// withdraw takes p out of the queue, unless it is being written.
func (c *committer) withdraw(p *pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.taken {
		return false
	}
	c.queue = slices.DeleteFunc(c.queue, func(other *pending) bool { return other == p })
	return true
}

// lead writes a group, and hands the writer on.
func (c *committer) lead(ctx context.Context, group []*pending) {
	defer func() { // also if the store panics
		for _, p := range group[1:] {
			close(p.wake)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.handOn()
	}()
	c.commit(context.WithoutCancel(ctx), group)
}

var errNoResult = errors.New("journal: the store did not answer")

// handOn gives the writer to the first who waits, or keeps it for who comes. c.mu is held.
func (c *committer) handOn() {
	group := c.take()
	if len(group) == 0 {
		c.free++
		return
	}
	group[0].group = group
	close(group[0].wake)
}

// take takes a group out of the queue. A key is in it once, and so is an order that is to be locked: what a change of a group
// does is not seen by the next. c.mu is held.
func (c *committer) take() (group []*pending) {
	keys, orders := map[ID]bool{}, map[ID]bool{}
	c.queue = slices.DeleteFunc(c.queue, func(p *pending) bool {
		e := &p.change.Entry
		key, order := e.ID(), ID{e.Provider, e.Account, e.OrderKey()}
		if len(group) == maxGroup || keys[key] || e.OrderLock && orders[order] {
			return false
		}
		keys[key] = true
		orders[order] = orders[order] || e.OrderLock
		p.taken = true
		group = append(group, p)
		return true
	})
	return group
}

// commit writes a group. One that fails is halved, so that a change that cannot be written keeps back no other; not so if the
// store hangs, which would only take longer.
func (c *committer) commit(ctx context.Context, group []*pending) {
	changes := make([]Change, len(group))
	for i, p := range group {
		changes[i] = p.change
	}
	writeCtx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	results, err := c.store.Write(writeCtx, changes)
	if err == nil && len(results) != len(group) {
		err = errNoResult
	}
	switch {
	case err != nil && (len(group) == 1 || writeCtx.Err() != nil):
		for _, p := range group {
			p.result = Result{Err: err}
		}
	case err != nil:
		half := len(group) / 2
		c.commit(ctx, group[:half])
		c.commit(ctx, group[half:])
	default:
		for i, p := range group {
			p.result = mine(&p.change.Entry, results[i])
		}
	}
}

// mine is the result of a change that may have been written before, by a commit that did not say so. State and Step tell it
// from another change of its owner: a step that was written without saying so is followed by one with the same Version.
func mine(e *Entry, r Result) Result {
	known := &r.Entry
	if (errors.Is(r.Err, ErrKeyExists) || errors.Is(r.Err, ErrStale)) && known.Version == e.Version && known.Owner == e.Owner &&
		known.State == e.State && known.Step == e.Step {
		return Result{}
	}
	return r
}

// owner is a name that no other call has.
func owner() string { return rand.Text() }
