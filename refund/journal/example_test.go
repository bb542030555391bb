package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// A double click is one refund, and the second answer is the first one's.
func ExampleNew() {
	ctx := context.Background()
	sim := afterpaytest.New()
	provider, err := afterpay.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	j := journal.New(journal.NewMemory(), journal.Options{}) // in earnest: package sqlstore
	client := j.Wrap(provider)

	req := refund.Request{
		IdempotencyKey: "refund-2026-0001",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	}
	for range 2 {
		got, err := client.Refund(ctx, req)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(got.Status, got.Amount)
	}
	req.Amount = refund.MustParseMoney("30.00", "AUD")
	_, err = client.Refund(ctx, req)
	fmt.Println(errors.Is(err, journal.ErrKeyReused))
	fmt.Println("paid:", sim.Ledger(req.Order))
	// Output:
	// succeeded 25.00 AUD
	// succeeded 25.00 AUD
	// true
	// paid: [25.00 AUD]
}

// An answer is lost. The refund is unknown, until Recover has found out.
func Example_recover() {
	ctx := context.Background()
	sim := afterpaytest.New()
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	cfg := sim.Config()
	cfg.Transport, cfg.Retry.MaxAttempts = network, 1
	provider, err := afterpay.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	store := journal.NewMemory()
	j := journal.New(store, journal.Options{Backoff: []time.Duration{time.Nanosecond}})
	client := j.Wrap(provider)

	req := refund.Request{
		IdempotencyKey: "refund-2026-0002",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	}
	network.Inject(refundtest.LostAnswer)
	_, err = client.Refund(ctx, req)
	fmt.Println(refund.OutcomeOf(err))

	<-time.After(time.Millisecond) // Run does this on schedule
	sum, err := j.Recover(ctx)
	if err != nil {
		log.Fatal(err)
	}
	entry, err := store.Get(ctx, "afterpay", req.IdempotencyKey)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("resolved:", sum.Resolved, "entry:", entry.State, "paid:", sim.Ledger(req.Order))
	// Output:
	// outcome unknown
	// resolved: 1 entry: succeeded paid: [25.00 AUD]
}

// What no provider can tell is for a person: list it, look at the provider's dashboard, decide.
func Example_decide() {
	ctx := context.Background()
	store := journal.NewMemory()
	j := journal.New(store, journal.Options{})
	err := store.Insert(ctx, journal.Entry{ // left by another process
		Provider: "afterpay", Key: "refund-2026-0003", State: journal.NeedsReview, Version: 1,
		Order: refund.Order{ID: "100101768366"}, Amount: refund.MustParseMoney("25.00", "AUD"),
		Note: "the payment shows a refund of this amount without any reference: it may be this one",
	})
	if err != nil {
		log.Fatal(err)
	}

	for e, err := range j.Entries(ctx, journal.Filter{States: []journal.State{journal.NeedsReview}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Order.ID, e.Amount, "-", e.Note)
		err = j.Decide(ctx, e.Provider, e.Key, refund.VerdictApplied, "staff-7", "refund 1934001 in the dashboard is this one")
		if err != nil {
			log.Fatal(err)
		}
	}
	e, err := store.Get(ctx, "afterpay", "refund-2026-0003")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.State, "-", e.Note)
	// Output:
	// 100101768366 25.00 AUD - the payment shows a refund of this amount without any reference: it may be this one
	// succeeded - staff-7: refund 1934001 in the dashboard is this one
}
