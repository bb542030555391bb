// Router refunds orders of a shop that sells through several providers: the provider of an order is a column in the shop's
// database, and a map from it to a refund.Refunder is all it takes. The providers are simulated; no money moves.
package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
)

// row is one row of the shop's table of orders.
type row struct {
	number   string
	provider string
	order    refund.Order
	paid     refund.Money
	key      string // of its refund, stored when the refund was decided
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "router:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("This is a simulation: two providers run in this process, and no money moves.")
	fmt.Println()

	afterpaySim, instantSim := afterpaytest.New(), instanttest.New()
	a, err := afterpay.New(afterpaySim.Config())
	if err != nil {
		return err
	}
	i, err := instant.New(instantSim.Config())
	if err != nil {
		return err
	}

	// This is the router.
	clients := map[string]refund.Refunder{"afterpay": a, "instant": i}

	paid := refund.MustParseMoney("49.95", "AUD")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "ORDER\tPROVIDER\tRESULT")
	for _, r := range []row{
		{"1001", "afterpay", afterpaySim.AddOrder(paid), paid, "refund-1001"},
		{"1002", "instant", instantSim.AddOrder(paid), paid, "refund-1002"},
		{"1003", "instant", instantSim.UnknownOrder(), paid, "refund-1003"},
		{"1004", "giftcard", refund.Order{ID: "g-1"}, paid, "refund-1004"},
	} {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.number, r.provider, result(ctx, clients[r.provider], r))
	}
	return table.Flush()
}

// result is one line for whoever looks after the orders.
func result(ctx context.Context, client refund.Refunder, r row) string {
	if client == nil {
		return "no client for this provider: nothing was sent"
	}
	got, err := client.Refund(ctx, refund.Request{IdempotencyKey: r.key, Order: r.order, Amount: r.paid})
	switch {
	case err == nil:
		return fmt.Sprintf("%s, %s", got.Status, r.paid)
	case refund.OutcomeOf(err) == refund.OutcomeUnknown:
		return "UNKNOWN, resolve before anything else: " + err.Error()
	}
	return "nothing moved: " + err.Error()
}
