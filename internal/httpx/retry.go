package httpx

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
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
		c.budget.earn()
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

// The budget keeps an outage from becoming a storm: a retry costs more than a success earns. The figures are those
// of aws-sdk-go-v2 (aws/ratelimit, aws/retry/standard.go).
const (
	budgetSize  = 500
	retryCost   = 5
	timeoutCost = 10
	successGain = 1
)

type budget struct{ tokens atomic.Int64 }

func (b *budget) spend(cause error) bool {
	cost := int64(retryCost)
	var timeout net.Error
	if errors.As(cause, &timeout) && timeout.Timeout() {
		cost = timeoutCost
	}
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

func (b *budget) earn() {
	for {
		have := b.tokens.Load()
		if have >= budgetSize || b.tokens.CompareAndSwap(have, have+successGain) {
			return
		}
	}
}
