package refund_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
)

// limiter starts one call that may move money at each tick. Reads are not limited: refund.As finds them through Unwrap.
type limiter struct {
	inner refund.Refunder
	tick  <-chan time.Time
}

func (l *limiter) Capabilities() refund.Capabilities { return l.inner.Capabilities() }

func (l *limiter) Unwrap() refund.Refunder { return l.inner }

func (l *limiter) Refund(ctx context.Context, req refund.Request) (*refund.Refund, error) {
	if err := l.wait(ctx, "refund", req.IdempotencyKey); err != nil {
		err.Outcome = refund.OutcomeNotSent
		return nil, err
	}
	return l.inner.Refund(ctx, req)
}

// Resolve may send a refund again, so the limiter has one of its own: As would lead around it otherwise.
func (l *limiter) Resolve(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
	resolver, ok := refund.As[refund.Resolver](l.inner)
	if !ok {
		return refund.Resolution{Attempt: a, Why: "this provider cannot be asked: a person has to look"}, nil
	}
	if err := l.wait(ctx, "resolve", a.Request.IdempotencyKey); err != nil {
		err.Outcome, err.Attempt = refund.OutcomeUnknown, a // as unknown as before
		return refund.Resolution{}, err
	}
	return resolver.Resolve(ctx, a)
}

func (l *limiter) wait(ctx context.Context, op, key string) *refund.Error {
	select {
	case <-l.tick:
		return nil
	case <-ctx.Done():
		caps := l.Capabilities()
		return &refund.Error{
			Provider: caps.Provider, Account: caps.Account, Op: op, IdempotencyKey: key,
			Kind: refund.ErrUnavailable, Message: "its turn did not come in time", Err: ctx.Err(),
		}
	}
}

// A wrapper of your own guards what moves money, and keeps every ability of the client by having Unwrap.
func Example_rateLimiter() {
	ctx := context.Background()
	sim := afterpaytest.New()
	inner, err := sim.Refunder(refund.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ticker := time.NewTicker(time.Millisecond) // 1,000 refunds per second
	defer ticker.Stop()
	client := &limiter{inner: inner, tick: ticker.C}
	if err := refund.CheckAbilities(client); err != nil {
		log.Fatal(err)
	}

	got, err := client.Refund(ctx, refund.Request{
		IdempotencyKey: "refund-2026-0001",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if getter, ok := refund.As[refund.Getter](client); ok { // Afterpay's own
		got, err = getter.GetRefund(ctx, refund.Ref{Order: got.Order, ID: got.ID})
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(got.Status, got.Amount)
	// Output: succeeded 25.00 AUD
}
