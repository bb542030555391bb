// Janitor resolves and follows refunds in the background, with several workers on one PostgreSQL store, until it is told
// to stop (SIGTERM or Ctrl-C).
//
//	go run -C examples/janitor . -dsn postgres://user:password@localhost/scratch
//
// To have something to do, it first makes some refunds at a simulated provider whose responses are all lost.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// account keeps the simulated refunds apart from real ones: a journal touches only the entries of the accounts that it has
// a client for.
const account = "simulated"

func main() {
	flags := flag.NewFlagSet("janitor", flag.ExitOnError)
	dsn := flags.String("dsn", "", "PostgreSQL database; the default is DATABASE_URL. The tables refund_* are made if they are missing")
	workers := flags.Int("workers", 3, "janitors; a real shop has one in every process")
	limit := flags.Duration("for", 0, "stop after this time; 0 means at SIGTERM only")
	_ = flags.Parse(os.Args[1:]) //nolint:errcheck // it exits
	if flags.NArg() > 0 {
		fmt.Fprintf(flags.Output(), "unexpected argument: %s\n", flags.Arg(0))
		flags.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if *limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *limit)
		defer cancel()
	}
	if err := run(ctx, cmp.Or(*dsn, os.Getenv("DATABASE_URL")), *workers); err != nil {
		fmt.Fprintln(os.Stderr, "janitor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dsn string, workers int) error {
	if dsn == "" {
		return errors.New("needs a database: set -dsn or DATABASE_URL")
	}
	store, err := postgres.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	fmt.Println("The provider is a simulator, and no money moves.")
	sim := afterpaytest.New()
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	client, err := sim.Client(refund.Options{Account: account, Transport: network, Retry: refund.RetryPolicy{MaxAttempts: 1}})
	if err != nil {
		return err
	}
	if err := lose(ctx, store, client, network, sim); err != nil {
		return err
	}

	// Each worker is what every process of a shop would run.
	var all sync.WaitGroup
	for n := range workers {
		j := journal.New(store, journal.Options{
			Interval: 200 * time.Millisecond, // a real shop keeps the default of 30 seconds
			Observer: journal.Observer{Transition: func(_ context.Context, t journal.Transition) {
				fmt.Printf("worker %d  %s  %s -> %s  (%s)\n", n+1, t.Entry.Key, t.From, t.Entry.State, t.Entry.Note)
			}},
		})
		if _, err := j.Wrap(client); err != nil {
			return err
		}
		all.Go(func() { j.Run(ctx) })
	}
	fmt.Printf("%d workers run; SIGTERM or Ctrl-C stops them.\n", workers)
	<-ctx.Done()
	all.Wait() // a worker finishes the entry that it works on
	fmt.Println("Stopped: no entry is left half-written.")
	return nil
}

// lose makes refunds whose responses do not arrive.
func lose(ctx context.Context, store journal.Store, client refund.Refunder, network *refundtest.Network, sim *afterpaytest.Simulator) error {
	network.Always(refundtest.LostAnswer)
	defer network.Always("")
	shop, err := journal.New(store, journal.Options{Backoff: []time.Duration{time.Second, time.Minute, time.Hour}}).Wrap(client)
	if err != nil {
		return err
	}
	for range 5 {
		paid := refund.MustParseMoney("49.95", "AUD")
		req := refund.Request{IdempotencyKey: refund.NewIdempotencyKey(), Order: sim.AddOrder(paid), Amount: paid}
		_, err := shop.Refund(ctx, req)
		if errors.Is(err, journal.ErrOrderBusy) {
			continue // an earlier run was stopped before it was done, and the simulator numbers its orders anew
		}
		if refund.OutcomeOf(err) != refund.OutcomeUnknown {
			return fmt.Errorf("a lost response should be unknown: %w", err)
		}
		fmt.Printf("refund %s of %s: %s\n", req.IdempotencyKey, paid, refund.OutcomeOf(err))
	}
	return nil
}
