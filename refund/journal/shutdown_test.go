package journal_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// TestShutdown: what has no entry is not sent, and what has one is told, without anybody being asked.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		paid, err := b.ask(t, "paid")
		require.NoError(t, err)
		f.refund = fails(refund.OutcomeRejected)
		b.try(t, "rejected")
		f.refund = lose
		_, err = b.ask(t, "unknown")
		attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
		pass(time.Hour)
		f.refund, f.resolve = nil, applied
		require.NoError(t, b.journal.Shutdown(t.Context()))
		require.NoError(t, b.journal.Shutdown(t.Context()), "once more is no harm")
		before := b.entry(t, "unknown")

		for _, key := range []string{"new", "rejected"} {
			_, err = b.ask(t, key)
			requireError(t, err, refund.OutcomeNotSent)
			require.ErrorIs(t, err, journal.ErrClosed)
		}
		_, err = b.journal.Get(t.Context(), idOf("new"))
		require.ErrorIs(t, err, journal.ErrNoEntry)
		got, err := b.ask(t, "paid")
		require.NoError(t, err)
		paid.Replayed = true
		assert.Equal(t, paid, got)
		_, err = b.ask(t, "unknown")
		requireErrorIs(t, err, journal.ErrClosed)
		_, err = b.client.Refund(t.Context(), ofOrder("paid", "another"))
		requireKeyReused(t, err)
		_, err = b.resolver(t).Resolve(t.Context(), attempt)
		requireErrorIs(t, err, journal.ErrClosed)
		b.store.breaks("get")
		_, err = b.ask(t, "new")
		requireErrorIs(t, err, errStore)
		b.store.breaks()

		sum, err := b.journal.Round(t.Context())
		require.ErrorIs(t, err, journal.ErrClosed)
		assert.Zero(t, sum)
		assert.Equal(t, before, b.entry(t, "unknown"), "it is not claimed by who does not work on it")
		assert.Equal(t, 3, f.sent())
		assert.Empty(t, f.asked())
		b.journal.Run(t.Context()) // ends at once
	})
}

// TestShutdownEndsRun at its next tick.
func TestShutdownEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.journal.Run(t.Context())
		}()
		pass(45 * time.Second)
		b.shutdown(t)
		<-done
	})
}

// TestShutdownWaits for calls, and until their results are written, whether somebody waits for them or not.
func TestShutdownWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		f.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			pass(time.Minute)
			b.store.breaks("update")
			return made(req, refund.StatusSucceeded), nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.client.Refund(ctx, request("k"))
		requireErrorIs(t, err, refund.ErrInFlight)

		short, cancelShort := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancelShort()
		began := time.Now()
		require.ErrorIs(t, b.journal.Shutdown(short), context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(began))
		short, cancelShort = context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancelShort()
		require.ErrorIs(t, b.journal.Shutdown(short), context.DeadlineExceeded)
		assert.Equal(t, journal.StateSending, b.entry(t, "k").State)
		b.shutdown(t)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
	})
}

// TestShutdownWaitsForARound that is under way.
func TestShutdownWaitsForARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			pass(time.Minute)
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		b.opts.Workers = 1
		b.wrap(t, f)
		for _, key := range []string{"a", "b"} {
			_, err := b.client.Refund(t.Context(), ofOrder(key, key))
			requireErrorIs(t, err, errWire)
		}
		pass(time.Hour)
		go func() {
			_, err := b.journal.Round(t.Context())
			assert.ErrorIs(t, err, journal.ErrClosed)
		}()
		pass(time.Second)
		before := b.entry(t, "b")
		b.shutdown(t)
		synctest.Wait()
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "a").State)
		assert.Equal(t, before, b.entry(t, "b"))
	})
}

// TestInFlight: one call too many waits for another's end, before anything is recorded of it.
func TestInFlight(t *testing.T) {
	for in, most := range map[int]int{0: 64, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
				pass(time.Minute)
				return made(req, refund.StatusSucceeded), nil
			}}
			b := newBench(t, f)
			b.opts.InFlight = in
			b.wrap(t, f)
			var wg sync.WaitGroup
			for i := range most {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Second+1)
					defer cancel() // that a caller has left frees nothing: his call goes on
					_, err := b.client.Refund(ctx, ofOrder(fmt.Sprintf("k%d", i), fmt.Sprintf("o%d", i)))
					require.True(t, err == nil || refund.KindOf(err) == refund.ErrInFlight)
				})
			}
			pass(30 * time.Second)
			assert.Equal(t, most, f.sent())

			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			_, err := b.client.Refund(ctx, ofOrder("left", "left"))
			assert.Equal(t, 10*time.Second, time.Since(began))
			requireErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, refund.ErrInFlight)
			_, err = b.journal.Get(t.Context(), idOf("left"))
			require.ErrorIs(t, err, journal.ErrNoEntry)

			other := wrap(t, b.journal, &fake{name: "other"})
			_, err = other.Refund(t.Context(), request("k"))
			require.NoError(t, err, "other accounts go on")

			_, err = b.client.Refund(t.Context(), ofOrder("waits", "waits"))
			require.NoError(t, err)
			assert.Equal(t, most+1, f.sent())
			wg.Wait()
			b.try(t, "another") // all places are free again
			b.shutdown(t)
		})
	}
}

// TestRecordedRefundNeedsNoSlot: what is known is told, however many calls hang.
func TestRecordedRefundNeedsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBenchOf(t, f, f)
		b.opts.InFlight = 1
		b.wrap(t, f)
		_, err := b.ask(t, "paid")
		require.NoError(t, err)
		release := make(chan struct{})
		f.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			<-release
			return made(req, refund.StatusSucceeded), nil
		}
		go b.try(t, "hangs")
		synctest.Wait()
		got, err := b.ask(t, "paid")
		require.NoError(t, err)
		assert.True(t, got.Replayed)
		close(release)
		require.NoError(t, b.journal.Shutdown(t.Context()))
	})
}
