package instant_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

func Example() {
	sim := instanttest.New() // stands in for Instant
	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	client, err := instant.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.Refund(context.Background(), refund.Request{
		IdempotencyKey: "refund-2026-0001", // yours: made once, stored before this call
		Order:          order,
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Status, sim.Ledger(order))
	// Output: succeeded [25.00 AUD]
}

// Instant refuses the same order and amount for 60 seconds, and pays a second time after that: the journal stands
// between a repeat and the second payment.
func Example_journal() {
	ctx := context.Background()
	sim := instanttest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	inner, err := instant.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	client, err := journal.New(journal.NewMemory(), journal.Options{}).Wrap(inner)
	if err != nil {
		log.Fatal(err)
	}
	req := refund.Request{IdempotencyKey: "refund-2026-0002", Order: order, Amount: refund.MustParseMoney("25.00", "AUD")}
	for range 2 {
		if _, err := client.Refund(ctx, req); err != nil {
			log.Fatal(err)
		}
		sim.Advance(time.Hour)
	}
	fmt.Println(sim.Ledger(order))
	// Output: [25.00 AUD]
}
