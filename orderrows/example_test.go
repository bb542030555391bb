package orderrows_test

import (
	"context"
	"fmt"
	"log"

	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
)

func Example() {
	sim := orderrowstest.New() // stands in for the Geins Management API
	order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
	client, err := orderrows.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.Refund(context.Background(), refund.Request{
		IdempotencyKey: "refund-2026-0001", // yours: made once, stored before this call
		Order:          order,
		Amount:         refund.MustParseMoney("25.00", "SEK"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Status, sim.Ledger(order))
	// Output: pending [25.00 SEK]
}

// A refund is a record; it is paid by the integration that listens to it, which reports when it has.
func Example_processed() {
	ctx := context.Background()
	sim := orderrowstest.New()
	client, err := orderrows.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	paid := refund.MustParseMoney("100.00", "SEK")
	order := sim.AddOrder(paid)
	made, err := client.Refund(ctx, refund.Request{IdempotencyKey: "refund-2026-0002", Order: order, Amount: paid})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.SetAsProcessed(ctx, 1001, made.ID, orderrows.ProcessedRefund{ExternalID: "psp-1"}); err != nil {
		log.Fatal(err)
	}
	got, err := client.GetRefund(ctx, refund.Ref{Order: order, ID: made.ID})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made.Status, "then", got.Status)
	// Output: pending then succeeded
}
