package httpx

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An outage must not become a storm: the client as a whole runs out of retries, and successes earn them back.
func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // in which no time passes
		down, attempts := true, 0
		c := newClient(t, roundTrip(func(*http.Request) (*http.Response, error) {
			attempts++
			if down {
				return answer(503, ""), nil
			}
			return answer(200, "{}"), nil
		}), noWait)

		for range 1000 {
			assert.Equal(t, 503, failed(t.Context(), t, c, read()).HTTPStatus)
		}
		assert.Equal(t, 1000+budgetSize/retryCost, attempts, "after the budget each call is one attempt")

		assert.Equal(t, 1, failed(t.Context(), t, c, write(PaysOnce)).Attempts)

		down = false
		for range retryCost / successGain {
			_, err := do(t.Context(), c, read())
			require.NoError(t, err)
		}
		down = true
		assert.Equal(t, 2, failed(t.Context(), t, c, read()).Attempts, "five successes pay for one retry")
		assert.Zero(t, c.budget.tokens.Load())
	})
}

// Whoever makes ten refunds a day must not be without retries for a week after an outage.
func TestBudgetRefillsWithTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, roundTrip(replies(503, "")), noWait)
		<-time.After(time.Hour) // of which nothing is owed: it was full
		for range budgetSize {
			mustFail(t.Context(), t, c, read())
		}
		require.Zero(t, c.budget.tokens.Load())

		<-time.After(retryCost*budgetRefill - 1)
		assert.Equal(t, 1, failed(t.Context(), t, c, read()).Attempts)
		<-time.After(1)
		assert.Equal(t, 2, failed(t.Context(), t, c, read()).Attempts, "five seconds pay for one retry")
		assert.Equal(t, 1, failed(t.Context(), t, c, read()).Attempts)

		<-time.After(24 * time.Hour)
		assert.Equal(t, 3, failed(t.Context(), t, c, read()).Attempts)
		assert.EqualValues(t, budgetSize-2*retryCost, c.budget.tokens.Load(), "and never more than it holds")
	})
}

// A retry that helps costs nothing.
func TestBudgetGivesTheCostBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		c := newClient(t, roundTrip(func(*http.Request) (*http.Response, error) {
			if attempts++; attempts%2 == 1 {
				return answer(503, ""), nil
			}
			return answer(200, "{}"), nil
		}), noWait)
		c.budget.tokens.Store(retryCost)
		for n := range 100 {
			_, err := do(t.Context(), c, read())
			require.NoError(t, err)
			require.EqualValues(t, retryCost+(n+1)*successGain, c.budget.tokens.Load())
		}
	})
}

func TestBudgetIsNeverMoreThanFull(t *testing.T) {
	t.Parallel()
	c := newClient(t, roundTrip(replies(200, "{}")))
	for range 10 {
		_, err := do(t.Context(), c, read())
		require.NoError(t, err)
	}
	assert.EqualValues(t, budgetSize, c.budget.tokens.Load())
}

func TestBudgetCosts(t *testing.T) {
	t.Parallel()
	var b budget
	b.tokens.Store(timeoutCost + retryCost)
	assert.True(t, b.spend(context.DeadlineExceeded), "a timeout costs more: it keeps the provider busy for longer")
	assert.EqualValues(t, retryCost, b.tokens.Load())
	assert.False(t, b.spend(context.DeadlineExceeded))
	assert.True(t, b.spend(errReset))
	assert.False(t, b.spend(nil))
	assert.Zero(t, b.tokens.Load())
}

func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	var b budget
	b.tokens.Store(budgetSize)
	var wg sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if b.spend(nil) {
					mu.Lock()
					granted++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, budgetSize/retryCost, granted)
	for range 8 {
		wg.Go(func() {
			for range budgetSize {
				b.succeed(false)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, budgetSize, b.tokens.Load())
}
