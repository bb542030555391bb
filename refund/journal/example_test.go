package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// A double click is one refund, and the second answer is the first one's.
func ExampleNew() {
	ctx := context.Background()
	sim := afterpaytest.New()
	provider, err := sim.Client(refund.Options{}) // in earnest: afterpay.New
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	j := journal.New(journal.NewMemory(), journal.Options{}) // in earnest: package sqlstore
	client, err := j.Wrap(provider)
	if err != nil {
		log.Fatal(err)
	}
	go j.Run(ctx) // finds out what a crash or an outage has left
	for entry, err := range j.Entries(ctx, journal.Filter{Attention: true}) {
		fmt.Println(entry.ID(), entry.Attention, entry.Note, err) // somebody should look, and says what he found: j.Decide
	}

	req := refund.Request{
		IdempotencyKey: "refund-2026-0001",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	}
	for range 2 {
		got, err := client.Refund(ctx, req)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(got.Status, got.Amount, "replayed:", got.Replayed)
	}
	req.Amount = refund.MustParseMoney("30.00", "AUD")
	_, err = client.Refund(ctx, req)
	fmt.Println(errors.Is(err, refund.ErrKeyReused), refund.AdviceOf(err))
	fmt.Println("paid:", sim.Ledger(req.Order))
	// Output:
	// succeeded 25.00 AUD replayed: false
	// succeeded 25.00 AUD replayed: true
	// true fix
	// paid: [25.00 AUD]
}

// A response is lost. The refund is unknown, until Round has found out.
func Example_round() {
	ctx := context.Background()
	sim := afterpaytest.New()
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	provider, err := sim.Client(refund.Options{Transport: network, Retry: refund.RetryPolicy{MaxAttempts: 1}})
	if err != nil {
		log.Fatal(err)
	}
	j := journal.New(journal.NewMemory(), journal.Options{Backoff: []time.Duration{time.Nanosecond}})
	client, err := j.Wrap(provider)
	if err != nil {
		log.Fatal(err)
	}

	req := refund.Request{
		IdempotencyKey: "refund-2026-0002",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	}
	network.Inject(refundtest.LostAnswer)
	_, err = client.Refund(ctx, req)
	fmt.Println(refund.OutcomeOf(err))

	<-time.After(time.Millisecond) // Run does this on schedule
	sum, err := j.Round(ctx)
	if err != nil {
		log.Fatal(err)
	}
	entry, err := j.Get(ctx, journal.ID{Provider: "afterpay", Key: req.IdempotencyKey})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("settled:", sum.Settled, "entry:", entry.State, "paid:", sim.Ledger(req.Order))
	// Output:
	// unknown
	// settled: 1 entry: succeeded paid: [25.00 AUD]
}

// Two accounts of one provider. Each has a name, which is a part of every entry's: the same key at the other account is
// another refund.
func Example_accounts() {
	ctx := context.Background()
	j := journal.New(journal.NewMemory(), journal.Options{})
	au, nz := afterpaytest.NewIn("AUD"), afterpaytest.NewIn("NZD")
	for _, shop := range []struct {
		account string
		sim     *afterpaytest.Simulator
	}{{"au", au}, {"nz", nz}} {
		provider, err := shop.sim.Client(refund.Options{Account: shop.account}) // never change the name
		if err != nil {
			log.Fatal(err)
		}
		target := provider.Capabilities().Target
		// Once, when the account is new: a second account of a provider is never entered by itself.
		err = j.AddAccount(ctx, journal.Account{Provider: "afterpay", Name: shop.account, Target: target})
		if err != nil {
			log.Fatal(err)
		}
		client, err := j.Wrap(provider)
		if err != nil {
			log.Fatal(err) // journal.ErrWrapped, if two clients have one name
		}
		_, err = client.Refund(ctx, refund.Request{
			IdempotencyKey: "refund-2026-0004",
			Order:          shop.sim.AddOrder(refund.MustParseMoney("100.00", shop.sim.Currency())),
			Amount:         refund.MustParseMoney("25.00", shop.sim.Currency()),
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	for e, err := range j.Entries(ctx, journal.Filter{From: time.Now().Add(-time.Hour)}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.ID(), e.State, e.Amount)
	}
	// Output:
	// afterpay/au/refund-2026-0004 succeeded 25.00 AUD
	// afterpay/nz/refund-2026-0004 succeeded 25.00 NZD
}

// What no provider can tell is for a person: list it, look at the provider's dashboard, decide.
func Example_decide() {
	ctx := context.Background()
	store := journal.NewMemory()
	j := journal.New(store, journal.Options{})
	_, err := store.Write(ctx, []journal.Change{{Entry: journal.Entry{ // left by another process
		Provider: "afterpay", Key: "refund-2026-0003", State: journal.StateNeedsReview, Attention: journal.AttentionReview, Version: 1,
		Order: refund.Order{ID: "100101768366"}, Amount: refund.MustParseMoney("25.00", "AUD"),
		Note: "the payment shows a refund of this amount without any reference: it may be this one",
	}}})
	if err != nil {
		log.Fatal(err)
	}

	for e, err := range j.Entries(ctx, journal.Filter{Attention: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Attention, e.Order.ID, e.Amount, "-", e.Note)
		err = j.Decide(ctx, journal.Decision{
			Provider: e.Provider, Account: e.Account, Key: e.Key, Verdict: refund.VerdictApplied, RefundID: "1934001",
			Who: "staff-7", Why: "refund 1934001 in the dashboard is this one",
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	for event, err := range j.Events(ctx, journal.EventFilter{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.From, "to", event.To, "by", event.By, "-", event.Note)
	}
	// Output:
	// needs_review 100101768366 25.00 AUD - the payment shows a refund of this amount without any reference: it may be this one
	// needs_review to succeeded by staff-7 - refund 1934001 in the dashboard is this one
}
