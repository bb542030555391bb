package backd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund"
)

func Example() {
	sim := backdtest.New() // stands in for Backd
	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	client, err := backd.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.Refund(context.Background(), refund.Request{
		IdempotencyKey: "refund-2026-0001", // yours: made once, stored before this call
		Order:          order,
		Amount:         refund.MustParseMoney("25.00", "USD"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Status, sim.Ledger(order))
	// Output: pending [25.00 USD]
}

// A second refund would replace the first, so that it is refused until Backd has paid.
func Example_activeRequest() {
	ctx := context.Background()
	sim := backdtest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	client, err := backd.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"refund-2026-0002", "refund-2026-0003"} {
		_, err := client.Refund(ctx, refund.Request{IdempotencyKey: key, Order: order, Amount: refund.MustParseMoney("25.00", "USD")})
		fmt.Println(errors.Is(err, refund.ErrConflict))
	}
	fmt.Println(sim.Ledger(order))
	// Output:
	// false
	// true
	// [25.00 USD]
}

func ExampleLocksAt() {
	zone := time.FixedZone("CDT", -5*60*60)
	friday := time.Date(2026, 7, 10, 17, 0, 0, 0, zone)
	fmt.Println(backd.LocksAt(friday.Add(-time.Second)).In(zone).Format(time.RFC1123))
	fmt.Println(backd.LocksAt(friday).In(zone).Format(time.RFC1123))
	// Output:
	// Fri, 10 Jul 2026 17:00:00 CDT
	// Mon, 13 Jul 2026 17:00:00 CDT
}
