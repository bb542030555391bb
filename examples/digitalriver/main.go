// Command digitalriver shows Digital River's refunds in its own words, against its simulator on loopback: no account and no
// network are needed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/refund"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("This is a simulator of Digital River, which is reported to have ceased business in January 2025.")
	fmt.Println("Nothing was tried against the live service.")
	fmt.Println()

	sim := digitalrivertest.New()
	cfg, server := sim.Start()
	defer server.Close()
	client, err := digitalriver.New(cfg)
	if err != nil {
		return err
	}
	placed := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	orderID := digitalriver.ID(placed.ID)

	order, err := client.RetrieveOrder(ctx, orderID)
	if err != nil {
		return err
	}
	fmt.Printf("%-22s %s\n", "can be refunded", order.AvailableToRefund())

	// An amount of the order, a percentage of an item. What arrives is pending, not paid.
	amount, err := client.CreateRefund(ctx, digitalriver.RefundRequest{
		OrderID: orderID, Currency: "USD", Amount: digitalriver.NumberOf(refund.MustParseMoney("19.99", "USD")),
		Reason: "requested_by_customer", Metadata: digitalriver.Metadata{"ticket": 4711},
	})
	if err != nil {
		return err
	}
	item, err := client.CreateRefund(ctx, digitalriver.RefundRequest{
		OrderID: orderID, Currency: "USD", Items: []digitalriver.ItemRequest{
			{ItemID: order.Items[0].ID, Percent: &digitalriver.Number{Decimal: decimal.New(25, 0)}},
		},
	})
	if err != nil {
		return err
	}
	fmt.Printf("%-22s %s, %s\n", "amount of the order", amount.Requested(), amount.State)
	fmt.Printf("%-22s 25 %%, %s\n", "share of an item", item.State)

	if _, err := client.UpdateRefund(ctx, amount.ID, digitalriver.Metadata{"ticket": "", "agent": "17"}); err != nil {
		return err
	}

	// An error says whether money may have moved, and has Digital River's own codes.
	_, err = client.CreateRefund(ctx, digitalriver.RefundRequest{
		OrderID: orderID, Currency: "USD", Amount: digitalriver.NumberOf(refund.MustParseMoney("100.00", "USD")),
	})
	if !digitalriver.HasCode(err, digitalriver.CodeInvalidParameter) || !errors.Is(err, refund.ErrAmountExceeded) {
		return fmt.Errorf("more than is left was not refused: %w", err)
	}
	fmt.Printf("%-22s %s: %s\n", "too much", refund.OutcomeOf(err), digitalriver.Errors(err)[0].Parameter)

	// A day later the bank has agreed.
	sim.Advance(25 * time.Hour)
	for r, err := range client.ListRefunds(ctx, digitalriver.RefundFilter{OrderID: orderID, State: digitalriver.StateSucceeded}) {
		if err != nil {
			return err
		}
		fmt.Printf("%-22s %s, metadata %v\n", "a day later", r.Refunded(), r.Metadata)
	}

	// Webhooks tell it too. SignPayload makes what Digital River would send.
	secret, payload := refund.NewSecret("webhook-token"), []byte(`{"id":"evt_1","type":"refund.complete","data":{"object":{"id":"re_1","state":"succeeded"}}}`)
	header := digitalriver.SignPayload(secret, payload, time.Now())
	if err := digitalriver.VerifySignature(header, payload, 0, secret); err != nil {
		return err
	}
	event, err := digitalriver.ParseEvent(payload)
	if err != nil {
		return err
	}
	fmt.Printf("%-22s %s: %s\n", "webhook", event.Type, event.Refund.State)

	fmt.Println()
	fmt.Println(`For a real account: digitalriver.New(digitalriver.Config{APIKey: refund.NewSecret("sk_...")})`)
	return nil
}
