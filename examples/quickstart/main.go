// Quickstart refunds orders at simulated providers and shows, for each refund, what was asked, what the SDK said and
// what really moved. It needs no account and no network beyond this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// shop is one provider: its simulator behind a TLS server on loopback, a network that can lose answers, and a client.
type shop struct {
	sim      refundtest.Simulator
	network  *refundtest.Network
	client   refund.Refunder
	currency string
}

func run(ctx context.Context) error {
	fmt.Println("This is a simulation: the providers run in this process, on loopback, and no money moves.")
	fmt.Println()

	sim := afterpaytest.New()
	cfg, server := sim.Start()
	defer server.Close()
	network := connect(&cfg.Options, server)
	client, err := afterpay.New(cfg)
	if err != nil {
		return err
	}
	shops := []*shop{{sim: sim, network: network, client: client, currency: "AUD"}}

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tASKED\tTHE SDK SAID\tREALLY MOVED")
	for _, s := range shops {
		if err := s.script(ctx, table); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println(`
"unknown" is what no other client library says: the provider may have paid, so nobody must be told that it failed,
and nobody must try again with a new key. Resolve asks the provider what became of it.

For a real account: leave out the simulator and its Transport and BaseURL, and set Environment and the credentials in
the Config. examples/afterpay is such a program; start it with -dry-run.`)
	return nil
}

// connect puts a network that can fail between the client and the server, and keeps the waits short.
func connect(o *refund.Options, server *httptest.Server) *refundtest.Network {
	network := refundtest.NewNetwork(server.Client().Transport)
	o.Transport = network
	o.Retry = refund.RetryPolicy{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond}
	return network
}

func (s *shop) script(ctx context.Context, table *tabwriter.Writer) error {
	ask := func(what string, req refund.Request) error {
		before := len(s.sim.Ledger(req.Order))
		got, err := s.client.Refund(ctx, req)
		s.row(table, what, said(got, err), s.sim.Ledger(req.Order)[before:])
		return err
	}
	full := s.request(s.order(), "100.00")
	if err := ask("full refund of 100.00", full); err != nil {
		return err
	}
	half := s.request(s.order(), "50.00")
	if err := ask("first half, 50.00", half); err != nil {
		return err
	}
	if err := ask("second half, 50.00, with a key of its own", s.request(half.Order, "50.00")); err != nil {
		return err
	}
	if err := ask("first half again, with the same key", half); err != nil {
		return err
	}
	_ = ask("100.01 of an order of 100.00", s.request(s.order(), "100.01"))
	_ = ask("10.00 of an order that does not exist", s.request(s.sim.UnknownOrder(), "10.00"))

	lost := s.request(s.order(), "30.00")
	s.network.Always(refundtest.LostAnswer)
	err := ask("30.00, and the answer is lost after the provider acted", lost)
	s.network.Always("")
	var e *refund.Error
	if !errors.As(err, &e) || e.Outcome != refund.OutcomeUnknown {
		return fmt.Errorf("a lost answer should be unknown: %w", err)
	}
	resolution, err := s.client.(refund.Resolver).Resolve(ctx, e.Attempt)
	if err != nil {
		return err
	}
	s.row(table, "what became of it?", resolution.Verdict.String()+": "+resolution.Why, nil)
	s.row(table, "(in all, for that order)", "", s.sim.Ledger(lost.Order))
	return nil
}

func (s *shop) row(table *tabwriter.Writer, asked, said string, moved []refund.Money) {
	really := "nothing"
	if len(moved) > 0 {
		really = strings.Trim(fmt.Sprint(moved), "[]")
	}
	fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.client.Capabilities().Provider, asked, said, really)
}

func (s *shop) order() refund.Order {
	return s.sim.AddOrder(refund.MustParseMoney("100.00", s.currency))
}

func (s *shop) request(order refund.Order, amount string) refund.Request {
	return refund.Request{
		IdempotencyKey: refund.NewIdempotencyKey(), // a real shop stores it before the call
		Order:          order,
		Amount:         refund.MustParseMoney(amount, s.currency),
	}
}

func said(got *refund.Refund, err error) string {
	var e *refund.Error
	switch {
	case err == nil:
		return fmt.Sprintf("%s, refund %s", got.Status, got.ID)
	case errors.As(err, &e):
		return fmt.Sprintf("%s: %s (advice: %s)", e.Outcome, e.Kind, e.Advice())
	}
	return err.Error()
}
