// Command orderrows goes through the life of order refunds in the Geins Management API's own terms, against the simulator on
// loopback: no account and no network are needed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/shopspring/decimal"

	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	sim := orderrowstest.New()
	cfg, server := sim.Start()
	defer server.Close()
	client, err := orderrows.New(cfg)
	if err != nil {
		return err
	}
	order := sim.AddOrder(refund.MustParseMoney("499.00", "SEK"))
	const orderID = 1001 // the simulator's first
	fmt.Printf("a simulator on %s, not the real API\n\n", cfg.BaseURL)

	// A refund that somebody has to approve before the integration that pays hears of it.
	made, err := client.CreateRefund(ctx, orderID, orderrows.NewRefund{
		Reference: "rma-4711", Description: "arrived broken", Author: "returns desk",
		RefundAmount: decimal.RequireFromString("249.50"), RefundsRequireApproval: true,
	})
	if err != nil {
		return err
	}
	steps := []struct {
		name string
		call func() (*orderrows.Answer, error)
	}{
		{"CreateRefund", nil},
		{"SetApproval", func() (*orderrows.Answer, error) {
			return client.SetApproval(ctx, orderID, made.RefundID, orderrows.RefundApproval{Approved: true, ApprovalDecidedBy: "finance"})
		}},
		{"SetAsProcessed", func() (*orderrows.Answer, error) {
			return client.SetAsProcessed(ctx, orderID, made.RefundID, orderrows.ProcessedRefund{ExternalID: "psp-refund-1"})
		}},
	}
	fmt.Printf("%-16s %-10s %-10s %-8s %s\n", "after", "approved", "processed", "events", "status of the common language")
	for _, step := range steps {
		if step.call != nil {
			if _, err := step.call(); err != nil {
				return err
			}
		}
		got, err := client.RetrieveRefund(ctx, orderID, made.RefundID)
		if err != nil {
			return err
		}
		common, err := client.GetRefund(ctx, refund.Ref{Order: order, ID: made.RefundID})
		if err != nil {
			return err
		}
		fmt.Printf("%-16s %-10s %-10t %-8d %s\n", step.name, approved(got.Approved), got.Processed, len(sim.Events(order)), common.Status)
	}

	// What has been settled cannot be taken back. There are no codes: the kind is portable, the words are for people.
	got, err := client.RetrieveRefund(ctx, orderID, made.RefundID)
	if err != nil {
		return err
	}
	_, err = client.DeleteRow(ctx, orderID, made.RefundID, got.RefundRows[0].RefundRowID)
	if !errors.Is(err, refund.ErrInvalidRequest) {
		return fmt.Errorf("the settled row was deleted: %w", err)
	}
	fmt.Printf("\nDeleteRow        refused: %v\n", orderrows.Details(err))

	found, err := client.QueryRefunds(ctx, orderrows.RefundQuery{IncludeStatuses: []orderrows.QueryStatus{orderrows.StatusProcessed}})
	if err != nil {
		return err
	}
	for i := range found {
		r := &found[i]
		fmt.Printf("QueryRefunds     order %d, %s, %s %s\n", r.OrderID, r.Reference, r.RefundedTotal, r.Currency)
	}

	fmt.Println("\nFor a real account: orderrows.New(orderrows.Config{User, Password, APIKey, Currency}), without BaseURL and Transport.")
	return nil
}

func approved(decided *bool) string {
	switch {
	case decided == nil:
		return "undecided"
	case *decided:
		return "yes"
	}
	return "no"
}
