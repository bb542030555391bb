package journal

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// clock is the store's clock, which all processes share, run on by the monotonic one between readings. It is never ahead of
// the store's, so that a lease is never taken for longer than it is, nor a refund for older.
type clock struct {
	store  Store
	logger *slog.Logger
	doubt  time.Duration // how long nothing rests on time once the clocks have disagreed
	// wall is the wall clock's share of a time. Tests set it.
	wall func(time.Time) time.Time

	mu       sync.Mutex
	read     time.Time // the store's clock,
	asked    time.Time // when it was asked for,
	at       time.Time // when it was read, by the monotonic clock and
	atWall   time.Time // by the wall clock
	stale    bool      // the store has shown another time since
	doubtful time.Time // until then, by the store's clock
}

const (
	// clockAge is how long a reading is run on.
	clockAge = 30 * time.Second
	// clockStep is how differently the clocks may advance between two readings. More means that one was set, or that the
	// process or its machine was stopped.
	clockStep = 30 * time.Second
	// readings is how often the store is asked for the time if its answer takes longer than clockStep.
	readings = 3
)

func newClock(store Store, logger *slog.Logger, doubt time.Duration) *clock {
	return &clock{store: store, logger: logger, doubt: doubt, wall: func(t time.Time) time.Time { return t.Round(0) }}
}

// now returns the time by the store's clock.
func (c *clock) now(ctx context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.Now()
	elapsed := t.Sub(c.at)
	if !c.read.IsZero() && !c.stale && elapsed < clockAge && !apartBy(clockStep, elapsed, c.wall(t).Sub(c.atWall)) {
		return c.read.Add(elapsed), nil
	}
	// Under the lock: whoever comes meanwhile needs the same reading.
	for range readings {
		began := time.Now()
		read, err := c.store.Now(ctx)
		if err != nil {
			return time.Time{}, err
		}
		t := time.Now()
		if t.Sub(began) <= clockStep && c.wall(t).Sub(c.wall(began)) <= clockStep {
			c.take(ctx, read, began, t)
			return read, nil
		} // it is old: whoever went by it would be behind, take leases that are over, and refunds for younger than they are
	}
	return time.Time{}, fmt.Errorf("%w: the store takes too long to say the time", ErrClock)
}

// estimate is the time as far as it is known without asking the store.
func (c *clock) estimate() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.Now()
	if c.read.IsZero() {
		return t
	}
	return c.read.Add(t.Sub(c.at))
}

// shown reports whether now, which the store has just said, is what the clock says. If not, it is read again.
func (c *clock) shown(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stale = c.stale || apartBy(clockStep, now.Sub(c.read), time.Since(c.at))
	return !c.stale
}

// take makes read, which was asked for at began and came at t, the reading to go by.
func (c *clock) take(ctx context.Context, read, began, t time.Time) {
	if !c.read.IsZero() {
		store, monotonic, wall := read.Sub(c.read), t.Sub(c.at), c.wall(t).Sub(c.atWall)
		if tolerated := clockStep + t.Sub(began); apartBy(tolerated, store, monotonic) || apartBy(tolerated, store, wall) || apartBy(tolerated, monotonic, wall) {
			c.doubtful = read.Add(c.doubt)
			if c.logger != nil {
				c.logger.LogAttrs(ctx, slog.LevelWarn, "refund journal: a clock was set, or this machine was stopped; nothing that rests on time counts for a while",
					slog.Duration("store", store), slog.Duration("monotonic", monotonic), slog.Duration("wall", wall), slog.Duration("while", c.doubt))
			}
		}
	}
	c.read, c.asked, c.at, c.atWall, c.stale = read, began, t, c.wall(t), false
}

// local is when the store's clock will show t, by this machine's, at the latest: an answer that was long under way makes it
// earlier, and so does what has passed since, however long the caller was kept.
func (c *clock) local(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read.IsZero() {
		return t
	}
	return c.asked.Add(t.Sub(c.read))
}

// behind is how far the reading may be behind the store's clock: as long as its answer was under way.
func (c *clock) behind() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if behind := c.at.Sub(c.asked); behind >= time.Second {
		return behind
	}
	return 0
}

func apartBy(d, a, b time.Duration) bool { return (a - b).Abs() > d }

// trusted returns the time from which on absence and leases may be believed; the zero time means now.
func (c *clock) trusted(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.doubtful) {
		return c.doubtful
	}
	return time.Time{}
}

// Clients, and whoever sees their errors, know the time by the wall clock of their machine; entries have the store's. What
// was never stays never.

func (c *clock) toStore(t time.Time) time.Time { return shift(t, c.ahead()) }
func (c *clock) toWall(t time.Time) time.Time  { return shift(t, -c.ahead()) }

// ahead is how far the store's clock is ahead of the wall clock.
func (c *clock) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read.Sub(c.atWall)
}

func shift(t time.Time, d time.Duration) time.Time {
	if t.IsZero() || d.Abs() < time.Second { // no difference, but the time that a reading takes
		return t
	}
	return t.Add(d)
}
