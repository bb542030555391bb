package digitalriver_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/refund"
)

func Example() {
	sim := digitalrivertest.New() // stands in for Digital River
	order := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	client, err := sim.Client(refund.Options{})
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

// 201 is not success: a refund is followed until its state is final.
func Example_states() {
	ctx := context.Background()
	sim := digitalrivertest.New()
	client, err := sim.Client(refund.Options{})
	if err != nil {
		log.Fatal(err)
	}
	paid := refund.MustParseMoney("100.00", "USD")
	made, err := client.Refund(ctx, refund.Request{IdempotencyKey: "refund-2026-0002", Order: sim.AddOrder(paid), Amount: paid})
	if err != nil {
		log.Fatal(err)
	}
	sim.Advance(48 * time.Hour)
	got, err := client.GetRefund(ctx, refund.Ref{Order: made.Order, ID: made.ID})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made.Status, "then", got.Status)
	// Output: pending then succeeded
}

// Your handler of webhooks is tested with a payload that you sign yourself.
func ExampleVerifySignature() {
	secret := refund.NewSecret("webhook-token")
	body := []byte(`{"id":"evt_1","type":"refund.complete","data":{"object":{"id":"re_1","state":"succeeded"}}}`)
	header := digitalriver.SignPayload(secret, body, time.Now())

	if err := digitalriver.VerifySignature(header, body, 5*time.Minute, secret); err != nil {
		log.Fatal(err)
	}
	event, err := digitalriver.ParseEvent(body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Type, event.Refund.ID)
	// Output: refund.complete re_1
}
