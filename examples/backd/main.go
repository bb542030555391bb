// Backd asks for a refund, changes its amount and takes it back, in Backd's own terms, at a simulated Backd. It needs no
// account and no network beyond this machine.
//
//	go run ./examples/backd
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	sim := backdtest.New()
	cfg, server := sim.Start()
	defer server.Close()
	fmt.Printf("This is a simulator of Backd at %s. No money moves.\n\n", server.URL)

	client, err := backd.New(cfg)
	if err != nil {
		return err
	}
	order := sim.AddOrder(refund.MustParseMoney("9150.00", "USD"))

	// refund_amount is the total that is wanted: the second request takes the place of the first.
	for _, amount := range []string{"100.00", "250.00"} {
		answer, err := client.CreateRefund(ctx, backd.RefundRequest{
			BackdOrderID: order.ID, MerchantOrderID: order.MerchantID,
			RefundAmount: decimal.RequireFromString(amount),
		})
		if err != nil {
			return err
		}
		show("POST /refund "+amount, answer)
	}

	// Backd documents no codes; HasCode compares with its status.type, which is "error" at the simulator.
	_, err = client.CreateRefund(ctx, backd.RefundRequest{
		BackdOrderID: order.ID, MerchantOrderID: order.MerchantID,
		RefundAmount: decimal.RequireFromString("9150.01"),
	})
	var e *refund.Error
	if !errors.As(err, &e) || !backd.HasCode(err, "error") {
		return fmt.Errorf("more than the total should have been refused: %w", err)
	}
	fmt.Printf("%-20s %8s: %s (%s, what to do: %s)\n\n", "POST /refund 9150.01", e.Outcome, e.Message, e.Kind, e.Advice())

	answer, err := client.DeleteRefund(ctx, backd.DeleteRequest{BackdOrderID: order.ID, MerchantOrderID: order.MerchantID})
	if err != nil {
		return err
	}
	show("DELETE /refund", answer)

	if answer, err = client.FindOrder(ctx, order.ID); err != nil {
		return err
	}
	show("GET /find_order", answer)

	fmt.Printf("A request that is made now locks at %s.\n\n", backd.LocksAt(time.Now()).Format("Mon 2 Jan 15:04 MST"))
	fmt.Print(`For a real account replace sim.Start() by

	cfg := backd.Config{
		Environment: backd.Sandbox, // or backd.Production, which has keys of its own
		PublicKey:   os.Getenv("BACKD_PUBLIC_KEY"),
		SecretKey:   refund.NewSecret(os.Getenv("BACKD_SECRET_KEY")),
	}
`)
	return nil
}

// show prints an order's refund requests.
func show(operation string, answer *backd.Response) {
	for _, r := range answer.Data.Refunds {
		amount := "none"
		if r.Amount != nil {
			amount = r.Amount.StringFixed(2)
		}
		fmt.Printf("%-20s %8s USD  %-9s locks at %s\n", operation, amount, r.Status, r.LockedAt.Text)
		operation = ""
	}
	fmt.Println()
}
