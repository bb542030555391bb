// Afterpay makes one refund at Afterpay's sandbox or production.
//
//	export AFTERPAY_MERCHANT_ID=... AFTERPAY_SECRET_KEY=...
//	go run ./examples/afterpay -order 100101768366 -amount 10.00 -currency AUD -dry-run
//
// With -dry-run it prints the request that would be sent, and sends nothing; the credentials may then be left out.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/refund"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("afterpay", flag.ContinueOnError)
	order := flags.String("order", "", "Afterpay's order id")
	amount := flags.String("amount", "", "amount, such as 10.00")
	currency := flags.String("currency", "AUD", "currency of the account")
	key := flags.String("key", "", "idempotency key; give the same one to try the same refund again")
	environment := flags.String("environment", string(afterpay.Sandbox), "sandbox or production")
	dryRun := flags.Bool("dry-run", false, "print the request and send nothing")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) { // it has been printed
			return nil
		}
		return err
	}

	cfg := afterpay.Config{
		Environment:  afterpay.Environment(*environment),
		MerchantID:   os.Getenv("AFTERPAY_MERCHANT_ID"),
		SecretKey:    refund.NewSecret(os.Getenv("AFTERPAY_SECRET_KEY")),
		Currency:     *currency,
		MerchantName: "Example Shop",
		Platform:     "refund-go-example/1.0",
		MerchantURL:  "https://shop.example",
	}
	if *dryRun {
		cfg.MerchantID = cmp.Or(cfg.MerchantID, "merchant-id")
		cfg.SecretKey = refund.NewSecret("not-sent")
		cfg.Transport = dry{out}
		cfg.Retry.MaxAttempts = 1
	}
	if cfg.MerchantID == "" || cfg.SecretKey.IsZero() {
		return errors.New("set AFTERPAY_MERCHANT_ID and AFTERPAY_SECRET_KEY, or give -dry-run")
	}
	client, err := afterpay.New(cfg)
	if err != nil {
		return err
	}
	money, err := refund.ParseMoney(*amount, *currency)
	if err != nil {
		return fmt.Errorf("-amount and -currency: %w", err)
	}
	if *key == "" {
		*key = refund.NewIdempotencyKey()
	}
	fmt.Fprintf(out, "The key of this refund is %s. Give it with -key to ask for the same refund again.\n\n", *key)

	got, err := client.Refund(ctx, refund.Request{IdempotencyKey: *key, Order: refund.Order{ID: *order}, Amount: money})
	var e *refund.Error
	switch {
	case errors.Is(err, errDry):
		return nil
	case err == nil:
		fmt.Fprintf(out, "%s: refund %s of %s\n", got.Status, got.ID, got.Amount)
		return nil
	case errors.As(err, &e) && e.Outcome == refund.OutcomeUnknown:
		resolution, resolveErr := client.Resolve(ctx, e.Attempt)
		if resolveErr != nil {
			return fmt.Errorf("%w\nIt may have been paid, and Afterpay cannot be asked now: run it again with -key %s", err, *key)
		}
		fmt.Fprintf(out, "The answer was lost. %s: %s\n", resolution.Verdict, resolution.Why)
		return nil
	default:
		return fmt.Errorf("%w\nNothing was paid. What to do: %s", err, e.Advice())
	}
}

var errDry = errors.New("dry run: nothing was sent")

// dry prints requests instead of sending them.
type dry struct{ out io.Writer }

// RoundTrip implements http.RoundTripper.
func (d dry) RoundTrip(req *http.Request) (*http.Response, error) {
	fmt.Fprintf(d.out, "%s %s\n", req.Method, req.URL)
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		value := req.Header.Get(name)
		if name == "Authorization" {
			value = "[your credentials]"
		}
		fmt.Fprintf(d.out, "%s: %s\n", name, value)
	}
	fmt.Fprintln(d.out)
	if _, err := io.Copy(d.out, req.Body); err != nil {
		return nil, err
	}
	fmt.Fprintln(d.out)
	return nil, errDry
}
