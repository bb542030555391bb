// Quickstart refunds orders at five simulated providers and shows, for each refund, what was asked, what the SDK said
// and what really moved. It needs no account and no network beyond this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
	"github.com/multirefund/refund-go/simulators"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("This is a simulation: five providers run in this process, on loopback, and no money moves.")
	fmt.Println()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tASKED\tTHE SDK SAID\tREALLY MOVED")
	for _, sim := range simulators.All() {
		s, err := open(sim)
		if err != nil {
			return err
		}
		err = s.script(ctx, table)
		s.stop()
		if err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println(`
"unknown" is what no other client library says: the provider may have paid, so nobody must be told that the refund
failed, and nobody must try again with a new key. Resolve finds out, wherever the provider can be asked; Instant cannot,
so a person has to look. Order rows records refunds without a limit: the shop's integration pays them.

For a real account: leave out the simulator with its Transport and BaseURL, and put your credentials into the Config.
examples/afterpay is such a program; start it with -dry-run.`)
	return nil
}

// shop is one provider: a simulator behind a TLS server on loopback, a network that can lose responses, and a client.
type shop struct {
	sim     refundtest.Simulator
	network *refundtest.Network
	client  refund.Refunder
	stop    func()
}

// open starts a provider.
func open(sim refundtest.Simulator) (*shop, error) {
	opts, stop := refundtest.Serve(sim)
	network := refundtest.NewNetwork(opts.Transport)
	opts.Transport = network
	opts.Retry = refund.RetryPolicy{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond} // nobody wants to wait here
	client, err := sim.Refunder(opts)
	if err != nil {
		stop()
		return nil, err
	}
	return &shop{sim, network, client, stop}, nil
}

// script is the same for every provider.
func (s *shop) script(ctx context.Context, table *tabwriter.Writer) error {
	name := s.client.Capabilities().Provider
	row := func(asked, said string, moved []refund.Money) {
		really := "nothing"
		if len(moved) > 0 {
			really = strings.Trim(fmt.Sprint(moved), "[]")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", name, asked, said, really)
		name = "" // once for each provider
	}
	var err error // of the last refund
	ask := func(what string, req refund.Request) {
		before := len(s.sim.Ledger(req.Order))
		var got *refund.Refund
		got, err = s.client.Refund(ctx, req)
		row(what, said(got, err), s.sim.Ledger(req.Order)[before:])
	}

	ask("the whole order of 100.00", s.request(s.order(), "100.00"))
	half := s.request(s.order(), "50.00")
	ask("one half, 50.00", half)
	s.sim.Advance(2 * time.Minute) // Instant refuses a refund of the same amount within 60 s
	ask("the other half, with a key of its own", s.request(half.Order, "50.00"))
	ask("the first half again, with its key", half)
	ask("100.01 of an order of 100.00", s.request(s.order(), "100.01"))
	ask("10.00 of an order that nobody knows", s.request(s.sim.UnknownOrder(), "10.00"))

	lost := s.request(s.order(), "30.00")
	s.network.Always(refundtest.LostAnswer) // the provider acts, and its response does not arrive
	ask("30.00, and the response is lost", lost)
	s.network.Always("")
	var e *refund.Error
	if !errors.As(err, &e) || e.Outcome != refund.OutcomeUnknown {
		return fmt.Errorf("a lost response should be unknown: %w", err)
	}
	resolver, ok := refund.As[refund.Resolver](s.client)
	if !ok {
		return fmt.Errorf("%s cannot resolve", name)
	}
	resolution, err := resolver.Resolve(ctx, e.Attempt)
	if err != nil {
		return err
	}
	how := "by " + string(s.client.Capabilities().ResolvedBy)
	if resolution.Verdict == refund.VerdictUndetermined {
		how = "a person looks"
	}
	row("  what became of it?", fmt.Sprintf("%s (%s)", resolution.Verdict, how), s.sim.Ledger(lost.Order))
	return nil
}

func (s *shop) order() refund.Order {
	return s.sim.AddOrder(refund.MustParseMoney("100.00", s.sim.Currency()))
}

func (s *shop) request(order refund.Order, amount string) refund.Request {
	return refund.Request{
		IdempotencyKey: refund.NewIdempotencyKey(), // a real shop stores it before the call
		Order:          order,
		Amount:         refund.MustParseMoney(amount, s.sim.Currency()),
	}
}

func said(got *refund.Refund, err error) string {
	var e *refund.Error
	switch {
	case err == nil:
		return string(got.Status)
	case errors.As(err, &e):
		return fmt.Sprintf("%s: %s (%s)", e.Outcome, e.Kind.Error(), e.Advice())
	}
	return err.Error()
}
