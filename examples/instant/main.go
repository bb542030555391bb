// Command instant refunds orders in Instant's own words, against a simulator: no account and no network is needed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("Instant, simulated on a loopback port: no money moves.")
	fmt.Println()

	sim := instanttest.New()
	order := sim.AddOrder(refund.MustParseMoney("50.00", "AUD"))
	cfg, server := sim.Start()
	defer server.Close()
	client, err := instant.New(cfg)
	if err != nil {
		return err
	}

	req := instant.RefundRequest{
		AmountToRefund: decimal.RequireFromString("10.99"),
		DisplayOrderID: order.ID,
		IdempotencyKey: refund.NewIdempotencyKey(), // as Instant's own plugin does; nothing relies on it
	}
	if _, err := client.RefundOrder(ctx, req); err != nil {
		return err
	}
	show("refund 10.99", "accepted, and carried out")

	// The guard of 60 seconds refuses the same order and amount.
	_, err = client.RefundOrder(ctx, req)
	if !instant.HasCode(err, instant.CodePossibleDuplicateRefund) {
		return fmt.Errorf("expected was a duplicate: %w", err)
	}
	show("the same again", code(err))

	// After that it is a second refund, idempotency key or not.
	sim.Advance(61 * time.Second)
	if _, err := client.RefundOrder(ctx, req); err != nil {
		return err
	}
	show("and 61 s later", "accepted: a second refund")

	req.AmountToRefund = decimal.RequireFromString("99")
	_, err = client.RefundOrder(ctx, req)
	show("refund 99", code(err))

	// REFUND_FAILURE does not say that nothing moved: a person has to look.
	req.AmountToRefund = decimal.RequireFromString("5")
	sim.AnswerNext(instant.CodeRefundFailure, true)
	_, err = client.RefundOrder(ctx, req)
	show("refund 5", code(err))

	fmt.Println()
	fmt.Println("Really moved:", sim.Ledger(order))
	fmt.Println()
	fmt.Println(`For a real account: Environment instant.Production, and AppAuth, AppID and StoreCode as your Customer
Success Manager at Instant issued them, with the store's Currency; without BaseURL and Transport.`)
	return nil
}

func show(what, became string) { fmt.Printf("%-16s %s\n", what, became) }

// code is Instant's code, and what it says of the money.
func code(err error) string {
	var e *refund.Error
	if !errors.As(err, &e) {
		return "unexpectedly accepted"
	}
	return e.Code + ": " + e.Outcome.String() + ", advice " + string(e.Advice())
}
