package journal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// A refund at Backd is raised: the first one is taken back through the journal, and the new total is a refund of its own, with
// a key of its own. backd.Client.ReplaceRefund would do it in one request, but the journal would not know.
func Example_raise() {
	ctx := context.Background()
	sim := backdtest.New()
	provider, err := sim.Client(refund.Options{}) // in earnest: backd.New
	if err != nil {
		log.Fatal(err)
	}
	j := journal.New(journal.NewMemory(), journal.Options{}) // in earnest: package sqlstore
	client, err := j.Wrap(provider)
	if err != nil {
		log.Fatal(err)
	}
	req := refund.Request{
		IdempotencyKey: "refund-2026-0005",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "USD")),
		Amount:         refund.MustParseMoney("25.00", "USD"),
	}
	first, err := client.Refund(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Amount, first.Status)

	canceler, ok := refund.As[refund.Canceler](client)
	if !ok {
		log.Fatal("this provider takes nothing back")
	}
	// After 17:00 in Chicago this is ErrLocked, and the refund stays as it is.
	canceled, err := canceler.CancelRefund(ctx, refund.Ref{Order: req.Order, ID: first.ID})
	if err != nil {
		log.Fatal(err) // the refund stays pending in the journal, and Round reads what became of it
	}
	fmt.Println(canceled.Amount, canceled.Status)

	req.IdempotencyKey, req.Amount = "refund-2026-0005-raised", refund.MustParseMoney("40.00", "USD")
	second, err := client.Refund(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(second.Amount, second.Status)

	for e, err := range j.Entries(ctx, journal.Filter{Provider: "backd", OrderKey: req.Order.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Key, e.State)
	}
	fmt.Println("will be paid:", sim.Ledger(req.Order))
	// Output:
	// 25.00 USD pending
	// 25.00 USD canceled
	// 40.00 USD pending
	// refund-2026-0005 canceled
	// refund-2026-0005-raised pending
	// will be paid: [40.00 USD]
}
