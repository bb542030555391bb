package httpx

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// policy fills in the defaults that refund.RetryPolicy documents.
func policy(p refund.RetryPolicy) refund.RetryPolicy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = defaultAttempts
	}
	if p.MinDelay == 0 {
		p.MinDelay = defaultMinDelay
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = defaultMaxDelay
	}
	p.MaxAttempts, p.MinDelay, p.MaxDelay = max(p.MaxAttempts, 1), max(p.MinDelay, 0), max(p.MaxDelay, 0)
	return p
}

// checkRetry is retryablehttp's question whether to go on. It sees no request when the transport failed, so
// everything is decided by what the exchange has noted.
func checkRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	x := exchangeOf(ctx)
	c := x.op.client
	if x.err == nil && x.refusal == nil {
		c.budget.succeed(x.attempts > 1)
		return false, nil
	}
	again := ctx.Err() == nil && x.attempts < c.policy.MaxAttempts && x.repeatable() &&
		retryAfter(x.header) <= c.policy.MaxDelay && c.budget.spend(x.err)
	return again, nil
}

// repeatable reports whether the last attempt may be followed by another.
func (x *exchange) repeatable() bool {
	if x.status == 0 && !x.sent {
		return !hopeless(x.err)
	}
	if x.status == http.StatusTooManyRequests && x.op.client.cfg.ThrottledFirst &&
		x.refusal != nil && x.refusal.Outcome == refund.OutcomeRejected { // in the provider's own words
		return true
	}
	if !x.call.repeatable() {
		return false
	}
	if x.err != nil {
		return !errors.Is(x.err, errTooLarge)
	}
	switch x.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return x.status == x.op.client.cfg.InFlight
}

// backoff waits for as long as the provider asks for (checkRetry has bounded it), else for a random time from a range
// that doubles with each attempt.
func backoff(lo, hi time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if wait := retryAfter(resp.Header); wait > 0 {
			return wait
		}
	}
	span := hi
	if attempt < 32 && lo < hi>>attempt {
		span = lo << attempt
	}
	if span <= 0 {
		return 0
	}
	return rand.N(span) //nolint:gosec // a spread, not a secret
}

// retryAfter reads a Retry-After header, in seconds or as a date; 0 if there is none that can be read.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err == nil && seconds <= 0:
		return 0
	case errors.Is(err, strconv.ErrRange) && value[0] != '-', seconds > math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	case err == nil:
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// The budget keeps an outage from becoming a storm: a retry costs more than a success earns. The figures are those of
// aws-sdk-go-v2 (aws/ratelimit, aws/retry/standard.go), and so is that a retry which succeeds has its cost back. Only the
// surcharge for a timeout stays spent. That time fills it too is our own: a shop with ten refunds a day would earn a retry
// in half a day. At a token a second a lasting outage sees a retry in five seconds from a client, and the budget is full
// nine minutes later.
const (
	budgetSize   = 500
	retryCost    = 5
	timeoutCost  = 10
	successGain  = 1
	budgetRefill = time.Second // for one token
)

type budget struct {
	tokens atomic.Int64

	mu sync.Mutex
	at time.Time // up to here time is paid out
}

func (b *budget) spend(cause error) bool {
	cost := int64(retryCost)
	var timeout net.Error
	if errors.As(cause, &timeout) && timeout.Timeout() {
		cost = timeoutCost
	}
	b.refill(time.Now())
	for {
		have := b.tokens.Load()
		if have < cost {
			return false
		}
		if b.tokens.CompareAndSwap(have, have-cost) {
			return true
		}
	}
}

// refill pays out the time that has passed. None passes for a full budget.
func (b *budget) refill(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() || b.tokens.Load() >= budgetSize {
		b.at = now
		return
	}
	past := now.Sub(b.at)
	b.earn(int64(past / budgetRefill))
	b.at = now.Add(-(past % budgetRefill))
}

// succeed earns what the success of an attempt is worth, a first one or a retry.
func (b *budget) succeed(retry bool) {
	if retry {
		b.earn(retryCost)
	}
	b.earn(successGain)
}

func (b *budget) earn(n int64) {
	for {
		have := b.tokens.Load()
		if have >= budgetSize || b.tokens.CompareAndSwap(have, min(have+n, budgetSize)) {
			return
		}
	}
}
