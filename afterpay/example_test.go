package afterpay_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func Example() {
	ctx := context.Background()
	sim := afterpaytest.New()
	order, key := sim.AddOrder(refund.MustParseMoney("100.00", "AUD")), "refund-2026-0001"
	secret := refund.NewSecret(afterpaytest.SecretKey)
	simulated := sim.Config().Options

	client, err := afterpay.New(afterpay.Config{
		Options:     simulated, // leave it out for a real account
		Environment: afterpay.Sandbox,
		MerchantID:  "600032000", SecretKey: secret, // issued by Afterpay
		Currency:     "AUD", // of the account
		MerchantName: "Example Shop", Platform: "MyShop/3.1", MerchantURL: "https://shop.example",
	})
	if err != nil {
		log.Fatal(err)
	}
	got, err := client.Refund(ctx, refund.Request{
		IdempotencyKey: key, // yours: made once, stored before this call
		Order:          order,
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	})
	if err != nil {
		log.Fatal(err)
	}
	switch got.Status { // a nil error means that the provider has it, not that it was paid
	case refund.StatusSucceeded:
		fmt.Println("paid", got.Amount)
	case refund.StatusFailed, refund.StatusCanceled, refund.StatusExpired:
		fmt.Println("not paid:", got.FailureReason)
	default:
		fmt.Println("on its way:", got.Status)
	}
	// Output: paid 25.00 AUD
}

// What an error means, and what to do about it.
func Example_errors() {
	ctx := context.Background()
	sim := afterpaytest.New()
	client, err := sim.Client(refund.Options{})
	if err != nil {
		log.Fatal(err)
	}
	req := refund.Request{
		IdempotencyKey: "refund-2026-0002",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("100.01", "AUD"),
	}

	got, err := client.Refund(ctx, req)
	switch {
	case err == nil:
		fmt.Println("the provider has it:", got.Status)
	case refund.OutcomeOf(err) == refund.OutcomeUnknown:
		fmt.Println("money may have moved: resolve it before anything else")
	case errors.Is(err, refund.ErrAmountExceeded):
		fmt.Println("nothing moved: the order has less left than that")
	default:
		fmt.Println("nothing moved:", err)
	}
	// Output: nothing moved: the order has less left than that
}

// A refund whose response was lost is unknown, until it is resolved.
func Example_lostResponse() {
	ctx := context.Background()
	sim := afterpaytest.New()
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	cfg := sim.Config()
	cfg.Transport, cfg.Retry.MaxAttempts = network, 1
	client, err := afterpay.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	req := refund.Request{
		IdempotencyKey: "refund-2026-0003",
		Order:          sim.AddOrder(refund.MustParseMoney("100.00", "AUD")),
		Amount:         refund.MustParseMoney("25.00", "AUD"),
	}
	network.Inject(refundtest.LostAnswer)

	_, err = client.Refund(ctx, req)
	var e *refund.Error
	if errors.As(err, &e) && e.Outcome == refund.OutcomeUnknown {
		resolution, err := client.Resolve(ctx, e.Attempt)
		if err != nil {
			log.Fatal(err) // still unknown: ask again later
		}
		fmt.Println(resolution.Verdict, resolution.Refund.Amount)
	}
	// Output: applied 25.00 AUD
}

// Your own tests run against the simulator: it keeps a ledger of what really moved.
func Example_simulator() {
	sim := afterpaytest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	client, err := sim.Client(refund.Options{})
	if err != nil {
		log.Fatal(err)
	}
	req := refund.Request{IdempotencyKey: "refund-2026-0004", Order: order, Amount: refund.MustParseMoney("40.00", "AUD")}
	for range 2 { // a double click
		if _, err := client.Refund(context.Background(), req); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(sim.Ledger(order))
	// Output: [40.00 AUD]
}

func ExampleHasCode() {
	sim := afterpaytest.New()
	client, err := afterpay.New(sim.Config())
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Refund(context.Background(), refund.Request{
		IdempotencyKey: "refund-2026-0005",
		Order:          sim.UnknownOrder(),
		Amount:         refund.MustParseMoney("10.00", "AUD"),
	})
	fmt.Println(afterpay.HasCode(err, afterpay.CodePreconditionFailed, afterpay.CodeNotFound), refund.OutcomeOf(err))
	// Output: true rejected
}
